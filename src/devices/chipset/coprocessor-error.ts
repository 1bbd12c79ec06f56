import type { InterruptLine } from '../../bus/interrupt-line.ts';
import type { AccessSize, IoHandler } from '../../bus/io-handler.ts';

export interface CoprocessorErrorOptions {
  /** Interrupt 13. */
  readonly interrupt: InterruptLine;
  /** The processor's IGNNE# pin. */
  readonly setIgnoreFloatError: (ignored: boolean) => void;
}

/**
 * The coprocessor error register, one byte at port F0h (82371SB datasheet, section 2.5.6): the processor's FERR# raises
 * interrupt 13; a write lowers it and asserts IGNNE#, so that the handler may use the x87, until FERR# goes away.
 */
export class CoprocessorError implements IoHandler {
  readonly #options: CoprocessorErrorOptions;
  #error = false;

  constructor(options: CoprocessorErrorOptions) {
    this.#options = options;
  }

  /** The FERR# pin. */
  setError(asserted: boolean): void {
    this.#error = asserted;
    this.#options.interrupt.set(asserted);
    if (!asserted) this.#options.setIgnoreFloatError(false);
  }

  reset(): void {
    this.setError(false);
  }

  read(_offset: number, _size: AccessSize): number {
    return 0xff;
  }

  write(_offset: number, _size: AccessSize, _value: number): void {
    this.#options.interrupt.set(false);
    if (this.#error) this.#options.setIgnoreFloatError(true);
  }
}
