import type { Nanoseconds } from '../base/clock.ts';
import { SECOND } from '../base/units.ts';

/**
 * Converts between machine time and the ticks of a crystal, exactly: whole seconds apart from the rest, so that no
 * product leaves the 53 bits of a double and nothing drifts, however long the machine runs.
 */
export class Oscillator {
  /** Whole ticks in a second, at most 4 MHz or so: the product with a second's nanoseconds must stay exact. */
  readonly frequency: number;

  constructor(frequency: number) {
    this.frequency = frequency;
  }

  /** Ticks completed by `time`. */
  ticksAt(time: Nanoseconds): number {
    const seconds = Math.floor(time / SECOND);
    const rest = time - seconds * SECOND;
    return seconds * this.frequency + Math.floor((rest * this.frequency) / SECOND);
  }

  /** The first nanosecond at which `ticks` ticks are complete. */
  timeOf(ticks: number): Nanoseconds {
    const seconds = Math.floor(ticks / this.frequency);
    const rest = ticks - seconds * this.frequency;
    return seconds * SECOND + Math.ceil((rest * SECOND) / this.frequency);
  }
}
