import type { Given, Syntax } from './arguments.ts';

/** A verb of the command line. The same row parses it, prints its help, and completes it in shells. */
export interface Command extends Syntax {
  readonly name: string;
  readonly summary: string;
  /** Does the work and gives the exit status. Bad input is a `ConfigError`. */
  run(given: Given): Promise<number>;
}

/** Exit statuses of every command; `skep help` prints them. */
export const STATUS = {
  /** It did what it was asked to; a guest powered itself off. */
  DONE: 0,
  /** The guest died of a triple fault. */
  GUEST_DIED: 1,
  /** What was asked for is impossible; one line on standard error says why. */
  BAD_INPUT: 2,
  /** `--time-limit` was reached. */
  TIME_LIMIT: 3,
  /** Ended by Ctrl-C, as shells report it. */
  INTERRUPTED: 130,
} as const;
