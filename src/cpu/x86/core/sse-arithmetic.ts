// SSE floating-point arithmetic. WebAssembly's own is right whenever no operand is a NaN, infinity or denormal, the result
// is a normal number or an exact zero, rounding is to nearest and INEXACT is masked and already set in MXCSR (flags are
// sticky, so nothing more needs to be known): nearly always. Everything else goes lane by lane through float.ts. Which of
// the two it is costs a few comparisons of magnitudes (SDM volume 1, sections 4.8.3.5, 4.9 and 11.5).
//
// NaNs never reach the fast path: which payload WebAssembly propagates is not defined, SSE's rule is.
import { CF, PF, setArithmetic, ZF } from './flags';
import {
  add,
  aKind,
  beginSse,
  bKind,
  denormalsAreZero,
  divide,
  flags,
  INVALID,
  isDenormalStop,
  isNanA,
  multiply,
  narrowToDouble,
  narrowToSingle,
  order,
  out32,
  out64,
  raiseFloat,
  roundToInteger,
  setA32,
  setA64,
  setB32,
  setB64,
  setFloatFlags,
  setRounding,
  SIGNALING,
  squareRoot,
  INEXACT,
  ZERO,
} from './float';
import { fault } from './fault';
import { mxcsr, reportSse } from './mxcsr';

const ADD: u32 = 0;
const SUBTRACT: u32 = 1;
const MULTIPLY: u32 = 2;
const DIVIDE: u32 = 3;
const ROOT: u32 = 4; // of B
const MINIMUM: u32 = 5;
const MAXIMUM: u32 = 6;
/** COMPARE + predicate, ROUND + immediate. */
const COMPARE: u32 = 8;
const ROUND: u32 = 16;

/** Rounding to nearest, INEXACT masked (bit 12) and set (bit 5). */
// @ts-ignore: decorator
@inline export function isFast(): bool {
  return (mxcsr() & 0x7020) == 0x1020;
}

// ---------------------------------------------------------------------------------------------------------------------
// 64 bits

const SMALLEST_64: f64 = 2.2250738585072014e-308;
const LARGEST_64: f64 = 1.7976931348623157e308;

/** Zero, a normal number or infinity. */
// @ts-ignore: decorator
@inline export function isPlain64(x: f64): bool {
  return abs<f64>(x) >= SMALLEST_64 || x == 0;
}
// @ts-ignore: decorator
@inline export function isNormal64(x: f64): bool {
  return abs<f64>(x) >= SMALLEST_64 && abs<f64>(x) <= LARGEST_64;
}
// @ts-ignore: decorator
@inline function zeroes64(x: v128): v128 {
  return f64x2.eq(x, f64x2.splat(0));
}
// @ts-ignore: decorator
@inline function plain64(x: v128): v128 {
  return v128.or(f64x2.ge(f64x2.abs(x), f64x2.splat(SMALLEST_64)), zeroes64(x));
}
// @ts-ignore: decorator
@inline function normal64(x: v128): v128 {
  return v128.and(
    f64x2.ge(f64x2.abs(x), f64x2.splat(SMALLEST_64)),
    f64x2.le(f64x2.abs(x), f64x2.splat(LARGEST_64)),
  );
}
// @ts-ignore: decorator
@inline export function arePlain64(a: v128, b: v128): bool {
  return i64x2.all_true(v128.and(plain64(a), plain64(b)));
}

/** One lane in software; what it raises is added to `raised`. */
function lane64(operation: u32, a: u64, b: u64): u64 {
  beginSse(mxcsr());
  narrowToDouble();
  setA64(operation == ROOT || operation >= ROUND ? b : a);
  setB64(b);
  const result = calculate64(operation, a, b);
  raised |= flags;
  return result;
}

function calculate64(operation: u32, a: u64, b: u64): u64 {
  if (operation >= ROUND) roundLane(operation - ROUND);
  else if (operation >= COMPARE) return compareLane(operation - COMPARE) ? ~(<u64>0) : 0;
  else if (operation >= MINIMUM) {
    const first = prefersFirst(operation == MINIMUM);
    const flushed = denormalsAreZero && (first ? aKind : bKind) == ZERO;
    return (first ? a : b) & (flushed ? <u64>1 << 63 : ~(<u64>0));
  } else if (operation == ADD) add(false);
  else if (operation == SUBTRACT) add(true);
  else if (operation == MULTIPLY) multiply();
  else if (operation == DIVIDE) divide();
  else squareRoot();
  return out64();
}

