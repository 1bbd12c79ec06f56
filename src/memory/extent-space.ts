import { assert } from '../base/assert.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { PAGE_SIZE } from '../base/units.ts';
import { MemoryError } from './memory-error.ts';

/** Addresses of a store: which are given out, which are free. First fit; neighbours that are free are one range. */
export class ExtentSpace {
  readonly #free: IntervalMap<true> = new IntervalMap();
  readonly #given: Map<number, number> = new Map();
  readonly #capacity: number;
  #used = 0;

  /** `reserved` bytes at address 0 are never given out, and at least a page, so that 0 can mean "none". */
  constructor(capacity: number, reserved = 0) {
    const start = Math.max(PAGE_SIZE, Math.ceil(reserved / PAGE_SIZE) * PAGE_SIZE);
    this.#capacity = capacity;
    if (capacity > start) this.#free.insert(start, capacity - start, true);
  }

  get used(): number {
    return this.#used;
  }

  take(length: number): number {
    for (const range of this.#free) {
      if (range.end - range.start < length) continue;
      this.#free.remove(range.start);
      const rest = range.end - range.start - length;
      if (rest > 0) this.#free.insert(range.start + length, rest, true);
      this.#given.set(range.start, length);
      this.#used += length;
      return range.start;
    }
    throw this.#full(length);
  }

  /** Takes back what starts at `address`; returns its length. */
  give(address: number): number {
    const length = this.#given.get(address);
    assert(length !== undefined, 'freed an extent that the store has not given out');
    this.#given.delete(address);
    this.#used -= length;
    const below = this.#free.at(address - 1);
    const above = this.#free.at(address + length);
    if (below !== undefined) this.#free.remove(below.start);
    if (above !== undefined) this.#free.remove(above.start);
    const start = below?.start ?? address;
    this.#free.insert(start, (above?.end ?? address + length) - start, true);
    return length;
  }

  #full(length: number): MemoryError {
    const facts = { length, used: this.#used, capacity: this.#capacity };
    return new MemoryError(
      'ENOMEM',
      `the store has no ${length} bytes in one piece (${this.#used} of ${this.#capacity} bytes are in use)`,
      facts,
    );
  }
}
