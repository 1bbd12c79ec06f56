import type { Clock, Nanoseconds } from '../../base/clock.ts';
import { Oscillator } from '../oscillator.ts';

/** Ticks per second: three times the PIT's, as on every PC. (ACPI 2.0, 4.7.3.3) */
export const PM_TIMER_HZ = 3_579_545;
const MODULUS = 2 ** 24;
/** The timer's status bit is set whenever the highest bit changes. */
const HALF = MODULUS / 2;

/** The 24-bit ACPI power-management timer. It counts machine time since power-on without accumulating any error. */
export class PmTimer {
  readonly #clock: Clock;
  readonly #crystal: Oscillator = new Oscillator(PM_TIMER_HZ);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The register: 24 bits, wrapping every 4.69 seconds. */
  get value(): number {
    return this.ticks() % MODULUS;
  }

  /** Ticks since power-on, never wrapping. */
  ticks(): number {
    return this.#crystal.ticksAt(this.#clock.now());
  }

  /** The next tick after now at which the highest bit changes. */
  nextToggle(): number {
    return (Math.floor(this.ticks() / HALF) + 1) * HALF;
  }

  /** The first moment at which `ticks()` has reached `tick`. */
  timeOf(tick: number): Nanoseconds {
    return this.#crystal.timeOf(tick);
  }
}
