// Numbers with 128 bits of significand, for the transcendental functions: enough that a series of them, rounded once at
// its end, is right to the last of 64 bits. A number is 24 bytes in memory, at an address:
//
//     +0  u64  the significand's lower half
//     +8  u64  its upper half, highest bit set (0 when the number is zero)
//     +16 i32  exponent        +20  u32  sign
//
//     value = (-1)^sign * significand / 2^127 * 2^exponent
import { divideWide, lowHalf, multiplyWide, remainderOfDivide, round } from './float';

export const WIDE_SIZE: u32 = 24;

// @ts-ignore: decorator
@inline export function wideHigh(at: usize): u64 {
  return load<u64>(at, 8);
}
// @ts-ignore: decorator
@inline export function wideExponent(at: usize): i32 {
  return load<i32>(at, 16);
}
// @ts-ignore: decorator
@inline export function wideSign(at: usize): u32 {
  return load<u32>(at, 20);
}
// @ts-ignore: decorator
@inline export function isWideZero(at: usize): bool {
  return load<u64>(at, 8) == 0;
}

export function setWide(at: usize, sign: u32, exponent: i32, high: u64, low: u64): void {
  store<u64>(at, low);
  store<u64>(at, high, 8);
  store<i32>(at, exponent, 16);
  store<u32>(at, sign, 20);
}

export function copyWide(to: usize, from: usize): void {
  setWide(to, wideSign(from), wideExponent(from), wideHigh(from), load<u64>(from));
}

export function negateWide(at: usize): void {
  store<u32>(at, wideSign(at) ^ 1, 20);
}

export function addExponent(at: usize, by: i32): void {
  store<i32>(at, wideExponent(at) + by, 16);
}

/** Stores high:low * 2^exponent, which need not be normalised. */
export function normalizeWide(at: usize, sign: u32, exponent: i32, high: u64, low: u64): void {
  if (high == 0) {
    high = low;
    low = 0;
    exponent -= 64;
  }
  if (high == 0) return setWide(at, sign, 0, 0, 0);
  const shift = clz(high);
  if (shift != 0) {
    high = (high << shift) | (low >> (64 - shift));
    low <<= shift;
  }
  setWide(at, sign, exponent - <i32>shift, high, low);
}

export function setWideInteger(at: usize, value: i64): void {
  normalizeWide(at, value < 0 ? 1 : 0, 63, value < 0 ? -value : value, 0);
}

/** to = a + b, truncated. */
export function addWide(to: usize, a: usize, b: usize): void {
  if (isWideZero(a)) return copyWide(to, b);
  if (isWideZero(b)) return copyWide(to, a);
  if (wideExponent(a) < wideExponent(b)) return addOrdered(to, b, a);
  addOrdered(to, a, b);
}

function addOrdered(to: usize, a: usize, b: usize): void {
  const distance = wideExponent(a) - wideExponent(b);
  if (distance > 127) return copyWide(to, a);
  let high = wideHigh(b);
  let low = load<u64>(b);
  if (distance >= 64) {
    low = high >> (distance - 64);
    high = 0;
  } else if (distance != 0) {
    low = (low >> distance) | (high << (64 - distance));
    high >>= distance;
  }
  if (wideSign(a) == wideSign(b)) addAligned(to, a, high, low);
  else subtractAligned(to, a, high, low);
}

function addAligned(to: usize, a: usize, high: u64, low: u64): void {
  const sumLow = load<u64>(a) + low;
  const carry = u64(sumLow < low);
  const partial = wideHigh(a) + high;
  const sumHigh = partial + carry;
  const overflowed = partial < high || sumHigh < partial;
  if (!overflowed) return setWide(to, wideSign(a), wideExponent(a), sumHigh, sumLow);
  setWide(to, wideSign(a), wideExponent(a) + 1, (sumHigh >> 1) | ((<u64>1) << 63), (sumLow >> 1) | (sumHigh << 63));
}

function subtractAligned(to: usize, a: usize, high: u64, low: u64): void {
  const aLow = load<u64>(a);
  const borrow = u64(aLow < low);
  const aHigh = wideHigh(a);
  if (aHigh < high || (aHigh == high && borrow != 0)) {
    // Of equal exponents, and B is the larger.
    const back = u64(low < aLow);
    return normalizeWide(to, wideSign(a) ^ 1, wideExponent(a), high - aHigh - back, low - aLow);
  }
  normalizeWide(to, wideSign(a), wideExponent(a), aHigh - high - borrow, aLow - low);
}

/** to = a * b, without the product of the lower halves. */
export function multiplyWides(to: usize, a: usize, b: usize): void {
  const sign = wideSign(a) ^ wideSign(b);
  const exponent = wideExponent(a) + wideExponent(b) + 1;
  const high = multiplyWide(wideHigh(a), wideHigh(b));
  const low = lowHalf();
  const cross = multiplyWide(wideHigh(a), load<u64>(b));
  const other = multiplyWide(load<u64>(a), wideHigh(b));
  const first = low + cross;
  const second = first + other;
  normalizeWide(to, sign, exponent, high + u64(first < cross) + u64(second < other), second);
}

/** to = a / n. */
export function divideSmall(to: usize, a: usize, n: u32): void {
  const shift = clz<u64>(n);
  const divisor = (<u64>n) << shift;
  // The upper half of a may not be less than the divisor: one bit further down it is.
  const high = divideWide(wideHigh(a) >> 1, (wideHigh(a) << 63) | (load<u64>(a) >> 1), divisor);
  const low = divideWide(remainderOfDivide(), load<u64>(a) << 63, divisor);
  normalizeWide(to, wideSign(a), wideExponent(a) + <i32>shift - 63, high, low);
}

const QUOTIENT: usize = memory.data(24, 8);
const PRODUCT: usize = memory.data(24, 8);
const REST: usize = memory.data(24, 8);

/** to = a / b: sixty bits by the upper halves, then as many of what is left. */
export function divideWides(to: usize, a: usize, b: usize): void {
  estimate(QUOTIENT, a, b);
  multiplyWides(PRODUCT, QUOTIENT, b);
  negateWide(PRODUCT);
  addWide(REST, a, PRODUCT);
  if (isWideZero(REST)) return copyWide(to, QUOTIENT);
  estimate(PRODUCT, REST, b);
  addWide(to, QUOTIENT, PRODUCT);
}

function estimate(to: usize, a: usize, b: usize): void {
  const quotient = divideWide(wideHigh(a) >> 1, (wideHigh(a) << 63) | (load<u64>(a) >> 1), wideHigh(b));
  normalizeWide(to, wideSign(a) ^ wideSign(b), wideExponent(a) - wideExponent(b), quotient, 0);
}

/** One unit less in magnitude: what a series whose terms have become too small to count stands for. */
export function lowerWide(at: usize): void {
  const high = wideHigh(at);
  const low = load<u64>(at);
  if (low == 0 && high << 1 == 0) setWide(at, wideSign(at), wideExponent(at) - 1, ~(<u64>0), ~(<u64>0));
  else setWide(at, wideSign(at), wideExponent(at), high - u64(low == 0), low - 1);
}

/** OUT = the number, rounded; it stands for one that is not exact. */
export function roundWide(at: usize): void {
  round(wideSign(at), wideExponent(at), wideHigh(at), load<u64>(at) | 1);
}
