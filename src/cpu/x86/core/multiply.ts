// Multiplication and division (SDM volume 2: MUL, IMUL, DIV, IDIV). The double-width operand is AX, DX:AX, EDX:EAX.
import { REG_RAX, REG_RDX } from './generated/layout';
import { fault, raise, VECTOR_DE } from './fault';
import { readOperand, setRegisterOperand, signedOperand } from './operand';
import { setShiftedOf } from './operation';
import { reg16, register, setReg16, setRegister, signExtend, truncate } from './state';
import { hasImmediate, uopImmediate, uopReg, uopSize } from './uop';

/** Stores a product of twice the operand size. */
function setProduct(size: u32, product: u64): void {
  if (size == 1) return setReg16(REG_RAX, <u32>product);
  setRegister(REG_RAX, size, truncate(product, size));
  setRegister(REG_RDX, size, truncate(product >> (size << 3), size));
}

/** CF and OF say whether the upper half is more than an extension of the lower; the others are undefined. */
function setProductFlags(product: u64, size: u32, significant: u32): void {
  setShiftedOf(truncate(product, size), size, significant, significant);
}

export function mul(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  const product = register(REG_RAX, size) * value;
  setProduct(size, product);
  setProductFlags(product, size, <u32>(product >> (size << 3) != 0));
}

function overflows(product: i64, size: u32): u32 {
  return <u32>(signExtend(product, size) != product);
}

export function imul1(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  const product = signExtend(register(REG_RAX, size), size) * signedOperand(u, value);
  setProduct(size, product);
  setProductFlags(product, size, overflows(product, size));
}

export function imul(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  const other = hasImmediate(u) ? <i64>uopImmediate(u) : signExtend(register(uopReg(u), size), size);
  const product = signedOperand(u, value) * other;
  setRegisterOperand(u, truncate(product, size));
  setProductFlags(product, size, overflows(product, size));
}

function dividend(size: u32): u64 {
  if (size == 1) return reg16(REG_RAX);
  return (register(REG_RDX, size) << (size << 3)) | register(REG_RAX, size);
}

/** Quotient and remainder. */
function setQuotient(size: u32, quotient: u64, remainder: u64): void {
  if (size == 1) return setReg16(REG_RAX, (<u32>quotient & 0xff) | ((<u32>remainder & 0xff) << 8));
  setRegister(REG_RAX, size, truncate(quotient, size));
  setRegister(REG_RDX, size, truncate(remainder, size));
}

export function div(u: usize): void {
  const divisor = readOperand(u);
  if (fault) return;
  if (divisor == 0) return raise(VECTOR_DE);
  const size = uopSize(u);
  const value = dividend(size);
  const quotient = value / divisor;
  if (truncate(quotient, size) != quotient) return raise(VECTOR_DE);
  setQuotient(size, quotient, value % divisor);
}

export function idiv(u: usize): void {
  const divisor = signedOperand(u, readOperand(u));
  if (fault) return;
  if (divisor == 0) return raise(VECTOR_DE);
  const size = uopSize(u);
  const value = signExtend(dividend(size), size << 1);
  // The one quotient that not even 64 bits hold.
  if (divisor == -1 && value == i64.MIN_VALUE) return raise(VECTOR_DE);
  const quotient = value / divisor;
  if (signExtend(quotient, size) != quotient) return raise(VECTOR_DE);
  setQuotient(size, quotient, value % divisor);
}
