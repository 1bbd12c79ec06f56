// The SHA instructions (SDM volume 1, section 12.14; volume 2; FIPS 180-4). The most significant doubleword is first.
import { xmm } from './vector-register';

// @ts-ignore: decorator
@inline function lane(a: v128, index: u32): u32 {
  if (index == 0) return i32x4.extract_lane(a, 0);
  if (index == 1) return i32x4.extract_lane(a, 1);
  return index == 2 ? i32x4.extract_lane(a, 2) : i32x4.extract_lane(a, 3);
}

function vector(d3: u32, d2: u32, d1: u32, d0: u32): v128 {
  let result = i32x4.splat(d0);
  result = i32x4.replace_lane(result, 1, d1);
  result = i32x4.replace_lane(result, 2, d2);
  return i32x4.replace_lane(result, 3, d3);
}

export function sha1nexte(a: v128, b: v128): v128 {
  return i32x4.replace_lane(b, 3, lane(b, 3) + rotl<u32>(lane(a, 3), 30));
}

export function sha1msg1(a: v128, b: v128): v128 {
  return vector(lane(a, 1) ^ lane(a, 3), lane(a, 0) ^ lane(a, 2), lane(b, 3) ^ lane(a, 1), lane(b, 2) ^ lane(a, 0));
}

export function sha1msg2(a: v128, b: v128): v128 {
  const w16 = rotl<u32>(lane(a, 3) ^ lane(b, 2), 1);
  const w17 = rotl<u32>(lane(a, 2) ^ lane(b, 1), 1);
  const w18 = rotl<u32>(lane(a, 1) ^ lane(b, 0), 1);
  return vector(w16, w17, w18, rotl<u32>(lane(a, 0) ^ w16, 1));
}

function mix1(kind: u32, b: u32, c: u32, d: u32): u32 {
  if (kind == 0) return ((b & c) ^ (~b & d)) + 0x5a82_7999;
  if (kind == 1) return (b ^ c ^ d) + 0x6ed9_eba1;
  if (kind == 2) return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1b_bcdc;
  return (b ^ c ^ d) + 0xca62_c1d6;
}

/** Four rounds; the first word comes with E already added. */
export function sha1rnds4(a: v128, b: v128, immediate: u32): v128 {
  let wa = lane(a, 3);
  let wb = lane(a, 2);
  let wc = lane(a, 1);
  let wd = lane(a, 0);
  let we: u32 = 0;
  for (let round: u32 = 0; round < 4; round++) {
    const next = mix1(immediate & 3, wb, wc, wd) + rotl<u32>(wa, 5) + lane(b, 3 - round) + we;
    we = wd;
    wd = wc;
    wc = rotl<u32>(wb, 30);
    wb = wa;
    wa = next;
  }
  return vector(wa, wb, wc, wd);
}

function large0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}
function large1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}
function small0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}
function small1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

/** Two rounds, with the words and constants in XMM0. */
export function sha256rnds2(a: v128, b: v128): v128 {
  const keys = xmm(0);
  let wa = lane(b, 3);
  let wb = lane(b, 2);
  let wc = lane(a, 3);
  let wd = lane(a, 2);
  let we = lane(b, 1);
  let wf = lane(b, 0);
  let wg = lane(a, 1);
  let wh = lane(a, 0);
  for (let round: u32 = 0; round < 2; round++) {
    const sum = ((we & wf) ^ (~we & wg)) + large1(we) + lane(keys, round) + wh;
    const next = sum + ((wa & wb) ^ (wa & wc) ^ (wb & wc)) + large0(wa);
    wh = wg;
    wg = wf;
    wf = we;
    we = sum + wd;
    wd = wc;
    wc = wb;
    wb = wa;
    wa = next;
  }
  return vector(wa, wb, we, wf);
}

export function sha256msg1(a: v128, b: v128): v128 {
  return vector(
    lane(a, 3) + small0(lane(b, 0)),
    lane(a, 2) + small0(lane(a, 3)),
    lane(a, 1) + small0(lane(a, 2)),
    lane(a, 0) + small0(lane(a, 1)),
  );
}

export function sha256msg2(a: v128, b: v128): v128 {
  const w16 = lane(a, 0) + small1(lane(b, 2));
  const w17 = lane(a, 1) + small1(lane(b, 3));
  const w18 = lane(a, 2) + small1(w16);
  return vector(lane(a, 3) + small1(w17), w18, w17, w16);
}