/** All lanes of an operation in software. `odd` is what the odd lanes do. */
function slow64(operation: u32, odd: u32, a: v128, b: v128): v128 {
  raised = 0;
  let result = i64x2.splat(lane64(operation, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0)));
  result = i64x2.replace_lane(result, 1, lane64(odd, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1)));
  reportSse(raised);
  return result;
}

/** The lowest lane; the others are A's. */
function slowLowest64(operation: u32, a: v128, b: v128): v128 {
  raised = 0;
  const result = lane64(operation, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0));
  reportSse(raised);
  return i64x2.replace_lane(a, 0, result);
}

export function addpd(a: v128, b: v128): v128 {
  const r = f64x2.add(a, b);
  const zero = v128.and(zeroes64(r), f64x2.le(f64x2.abs(r), f64x2.splat(LARGEST_64)));
  return isFast() && arePlain64(a, b) && i64x2.all_true(v128.or(normal64(r), zero)) ? r : slow64(ADD, ADD, a, b);
}

export function addsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  const r = x + y;
  if (isFast() && isPlain64(x) && isPlain64(y) && (isNormal64(r) || ((r == 0) && abs<f64>(r) <= LARGEST_64))) {
    return f64x2.replace_lane(a, 0, r);
  }
  return slowLowest64(ADD, a, b);
}

export function subpd(a: v128, b: v128): v128 {
  const r = f64x2.sub(a, b);
  const zero = v128.and(zeroes64(r), f64x2.le(f64x2.abs(r), f64x2.splat(LARGEST_64)));
  return isFast() && arePlain64(a, b) && i64x2.all_true(v128.or(normal64(r), zero)) ? r : slow64(SUBTRACT, SUBTRACT, a, b);
}

export function subsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  const r = x - y;
  if (isFast() && isPlain64(x) && isPlain64(y) && (isNormal64(r) || ((r == 0) && abs<f64>(r) <= LARGEST_64))) {
    return f64x2.replace_lane(a, 0, r);
  }
  return slowLowest64(SUBTRACT, a, b);
}

export function mulpd(a: v128, b: v128): v128 {
  const r = f64x2.mul(a, b);
  const zero = v128.and(v128.or(zeroes64(a), zeroes64(b)), f64x2.le(f64x2.abs(r), f64x2.splat(LARGEST_64)));
  return isFast() && arePlain64(a, b) && i64x2.all_true(v128.or(normal64(r), zero)) ? r : slow64(MULTIPLY, MULTIPLY, a, b);
}

export function mulsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  const r = x * y;
  if (isFast() && isPlain64(x) && isPlain64(y) && (isNormal64(r) || ((x == 0 || y == 0) && abs<f64>(r) <= LARGEST_64))) {
    return f64x2.replace_lane(a, 0, r);
  }
  return slowLowest64(MULTIPLY, a, b);
}

export function divpd(a: v128, b: v128): v128 {
  const r = f64x2.div(a, b);
  const zero = v128.and(zeroes64(a), f64x2.le(f64x2.abs(r), f64x2.splat(LARGEST_64)));
  return isFast() && arePlain64(a, b) && i64x2.all_true(v128.or(normal64(r), zero)) ? r : slow64(DIVIDE, DIVIDE, a, b);
}

export function divsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  const r = x / y;
  if (isFast() && isPlain64(x) && isPlain64(y) && (isNormal64(r) || ((x == 0) && abs<f64>(r) <= LARGEST_64))) {
    return f64x2.replace_lane(a, 0, r);
  }
  return slowLowest64(DIVIDE, a, b);
}

export function minpd(a: v128, b: v128): v128 {
  return arePlain64(a, b) ? f64x2.pmin(b, a) : slow64(MINIMUM, MINIMUM, a, b);
}

export function minsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  if (isPlain64(x) && isPlain64(y)) return f64x2.replace_lane(a, 0, x < y ? x : y);
  return slowLowest64(MINIMUM, a, b);
}

export function maxpd(a: v128, b: v128): v128 {
  return arePlain64(a, b) ? f64x2.pmax(b, a) : slow64(MAXIMUM, MAXIMUM, a, b);
}

export function maxsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  if (isPlain64(x) && isPlain64(y)) return f64x2.replace_lane(a, 0, x > y ? x : y);
  return slowLowest64(MAXIMUM, a, b);
}

export function sqrtpd(b: v128): v128 {
  const r = f64x2.sqrt(b);
  return isFast() && i64x2.all_true(v128.or(normal64(r), zeroes64(b))) && i64x2.all_true(plain64(b))
    ? r
    : slow64(ROOT, ROOT, b, b);
}

