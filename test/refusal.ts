import { MemoryError } from '../src/memory/memory-error.ts';

/** How guest memory refuses a call, if it does. */
function refusedBy(call: () => unknown): MemoryError | undefined {
  try {
    call();
  } catch (error) {
    if (error instanceof MemoryError) return error;
    throw error;
  }
  return undefined;
}

export function refusal(call: () => unknown): MemoryError {
  const error = refusedBy(call);
  if (error === undefined) throw new Error('it was not refused');
  return error;
}

export function codeOf(call: () => unknown): string {
  return refusedBy(call)?.code ?? 'accepted';
}
