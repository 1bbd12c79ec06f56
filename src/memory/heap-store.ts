import { GiB } from '../base/units.ts';
import { ExtentSpace } from './extent-space.ts';
import { MemoryError } from './memory-error.ts';
import type { Extent, Store } from './store.ts';

/** An `ArrayBuffer` per extent, for tests and tools. Its addresses are only names: no engine can follow them. */
export class HeapStore implements Store {
  readonly #space: ExtentSpace;

  constructor(options: { capacity?: number } = {}) {
    this.#space = new ExtentSpace(options.capacity ?? 4 * GiB);
  }

  get used(): number {
    return this.#space.used;
  }

  allocate(length: number): Extent {
    const address = this.#space.take(length);
    try {
      return { address, bytes: new Uint8Array(length) };
    } catch {
      this.#space.give(address);
      throw new MemoryError('ENOMEM', `the host has no ${length} bytes for the heap store`, { length });
    }
  }

  allocateTable(length: number): Extent {
    return this.allocate(length);
  }

  free(extent: Extent): void {
    this.#space.give(extent.address);
  }

  [Symbol.dispose](): void {}
}
