// The transcendental instructions (SDM volume 1, section 8.3.7 and 8.3.10; volume 2, tables 3-22 on for special values).
// Series in 128 bits, rounded once. Arguments of the trigonometric ones are reduced, exactly, by a pi of 66 bits, as
// real processors do, so that results for large arguments agree with theirs.
//
// Measured in units of the last of 64 bits against arithmetic of 260 bits, 1,500 random arguments each, rounding to
// nearest: our largest error is 0.4998 (that is, all were right), that of an AMD Zen processor 0.61 (F2XM1), so that the
// two differ by one unit in about two results of a hundred.
import {
  aExponent,
  aKind,
  aSign,
  aSignificand,
  bExponent,
  bKind,
  bSign,
  bSignificand,
  FINITE,
  giveA,
  giveInfinity,
  giveInvalid,
  giveZero,
  INEXACT,
  INFINITE,
  isDenormalStop,
  isDenormalStopA,
  isNan,
  isNanA,
  multiply,
  out80,
  outSignificand,
  raiseFloat,
  round,
  setA80,
  setAInteger,
  ZERO,
  ZERO_DIVIDE,
} from './float';
import {
  addExponent,
  addWide,
  copyWide,
  divideSmall,
  divideWides,
  isWideZero,
  lowerWide,
  multiplyWides,
  negateWide,
  roundWide,
  setWide,
  setWideInteger,
  wideExponent,
  wideHigh,
} from './wide';
import { BEFORE, beginBinary, beginFull, beginUnary, reportAll, setIndefinite, stackToA } from './x87';
import {
  C2,
  INDEFINITE,
  INDEFINITE_HIGH,
  isEmpty,
  mayRun,
  pop,
  push,
  remember,
  setC1,
  setStack,
  setStatus,
  stackFault,
  status,
} from './x87-state';

// Numbers of 128 bits (wide.ts) that the functions below work with.
const X: usize = memory.data(24, 8);
const Y: usize = memory.data(24, 8);
const SUM: usize = memory.data(24, 8);
const TERM: usize = memory.data(24, 8);
const PART: usize = memory.data(24, 8);
const SQUARE: usize = memory.data(24, 8);
const SINE: usize = memory.data(24, 8);
const COSINE: usize = memory.data(24, 8);
const ONE: usize = memory.data(24, 8);

/** Terms this far below the sum no longer count. */
const ENOUGH: i32 = 100;

// @ts-ignore: decorator
@inline function isNegligible(): bool {
  return isWideZero(PART) || wideExponent(PART) < wideExponent(SUM) - ENOUGH;
}

/** SUM = x - x^3/3 + x^5/5 - …, or with all signs alike: the arctangent, or its hyperbolic sister. */
function sumOdd(x: usize, alternating: bool): void {
  multiplyWides(SQUARE, x, x);
  if (alternating) negateWide(SQUARE);
  copyWide(SUM, x);
  copyWide(TERM, x);
  for (let n: u32 = 3; ; n += 2) {
    multiplyWides(TERM, TERM, SQUARE);
    divideSmall(PART, TERM, n);
    if (isNegligible()) return;
    addWide(SUM, SUM, PART);
  }
}

/** SUM += TERM * q + TERM * q^2 …, each divided by the factorial's next factors from `n` on, `step` at a time. */
function sumFactorial(q: usize, n: u32, step: u32): void {
  copyWide(SUM, TERM);
  for (; ; n += step) {
    multiplyWides(TERM, TERM, q);
    divideSmall(TERM, TERM, step == 1 ? n : n * (n + 1));
    copyWide(PART, TERM);
    if (isNegligible()) return;
    addWide(SUM, SUM, PART);
  }
}

function setConstant(at: usize, exponent: i32, high: u64, low: u64): void {
  setWide(at, 0, exponent, high, low);
}

