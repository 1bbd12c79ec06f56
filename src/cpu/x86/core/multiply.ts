// Multiplication and division (SDM volume 2: MUL, IMUL, DIV, IDIV). The double-width operand is AX, DX:AX, EDX:EAX, RDX:RAX.
import { REG_RAX, REG_RDX } from './generated/layout';
import { fault, raise, VECTOR_DE } from './fault';
import { readOperand, setRegisterOperand, signedOperand } from './operand';
import { multiply64, multiplyHigh, multiplyHighSigned, setShiftedOf } from './operation';
import { reg16, reg64, register, setReg16, setReg64, setRegister, signExtend, truncate } from './state';
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

function setWide(high: u64, low: u64, significant: u32): void {
  setReg64(REG_RAX, low);
  setReg64(REG_RDX, high);
  setShiftedOf(low, 8, significant, significant);
}

export function mul(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  if (size == 8) {
    const high = multiplyHigh(reg64(REG_RAX), value);
    return setWide(high, reg64(REG_RAX) * value, u32(high != 0));
  }
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
  if (size == 8) {
    const high = multiplyHighSigned(reg64(REG_RAX), value);
    const low = reg64(REG_RAX) * value;
    return setWide(high, low, u32(high != <i64>low >> 63));
  }
  const product = signExtend(register(REG_RAX, size), size) * signedOperand(u, value);
  setProduct(size, product);
  setProductFlags(product, size, overflows(product, size));
}

export function imul(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  const other = hasImmediate(u) ? <i64>uopImmediate(u) : signExtend(register(uopReg(u), size), size);
  if (size == 8) return setReg64(uopReg(u), multiply64(value, other));
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
  if (size == 8) return divide128(reg64(REG_RDX), reg64(REG_RAX), divisor, <u64>-1, false, false);
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
  if (size == 8) return divideSigned(divisor);
  const value = signExtend(dividend(size), size << 1);
  // The one quotient that not even 64 bits hold.
  if (divisor == -1 && value == i64.MIN_VALUE) return raise(VECTOR_DE);
  const quotient = value / divisor;
  if (signExtend(quotient, size) != quotient) return raise(VECTOR_DE);
  setQuotient(size, quotient, value % divisor);
}

const SIGN: u64 = 1 << 63;

/** Magnitudes are divided; the quotient has the sign of both, the remainder that of the dividend. */
function divideSigned(divisor: i64): void {
  let high = reg64(REG_RDX);
  let low = reg64(REG_RAX);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + u64(low == 0);
  }
  const negate = negative != divisor < 0;
  divide128(high, low, divisor < 0 ? 0 - divisor : divisor, negate ? SIGN : SIGN - 1, negate, negative);
}

/** Divides 128 bits bit by bit, unless the upper half is empty; #DE when the quotient is above `most`. */
function divide128(high: u64, low: u64, divisor: u64, most: u64, negate: bool, negative: bool): void {
  if (high >= divisor) return raise(VECTOR_DE);
  let quotient: u64 = 0;
  let rest = high;
  if (high == 0) {
    quotient = low / divisor;
    rest = low % divisor;
  } else {
    for (let bit = 63; bit >= 0; bit--) {
      const carry = rest >> 63 != 0;
      rest = (rest << 1) | ((low >> <u64>bit) & 1);
      quotient <<= 1;
      if (carry || rest >= divisor) {
        rest -= divisor;
        quotient |= 1;
      }
    }
  }
  if (quotient > most) return raise(VECTOR_DE);
  setReg64(REG_RAX, negate ? 0 - quotient : quotient);
  setReg64(REG_RDX, negative ? 0 - rest : rest);
}
