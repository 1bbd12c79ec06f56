import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { MICROSECOND } from '../base/units.ts';

/** LVT timer bits 18:17. The fourth is reserved; it counts like one-shot and is not offered. */
const MODE = { oneShot: 0, periodic: 1, deadline: 2 } as const;
const MODE_SHIFT = 17;

/** Ticks of the bus clock, 1 GHz, are nanoseconds. */
export const APIC_TIMER_HZ = 1_000_000_000;

/** A periodic timer does not ask for attention more often than this: interrupts that close merge anyway. */
const SHORTEST_PERIOD = 10 * MICROSECOND;

export interface LocalApicTimerOptions {
  readonly clock: Clock;
  /** Machine time at which the time-stamp counter, as the guest sees it, reaches a value given in two halves. */
  readonly timeOfTimestamp: (low: number, high: number) => Nanoseconds;
  readonly expired: () => void;
}

/**
 * The timer of a local APIC (SDM volume 3, section 11.5.4): counts down from an initial count, once or again and again,
 * or waits for a value of the time-stamp counter. The count is computed when somebody looks; an alarm is armed only
 * while the interrupt is wanted.
 */
export class LocalApicTimer {
  readonly #options: LocalApicTimerOptions;
  readonly #alarm: Timer;
  #mode: number = MODE.oneShot;
  #masked = true;
  #initial = 0;
  /** When the count was, or would have been, `#initial`. */
  #start: Nanoseconds = 0;
  #divide = 0;
  #deadlineLow = 0;
  #deadlineHigh = 0;

  constructor(options: LocalApicTimerOptions) {
    this.#options = options;
    this.#alarm = options.clock.timer(() => this.#expire());
  }

  reset(): void {
    this.#mode = MODE.oneShot;
    this.#masked = true;
    this.#initial = 0;
    this.#divide = 0;
    this.#clearDeadline();
    this.#alarm.disarm();
  }

  /** The LVT entry: its mode and its mask. To and from deadline mode, whatever was running stops. */
  configure(entry: number, masked: boolean): void {
    const mode = (entry >>> MODE_SHIFT) & 3;
    if ((mode === MODE.deadline) !== (this.#mode === MODE.deadline)) this.#stop();
    this.#mode = mode;
    this.#masked = masked;
    this.#arm();
  }

  get initial(): number {
    return this.#initial;
  }

  /** Starts counting from this; 0 stops. */
  set initial(count: number) {
    if (this.#mode === MODE.deadline) return;
    this.#initial = count;
    this.#start = this.#options.clock.now();
    this.#arm();
  }

  get count(): number {
    if (this.#initial === 0) return 0;
    const elapsed = Math.floor((this.#options.clock.now() - this.#start) / this.#divisor);
    if (this.#mode === MODE.periodic) return this.#initial - (elapsed % this.#initial);
    return Math.max(0, this.#initial - elapsed);
  }

  /** Bits 3, 1, 0: what the bus clock is divided by. */
  get divide(): number {
    return this.#divide;
  }

  /** A count in progress goes on from where it is, at the new speed. */
  set divide(value: number) {
    const done = this.#initial - this.count;
    this.#divide = value & 0xb;
    this.#start = this.#options.clock.now() - done * this.#divisor;
    this.#arm();
  }

  get deadlineLow(): number {
    return this.#deadlineLow;
  }

  get deadlineHigh(): number {
    return this.#deadlineHigh;
  }

  /** IA32_TSC_DEADLINE: 0 disarms; in another mode a write is ignored (SDM volume 3, section 11.5.4.1). */
  setDeadline(low: number, high: number): void {
    if (this.#mode !== MODE.deadline) return;
    this.#deadlineLow = low >>> 0;
    this.#deadlineHigh = high >>> 0;
    this.#arm();
  }

  /** A deadline is a value of the counter, which has been written. */
  timestampMoved(): void {
    if (this.#mode === MODE.deadline) this.#arm();
  }

  /** 000 is 2, 001 is 4, … 110 is 128, 111 is 1. */
  get #divisor(): number {
    const code = (this.#divide & 3) | ((this.#divide & 8) >> 1);
    return 1 << ((code + 1) & 7);
  }

  #stop(): void {
    this.#initial = 0;
    this.#clearDeadline();
  }

  #clearDeadline(): void {
    this.#deadlineLow = 0;
    this.#deadlineHigh = 0;
  }

  #arm(): void {
    const deadline = this.#mode === MODE.deadline ? this.#deadlineTime() : this.#countTime();
    if (deadline === Infinity) this.#alarm.disarm();
    else this.#alarm.arm(deadline);
  }

  /** A deadline is kept whether or not its interrupt is masked, since it is cleared when it passes. */
  #deadlineTime(): Nanoseconds {
    if (this.#deadlineLow === 0 && this.#deadlineHigh === 0) return Infinity;
    return this.#options.timeOfTimestamp(this.#deadlineLow, this.#deadlineHigh);
  }

  #countTime(): Nanoseconds {
    if (this.#initial === 0 || this.#masked) return Infinity;
    const now = this.#options.clock.now();
    const period = this.#initial * this.#divisor;
    if (this.#mode === MODE.periodic) {
      const next = this.#start + (Math.floor((now - this.#start) / period) + 1) * period;
      return period < SHORTEST_PERIOD ? Math.max(next, now + SHORTEST_PERIOD) : next;
    }
    // A count that reached zero while it was masked is over.
    return this.#start + period > now ? this.#start + period : Infinity;
  }

  #expire(): void {
    if (this.#mode === MODE.deadline) this.#clearDeadline();
    else if (this.#mode === MODE.periodic) this.#arm();
    this.#options.expired();
  }
}