export function sqrtsd(a: v128, b: v128): v128 {
  const x = f64x2.extract_lane(b, 0);
  const r = sqrt<f64>(x);
  if (isFast() && isPlain64(x) && (isNormal64(r) || x == 0)) return f64x2.replace_lane(a, 0, r);
  return slowLowest64(ROOT, a, b);
}

export function cmppd(a: v128, b: v128, immediate: u32): v128 {
  const predicate = immediate & 7;
  if (!arePlain64(a, b)) return slow64(COMPARE + predicate, COMPARE + predicate, a, b);
  if (predicate == 0) return f64x2.eq(a, b);
  if (predicate == 1) return f64x2.lt(a, b);
  if (predicate == 2) return f64x2.le(a, b);
  if (predicate == 3) return i64x2.splat(0);
  if (predicate == 4) return f64x2.ne(a, b);
  if (predicate == 5) return f64x2.ge(a, b);
  return predicate == 6 ? f64x2.gt(a, b) : i64x2.splat(-1);
}

export function cmpsdFloat(a: v128, b: v128, immediate: u32): v128 {
  return slowLowest64(COMPARE + (immediate & 7), a, b);
}

export function comisd(a: v128, b: v128): void {
  compareScalar64(a, b, false);
}

export function ucomisd(a: v128, b: v128): void {
  compareScalar64(a, b, true);
}

function compareScalar64(a: v128, b: v128, quiet: bool): void {
  const x = f64x2.extract_lane(a, 0);
  const y = f64x2.extract_lane(b, 0);
  if (isPlain64(x) && isPlain64(y)) return setArithmetic(x == y ? ZF : x < y ? CF : 0);
  beginSse(mxcsr());
  setA64(i64x2.extract_lane(a, 0));
  setB64(i64x2.extract_lane(b, 0));
  compareFlags(quiet);
}

export function haddpd(a: v128, b: v128): v128 {
  return addpd(i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
}

export function hsubpd(a: v128, b: v128): v128 {
  return subpd(i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
}

export function addsubpd(a: v128, b: v128): v128 {
  return slow64(SUBTRACT, ADD, a, b);
}

export function roundpd(b: v128, immediate: u32): v128 {
  return slow64(ROUND + (immediate & 15), ROUND + (immediate & 15), b, b);
}

export function roundsd(a: v128, b: v128, immediate: u32): v128 {
  return slowLowest64(ROUND + (immediate & 15), a, b);
}

// ---------------------------------------------------------------------------------------------------------------------
// 32 bits

const SMALLEST_32: f32 = 1.1754943508222875e-38;
const LARGEST_32: f32 = 3.4028234663852886e38;

/** Zero, a normal number or infinity. */
// @ts-ignore: decorator
@inline export function isPlain32(x: f32): bool {
  return abs<f32>(x) >= SMALLEST_32 || x == 0;
}
// @ts-ignore: decorator
@inline export function isNormal32(x: f32): bool {
  return abs<f32>(x) >= SMALLEST_32 && abs<f32>(x) <= LARGEST_32;
}
// @ts-ignore: decorator
@inline function zeroes32(x: v128): v128 {
  return f32x4.eq(x, f32x4.splat(0));
}
// @ts-ignore: decorator
@inline function plain32(x: v128): v128 {
  return v128.or(f32x4.ge(f32x4.abs(x), f32x4.splat(SMALLEST_32)), zeroes32(x));
}
// @ts-ignore: decorator
@inline function normal32(x: v128): v128 {
  return v128.and(
    f32x4.ge(f32x4.abs(x), f32x4.splat(SMALLEST_32)),
    f32x4.le(f32x4.abs(x), f32x4.splat(LARGEST_32)),
  );
}
// @ts-ignore: decorator
@inline export function arePlain32(a: v128, b: v128): bool {
  return i32x4.all_true(v128.and(plain32(a), plain32(b)));
}

/** One lane in software; what it raises is added to `raised`. */
function lane32(operation: u32, a: u32, b: u32): u32 {
  beginSse(mxcsr());
  narrowToSingle();
  setA32(operation == ROOT || operation >= ROUND ? b : a);
  setB32(b);
  const result = calculate32(operation, a, b);
  raised |= flags;
  return result;
}

function calculate32(operation: u32, a: u32, b: u32): u32 {
  if (operation >= ROUND) roundLane(operation - ROUND);
  else if (operation >= COMPARE) return compareLane(operation - COMPARE) ? ~(<u32>0) : 0;
  else if (operation >= MINIMUM) {
    const first = prefersFirst(operation == MINIMUM);
    const flushed = denormalsAreZero && (first ? aKind : bKind) == ZERO;
    return (first ? a : b) & (flushed ? <u32>1 << 31 : ~(<u32>0));
  } else if (operation == ADD) add(false);
  else if (operation == SUBTRACT) add(true);
  else if (operation == MULTIPLY) multiply();
  else if (operation == DIVIDE) divide();
  else squareRoot();
  return out32();
}

/** All lanes of an operation in software. `odd` is what the odd lanes do. */
function slow32(operation: u32, odd: u32, a: v128, b: v128): v128 {
  raised = 0;
  let result = i32x4.splat(lane32(operation, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)));
  result = i32x4.replace_lane(result, 1, lane32(odd, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)));
  result = i32x4.replace_lane(result, 2, lane32(operation, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)));
  result = i32x4.replace_lane(result, 3, lane32(odd, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)));
  reportSse(raised);
  return result;
}

