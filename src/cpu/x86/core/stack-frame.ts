/**
 * A stack that a far transfer fills or empties: the current one, or an inner one that becomes the current one only when
 * nothing can fault any more. Until `commitFrame` neither SS nor rSP has changed.
 */
import { REG_RSP, SEG_SS } from './generated/layout';
import { readAs, writeAs } from './access';
import { ATTRIBUTE_B, attributesOf, baseOf, limitOf } from './descriptor';
import { fault, raiseError, VECTOR_SS } from './fault';
import { isCode64, userAt } from './privilege';
import { withinLimit } from './segment';
import {
  cpl,
  isCanonical,
  reg64,
  segmentAttributes,
  segmentBase,
  segmentLimit,
  setReg16,
  setReg32,
  setReg64,
} from './state';

let base: u64 = 0;
let limit: u32 = 0;
let attributes: u32 = 0;
let pointer: u64 = 0;
let user: u32 = 0;
/** The stack of 64-bit code: no segment. */
let wide: bool = false;

function mask(): u64 {
  if (wide) return <u64>-1;
  return (attributes & ATTRIBUTE_B) != 0 ? 0xffff_ffff : 0xffff;
}

/** The stack in use. */
export function openFrame(): void {
  base = segmentBase(SEG_SS);
  limit = segmentLimit(SEG_SS);
  attributes = segmentAttributes(SEG_SS);
  pointer = reg64(REG_RSP);
  user = userAt(cpl());
  wide = isCode64();
}

/** The stack of privilege `level`, described by `descriptor`. */
export function openFrameAt(descriptor: u64, stackPointer: u64, level: u32): void {
  base = baseOf(descriptor);
  limit = limitOf(descriptor);
  attributes = attributesOf(descriptor);
  pointer = stackPointer;
  user = userAt(level);
  wide = false;
}

/** A stack of 64-bit code at privilege `level`. */
export function openWideFrame(stackPointer: u64, level: u32): void {
  pointer = stackPointer;
  user = userAt(level);
  wide = true;
}

/** As 64-bit interrupts and calls through gates use the stack in use: whatever the code that is running is. */
export function widenFrame(): void {
  wide = true;
}

/** 64-bit interrupts begin at a multiple of 16 (SDM volume 3, section 6.14.2). */
export function alignFrame(): void {
  pointer &= ~(<u64>15);
}

function fits(offset: u64, size: u32): bool {
  const at = offset & mask();
  return wide ? isCanonical(at) && isCanonical(at + size - 1) : withinLimit(attributes, limit, at, size);
}

/** Whether `count` pushes of `size` bytes stay within the segment. */
export function frameHasRoom(count: u32, size: u32): bool {
  for (let index: u32 = 1; index <= count; index++) {
    if (!fits(pointer - index * size, size)) return false;
  }
  return true;
}

/** Whether `count` pops of `size` bytes, `skip` bytes up, stay within the segment. */
export function frameHolds(count: u32, size: u32, skip: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!fits(pointer + skip + index * size, size)) return false;
  }
  return true;
}

function at(offset: u64): u64 {
  return wide ? offset : (base + (offset & mask())) & 0xffff_ffff;
}

/** Pushes; the room has been checked. May fault by paging. */
export function framePush(size: u32, value: u64): void {
  if (fault) return;
  writeAs(at(pointer - size), size, value, user);
  if (!fault) pointer = (pointer & ~mask()) | ((pointer - size) & mask());
}

/** Pops `size` bytes; #SS(0) outside the segment. */
export function framePop(size: u32): u64 {
  const value = framePeek(0, size);
  frameSkip(size);
  return value;
}

/** Reads what `skip` bytes up is. */
export function framePeek(skip: u32, size: u32): u64 {
  if (fault) return 0;
  if (!fits(pointer + skip, size)) {
    raiseError(VECTOR_SS, 0);
    return 0;
  }
  return readAs(at(pointer + skip), size, user);
}

export function frameSkip(bytes: u32): void {
  pointer = (pointer & ~mask()) | ((pointer + bytes) & mask());
}

/** Sets rSP. SS has been loaded by now, when it changes at all. */
export function commitFrame(): void {
  if (wide) setReg64(REG_RSP, pointer);
  else if ((attributes & ATTRIBUTE_B) != 0) setReg32(REG_RSP, <u32>pointer);
  else setReg16(REG_RSP, <u32>pointer);
}
