import type { Problem } from '../control/index.ts';

/**
 * A control socket could not be asked, or refused. The code is the kernel's (`ENOENT`, `ECONNREFUSED`: no machine is
 * there), or the kind of the problem that the machine answered with, such as `no-such-segment`.
 */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: string;
  /** What the machine answered. */
  readonly problem: Problem | undefined;

  constructor(code: string, sentence: string, problem?: Problem) {
    super(sentence);
    this.code = code;
    this.problem = problem;
  }
}
