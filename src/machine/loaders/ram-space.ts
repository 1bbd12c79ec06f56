import { PAGE_SIZE } from '../../base/units.ts';
import type { E820Range } from '../../devices/fw-cfg.ts';
import { ConfigError } from '../config-error.ts';
import type { MemoryWrite } from './boot-plan.ts';

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Taken extends Range {
  readonly name: string;
}

const FOUR_GIB = 2 ** 32;

/** Where loaders put things: RAM below 4 GiB that nothing else has, claimed piece by piece, and what is written there. */
export class RamSpace {
  readonly writes: MemoryWrite[] = [];
  readonly #ram: readonly Range[];
  readonly #taken: Taken[] = [];

  /** The ranges of type `ram` in the map, as far as 32 bits reach. */
  constructor(map: readonly E820Range[]) {
    this.#ram = map
      .filter(({ type }) => type === 'ram')
      .map(({ start, length }) => ({ start, end: Math.min(start + length, FOUR_GIB) }))
      .filter(({ start, end }) => start < end);
  }

  /** Takes exactly this range, and says who or what is in the way when it cannot be had. */
  claim(name: string, start: number, length: number): void {
    const end = start + length;
    if (length === 0) return;
    if (!this.#ram.some((range) => start >= range.start && end <= range.end)) {
      throw new ConfigError(`${name} needs memory from ${hex(start)} to ${hex(end)}, and not all of that is RAM`);
    }
    const other = this.#taken.find((taken) => taken.start < end && start < taken.end);
    if (other !== undefined)
      throw new ConfigError(`${name} at ${hex(start)} overlaps ${other.name} at ${hex(other.start)}`);
    this.#taken.push({ name, start, end });
  }

  /** Takes the highest free place that ends at `limit` or below, page aligned. */
  claimHighest(name: string, length: number, limit: number = FOUR_GIB): number {
    let best = -1;
    for (const gap of this.#gaps()) {
      const start = Math.floor((Math.min(gap.end, limit) - length) / PAGE_SIZE) * PAGE_SIZE;
      if (start >= gap.start) best = Math.max(best, start);
    }
    if (best < 0) throw new ConfigError(`${name} of ${length} bytes does not fit into memory beside the rest`);
    this.claim(name, best, length);
    return best;
  }

  /** Takes a place below 640 KiB for what the loader itself makes. */
  claimLow(name: string, length: number): number {
    return this.claimHighest(name, length, LOW_END);
  }

  write(gpa: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.writes.push({ gpa, bytes });
  }

  /** Zeros, in pieces: RAM keeps its bytes over a reset. */
  clear(gpa: number, length: number): void {
    for (let done = 0; done < length; done += ZEROS.length) {
      const left = Math.min(ZEROS.length, length - done);
      this.write(gpa + done, left === ZEROS.length ? ZEROS : ZEROS.subarray(0, left));
    }
  }

  /** Claims the highest place, writes there, and says where. */
  put(name: string, bytes: Uint8Array, limit?: number): number {
    const gpa = this.claimHighest(name, bytes.length, limit);
    this.write(gpa, bytes);
    return gpa;
  }

  putLow(name: string, bytes: Uint8Array): number {
    return this.put(name, bytes, LOW_END);
  }

  #gaps(): Range[] {
    const taken = [...this.#taken].sort((a, b) => a.start - b.start);
    return this.#ram.flatMap((range) => {
      const gaps: Range[] = [];
      let { start } = range;
      for (const piece of taken) {
        if (piece.end <= start || piece.start >= range.end) continue;
        if (piece.start > start) gaps.push({ start, end: piece.start });
        start = piece.end;
      }
      if (start < range.end) gaps.push({ start, end: range.end });
      return gaps;
    });
  }
}

const ZEROS = new Uint8Array(2 ** 20);
const LOW_END = 0xa_0000;

const hex = (value: number): string => `0x${value.toString(16)}`;
