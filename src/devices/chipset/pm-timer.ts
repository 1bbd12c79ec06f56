import { SECOND } from '../../base/units.ts';
import type { Clock, Nanoseconds } from '../../base/clock.ts';

/** Ticks per second: three times the PIT's, as on every PC. (ACPI 2.0, 4.7.3.3) */
export const PM_TIMER_HZ = 3_579_545;
const MODULUS = 2 ** 24;
/** The timer's status bit is set whenever the highest bit changes. */
const HALF = MODULUS / 2;

/** The 24-bit ACPI power-management timer. It counts machine time since power-on without accumulating any error. */
export class PmTimer {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The register: 24 bits, wrapping every 4.69 seconds. */
  get value(): number {
    return this.ticks() % MODULUS;
  }

  /** Ticks since power-on, never wrapping. Seconds and the rest apart, so that every product is exact in a double. */
  ticks(): number {
    const now = this.#clock.now();
    const seconds = Math.floor(now / SECOND);
    return seconds * PM_TIMER_HZ + Math.floor(((now - seconds * SECOND) * PM_TIMER_HZ) / SECOND);
  }

  /** The next tick after now at which the highest bit changes. */
  nextToggle(): number {
    return (Math.floor(this.ticks() / HALF) + 1) * HALF;
  }

  /** The first moment at which `ticks()` has reached `tick`. */
  timeOf(tick: number): Nanoseconds {
    const seconds = Math.floor(tick / PM_TIMER_HZ);
    return seconds * SECOND + Math.ceil(((tick - seconds * PM_TIMER_HZ) * SECOND) / PM_TIMER_HZ);
  }
}
