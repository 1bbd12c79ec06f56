import { HostError } from './host-error.ts';
import { MADVISE, type Libc } from './libc.ts';
import { lockedMemory, type LockedMemory } from './locked-memory.ts';

/**
 * What the host's kernel is to do with the pages of guest memory: keep them in RAM (bhyve's -S), write them to core
 * dumps (bhyve's -C; not, unless asked for). Holds for all segments of a store, present and future.
 */
export class PagePolicy {
  readonly #libc: Libc;
  readonly #lockedMemory: () => LockedMemory;
  /** Start and length of what it holds for. */
  readonly #ranges: Map<number, number> = new Map();
  #wired = false;
  #core = false;

  constructor(libc: Libc, locked: () => LockedMemory = () => lockedMemory(libc)) {
    this.#libc = libc;
    this.#lockedMemory = locked;
  }

  /** Whether every page is in RAM and stays there. */
  get wired(): boolean {
    return this.#wired;
  }

  /** Whether a core dump of this process has the guest's memory in it. */
  get core(): boolean {
    return this.#core;
  }

  /** Locks all segments, and makes every page present. Throws HostError ENOMEM with the numbers, and locks nothing then. */
  wire(): void {
    if (this.#wired) return;
    const ranges = [...this.#ranges];
    this.#checkLimit(ranges.reduce((sum, [, length]) => sum + length, 0));
    try {
      for (const [start, length] of ranges) this.#libc.mlock(start, length);
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.#wired = true;
  }

  unwire(): void {
    this.#wired = false;
    this.#unlock();
  }

  setCore(core: boolean): void {
    this.#core = core;
    for (const [start, length] of this.#ranges) this.#libc.madvise(start, length, advice(core));
  }

  /** A range has just been mapped. Throws as `wire`; the range is not under the policy then. */
  add(start: number, length: number): void {
    this.#libc.madvise(start, length, advice(this.#core));
    if (this.#wired) {
      this.#checkLimit(length);
      this.#libc.mlock(start, length);
    }
    this.#ranges.set(start, length);
  }

  /** A range is no longer mapped, and with the mapping all that was set for it is gone. */
  remove(start: number): void {
    this.#ranges.delete(start);
  }

  /** Also what mlock(2) has failed for: it locks first, and then finds that it cannot make the pages present. */
  #unlock(): void {
    for (const [start, length] of this.#ranges) {
      try {
        this.#libc.munlock(start, length);
      } catch {
        // The range is not there at all, which is why the caller is here.
      }
    }
  }

  /** mlock(2) itself would only say "not enough memory". */
  #checkLimit(length: number): void {
    const { limit, used } = this.#lockedMemory();
    if (used + length <= limit) return;
    throw new HostError(
      'ENOMEM',
      `cannot wire ${length} bytes of guest memory: this process may lock ${limit} bytes, and ${used} of them are in use (RLIMIT_MEMLOCK, ulimit -l)`,
      { length, limit, used },
    );
  }
}

function advice(core: boolean): number {
  return core ? MADVISE.DODUMP : MADVISE.DONTDUMP;
}
