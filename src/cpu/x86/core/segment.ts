/**
 * Segmentation (SDM volume 3, chapters 3 and 5): from an offset in a segment to a linear address, loads of segment
 * registers, the stack's segment, and the mode bits that follow from all of it.
 */
import {
  DEBUG_ARMED_DATA,
  DEBUG_ARMED_PORT,
  MODE_CODE32,
  MODE_CODE64,
  MODE_FLAT,
  MODE_WHOLE,
  MODE_LONG,
  MODE_PAGING,
  MODE_PROTECTED,
  MODE_STACK32,
  MODE_USER,
  MODE_V86,
  MODE_WATCHED,
  REG_RBP,
  REG_RSP,
  STATE_EFER,
  STATE_RIP_MASK,
  UOP_BASE_8,
  SEGMENT_FLAT,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  STATE_CPL_32,
  STATE_CR0,
  STATE_MODE_32,
  STATE_TLB_BASE_32,
  TLB,
  TLB_ENTRY_SIZE,
  TLB_SIZE,
} from './generated/layout';
import { CR0_PE, CR0_PG, EFER_LMA } from './control-bits';
import {
  ATTRIBUTES_REAL,
  ATTRIBUTES_V86,
  ATTRIBUTE_B,
  ATTRIBUTE_CODE,
  ATTRIBUTE_CONFORMING,
  ATTRIBUTE_EXPAND_DOWN,
  ATTRIBUTE_L,
  ATTRIBUTE_P,
  ATTRIBUTE_S,
  ATTRIBUTE_WRITABLE,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  markAccessed,
  readDescriptor,
  setFromDescriptor,
} from './descriptor';
import { isArmed } from './debug';
import { fault, raiseError, VECTOR_GP, VECTOR_NP, VECTOR_SS } from './fault';
import { systemFlag, VM } from './flags';
import { isCode64, isOpen, isProtected, isV86 } from './privilege';
import {
  cpl,
  isCanonical,
  mode,
  reg64,
  segmentAttributes,
  segmentBase,
  segmentLimit,
  segmentSelector,
  setReg16,
  setReg32,
  setReg64,
  setSegment,
} from './state';
import { ea, uopSegment } from './uop';

const CONFORMING_CODE: u32 = ATTRIBUTE_CODE | ATTRIBUTE_CONFORMING;

/** Whether `size` bytes at `offset` lie within a segment (SDM volume 3, section 5.3). */
export function withinLimit(attributes: u32, limit: u32, offset: u64, size: u32): bool {
  const last = offset + size - 1;
  if ((attributes & (ATTRIBUTE_CODE | ATTRIBUTE_EXPAND_DOWN)) != ATTRIBUTE_EXPAND_DOWN) {
    // A segment of 4 GiB has no end: an access may wrap around, as without a check.
    return last <= <u64>limit || limit == 0xffff_ffff;
  }
  const top: u64 = (attributes & ATTRIBUTE_B) != 0 ? 0xffff_ffff : 0xffff;
  return offset > <u64>limit && last <= top;
}

/** Whether the type allows the access; real-address mode does not ask. */
function typeAllows(attributes: u32, write: bool): bool {
  const kind = attributes & (ATTRIBUTE_CODE | ATTRIBUTE_WRITABLE);
  return write ? kind == ATTRIBUTE_WRITABLE : kind != ATTRIBUTE_CODE;
}

