// A decoded instruction (the layout is table/layout.ts) and the address of its memory operand.
import {
  STATE_REGS,
  UOP_ADDRESS_SIZE_8,
  UOP_BASE_8,
  UOP_DISPLACEMENT_32,
  UOP_IMMEDIATE,
  UOP_INDEX_8,
  UOP_LENGTH_8,
  UOP_LINK_32,
  UOP_OFFSET_16,
  UOP_OP_16,
  UOP_REG_8,
  UOP_RM_8,
  UOP_SCALE_8,
  UOP_SEGMENT_8,
  UOP_SELECTOR_16,
  UOP_SIZE_8,
  UOP_TRAITS_8,
  UOP_TRAIT_IMMEDIATE,
  UOP_TRAIT_MEMORY,
} from './generated/layout';
import { truncate } from './state';

// @ts-ignore: decorator
@inline export function uopOp(u: usize): u32 {
  return load<u16>(u + UOP_OP_16);
}
// @ts-ignore: decorator
@inline export function uopLength(u: usize): u32 {
  return load<u8>(u + UOP_LENGTH_8);
}
/** Operand size in bytes: 1, 2, 4, 8. */
// @ts-ignore: decorator
@inline export function uopSize(u: usize): u32 {
  return load<u8>(u + UOP_SIZE_8);
}
/** The register operand (ModRM.reg or in the opcode): offset from REGS, or number of a segment, control, debug register. */
// @ts-ignore: decorator
@inline export function uopReg(u: usize): u32 {
  return load<u8>(u + UOP_REG_8);
}
/** The register that ModRM.rm names, when `isMemory` is false. */
// @ts-ignore: decorator
@inline export function uopRm(u: usize): u32 {
  return load<u8>(u + UOP_RM_8);
}
/** The segment of the memory operand, 0 to 5 or SEGMENT_FLAT. */
// @ts-ignore: decorator
@inline export function uopSegment(u: usize): u32 {
  return load<u8>(u + UOP_SEGMENT_8);
}
// @ts-ignore: decorator
@inline export function uopTraits(u: usize): u32 {
  return load<u8>(u + UOP_TRAITS_8);
}
// @ts-ignore: decorator
@inline export function isMemory(u: usize): bool {
  return (uopTraits(u) & UOP_TRAIT_MEMORY) != 0;
}
// @ts-ignore: decorator
@inline export function hasImmediate(u: usize): bool {
  return (uopTraits(u) & UOP_TRAIT_IMMEDIATE) != 0;
}
// @ts-ignore: decorator
@inline export function uopAddressSize(u: usize): u32 {
  return load<u8>(u + UOP_ADDRESS_SIZE_8);
}
// @ts-ignore: decorator
@inline export function uopImmediate(u: usize): u64 {
  return load<u64>(u + UOP_IMMEDIATE);
}
// @ts-ignore: decorator
@inline export function uopSelector(u: usize): u32 {
  return load<u16>(u + UOP_SELECTOR_16);
}
// @ts-ignore: decorator
@inline export function uopLink(u: usize): usize {
  return load<u32>(u + UOP_LINK_32);
}
// @ts-ignore: decorator
@inline export function uopOffset(u: usize): u32 {
  return load<u16>(u + UOP_OFFSET_16);
}

/** The effective address of the memory operand: its offset in the segment, cut to the address size. */
export function ea(u: usize): u64 {
  const base = load<u64>(STATE_REGS + load<u8>(u + UOP_BASE_8));
  const index = load<u64>(STATE_REGS + load<u8>(u + UOP_INDEX_8)) << load<u8>(u + UOP_SCALE_8);
  return truncate(base + index + load<i32>(u + UOP_DISPLACEMENT_32), uopAddressSize(u));
}
