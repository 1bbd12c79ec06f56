// Integer instructions without a hot form (SDM volume 2).
import { REG_RAX, REG_RBX, REG_RCX, REG_RDX, UOP_TRAIT_WIDE } from './generated/layout';
import { probeWrite, read64, write64 } from './access';
import { fault, raiseError, VECTOR_GP } from './fault';
import { arithmetic, carryFlag, DF, materialize, OF, setArithmetic, setCarry, setSystemFlag, setZero } from './flags';
import { readForUpdate, registerOperand, setRegisterOperand, writeBack } from './operand';
import { addition, subtract } from './operation';
import { operandLinear } from './segment';
import { reg32, reg64, reg8, register, setReg32, setReg64, setReg8, setRegister, signExtend, truncate } from './state';
import { isMemory, uopRm, uopSize, uopTraits } from './uop';

export function not(u: usize): void {
  const value = readForUpdate(u);
  if (!fault) writeBack(u, truncate(~value, uopSize(u)));
}

export function neg(u: usize): void {
  const value = readForUpdate(u);
  if (!fault) writeBack(u, subtract(0, value, uopSize(u)));
}

/** CBW, CWDE, CDQE. */
export function cbw(u: usize): void {
  const size = uopSize(u);
  setRegister(REG_RAX, size, truncate(signExtend(register(REG_RAX, size >> 1), size >> 1), size));
}

/** CWD, CDQ, CQO. */
export function cwd(u: usize): void {
  const size = uopSize(u);
  setRegister(REG_RDX, size, truncate(signExtend(register(REG_RAX, size), size) >> 63, size));
}

/** Sets AL to 0 or FFh by CF; Intel left it out of the manual for decades. */
export function salc(u: usize): void {
  setReg8(REG_RAX, 0 - carryFlag());
}

/** With a register as destination, the sum is what stays when both operands are one. */
export function xadd(u: usize): void {
  const value = readForUpdate(u);
  if (fault) return;
  const sum = addition(value, registerOperand(u), uopSize(u));
  setRegisterOperand(u, value);
  writeBack(u, sum);
}

/** A destination in memory is written in either case. */
export function cmpxchg(u: usize): void {
  const value = readForUpdate(u);
  if (fault) return;
  const size = uopSize(u);
  const accumulator = register(REG_RAX, size);
  subtract(accumulator, value, size);
  if (accumulator == value) return writeBack(u, registerOperand(u));
  // A register stays as it is, its upper half too.
  if (isMemory(u)) writeBack(u, value);
  setRegister(REG_RAX, size, value);
}

/** CMPXCHG16B: the operand must be aligned. */
function cmpxchg16b(u: usize): void {
  const address = operandLinear(u, 16, true);
  if (fault) return;
  if ((address & 15) != 0) return raiseError(VECTOR_GP, 0);
  probeWrite(address, 16);
  if (fault) return;
  const low = read64(address);
  const high = read64(address + 8);
  const equal = low == reg64(REG_RAX) && high == reg64(REG_RDX);
  write64(address, equal ? reg64(REG_RBX) : low);
  write64(address + 8, equal ? reg64(REG_RCX) : high);
  setZero(equal);
  if (equal) return;
  setReg64(REG_RAX, low);
  setReg64(REG_RDX, high);
}

export function cmpxchg8b(u: usize): void {
  if ((uopTraits(u) & UOP_TRAIT_WIDE) != 0) return cmpxchg16b(u);
  const address = operandLinear(u, 8, true);
  if (fault) return;
  probeWrite(address, 8);
  if (fault) return;
  const value = read64(address);
  const equal = value == (((<u64>reg32(REG_RDX)) << 32) | reg32(REG_RAX));
  write64(address, equal ? ((<u64>reg32(REG_RCX)) << 32) | reg32(REG_RBX) : value);
  setZero(equal);
  if (equal) return;
  setReg32(REG_RAX, <u32>value);
  setReg32(REG_RDX, <u32>(value >> 32));
}

/** A 16-bit BSWAP is undefined; it swaps all four bytes here. */
export function bswap(u: usize): void {
  const size = uopSize(u);
  const value = register(uopRm(u), size);
  setRegister(uopRm(u), size, size == 8 ? swapBytes(value) : swapBytes(value) >> 32);
}

function swapBytes(value: u64): u64 {
  return ((<u64>reverse32(<u32>value)) << 32) | reverse32(<u32>(value >> 32));
}

function reverse32(value: u32): u32 {
  return (rotl<u32>(value, 8) & 0x00ff_00ff) | (rotr<u32>(value, 8) & 0xff00_ff00);
}

export function cmc(u: usize): void {
  setCarry(carryFlag() ^ 1);
}
export function clc(u: usize): void {
  setCarry(0);
}
export function stc(u: usize): void {
  setCarry(1);
}
export function cld(u: usize): void {
  setSystemFlag(DF, false);
}
export function std(u: usize): void {
  setSystemFlag(DF, true);
}

/** SF, ZF, AF, PF and CF from AH; OF stays. */
export function sahf(u: usize): void {
  setArithmetic((reg8(REG_RAX + 1) & 0xd5) | (arithmetic() & OF));
}
export function lahf(u: usize): void {
  setReg8(REG_RAX + 1, materialize() & 0xff);
}
