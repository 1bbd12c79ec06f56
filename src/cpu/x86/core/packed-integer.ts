// Packed integer arithmetic on 128-bit values; MMX uses the lower half of each, the upper one is zero
// (SDM volume 2, the instructions by name). The generator wraps these into handlers by the operands of their rows.
import { setArithmetic, CF, ZF } from './flags';

/** Both operands' lower halves in one value: what MMX's horizontal instructions work on. */
// @ts-ignore: decorator
@inline function joined(a: v128, b: v128): v128 {
  return i64x2.shuffle(a, b, 0, 2);
}
// @ts-ignore: decorator
@inline function upper(a: v128): v128 {
  return i64x2.shuffle(a, i64x2.splat(0), 1, 2);
}
// @ts-ignore: decorator
@inline function lower(a: v128): v128 {
  return i64x2.shuffle(a, i64x2.splat(0), 0, 2);
}

export function paddb(a: v128, b: v128): v128 { return i8x16.add(a, b); }
export function paddw(a: v128, b: v128): v128 { return i16x8.add(a, b); }
export function paddd(a: v128, b: v128): v128 { return i32x4.add(a, b); }
export function paddq(a: v128, b: v128): v128 { return i64x2.add(a, b); }
export function psubb(a: v128, b: v128): v128 { return i8x16.sub(a, b); }
export function psubw(a: v128, b: v128): v128 { return i16x8.sub(a, b); }
export function psubd(a: v128, b: v128): v128 { return i32x4.sub(a, b); }
export function psubq(a: v128, b: v128): v128 { return i64x2.sub(a, b); }
export function paddsb(a: v128, b: v128): v128 { return i8x16.add_sat_s(a, b); }
export function paddsw(a: v128, b: v128): v128 { return i16x8.add_sat_s(a, b); }
export function paddusb(a: v128, b: v128): v128 { return i8x16.add_sat_u(a, b); }
export function paddusw(a: v128, b: v128): v128 { return i16x8.add_sat_u(a, b); }
export function psubsb(a: v128, b: v128): v128 { return i8x16.sub_sat_s(a, b); }
export function psubsw(a: v128, b: v128): v128 { return i16x8.sub_sat_s(a, b); }
export function psubusb(a: v128, b: v128): v128 { return i8x16.sub_sat_u(a, b); }
export function psubusw(a: v128, b: v128): v128 { return i16x8.sub_sat_u(a, b); }

export function pcmpeqb(a: v128, b: v128): v128 { return i8x16.eq(a, b); }
export function pcmpeqw(a: v128, b: v128): v128 { return i16x8.eq(a, b); }
export function pcmpeqd(a: v128, b: v128): v128 { return i32x4.eq(a, b); }
export function pcmpeqq(a: v128, b: v128): v128 { return i64x2.eq(a, b); }
export function pcmpgtb(a: v128, b: v128): v128 { return i8x16.gt_s(a, b); }
export function pcmpgtw(a: v128, b: v128): v128 { return i16x8.gt_s(a, b); }
export function pcmpgtd(a: v128, b: v128): v128 { return i32x4.gt_s(a, b); }
export function pcmpgtq(a: v128, b: v128): v128 { return i64x2.gt_s(a, b); }

export function pminub(a: v128, b: v128): v128 { return i8x16.min_u(a, b); }
export function pmaxub(a: v128, b: v128): v128 { return i8x16.max_u(a, b); }
export function pminsw(a: v128, b: v128): v128 { return i16x8.min_s(a, b); }
export function pmaxsw(a: v128, b: v128): v128 { return i16x8.max_s(a, b); }
export function pminsb(a: v128, b: v128): v128 { return i8x16.min_s(a, b); }
export function pmaxsb(a: v128, b: v128): v128 { return i8x16.max_s(a, b); }
export function pminuw(a: v128, b: v128): v128 { return i16x8.min_u(a, b); }
export function pmaxuw(a: v128, b: v128): v128 { return i16x8.max_u(a, b); }
export function pminsd(a: v128, b: v128): v128 { return i32x4.min_s(a, b); }
export function pmaxsd(a: v128, b: v128): v128 { return i32x4.max_s(a, b); }
export function pminud(a: v128, b: v128): v128 { return i32x4.min_u(a, b); }
export function pmaxud(a: v128, b: v128): v128 { return i32x4.max_u(a, b); }
export function pavgb(a: v128, b: v128): v128 { return i8x16.avgr_u(a, b); }
export function pavgw(a: v128, b: v128): v128 { return i16x8.avgr_u(a, b); }

