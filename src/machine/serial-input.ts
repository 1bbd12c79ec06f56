import type { Uart16550 } from '../devices/uart-16550.ts';

/** Bytes for the serial port that the guest has had no room for yet, in order. */
export class SerialInput {
  readonly #uart: Pick<Uart16550, 'receive'>;
  readonly #waiting: Uint8Array[] = [];

  constructor(uart: Pick<Uart16550, 'receive'>) {
    this.#uart = uart;
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.pump();
  }

  /** Hands on as much as there is room for. */
  pump(): void {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const taken = this.#uart.receive(first);
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
  }
}
