import { beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore } from './index.ts';
import type { Mapping, Segment } from './index.ts';

let memory: GuestMemory;
let ram: Segment;

const COUNT = 200;
const STRIDE = 4 * PAGE_SIZE;

function place(address: number): Mapping {
  return memory.map({ segment: ram, gpa: gpa(address), prot: 'rwx' });
}

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: PAGE_SIZE });
  for (let index = 0; index < COUNT; index++) place(index * STRIDE);
});

/** What may happen to the map between two steps, given the mapping that was just seen. */
const changes: [string, (seen: Mapping) => void][] = [
  ['nothing', () => {}],
  ['the mapping just seen goes', (seen) => memory.unmap(seen)],
  ['the next one goes', (seen) => withNext(seen, (next) => memory.unmap(next))],
  ['the mapping just seen goes and comes back', (seen) => (memory.unmap(seen), void place(seen.gpa))],
  ['another comes directly behind', (seen) => void (seen.gpa % STRIDE === 0 && place(seen.gpa + PAGE_SIZE))],
  ['another comes directly before', (seen) => void (seen.gpa > 0 && place(seen.gpa - PAGE_SIZE))],
  [
    'all those behind go',
    (seen) => memory.edit((edit) => [...memory].forEach((m) => m.gpa < seen.gpa && edit.unmap(m))),
  ],
  ['all go', () => memory.edit((edit) => [...memory].forEach((mapping) => edit.unmap(mapping)))],
  ['all move up by a page', (seen) => memory.edit((edit) => seen.gpa < COUNT * STRIDE && moved(edit, PAGE_SIZE))],
  ['a reset', () => memory.reset()],
];

function withNext(seen: Mapping, then: (next: Mapping) => void): void {
  const next = memory.at(gpa(seen.gpa + STRIDE));
  if (next !== undefined) then(next);
}

function moved(edit: Pick<GuestMemory, 'map' | 'unmap'>, distance: number): void {
  const all = [...memory];
  for (const mapping of all) edit.unmap(mapping);
  for (const mapping of all) edit.map({ segment: ram, gpa: gpa(mapping.gpa + distance), prot: 'rwx' });
}

describe.each(changes)('when between steps: %s', (_name, change) => {
  test('the walk ascends, repeats nothing, gives only what is mapped at that moment, and ends', () => {
    let previous = -1;
    let steps = 0;
    for (const mapping of memory) {
      expect(mapping.gpa).toBeGreaterThan(previous);
      expect(memory.at(mapping.gpa)).toBe(mapping);
      previous = mapping.end - 1;
      change(mapping);
      expect(++steps).toBeLessThan(10 * COUNT);
    }
  });

  test('so does covering', () => {
    let previous = -1;
    for (const mapping of memory.covering(gpa(STRIDE), 100 * STRIDE)) {
      expect(mapping.gpa).toBeGreaterThan(previous);
      expect(memory.at(mapping.gpa)).toBe(mapping);
      previous = mapping.gpa;
      change(mapping);
    }
    expect(previous).toBeLessThan(101 * STRIDE);
  });

  test('gaps never overlap and end with the address space', () => {
    let previous = 0;
    for (const gap of memory.gaps()) {
      expect(gap.start).toBeGreaterThanOrEqual(previous);
      expect(gap.end).toBeLessThanOrEqual(2 ** 32);
      previous = gap.end;
      const below = memory.at(gpa(Math.max(0, gap.start - 1)));
      if (below !== undefined && below.end < 2 ** 31) change(below);
    }
    expect(previous).toBe(2 ** 32);
  });

  test('mappingsOf gives nothing twice, and nothing that has gone', () => {
    const seen = new Set<Mapping>();
    for (const mapping of memory.mappingsOf(ram)) {
      expect(seen.has(mapping)).toBe(false);
      expect(memory.isMapped(mapping)).toBe(true);
      seen.add(mapping);
      change(mapping);
    }
    expect(seen.size).toBeGreaterThan(0);
  });
});

test('every mapping that is there all the time is seen', () => {
  const all = [...memory];
  const seen: Mapping[] = [];
  for (const mapping of memory) {
    if (seen.length % 3 === 0) place(mapping.gpa + PAGE_SIZE);
    seen.push(mapping);
  }
  expect(all.every((mapping) => seen.includes(mapping))).toBe(true);
});

test('two walks at once do not know of each other', () => {
  const first = memory[Symbol.iterator]();
  const second = memory[Symbol.iterator]();
  first.next();
  expect([first.next().value?.gpa, second.next().value?.gpa]).toEqual([STRIDE, 0]);
});

test('segments can be created and destroyed while one iterates over them', () => {
  const seen: string[] = [];
  for (const segment of memory.segments()) {
    seen.push(segment.name);
    if (seen.length < 4) memory.createSegment({ name: `s${seen.length}`, kind: 'devmem', length: PAGE_SIZE });
    if (segment.name === 's1') memory.destroySegment(segment);
  }
  expect(seen).toEqual(['ram', 's1', 's2', 's3']);
});
