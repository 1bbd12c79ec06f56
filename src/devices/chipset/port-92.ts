import type { AccessSize, IoHandler } from '../../bus/io-handler.ts';

const FAST_RESET = 0x01;
const A20 = 0x02;

export interface Port92Options {
  /** Told the level of the A20 gate on every write. The keyboard controller drives the same gate: the last one wins. */
  readonly setA20: (enabled: boolean) => void;
  readonly requestReset: () => void;
}

/**
 * System control port A, one byte at port 92h, from the PS/2: bit 1 is the fast way to open the A20 gate, and setting
 * bit 0 resets. Other bits only remember.
 */
export class Port92 implements IoHandler {
  readonly #options: Port92Options;
  #value = 0;

  constructor(options: Port92Options) {
    this.#options = options;
  }

  /** Bits 0 and 1 fall; who resets the machine sets the A20 gate. */
  reset(): void {
    this.#value = 0;
  }

  read(_offset: number, _size: AccessSize): number {
    return this.#value;
  }

  write(_offset: number, _size: AccessSize, value: number): void {
    const rising = value & ~this.#value;
    this.#value = value & 0xff;
    this.#options.setA20((value & A20) !== 0);
    if ((rising & FAST_RESET) !== 0) this.#options.requestReset();
  }
}
