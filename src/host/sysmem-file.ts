import { hex, hexRange } from '../base/hex.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { PAGE_SIZE } from '../base/units.ts';
import { MemoryError, type SysmemSlice } from '../memory/index.ts';
import type { Memfd } from './memfd.ts';

/**
 * One sparse file for all sysmem of a machine, where the offset *is* the guest-physical address:
 *
 *     0 ── low RAM ── hole: no segment has bytes here, and no page is ever touched ── 4 GiB ── high RAM ──
 */
export class SysmemFile {
  readonly file: Memfd;
  /** Which segment's bytes are where. */
  readonly #taken: IntervalMap<string> = new IntervalMap();
  #fresh = true;

  constructor(file: Memfd) {
    this.file = file;
  }

  get empty(): boolean {
    return this.#taken.size === 0;
  }

  /** Throws EEXIST where another slice is, EINVAL past the end; takes nothing then. */
  take(segment: string, slices: readonly SysmemSlice[]): void {
    const taken: SysmemSlice[] = [];
    try {
      for (const slice of slices) {
        this.#check(segment, slice);
        this.#taken.insert(slice.gpa, slice.length, segment);
        taken.push(slice);
        // Another process may have written where no segment was.
        if (!this.#fresh) this.file.clear(slice.gpa, slice.length);
      }
      this.#fresh = false;
    } catch (error) {
      this.give(taken);
      throw error;
    }
  }

  give(slices: readonly SysmemSlice[]): void {
    for (const { gpa } of slices) this.#taken.remove(gpa);
  }

  #check(segment: string, { gpa, length }: SysmemSlice): void {
    const facts = { segment, gpa: hex(gpa), length: hex(length) };
    if (gpa + length > this.file.length) {
      const sentence = `segment ${segment} at ${hexRange(gpa, gpa + length)} does not fit in the sysmem file of ${hex(this.file.length)} bytes`;
      throw new MemoryError('EINVAL', sentence, facts);
    }
    for (const { value } of this.#taken.overlapping(gpa, length)) {
      const sentence = `segment ${segment} at ${hexRange(gpa, gpa + length)} overlaps segment ${value} in the sysmem file`;
      throw new MemoryError('EEXIST', sentence, facts);
    }
  }
}

/** The slices of a segment of this length: offset and GPA are the same unless its creator said otherwise. Throws EINVAL. */
export function sysmemSlices(segment: string, length: number, layout?: readonly SysmemSlice[]): readonly SysmemSlice[] {
  if (layout === undefined) return [{ offset: 0, length, gpa: 0 }];
  let covered = 0;
  for (const slice of layout) {
    if (slice.offset !== covered || !isRange(slice)) throw badLayout(segment, slice);
    covered += slice.length;
  }
  if (covered !== length) throw badLayout(segment, { offset: covered, length: length - covered, gpa: 0 });
  return layout;
}

function isRange({ gpa, length }: SysmemSlice): boolean {
  return (
    length > 0 && gpa >= 0 && gpa % PAGE_SIZE === 0 && length % PAGE_SIZE === 0 && Number.isSafeInteger(gpa + length)
  );
}

function badLayout(segment: string, { offset, length, gpa }: SysmemSlice): MemoryError {
  return new MemoryError(
    'EINVAL',
    `the layout of segment ${segment} is not made of its pages in order: ${hex(length)} bytes at offset ${hex(offset)}`,
    { segment, offset: hex(offset), length: hex(length), gpa: hex(gpa) },
  );
}
