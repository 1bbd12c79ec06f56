import { GiB } from '../base/units.ts';
import { wasm, WASM_PAGE_SIZE } from '../base/webassembly.ts';
import type { WasmMemory } from '../base/webassembly.ts';
import { hex } from '../base/hex.ts';
import { ExtentSpace } from './extent-space.ts';
import { MemoryError } from './memory-error.ts';
import type { Extent, Store } from './store.ts';

const LARGEST = 4 * GiB;

/**
 * Ranges of one `WebAssembly.Memory`, so that an engine in WebAssembly reaches every segment and every table by a
 * 32-bit address. All of it is reserved at once and never grows, so views of it stay valid; the host commits a page
 * only when it is touched.
 */
export class ArenaStore implements Store {
  readonly memory: WasmMemory;
  readonly #space: ExtentSpace;
  /** Bytes from here on have never been given out, and so are still zero. */
  #fresh = 0;

  /** `reserved` bytes at address 0 are left to the engine. */
  constructor(options: { capacity: number; reserved?: number }) {
    const { capacity, reserved = 0 } = options;
    this.memory = reserve(capacity, reserved);
    this.#space = new ExtentSpace(this.memory.buffer.byteLength, reserved);
  }

  get used(): number {
    return this.#space.used;
  }

  allocate(length: number): Extent {
    const address = this.#space.take(length);
    const bytes = new Uint8Array(this.memory.buffer, address, length);
    // Only what was used before can hold something; filling the rest would make the host commit it.
    bytes.subarray(0, Math.max(0, this.#fresh - address)).fill(0);
    this.#fresh = Math.max(this.#fresh, address + length);
    return { address, bytes };
  }

  allocateTable(length: number): Extent {
    return this.allocate(length);
  }

  free(extent: Extent): void {
    this.#space.give(extent.address);
  }

  [Symbol.dispose](): void {}
}

function reserve(capacity: number, reserved: number): WasmMemory {
  const facts = { capacity, reserved, largest: LARGEST };
  if (
    !Number.isSafeInteger(capacity) ||
    capacity <= 0 ||
    capacity > LARGEST ||
    !(reserved >= 0 && reserved < capacity)
  ) {
    throw new MemoryError('EINVAL', `an arena holds more than its reserved bytes and at most ${hex(LARGEST)}`, facts);
  }
  const pages = Math.ceil(capacity / WASM_PAGE_SIZE);
  try {
    return new wasm.Memory({ initial: pages, maximum: pages });
  } catch {
    throw new MemoryError('ENOMEM', `the host has no ${capacity} bytes of address space for an arena`, facts);
  }
}
