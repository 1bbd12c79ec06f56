/**
 * Segment descriptors and gates in the GDT and LDT (SDM volume 3, sections 3.4.5, 3.5, 5.8.3). A descriptor is held as
 * the u64 that is in memory; of the 16-byte system descriptors of long mode `readUpper` reads the second half.
 */
import { SEG_LDTR, STATE_GDTR_BASE, STATE_GDTR_LIMIT_32 } from './generated/layout';
import { systemRead, systemWrite } from './access';
import { fault } from './fault';
import { segmentAttributes, segmentBase, segmentLimit, setSegment } from './state';

/** Attributes (table/layout.ts, SEGMENT). The low four are the type. */
export const ATTRIBUTE_ACCESSED: u32 = 0x1;
/** Of a data segment; of a code segment the same bit is READABLE. */
export const ATTRIBUTE_WRITABLE: u32 = 0x2;
export const ATTRIBUTE_READABLE: u32 = 0x2;
/** Of a data segment; of a code segment the same bit is CONFORMING. */
export const ATTRIBUTE_EXPAND_DOWN: u32 = 0x4;
export const ATTRIBUTE_CONFORMING: u32 = 0x4;
export const ATTRIBUTE_CODE: u32 = 0x8;
/** Code or data, not system. */
export const ATTRIBUTE_S: u32 = 0x10;
export const ATTRIBUTE_P: u32 = 0x80;
/** 64-bit code. */
export const ATTRIBUTE_L: u32 = 0x2000;
/** Default size: of code the operand size, of a stack the pointer, of expand-down data the upper bound. */
export const ATTRIBUTE_B: u32 = 0x4000;
export const ATTRIBUTE_G: u32 = 0x8000;
/** Data, writable, accessed, present: what real-address mode has. In virtual-8086 mode DPL is 3 as well. */
export const ATTRIBUTES_REAL: u32 = 0x93;
export const ATTRIBUTES_V86: u32 = 0xf3;

/** System types (SDM volume 3, table 3-2); bit 3 set is 32 bits wide. */
export const TYPE_TSS16: u32 = 1;
export const TYPE_LDT: u32 = 2;
export const TYPE_CALL_GATE16: u32 = 4;
export const TYPE_TASK_GATE: u32 = 5;
export const TYPE_INTERRUPT_GATE16: u32 = 6;
export const TYPE_TRAP_GATE16: u32 = 7;
export const TYPE_TSS32: u32 = 9;
export const TYPE_CALL_GATE32: u32 = 12;
export const TYPE_INTERRUPT_GATE32: u32 = 14;
export const TYPE_TRAP_GATE32: u32 = 15;
/** A TSS descriptor's busy bit within its type. */
export const TYPE_BUSY: u32 = 2;

export function isNull(selector: u32): bool {
  return (selector & 0xfffc) == 0;
}

export function isLocal(selector: u32): bool {
  return (selector & 4) != 0;
}

/** The linear address of the descriptor, or -1 when its table has none with that index. */
function descriptorAddress(selector: u32): u64 {
  const offset = <u64>(selector & 0xfff8);
  if (!isLocal(selector)) {
    return offset + 7 > <u64>load<u32>(STATE_GDTR_LIMIT_32) ? <u64>-1 : load<u64>(STATE_GDTR_BASE) + offset;
  }
  if ((segmentAttributes(SEG_LDTR) & ATTRIBUTE_P) == 0 || offset + 7 > <u64>segmentLimit(SEG_LDTR)) return <u64>-1;
  return segmentBase(SEG_LDTR) + offset;
}

/**
 * The descriptor that `selector` names, or 0 when it lies outside its table: 0 is a descriptor of no valid type, so
 * whoever checks the type refuses both with the same exception. May fault.
 */
export function readDescriptor(selector: u32): u64 {
  const address = descriptorAddress(selector);
  return address == <u64>-1 ? 0 : systemRead(address, 8);
}

export function attributesOf(descriptor: u64): u32 {
  return <u32>(descriptor >> 40) & 0xf0ff;
}

/** The type with S: code and data segments are 16 and more. */
export function typeOf(descriptor: u64): u32 {
  return attributesOf(descriptor) & 0x1f;
}

export function dplOf(descriptor: u64): u32 {
  return <u32>(descriptor >> 45) & 3;
}

export function isPresent(descriptor: u64): bool {
  return (attributesOf(descriptor) & ATTRIBUTE_P) != 0;
}

export function isCode(descriptor: u64): bool {
  const both = ATTRIBUTE_S | ATTRIBUTE_CODE;
  return (attributesOf(descriptor) & both) == both;
}