export function pabsb(b: v128): v128 { return i8x16.abs(b); }
export function pabsw(b: v128): v128 { return i16x8.abs(b); }
export function pabsd(b: v128): v128 { return i32x4.abs(b); }

export function pand(a: v128, b: v128): v128 { return v128.and(a, b); }
export function pandn(a: v128, b: v128): v128 { return v128.andnot(b, a); }
export function por(a: v128, b: v128): v128 { return v128.or(a, b); }
export function pxor(a: v128, b: v128): v128 { return v128.xor(a, b); }

// ---------------------------------------------------------------------------------------------------------------------
// Products

export function pmullw(a: v128, b: v128): v128 { return i16x8.mul(a, b); }
export function pmulld(a: v128, b: v128): v128 { return i32x4.mul(a, b); }
export function pmaddwd(a: v128, b: v128): v128 { return i32x4.dot_i16x8_s(a, b); }

/** The upper halves of eight products of words. */
// @ts-ignore: decorator
@inline function upperWords(low: v128, high: v128): v128 {
  return i16x8.shuffle(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
}

export function pmulhw(a: v128, b: v128): v128 {
  return upperWords(i32x4.extmul_low_i16x8_s(a, b), i32x4.extmul_high_i16x8_s(a, b));
}

export function pmulhuw(a: v128, b: v128): v128 {
  return upperWords(i32x4.extmul_low_i16x8_u(a, b), i32x4.extmul_high_i16x8_u(a, b));
}

/** (a * b + 4000h) >> 15, which does not saturate: 8000h * 8000h is 8000h. */
export function pmulhrsw(a: v128, b: v128): v128 {
  const half = i32x4.splat(0x4000);
  const low = i32x4.shl(i32x4.add(i32x4.extmul_low_i16x8_s(a, b), half), 1);
  const high = i32x4.shl(i32x4.add(i32x4.extmul_high_i16x8_s(a, b), half), 1);
  return upperWords(low, high);
}

/** The even doublewords. */
// @ts-ignore: decorator
@inline function evens(a: v128): v128 {
  return i32x4.shuffle(a, a, 0, 2, 0, 2);
}

export function pmuludq(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(evens(a), evens(b));
}

export function pmuldq(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_s(evens(a), evens(b));
}

/** Unsigned bytes of A by signed bytes of B, neighbours added with saturation. */
export function pmaddubsw(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** Sums of absolute differences of eight bytes each. */
export function psadbw(a: v128, b: v128): v128 {
  const difference = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
  const pairs = i16x8.extadd_pairwise_i8x16_u(difference);
  const fours = i32x4.extadd_pairwise_i16x8_u(pairs);
  return i64x2.add(v128.and(fours, i64x2.splat(0xffff)), i64x2.shr_u(fours, 32));
}

/** Sums of absolute differences of four bytes, at eight places. */
export function mpsadbw(a: v128, b: v128, immediate: u32): v128 {
  v128.store(SCRATCH, a);
  v128.store(SCRATCH + 16, b);
  const from = SCRATCH + (immediate & 4);
  const with_ = SCRATCH + 16 + ((immediate & 3) << 2);
  for (let place: usize = 0; place < 8; place++) {
    let sum: i32 = 0;
    for (let index: usize = 0; index < 4; index++) {
      sum += abs<i32>(<i32>load<u8>(from + place + index) - <i32>load<u8>(with_ + index));
    }
    store<u16>(SCRATCH + 32 + (place << 1), <u16>sum);
  }
  return v128.load(SCRATCH + 32);
}
const SCRATCH: usize = memory.data(64, 16);

/** The smallest word and its place. */
export function phminposuw(b: v128): v128 {
  v128.store(SCRATCH, b);
  let least: u32 = 0x1_0000;
  let place: u32 = 0;
  for (let index: u32 = 0; index < 8; index++) {
    const word: u32 = load<u16>(SCRATCH + (index << 1));
    if (word < least) {
      least = word;
      place = index;
    }
  }
  return i32x4.replace_lane(i64x2.splat(0), 0, least | (place << 16));
}

// ---------------------------------------------------------------------------------------------------------------------
// Shifts: the count is the lower half of B, and may be anything

// @ts-ignore: decorator
@inline function countOf(b: v128): u64 {
  return <u64>i64x2.extract_lane(b, 0);
}

export function psllw(a: v128, b: v128): v128 {
  return countOf(b) > 15 ? i64x2.splat(0) : i16x8.shl(a, <i32>countOf(b));
}
export function pslld(a: v128, b: v128): v128 {
  return countOf(b) > 31 ? i64x2.splat(0) : i32x4.shl(a, <i32>countOf(b));
}
export function psllq(a: v128, b: v128): v128 {
  return countOf(b) > 63 ? i64x2.splat(0) : i64x2.shl(a, <i32>countOf(b));
}
export function psrlw(a: v128, b: v128): v128 {
  return countOf(b) > 15 ? i64x2.splat(0) : i16x8.shr_u(a, <i32>countOf(b));
}
export function psrld(a: v128, b: v128): v128 {
  return countOf(b) > 31 ? i64x2.splat(0) : i32x4.shr_u(a, <i32>countOf(b));
}
export function psrlq(a: v128, b: v128): v128 {
  return countOf(b) > 63 ? i64x2.splat(0) : i64x2.shr_u(a, <i32>countOf(b));
}
export function psraw(a: v128, b: v128): v128 {
  return i16x8.shr_s(a, <i32>min<u64>(countOf(b), 15));
}
export function psrad(a: v128, b: v128): v128 {
  return i32x4.shr_s(a, <i32>min<u64>(countOf(b), 31));
}

/** By bytes: a window of 16 over the value between zeroes. */
function window(low: v128, high: v128, from: u32): v128 {
  v128.store(SCRATCH, low);
  v128.store(SCRATCH + 16, high);
  v128.store(SCRATCH + 32, i64x2.splat(0));
  return v128.load(SCRATCH + min<u32>(from, 32));
}

export function psrldq(a: v128, b: v128): v128 {
  return window(a, i64x2.splat(0), <u32>min<u64>(countOf(b), 16));
}

export function pslldq(a: v128, b: v128): v128 {
  return window(i64x2.splat(0), a, 16 - <u32>min<u64>(countOf(b), 16));
}

export function palignr(a: v128, b: v128, immediate: u32): v128 {
  return window(b, a, immediate);
}

export function palignrMmx(a: v128, b: v128, immediate: u32): v128 {
  return lower(window(joined(b, a), i64x2.splat(0), immediate));
}

// ---------------------------------------------------------------------------------------------------------------------
// Horizontal sums

// @ts-ignore: decorator
@inline function evenWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
// @ts-ignore: decorator
@inline function oddWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}
// @ts-ignore: decorator
@inline function evenDoublewords(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 2, 4, 6);
}
// @ts-ignore: decorator
@inline function oddDoublewords(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 1, 3, 5, 7);
}

