import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusal.ts';
import { KiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore } from './index.ts';
import type { Change, Edit, Mapping, Segment } from './index.ts';

let memory: GuestMemory;
let ram: Segment;
let told: Change[];

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
  told = [];
  memory.observe({ changed: (change) => told.push(change) });
});

function place(edit: { map: Edit['map'] }, address: number, length = 4096): Mapping {
  return edit.map({ segment: ram, gpa: gpa(address), length, prot: 'rwx' });
}

test('several maps and unmaps are one edit, told once, each list by ascending address', () => {
  const [a, b] = [place(memory, 0x3000), place(memory, 0x1000)];
  told.length = 0;
  const added = memory.edit((edit) => {
    edit.unmap(a);
    edit.unmap(b);
    return [place(edit, 0x9000), place(edit, 0x5000)];
  });
  expect(told).toEqual([{ removed: [b, a], added: added.reverse() }]);
  expect([...memory]).toEqual(added);
});

test('what the body returns comes out', () => {
  expect(memory.edit(() => 42)).toBe(42);
});

test('an edit that does nothing is not told', () => {
  memory.edit(() => {});
  memory.edit((edit) => edit.unmap(place(edit, 0)));
  expect([told, [...memory]]).toEqual([[], []]);
});

test('what is unmapped in an edit makes room in it', () => {
  const old = place(memory, 0x4000, 8192);
  const young = memory.edit((edit) => {
    edit.unmap(old);
    return place(edit, 0x5000, 8192);
  });
  expect([...memory]).toEqual([young]);
});

test('a map before the unmap that would make room for it is refused, and the whole edit with it', () => {
  const old = place(memory, 0x4000, 8192);
  const edit = (): void =>
    memory.edit((inner) => {
      place(inner, 0);
      place(inner, 0x5000);
      inner.unmap(old);
    });
  expect([codeOf(edit), [...memory]]).toEqual(['ENOMEM', [old]]);
});

test('two maps of one edit may not overlap either', () => {
  const edit = (): void =>
    memory.edit((inner) => {
      place(inner, 0, 8192);
      place(inner, 4096);
    });
  expect([codeOf(edit), [...memory]]).toEqual(['ENOMEM', []]);
});

test('a mapping can be unmapped once in an edit', () => {
  const old = place(memory, 0);
  const edit = (): void =>
    memory.edit((inner) => {
      inner.unmap(old);
      inner.unmap(old);
    });
  expect([codeOf(edit), [...memory]]).toEqual(['EINVAL', [old]]);
});

test('unmap by range finds what the same edit has mapped, and not what it has unmapped', () => {
  const old = place(memory, 0);
  memory.edit((edit) => {
    edit.unmap({ gpa: gpa(0), length: 4096 });
    place(edit, 0);
    edit.unmap({ gpa: gpa(0), length: 4096 });
    expect(codeOf(() => edit.unmap({ gpa: gpa(0), length: 4096 }))).toBe('EINVAL');
  });
  expect([[...memory], told.at(-1)]).toEqual([[], { removed: [old], added: [] }]);
});

test('a place that the same edit has taken and left can be taken again in it', () => {
  const kept = memory.edit((edit) => {
    edit.unmap(place(edit, 0));
    return place(edit, 0);
  });
  expect([[...memory], told]).toEqual([[kept], [{ removed: [], added: [kept] }]]);
});

test('a request that was refused within the body, and caught there, leaves the rest of the edit', () => {
  const kept = memory.edit((edit) => {
    const mapping = place(edit, 0);
    expect(codeOf(() => place(edit, 0))).toBe('ENOMEM');
    return mapping;
  });
  expect([...memory]).toEqual([kept]);
});

test('whatever the body throws comes out as it is, and nothing has changed', () => {
  const old = place(memory, 0);
  told.length = 0;
  const failure = new RangeError('something else');
  const edit = (): void =>
    memory.edit((inner) => {
      inner.unmap(old);
      place(inner, 0x8000);
      throw failure;
    });
  expect(edit).toThrow(failure);
  expect([[...memory], told, memory.at(gpa(0x8000))]).toEqual([[old], [], undefined]);
});

test('until the body returns, questions are answered from the old map', () => {
  const old = place(memory, 0);
  memory.edit((edit) => {
    edit.unmap(old);
    place(edit, 0x8000);
    expect([memory.at(gpa(0)), memory.at(gpa(0x8000)), [...memory]]).toEqual([old, undefined, [old]]);
  });
  expect(memory.at(gpa(0))).toBeUndefined();
});

describe('within an edit', () => {
  test.each<[string, () => unknown]>([
    ['another edit', () => memory.edit(() => {})],
    ['map', () => place(memory, 0)],
    ['unmap', () => memory.unmap({ gpa: gpa(0), length: 4096 })],
    ['observe', () => memory.observe({ changed() {} })],
    ['reset', () => memory.reset()],
    ['destroySegment', () => memory.destroySegment(ram)],
    ['the end of guest memory', () => memory[Symbol.dispose]()],
    ['assigning a device', () => memory.assign('a')],
  ])('%s is EBUSY', (_case, call) => {
    memory.edit(() => expect(codeOf(call)).toBe('EBUSY'));
    expect(codeOf(() => place(memory, 0))).toBe('accepted');
  });
});

test('an edit kept for later is closed: EINVAL', () => {
  const kept = memory.edit((edit) => edit);
  const page = { gpa: gpa(0), length: 4096 };
  place(memory, 0);
  const calls = [() => place(kept, 0x8000), () => kept.unmap(page), () => kept.withdraw(page)];
  for (const call of calls) expect(call).toThrow('this edit is over');
});

test('an edit for whose tables the store has no room is ENOMEM, and takes nothing from the store', () => {
  const store = new HeapStore({ capacity: 40 * KiB }); // A directory of 8 KiB, a segment of 16 KiB, three leaves.
  const small = new GuestMemory({ store, addressBits: 32 });
  ram = small.createSegment({ name: 'ram', kind: 'sysmem', length: 16 * KiB });
  const kept = place(small, 0);
  const used = store.used;
  const edit = (): void => small.edit((inner) => [1, 2, 3].forEach((step) => place(inner, step * 2 ** 21)));
  expect([codeOf(edit), store.used, [...small]]).toEqual(['ENOMEM', used, [kept]]);
  small.edit((inner) => [1, 2].forEach((step) => place(inner, step * 2 ** 21)));
  expect([...small]).toHaveLength(3);
});

test('100,000 mappings are made, found and unmade in one edit each', () => {
  memory.edit((edit) => {
    for (let index = 0; index < 100_000; index++) place(edit, index * 8192);
  });
  expect(memory.at(gpa(50_000 * 8192 + 5))?.gpa).toBe(50_000 * 8192);
  expect(memory.at(gpa(50_000 * 8192 + 4096))).toBeUndefined();
  memory.edit((edit) => {
    for (const mapping of memory) edit.unmap(mapping);
  });
  expect([[...memory], told.map(({ removed, added }) => [removed.length, added.length])]).toEqual([
    [],
    [
      [0, 100_000],
      [100_000, 0],
    ],
  ]);
});
