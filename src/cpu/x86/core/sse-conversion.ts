// Conversions between integers, singles and doubles (SDM volume 1, section 11.4.1.6; table E-… of appendix E for what
// each raises). An integer that does not fit is the "integer indefinite", 80…0h.
import { fault } from './fault';
import {
  aKind,
  beginSse,
  beyondRange,
  flags,
  giveA,
  INFINITE,
  integer,
  INVALID,
  isDenormalStopA,
  isNanA,
  narrowToDouble,
  narrowToSingle,
  out32,
  out64,
  raiseFloat,
  roundA,
  setA32,
  setA64,
  setAInteger,
  setRounding,
  TRUNCATE,
} from './float';
import { mxcsr, reportSse } from './mxcsr';
import { readOperand } from './operand';
import { isFast, isNormal32, isPlain32, isPlain64 } from './sse-arithmetic';
import { setRegister } from './state';
import { isMemory, uopReg, uopRm, uopSize } from './uop';
import { enterMmx, load8, maySse, maySseAndMmx, mmx, setXmm, source4, source8, xmm } from './vector-register';

/** What the lanes so far have raised. */
let raised: u32 = 0;

/** INEXACT is masked and set. */
// @ts-ignore: decorator
@inline function isInexactKnown(): bool {
  return (mxcsr() & 0x1020) == 0x1020;
}

// ---------------------------------------------------------------------------------------------------------------------
// To integers

/** A, taken apart, as an integer of `bits`. */
function finishInteger(bits: u32, truncating: bool): u64 {
  if (truncating) setRounding(TRUNCATE);
  const value = integer(bits);
  if (beyondRange) raiseFloat(INVALID);
  raised |= flags;
  return beyondRange ? (<u64>1) << (bits - 1) : value;
}

function integerOf64(x: f64, bits: u32, truncating: bool): u64 {
  if (abs<f64>(x) < 2147483648.0 && (truncating || (mxcsr() & 0x6000) == 0)) {
    const whole = truncating ? trunc<f64>(x) : nearest<f64>(x);
    if (whole < 2147483648.0 && (whole == x || isInexactKnown()) && isPlain64(x)) return <i64>whole;
  }
  beginSse(mxcsr());
  setA64(reinterpret<u64>(x));
  return finishInteger(bits, truncating);
}

function integerOf32(x: f32, bits: u32, truncating: bool): u64 {
  if (isPlain32(x) || x != x) {
    if (x == x) return integerOf64(<f64>x, bits, truncating);
  }
  beginSse(mxcsr());
  setA32(reinterpret<u32>(x));
  return finishInteger(bits, truncating);
}

function cvtToGeneral(u: usize, double: bool, truncating: bool): void {
  if (!maySse()) return;
  const b = double ? source8(u) : source4(u);
  if (fault) return;
  raised = 0;
  const bits: u32 = uopSize(u) << 3;
  const value = double
    ? integerOf64(f64x2.extract_lane(b, 0), bits, truncating)
    : integerOf32(f32x4.extract_lane(b, 0), bits, truncating);
  reportSse(raised);
  if (!fault) setRegister(uopReg(u), uopSize(u), value);
}

export function cvtsd2si(u: usize): void {
  cvtToGeneral(u, true, false);
}
export function cvttsd2si(u: usize): void {
  cvtToGeneral(u, true, true);
}
export function cvtss2si(u: usize): void {
  cvtToGeneral(u, false, false);
}
export function cvttss2si(u: usize): void {
  cvtToGeneral(u, false, true);
}

function toIntegers32(b: v128, truncating: bool, lanes: u32): v128 {
  raised = 0;
  let result = i64x2.splat(0);
  result = i32x4.replace_lane(result, 0, <i32>integerOf32(f32x4.extract_lane(b, 0), 32, truncating));
  result = i32x4.replace_lane(result, 1, <i32>integerOf32(f32x4.extract_lane(b, 1), 32, truncating));
  if (lanes == 4) {
    result = i32x4.replace_lane(result, 2, <i32>integerOf32(f32x4.extract_lane(b, 2), 32, truncating));
    result = i32x4.replace_lane(result, 3, <i32>integerOf32(f32x4.extract_lane(b, 3), 32, truncating));
  }
  reportSse(raised);
  return result;
}

function toIntegers64(b: v128, truncating: bool): v128 {
  raised = 0;
  let result = i64x2.splat(0);
  result = i32x4.replace_lane(result, 0, <i32>integerOf64(f64x2.extract_lane(b, 0), 32, truncating));
  result = i32x4.replace_lane(result, 1, <i32>integerOf64(f64x2.extract_lane(b, 1), 32, truncating));
  reportSse(raised);
  return result;
}

export function cvtps2dq(b: v128): v128 { return toIntegers32(b, false, 4); }
export function cvttps2dq(b: v128): v128 { return toIntegers32(b, true, 4); }
export function cvtps2pi(b: v128): v128 { return toIntegers32(b, false, 2); }
export function cvttps2pi(b: v128): v128 { return toIntegers32(b, true, 2); }
export function cvtpd2dq(b: v128): v128 { return toIntegers64(b, false); }
export function cvttpd2dq(b: v128): v128 { return toIntegers64(b, true); }
export function cvtpd2pi(b: v128): v128 { return toIntegers64(b, false); }
export function cvttpd2pi(b: v128): v128 { return toIntegers64(b, true); }

