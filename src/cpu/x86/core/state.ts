// The processor's state, at the fixed addresses of table/layout.ts. Registers are named by byte offset from REGS, as
// in a uop, so that the four widths (and AH to BH, one byte above AL to BL) are one address computation.
import {
  MODE_CODE32,
  MODE_CODE64,
  STATE_CPL_32,
  STATE_INSTRUCTIONS,
  STATE_MODE_32,
  STATE_REGS,
  STATE_RIP,
  STATE_SEGS,
  STATE_START_RIP,
  SEGMENT_ATTRIBUTES,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  SEGMENT_SIZE,
} from './generated/layout';

// @ts-ignore: decorator
@inline export function reg8(offset: u32): u32 {
  return load<u8>(STATE_REGS + offset);
}
// @ts-ignore: decorator
@inline export function reg16(offset: u32): u32 {
  return load<u16>(STATE_REGS + offset);
}
// @ts-ignore: decorator
@inline export function reg32(offset: u32): u32 {
  return load<u32>(STATE_REGS + offset);
}
// @ts-ignore: decorator
@inline export function reg64(offset: u32): u64 {
  return load<u64>(STATE_REGS + offset);
}
// @ts-ignore: decorator
@inline export function setReg8(offset: u32, value: u32): void {
  store<u8>(STATE_REGS + offset, value);
}
// @ts-ignore: decorator
@inline export function setReg16(offset: u32, value: u32): void {
  store<u16>(STATE_REGS + offset, value);
}
/** A 32-bit write clears the upper half, in every mode. */
// @ts-ignore: decorator
@inline export function setReg32(offset: u32, value: u32): void {
  store<u64>(STATE_REGS + offset, value);
}
// @ts-ignore: decorator
@inline export function setReg64(offset: u32, value: u64): void {
  store<u64>(STATE_REGS + offset, value);
}

/** Reads a register of 1, 2, 4 or 8 bytes, zero-extended. */
export function register(offset: u32, size: u32): u64 {
  if (size == 4) return reg32(offset);
  if (size == 2) return reg16(offset);
  return size == 1 ? reg8(offset) : reg64(offset);
}

/** Writes a register of 1, 2, 4 or 8 bytes. */
export function setRegister(offset: u32, size: u32, value: u64): void {
  if (size == 4) setReg32(offset, u32(value));
  else if (size == 2) setReg16(offset, u32(value));
  else if (size == 1) setReg8(offset, u32(value));
  else setReg64(offset, value);
}

// @ts-ignore: decorator
@inline export function rip(): u64 {
  return load<u64>(STATE_RIP);
}
// @ts-ignore: decorator
@inline export function setRip(value: u64): void {
  store<u64>(STATE_RIP, value);
}
// @ts-ignore: decorator
@inline export function startRip(): u64 {
  return load<u64>(STATE_START_RIP);
}

// @ts-ignore: decorator
@inline export function mode(): u32 {
  return load<u32>(STATE_MODE_32);
}
// @ts-ignore: decorator
@inline export function cpl(): u32 {
  return load<u32>(STATE_CPL_32);
}

/** Bytes of an offset in the code segment: 2, 4 or 8. */
export function codeSize(): u32 {
  const bits = mode();
  return bits & MODE_CODE64 ? 8 : bits & MODE_CODE32 ? 4 : 2;
}

/** Adds to the count of retired instructions. */
// @ts-ignore: decorator
@inline export function retire(count: u64): void {
  store<u64>(STATE_INSTRUCTIONS, load<u64>(STATE_INSTRUCTIONS) + count);
}

// @ts-ignore: decorator
@inline function segmentAddress(segment: u32): usize {
  return STATE_SEGS + segment * SEGMENT_SIZE;
}
// @ts-ignore: decorator
@inline export function segmentSelector(segment: u32): u32 {
  return load<u32>(segmentAddress(segment) + SEGMENT_SELECTOR);
}
// @ts-ignore: decorator
@inline export function segmentAttributes(segment: u32): u32 {
  return load<u32>(segmentAddress(segment) + SEGMENT_ATTRIBUTES);
}
// @ts-ignore: decorator
@inline export function segmentBase(segment: u32): u64 {
  return load<u64>(segmentAddress(segment) + SEGMENT_BASE);
}
// @ts-ignore: decorator
@inline export function segmentLimit(segment: u32): u32 {
  return load<u32>(segmentAddress(segment) + SEGMENT_LIMIT);
}
// @ts-ignore: decorator
@inline export function setSegment(segment: u32, selector: u32, attributes: u32, base: u64, limit: u32): void {
  const address = segmentAddress(segment);
  store<u32>(address + SEGMENT_SELECTOR, selector);
  store<u32>(address + SEGMENT_ATTRIBUTES, attributes);
  store<u64>(address + SEGMENT_BASE, base);
  store<u32>(address + SEGMENT_LIMIT, limit);
}

export function setSegmentBase(segment: u32, base: u64): void {
  store<u64>(segmentAddress(segment) + SEGMENT_BASE, base);
}

/** A value of `size` bytes, sign-extended to 64 bits. */
export function signExtend(value: u64, size: u32): i64 {
  const unused: u64 = 64 - (size << 3);
  return (value << unused) as i64 >> unused;
}

/** Whether bits 63 to 47 of a linear address agree (SDM volume 1, section 3.3.7.1). */
// @ts-ignore: decorator
@inline export function isCanonical(linear: u64): bool {
  return <i64>(linear << 16) >> 16 == <i64>linear;
}

/** A value cut to `size` bytes. */
export function truncate(value: u64, size: u32): u64 {
  return value & (<u64>-1 >> (64 - (size << 3)));
}
