import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusal.ts';
import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, HeapStore, PAGE_FLAG, STORE_MASK } from './index.ts';
import type { DirtyLog, Segment } from './index.ts';

const { CODE, LOGGED, WRITE } = PAGE_FLAG;

let memory: GuestMemory;
let ram: Segment;

/** Page 2 of RAM is seen at 0x2000, at 0x8000 and, read-only, at 0xfffff000. */
const ALIASES = [0x2000, 0x8000, 0xffff_f000];

const stores = [
  { store: 'heap', make: () => new HeapStore() },
  { store: 'arena', make: () => new ArenaStore({ capacity: MiB }) },
];

function build(make: () => HeapStore | ArenaStore): void {
  memory = new GuestMemory({ store: make(), addressBits: 32 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 4 * PAGE_SIZE });
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  memory.map({ segment: ram, gpa: gpa(0x8000), offset: 2 * PAGE_SIZE, prot: 'rw-' });
  memory.map({ segment: ram, gpa: gpa(0xffff_f000), offset: 2 * PAGE_SIZE, length: PAGE_SIZE, prot: 'r-x' });
}

function flagged(flag: number): boolean[] {
  return ALIASES.map((address) => (memory.flat.flagsAt(address) & flag) !== 0);
}

/** Every way in which skep writes byte 5 of page 2. The third is what an engine does on its slow path. */
const WRITES: [string, () => void][] = [
  ['guest memory', () => void memory.write(gpa(0x2005), Uint8Array.of(1))],
  ['another alias', () => void memory.write(gpa(0x8005), Uint8Array.of(1))],
  ['an engine', () => memory.beforeWrite(gpa(0x2005))],
  ['the segment', () => ram.write(2 * PAGE_SIZE + 5, Uint8Array.of(1))],
  ['a write that only ends there', () => void memory.write(gpa(0x1fff), new Uint8Array(7))],
];