/** What an access outside the limits of a segment raises. */
export function raiseSegmentFault(segment: u32): void {
  raiseError(segment == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
}

/** The linear address of `size` bytes at `offset` in `segment`, all rules checked. May fault. */
export function linear(segment: u32, offset: u64, size: u32, write: bool): u64 {
  if (isCode64()) return linear64(segment, segment >= SEG_FS ? segmentBase(segment) + offset : offset, size);
  const attributes = segmentAttributes(segment);
  const usable = (attributes & ATTRIBUTE_P) != 0 && (typeAllows(attributes, write) || !isProtected());
  if (!usable || !withinLimit(attributes, segmentLimit(segment), offset, size)) {
    raiseSegmentFault(segment);
    return 0;
  }
  return (segmentBase(segment) + offset) & 0xffff_ffff;
}

/** 64-bit mode: all bytes must have canonical addresses, and that is all. */
function linear64(segment: u32, address: u64, size: u32): u64 {
  if (!isCanonical(address) || !isCanonical(address + size - 1)) raiseSegmentFault(segment);
  return address;
}

/** The linear address of a uop's memory operand. May fault. */
export function operandLinear(u: usize, size: u32, write: bool): u64 {
  return atSegment(u, ea(u), size, write);
}

/** The linear address of `size` bytes at `offset` in the segment of a uop's memory operand. May fault. */
export function atSegment(u: usize, offset: u64, size: u32, write: bool): u64 {
  if (uopSegment(u) != SEGMENT_FLAT) return linear(uopSegment(u), offset, size, write);
  return isCode64() ? linear64(usesStack(u) ? SEG_SS : SEG_DS, offset, size) : offset;
}

/** In 64-bit mode the base register alone tells a stack operand. */
function usesStack(u: usize): bool {
  const base = <u32>load<u8>(u + UOP_BASE_8);
  return base == REG_RSP || base == REG_RBP;
}

/** The same `offset` bytes into the operand: the offset wraps at the address size, as the operand's parts do. */
export function operandPart(u: usize, offset: u32, size: u32, write: bool): u64 {
  const at = ea(u) + offset;
  return atSegment(u, isCode64() ? at : at & 0xffff_ffff, size, write);
}

/** What SS.B leaves of the stack pointer. */
export function stackMask(): u64 {
  if (isCode64()) return <u64>-1;
  return (mode() & MODE_STACK32) != 0 ? 0xffff_ffff : 0xffff;
}

export function stackPointer(): u64 {
  return reg64(REG_RSP) & stackMask();
}

/** Sets as much of the stack pointer as SS.B says; the rest stays. */
export function setStackPointer(value: u64): void {
  if (isCode64()) setReg64(REG_RSP, value);
  else if ((mode() & MODE_STACK32) != 0) setReg32(REG_RSP, <u32>value);
  else setReg16(REG_RSP, <u32>value);
}

/** The linear address of a stack slot. May fault. */
export function stackLinear(offset: u64, size: u32, write: bool): u64 {
  return linear(SEG_SS, offset & stackMask(), size, write);
}

/** Privilege level, with what depends on it. */
export function setCpl(level: u32): void {
  store<u32>(STATE_CPL_32, level);
}

function isFlat(segment: u32): bool {
  const all = ATTRIBUTE_P | ATTRIBUTE_S | ATTRIBUTE_CODE | ATTRIBUTE_EXPAND_DOWN | ATTRIBUTE_WRITABLE;
  if ((segmentAttributes(segment) & all) != (ATTRIBUTE_P | ATTRIBUTE_S | ATTRIBUTE_WRITABLE)) return false;
  return segmentBase(segment) == 0 && segmentLimit(segment) == 0xffff_ffff;
}

/** Derives the MODE bits. Due after every change of CR0, CR4.SMAP, EFER, EFLAGS.VM and AC, CPL, CS, SS, DS or ES, of armed breakpoints. */
export function updateMode(): void {
  const cr0 = load<u64>(STATE_CR0);
  const long = (load<u64>(STATE_EFER) & EFER_LMA) != 0;
  const code64 = long && (segmentAttributes(SEG_CS) & ATTRIBUTE_L) != 0;
  let bits: u32 = (cr0 & CR0_PG) != 0 ? MODE_PAGING : 0;
  if (long) bits |= MODE_LONG;
  if (code64) bits |= MODE_CODE64;
  if ((cr0 & CR0_PE) != 0) bits |= systemFlag(VM) ? MODE_V86 : MODE_PROTECTED;
  if (!code64 && (segmentAttributes(SEG_CS) & ATTRIBUTE_B) != 0) bits |= MODE_CODE32;
  if (!code64 && (segmentAttributes(SEG_SS) & ATTRIBUTE_B) != 0) bits |= MODE_STACK32;
  if (cpl() == 3) bits |= MODE_USER;
  if (code64 || (segmentBase(SEG_CS) == 0 && segmentLimit(SEG_CS) == 0xffff_ffff)) bits |= MODE_WHOLE;
  if (!code64 && isFlat(SEG_DS) && isFlat(SEG_SS) && isFlat(SEG_ES)) bits |= MODE_FLAT;
  if (isArmed(DEBUG_ARMED_DATA | DEBUG_ARMED_PORT)) bits |= MODE_WATCHED;
  store<u32>(STATE_MODE_32, bits);
  store<u64>(STATE_RIP_MASK, code64 ? <u64>-1 : 0xffff_ffff);
  const part: u32 = (bits & MODE_USER) != 0 ? 1 : isOpen() ? 2 : 0;
  store<u32>(STATE_TLB_BASE_32, TLB + part * TLB_SIZE * TLB_ENTRY_SIZE);
}

/**
 * A load outside protected mode. In real-address mode only the base changes: limit and attributes stay what protected
 * mode left ("big real mode"), except that a null segment becomes usable. In virtual-8086 mode all of it is fixed.
 */
export function loadRealSegment(segment: u32, selector: u32): void {
  const base = (<u64>selector) << 4;
  const attributes = segmentAttributes(segment);
  if (isV86()) setSegment(segment, selector, ATTRIBUTES_V86, base, 0xffff);
  else if ((attributes & ATTRIBUTE_P) == 0) setSegment(segment, selector, ATTRIBUTES_REAL, base, 0xffff);
  else setSegment(segment, selector, attributes, base, segmentLimit(segment));
}

/** SS of 64-bit code without a stack segment; its DPL is the privilege level all the same. */
export function setNullStack(selector: u32): void {
  setSegment(SEG_SS, selector, (selector & 3) << 5, 0, 0);
}

/** Makes a data segment register hold `selector` and nothing behind it. */
export function setNullSegment(segment: u32, selector: u32): void {
  setSegment(segment, selector, 0, 0, 0);
}

/**
 * MOV, POP, LDS and the like into a segment register other than CS (SDM volume 2, MOV). On a fault nothing has changed.
 */
export function loadSegment(segment: u32, selector: u32): void {
  if (!isProtected()) loadRealSegment(segment, selector);
  else if (segment == SEG_SS) loadStackSegment(selector);
  else loadDataSegment(segment, selector);
  updateMode();
}

function loadStackSegment(selector: u32): void {
  if (isNull(selector)) {
    // A null SS is a stack for 64-bit code of rings 0 to 2.
    if (!isCode64() || cpl() == 3 || (selector & 3) != cpl()) return raiseError(VECTOR_GP, 0);
    return setNullStack(selector);
  }
  const error = selector & 0xfffc;
  const descriptor = readDescriptor(selector);
  if (fault) return;
  const level = cpl();
  if ((selector & 3) != level || !isWritableData(descriptor) || dplOf(descriptor) != level) {
    return raiseError(VECTOR_GP, error);
  }
  if (!isPresent(descriptor)) return raiseError(VECTOR_SS, error);
  markAccessed(selector, descriptor);
  if (!fault) setFromDescriptor(SEG_SS, selector, descriptor);
}

/** Data and non-conforming code must be no more privileged than both CPL and RPL. */
export function isAccessible(descriptor: u64, selector: u32, level: u32): bool {
  if (!isReadable(descriptor)) return false;
  return isConforming(descriptor) || (dplOf(descriptor) >= level && dplOf(descriptor) >= (selector & 3));
}

function loadDataSegment(segment: u32, selector: u32): void {
  if (isNull(selector)) return setNullSegment(segment, selector);
  const error = selector & 0xfffc;
  const descriptor = readDescriptor(selector);
  if (fault) return;
  if (!isAccessible(descriptor, selector, cpl())) return raiseError(VECTOR_GP, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  markAccessed(selector, descriptor);
  if (!fault) setFromDescriptor(segment, selector, descriptor);
}

/** Loads CS for code that will run at privilege `level`. The descriptor has been checked. */
export function setCode(selector: u32, descriptor: u64, level: u32): void {
  setFromDescriptor(SEG_CS, (selector & 0xfffc) | level, descriptor);
  setCpl(level);
}

/**
 * On the way to an outer level: data segments that it may not use become null (SDM volume 2, RET). A register holds
 * attributes, so the test is made on those.
 */
export function dropInnerSegments(level: u32): void {
  for (let segment: u32 = SEG_ES; segment <= SEG_GS; segment++) {
    if (segment == SEG_CS || segment == SEG_SS) continue;
    const attributes = segmentAttributes(segment);
    if ((attributes & ATTRIBUTE_P) == 0) continue;
    const conforming = (attributes & CONFORMING_CODE) == CONFORMING_CODE;
    if (!conforming && ((attributes >> 5) & 3) < level) setNullSegment(segment, 0);
  }
}
