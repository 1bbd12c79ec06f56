import { describe, expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { kernelFlags } from '../../test/nodes/process-facts.ts';
import { MiB, PAGE_SIZE } from '../base/units.ts';
import { reserveGuarded, releaseGuarded, showFile } from './address-range.ts';
import { openLibc, type Libc } from './libc.ts';
import { lockedMemory, type LockedMemory } from './locked-memory.ts';
import { Memfd } from './memfd.ts';
import { MmapStore } from './mmap-store.ts';
import { PagePolicy } from './page-policy.ts';
import { SegmentFiles } from './segment-files.ts';

const unlimited = (): LockedMemory => ({ limit: Infinity, used: 0 });

/** The kernel's words for it: lo, locked; dd, not in core dumps. */
const isLocked = (address: number): boolean => kernelFlags(address).includes('lo');
const isDumped = (address: number): boolean => !kernelFlags(address).includes('dd');

/** Ranges of a page each that show a file, as a store would have them. */
class Ranges implements Disposable {
  readonly starts: number[] = [];
  readonly #libc: Libc = openLibc();
  readonly #file: Memfd = new Memfd(this.#libc, 'ranges', PAGE_SIZE);

  add(): number {
    const start = reserveGuarded(this.#libc, PAGE_SIZE);
    showFile(this.#libc, start, [{ offset: 0, length: PAGE_SIZE, file: this.#file, fileOffset: 0 }]);
    this.starts.push(start);
    return start;
  }

  [Symbol.dispose](): void {
    for (const start of this.starts) releaseGuarded(this.#libc, start, PAGE_SIZE);
    this.#file[Symbol.dispose]();
  }
}

describe('core dumps', () => {
  nodesTest("leave the guest's memory out, unless it is asked for", () => {
    using ranges = new Ranges();
    const policy = new PagePolicy(openLibc());
    const first = ranges.add();
    policy.add(first, PAGE_SIZE);
    expect([policy.core, isDumped(first)]).toEqual([false, false]);
    policy.setCore(true);
    const second = ranges.add();
    policy.add(second, PAGE_SIZE);
    expect([policy.core, isDumped(first), isDumped(second)]).toEqual([true, true, true]);
    policy.setCore(false);
    expect([policy.core, isDumped(first), isDumped(second)]).toEqual([false, false, false]);
  });
});

describe('wiring', () => {
  nodesTest('locks what is there and what comes, until it is taken back', () => {
    using ranges = new Ranges();
    const policy = new PagePolicy(openLibc(), unlimited);
    const first = ranges.add();
    policy.add(first, PAGE_SIZE);
    expect([policy.wired, isLocked(first)]).toEqual([false, false]);
    policy.wire();
    policy.wire();
    const second = ranges.add();
    policy.add(second, PAGE_SIZE);
    expect([policy.wired, isLocked(first), isLocked(second)]).toEqual([true, true, true]);
    policy.unwire();
    expect([policy.wired, isLocked(first), isLocked(second)]).toEqual([false, false, false]);
  });

  nodesTest('counts in the memory that the process has locked', () => {
    using ranges = new Ranges();
    const libc = openLibc();
    const policy = new PagePolicy(libc, unlimited);
    const before = lockedMemory(libc).used;
    policy.add(ranges.add(), PAGE_SIZE);
    policy.wire();
    expect(lockedMemory(libc).used).toBe(before + PAGE_SIZE);
    policy.unwire();
    expect(lockedMemory(libc).used).toBe(before);
  });

  nodesTest('beyond the limit is refused with the numbers, and nothing is locked', () => {
    using ranges = new Ranges();
    const policy = new PagePolicy(openLibc(), () => ({ limit: 10_000, used: 2000 }));
    const starts = [ranges.add(), ranges.add()];
    for (const start of starts) policy.add(start, PAGE_SIZE);
    expect(() => policy.wire()).toThrow(
      expect.objectContaining({
        code: 'ENOMEM',
        message:
          'cannot wire 8192 bytes of guest memory: this process may lock 10000 bytes, and 2000 of them are in use (RLIMIT_MEMLOCK, ulimit -l)',
        facts: { length: 8192, limit: 10_000, used: 2000 },
      }),
    );
    expect([policy.wired, ...starts.map(isLocked)]).toEqual([false, false, false]);
  });

  nodesTest('up to the limit, to the byte, is allowed', () => {
    using ranges = new Ranges();
    const policy = new PagePolicy(openLibc(), () => ({ limit: 10_000, used: 10_000 - PAGE_SIZE }));
    policy.add(ranges.add(), PAGE_SIZE);
    policy.wire();
    expect(policy.wired).toBe(true);
    policy.unwire();
  });

  nodesTest('that the kernel refuses half-way locks nothing', () => {
    using ranges = new Ranges();
    const policy = new PagePolicy(openLibc(), unlimited);
    const first = ranges.add();
    policy.add(first, PAGE_SIZE);
    const second = ranges.add();
    policy.add(second, PAGE_SIZE);
    openLibc().munmap(second, PAGE_SIZE);
    expect(() => policy.wire()).toThrow(
      expect.objectContaining({ code: 'ENOMEM', facts: { call: 'mlock', errno: 12 } }),
    );
    expect([policy.wired, isLocked(first)]).toEqual([false, false]);
  });

  nodesTest('fails for a segment that comes later without taking anything', () => {
    const libc = openLibc();
    let limit = Infinity;
    const pages = new PagePolicy(libc, () => ({ limit, used: 0 }));
    using store = new MmapStore({ libc, files: new SegmentFiles({ libc }), pages });
    store.allocate(PAGE_SIZE);
    pages.wire();
    limit = MiB;
    expect(() => store.allocate(2 * MiB)).toThrow(
      expect.objectContaining({
        name: 'MemoryError',
        code: 'ENOMEM',
        message: expect.stringContaining('may lock 1048576 bytes'),
      }),
    );
    expect(store.used).toBe(PAGE_SIZE);
    store.allocate(MiB);
  });

  nodesTest('ends with the segment', () => {
    const libc = openLibc();
    const pages = new PagePolicy(libc, unlimited);
    using store = new MmapStore({ libc, files: new SegmentFiles({ libc }), pages });
    const before = lockedMemory(libc).used;
    const extent = store.allocate(MiB);
    pages.wire();
    expect(lockedMemory(libc).used).toBe(before + MiB);
    store.free(extent);
    expect(lockedMemory(libc).used).toBe(before);
  });
});
