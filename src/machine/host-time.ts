import type { Nanoseconds } from '../base/clock.ts';
import { MICROSECOND, MILLISECOND, SECOND } from '../base/units.ts';
import type { TimeSource } from './time-source.ts';

/** A slice under the host's clock: short enough for input, long enough not to count. */
const SLICE = MILLISECOND;

/** A slice is not made shorter than this for an alarm's sake. */
const SHORTEST_SLICE = 10 * MICROSECOND;

/**
 * What work may be said to have taken at the most: a look at the clock, which is a call out of the engine, and an
 * instruction, so many times the usual but never longer than this. What the host says beyond that, it did not spend on this
 * guest.
 */
const LOOK = 4 * MICROSECOND;
const INSTRUCTION = MICROSECOND;
const TIMES_USUAL = 8;

/** While there are arrears, time goes at so many times the host's pace. */
const PACE = 2;

/** Arrears beyond this are forgiven: the guest's clock stays behind by that much. */
const MOST_ARREARS = SECOND;

export interface HostTimeOptions {
  /** The host's monotonic clock. */
  readonly host: () => Nanoseconds;
  /** How many instructions the guest has run. */
  readonly instructions: () => number;
  /** When the next alarm is due. */
  readonly nextDeadline: () => Nanoseconds;
  /** Ends the slice that is running: an alarm is due. */
  readonly due: () => void;
}

/**
 * Time is the host's, as far as the guest can have had it (docs/adr/0045-time-waits-for-the-guest.md):
 *
 * - it never passes an alarm that has not rung;
 * - between two looks it advances by no more than PACE times what the work between them can have taken;
 * - what the host is ahead is made up at PACE times the host's, or at once while the guest idles.
 */
export class HostTime implements TimeSource {
  readonly #options: HostTimeOptions;
  #now: Nanoseconds = 0;
  /** Host time that the guest has not had yet. */
  #arrears: Nanoseconds = 0;
  /** The host's clock, and the instructions, at the latest look. */
  #host: Nanoseconds;
  #instructions = 0;
  #state: 'slice' | 'between' | 'idle' | 'paused' = 'between';
  /** What the work of this slice has taken. */
  #worked: Nanoseconds = 0;
  /** The engine's speed, learnt slice by slice. */
  #instructionsPerNanosecond = 0.02;

  constructor(options: HostTimeOptions) {
    this.#options = options;
    this.#host = options.host();
  }

  readonly now = (): Nanoseconds => {
    if (this.#state !== 'paused') this.#look();
    return this.#now;
  };

  instructionsUntil(deadline: Nanoseconds): number {
    this.#state = 'slice';
    this.#worked = 0;
    const remaining = Math.min(SLICE, Math.max(SHORTEST_SLICE, deadline - this.#now));
    const pace = this.#arrears > remaining ? PACE : 1;
    return Math.max(1, Math.ceil((remaining / pace) * this.#instructionsPerNanosecond));
  }

  ran(instructions: number): void {
    if (this.#state === 'slice') this.#state = 'between';
    this.now();
    if (instructions < 500 || this.#worked <= 0) return;
    const speed = Math.max(1 / INSTRUCTION, instructions / this.#worked);
    this.#instructionsPerNanosecond += (speed - this.#instructionsPerNanosecond) / 8;
  }

  idle(deadline: Nanoseconds): Nanoseconds {
    if (this.#state === 'between') this.#state = 'idle';
    return Math.max(0, deadline - this.now());
  }

  pause(): void {
    this.now();
    this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'between';
    this.#host = this.#options.host();
  }

  #look(): void {
    const { host, instructions, nextDeadline } = this.#options;
    const elapsed = host() - this.#host;
    const ran = instructions() - this.#instructions;
    this.#host += elapsed;
    this.#instructions += ran;
    this.#arrears += elapsed;
    const longest = Math.min(INSTRUCTION, TIMES_USUAL / this.#instructionsPerNanosecond);
    const work = Math.min(elapsed, LOOK + ran * longest);
    this.#worked += work;
    const wanted = this.#state === 'idle' ? this.#arrears : Math.min(this.#arrears, PACE * work);
    const toAlarm = Math.max(0, nextDeadline() - this.#now);
    const step = Math.min(wanted, toAlarm);
    this.#now += step;
    this.#arrears = Math.min(this.#arrears - step, MOST_ARREARS);
    if (step === toAlarm) this.#reachAlarm();
  }

  /** What an alarm does, it does now: a guest that idled does so no more. */
  #reachAlarm(): void {
    if (this.#state === 'slice') this.#options.due();
    else if (this.#state === 'idle') this.#state = 'between';
  }
}
