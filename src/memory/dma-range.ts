import { assert } from '../base/assert.ts';
import { copyIn, copyOut, firstDenied, type MappedSpace } from './mapped-space.ts';
import type { MappingRecord } from './mapping.ts';
import { PAGE_FLAG } from './page-flag.ts';

export type DmaAccess = 'read' | 'write';

/** Why a device may not have a range: what a bus master is told instead of bytes. */
export interface DmaFault {
  /** The first address that the device cannot reach. */
  readonly gpa: number;
  readonly access: DmaAccess;
  /** `unassigned`: the device had an IOMMU domain, and has none any more. */
  readonly reason: 'unmapped' | 'protected' | 'unassigned';
}

/** Memory as a device that masters the bus reaches it. */
export interface DmaSpace {
  /**
   * All of a range, held against changes of the map as `DmaRange` says; or where and why the device cannot have it. A guest
   * chooses the numbers, so any of them has an answer.
   */
  dmaRange(gpa: number, length: number, access: DmaAccess): DmaRange | DmaFault;
}

/** What ranges are found in. */
export interface DmaMap extends MappedSpace {
  /** How many mappings have left it. What comes to it cannot concern a range, which has no holes. */
  readonly removals: number;
  overlapping(gpa: number, length: number): Iterable<MappingRecord>;
}

/**
 * A range of guest-physical space as the map had it when a transfer began. A transfer that takes time asks before each of
 * its pieces whether the range is still `current`, and ends when it is not: so all of its bytes go by one map, the one that
 * it began with. A change of the map elsewhere does not concern it.
 */
export class DmaRange {
  readonly gpa: number;
  readonly length: number;
  readonly #map: DmaMap;
  readonly #mappings: readonly MappingRecord[];
  #removals: number;

  /** Made by `openRange` only: every byte of it is mapped as the transfer needs it. */
  constructor(map: DmaMap, gpa: number, length: number) {
    this.gpa = gpa;
    this.length = length;
    this.#map = map;
    this.#mappings = [...map.overlapping(gpa, length)];
    this.#removals = map.removals;
  }

  /** Whether the same mappings cover it as when it was opened. */
  get current(): boolean {
    if (this.#removals === this.#map.removals) return true;
    let index = 0;
    for (const mapping of this.#map.overlapping(this.gpa, this.length)) {
      if (mapping !== this.#mappings[index++]) return false;
    }
    if (index < this.#mappings.length) return false;
    this.#removals = this.#map.removals;
    return true;
  }

  /** Copies bytes out of a range that was opened for reading and is current. */
  read(offset: number, target: Uint8Array): void {
    this.#check(offset, target.length);
    copyOut(this.#map, this.gpa + offset, target);
  }

  /** Copies bytes into a range that was opened for writing and is current; dirty logs and code trackers hear. */
  write(offset: number, source: Uint8Array): void {
    this.#check(offset, source.length);
    copyIn(this.#map, this.gpa + offset, source);
  }

  #check(offset: number, length: number): void {
    assert(offset >= 0 && length <= this.length - offset, 'a transfer leaves its range');
    assert(this.current, 'a transfer goes on after the map has changed under it');
  }
}

/** The range, or why the device cannot have it. */
export function openRange(map: DmaMap, gpa: number, length: number, access: DmaAccess): DmaRange | DmaFault {
  const denied = firstDenied(map, gpa, length, access === 'read' ? PAGE_FLAG.READ : PAGE_FLAG.WRITE);
  if (denied === undefined) return new DmaRange(map, gpa, length);
  const reason = map.mappingAt(denied) === undefined ? 'unmapped' : 'protected';
  return { gpa: denied, access, reason };
}