/** The lowest lane; the others are A's. */
function slowLowest32(operation: u32, a: v128, b: v128): v128 {
  raised = 0;
  const result = lane32(operation, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0));
  reportSse(raised);
  return i32x4.replace_lane(a, 0, result);
}

export function addps(a: v128, b: v128): v128 {
  const r = f32x4.add(a, b);
  const zero = v128.and(zeroes32(r), f32x4.le(f32x4.abs(r), f32x4.splat(LARGEST_32)));
  return isFast() && arePlain32(a, b) && i32x4.all_true(v128.or(normal32(r), zero)) ? r : slow32(ADD, ADD, a, b);
}

export function addss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  const r = x + y;
  if (isFast() && isPlain32(x) && isPlain32(y) && (isNormal32(r) || ((r == 0) && abs<f32>(r) <= LARGEST_32))) {
    return f32x4.replace_lane(a, 0, r);
  }
  return slowLowest32(ADD, a, b);
}

export function subps(a: v128, b: v128): v128 {
  const r = f32x4.sub(a, b);
  const zero = v128.and(zeroes32(r), f32x4.le(f32x4.abs(r), f32x4.splat(LARGEST_32)));
  return isFast() && arePlain32(a, b) && i32x4.all_true(v128.or(normal32(r), zero)) ? r : slow32(SUBTRACT, SUBTRACT, a, b);
}

export function subss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  const r = x - y;
  if (isFast() && isPlain32(x) && isPlain32(y) && (isNormal32(r) || ((r == 0) && abs<f32>(r) <= LARGEST_32))) {
    return f32x4.replace_lane(a, 0, r);
  }
  return slowLowest32(SUBTRACT, a, b);
}

export function mulps(a: v128, b: v128): v128 {
  const r = f32x4.mul(a, b);
  const zero = v128.and(v128.or(zeroes32(a), zeroes32(b)), f32x4.le(f32x4.abs(r), f32x4.splat(LARGEST_32)));
  return isFast() && arePlain32(a, b) && i32x4.all_true(v128.or(normal32(r), zero)) ? r : slow32(MULTIPLY, MULTIPLY, a, b);
}

export function mulss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  const r = x * y;
  if (isFast() && isPlain32(x) && isPlain32(y) && (isNormal32(r) || ((x == 0 || y == 0) && abs<f32>(r) <= LARGEST_32))) {
    return f32x4.replace_lane(a, 0, r);
  }
  return slowLowest32(MULTIPLY, a, b);
}

export function divps(a: v128, b: v128): v128 {
  const r = f32x4.div(a, b);
  const zero = v128.and(zeroes32(a), f32x4.le(f32x4.abs(r), f32x4.splat(LARGEST_32)));
  return isFast() && arePlain32(a, b) && i32x4.all_true(v128.or(normal32(r), zero)) ? r : slow32(DIVIDE, DIVIDE, a, b);
}

export function divss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  const r = x / y;
  if (isFast() && isPlain32(x) && isPlain32(y) && (isNormal32(r) || ((x == 0) && abs<f32>(r) <= LARGEST_32))) {
    return f32x4.replace_lane(a, 0, r);
  }
  return slowLowest32(DIVIDE, a, b);
}

export function minps(a: v128, b: v128): v128 {
  return arePlain32(a, b) ? f32x4.pmin(b, a) : slow32(MINIMUM, MINIMUM, a, b);
}

