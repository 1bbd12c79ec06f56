import type { Random } from '../random.ts';

/** An 80-bit number: sign and exponent, significand. */
export type Extended = readonly [signExponent: number, significand: bigint];

const TOP = 1n << 63n;
const SIGNIFICANDS: readonly bigint[] = [
  0n,
  1n,
  TOP,
  TOP | 1n,
  0xffff_ffff_ffff_ffffn,
  0xc000_0000_0000_0000n,
  0xc000_0000_0000_0001n,
  0xbfff_ffff_ffff_ffffn,
  0x7fff_ffff_ffff_ffffn,
  0x4000_0000_0000_0000n,
  0xffff_ffff_ffff_f800n,
  0xffff_ffff_ffff_f400n,
  0x8000_0000_0000_0c00n,
  0xffff_ff00_0000_0000n,
  0x8000_0080_0000_0000n,
];
/** Around the ends of the ranges of all formats, of the integers, and 1. */
const EXPONENTS: readonly number[] = [
  0, 1, 2, 63, 64, 0x3f6a, 0x3f80, 0x3f81, 0x3bcd, 0x3c00, 0x3c01, 0x3fbf, 0x3ffe, 0x3fff, 0x4000, 0x400e, 0x401d,
  0x401e, 0x403d, 0x403e, 0x403f, 0x407e, 0x407f, 0x43fe, 0x43ff, 0x7ffd, 0x7ffe, 0x7fff,
];

/** Every kind of number there is, for tables of all with all. */
export const SPECIAL_EXTENDED: readonly Extended[] = [0, 0x8000].flatMap((sign): Extended[] => [
  [sign, 0n],
  [sign, 1n],
  [sign, 0x7fff_ffff_ffff_ffffn],
  [sign, TOP],
  [sign | 1, TOP],
  [sign | 0x3fff, TOP],
  [sign | 0x3fff, TOP | 1n],
  [sign | 0x4000, 0xc000_0000_0000_0000n],
  [sign | 0x403e, 0xffff_ffff_ffff_ffffn],
  [sign | 0x7ffe, 0xffff_ffff_ffff_ffffn],
  [sign | 0x7fff, TOP],
  [sign | 0x7fff, 0xc000_0000_0000_0000n],
  [sign | 0x7fff, 0xe000_0000_0000_0001n],
  [sign | 0x7fff, 0xa000_0000_0000_0001n],
  [sign | 0x7fff, 0n],
  [sign | 0x7fff, 1n],
  [sign | 0x3fff, 1n],
]);

export function extended(random: Random): Extended {
  const sign = random.bits() & 0x8000;
  if (random.once(10)) return [sign | random.pick([0, 0x7fff, 0x3fff]), random.pick([0n, TOP])];
  const kept = -1n << BigInt(random.below(64));
  const significand = random.pick([
    random.bits64(),
    random.pick(SIGNIFICANDS),
    random.bits64() & kept & (2n ** 64n - 1n),
  ]);
  const near = 0x3fff + random.below(160) - 80;
  const exponent = random.pick([random.pick(EXPONENTS), near, random.bits() & 0x7fff]);
  return [sign | exponent, exponent === 0 || random.once(8) ? significand : significand | TOP];
}

const SINGLES: readonly number[] = [
  0, 0x8000_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffa0_0000, 1, 0x807f_ffff, 0x0080_0000,
  0x7f7f_ffff, 0x3f80_0000, 0xbf80_0000, 0x4b00_0000, 0x4b7f_ffff, 0x4f00_0000, 0xcf00_0000, 0x4eff_ffff, 0x5f00_0000,
  0x3f00_0000, 0x3fc0_0000, 0x4020_0000,
];
const DOUBLES: readonly bigint[] = [
  0n,
  TOP,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0x7ff0_0000_0000_0001n,
  0xfff4_0000_0000_0000n,
  1n,
  0x800f_ffff_ffff_ffffn,
  0x0010_0000_0000_0000n,
  0x7fef_ffff_ffff_ffffn,
  0x3ff0_0000_0000_0000n,
  0xbff0_0000_0000_0000n,
  0x41df_ffff_ffc0_0000n,
  0x41e0_0000_0000_0000n,
  0xc1e0_0000_0000_0000n,
  0xc1e0_0000_0020_0000n,
  0x43e0_0000_0000_0000n,
  0x3fe0_0000_0000_0000n,
  0x3ff8_0000_0000_0000n,
  0x47ef_ffff_e000_0000n,
  0x47ef_ffff_f000_0000n,
  0x3810_0000_0000_0000n,
];

function single(random: Random): number {
  if (random.once(3)) return random.pick(SINGLES);
  const mantissa = random.bits() & 0x807f_ffff & (random.once(3) ? -65536 : -1);
  return (mantissa | ((127 + random.below(70) - 35) << 23)) >>> 0;
}

function double(random: Random): bigint {
  if (random.once(3)) return random.pick(DOUBLES);
  const mantissa = random.bits64() & 0x800f_ffff_ffff_ffffn & (random.once(3) ? ~0xffff_ffffn : ~0n);
  return mantissa | (BigInt(1023 + random.below(140) - 70) << 52n);
}

/** What a state's vectors are made of: bits, singles, doubles, or bytes at the ends of their ranges. */
export type Filling = 0 | 1 | 2 | 3;

/** Fills 16 bytes in. */
export function fillVector(view: DataView, at: number, random: Random, filling: Filling): void {
  for (let part = 0; part < 16; part += 4)
    view.setUint32(at + part, filling === 1 ? single(random) : random.bits(), true);
  if (filling === 2) for (const part of [0, 8]) view.setBigUint64(at + part, double(random), true);
  if (filling === 3)
    for (let part = 0; part < 16; part++) view.setUint8(at + part, random.pick([0, 1, 0x7f, 0x80, 0xff, 0x41]));
}
