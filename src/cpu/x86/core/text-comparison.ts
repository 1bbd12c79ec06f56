// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: comparisons of strings of bytes or words (SDM volume 1, section 12.10;
// volume 2, section 4.1). The immediate says:
//
//     bits 1:0  unsigned bytes, unsigned words, signed bytes, signed words
//     bits 3:2  any of a set, ranges, each with its equal, a substring
//     bits 5:4  bit 4: negate, but with bit 5 only where the second string is
//     bit 6     the highest index rather than the lowest; a mask of elements rather than of bits
import { REG_RAX, REG_RCX, REG_RDX } from './generated/layout';
import { fault } from './fault';
import { CF, OF, setArithmetic, SF, ZF } from './flags';
import { register, setReg32, signExtend } from './state';
import { uopImmediate, uopReg, uopSize } from './uop';
import { maySse, setXmm, source16, xmm } from './vector-register';

const FIRST: usize = memory.data(16, 16);
const SECOND: usize = memory.data(16, 16);

// What the instruction being executed is told by its immediate and its operands.
let words: bool = false;
let signed: bool = false;
let count: u32 = 16;
let firstLength: u32 = 0;
let secondLength: u32 = 0;

function element(string: usize, index: u32): i32 {
  if (words) {
    return signed ? <i32>load<i16>(string + (index << 1)) : <i32>load<u16>(string + (index << 1));
  }
  return signed ? <i32>load<i8>(string + index) : <i32>load<u8>(string + index);
}

/** Up to the first zero. */
function implicitLength(string: usize): u32 {
  let length: u32 = 0;
  while (length < count && element(string, length) != 0) length++;
  return length;
}

/** From EAX or EDX: the magnitude, at most a whole vector. */
function explicitLength(offset: u32, size: u32): u32 {
  const value = signExtend(register(offset, size), size);
  if (value <= -16 || value >= 16) return count;
  return min<u32>(<u32>(value < 0 ? -value : value), count);
}

function isAny(place: u32): bool {
  if (place >= secondLength) return false;
  for (let index: u32 = 0; index < firstLength; index++) {
    if (element(FIRST, index) == element(SECOND, place)) return true;
  }
  return false;
}

function isInRange(place: u32): bool {
  if (place >= secondLength) return false;
  const value = element(SECOND, place);
  for (let index: u32 = 0; index + 1 < firstLength; index += 2) {
    if (element(FIRST, index) <= value && value <= element(FIRST, index + 1)) return true;
  }
  return false;
}

function isEqual(place: u32): bool {
  const inFirst = place < firstLength;
  if (inFirst != place < secondLength) return false;
  return !inFirst || element(FIRST, place) == element(SECOND, place);
}

function isSubstring(place: u32): bool {
  for (let index: u32 = 0; index < firstLength && place + index < count; index++) {
    if (place + index >= secondLength || element(FIRST, index) != element(SECOND, place + index)) return false;
  }
  return true;
}

function holds(aggregation: u32, place: u32): bool {
  if (aggregation == 0) return isAny(place);
  if (aggregation == 1) return isInRange(place);
  return aggregation == 2 ? isEqual(place) : isSubstring(place);
}

/** A bit for each element of the second string. Sets the flags. */
function compareStrings(immediate: u32): u32 {
  let bits: u32 = 0;
  for (let place: u32 = 0; place < count; place++) bits |= u32(holds((immediate >> 2) & 3, place)) << place;
  const all: u32 = (1 << count) - 1;
  if ((immediate & 0x10) != 0) bits ^= (immediate & 0x20) != 0 ? (1 << secondLength) - 1 : all;
  setArithmetic(
    (bits != 0 ? CF : 0) |
      (secondLength < count ? ZF : 0) |
      (firstLength < count ? SF : 0) |
      ((bits & 1) != 0 ? OF : 0),
  );
  return bits;
}

function prepare(u: usize, explicit: bool): bool {
  if (!maySse()) return false;
  const second = source16(u);
  if (fault) return false;
  v128.store(FIRST, xmm(uopReg(u)));
  v128.store(SECOND, second);
  const immediate = <u32>uopImmediate(u);
  words = (immediate & 1) != 0;
  signed = (immediate & 2) != 0;
  count = words ? 8 : 16;
  const size = max<u32>(uopSize(u), 4);
  firstLength = explicit ? explicitLength(REG_RAX, size) : implicitLength(FIRST);
  secondLength = explicit ? explicitLength(REG_RDX, size) : implicitLength(SECOND);
  return true;
}

function giveIndex(u: usize, explicit: bool): void {
  if (!prepare(u, explicit)) return;
  const immediate = <u32>uopImmediate(u);
  const bits = compareStrings(immediate);
  if (bits == 0) setReg32(REG_RCX, count);
  else setReg32(REG_RCX, (immediate & 0x40) != 0 ? 31 - clz<u32>(bits) : ctz<u32>(bits));
}

function giveMask(u: usize, explicit: bool): void {
  if (!prepare(u, explicit)) return;
  const immediate = <u32>uopImmediate(u);
  const bits = compareStrings(immediate);
  if ((immediate & 0x40) == 0) return setXmm(0, i32x4.replace_lane(i64x2.splat(0), 0, bits));
  for (let place: u32 = 0; place < 16; place++) {
    const at = words ? place >> 1 : place;
    store<u8>(FIRST + place, ((bits >> at) & 1) != 0 ? 0xff : 0);
  }
  setXmm(0, v128.load(FIRST));
}

export function pcmpestri(u: usize): void {
  giveIndex(u, true);
}
export function pcmpistri(u: usize): void {
  giveIndex(u, false);
}
export function pcmpestrm(u: usize): void {
  giveMask(u, true);
}
export function pcmpistrm(u: usize): void {
  giveMask(u, false);
}