describe.each(stores)('the dirty log in the $store store', ({ make }) => {
  let log: DirtyLog;

  beforeEach(() => {
    build(make);
    log = memory.dirtyLog(ram);
    log.start();
  });

  test('raises LOGGED on every alias of every page, so that a store does not go ahead unheard', () => {
    expect(flagged(LOGGED)).toEqual([true, true, true]);
    expect(memory.flat.flagsAt(0) & STORE_MASK).not.toBe(WRITE);
  });

  test.each(WRITES)('hears of a write by %s', (_way, write) => {
    write();
    expect(log.take().pages).toContain(2);
    expect(log.take().pages).toEqual([]);
  });

  test.each(WRITES)('after a write by %s no alias of the page is logged, until it is taken', (_way, write) => {
    write();
    expect(flagged(LOGGED)).toEqual([false, false, false]);
    log.take();
    expect(flagged(LOGGED)).toEqual([true, true, true]);
  });

  test('a write across pages marks each of them, and no other', () => {
    memory.write(gpa(0xfff), new Uint8Array(PAGE_SIZE + 2));
    expect(log.take().pages).toEqual([0, 1, 2]);
    ram.write(PAGE_SIZE - 1, Uint8Array.of(1, 2));
    expect(log.take().pages).toEqual([0, 1]);
  });

  test('reads, refused writes and empty writes mark nothing', () => {
    memory.read(gpa(0), new Uint8Array(100));
    memory.write(gpa(0xffff_f000), Uint8Array.of(1));
    memory.write(gpa(0x3fff), Uint8Array.of(1, 2));
    memory.write(gpa(0), new Uint8Array(0));
    ram.write(0, new Uint8Array(0));
    expect(log.take().pages).toEqual([]);
  });

  test('a mapping that comes later shows the flag, and writes through it are heard', () => {
    memory.map({ segment: ram, gpa: gpa(0x2_0000), prot: 'rw-' });
    expect(memory.flat.flagsAt(0x2_1000) & LOGGED).toBe(LOGGED);
    memory.write(gpa(0x2_1000), Uint8Array.of(1));
    expect(log.take().pages).toEqual([1]);
    expect(memory.flat.flagsAt(0x2_1000) & LOGGED).toBe(LOGGED);
  });

  test('writes to a segment that is nowhere mapped are heard', () => {
    memory.edit((edit) => {
      for (const mapping of memory) edit.unmap(mapping);
    });
    ram.write(PAGE_SIZE, Uint8Array.of(1));
    expect(log.take().pages).toEqual([1]);
  });

  test('a generation counts the takes', () => {
    expect([log.take().generation, log.take().generation]).toEqual([1, 2]);
    log.stop();
    log.start();
    expect(log.take()).toEqual({ generation: 1, pages: [] });
  });

  test('no write is lost between takes, none is told twice', () => {
    const heard: number[] = [];
    for (let turn = 0; turn < 100; turn++) {
      memory.write(gpa((turn % 4) * PAGE_SIZE), Uint8Array.of(turn));
      if (turn % 4 === 3) heard.push(...log.take().pages);
    }
    expect(heard).toEqual(Array.from({ length: 100 }, (_, turn) => turn % 4));
  });

  test('several logs of a segment do not disturb each other', () => {
    const other = memory.dirtyLog(ram);
    memory.write(gpa(0), Uint8Array.of(1));
    other.start();
    memory.write(gpa(0x1000), Uint8Array.of(1));
    expect([log.take().pages, other.take().pages]).toEqual([[0, 1], [1]]);
    memory.write(gpa(0x1000), Uint8Array.of(1));
    log.take();
    memory.write(gpa(0x3000), Uint8Array.of(1));
    expect([log.take().pages, other.take().pages]).toEqual([[3], [1, 3]]);
    other.stop();
    memory.write(gpa(0), Uint8Array.of(1));
    expect(log.take().pages).toEqual([0]);
  });

  test('a page that one log has dirty and another has clean is still heard by the other', () => {
    const other = memory.dirtyLog(ram);
    other.start();
    memory.write(gpa(0), Uint8Array.of(1));
    log.take();
    memory.write(gpa(0), Uint8Array.of(2));
    expect([log.take().pages, other.take().pages]).toEqual([[0], [0]]);
  });

  test('nothing is left of it when it has stopped', () => {
    log.stop();
    log.stop();
    expect(flagged(LOGGED)).toEqual([false, false, false]);
    expect(memory.flat.flagsAt(0) & STORE_MASK).toBe(WRITE);
  });

  test('the last of several logs to stop takes the flag away', () => {
    const other = memory.dirtyLog(ram);
    other.start();
    log.stop();
    expect(flagged(LOGGED)).toEqual([true, true, true]);
    other[Symbol.dispose]();
    expect(flagged(LOGGED)).toEqual([false, false, false]);
  });

  test('when a log stops, a page that the others have dirty already is logged no more', () => {
    memory.write(gpa(0x2000), Uint8Array.of(1));
    const other = memory.dirtyLog(ram);
    other.start();
    other.stop();
    expect([flagged(LOGGED), memory.flat.flagsAt(0) & LOGGED]).toEqual([[false, false, false], LOGGED]);
  });

  test('that holds for the first page and for the last', () => {
    for (const page of [0, 3]) memory.write(gpa(page * PAGE_SIZE), Uint8Array.of(1));
    const other = memory.dirtyLog(ram);
    other.start();
    other.stop();
    expect([0, 1, 2, 3].map((page) => memory.flat.flagsAt(page * PAGE_SIZE) & LOGGED)).toEqual([0, LOGGED, LOGGED, 0]);
  });

  test('what was written while it was stopped is not told', () => {
    memory.write(gpa(0), Uint8Array.of(1));
    log.stop();
    memory.write(gpa(0x1000), Uint8Array.of(1));
    log.start();
    expect(log.take().pages).toEqual([]);
  });

  test('start while it runs is EBUSY, take while it does not is EINVAL', () => {
    expect([log.running, codeOf(() => log.start())]).toEqual([true, 'EBUSY']);
    log.stop();
    expect([log.running, codeOf(() => log.take())]).toEqual([false, 'EINVAL']);
  });

  test('a reset of guest memory does not end it', () => {
    memory.reset();
    memory.write(gpa(0x3000), Uint8Array.of(1));
    expect(log.take().pages).toEqual([3]);
  });

  test('it ends with its segment', () => {
    memory[Symbol.dispose]();
    expect([log.running, codeOf(() => log.take()), codeOf(() => log.start())]).toEqual([false, 'EINVAL', 'ENOENT']);
    log.stop();
  });

  test('all pages of a large segment, and its last, are found', () => {
    const large = memory.createSegment({ name: 'large', kind: 'devmem', length: 70 * PAGE_SIZE });
    const whole = memory.dirtyLog(large);
    whole.start();
    large.write(0, new Uint8Array(large.length));
    expect(whole.take().pages).toEqual(Array.from({ length: 70 }, (_, page) => page));
    large.write(69 * PAGE_SIZE, Uint8Array.of(1));
    large.write(31 * PAGE_SIZE, Uint8Array.of(1));
    expect(whole.take().pages).toEqual([31, 69]);
  });
});

