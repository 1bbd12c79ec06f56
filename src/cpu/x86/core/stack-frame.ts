/**
 * A stack that a far transfer fills or empties: the current one, or an inner one that becomes the current one only when
 * nothing can fault any more. Until `commitFrame` neither SS nor rSP has changed.
 */
import { REG_RSP, SEG_SS } from './generated/layout';
import { readAs, writeAs } from './access';
import { ATTRIBUTE_B, attributesOf, baseOf, limitOf } from './descriptor';
import { fault, raiseError, VECTOR_SS } from './fault';
import { userAt } from './privilege';
import { withinLimit } from './segment';
import { cpl, reg32, segmentAttributes, segmentBase, segmentLimit, setReg16, setReg32 } from './state';

let base: u64 = 0;
let limit: u32 = 0;
let attributes: u32 = 0;
let pointer: u32 = 0;
let user: u32 = 0;

function mask(): u32 {
  return (attributes & ATTRIBUTE_B) != 0 ? 0xffff_ffff : 0xffff;
}

/** The stack in use. */
export function openFrame(): void {
  base = segmentBase(SEG_SS);
  limit = segmentLimit(SEG_SS);
  attributes = segmentAttributes(SEG_SS);
  pointer = reg32(REG_RSP);
  user = userAt(cpl());
}

/** The stack of privilege `level`, described by `descriptor`. */
export function openFrameAt(descriptor: u64, stackPointer: u32, level: u32): void {
  base = baseOf(descriptor);
  limit = limitOf(descriptor);
  attributes = attributesOf(descriptor);
  pointer = stackPointer;
  user = userAt(level);
}

/** Whether `count` pushes of `size` bytes stay within the segment. */
export function frameHasRoom(count: u32, size: u32): bool {
  for (let index: u32 = 1; index <= count; index++) {
    if (!withinLimit(attributes, limit, (pointer - index * size) & mask(), size)) return false;
  }
  return true;
}

/** Whether `count` pops of `size` bytes, `skip` bytes up, stay within the segment. */
export function frameHolds(count: u32, size: u32, skip: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (!withinLimit(attributes, limit, (pointer + skip + index * size) & mask(), size)) return false;
  }
  return true;
}

function at(offset: u32): u64 {
  return (base + <u64>(offset & mask())) & 0xffff_ffff;
}

/** Pushes; the room has been checked. May fault by paging. */
export function framePush(size: u32, value: u32): void {
  if (fault) return;
  writeAs(at(pointer - size), size, value, user);
  if (!fault) pointer = (pointer & ~mask()) | ((pointer - size) & mask());
}

/** Pops `size` bytes; #SS(0) outside the segment. */
export function framePop(size: u32): u32 {
  const value = framePeek(0, size);
  frameSkip(size);
  return value;
}

/** Reads what `skip` bytes up is. */
export function framePeek(skip: u32, size: u32): u32 {
  if (fault) return 0;
  if (!withinLimit(attributes, limit, (pointer + skip) & mask(), size)) {
    raiseError(VECTOR_SS, 0);
    return 0;
  }
  return <u32>readAs(at(pointer + skip), size, user);
}

export function frameSkip(bytes: u32): void {
  pointer = (pointer & ~mask()) | ((pointer + bytes) & mask());
}

/** Sets rSP. SS has been loaded by now, when it changes at all. */
export function commitFrame(): void {
  if ((attributes & ATTRIBUTE_B) != 0) setReg32(REG_RSP, pointer);
  else setReg16(REG_RSP, pointer);
}
