import type { AccessSize, IoHandler } from '../../bus/io-handler.ts';

const SYSTEM_RESET = 0x02;
const RESET_CPU = 0x04;

/**
 * Reset control (82371SB, 3.1.5.3), one byte at port CF9h, which the PCI address register surrounds: hand it to the
 * configuration mechanism. A 0 to 1 transition of bit 2 resets; it never reads back as 1. Bit 1 chooses between the
 * whole board and the processor alone; skep, like QEMU, resets the whole machine either way, and guests cannot tell.
 */
export class ResetControl implements IoHandler {
  readonly #requestReset: () => void;
  #kind = 0;

  constructor({ requestReset }: { requestReset: () => void }) {
    this.#requestReset = requestReset;
  }

  reset(): void {
    this.#kind = 0;
  }

  read(_offset: number, _size: AccessSize): number {
    return this.#kind;
  }

  write(_offset: number, _size: AccessSize, value: number): void {
    this.#kind = value & SYSTEM_RESET;
    if ((value & RESET_CPU) !== 0) this.#requestReset();
  }
}
