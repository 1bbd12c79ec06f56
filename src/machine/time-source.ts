import type { Nanoseconds } from '../base/clock.ts';

/**
 * How a machine's time passes. Two kinds: the host's clock, and the count of instructions, with which a run is a
 * function of its inputs alone.
 */
export interface TimeSource {
  readonly now: () => Nanoseconds;
  /** How many instructions may run before `deadline`, by what is known of their speed. At least 1. */
  instructionsUntil(deadline: Nanoseconds): number;
  /** Told after each slice how many did run. */
  ran(instructions: number): void;
  /** The guest idles: passes the time up to `deadline` at once if it can, else gives how long to wait. */
  idle(deadline: Nanoseconds): Nanoseconds;
  /** Between the two no time passes. */
  pause(): void;
  resume(): void;
}

/** What an instruction lasts when instructions are the clock: a 200 MIPS processor. */
export const NANOSECONDS_PER_INSTRUCTION = 5;

/** Instructions in a slice at the most, so that the host gets its turn. Where slices end changes nothing that runs in them. */
const INSTRUCTIONS_PER_SLICE = 200_000;

/** Time is the number of instructions, plus what the guest has idled. */
export function instructionTime(instructions: () => number): TimeSource {
  let idled = 0;
  const now = (): Nanoseconds => instructions() * NANOSECONDS_PER_INSTRUCTION + idled;
  return {
    now,
    instructionsUntil(deadline) {
      const remaining = Math.ceil((deadline - now()) / NANOSECONDS_PER_INSTRUCTION);
      return Math.max(1, Math.min(INSTRUCTIONS_PER_SLICE, remaining));
    },
    ran() {},
    idle(deadline) {
      if (deadline === Infinity) return Infinity;
      idled += Math.max(0, deadline - now());
      return 0;
    },
    pause() {},
    resume() {},
  };
}