export function phaddw(a: v128, b: v128): v128 { return i16x8.add(evenWords(a, b), oddWords(a, b)); }
export function phaddd(a: v128, b: v128): v128 { return i32x4.add(evenDoublewords(a, b), oddDoublewords(a, b)); }
export function phaddsw(a: v128, b: v128): v128 { return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b)); }
export function phsubw(a: v128, b: v128): v128 { return i16x8.sub(evenWords(a, b), oddWords(a, b)); }
export function phsubd(a: v128, b: v128): v128 { return i32x4.sub(evenDoublewords(a, b), oddDoublewords(a, b)); }
export function phsubsw(a: v128, b: v128): v128 { return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b)); }
export function phaddwMmx(a: v128, b: v128): v128 { return lower(phaddw(joined(a, b), a)); }
export function phadddMmx(a: v128, b: v128): v128 { return lower(phaddd(joined(a, b), a)); }
export function phaddswMmx(a: v128, b: v128): v128 { return lower(phaddsw(joined(a, b), a)); }
export function phsubwMmx(a: v128, b: v128): v128 { return lower(phsubw(joined(a, b), a)); }
export function phsubdMmx(a: v128, b: v128): v128 { return lower(phsubd(joined(a, b), a)); }
export function phsubswMmx(a: v128, b: v128): v128 { return lower(phsubsw(joined(a, b), a)); }

