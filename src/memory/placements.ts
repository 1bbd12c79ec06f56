import { PAGE_SIZE } from '../base/units.ts';
import type { MappingRecord } from './mapping.ts';

/** Bytes of a segment that share a bucket. A small bucket finds aliases faster, a large one makes moves cheaper. */
const BUCKET_SIZE = 2 ** 21;

/**
 * The mappings of one segment, found by segment offset: who shows this page? A mapping stands in every bucket that it
 * touches, so neither the number of mappings elsewhere nor the size of the segment slows an answer.
 */
export class Placements {
  readonly #buckets: Map<number, Set<MappingRecord>> = new Map();

  add(mapping: MappingRecord): void {
    const last = lastBucket(mapping);
    for (let index = firstBucket(mapping); index <= last; index++) {
      const bucket = this.#buckets.get(index);
      if (bucket === undefined) this.#buckets.set(index, new Set([mapping]));
      else bucket.add(mapping);
    }
  }

  remove(mapping: MappingRecord): void {
    const last = lastBucket(mapping);
    for (let index = firstBucket(mapping); index <= last; index++) {
      const bucket = this.#buckets.get(index);
      bucket?.delete(mapping);
      if (bucket?.size === 0) this.#buckets.delete(index);
    }
  }

  /** Every mapping, by ascending GPA. */
  all(): MappingRecord[] {
    const found: MappingRecord[] = [];
    for (const [index, bucket] of this.#buckets) {
      for (const mapping of bucket) if (firstBucket(mapping) === index) found.push(mapping);
    }
    return found.sort((a, b) => a.gpa - b.gpa);
  }

  /** Calls back for every mapping that shows the page. */
  forEachAlias(page: number, visit: (mapping: MappingRecord) => void): void {
    const offset = page * PAGE_SIZE;
    const bucket = this.#buckets.get(Math.floor(offset / BUCKET_SIZE));
    if (bucket === undefined) return;
    for (const mapping of bucket) {
      if (offset >= mapping.offset && offset < mapping.offset + mapping.length) visit(mapping);
    }
  }
}

function firstBucket(mapping: MappingRecord): number {
  return Math.floor(mapping.offset / BUCKET_SIZE);
}

function lastBucket(mapping: MappingRecord): number {
  return Math.floor((mapping.offset + mapping.length - 1) / BUCKET_SIZE);
}
