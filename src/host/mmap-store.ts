import { constants } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { GiB } from '../base/units.ts';
import { ExtentSpace } from '../memory/extent-space.ts';
import { MemoryError, type Extent, type ExtentUse } from '../memory/index.ts';
import { releaseGuarded, reserveGuarded, showFile, showZeros } from './address-range.ts';
import type { Libc } from './libc.ts';
import { PagePolicy } from './page-policy.ts';
import type { FileSlice, SegmentFile, SegmentFiles } from './segment-files.ts';
import { outOfMemory, type SharedStore } from './shared-store.ts';

export interface MmapStoreOptions {
  /** Where the store's addresses end; 4 GiB when absent. */
  readonly capacity?: number;
  readonly libc: Libc;
  readonly files: SegmentFiles;
  readonly pages?: PagePolicy;
}

interface Mapped {
  readonly extent: Extent;
  /** In this process. */
  readonly start: number;
  readonly file: SegmentFile;
}

interface Reservation {
  readonly libc: Libc;
  readonly start: number;
  readonly length: number;
}

/**
 * A segment's bytes are its file, mapped into this process between two guards. For engines that take host addresses; the
 * store's own addresses are only names.
 *
 *     4 MiB no access │ segment │ 4 MiB no access
 *
 * Lifetime: JavaScript must not have a view of addresses that are unmapped, or are somebody else's by now, and nobody can
 * take a view away from those who hold it. So what is freed shows zeros of this process from then on, without memory, and
 * the addresses are given back when the collector has seen the last view go.
 */
export class MmapStore implements SharedStore {
  readonly pages: PagePolicy;
  readonly #libc: Libc;
  readonly #files: SegmentFiles;
  readonly #space: ExtentSpace;
  readonly #mapped: Map<number, Mapped> = new Map();

  constructor({ capacity = 4 * GiB, libc, files, pages = new PagePolicy(libc) }: MmapStoreOptions) {
    this.#libc = libc;
    this.#files = files;
    this.#space = new ExtentSpace(capacity);
    this.pages = pages;
  }

  get used(): number {
    return this.#space.used;
  }

  /** Throws MemoryError ENOMEM, or EINVAL and EEXIST for a bad layout; HostError when the kernel refuses. Takes nothing then. */
  allocate(length: number, use?: ExtentUse): Extent {
    checkViewable(length);
    const address = this.#space.take(length);
    try {
      const mapped = this.#open(address, length, use);
      this.#mapped.set(address, mapped);
      return mapped.extent;
    } catch (error) {
      this.#space.give(address);
      throw outOfMemory(error, length);
    }
  }

  allocateTable(length: number): Extent {
    return { address: this.#space.take(length), bytes: new Uint8Array(length) };
  }

  free(extent: Extent): void {
    const mapped = this.#mapped.get(extent.address);
    if (mapped !== undefined) this.#close(mapped);
    this.#space.give(extent.address);
  }

  /** Where an extent's first byte is in this process, until it is freed. */
  hostAddress(extent: Extent): number {
    const mapped = this.#mapped.get(extent.address);
    assert(mapped !== undefined, 'only bytes of a segment have a host address');
    return mapped.start;
  }

  [Symbol.dispose](): void {
    for (const { extent } of this.#mapped.values()) this.free(extent);
  }

  #open(address: number, length: number, use: ExtentUse | undefined): Mapped {
    const file = this.#files.open(length, use);
    try {
      const start = reserveGuarded(this.#libc, length);
      return { extent: { address, bytes: this.#show(start, length, file.slices) }, start, file };
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  #show(start: number, length: number, slices: readonly FileSlice[]): Uint8Array {
    try {
      showFile(this.#libc, start, slices);
      this.pages.add(start, length);
      return new Uint8Array(this.#libc.view(start, length));
    } catch (error) {
      this.pages.remove(start);
      releaseGuarded(this.#libc, start, length);
      throw error;
    }
  }

  #close({ extent, start, file }: Mapped): void {
    const { length } = extent.bytes;
    showZeros(this.#libc, start, length);
    this.#mapped.delete(extent.address);
    this.pages.remove(start);
    file[Symbol.dispose]();
    releaseWithLastView(extent.bytes, { libc: this.#libc, start, length });
  }
}

const reservations = new FinalizationRegistry<Reservation>(({ libc, start, length }) => {
  releaseGuarded(libc, start, length);
});

function releaseWithLastView({ buffer }: Uint8Array, reservation: Reservation): void {
  reservations.register(buffer, reservation);
}

/** Node 20 ends the process when it is asked for a longer buffer. */
function checkViewable(length: number): void {
  if (length <= constants.MAX_LENGTH) return;
  const sentence = `a segment of ${length} bytes is longer than the ${constants.MAX_LENGTH} bytes that this Node can show in one piece`;
  throw new MemoryError('ENOMEM', sentence, { length, most: constants.MAX_LENGTH });
}