/** A, negated where B is negative, 0 where B is 0. */
export function psignb(a: v128, b: v128): v128 {
  const signs = i8x16.shr_s(b, 7);
  const changed = i8x16.sub(v128.xor(a, signs), signs);
  return v128.andnot(changed, i8x16.eq(b, i64x2.splat(0)));
}
export function psignw(a: v128, b: v128): v128 {
  const signs = i16x8.shr_s(b, 15);
  const changed = i16x8.sub(v128.xor(a, signs), signs);
  return v128.andnot(changed, i16x8.eq(b, i64x2.splat(0)));
}
export function psignd(a: v128, b: v128): v128 {
  const signs = i32x4.shr_s(b, 31);
  const changed = i32x4.sub(v128.xor(a, signs), signs);
  return v128.andnot(changed, i32x4.eq(b, i64x2.splat(0)));
}

// ---------------------------------------------------------------------------------------------------------------------
// Narrower and wider

export function packsswb(a: v128, b: v128): v128 { return i8x16.narrow_i16x8_s(a, b); }
export function packuswb(a: v128, b: v128): v128 { return i8x16.narrow_i16x8_u(a, b); }
export function packssdw(a: v128, b: v128): v128 { return i16x8.narrow_i32x4_s(a, b); }
export function packusdw(a: v128, b: v128): v128 { return i16x8.narrow_i32x4_u(a, b); }
export function packsswbMmx(a: v128, b: v128): v128 { return lower(packsswb(joined(a, b), a)); }
export function packuswbMmx(a: v128, b: v128): v128 { return lower(packuswb(joined(a, b), a)); }
export function packssdwMmx(a: v128, b: v128): v128 { return lower(packssdw(joined(a, b), a)); }

export function punpcklbw(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
export function punpckhbw(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
export function punpcklwd(a: v128, b: v128): v128 { return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
export function punpckhwd(a: v128, b: v128): v128 { return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
export function punpckldq(a: v128, b: v128): v128 { return i32x4.shuffle(a, b, 0, 4, 1, 5); }
export function punpckhdq(a: v128, b: v128): v128 { return i32x4.shuffle(a, b, 2, 6, 3, 7); }
export function punpcklqdq(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 0, 2); }
export function punpckhqdq(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 1, 3); }
/** The upper half of an interleaving of 8 bytes is the upper half of the lower interleaving of 16. */
export function punpckhbwMmx(a: v128, b: v128): v128 { return upper(punpcklbw(a, b)); }
export function punpckhwdMmx(a: v128, b: v128): v128 { return upper(punpcklwd(a, b)); }
export function punpckhdqMmx(a: v128, b: v128): v128 { return upper(punpckldq(a, b)); }

export function pmovsxbw(b: v128): v128 { return i16x8.extend_low_i8x16_s(b); }
export function pmovsxbd(b: v128): v128 { return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b)); }
export function pmovsxbq(b: v128): v128 { return i64x2.extend_low_i32x4_s(pmovsxbd(b)); }
export function pmovsxwd(b: v128): v128 { return i32x4.extend_low_i16x8_s(b); }
export function pmovsxwq(b: v128): v128 { return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(b)); }
export function pmovsxdq(b: v128): v128 { return i64x2.extend_low_i32x4_s(b); }
export function pmovzxbw(b: v128): v128 { return i16x8.extend_low_i8x16_u(b); }
export function pmovzxbd(b: v128): v128 { return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b)); }
export function pmovzxbq(b: v128): v128 { return i64x2.extend_low_i32x4_u(pmovzxbd(b)); }
export function pmovzxwd(b: v128): v128 { return i32x4.extend_low_i16x8_u(b); }
export function pmovzxwq(b: v128): v128 { return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(b)); }
export function pmovzxdq(b: v128): v128 { return i64x2.extend_low_i32x4_u(b); }

