import type { Random } from '../../random.ts';
import { little, set } from '../code.ts';
import { ALIAS, PART } from './layout.ts';

/** A memory operand: what sets its registers up, and ModRM (without reg), SIB and displacement. */
export interface Address {
  readonly setUp: readonly number[];
  /** REX.X and REX.B. */
  readonly rex: number;
  /** Whether a prefix makes the address one of 32 bits. */
  readonly is32: boolean;
  readonly modrm: number;
  readonly rest: readonly number[];
  /** Where the displacement leads that is relative to RIP. */
  readonly relative?: number;
}

/** All but RSP: what a sequence may do anything with. */
export const FREE: readonly number[] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

export type Alignment = 'none' | 'mostly' | 'always';

export interface AddressOptions {
  /** The sequence's page. */
  readonly page: number;
  readonly width: number;
  /** Whether it is a multiple of 16. */
  readonly alignment: Alignment;
  /** Registers that the address may use. */
  readonly free?: readonly number[];
}

/** An operand within the sequence's data; now and then one that is not aligned, or reaches into the hole behind it. */
export function address(random: Random, { page, width, alignment, free = FREE }: AddressOptions): Address {
  const room = 0x400 - 0x40 - width;
  const offset = 0x40 + random.below(room + 1);
  const aligned = alignment !== 'none';
  const step = alignment === 'always' || (aligned && !random.once(60)) ? offset & ~15 : offset;
  // Of two exceptions it is the processor's choice which comes first, so that it is either not aligned or not there.
  const hole = aligned ? 0x400 : 0x400 - random.below(width + 1);
  const target = page + PART.data + (random.once(100) ? hole : step);
  return random.pick(aligned ? ALIGNED : ADDRESSINGS)(random, target, free);
}

type Addressing = (random: Random, target: number, free: readonly number[]) => Address;

const signedByte = (value: number): number => (value << 24) >> 24;

/** Where registers are to lead: to either alias, or anywhere above what an address of 32 bits can say. */
function wide(random: Random, is32: boolean): bigint {
  if (is32) return BigInt(random.bits()) << 32n;
  return random.once(2) ? 0n : ALIAS;
}

const absolute: Addressing = (random, target) => ({
  setUp: [],
  rex: random.once(4) ? 1 : 0,
  is32: random.once(4),
  modrm: 0x04,
  rest: [0x25, ...little(target, 4)],
});

const relative: Addressing = (random, target) => ({
  setUp: [],
  rex: random.once(4) ? random.below(4) : 0,
  is32: random.once(4),
  modrm: 0x05,
  rest: little(0, 4),
  relative: target,
});

/** Displacement, its ModRM.mod and bytes; a base of RBP or R13 always has one. */
function displaced(random: Random, base: number): { displacement: number; mod: number; bytes: number[] } {
  const isNeeded = (base & 7) === 5;
  const displacement = random.once(3) && !isNeeded ? 0 : random.once(2) ? signedByte(random.bits()) : random.bits() | 0;
  const mod = displacement === 0 && !isNeeded ? 0 : displacement === signedByte(displacement) ? 1 : 2;
  return { displacement, mod, bytes: little(displacement, [0, 1, 4][mod] ?? 0) };
}

const based: Addressing = (random, target, free) => {
  const base = random.pick(free);
  const is32 = random.once(5);
  const { displacement, mod, bytes } = displaced(random, base);
  // R12 as a base takes a SIB byte like RSP.
  const sib = (base & 7) === 4 ? [0x24] : [];
  return {
    setUp: set(base, low(BigInt(target) - BigInt(displacement), is32) + wide(random, is32)),
    rex: base >> 3,
    is32,
    modrm: (mod << 6) | (base & 7),
    rest: [...sib, ...bytes],
  };
};

/** A sum of which an address of 32 bits takes the lower half. */
const low = (sum: bigint, is32: boolean): bigint => (is32 ? BigInt.asUintN(32, sum) : sum);

const indexed: Addressing = (random, target, free) => {
  const base = random.pick(free);
  const index = random.pick(free.filter((register) => register !== base));
  const scale = random.below(4);
  const is32 = random.once(5);
  const offset = random.once(2) ? BigInt(random.below(16)) : random.bits64();
  const { displacement, mod, bytes } = displaced(random, base);
  const rest = BigInt(target) - BigInt(displacement) - (offset << BigInt(scale));
  return {
    setUp: [...set(base, low(rest, is32) + wide(random, is32)), ...set(index, offset)],
    rex: (base >> 3) | ((index >> 3) << 1),
    is32,
    modrm: (mod << 6) | 4,
    rest: [(scale << 6) | ((index & 7) << 3) | (base & 7), ...bytes],
  };
};

const scaled: Addressing = (random, target, free) => {
  const index = random.pick(free);
  const scale = random.below(4);
  const is32 = random.once(5);
  // The displacement is what is left of the address modulo the scale, and more.
  const displacement = (random.bits() & ~7) | (target & 7) | 0;
  const difference = BigInt(target) - BigInt(displacement) + (is32 ? 0n : wide(random, is32));
  const offset = low(difference, is32) >> BigInt(scale);
  return {
    setUp: set(index, is32 ? offset + wide(random, true) : offset),
    rex: ((index >> 3) << 1) | (random.once(4) ? 1 : 0),
    is32,
    modrm: 0x04,
    rest: [(scale << 6) | ((index & 7) << 3) | 5, ...little(displacement, 4)],
  };
};

/** RSP as it stands, which is in the middle of the page. */
const stacked: Addressing = (random) => ({
  setUp: [],
  rex: 0,
  is32: false,
  modrm: 0x44,
  rest: [random.pick([0x24, 0x64, 0xa4, 0xe4]), random.below(256)],
});

const ALIGNED: readonly Addressing[] = [absolute, relative, relative, based, based, based, indexed, indexed, scaled];
const ADDRESSINGS: readonly Addressing[] = [...ALIGNED, stacked];
