import { ArenaStore, type Extent, type ExtentUse } from '../memory/index.ts';
import { showFile, showZeros } from './address-range.ts';
import type { Libc } from './libc.ts';
import { PagePolicy } from './page-policy.ts';
import type { SegmentFile, SegmentFiles } from './segment-files.ts';
import { outOfMemory, type SharedStore } from './shared-store.ts';

export interface MemfdArenaStoreOptions {
  readonly capacity: number;
  /** Bytes at address 0 kept for the engine. */
  readonly reserved?: number;
  readonly libc: Libc;
  readonly files: SegmentFiles;
  readonly pages?: PagePolicy;
}

/**
 * An arena where each segment's range shows the segment's file, so that WebAssembly, JavaScript and other processes all
 * see the same bytes. Tables and the engine's own bytes are the process's alone.
 *
 *     WebAssembly.Memory   engine │ flat view │ ram ················│ bootrom ·│ framebuffer ··│ …
 *                                               mmap(MAP_SHARED | MAP_FIXED) of the segments' files
 *
 * Lifetime: the collector unmaps a `WebAssembly.Memory` as a whole once nothing refers to it, with whatever has been
 * mapped into it by then, and the addresses may become somebody else's. So every address is asked anew from the buffer,
 * and the store, which holds the memory, is alive while it uses one. What is freed shows zeros again, until
 * another segment comes to lie there, and so does all of it after the end: a view that somebody has kept does not crash.
 */
export class MemfdArenaStore extends ArenaStore implements SharedStore {
  readonly pages: PagePolicy;
  readonly #libc: Libc;
  readonly #files: SegmentFiles;
  readonly #covered: Map<number, { extent: Extent; file: SegmentFile }> = new Map();

  constructor({ capacity, reserved = 0, libc, files, pages = new PagePolicy(libc) }: MemfdArenaStoreOptions) {
    super({ capacity, reserved });
    this.#libc = libc;
    this.#files = files;
    this.pages = pages;
  }

  /** Throws MemoryError ENOMEM, or EINVAL and EEXIST for a bad layout; HostError when the kernel refuses. Takes nothing then. */
  override allocate(length: number, use?: ExtentUse): Extent {
    const extent = super.allocate(length);
    try {
      const file = this.#files.open(length, use);
      this.#covered.set(extent.address, { extent, file });
      showFile(this.#libc, this.#hostAddress(extent), file.slices);
      this.pages.add(this.#hostAddress(extent), length);
      return extent;
    } catch (error) {
      this.free(extent);
      throw outOfMemory(error, length);
    }
  }

  override allocateTable(length: number): Extent {
    return super.allocate(length);
  }

  override free(extent: Extent): void {
    this.#uncover(extent.address);
    super.free(extent);
  }

  override [Symbol.dispose](): void {
    for (const { extent } of this.#covered.values()) this.free(extent);
    super[Symbol.dispose]();
  }

  /** Where an extent's first byte is in this process. */
  #hostAddress({ address }: Extent): number {
    return this.#libc.addressOf(this.memory.buffer) + address;
  }

  #uncover(address: number): void {
    const covered = this.#covered.get(address);
    if (covered === undefined) return;
    const { extent, file } = covered;
    const start = this.#hostAddress(extent);
    showZeros(this.#libc, start, extent.bytes.length);
    this.#covered.delete(address);
    this.pages.remove(start);
    file[Symbol.dispose]();
  }
}