// ---------------------------------------------------------------------------------------------------------------------
// Moving elements about

export function vectorMove(b: v128): v128 { return b; }
export function mergeSingle(a: v128, b: v128): v128 { return i32x4.shuffle(a, b, 4, 1, 2, 3); }
export function mergeDouble(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 2, 1); }
export function movhlps(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 3, 1); }
export function upperHalf(b: v128): v128 { return upper(b); }
export function lowerHalf(b: v128): v128 { return lower(b); }
export function movq2dq(b: v128): v128 { return b; }
export function movdq2q(b: v128): v128 { return b; }
export function movsldup(b: v128): v128 { return i32x4.shuffle(b, b, 0, 0, 2, 2); }
export function movshdup(b: v128): v128 { return i32x4.shuffle(b, b, 1, 1, 3, 3); }
export function movddup(b: v128): v128 { return i64x2.shuffle(b, b, 0, 0); }

/** A byte of B picks one of A, or nothing when its highest bit is set. SWIZZLE gives 0 for indices over 15. */
export function pshufb(a: v128, b: v128): v128 {
  return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x8f)));
}
export function pshufbMmx(a: v128, b: v128): v128 {
  return i8x16.swizzle(a, v128.or(v128.and(b, i8x16.splat(<i8>0x87)), i64x2(0, -1)));
}

/** Byte indices for an element picked by two bits. */
// @ts-ignore: decorator
@inline function doublewordIndex(immediate: u32, at: u32): i32 {
  return ((immediate >> at) & 3) * 0x0404_0404 + 0x0302_0100;
}
function doublewordIndices(immediate: u32): v128 {
  let indices = i32x4.splat(doublewordIndex(immediate, 0));
  indices = i32x4.replace_lane(indices, 1, doublewordIndex(immediate, 2));
  indices = i32x4.replace_lane(indices, 2, doublewordIndex(immediate, 4));
  return i32x4.replace_lane(indices, 3, doublewordIndex(immediate, 6));
}
function wordIndices(immediate: u32): u64 {
  let indices: u64 = 0;
  for (let lane: u32 = 0; lane < 4; lane++) {
    indices |= <u64>(((immediate >> (lane << 1)) & 3) * 0x0202 + 0x0100) << (lane << 4);
  }
  return indices;
}
const UPPER_WORDS: u64 = 0x0f0e_0d0c_0b0a_0908;
const LOWER_WORDS: u64 = 0x0706_0504_0302_0100;

