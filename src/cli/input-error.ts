import { ConfigError } from '../machine/config-error.ts';
import { MemoryError } from '../memory/index.ts';

/** Whether an error is the answer to what a person asked for, and so one line, or a defect of skep, and so a trace. */
export function isInputError(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof MemoryError;
}
