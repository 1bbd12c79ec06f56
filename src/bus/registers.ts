import { assert } from '../base/assert.ts';
import { allOnes, type AccessSize, type IoHandler } from './io-handler.ts';

/**
 * One register of a device, as a manual's table has it. A bit is read-only unless `writable` or `clearable` says
 * otherwise. Multi-byte registers are little-endian.
 */
export interface Register {
  readonly name: string;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  /** Value after a reset; 0 when absent. */
  readonly reset?: number;
  /** Bits that a write replaces. */
  readonly writable?: number;
  /** Bits that a write of 1 clears, and a write of 0 leaves ("W1C"). */
  readonly clearable?: number;
  /**
   * What a read gives in place of the stored value, asked once per access however many bytes are read. A register with
   * clearable bits stores it before a write, so that a guest clears what it could have seen.
   */
  readonly read?: () => number;
  /** Told after a write that touched any byte of the register, with the whole value after and before it. */
  readonly written?: (value: number, previous: number) => void;
}

export interface RegisterFileOptions {
  /** Bytes of address space; what lies beyond reads as all ones. */
  readonly length: number;
  readonly registers: readonly Register[];
  /** Bytes in here that no register covers keep what is written: `start` to `end`, half-open. */
  readonly scratch?: { readonly start: number; readonly end: number };
  /** What a byte without a register reads as: 0 where a decoder answers, 0xff where nothing drives the bus. */
  readonly vacant?: 0 | 0xff;
  /** Told once per write, after the registers: for what several registers decide together. */
  readonly settled?: (offset: number, size: AccessSize) => void;
}

/**
 * A register file described as a table. Any access of one, two or four bytes at any offset is composed from the
 * registers it touches, as a bus with byte enables does: a word write may hit half of a dword register or two byte
 * registers, and each is told once.
 */
export class RegisterFile implements IoHandler {
  readonly length: number;
  readonly #stored: Uint8Array;
  /** Bytes of the last samples, where registers have a `read`. */
  readonly #sampled: Uint8Array;
  readonly #initial: Uint8Array;
  readonly #writable: Uint8Array;
  readonly #clearable: Uint8Array;
  /** The register of each byte. */
  readonly #owner: readonly (Register | undefined)[];
  readonly #settled: ((offset: number, size: AccessSize) => void) | undefined;

  constructor({ length, registers, scratch, vacant = 0, settled }: RegisterFileOptions) {
    this.length = length;
    this.#initial = new Uint8Array(length).fill(vacant);
    this.#sampled = new Uint8Array(length);
    this.#writable = new Uint8Array(length);
    this.#clearable = new Uint8Array(length);
    this.#settled = settled;
    const owner: (Register | undefined)[] = Array.from({ length }, () => undefined);
    if (scratch !== undefined) {
      this.#initial.fill(0, scratch.start, scratch.end);
      this.#writable.fill(0xff, scratch.start, scratch.end);
    }
    for (const register of registers) {
      assert(
        register.offset >= 0 && register.offset + register.size <= length,
        `${register.name} lies outside its file`,
      );
      for (let at = register.offset; at < register.offset + register.size; at++) {
        assert(owner[at] === undefined, `${register.name} overlaps ${owner[at]?.name ?? ''}`);
        owner[at] = register;
      }
      store(this.#initial, register, register.reset ?? 0);
      store(this.#writable, register, register.writable ?? 0);
      store(this.#clearable, register, register.clearable ?? 0);
    }
    this.#owner = owner;
    this.#stored = this.#initial.slice();
  }

  /** Puts every register to its reset value. Tells nobody: whoever resets a device knows. */
  reset(): void {
    this.#stored.set(this.#initial);
  }

  read(offset: number, size: AccessSize): number {
    const register = this.#owner[offset];
    // The way of those who wait for a timer, and come by millions.
    if (register?.read !== undefined && register.offset === offset && register.size === size) {
      return (register.read() & allOnes(size)) >>> 0;
    }
    this.#sample(offset, size);
    let value = 0;
    for (let at = offset + size - 1; at >= offset; at--) {
      const bytes = this.#owner[at]?.read === undefined ? this.#stored : this.#sampled;
      value = (value << 8) | (bytes[at] ?? 0xff);
    }
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const end = Math.min(offset + size, this.length);
    let at = offset;
    while (at < end) {
      const register = this.#owner[at];
      const stop = register === undefined ? at + 1 : Math.min(end, register.offset + register.size);
      if (register?.written === undefined) {
        this.#merge(at, stop, value, offset);
      } else {
        this.#settleSample(register);
        const previous = this.peek(register.offset, register.size);
        this.#merge(at, stop, value, offset);
        register.written(this.peek(register.offset, register.size), previous);
      }
      at = stop;
    }
    this.#settled?.(offset, size);
  }

  /** The bytes as they are stored: the device's own look, which samples nothing. */
  peek(offset: number, size: AccessSize): number {
    let value = 0;
    for (let at = offset + size - 1; at >= offset; at--) value = (value << 8) | (this.#stored[at] ?? 0xff);
    return value >>> 0;
  }

  /** Stores bytes past all masks: the device's own hand, which tells nobody. */
  poke(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#stored[offset + i] = value >>> (8 * i);
  }

  #sample(offset: number, size: AccessSize): void {
    const end = Math.min(offset + size, this.length);
    let at = offset;
    while (at < end) {
      const register = this.#owner[at];
      if (register?.read !== undefined) store(this.#sampled, register, register.read());
      at = register === undefined ? at + 1 : register.offset + register.size;
    }
  }

  #settleSample(register: Register): void {
    if (register.read !== undefined && register.clearable !== undefined) store(this.#stored, register, register.read());
  }

  /** Applies bytes [at, stop) of a write of `value` that began at `base`. */
  #merge(at: number, stop: number, value: number, base: number): void {
    for (let i = at; i < stop; i++) {
      const data = value >>> (8 * (i - base));
      const writable = this.#writable[i] ?? 0;
      const kept = (this.#stored[i] ?? 0) & ~writable & ~(data & (this.#clearable[i] ?? 0));
      this.#stored[i] = kept | (data & writable);
    }
  }
}

function store(bytes: Uint8Array, { offset, size }: Register, value: number): void {
  for (let i = 0; i < size; i++) bytes[offset + i] = value >>> (8 * i);
}
