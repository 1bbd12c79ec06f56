import type { Mapping } from './mapping.ts';

/**
 * Why guest memory refused what its caller asked for. The codes are errno names, as in FreeBSD's vmm(4);
 * docs/memory.md lists every case. ENOSPC and EACCES are never thrown by guest memory itself: they are for observers,
 * which have slots that run out and hosts that forbid.
 */
export type MemoryErrorCode = 'EINVAL' | 'EEXIST' | 'ENOSPC' | 'ENOMEM' | 'ENOENT' | 'EBUSY' | 'EACCES';

/** What the sentence is about, for programs: names and numbers as text (addresses in hex), and the mapping concerned. */
export interface MemoryFacts {
  /** The mapping that occupies the place, or that may not be touched. */
  readonly inTheWay?: Mapping;
  readonly [fact: string]: string | number | boolean | Mapping | undefined;
}

export class MemoryError extends Error {
  override readonly name = 'MemoryError';
  readonly code: MemoryErrorCode;
  readonly facts: MemoryFacts;

  constructor(code: MemoryErrorCode, sentence: string, facts: MemoryFacts = {}) {
    super(sentence);
    this.code = code;
    this.facts = facts;
  }
}
