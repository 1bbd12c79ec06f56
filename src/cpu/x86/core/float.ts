// Floating-point arithmetic in software, for x87 and for SSE away from its fast path. Whatever its format, a number is
// taken apart into a sign, an exponent and a significand of 64 bits with its highest bit set (every number of 32, 64
// and 80 bits fits exactly), the operation is done with 128 bits, and `round` brings the result back to the precision
// and the range of the destination (SDM volume 1, sections 4.8 and 4.9; IEEE 754).
//
//     value = (-1)^sign * significand / 2^63 * 2^exponent
//
// Operands are A and B, the result OUT; all are globals, since WebAssembly functions of AssemblyScript return one value.

/** Exceptions, at the bits where the x87 status word and MXCSR have them. */
export const INVALID: u32 = 0x01;
export const DENORMAL: u32 = 0x02;
export const ZERO_DIVIDE: u32 = 0x04;
export const OVERFLOW: u32 = 0x08;
export const UNDERFLOW: u32 = 0x10;
export const INEXACT: u32 = 0x20;

/** What an operand is. */
export const ZERO: u32 = 0;
export const FINITE: u32 = 1;
export const INFINITE: u32 = 2;
export const QUIET: u32 = 3;
export const SIGNALING: u32 = 4;
/** An 80-bit pattern that has had no meaning since the 387: pseudo-NaN, pseudo-infinity, unnormal. */
export const UNSUPPORTED: u32 = 5;

/** Rounding modes as the control word and MXCSR number them. */
export const NEAREST: u32 = 0;
export const DOWN: u32 = 1;
export const UP: u32 = 2;
export const TRUNCATE: u32 = 3;

/** The exponent of infinities and NaNs. */
export const EXPONENT_SPECIAL: i32 = 16384;
const TOP: u64 = 0x8000_0000_0000_0000;
const QUIET_BIT: u64 = 0x4000_0000_0000_0000;
/** What the exponent is changed by when overflow or underflow is not masked (SDM volume 1, section 4.9.1.4). */
const EXPONENT_WRAP: i32 = 24576;

// The environment of an operation.
export let rounding: u32 = NEAREST;
let precision: u32 = 64;
let minExponent: i32 = -16382;
let maxExponent: i32 = 16383;
export let unmasked: u32 = 0;
/** MXCSR.FTZ and DAZ. */
let flushToZero: bool = false;
export let denormalsAreZero: bool = false;
/** NaNs propagate by SSE's rule (the first operand wins), not by x87's (the larger significand wins). */
let sse: bool = false;
/** An unmasked overflow or underflow gives a result with the exponent wrapped (x87 registers). */
let wraps: bool = true;

// What the operation has to say besides its result.
export let flags: u32 = 0;
/** The result is larger in magnitude than the exact one: C1. */
export let roundedUp: u32 = 0;

export let aKind: u32 = 0;
export let aSign: u32 = 0;
export let aExponent: i32 = 0;
export let aSignificand: u64 = 0;
export let aDenormal: bool = false;

export let bKind: u32 = 0;
export let bSign: u32 = 0;
export let bExponent: i32 = 0;
export let bSignificand: u64 = 0;
export let bDenormal: bool = false;

export let outSign: u32 = 0;
export let outExponent: i32 = 0;
export let outSignificand: u64 = 0;

/** Starts an operation whose result goes to an x87 register, rounded to `bits` of significand. */
export function beginExtended(mode: u32, unmaskedExceptions: u32, bits: u32): void {
  rounding = mode;
  unmasked = unmaskedExceptions;
  precision = bits;
  minExponent = -16382;
  maxExponent = 16383;
  flushToZero = false;
  denormalsAreZero = false;
  sse = false;
  wraps = true;
  flags = 0;
  roundedUp = 0;
}

/** The destination is memory, or an SSE register: its range is that of its format. */
export function narrowToDouble(): void {
  precision = 53;
  minExponent = -1022;
  maxExponent = 1023;
  wraps = false;
}