export function minss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  if (isPlain32(x) && isPlain32(y)) return f32x4.replace_lane(a, 0, x < y ? x : y);
  return slowLowest32(MINIMUM, a, b);
}

export function maxps(a: v128, b: v128): v128 {
  return arePlain32(a, b) ? f32x4.pmax(b, a) : slow32(MAXIMUM, MAXIMUM, a, b);
}

export function maxss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  if (isPlain32(x) && isPlain32(y)) return f32x4.replace_lane(a, 0, x > y ? x : y);
  return slowLowest32(MAXIMUM, a, b);
}

export function sqrtps(b: v128): v128 {
  const r = f32x4.sqrt(b);
  return isFast() && i32x4.all_true(v128.or(normal32(r), zeroes32(b))) && i32x4.all_true(plain32(b))
    ? r
    : slow32(ROOT, ROOT, b, b);
}

export function sqrtss(a: v128, b: v128): v128 {
  const x = f32x4.extract_lane(b, 0);
  const r = sqrt<f32>(x);
  if (isFast() && isPlain32(x) && (isNormal32(r) || x == 0)) return f32x4.replace_lane(a, 0, r);
  return slowLowest32(ROOT, a, b);
}

export function cmpps(a: v128, b: v128, immediate: u32): v128 {
  const predicate = immediate & 7;
  if (!arePlain32(a, b)) return slow32(COMPARE + predicate, COMPARE + predicate, a, b);
  if (predicate == 0) return f32x4.eq(a, b);
  if (predicate == 1) return f32x4.lt(a, b);
  if (predicate == 2) return f32x4.le(a, b);
  if (predicate == 3) return i64x2.splat(0);
  if (predicate == 4) return f32x4.ne(a, b);
  if (predicate == 5) return f32x4.ge(a, b);
  return predicate == 6 ? f32x4.gt(a, b) : i64x2.splat(-1);
}

export function cmpss(a: v128, b: v128, immediate: u32): v128 {
  return slowLowest32(COMPARE + (immediate & 7), a, b);
}

export function comiss(a: v128, b: v128): void {
  compareScalar32(a, b, false);
}

export function ucomiss(a: v128, b: v128): void {
  compareScalar32(a, b, true);
}

function compareScalar32(a: v128, b: v128, quiet: bool): void {
  const x = f32x4.extract_lane(a, 0);
  const y = f32x4.extract_lane(b, 0);
  if (isPlain32(x) && isPlain32(y)) return setArithmetic(x == y ? ZF : x < y ? CF : 0);
  beginSse(mxcsr());
  setA32(i32x4.extract_lane(a, 0));
  setB32(i32x4.extract_lane(b, 0));
  compareFlags(quiet);
}

