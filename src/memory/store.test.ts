import { describe, expect, test } from 'vitest';
import { GiB, KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { Extent, ExtentUse, Store } from './index.ts';

const CAPACITY = 64 * KiB;

const stores: { name: string; make: () => Store }[] = [
  { name: 'heap', make: () => new HeapStore({ capacity: CAPACITY }) },
  { name: 'arena', make: () => new ArenaStore({ capacity: CAPACITY }) },
];

describe.each(stores)('the $name store', ({ make }) => {
  test('gives out page-aligned, zero-filled extents at addresses that are not 0', () => {
    const store = make();
    for (const extent of [store.allocate(PAGE_SIZE), store.allocate(3 * PAGE_SIZE), store.allocateTable(PAGE_SIZE)]) {
      expect(extent.address).toBeGreaterThan(0);
      expect(extent.address % PAGE_SIZE).toBe(0);
      expect(extent.bytes.every((byte) => byte === 0)).toBe(true);
    }
  });

  test('extents do not share a byte', () => {
    const store = make();
    const extents = [store.allocate(PAGE_SIZE), store.allocate(PAGE_SIZE), store.allocateTable(PAGE_SIZE)];
    for (const [index, extent] of extents.entries()) extent.bytes.fill(index + 1);
    expect(extents.map((extent) => [extent.bytes[0], extent.bytes[PAGE_SIZE - 1]])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(new Set(extents.map((extent) => extent.address)).size).toBe(3);
  });

  test('what is freed comes back zero-filled', () => {
    const store = make();
    const first = store.allocate(2 * PAGE_SIZE);
    first.bytes.fill(0xff);
    store.free(first);
    expect(store.allocate(3 * PAGE_SIZE).bytes.every((byte) => byte === 0)).toBe(true);
  });

  test('ENOMEM says what was asked for and what is in use, and takes nothing', () => {
    const store = make();
    store.allocate(PAGE_SIZE);
    let error: unknown;
    try {
      store.allocate(CAPACITY);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(MemoryError);
    expect(error).toMatchObject({ code: 'ENOMEM', facts: { length: CAPACITY, used: PAGE_SIZE } });
    expect(store.used).toBe(PAGE_SIZE);
  });

  test('freed neighbours join, so that all of it can be had in one piece again', () => {
    const store = make();
    const pages = CAPACITY / PAGE_SIZE - 1; // The page at address 0 is never given out.
    const extents = Array.from({ length: pages }, () => store.allocate(PAGE_SIZE));
    expect(() => store.allocate(PAGE_SIZE)).toThrow(MemoryError);
    for (const order of [1, 0]) {
      for (const [index, extent] of extents.entries()) if (index % 2 === order) store.free(extent);
    }
    expect(store.used).toBe(0);
    expect(store.allocate(pages * PAGE_SIZE).bytes.length).toBe(pages * PAGE_SIZE);
  });

  test('freeing what was not given out is a bug of the caller', () => {
    const store = make();
    const extent = store.allocate(PAGE_SIZE);
    store.free(extent);
    expect(() => store.free(extent)).toThrow(/not given out/);
  });
});

describe('the arena', () => {
  test('never gives out the bytes reserved for the engine', () => {
    const store = new ArenaStore({ capacity: 256 * KiB, reserved: 100 * KiB });
    expect(store.allocate(PAGE_SIZE).address).toBe(100 * KiB);
  });

  test("an extent is the WebAssembly memory's bytes at its address", () => {
    const store = new ArenaStore({ capacity: CAPACITY });
    const { address, bytes } = store.allocate(PAGE_SIZE);
    bytes[5] = 42;
    expect(new Uint8Array(store.memory.buffer)[address + 5]).toBe(42);
  });

  test('4 GiB can be reserved, and its last page used', () => {
    const store = new ArenaStore({ capacity: 4 * GiB });
    const { address, bytes } = store.allocate(4 * GiB - PAGE_SIZE);
    bytes[bytes.length - 1] = 7;
    expect([address, store.memory.buffer.byteLength]).toEqual([PAGE_SIZE, 4 * GiB]);
  });

  test.each([
    ['nothing', { capacity: 0 }],
    ['more than 4 GiB', { capacity: 4 * GiB + 1 }],
    ['a fraction', { capacity: 0.5 }],
    ['only what is reserved', { capacity: MiB, reserved: MiB }],
    ['a negative reservation', { capacity: MiB, reserved: -1 }],
  ])('an arena of %s is refused with EINVAL', (_case, options) => {
    expect(() => new ArenaStore(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

test('the heap store turns the lack of host memory into ENOMEM and takes no address', () => {
  const store = new HeapStore({ capacity: 2 ** 52 });
  expect(() => store.allocate(2 ** 51)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
  expect(store.used).toBe(0);
});

describe('what an extent is for', () => {
  class Recorder extends HeapStore {
    readonly uses: unknown[] = [];
    override allocate(length: number, use?: ExtentUse): Extent {
      if (use !== undefined) this.uses.push(use);
      return super.allocate(length);
    }
  }

  test('is told to the store by name and kind, and by the layout that the segment was created with', () => {
    const store = new Recorder();
    using memory = new GuestMemory({ store });
    const layout = [
      { offset: 0, length: PAGE_SIZE, gpa: 0 },
      { offset: PAGE_SIZE, length: PAGE_SIZE, gpa: 4 * GiB },
    ];
    memory.createSegment({ name: 'ram', kind: 'sysmem', length: 2 * PAGE_SIZE, layout });
    memory.createSegment({ name: 'rom', kind: 'devmem', length: PAGE_SIZE });
    expect(store.uses).toEqual([
      { name: 'ram', kind: 'sysmem', layout },
      { name: 'rom', kind: 'devmem' },
    ]);
  });
});