export function narrowToSingle(): void {
  precision = 24;
  minExponent = -126;
  maxExponent = 127;
  wraps = false;
}

/** Starts an SSE operation by MXCSR. `narrowTo…` follows. */
export function beginSse(mxcsr: u32): void {
  beginExtended((mxcsr >> 13) & 3, ~(mxcsr >> 7) & 0x3f, 64);
  denormalsAreZero = (mxcsr & 0x40) != 0;
  flushToZero = (mxcsr & 0x8000) != 0;
  sse = true;
}

export function setRounding(mode: u32): void {
  rounding = mode;
}

export function raiseFloat(exceptions: u32): void {
  flags |= exceptions;
}

/** Forgets what has been raised: instructions that report less than the arithmetic under them. */
export function setFloatFlags(exceptions: u32): void {
  flags = exceptions;
}

export function setRoundedUp(up: u32): void {
  roundedUp = up;
}

// ---------------------------------------------------------------------------------------------------------------------
// Taking apart and putting together

let kind: u32 = 0;
let sign: u32 = 0;
let exponent: i32 = 0;
let significand: u64 = 0;
let denormal: bool = false;

// @ts-ignore: decorator
@inline function takeA(): void {
  aKind = kind;
  aSign = sign;
  aExponent = exponent;
  aSignificand = significand;
  aDenormal = denormal;
}
// @ts-ignore: decorator
@inline function takeB(): void {
  bKind = kind;
  bSign = sign;
  bExponent = exponent;
  bSignificand = significand;
  bDenormal = denormal;
}

export function swapOperands(): void {
  kind = aKind;
  sign = aSign;
  exponent = aExponent;
  significand = aSignificand;
  denormal = aDenormal;
  aKind = bKind;
  aSign = bSign;
  aExponent = bExponent;
  aSignificand = bSignificand;
  aDenormal = bDenormal;
  takeB();
}

/** Sets `kind` and normalises, once the parts are there and the exponent is not the special one. */
function classifyFinite(): void {
  if (significand == 0) {
    kind = ZERO;
    return;
  }
  kind = FINITE;
  const shift = clz(significand);
  significand <<= shift;
  exponent -= <i32>shift;
}

function classifySpecial(): void {
  exponent = EXPONENT_SPECIAL;
  if ((significand << 1) == 0) kind = INFINITE;
  else kind = (significand & QUIET_BIT) != 0 ? QUIET : SIGNALING;
}

/** The 80-bit format: sign and exponent in 16 bits, and an explicit highest bit of the significand. */
function split80(signExponent: u32, bits: u64): void {
  sign = signExponent >> 15;
  significand = bits;
  const field = signExponent & 0x7fff;
  denormal = false;
  if (field == 0) {
    exponent = -16382;
    denormal = bits != 0;
    classifyFinite();
  } else if (bits >> 63 == 0) {
    kind = UNSUPPORTED;
    exponent = EXPONENT_SPECIAL;
  } else if (field == 0x7fff) classifySpecial();
  else {
    kind = FINITE;
    exponent = <i32>field - 16383;
  }
}

function split64(bits: u64): void {
  sign = <u32>(bits >> 63);
  const field = <u32>(bits >> 52) & 0x7ff;
  const fraction = bits << 12;
  denormal = false;
  significand = TOP | (fraction >> 1);
  if (field == 0x7ff) classifySpecial();
  else if (field != 0) {
    kind = FINITE;
    exponent = <i32>field - 1023;
  } else splitDenormal(fraction >> 1, -1022);
}

function split32(bits: u32): void {
  sign = bits >> 31;
  const field = (bits >> 23) & 0xff;
  const fraction = (<u64>bits) << 41;
  denormal = false;
  significand = TOP | (fraction >> 1);
  if (field == 0xff) classifySpecial();
  else if (field != 0) {
    kind = FINITE;
    exponent = <i32>field - 127;
  } else splitDenormal(fraction >> 1, -126);
}

