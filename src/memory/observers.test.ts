import { beforeEach, describe, expect, test } from 'vitest';
import { KiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore } from './index.ts';
import type { Change, Mapping, MapObserver, Segment } from './index.ts';

let memory: GuestMemory;
let ram: Segment;

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
  ram = memory.createSegment({ name: 'ram', kind: 'devmem', length: 64 * KiB });
});

function place(address: number): Mapping {
  return memory.map({ segment: ram, gpa: gpa(address), length: 4096, prot: 'rwx' });
}

/** Keeps what an engine would: the set of mappings, from changes alone. Can be told to fail. */
class Mirror implements MapObserver {
  readonly shown: Set<Mapping> = new Set();
  failing = false;
  readonly #name: string;
  readonly #order: string[];

  constructor(name = '', order: string[] = []) {
    this.#name = name;
    this.#order = order;
  }

  changed({ removed, added }: Change): void {
    if (this.failing) {
      this.#order.push(`${this.#name}!`);
      throw new Error(`observer ${this.#name} failed`);
    }
    this.#order.push(`${this.#name}-${removed.length}+${added.length}`);
    for (const mapping of removed) expect(this.shown.delete(mapping)).toBe(true);
    for (const mapping of added) this.shown.add(mapping);
  }
}

test('observers are told in the order in which they came', () => {
  const order: string[] = [];
  for (const name of ['b', 'a', 'c']) memory.observe(new Mirror(name, order));
  place(0);
  expect(order).toEqual(['b-0+1', 'a-0+1', 'c-0+1']);
});

test('an observer sees the new map when it is told', () => {
  const seen: (Mapping | undefined)[] = [];
  memory.observe({ changed: ({ added }) => seen.push(memory.at(added[0]?.gpa ?? gpa(0))) });
  const mapping = place(0x1000);
  expect(seen).toEqual([mapping]);
});

test('a late observer gets a replay, as one change by ascending address', () => {
  const [a, b] = [place(0x5000), place(0x1000)];
  const told: Change[] = [];
  memory.observe({ changed: (change) => told.push(change) });
  expect(told).toEqual([{ removed: [], added: [b, a] }]);
});

test('an observer that wants none gets no replay, nor does one that comes to an empty map', () => {
  const told: Change[] = [];
  memory.observe({ changed: (change) => told.push(change) });
  place(0);
  memory.observe({ changed: (change) => told.push(change) }, { replay: false });
  expect(told).toHaveLength(1);
});

test('an observer that fails in its replay is not registered', () => {
  place(0);
  const mirror = new Mirror('late');
  mirror.failing = true;
  expect(() => memory.observe(mirror)).toThrow('observer late failed');
  mirror.failing = false;
  place(0x1000);
  expect(mirror.shown.size).toBe(0);
});

test('an observer that left is not told', () => {
  const mirror = new Mirror();
  const subscription = memory.observe(mirror);
  subscription[Symbol.dispose]();
  place(0);
  expect(mirror.shown.size).toBe(0);
});

test('one observer can be registered twice, and leave once', () => {
  const order: string[] = [];
  const mirror: MapObserver = { changed: () => order.push('told') };
  const first = memory.observe(mirror);
  memory.observe(mirror);
  place(0);
  first[Symbol.dispose]();
  place(0x1000);
  expect(order).toHaveLength(3);
});

const COUNT = 4;

