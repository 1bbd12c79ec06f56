import { DATA, DATA_LENGTH, FLAGS, REGISTERS, type FloatState } from './float-state.ts';

/** Numbers that repeat with their seed (a linear congruence, its upper bits mixed). */
export class FloatRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 bits. */
  next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    let mixed = this.#state ^ (this.#state >>> 15);
    mixed = Math.imul(mixed, 0x2c1b3c6d);
    mixed ^= mixed >>> 12;
    mixed = Math.imul(mixed, 0x297a2d39);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  below(end: number): number {
    return this.next() % end;
  }

  once(in_: number): boolean {
    return this.below(in_) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const value = list[this.below(list.length)];
    if (value === undefined) throw new Error('there is nothing to pick from');
    return value;
  }

  next64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }
}

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

export function extended(random: FloatRandom): Extended {
  const sign = random.next() & 0x8000;
  if (random.once(10)) return [sign | random.pick([0, 0x7fff, 0x3fff]), random.pick([0n, TOP])];
  const kept = -1n << BigInt(random.below(64));
  const significand = random.pick([
    random.next64(),
    random.pick(SIGNIFICANDS),
    random.next64() & kept & (2n ** 64n - 1n),
  ]);
  const near = 0x3fff + random.below(160) - 80;
  const exponent = random.pick([random.pick(EXPONENTS), near, random.next() & 0x7fff]);
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

function single(random: FloatRandom): number {
  if (random.once(3)) return random.pick(SINGLES);
  const mantissa = random.next() & 0x807f_ffff & (random.once(3) ? -65536 : -1);
  return (mantissa | ((127 + random.below(70) - 35) << 23)) >>> 0;
}

function double(random: FloatRandom): bigint {
  if (random.once(3)) return random.pick(DOUBLES);
  const mantissa = random.next64() & 0x800f_ffff_ffff_ffffn & (random.once(3) ? ~0xffff_ffffn : ~0n);
  return mantissa | (BigInt(1023 + random.below(140) - 70) << 52n);
}

/** What a state's vectors are made of: bits, singles, doubles, or bytes at the ends of their ranges. */
type Filling = 0 | 1 | 2 | 3;

function fill(view: DataView, at: number, random: FloatRandom, filling: Filling): void {
  for (let part = 0; part < 16; part += 4)
    view.setUint32(at + part, filling === 1 ? single(random) : random.next(), true);
  if (filling === 2) for (const part of [0, 8]) view.setBigUint64(at + part, double(random), true);
  if (filling === 3)
    for (let part = 0; part < 16; part++) view.setUint8(at + part, random.pick([0, 1, 0x7f, 0x80, 0xff, 0x41]));
}

/** All rounding modes and precisions, all exceptions masked. */
const CONTROLS = [0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x67f, 0xa7f, 0xe7f, 0x07f, 0x47f, 0x87f, 0xc7f] as const;
/** Rounding modes, with and without DAZ and FTZ, with no, some and all flags set. */
const MXCSRS = [
  0x1f80, 0x1fa0, 0x1fbf, 0x3f80, 0x5f80, 0x7f80, 0x3fa0, 0x5fbf, 0x9fc0, 0xdfe0, 0x9f80, 0x1fc0,
] as const;

export interface FillOptions {
  /** Registers R0 to R7 hold 80-bit numbers, else MMX values. */
  readonly x87: boolean;
  /** Leave some x87 exceptions unmasked. */
  readonly unmasked?: boolean;
}

export function fillState(
  { image, data }: FloatState,
  random: FloatRandom,
  { x87, unmasked = false }: FillOptions,
): void {
  const filling = random.below(4) as Filling;
  const control = random.once(4) ? 0x37f : random.pick(CONTROLS);
  const top = random.below(8);
  image.setUint16(0, unmasked ? control & ~(random.next() & 0x3f) : control, true);
  image.setUint16(2, (x87 ? random.next() & 0x4700 : 0) | (top << 11), true);
  // Mostly one free register below the top, so that there is room to push.
  image.setUint8(4, random.once(8) ? random.below(256) : 0xff & ~(random.once(4) ? 0 : 1 << ((top + 7) & 7)));
  for (let index = 0; index < 8; index++) {
    const [signExponent, significand] = x87 ? extended(random) : [0xffff, 0n];
    if (!x87) fill(image, 32 + 16 * index, random, filling);
    else image.setBigUint64(32 + 16 * index, significand, true);
    image.setBigUint64(40 + 16 * index, BigInt(signExponent), true);
    fill(image, 160 + 16 * index, random, filling);
    if (random.once(4)) image.setBigUint64(160 + 16 * index, BigInt(random.below(70)), true);
    image.setBigUint64(REGISTERS + 8 * index, BigInt(random.once(4) ? random.below(40) : random.next()), true);
  }
  image.setUint32(24, random.pick(MXCSRS), true);
  image.setBigUint64(REGISTERS + 56, BigInt(DATA), true);
  image.setBigUint64(FLAGS, BigInt((random.next() & 0x8d5) | 0x202), true);
  const view = new DataView(data.buffer);
  for (let at = 0; at < DATA_LENGTH; at += 16) fill(view, at, random, x87 ? random.pick([0, 1, 2]) : filling);
}