function splitDenormal(fraction: u64, lowest: i32): void {
  exponent = lowest;
  significand = fraction;
  if (denormalsAreZero) significand = 0;
  else denormal = fraction != 0;
  classifyFinite();
}

function splitInteger(value: i64): void {
  sign = value < 0 ? 1 : 0;
  significand = value < 0 ? -value : value;
  exponent = 63;
  denormal = false;
  classifyFinite();
}

export function setA80(signExponent: u32, bits: u64): void {
  split80(signExponent, bits);
  takeA();
}
export function setB80(signExponent: u32, bits: u64): void {
  split80(signExponent, bits);
  takeB();
}
export function setA64(bits: u64): void {
  split64(bits);
  takeA();
}
export function setB64(bits: u64): void {
  split64(bits);
  takeB();
}
export function setA32(bits: u32): void {
  split32(bits);
  takeA();
}
export function setB32(bits: u32): void {
  split32(bits);
  takeB();
}
export function setAInteger(value: i64): void {
  splitInteger(value);
  takeA();
}
export function setBInteger(value: i64): void {
  splitInteger(value);
  takeB();
}

/** The result in the 80-bit format: sign and exponent (the significand is OUT's). */
export function out80(): u32 {
  const negative = outSign << 15;
  return outSignificand >> 63 == 0 ? negative : negative | <u32>(outExponent + 16383);
}

export function out64(): u64 {
  const negative = (<u64>outSign) << 63;
  if (outSignificand >> 63 == 0) return negative | (outSignificand >> 11);
  const field: u64 = outExponent == EXPONENT_SPECIAL ? 0x7ff : <u64>(outExponent + 1023);
  return negative | (field << 52) | ((outSignificand << 1) >> 12);
}

export function out32(): u32 {
  const negative = outSign << 31;
  if (outSignificand >> 63 == 0) return negative | <u32>(outSignificand >> 40);
  const field: u32 = outExponent == EXPONENT_SPECIAL ? 0xff : <u32>(outExponent + 127);
  return negative | (field << 23) | <u32>((outSignificand << 1) >> 41);
}

// ---------------------------------------------------------------------------------------------------------------------
// Results that need no arithmetic

export function giveZero(negative: u32): void {
  outSign = negative;
  outExponent = minExponent;
  outSignificand = 0;
}

export function giveInfinity(negative: u32): void {
  outSign = negative;
  outExponent = EXPONENT_SPECIAL;
  outSignificand = TOP;
}

/** The "real indefinite" QNaN. */
export function giveIndefinite(): void {
  outSign = 1;
  outExponent = EXPONENT_SPECIAL;
  outSignificand = TOP | QUIET_BIT;
}

export function giveInvalid(): void {
  flags |= INVALID;
  giveIndefinite();
}

/** A exactly as it is (finite, zero or infinite). */
export function giveA(): void {
  outSign = aSign;
  outExponent = aExponent;
  outSignificand = aSignificand;
}

export function giveB(): void {
  outSign = bSign;
  outExponent = bExponent;
  outSignificand = bSignificand;
}

function giveQuietA(): void {
  outSign = aSign;
  outExponent = EXPONENT_SPECIAL;
  outSignificand = aSignificand | QUIET_BIT;
}

function giveQuietB(): void {
  outSign = bSign;
  outExponent = EXPONENT_SPECIAL;
  outSignificand = bSignificand | QUIET_BIT;
}

/** Whether A is no number; if so, OUT is what an operation on it alone gives. */
export function isNanA(): bool {
  if (aKind < QUIET) return false;
  if (aKind == UNSUPPORTED) giveInvalid();
  else {
    if (aKind == SIGNALING) flags |= INVALID;
    giveQuietA();
  }
  return true;
}