export function haddps(a: v128, b: v128): v128 {
  return addps(i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

export function hsubps(a: v128, b: v128): v128 {
  return subps(i32x4.shuffle(a, b, 0, 2, 4, 6), i32x4.shuffle(a, b, 1, 3, 5, 7));
}

export function addsubps(a: v128, b: v128): v128 {
  return slow32(SUBTRACT, ADD, a, b);
}

export function roundps(b: v128, immediate: u32): v128 {
  return slow32(ROUND + (immediate & 15), ROUND + (immediate & 15), b, b);
}

export function roundss(a: v128, b: v128, immediate: u32): v128 {
  return slowLowest32(ROUND + (immediate & 15), a, b);
}

// ---------------------------------------------------------------------------------------------------------------------
// Lanes of either width, with the operands taken apart

/** What the lanes so far have raised. */
let raised: u32 = 0;

/** Whether the minimum or maximum is A: not when one is a NaN, nor when they are equal (zeroes too). */
function prefersFirst(lesser: bool): bool {
  const result = order();
  if (result == 2) raiseFloat(INVALID);
  else isDenormalStop();
  return result == (lesser ? -1 : 1);
}

/** Predicates EQ, LT, LE, UNORD and their opposites; those that ask for an order do not like quiet NaNs. */
function compareLane(predicate: u32): bool {
  const result = order();
  const ordering = (predicate & 3) == 1 || (predicate & 3) == 2;
  if (result != 2) isDenormalStop();
  else if (ordering || aKind == SIGNALING || bKind == SIGNALING) raiseFloat(INVALID);
  let holds = result == 2;
  if ((predicate & 3) == 0) holds = result == 0;
  else if ((predicate & 3) == 1) holds = result == -1;
  else if ((predicate & 3) == 2) holds = result <= 0;
  return holds != (predicate > 3);
}

/** UCOMISS and the like: ZF, PF, CF; nothing changes when #XM is raised. */
function compareFlags(quiet: bool): void {
  const result = order();
  if (result != 2) isDenormalStop();
  else if (!quiet || aKind == SIGNALING || bKind == SIGNALING) raiseFloat(INVALID);
  const unmasked = (flags & ~(mxcsr() >> 7)) != 0;
  reportSse(flags);
  if (!unmasked) setArithmetic(result == 2 ? ZF | PF | CF : result == 0 ? ZF : result < 0 ? CF : 0);
}

/** OUT = A rounded to an integer as the immediate says: bits 1:0 the mode, unless bit 2; bit 3 keeps INEXACT quiet. */
function roundLane(immediate: u32): void {
  if (isNanA()) return;
  if ((immediate & 4) == 0) setRounding(immediate & 3);
  roundToInteger();
  if ((immediate & 8) != 0) setFloatFlags(flags & ~INEXACT);
}

// ---------------------------------------------------------------------------------------------------------------------
// Dot products and approximations

/** Products of the lanes that bits 7:4 choose, their sum into the lanes that bits 3:0 choose. */
export function dpps(a: v128, b: v128, immediate: u32): v128 {
  const products = mulps(v128.and(a, lanes32(immediate >> 4)), v128.and(b, lanes32(immediate >> 4)));
  // An exception of one step that is not masked keeps the next from raising any.
  if (fault) return products;
  const kept = v128.and(products, lanes32(immediate >> 4));
  const pairs = addps(i32x4.shuffle(kept, kept, 0, 2, 0, 2), i32x4.shuffle(kept, kept, 1, 3, 1, 3));
  if (fault) return pairs;
  const sum = addps(i32x4.shuffle(pairs, pairs, 0, 0, 0, 0), i32x4.shuffle(pairs, pairs, 1, 1, 1, 1));
  return v128.and(sum, lanes32(immediate));
}

export function dppd(a: v128, b: v128, immediate: u32): v128 {
  const chosen = lanes64(immediate >> 4);
  const products = mulpd(v128.and(a, chosen), v128.and(b, chosen));
  if (fault) return products;
  const kept = v128.and(products, chosen);
  const sum = addpd(i64x2.shuffle(kept, kept, 0, 0), i64x2.shuffle(kept, kept, 1, 1));
  return v128.and(sum, lanes64(immediate));
}

function lanes32(bits: u32): v128 {
  return i32x4.ne(v128.and(i32x4.splat(bits), i32x4(1, 2, 4, 8)), i64x2.splat(0));
}
function lanes64(bits: u32): v128 {
  return i64x2.ne(v128.and(i64x2.splat(bits), i64x2(1, 2)), i64x2.splat(0));
}

/**
 * RCPPS and RSQRTPS may err by 1.5 * 2^-12 and raise nothing; ours are exact to rounding. Denormals count as zeroes, and
 * so do results that would be denormal.
 */
function approximate(bits: u32, root: bool): u32 {
  const field = (bits >> 23) & 0xff;
  const sign = bits & 0x8000_0000;
  if (field == 0) return sign | 0x7f80_0000;
  if (field == 0xff && (bits << 9) != 0) return bits | 0x40_0000;
  const x = reinterpret<f32>(bits);
  if (!root) {
    const r = reinterpret<u32>(<f32>1 / x);
    return ((r >> 23) & 0xff) == 0 ? sign : r;
  }
  return sign != 0 ? 0xffc0_0000 : reinterpret<u32>(<f32>(1.0 / sqrt<f64>(<f64>x)));
}

function approximateAll(b: v128, root: bool): v128 {
  let result = i32x4.splat(approximate(i32x4.extract_lane(b, 0), root));
  result = i32x4.replace_lane(result, 1, approximate(i32x4.extract_lane(b, 1), root));
  result = i32x4.replace_lane(result, 2, approximate(i32x4.extract_lane(b, 2), root));
  return i32x4.replace_lane(result, 3, approximate(i32x4.extract_lane(b, 3), root));
}

export function rcpps(b: v128): v128 { return approximateAll(b, false); }
export function rsqrtps(b: v128): v128 { return approximateAll(b, true); }
export function rcpss(a: v128, b: v128): v128 {
  return i32x4.replace_lane(a, 0, approximate(i32x4.extract_lane(b, 0), false));
}
export function rsqrtss(a: v128, b: v128): v128 {
  return i32x4.replace_lane(a, 0, approximate(i32x4.extract_lane(b, 0), true));
}