export function pshufd(b: v128, immediate: u32): v128 {
  return i8x16.swizzle(b, doublewordIndices(immediate));
}
export function pshuflw(b: v128, immediate: u32): v128 {
  return i8x16.swizzle(b, i64x2.replace_lane(i64x2.splat(UPPER_WORDS), 0, wordIndices(immediate)));
}
export function pshufhw(b: v128, immediate: u32): v128 {
  const indices = wordIndices(immediate) + 0x0808_0808_0808_0808;
  return i8x16.swizzle(b, i64x2.replace_lane(i64x2.splat(LOWER_WORDS), 1, indices));
}
export function shufps(a: v128, b: v128, immediate: u32): v128 {
  const indices = doublewordIndices(immediate);
  return i64x2.shuffle(i8x16.swizzle(a, indices), i8x16.swizzle(b, indices), 0, 3);
}
export function shufpd(a: v128, b: v128, immediate: u32): v128 {
  const low = (immediate & 1) != 0 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
  const high = (immediate & 2) != 0 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

/** Lanes of B where bits of the immediate are set: its bits spread over `step` bytes each. */
function blend(a: v128, b: v128, immediate: u32, step: u32): v128 {
  v128.store(SCRATCH, a);
  v128.store(SCRATCH + 16, b);
  for (let at: u32 = 0; at < 16; at += step) {
    if (((immediate >> (at / step)) & 1) != 0) memory.copy(SCRATCH + at, SCRATCH + 16 + at, step);
  }
  return v128.load(SCRATCH);
}
export function pblendw(a: v128, b: v128, immediate: u32): v128 { return blend(a, b, immediate, 2); }
export function blendps(a: v128, b: v128, immediate: u32): v128 { return blend(a, b, immediate, 4); }
export function blendpd(a: v128, b: v128, immediate: u32): v128 { return blend(a, b, immediate, 8); }

export function insertps(a: v128, b: v128, immediate: u32): v128 {
  v128.store(SCRATCH, b);
  return insertSingle(a, load<u32>(SCRATCH + ((immediate >> 6) << 2)), immediate);
}
/** From memory there is one element to pick. */
export function insertpsMemory(a: v128, b: v128, immediate: u32): v128 {
  return insertSingle(a, i32x4.extract_lane(b, 0), immediate);
}
function insertSingle(a: v128, value: u32, immediate: u32): v128 {
  v128.store(SCRATCH, a);
  store<u32>(SCRATCH + (((immediate >> 4) & 3) << 2), value);
  for (let lane: u32 = 0; lane < 4; lane++) {
    if (((immediate >> lane) & 1) != 0) store<u32>(SCRATCH + (lane << 2), 0);
  }
  return v128.load(SCRATCH);
}

export function pinsrb(a: v128, value: u64, immediate: u32): v128 {
  v128.store(SCRATCH, a);
  store<u8>(SCRATCH + (immediate & 15), <u8>value);
  return v128.load(SCRATCH);
}
export function pinsrw(a: v128, value: u64, immediate: u32): v128 {
  v128.store(SCRATCH, a);
  store<u16>(SCRATCH + ((immediate & 7) << 1), <u16>value);
  return v128.load(SCRATCH);
}

export function pextrw(b: v128, immediate: u32): u32 {
  v128.store(SCRATCH, b);
  return load<u16>(SCRATCH + ((immediate & 7) << 1));
}
export function pextrwMmx(b: v128, immediate: u32): u32 {
  v128.store(SCRATCH, b);
  return load<u16>(SCRATCH + ((immediate & 3) << 1));
}

export function pmovmskb(b: v128): u32 { return i8x16.bitmask(b); }
export function movmskps(b: v128): u32 { return i32x4.bitmask(b); }
export function movmskpd(b: v128): u32 { return i64x2.bitmask(b); }

export function ptest(a: v128, b: v128): void {
  const zero = !v128.any_true(v128.and(a, b));
  const carry = !v128.any_true(v128.andnot(b, a));
  setArithmetic((zero ? ZF : 0) | (carry ? CF : 0));
}

// ---------------------------------------------------------------------------------------------------------------------
// Carry-less multiplication

export function pclmulqdq(a: v128, b: v128, immediate: u32): v128 {
  let x: u64 = (immediate & 1) != 0 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
  const y: u64 = (immediate & 16) != 0 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
  let low: u64 = 0;
  let high: u64 = 0;
  while (x != 0) {
    const bit = ctz(x);
    low ^= y << bit;
    if (bit != 0) high ^= y >> (64 - bit);
    x &= x - 1;
  }
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}