describe.each(Array.from({ length: COUNT }, (_, index) => index))('when observer %d of 4 fails', (failing) => {
  let order: string[];
  let mirrors: Mirror[];
  let kept: Mapping;

  beforeEach(() => {
    order = [];
    mirrors = Array.from({ length: COUNT }, (_, index) => new Mirror(String(index), order));
    kept = place(0x1000);
    for (const mirror of mirrors) memory.observe(mirror);
    order.length = 0;
  });

  const setFailing = (fails: boolean): void => {
    for (const [index, mirror] of mirrors.entries()) if (index === failing) mirror.failing = fails;
  };

  const edits: [string, () => unknown][] = [
    ['map', () => place(0x8000)],
    ['unmap', () => memory.unmap(kept)],
    ['reset', () => memory.reset()],
    [
      'edit',
      () =>
        memory.edit((edit) => {
          edit.unmap(kept);
          edit.map({ segment: ram, gpa: gpa(0x1000), length: 8192, prot: 'r--' });
          edit.map({ segment: ram, gpa: gpa(0x9000), length: 8192, prot: 'rw-' });
        }),
    ],
  ];

  test.each(edits)('%s leaves the map, the flat view and every observer as they were', (_name, call) => {
    const flat = (): number[] => [0x1000, 0x2000, 0x8000, 0x9000].map((address) => memory.flat.flagsAt(address));
    const before = flat();
    setFailing(true);
    expect(call).toThrow(`observer ${failing} failed`);
    expect([...memory]).toEqual([kept]);
    expect([...memory.mappingsOf(ram)]).toEqual([kept]);
    expect(flat()).toEqual(before);
    for (const mirror of mirrors) expect([...mirror.shown]).toEqual([kept]);
  });

  test('those told before it are told the reverse, last first, and those behind it hear nothing', () => {
    setFailing(true);
    expect(() => place(0x8000)).toThrow();
    const before = Array.from({ length: failing }, (_, index) => index);
    expect(order).toEqual([
      ...before.map((index) => `${index}-0+1`),
      `${failing}!`,
      ...before.reverse().map((index) => `${index}-1+0`),
    ]);
  });

  test('the next edit works again', () => {
    setFailing(true);
    expect(() => place(0x8000)).toThrow();
    setFailing(false);
    const mapping = place(0x8000);
    for (const mirror of mirrors) expect([...mirror.shown]).toEqual([kept, mapping]);
  });
});

test('the old map is back before anyone is told the reverse', () => {
  const seen: number[] = [];
  memory.observe({ changed: () => seen.push([...memory].length) });
  memory.observe({
    changed() {
      throw new Error('no');
    },
  });
  expect(() => place(0)).toThrow('no');
  expect(seen).toEqual([1, 0]);
});

test('observers that cannot undo come out together with the reason, and the map is as it was', () => {
  let calls = 0;
  memory.observe({
    changed() {
      if (++calls > 1) throw new Error('cannot undo');
    },
  });
  const mirror = new Mirror();
  mirror.failing = true;
  memory.observe(mirror);
  let errors: string[] = [];
  try {
    place(0);
  } catch (error) {
    if (error instanceof AggregateError) errors = error.errors.map(String);
  }
  expect(errors).toEqual(['Error: observer  failed', 'Error: cannot undo']);
  expect([...memory]).toEqual([]);
});

describe('within changed', () => {
  test.each<[string, () => unknown]>([
    ['edit', () => memory.edit(() => {})],
    ['map', () => place(0x9000)],
    ['observe', () => memory.observe({ changed() {} })],
    ['reset', () => memory.reset()],
    ['the end', () => memory[Symbol.dispose]()],
  ])('%s is EBUSY, and an observer that lets that out makes its own edit roll back', (_name, call) => {
    memory.observe({ changed: () => void call() });
    expect(() => place(0)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect([...memory]).toEqual([]);
  });

  test('an observer can leave, and let a later one leave, which is then not told', () => {
    const order: string[] = [];
    const subscriptions: Disposable[] = [];
    memory.observe({
      changed() {
        order.push('first');
        for (const subscription of subscriptions) subscription[Symbol.dispose]();
      },
    });
    subscriptions.push(memory.observe({ changed: () => order.push('second') }));
    place(0);
    place(0x1000);
    expect(order).toEqual(['first', 'first']);
  });

  test('one that left is not told the reverse', () => {
    const order: string[] = [];
    const subscription = memory.observe({
      changed() {
        order.push('told');
        subscription[Symbol.dispose]();
      },
    });
    const mirror = new Mirror();
    mirror.failing = true;
    memory.observe(mirror);
    expect(() => place(0)).toThrow();
    expect(order).toEqual(['told']);
  });

  test('segments can be created', () => {
    memory.observe({ changed: () => void memory.createSegment({ name: 'x', kind: 'devmem', length: 4096 }) });
    place(0);
    expect(memory.segment('x')?.length).toBe(4096);
  });
});