describe.each(stores)('who has cached flags of the $store store', ({ make }) => {
  beforeEach(() => build(make));

  test('hears of pages that are guarded from now on, as a log starts and each time it is taken, until he leaves', () => {
    let told = 0;
    const subscription = memory.onPagesGuarded(() => told++);
    const log = memory.dirtyLog(ram);
    const counts = [() => log.start(), () => ram.write(0, Uint8Array.of(1)), () => void log.take()].map((step) => {
      step();
      return told;
    });
    expect(counts).toEqual([1, 1, 2]);
    subscription[Symbol.dispose]();
    ram.write(0, Uint8Array.of(1));
    log.take();
    expect(told).toBe(2);
  });
});

describe.each(stores)('code tracking in the $store store', ({ make }) => {
  let written: number[];
  let subscription: Disposable;

  beforeEach(() => {
    build(make);
    written = [];
    subscription = memory.trackCode({ codeWritten: (address) => written.push(address) });
  });

  test.each(ALIASES)('markCode at 0x%s raises CODE on every alias', (address) => {
    memory.markCode(gpa(address + 123));
    expect(flagged(CODE)).toEqual([true, true, true]);
    expect([0, 0x1000, 0x3000, 0x9000].map((place) => memory.flat.flagsAt(place) & CODE)).toEqual([0, 0, 0, 0]);
  });

  test('a segment that goes tells of its pages with code, and of no others', () => {
    const rom = memory.createSegment({ name: 'rom', kind: 'devmem', length: 4 * PAGE_SIZE });
    const mapping = memory.map({ segment: rom, gpa: gpa(0x10_0000), prot: 'r-x' });
    memory.markCode(gpa(0x10_1000));
    memory.markCode(gpa(0x10_3000));
    const pages = [0x10_1000, 0x10_3000].map((address) => memory.flat.addressAt(address));
    memory.unmap(mapping);
    memory.destroySegment(rom);
    expect(written).toEqual(pages);
  });

  test('a mapping that comes later shows the flag', () => {
    memory.markCode(gpa(0x2000));
    memory.map({ segment: ram, gpa: gpa(0x2_0000), prot: 'r-x' });
    expect(memory.flat.flagsAt(0x2_2000) & CODE).toBe(CODE);
    expect(memory.flat.flagsAt(0x2_1000) & CODE).toBe(0);
  });

  test.each(WRITES)('a write by %s is told once, by the store address of the page', (_way, write) => {
    memory.markCode(gpa(0x2000));
    const page = memory.flat.addressAt(0x2000);
    write();
    write();
    expect(written).toEqual([page]);
  });

  test('the listener is told before the bytes change, when the flag is gone already', () => {
    const seen: unknown[] = [];
    memory.trackCode({ codeWritten: () => seen.push(ram.bytes[2 * PAGE_SIZE], flagged(CODE)) });
    memory.markCode(gpa(0x2000));
    memory.write(gpa(0x2000), Uint8Array.of(77));
    expect(seen).toEqual([0, [false, false, false]]);
  });

  test('code is told of bytes that somebody wrote past guest memory and owned up to', () => {
    memory.markCode(gpa(0x2000));
    memory.written(ram, { offset: 0, length: 2 * PAGE_SIZE });
    expect(written).toEqual([]);
    memory.written(ram, { offset: 2 * PAGE_SIZE - 1, length: 2 });
    expect(written).toHaveLength(1);
    expect(flagged(CODE)).toEqual([false, false, false]);
    memory.written(ram, { offset: 0, length: 0 });
    expect([
      codeOf(() => memory.written(ram, { offset: 3 * PAGE_SIZE, length: PAGE_SIZE + 1 })),
      codeOf(() => memory.written(ram, { offset: -1, length: 1 })),
      codeOf(() => memory.written(ram, { offset: 5 * PAGE_SIZE, length: 0 })),
    ]).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
  });

  test('code marked again after a write is told again', () => {
    for (let turn = 0; turn < 3; turn++) {
      memory.markCode(gpa(0x2000));
      memory.write(gpa(0x8000), Uint8Array.of(turn));
    }
    expect(written).toHaveLength(3);
  });

  test('a write to another page is not told', () => {
    memory.markCode(gpa(0x2000));
    memory.write(gpa(0x1000), new Uint8Array(PAGE_SIZE));
    memory.write(gpa(0x3000), new Uint8Array(PAGE_SIZE));
    expect(written).toEqual([]);
  });

  test('the flag outlives the mappings of its page', () => {
    memory.markCode(gpa(0x2000));
    for (const mapping of memory) memory.unmap(mapping);
    memory.map({ segment: ram, gpa: gpa(0x10_0000), prot: 'rwx' });
    memory.write(gpa(0x10_2000), Uint8Array.of(1));
    expect(written).toHaveLength(1);
  });

  test('code is told void when its segment goes, for the store may give the bytes to another', () => {
    memory.markCode(gpa(0x2000));
    const page = memory.flat.addressAt(0x2000);
    for (const mapping of memory) memory.unmap(mapping);
    memory.destroySegment(ram);
    expect(written).toEqual([page]);
  });

  test('several engines are told, one that left is not', () => {
    const second: number[] = [];
    memory.trackCode({ codeWritten: (address) => second.push(address) });
    subscription[Symbol.dispose]();
    memory.markCode(gpa(0x2000));
    memory.write(gpa(0x2000), Uint8Array.of(1));
    expect([written.length, second.length]).toEqual([0, 1]);
  });

  test('marking where nothing is mapped does nothing', () => {
    memory.markCode(gpa(0x5_0000));
    memory.beforeWrite(gpa(0x5_0000));
    expect(written).toEqual([]);
  });

  test('code and dirty log on one page: one write satisfies both, and then stores go ahead at once', () => {
    using log = memory.dirtyLog(ram);
    log.start();
    memory.markCode(gpa(0x2000));
    memory.beforeWrite(gpa(0x8abc));
    expect([log.take().pages, written.length]).toEqual([[2], 1]);
    memory.beforeWrite(gpa(0x8abc));
    expect(memory.flat.flagsAt(0x2000) & STORE_MASK).toBe(WRITE);
  });
});

test('the flag word of a page is its protection alone when no feature is on', () => {
  build(() => new HeapStore({ capacity: 256 * KiB }));
  expect(ALIASES.map((address) => memory.flat.flagsAt(address))).toEqual([7, 3, 5]);
});
