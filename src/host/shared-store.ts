import { MemoryError, type Store } from '../memory/index.ts';
import { HostError } from './host-error.ts';
import type { PagePolicy } from './page-policy.ts';

/** A store whose segments other processes may map. */
export interface SharedStore extends Store {
  /** What is set for the pages of all segments: wired, in core dumps. */
  readonly pages: PagePolicy;
}

/** A store says ENOMEM in guest memory's words; every other "no" of the kernel is told as it is. */
export function outOfMemory(error: unknown, length: number): unknown {
  if (!(error instanceof HostError) || error.code !== 'ENOMEM') return error;
  return new MemoryError('ENOMEM', `no ${length} bytes for a segment: ${error.message}`, { length });
}
