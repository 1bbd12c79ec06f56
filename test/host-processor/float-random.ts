import type { Random } from '../random.ts';
import { DATA, DATA_LENGTH, FLAGS, REGISTERS, type FloatState } from './float-state.ts';
import { extended, fillVector, type Filling } from './float-value.ts';

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

export function fillState({ image, data }: FloatState, random: Random, { x87, unmasked = false }: FillOptions): void {
  const filling = random.below(4) as Filling;
  const control = random.once(4) ? 0x37f : random.pick(CONTROLS);
  const top = random.below(8);
  image.setUint16(0, unmasked ? control & ~(random.bits() & 0x3f) : control, true);
  image.setUint16(2, (x87 ? random.bits() & 0x4700 : 0) | (top << 11), true);
  // Mostly one free register below the top, so that there is room to push.
  image.setUint8(4, random.once(8) ? random.below(256) : 0xff & ~(random.once(4) ? 0 : 1 << ((top + 7) & 7)));
  for (let index = 0; index < 8; index++) {
    const [signExponent, significand] = x87 ? extended(random) : [0xffff, 0n];
    if (!x87) fillVector(image, 32 + 16 * index, random, filling);
    else image.setBigUint64(32 + 16 * index, significand, true);
    image.setBigUint64(40 + 16 * index, BigInt(signExponent), true);
    fillVector(image, 160 + 16 * index, random, filling);
    if (random.once(4)) image.setBigUint64(160 + 16 * index, BigInt(random.below(70)), true);
    image.setBigUint64(REGISTERS + 8 * index, BigInt(random.once(4) ? random.below(40) : random.bits()), true);
  }
  image.setUint32(24, random.pick(MXCSRS), true);
  image.setBigUint64(REGISTERS + 56, BigInt(DATA), true);
  image.setBigUint64(FLAGS, BigInt((random.bits() & 0x8d5) | 0x202), true);
  const view = new DataView(data.buffer);
  for (let at = 0; at < DATA_LENGTH; at += 16) fillVector(view, at, random, x87 ? random.pick([0, 1, 2]) : filling);
}
