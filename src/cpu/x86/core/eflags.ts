/** Which bits of EFLAGS exist here, and which ones who may change (SDM volume 2, POPF, table 4-15; IRET). */
import { AC, ARITHMETIC, DF, ID, IF, IOPL, materialize, NT, RF, setFlags, TF, VM } from './flags';
import { cpl } from './state';
import { iopl, isV86 } from './privilege';

/** VIF and VIP are not there: virtual-8086 mode extensions are not offered. */
export const SUPPORTED_FLAGS: u32 = ARITHMETIC | TF | IF | DF | IOPL | NT | RF | VM | AC | ID;

/** What any code may change, given an operand of 32 bits; of 16 it is the low half. */
const COMMON: u32 = ARITHMETIC | TF | DF | NT | AC | ID;

/** The bits that POPF and IRET may change at the present privilege and `size`. */
export function changeable(size: u32): u32 {
  let bits = COMMON;
  if (isV86()) bits |= IF;
  else {
    if (cpl() <= iopl()) bits |= IF;
    if (cpl() == 0) bits |= IOPL;
  }
  return size == 2 ? bits & 0xffff : bits;
}

/** The bits that IRET may change: RF too, which then holds off instruction breakpoints for one instruction. */
export function restorable(size: u32): u32 {
  return size == 2 ? changeable(size) : changeable(size) | RF;
}

/** Takes the bits of `mask` from `image`; RF does not stay. */
export function replaceFlags(image: u32, mask: u32): void {
  setFlags((materialize() & ~mask & ~RF) | (image & mask));
}