/** Whether A or B is no number; if so, OUT is what an operation on both gives (SDM volume 1, table 4-7). */
export function isNan(): bool {
  if (aKind < QUIET && bKind < QUIET) return false;
  if (aKind == UNSUPPORTED || bKind == UNSUPPORTED) {
    giveInvalid();
    return true;
  }
  if (aKind == SIGNALING || bKind == SIGNALING) flags |= INVALID;
  if (prefersA()) giveQuietA();
  else giveQuietB();
  return true;
}

function prefersA(): bool {
  if (aKind < QUIET) return false;
  if (bKind < QUIET || sse) return true;
  if (aKind != bKind) return aKind == QUIET;
  if (aSignificand != bSignificand) return aSignificand > bSignificand;
  return aSign <= bSign;
}

/** Reports denormal operands; true when that stops the operation. */
export function isDenormalStop(): bool {
  if (aDenormal || bDenormal) flags |= DENORMAL;
  return (flags & unmasked & DENORMAL) != 0;
}

export function isDenormalStopA(): bool {
  if (aDenormal) flags |= DENORMAL;
  return (flags & unmasked & DENORMAL) != 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Rounding

/** The low half of the last 128-bit product or shift. */
let low: u64 = 0;

/** The upper half of a * b; the lower half is in `low`. */
export function multiplyWide(a: u64, b: u64): u64 {
  const a0 = a & 0xffff_ffff;
  const a1 = a >> 32;
  const b0 = b & 0xffff_ffff;
  const b1 = b >> 32;
  const first = a0 * b0;
  const second = a1 * b0 + (first >> 32);
  const third = a0 * b1 + (second & 0xffff_ffff);
  low = (third << 32) | (first & 0xffff_ffff);
  return a1 * b1 + (second >> 32) + (third >> 32);
}

export function lowHalf(): u64 {
  return low;
}

/** Shifts high:rest right by `count` and keeps in bit 0 whether anything was lost; the lower half is in `low`. */
function shiftRightJam(high: u64, rest: u64, count: u32): u64 {
  if (count == 0) {
    low = rest;
    return high;
  }
  if (count < 64) {
    const lost = rest << (64 - count);
    low = (high << (64 - count)) | (rest >> count) | u64(lost != 0);
    return high >> count;
  }
  if (count == 64) {
    low = high | u64(rest != 0);
    return 0;
  }
  if (count < 128) {
    const lost = (high << (128 - count)) | rest;
    low = (high >> (count - 64)) | u64(lost != 0);
    return 0;
  }
  low = u64((high | rest) != 0);
  return 0;
}

/** Whether rounding adds one unit, for the bits below it: `half` is the first of them, `more` tells of the others. */
function increments(negative: u32, odd: bool, half: bool, more: bool): bool {
  if (rounding == NEAREST) return half && (more || odd);
  if (rounding == TRUNCATE) return false;
  return (half || more) && (rounding == UP) == (negative == 0);
}

/** Rounds high:rest to the precision. Leaves the significand in OUT; true when it overflowed to 1.0 of the next exponent. */
let inexact: bool = false;
function roundSignificand(negative: u32, high: u64, rest: u64): bool {
  const dropped = 64 - precision;
  let kept = high;
  let below = rest;
  if (dropped != 0) {
    kept = (high >> dropped) << dropped;
    below = (high << (64 - dropped)) | u64(rest != 0);
  }
  const unit: u64 = (<u64>1) << dropped;
  inexact = below != 0;
  roundedUp = 0;
  outSignificand = kept;
  if (!inexact || !increments(negative, (kept & unit) != 0, below >> 63 != 0, below << 1 != 0)) return false;
  roundedUp = 1;
  outSignificand = kept + unit;
  if (outSignificand != 0) return false;
  outSignificand = TOP;
  return true;
}

/** Rounds (-1)^negative * high:rest * 2^(at - 63), where `high` has its highest bit, into OUT, and raises what that raises. */
export function round(negative: u32, at: i32, high: u64, rest: u64): void {
  outSign = negative;
  const carried = roundSignificand(negative, high, rest);
  outExponent = at + i32(carried);
  if (outExponent < minExponent) return underflow(negative, at, high, rest);
  if (outExponent > maxExponent) return overflow(negative);
  // A result that has only become normal by its rounding is rounded as the denormal that it was.
  if (at < minExponent) return roundDenormal(negative, at, high, rest);
  if (inexact) flags |= INEXACT;
}

function roundDenormal(negative: u32, at: i32, high: u64, rest: u64): void {
  const shifted = shiftRightJam(high, rest, <u32>(minExponent - at));
  roundSignificand(negative, shifted, low);
  outExponent = minExponent;
  if (inexact) flags |= INEXACT;
}

/** FSCALE can go so far that the wrapped exponent is none either; then the result is zero or infinity. */
function giveNothing(negative: u32): void {
  flags |= INEXACT;
  roundedUp = 0;
  giveZero(negative);
}

function underflow(negative: u32, at: i32, high: u64, rest: u64): void {
  const massive = wraps && outExponent + EXPONENT_WRAP < minExponent;
  if ((unmasked & UNDERFLOW) != 0) {
    flags |= UNDERFLOW;
    if (massive) return giveNothing(negative);
    if (inexact) flags |= INEXACT;
    if (wraps) outExponent += EXPONENT_WRAP;
    return;
  }
  if (flushToZero) {
    flags |= UNDERFLOW | INEXACT;
    return giveZero(negative);
  }
  roundDenormal(negative, at, high, rest);
  if (inexact) flags |= UNDERFLOW;
}

function overflow(negative: u32): void {
  flags |= OVERFLOW;
  const massive = (unmasked & OVERFLOW) != 0 && wraps && outExponent - EXPONENT_WRAP > maxExponent;
  if ((unmasked & OVERFLOW) != 0 && !massive) {
    if (inexact) flags |= INEXACT;
    if (wraps) outExponent -= EXPONENT_WRAP;
    return;
  }
  flags |= INEXACT;
  const away = massive || rounding == NEAREST || (rounding != TRUNCATE && (rounding == UP) == (negative == 0));
  roundedUp = u32(away);
  if (away) return giveInfinity(negative);
  outExponent = maxExponent;
  outSignificand = ~(<u64>0) << (64 - precision);
}

/** Rounds a finite A into OUT. */
export function roundA(): void {
  if (aKind == ZERO) giveZero(aSign);
  else round(aSign, aExponent, aSignificand, 0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Operations: OUT = A op B

/** A + B, or A - B. */
export function add(subtract: bool): void {
  if (isNan()) return;
  if (subtract) bSign ^= 1;
  if (aKind == INFINITE && bKind == INFINITE && aSign != bSign) return giveInvalid();
  if (isDenormalStop()) return;
  if (aKind == INFINITE) return giveInfinity(aSign);
  if (bKind == INFINITE) return giveInfinity(bSign);
  if (aKind == ZERO && bKind == ZERO) return giveZero(aSign == bSign ? aSign : u32(rounding == DOWN));
  if (bKind == ZERO) return round(aSign, aExponent, aSignificand, 0);
  if (aKind == ZERO) return round(bSign, bExponent, bSignificand, 0);
  if (aExponent < bExponent || (aExponent == bExponent && aSignificand < bSignificand)) swapOperands();
  const small = shiftRightJam(bSignificand, 0, <u32>min<i32>(aExponent - bExponent, 200));
  if (aSign == bSign) addMagnitudes(small, low);
  else subtractMagnitudes(small, low);
}

function addMagnitudes(small: u64, rest: u64): void {
  const sum = aSignificand + small;
  if (sum >= aSignificand) return round(aSign, aExponent, sum, rest);
  const high = shiftRightJam(sum, rest, 1) | TOP;
  round(aSign, aExponent + 1, high, low);
}

function subtractMagnitudes(small: u64, rest: u64): void {
  let high = aSignificand - small - u64(rest != 0);
  let below = 0 - rest;
  if ((high | below) == 0) return giveZero(u32(rounding == DOWN));
  let at = aExponent;
  if (high == 0) {
    high = below;
    below = 0;
    at -= 64;
  }
  const shift = clz(high);
  if (shift != 0) {
    high = (high << shift) | (below >> (64 - shift));
    below <<= shift;
  }
  round(aSign, at - <i32>shift, high, below);
}

export function multiply(): void {
  if (isNan()) return;
  const negative = aSign ^ bSign;
  if (aKind + bKind == ZERO + INFINITE && aKind != bKind) return giveInvalid();
  if (isDenormalStop()) return;
  if (aKind == INFINITE || bKind == INFINITE) return giveInfinity(negative);
  if (aKind == ZERO || bKind == ZERO) return giveZero(negative);
  const high = multiplyWide(aSignificand, bSignificand);
  const rest = low;
  const at = aExponent + bExponent;
  if (high >> 63 != 0) round(negative, at + 1, high, rest);
  else round(negative, at, (high << 1) | (rest >> 63), rest << 1);
}

export function divide(): void {
  if (isNan()) return;
  const negative = aSign ^ bSign;
  if (aKind == bKind && aKind != FINITE) return giveInvalid();
  if (bKind == ZERO && aKind != INFINITE) {
    flags |= ZERO_DIVIDE;
    return giveInfinity(negative);
  }
  if (isDenormalStop()) return;
  if (aKind == INFINITE) return giveInfinity(negative);
  if (aKind == ZERO || bKind == INFINITE) return giveZero(negative);
  let at = aExponent - bExponent;
  let quotient: u64;
  if (aSignificand >= bSignificand) quotient = divideWide(aSignificand >> 1, aSignificand << 63, bSignificand);
  else {
    quotient = divideWide(aSignificand, 0, bSignificand);
    at--;
  }
  round(negative, at, quotient, restOf(remainder, bSignificand));
}

/** The remainder as bits below the last one of the quotient: only half and more than nothing matter. */
function restOf(left: u64, divisor: u64): u64 {
  if (left == 0) return 0;
  const twice = left << 1;
  if (left >> 63 != 0 || twice > divisor) return TOP | 1;
  return twice == divisor ? TOP : 1;
}

let remainder: u64 = 0;
/** high:rest / divisor where high < divisor and the divisor has its highest bit (Knuth's algorithm D with 32-bit digits). */
export function divideWide(high: u64, rest: u64, divisor: u64): u64 {
  const d1 = divisor >> 32;
  const d0 = divisor & 0xffff_ffff;
  const upper = digit(high, rest >> 32, d1, d0);
  const middle = ((high << 32) | (rest >> 32)) - upper * divisor;
  const lower = digit(middle, rest & 0xffff_ffff, d1, d0);
  remainder = ((middle << 32) | (rest & 0xffff_ffff)) - lower * divisor;
  return (upper << 32) + lower;
}

function digit(high: u64, next: u64, d1: u64, d0: u64): u64 {
  let guess = high / d1;
  let left = high - guess * d1;
  while (guess >> 32 != 0 || guess * d0 > ((left << 32) | next)) {
    guess--;
    left += d1;
    if (left >> 32 != 0) break;
  }
  return guess;
}

export function remainderOfDivide(): u64 {
  return remainder;
}

/** OUT = the square root of A. */
export function squareRoot(): void {
  if (isNanA()) return;
  if (aKind == ZERO) return giveZero(aSign);
  if (aSign != 0) return giveInvalid();
  if (isDenormalStopA()) return;
  if (aKind == INFINITE) return giveInfinity(0);
  const odd = (aExponent & 1) != 0;
  // The radicand is high:rest / 2^126 in [1, 4), the root 64 bits of it.
  const high = odd ? aSignificand : aSignificand >> 1;
  const rest = odd ? 0 : aSignificand << 63;
  const root = rootWide(high, rest);
  const above = rootRemainderHigh != 0 || rootRemainder > root;
  const below: u64 = (rootRemainder | rootRemainderHigh) == 0 ? 0 : above ? TOP | 1 : 1;
  round(0, (aExponent - i32(odd)) >> 1, root, below);
}

let rootRemainder: u64 = 0;
let rootRemainderHigh: u64 = 0;
/** The integer square root of high:rest, a bit at a time; what is left is in rootRemainder. */
function rootWide(high: u64, rest: u64): u64 {
  let root: u64 = 0;
  let left: u64 = 0;
  let leftHigh: u64 = 0;
  for (let step = 0; step < 64; step++) {
    leftHigh = (leftHigh << 2) | (left >> 62);
    left = (left << 2) | (high >> 62);
    high = (high << 2) | (rest >> 62);
    rest <<= 2;
    // The trial is 4 * root + 1, which may need 66 bits.
    const trial = (root << 2) | 1;
    const trialHigh = root >> 62;
    root <<= 1;
    if (leftHigh > trialHigh || (leftHigh == trialHigh && left >= trial)) {
      leftHigh -= trialHigh + u64(left < trial);
      left -= trial;
      root |= 1;
    }
  }
  rootRemainder = left;
  rootRemainderHigh = leftHigh;
  return root;
}

/** How A and B compare: -1, 0, 1, or 2 when they do not (one is a NaN). Raises nothing. */
export function order(): i32 {
  if (aKind >= QUIET || bKind >= QUIET) return 2;
  if (aKind == ZERO && bKind == ZERO) return 0;
  if (aKind == ZERO) return bSign != 0 ? 1 : -1;
  if (bKind == ZERO || aSign != bSign) return aSign != 0 ? -1 : 1;
  const larger = aSign != 0 ? -1 : 1;
  if (aExponent != bExponent) return aExponent > bExponent ? larger : -larger;
  if (aKind == INFINITE || aSignificand == bSignificand) return 0;
  return aSignificand > bSignificand ? larger : -larger;
}

// ---------------------------------------------------------------------------------------------------------------------
// Integers

/** Whether `integer` could not do it: A is no number, or beyond the range. */
export let beyondRange: bool = false;

/** A, rounded by the mode, as an integer of `bits` bits; raises INEXACT. INVALID is the caller's, when `beyondRange`. */
export function integer(bits: u32): i64 {
  beyondRange = false;
  if (aKind == ZERO) return 0;
  if (aKind != FINITE || aExponent > 63) {
    beyondRange = true;
    return 0;
  }
  const high = shiftRightJam(aSignificand, 0, <u32>min<i32>(63 - aExponent, 130));
  const below = low;
  const up = below != 0 && increments(aSign, (high & 1) != 0, below >> 63 != 0, below << 1 != 0);
  const magnitude = high + u64(up);
  const limit: u64 = (<u64>1) << (bits - 1);
  if (magnitude < high || magnitude > limit || (magnitude == limit && aSign == 0)) {
    beyondRange = true;
    return 0;
  }
  if (below != 0) flags |= INEXACT;
  roundedUp = u32(up);
  return aSign != 0 ? 0 - <i64>magnitude : <i64>magnitude;
}

/** OUT = A rounded to an integer by the mode. A is finite, zero or infinite. */
export function roundToInteger(): void {
  if (aKind != FINITE || aExponent >= 63) return giveA();
  const high = shiftRightJam(aSignificand, 0, <u32>min<i32>(63 - aExponent, 130));
  const below = low;
  const up = below != 0 && increments(aSign, (high & 1) != 0, below >> 63 != 0, below << 1 != 0);
  const magnitude = high + u64(up);
  if (below != 0) flags |= INEXACT;
  roundedUp = u32(up);
  if (magnitude == 0) return giveZero(aSign);
  const shift = clz(magnitude);
  outSign = aSign;
  outExponent = 63 - <i32>shift;
  outSignificand = magnitude << shift;
}