// ---------------------------------------------------------------------------------------------------------------------
// From integers

/** Integers up to 2^53 are doubles. */
function doubleOf(value: i64): u64 {
  if (<u64>(value + 0x20_0000_0000_0000) <= 0x40_0000_0000_0000) return reinterpret<u64>(<f64>value);
  beginSse(mxcsr());
  narrowToDouble();
  setAInteger(value);
  roundA();
  raised |= flags;
  return out64();
}

function singleOf(value: i64): u32 {
  if (isFast()) return reinterpret<u32>(<f32>value);
  beginSse(mxcsr());
  narrowToSingle();
  setAInteger(value);
  roundA();
  raised |= flags;
  return out32();
}

function generalOperand(u: usize): i64 {
  const value = readOperand(u);
  return uopSize(u) == 8 ? <i64>value : <i64>(<i32>value);
}

export function cvtsi2sd(u: usize): void {
  if (!maySse()) return;
  const value = generalOperand(u);
  if (fault) return;
  raised = 0;
  const result = doubleOf(value);
  reportSse(raised);
  if (!fault) setXmm(uopReg(u), i64x2.replace_lane(xmm(uopReg(u)), 0, result));
}

export function cvtsi2ss(u: usize): void {
  if (!maySse()) return;
  const value = generalOperand(u);
  if (fault) return;
  raised = 0;
  const result = singleOf(value);
  reportSse(raised);
  if (!fault) setXmm(uopReg(u), i32x4.replace_lane(xmm(uopReg(u)), 0, result));
}

export function cvtdq2ps(b: v128): v128 {
  if (isFast()) return f32x4.convert_i32x4_s(b);
  raised = 0;
  let result = i32x4.splat(singleOf(i32x4.extract_lane(b, 0)));
  result = i32x4.replace_lane(result, 1, singleOf(i32x4.extract_lane(b, 1)));
  result = i32x4.replace_lane(result, 2, singleOf(i32x4.extract_lane(b, 2)));
  result = i32x4.replace_lane(result, 3, singleOf(i32x4.extract_lane(b, 3)));
  reportSse(raised);
  return result;
}

export function cvtdq2pd(b: v128): v128 {
  return f64x2.convert_low_i32x4_s(b);
}

/**
 * From MMX or memory: with an MMX register the x87 state becomes MMX's, also where an exception follows; from memory it
 * stays.
 */
export function cvtpi2pd(u: usize): void {
  if (!(isMemory(u) ? maySse() : maySseAndMmx())) return;
  const b = isMemory(u) ? load8(u) : mmx(uopRm(u));
  if (fault) return;
  if (!isMemory(u)) enterMmx();
  setXmm(uopReg(u), f64x2.convert_low_i32x4_s(b));
}

export function cvtpi2ps(u: usize): void {
  if (!(isMemory(u) ? maySse() : maySseAndMmx())) return;
  const b = isMemory(u) ? load8(u) : mmx(uopRm(u));
  if (fault) return;
  if (!isMemory(u)) enterMmx();
  raised = 0;
  const low = singleOf(i32x4.extract_lane(b, 0));
  const high = singleOf(i32x4.extract_lane(b, 1));
  reportSse(raised);
  if (fault) return;
  setXmm(uopReg(u), i64x2.replace_lane(xmm(uopReg(u)), 0, (<u64>high << 32) | low));
}

// ---------------------------------------------------------------------------------------------------------------------
// Between formats

function widen(bits: u32): u64 {
  const x = reinterpret<f32>(bits);
  if (isPlain32(x)) return reinterpret<u64>(<f64>x);
  beginSse(mxcsr());
  setA32(bits);
  if (!isNanA()) {
    isDenormalStopA();
    giveA();
  }
  raised |= flags;
  return out64();
}

function narrow(bits: u64): u32 {
  const x = reinterpret<f64>(bits);
  const r = <f32>x;
  if (isFast() && isPlain64(x) && (isNormal32(r) || x == 0)) return reinterpret<u32>(r);
  beginSse(mxcsr());
  setA64(bits);
  narrowToSingle();
  if (!isNanA() && !isDenormalStopA()) {
    if (aKind == INFINITE) giveA();
    else roundA();
  }
  raised |= flags;
  return out32();
}

export function cvtss2sd(a: v128, b: v128): v128 {
  raised = 0;
  const result = widen(i32x4.extract_lane(b, 0));
  reportSse(raised);
  return i64x2.replace_lane(a, 0, result);
}

export function cvtsd2ss(a: v128, b: v128): v128 {
  raised = 0;
  const result = narrow(i64x2.extract_lane(b, 0));
  reportSse(raised);
  return i32x4.replace_lane(a, 0, result);
}

export function cvtps2pd(b: v128): v128 {
  raised = 0;
  const low = widen(i32x4.extract_lane(b, 0));
  const high = widen(i32x4.extract_lane(b, 1));
  reportSse(raised);
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

export function cvtpd2ps(b: v128): v128 {
  raised = 0;
  const low = narrow(i64x2.extract_lane(b, 0));
  const high = narrow(i64x2.extract_lane(b, 1));
  reportSse(raised);
  return i64x2.replace_lane(i64x2.splat(0), 0, (<u64>high << 32) | low);
}
