/** The seed of a test's random numbers, which it prints: with it in SKEP_SEED they come again. */
export const SEED: number = Number(process.env.SKEP_SEED ?? Date.now() % 2 ** 31);

/** Random numbers that a seed replays (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 32 random bits. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 64 of them. */
  bits64(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }

  /** 8 of them. */
  byte(): number {
    return this.bits() >>> 24;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return this.bits() % limit;
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    return this.bits() / 2 ** 32;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error('there is nothing to pick from');
    return value;
  }

  /** A number of 32 bits, often one where something turns over. */
  value(): number {
    return this.once(2) ? this.bits() : this.pick(CORNERS);
  }

  /** The same with 64 bits. */
  value64(): bigint {
    if (this.once(2)) return this.bits64();
    const value = BigInt(this.value());
    return this.once(2) ? value : this.pick([value << 32n, BigInt.asUintN(64, -value), value | (value << 32n)]);
  }
}

const CORNERS: readonly number[] = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0x8000_0001,
  0xffff_fffe, 0xffff_ffff, 0xffff_ff80, 0x5555_5555, 0x0f0f_0f0f, 0x9999_9999,
];
