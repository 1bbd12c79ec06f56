import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { MILLISECOND } from '../base/units.ts';
import type { Uart16550 } from '../devices/uart-16550.ts';

/** Drivers turn the interrupt on a moment before they empty the FIFO for the last time. */
const SETTLING: Nanoseconds = 2 * MILLISECOND;

/**
 * Bytes for the serial port that the guest has had no room for yet, in order. A pipe's are all there before the guest
 * has started: they wait until it listens, since a driver that sets the port up throws away what it finds there.
 */
export class SerialInput {
  readonly #uart: Pick<Uart16550, 'receive' | 'isListening'>;
  readonly #clock: Clock;
  readonly #waiting: Uint8Array[] = [];
  readonly #look: Timer;
  #listensSince: Nanoseconds | undefined;

  constructor(uart: Pick<Uart16550, 'receive' | 'isListening'>, clock: Clock) {
    this.#uart = uart;
    this.#clock = clock;
    this.#look = clock.timer(() => this.pump());
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.pump();
  }

  /** Hands on as much as there is room for, if the guest wants it. */
  pump(): void {
    if (this.#waiting.length === 0) return;
    if (this.#hasSettled()) this.#handOn();
    else this.#look.arm(this.#clock.now() + SETTLING);
  }

  #hasSettled(): boolean {
    if (!this.#uart.isListening) {
      this.#listensSince = undefined;
      return false;
    }
    this.#listensSince ??= this.#clock.now();
    return this.#clock.now() - this.#listensSince >= SETTLING;
  }

  #handOn(): void {
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