export function isConforming(descriptor: u64): bool {
  return isCode(descriptor) && (attributesOf(descriptor) & ATTRIBUTE_CONFORMING) != 0;
}

export function isWritableData(descriptor: u64): bool {
  const all = ATTRIBUTE_S | ATTRIBUTE_CODE | ATTRIBUTE_WRITABLE;
  return (attributesOf(descriptor) & all) == (ATTRIBUTE_S | ATTRIBUTE_WRITABLE);
}

/** Data of any kind or readable code: what DS, ES, FS, GS may hold. */
export function isReadable(descriptor: u64): bool {
  const attributes = attributesOf(descriptor);
  if ((attributes & ATTRIBUTE_S) == 0) return false;
  return (attributes & ATTRIBUTE_CODE) == 0 || (attributes & ATTRIBUTE_READABLE) != 0;
}

export function baseOf(descriptor: u64): u64 {
  return ((descriptor >> 16) & 0xff_ffff) | ((descriptor >> 32) & 0xff00_0000);
}

/** In bytes, granularity applied. */
export function limitOf(descriptor: u64): u32 {
  const limit = (<u32>descriptor & 0xffff) | (<u32>(descriptor >> 32) & 0xf_0000);
  return (attributesOf(descriptor) & ATTRIBUTE_G) != 0 ? (limit << 12) | 0xfff : limit;
}

/**
 * The second half of a 16-byte system descriptor: bits 63:32 of a base or an offset, above them zeroes. All-ones, which
 * none of these is, when its table ends before. May fault.
 */
export function readUpper(selector: u32): u64 {
  const address = descriptorAddress(selector);
  const last = <u64>(selector & 0xfff8) + 15;
  const limit: u64 = isLocal(selector) ? segmentLimit(SEG_LDTR) : load<u32>(STATE_GDTR_LIMIT_32);
  return address == <u64>-1 || last > limit ? <u64>-1 : systemRead(address + 8, 8);
}

/** Whether the type field of a second half is the zero that it has to be. */
export function isUpperValid(upper: u64): bool {
  return ((upper >> 40) & 31) == 0;
}

/** Whether code with this descriptor is 64-bit code; in long mode only. */
export function is64BitCode(descriptor: u64): bool {
  return (attributesOf(descriptor) & ATTRIBUTE_L) != 0;
}

/** L and D together are reserved. */
export function isWidthValid(descriptor: u64): bool {
  const both = ATTRIBUTE_L | ATTRIBUTE_B;
  return (attributesOf(descriptor) & both) != both;
}

/** Parts of a gate. */
export function gateSelector(gate: u64): u32 {
  return <u32>(gate >> 16) & 0xffff;
}

export function gateOffset(gate: u64): u32 {
  const low = <u32>gate & 0xffff;
  return is32BitSystem(gate) ? low | (<u32>(gate >> 32) & 0xffff_0000) : low;
}

export function gateParameters(gate: u64): u32 {
  return <u32>(gate >> 32) & 31;
}

/** Whether a gate or a TSS is of the 32-bit kind. */
export function is32BitSystem(descriptor: u64): bool {
  return (typeOf(descriptor) & 8) != 0;
}

/** Sets the accessed bit in memory when it is not set yet. May fault. */
export function markAccessed(selector: u32, descriptor: u64): void {
  if ((attributesOf(descriptor) & ATTRIBUTE_ACCESSED) != 0) return;
  systemWrite(descriptorAddress(selector) + 5, 1, (descriptor >> 40) | ATTRIBUTE_ACCESSED);
}

/** Sets or clears the busy bit of a TSS descriptor in the GDT. May fault. */
export function markBusy(selector: u32, busy: bool): void {
  const address = descriptorAddress(selector) + 5;
  const access = <u32>systemRead(address, 1);
  if (!fault) systemWrite(address, 1, busy ? access | TYPE_BUSY : access & ~TYPE_BUSY);
}

/** Where a probe for the busy bit goes. */
export function accessByteAddress(selector: u32): u64 {
  return descriptorAddress(selector) + 5;
}

/** Loads the register and its hidden part; the accessed bit of the copy is set, whatever memory says. */
export function setFromDescriptor(segment: u32, selector: u32, descriptor: u64): void {
  const accessed = (attributesOf(descriptor) & ATTRIBUTE_S) != 0 ? ATTRIBUTE_ACCESSED : 0;
  setSegment(segment, selector, attributesOf(descriptor) | accessed, baseOf(descriptor), limitOf(descriptor));
}
