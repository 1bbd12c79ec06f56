// The AES instructions (SDM volume 1, section 12.13; FIPS 197). A vector is the state, column by column.

/** The S-box and its inverse, 256 bytes each; made at first use. */
const BOX: usize = memory.data(256, 16);
const INVERSE_BOX: usize = memory.data(256, 16);
const STATE_IN: usize = memory.data(16, 16);
const STATE_OUT: usize = memory.data(16, 16);

/** Twice an element of GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function double(x: u32): u32 {
  return ((x << 1) ^ ((x >> 7) * 0x11b)) & 0xff;
}

/**
 * Walks the field's powers of 3 and, beside it, of its inverse, so that `power` and `inverse` are always each other's
 * reciprocal (FIPS 197, section 5.1.1).
 */
function makeBoxes(): void {
  let power: u32 = 1;
  let inverse: u32 = 1;
  do {
    power ^= double(power);
    inverse ^= inverse << 1;
    inverse ^= inverse << 2;
    inverse ^= inverse << 4;
    inverse &= 0xff;
    if ((inverse & 0x80) != 0) inverse ^= 0x09;
    const spread = inverse | (inverse << 8);
    setBox(power, (spread ^ (spread >> 4) ^ (spread >> 5) ^ (spread >> 6) ^ (spread >> 7) ^ 0x63) & 0xff);
  } while (power != 1);
  setBox(0, 0x63);
}

function setBox(from: u32, to: u32): void {
  store<u8>(BOX + from, <u8>to);
  store<u8>(INVERSE_BOX + to, <u8>from);
}

function box(): usize {
  if (load<u8>(BOX) == 0) makeBoxes();
  return BOX;
}

/** SubBytes and ShiftRows, or their inverses: `shift` is 1 or -1 columns to the right per row. */
function substitute(state: v128, table: usize, shift: i32): v128 {
  v128.store(STATE_IN, state);
  for (let at: i32 = 0; at < 16; at++) {
    const from = (at + (at & 3) * 4 * shift) & 15;
    store<u8>(STATE_OUT + at, load<u8>(table + load<u8>(STATE_IN + from)));
  }
  return v128.load(STATE_OUT);
}

/** Twice each byte. */
function doubleAll(state: v128): v128 {
  const carries = v128.and(i8x16.shr_s(state, 7), i8x16.splat(0x1b));
  return v128.xor(i8x16.shl(state, 1), carries);
}

// @ts-ignore: decorator
@inline function rotateColumns1(x: v128): v128 {
  return i8x16.shuffle(x, x, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
}
// @ts-ignore: decorator
@inline function rotateColumns2(x: v128): v128 {
  return i16x8.shuffle(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}

/** Each byte becomes 2 * itself + 3 * the next + the two others of its column. */
function mixColumns(x: v128): v128 {
  const twice = doubleAll(x);
  const next = rotateColumns1(v128.xor(x, twice));
  const others = v128.xor(rotateColumns2(x), rotateColumns1(rotateColumns2(x)));
  return v128.xor(v128.xor(twice, next), others);
}

/** Its inverse is the same after each byte has become itself + 4 * (itself + the second next). */
function inverseMixColumns(x: v128): v128 {
  const four = doubleAll(doubleAll(v128.xor(x, rotateColumns2(x))));
  return mixColumns(v128.xor(x, four));
}

export function aesenc(a: v128, b: v128): v128 {
  return v128.xor(mixColumns(substitute(a, box(), 1)), b);
}
export function aesenclast(a: v128, b: v128): v128 {
  return v128.xor(substitute(a, box(), 1), b);
}
export function aesdec(a: v128, b: v128): v128 {
  box();
  return v128.xor(inverseMixColumns(substitute(a, INVERSE_BOX, -1)), b);
}
export function aesdeclast(a: v128, b: v128): v128 {
  box();
  return v128.xor(substitute(a, INVERSE_BOX, -1), b);
}
export function aesimc(b: v128): v128 {
  return inverseMixColumns(b);
}

/** Doublewords 1 and 3 through the S-box, and the same rotated with the round constant. */
export function aeskeygenassist(b: v128, immediate: u32): v128 {
  const boxed = substitute(b, box(), 0);
  const first: u32 = i32x4.extract_lane(boxed, 1);
  const second: u32 = i32x4.extract_lane(boxed, 3);
  let result = i32x4.splat(first);
  result = i32x4.replace_lane(result, 1, rotr<u32>(first, 8) ^ immediate);
  result = i32x4.replace_lane(result, 2, second);
  return i32x4.replace_lane(result, 3, rotr<u32>(second, 8) ^ immediate);
}
