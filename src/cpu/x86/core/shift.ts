// Shifts and rotates (SDM volume 2: RCL, SAL, SHLD and their families). The count is masked to 5 bits (6 for 64-bit
// operands); a count of 0 changes nothing. OF is defined for a count of 1 only and computed by the same rule for others.
import { REG_RCX } from './generated/layout';
import { fault } from './fault';
import { carryFlag } from './flags';
import { readForUpdate, registerOperand, writeBack } from './operand';
import { setCarryOverflow, setShiftedOf } from './operation';
import { reg8, signExtend, truncate } from './state';
import { hasImmediate, uopImmediate, uopSize } from './uop';

function shiftCount(u: usize): u32 {
  const count = hasImmediate(u) ? <u32>uopImmediate(u) : reg8(REG_RCX);
  return count & (uopSize(u) == 8 ? 63 : 31);
}

// @ts-ignore: decorator
@inline function bits(u: usize): u32 {
  return uopSize(u) << 3;
}

/** Bit `index` of a value; 0 for bits that it does not have. */
function bitOf(value: u64, index: u32): u32 {
  return index > 63 ? 0 : <u32>(value >> index) & 1;
}

export function shl(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  // The memory operand is written even when nothing changes, as processors do.
  if (count == 0) return writeBack(u, value);
  const result = truncate(value << count, uopSize(u));
  const carry = count <= bits(u) ? bitOf(value, bits(u) - count) : 0;
  writeBack(u, result);
  setShiftedOf(result, uopSize(u), carry, carry ^ bitOf(result, bits(u) - 1));
}

export function shr(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  if (count == 0) return writeBack(u, value);
  const result = value >> count;
  writeBack(u, result);
  setShiftedOf(result, uopSize(u), bitOf(value, count - 1), bitOf(value, bits(u) - 1));
}

export function sar(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  if (count == 0) return writeBack(u, value);
  const wide = signExtend(value, uopSize(u));
  const result = truncate(wide >> count, uopSize(u));
  writeBack(u, result);
  setShiftedOf(result, uopSize(u), <u32>(wide >> (count - 1)) & 1, 0);
}

export function rol(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  const width = bits(u);
  const by = count % width;
  const result = by == 0 ? value : truncate((value << by) | (value >> (width - by)), uopSize(u));
  writeBack(u, result);
  if (count != 0) setCarryOverflow(bitOf(result, 0), bitOf(result, 0) ^ bitOf(result, width - 1));
}

export function ror(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  const width = bits(u);
  const by = count % width;
  const result = by == 0 ? value : truncate((value >> by) | (value << (width - by)), uopSize(u));
  writeBack(u, result);
  if (count != 0) setCarryOverflow(bitOf(result, width - 1), bitOf(result, width - 1) ^ bitOf(result, width - 2));
}

/** Rotates through CF one bit at a time: counts are small. */
export function rcl(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  const width = bits(u);
  let result = value;
  let carry = carryFlag();
  for (let left = count % (width + 1); left > 0; left--) {
    const out = bitOf(result, width - 1);
    result = truncate((result << 1) | carry, uopSize(u));
    carry = out;
  }
  writeBack(u, result);
  if (count != 0) setCarryOverflow(carry, carry ^ bitOf(result, width - 1));
}

export function rcr(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  const width = bits(u);
  let result = value;
  let carry = carryFlag();
  for (let left = count % (width + 1); left > 0; left--) {
    const out = bitOf(result, 0);
    result = (result >> 1) | (<u64>carry << (width - 1));
    carry = out;
  }
  writeBack(u, result);
  if (count != 0) setCarryOverflow(carry, bitOf(result, width - 1) ^ bitOf(result, width - 2));
}

/**
 * The two registers of a double shift side by side. A 16-bit one with a count above 16 is undefined; processors go on
 * with the destination's bits once more.
 */
export function shld(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  if (count == 0) return writeBack(u, value);
  const width = bits(u);
  let result: u64 = 0;
  let carry: u32 = 0;
  if (width == 16) {
    const wide = (value << 32) | (registerOperand(u) << 16) | value;
    result = (wide >> (32 - count)) & 0xffff;
    carry = bitOf(wide, 48 - count);
  } else {
    result = truncate((value << count) | (registerOperand(u) >> (width - count)), uopSize(u));
    carry = bitOf(value, width - count);
  }
  writeBack(u, result);
  setShiftedOf(result, uopSize(u), carry, bitOf(result, width - 1) ^ bitOf(value, width - 1));
}

export function shrd(u: usize): void {
  const value = readForUpdate(u);
  const count = shiftCount(u);
  if (fault) return;
  if (count == 0) return writeBack(u, value);
  const width = bits(u);
  let result: u64 = 0;
  let carry: u32 = 0;
  if (width == 16) {
    const wide = (value << 32) | (registerOperand(u) << 16) | value;
    result = (wide >> count) & 0xffff;
    carry = bitOf(wide, count - 1);
  } else {
    result = truncate((value >> count) | (registerOperand(u) << (width - count)), uopSize(u));
    carry = bitOf(value, count - 1);
  }
  writeBack(u, result);
  setShiftedOf(result, uopSize(u), carry, bitOf(result, width - 1) ^ bitOf(value, width - 1));
}