function setOne(): void {
  setConstant(ONE, 0, 0x8000_0000_0000_0000, 0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Sine, cosine, tangent

/** Half of the 66-bit pi, scaled down by two bits so that twice a remainder still fits 128 bits. */
const HALF_PI_HIGH: u64 = 0x3243_f6a8_885a_308d;
const HALF_PI_LOW: u64 = 0x3000_0000_0000_0000;

/** X = A modulo pi / 2, from -pi / 4 to pi / 4; the quotient's last two bits. */
function reduceAngle(): u32 {
  let high = aSignificand >> 2;
  let low = aSignificand << 62;
  let quadrant: u32 = 0;
  if (aExponent < -1) {
    setWide(X, aSign, aExponent, aSignificand, 0);
    return 0;
  }
  if (aExponent < 0) {
    high >>= 1;
    low = (low >> 1) | ((aSignificand >> 2) << 63);
  }
  for (let step = 0; step <= aExponent; step++) {
    if (step != 0) {
      high = (high << 1) | (low >> 63);
      low <<= 1;
    }
    quadrant <<= 1;
    if (high > HALF_PI_HIGH || (high == HALF_PI_HIGH && low >= HALF_PI_LOW)) {
      high -= HALF_PI_HIGH + u64(low < HALF_PI_LOW);
      low -= HALF_PI_LOW;
      quadrant |= 1;
    }
  }
  return nearestQuadrant(quadrant, high, low);
}

/** Takes the next quadrant when the rest is more than half of one. */
function nearestQuadrant(quadrant: u32, high: u64, low: u64): u32 {
  let sign: u32 = 0;
  const otherHigh = HALF_PI_HIGH - high - u64(HALF_PI_LOW < low);
  if (high > otherHigh) {
    high = otherHigh;
    low = HALF_PI_LOW - low;
    sign = 1;
    quadrant++;
  }
  const shift = high == 0 ? 64 + clz(low) : clz(high);
  if (shift >= 64) setWide(X, sign, 2 - <i32>shift, low << (shift - 64), 0);
  else setWide(X, sign, 2 - <i32>shift, shift == 0 ? high : (high << shift) | (low >> (64 - shift)), low << shift);
  if (aSign != 0) {
    negateWide(X);
    quadrant = 0 - quadrant;
  }
  return quadrant & 3;
}

/** SINE and COSINE of A. */
function computeAngle(): void {
  const quadrant = reduceAngle();
  multiplyWides(SQUARE, X, X);
  negateWide(SQUARE);
  copyWide(TERM, X);
  sumFactorial(SQUARE, 2, 2);
  copyWide((quadrant & 1) != 0 ? COSINE : SINE, SUM);
  setOne();
  copyWide(TERM, ONE);
  sumFactorial(SQUARE, 1, 2);
  copyWide((quadrant & 1) != 0 ? SINE : COSINE, SUM);
  if ((quadrant & 2) != 0) negateWide(SINE);
  if (quadrant == 1 || quadrant == 2) negateWide(COSINE);
  lowerWide(SINE);
  lowerWide(COSINE);
}

/** Whether the argument is one that the instruction works on; if not, all that follows from it is done but `give`. */
function isAngle(): bool {
  setStatus(status() & ~C2);
  if (aKind != FINITE && aKind != ZERO) return false;
  return true;
}

/** OUT for an infinity or a NaN. */
function giveNoAngle(): void {
  if (!isNanA()) giveInvalid();
}

/** An argument of 2^63 or more: C2, and nothing else happens. */
function isTooLarge(): bool {
  if (aKind != FINITE || aExponent < 63) return false;
  setC1(0);
  setStatus(status() | C2);
  return true;
}

function commit(i: u32): bool {
  if (!reportAll()) return false;
  setStack(i, out80(), outSignificand);
  return true;
}

function giveInexact(at: usize): void {
  raiseFloat(INEXACT);
  roundWide(at);
}

function oneAngle(u: usize, cosine: bool): void {
  if (!beginUnary(u)) return setStatus(status() & ~C2);
  stackToA(0);
  if (!isAngle()) giveNoAngle();
  else if (isTooLarge()) return;
  else if (aKind == ZERO) giveZeroOrOne(cosine);
  else if (!isDenormalStopA()) {
    computeAngle();
    giveInexact(cosine ? COSINE : SINE);
  }
  commit(0);
}

function giveZeroOrOne(one: bool): void {
  if (one) setAInteger(1);
  giveA();
}

export function fsin(u: usize): void {
  oneAngle(u, false);
}

export function fcos(u: usize): void {
  oneAngle(u, true);
}

/** Starts FSINCOS and FPTAN, which push a second result; false when they have ended. */
function beginTwo(u: usize): bool {
  if (!mayRun()) return false;
  remember(u);
  beginFull();
  setStatus(status() & ~C2);
  if (!isEmpty(0) && isEmpty(7)) {
    stackToA(0);
    return !isTooLarge();
  }
  if (stackFault(!isEmpty(0))) return false;
  setIndefinite(0);
  push(INDEFINITE_HIGH, INDEFINITE);
  return false;
}

function pushSame(): void {
  if (commit(0)) push(out80(), outSignificand);
}

export function fsincos(u: usize): void {
  if (!beginTwo(u)) return;
  if (!isAngle()) {
    giveNoAngle();
    return pushSame();
  }
  if (aKind == ZERO) {
    giveA();
    if (commit(0)) push(0x3fff, 0x8000_0000_0000_0000);
    return;
  }
  if (isDenormalStopA()) return pushSame();
  computeAngle();
  giveInexact(SINE);
  const sineHigh = out80();
  const sine = outSignificand;
  giveInexact(COSINE);
  if (!reportAll()) return;
  setStack(0, sineHigh, sine);
  push(out80(), outSignificand);
}

export function fptan(u: usize): void {
  if (!beginTwo(u)) return;
  if (!isAngle()) {
    giveNoAngle();
    return pushSame();
  }
  if (aKind == ZERO) giveA();
  else if (!isDenormalStopA()) {
    computeAngle();
    divideWides(X, SINE, COSINE);
    giveInexact(X);
  }
  if (commit(0)) push(0x3fff, 0x8000_0000_0000_0000);
}

// ---------------------------------------------------------------------------------------------------------------------
// Arctangent

/** Arctangents of 1/8 to 8/8: exponent, significand. */
const ARCTANGENTS: usize = memory.data<u64>([
  -4, 0xfeadd4d5617b6e32, 0xc897989f3e888ef8,
  -3, 0xfadbafc96406eb15, 0x6dc79ef5f7a217e6,
  -2, 0xb7b0ca0f26f78473, 0x8aa32122dcfe4483,
  -2, 0xed63382b0dda7b45, 0x6fe445ecbc3a8d03,
  -1, 0x8f005d5ef7f59f9b, 0x5c835e1665c43748,
  -1, 0xa4bc7d1934f70924, 0x19a87f2a457dac9f,
  -1, 0xb8053e2bc2319e73, 0xcb2da55210a4443d,
  -1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1,
]);
const PI_HIGH: u64 = 0xc90f_daa2_2168_c234;
const PI_LOW: u64 = 0xc4c6_628b_80dc_1cd1;

/** The arctangent of ST(1) / ST(0), in the quadrant of both. */
export function fpatan(u: usize): void {
  if (!beginBinary(u, true)) return;
  arctangent();
  if (!reportAll()) return;
  setStack(1, out80(), outSignificand);
  pop();
}

/** OUT = the angle of the point (A, B). */
function arctangent(): void {
  if (isNan() || isDenormalStop()) return;
  const negative = bSign;
  if (bKind == ZERO || (aKind == INFINITE && bKind != INFINITE)) {
    if (aSign == 0) return giveZero(negative);
    return giveConstant(negative, 1, PI_HIGH, PI_LOW);
  }
  if (bKind == INFINITE && aKind == INFINITE) {
    if (aSign == 0) return giveConstant(negative, -1, PI_HIGH, PI_LOW);
    return giveConstant(negative, 1, 0x96cb_e3f9_990e_91a7, 0x9394_c9e8_a0a5_159d);
  }
  if (bKind == INFINITE || aKind == ZERO) return giveConstant(negative, 0, PI_HIGH, PI_LOW);
  finiteArctangent(negative);
}

function giveConstant(negative: u32, exponent: i32, high: u64, low: u64): void {
  raiseFloat(INEXACT);
  round(negative, exponent, high, low);
}

function finiteArctangent(negative: u32): void {
  const steep = bExponent > aExponent || (bExponent == aExponent && bSignificand > aSignificand);
  setWide(X, 0, aExponent, aSignificand, 0);
  setWide(Y, 0, bExponent, bSignificand, 0);
  if (steep) divideWides(X, X, Y);
  else divideWides(X, Y, X);
  arctangentOfX();
  if (steep) complement(0);
  if (aSign != 0) complement(1);
  // A tiny quotient is its own arctangent, less something.
  lowerWide(SUM);
  store<u32>(SUM, negative, 20);
  giveInexact(SUM);
}

/** SUM = pi / 2 (exponent 0) or pi (exponent 1) less SUM. */
function complement(exponent: i32): void {
  setWide(X, 0, exponent, PI_HIGH, PI_LOW);
  negateWide(SUM);
  addWide(SUM, X, SUM);
}

/** SUM = the arctangent of X, which is at most 1: with the nearest eighth c, of c and of (X - c) / (1 + c X). */
function arctangentOfX(): void {
  const eighths: i32 = wideExponent(X) < -4 ? 0 : <i32>(((wideHigh(X) >> (-wideExponent(X) + 59)) + 1) >> 1);
  if (eighths == 0) return sumOdd(X, true);
  setOne();
  setWideInteger(Y, eighths);
  addExponent(Y, -3);
  multiplyWides(TERM, X, Y);
  addWide(TERM, TERM, ONE);
  negateWide(Y);
  addWide(Y, X, Y);
  if (isWideZero(Y)) setWide(SUM, 0, 0, 0, 0);
  else {
    divideWides(X, Y, TERM);
    sumOdd(X, true);
  }
  const at = ARCTANGENTS + (eighths - 1) * 24;
  setWide(X, 0, <i32>load<i64>(at), load<u64>(at, 8), load<u64>(at, 16));
  addWide(SUM, SUM, X);
}

// ---------------------------------------------------------------------------------------------------------------------
// Powers and logarithms

/** 2^ST(0) - 1, for -1 to 1. Beyond, the manual leaves the result undefined: ours is ST(0), like that of processors. */
export function f2xm1(u: usize): void {
  if (!beginUnary(u)) return;
  stackToA(0);
  if (!isNanA() && !isDenormalStopA()) power();
  commit(0);
}

function power(): void {
  if (aKind == INFINITE) {
    if (aSign == 0) return giveA();
    setAInteger(-1);
    return giveA();
  }
  if (aKind == ZERO) return giveA();
  if (aExponent >= 0) {
    raiseFloat(INEXACT);
    if (aExponent == 0 && aSignificand << 1 == 0 && aSign != 0) setA80(0xbffe, 0x8000_0000_0000_0000);
    return giveA();
  }
  setWide(X, aSign, aExponent, aSignificand, 0);
  setConstant(Y, -1, 0xb172_17f7_d1cf_79ab, 0xc9e3_b398_03f2_f6af);
  multiplyWides(X, X, Y);
  copyWide(TERM, X);
  sumFactorial(X, 2, 1);
  giveInexact(SUM);
}

/** ST(1) * log2(ST(0)) */
export function fyl2x(u: usize): void {
  if (!beginBinary(u, true)) return;
  logarithm();
  finishLogarithm();
}

/** ST(1) * log2(ST(0) + 1) */
export function fyl2xp1(u: usize): void {
  if (!beginBinary(u, true)) return;
  logarithmOfNext();
  finishLogarithm();
}

function finishLogarithm(): void {
  if (!reportAll()) return;
  setStack(1, out80(), outSignificand);
  pop();
}

function logarithm(): void {
  if (isNan()) return;
  if (aSign != 0 && aKind != ZERO) return giveInvalid();
  const negative = bSign;
  if (aKind == ZERO) {
    if (bKind == ZERO) return giveInvalid();
    if (bKind == FINITE) raiseFloat(ZERO_DIVIDE);
    return giveInfinity(negative ^ 1);
  }
  if (aKind == INFINITE) {
    if (bKind == ZERO) return giveInvalid();
    isDenormalStop();
    return giveInfinity(negative);
  }
  const power = aSignificand << 1 == 0;
  if (bKind == INFINITE && power && aExponent == 0) return giveInvalid();
  if (isDenormalStop()) return;
  const below = aExponent < 0 ? 1 : 0;
  if (bKind == INFINITE) return giveInfinity(negative ^ below);
  if (bKind == ZERO) return giveZero(negative ^ below);
  if (power) {
    // An integer: the product may be exact, but processors do not say so.
    if (aExponent != 0) raiseFloat(INEXACT);
    setAInteger(aExponent);
    return multiply();
  }
  setWide(X, 0, aExponent, aSignificand, 0);
  logarithmOfX();
  timesB();
}

/** OUT = SUM * B. */
function timesB(): void {
  setWide(Y, bSign, bExponent, bSignificand, 0);
  multiplyWides(SUM, SUM, Y);
  giveInexact(SUM);
}

/** The square root of two, as a significand. */
const ROOT_OF_TWO: u64 = 0xb504_f333_f9de_6484;

/** SUM = log2(X) for a positive X that is not 1: 2^n * m, m between the roots of 1/2 and 2. */
function logarithmOfX(): void {
  let exponent = wideExponent(X);
  store<i32>(X, 0, 16);
  if (wideHigh(X) > ROOT_OF_TWO) {
    addExponent(X, -1);
    exponent++;
  }
  setOne();
  addWide(Y, X, ONE);
  negateWide(ONE);
  addWide(X, X, ONE);
  if (isWideZero(X)) setWide(SUM, 0, 0, 0, 0);
  else {
    divideWides(X, X, Y);
    logarithmOfRatio();
  }
  if (exponent == 0) return;
  setWideInteger(X, exponent);
  addWide(SUM, SUM, X);
}

/** SUM = log2((1 + X) / (1 - X)). */
function logarithmOfRatio(): void {
  sumOdd(X, false);
  setConstant(Y, 1, 0xb8aa_3b29_5c17_f0bb, 0xbe87_fed0_691d_3e89);
  multiplyWides(SUM, SUM, Y);
}

function logarithmOfNext(): void {
  if (isNan()) return;
  const negative = aSign ^ bSign;
  if (aKind == ZERO) {
    if (bKind == INFINITE) return giveInvalid();
    if (isDenormalStop()) return;
    return giveZero(negative);
  }
  if (aKind == INFINITE && (aSign != 0 || bKind == ZERO)) return giveInvalid();
  if (isDenormalStop()) return;
  if (aKind == INFINITE || bKind == INFINITE) return giveInfinity(negative);
  if (bKind == ZERO) return giveZero(negative);
  if (aSign != 0 && aExponent >= 0) {
    // Undefined by the manual: ST(0) as it is, like processors.
    raiseFloat(INEXACT);
    return giveA();
  }
  setWide(X, aSign, aExponent, aSignificand, 0);
  setOne();
  if (aExponent < -2) {
    // x / (2 + x), where nothing of a small x is lost.
    addExponent(ONE, 1);
    addWide(Y, X, ONE);
    divideWides(X, X, Y);
    logarithmOfRatio();
  } else {
    addWide(X, X, ONE);
    logarithmOfX();
  }
  timesB();
}
