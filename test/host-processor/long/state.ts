import type { Random } from '../../random.ts';
import { extended, fillVector, type Filling } from '../float-value.ts';
import { IMAGE, PART } from './layout.ts';

/** All rounding modes and precisions, all exceptions masked. */
const CONTROLS = [0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x67f, 0xa7f, 0xe7f, 0x07f, 0x47f, 0x87f, 0xc7f] as const;

/** What registers hold before a sequence. */
export interface StateOptions {
  /** Registers R0 to R7 hold 80-bit numbers, else MMX values. */
  readonly x87: boolean;
  /** Where RSP is. */
  readonly rsp: number;
}

function fillX87(image: DataView, random: Random, { x87 }: StateOptions, filling: Filling): void {
  const control = random.once(4) ? 0x37f : random.pick(CONTROLS);
  const isUnmasked = random.once(5);
  const top = random.below(8);
  image.setUint16(IMAGE.fcw, isUnmasked ? control & ~(random.bits() & 0x3f) : control, true);
  image.setUint16(IMAGE.fsw, (x87 ? random.bits() & 0x4700 : 0) | (top << 11), true);
  // Mostly one free register below the top, so that there is room to push.
  image.setUint8(IMAGE.ftw, random.once(8) ? random.byte() : 0xff & ~(random.once(4) ? 0 : 1 << ((top + 7) & 7)));
  for (let at = IMAGE.st; at < IMAGE.xmm; at += 16) {
    const [signExponent, significand] = x87 ? extended(random) : [0xffff, 0n];
    if (x87) image.setBigUint64(at, significand, true);
    else fillVector(image, at, random, filling);
    image.setBigUint64(at + 8, BigInt(signExponent), true);
  }
}

/** Rounding modes, DAZ, FTZ and flags as they come; exceptions mostly masked. */
function randomMxcsr(random: Random): number {
  const any = random.bits() & 0xffff;
  return random.once(3) ? (random.once(2) ? any : 0x1f80) : any | 0x1f80;
}

/** Fills in what a sequence's page holds before it: registers, flags, stack and data. */
export function fillPage(page: DataView, random: Random, options: StateOptions): void {
  const filling = random.below(4) as Filling;
  fillX87(page, random, options, filling);
  page.setUint32(IMAGE.mxcsr, randomMxcsr(random), true);
  for (let at = IMAGE.xmm; at < IMAGE.xmm + 256; at += 16) {
    fillVector(page, at, random, filling);
    if (random.once(4)) page.setBigUint64(at, BigInt(random.below(70)), true);
  }
  page.setBigUint64(PART.saved, BigInt((random.bits() & 0xcd5) | 0x202), true);
  for (let at = PART.saved + 8; at < PART.entry - 8; at += 8) page.setBigUint64(at, random.value64(), true);
  page.setBigUint64(PART.entry - 8, BigInt(options.rsp), true);
  for (let at = PART.stack; at < PART.data; at += 8) page.setBigUint64(at, random.bits64(), true);
  for (let at = PART.data; at < page.byteLength; at += 16)
    fillVector(page, at, random, options.x87 ? random.pick([0, 1, 2]) : filling);
}
