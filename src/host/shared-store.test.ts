import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { countDescriptors, mappedMemfds, openMemfds, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { readNode, writeNode } from '../../test/nodes/node-bytes.ts';
import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { GuestMemory, type ExtentUse, type SysmemSlice } from '../memory/index.ts';
import { MachineNodes } from './machine-nodes.ts';
import type { SharedStore } from './shared-store.ts';

const folder = temporaryFolder();
const node = (name: string): string => join(folder, name);

interface Case {
  readonly name: string;
  readonly make: (nodes: MachineNodes, sysmemEnd?: number) => SharedStore;
}

const CAPACITY = 64 * MiB;

const stores: readonly Case[] = [
  {
    name: 'memfd arena',
    make: (nodes, sysmemEnd = 0) => nodes.arenaStore({ capacity: CAPACITY, reserved: 100 * KiB, sysmemEnd }),
  },
  { name: 'mmap', make: (nodes, sysmemEnd = 0) => nodes.mmapStore({ capacity: CAPACITY, sysmemEnd }) },
];

const ram: ExtentUse = { name: 'ram', kind: 'sysmem' };
const rom: ExtentUse = { name: 'rom', kind: 'devmem' };

/** One page of sysmem at a GPA. */
function sysmemAt(name: string, start: number): ExtentUse {
  return { name, kind: 'sysmem', layout: [{ offset: 0, length: PAGE_SIZE, gpa: start }] };
}

const isFilledWith = (bytes: Uint8Array, value: number): boolean => bytes.every((byte) => byte === value);

describe.each(stores)('a $name store', ({ make }) => {
  function storeTest(name: string, body: (store: SharedStore) => void, sysmemEnd?: number): void {
    nodesTest(name, () => {
      using nodes = new MachineNodes({ name: 'vm', folder });
      using store = make(nodes, sysmemEnd);
      body(store);
    });
  }

  storeTest('gives out page-aligned, zero-filled extents at addresses that are not 0', (store) => {
    const extents = [
      store.allocate(PAGE_SIZE, ram),
      store.allocate(3 * PAGE_SIZE, rom),
      store.allocateTable(PAGE_SIZE),
    ];
    for (const { address, bytes } of extents) {
      expect(address).toBeGreaterThan(0);
      expect(address % PAGE_SIZE).toBe(0);
      expect(isFilledWith(bytes, 0)).toBe(true);
    }
    expect(store.used).toBe(5 * PAGE_SIZE);
  });

  storeTest('shows devmem as MACHINE.SEGMENT and sysmem as MACHINE, and nothing else', (store) => {
    store.allocate(PAGE_SIZE, ram);
    store.allocate(PAGE_SIZE, rom);
    store.allocate(PAGE_SIZE);
    store.allocateTable(PAGE_SIZE);
    expect(readdirSync(folder).sort()).toEqual(['.vm.lock', 'vm', 'vm.rom']);
  });

  storeTest('has its bytes in common with the node, both ways', (store) => {
    const { bytes } = store.allocate(2 * PAGE_SIZE, rom);
    bytes.set([1, 2, 3], PAGE_SIZE - 1);
    expect(readNode(node('vm.rom'), PAGE_SIZE - 2, 5)).toEqual([0, 1, 2, 3, 0]);
    writeNode(node('vm.rom'), PAGE_SIZE, [9]);
    expect([...bytes.subarray(PAGE_SIZE - 1, PAGE_SIZE + 2)]).toEqual([1, 9, 3]);
  });

  storeTest('keeps its tables, before and behind a segment, out of the nodes', (store) => {
    const before = store.allocateTable(PAGE_SIZE);
    const { bytes } = store.allocate(PAGE_SIZE, rom);
    const after = store.allocateTable(PAGE_SIZE);
    before.bytes.fill(1);
    after.bytes.fill(2);
    expect(isFilledWith(readFileSync(node('vm.rom')), 0)).toBe(true);
    writeNode(node('vm.rom'), 0, new Uint8Array(PAGE_SIZE).fill(7));
    expect([isFilledWith(bytes, 7), isFilledWith(before.bytes, 1), isFilledWith(after.bytes, 2)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  storeTest('lays sysmem out in one sparse file whose offset is the GPA, with nothing in the hole', (store) => {
    const layout: SysmemSlice[] = [
      { offset: 0, length: 2 * PAGE_SIZE, gpa: 0 },
      { offset: 2 * PAGE_SIZE, length: PAGE_SIZE, gpa: 16 * MiB },
    ];
    const { bytes } = store.allocate(3 * PAGE_SIZE, { ...ram, layout });
    bytes[PAGE_SIZE] = 1;
    bytes[2 * PAGE_SIZE] = 2;
    const file = readFileSync(node('vm'));
    expect(file.length).toBe(16 * MiB + PAGE_SIZE);
    expect([file[PAGE_SIZE], file[2 * PAGE_SIZE], file[16 * MiB]]).toEqual([1, 0, 2]);
  });

  storeTest(
    'puts several sysmem segments into one file',
    (store) => {
      store.allocate(PAGE_SIZE, sysmemAt('low', 0)).bytes.fill(1);
      store.allocate(PAGE_SIZE, sysmemAt('high', MiB - PAGE_SIZE)).bytes.fill(2);
      expect([readNode(node('vm'), 0, 1), readNode(node('vm'), MiB - 1, 1)]).toEqual([[1], [2]]);
    },
    MiB,
  );

  const refusals: readonly [string, string, number, ExtentUse][] = [
    ['sysmem where other sysmem is', 'EEXIST', PAGE_SIZE, sysmemAt('again', 0)],
    [
      'sysmem that overlaps itself',
      'EEXIST',
      2 * PAGE_SIZE,
      {
        ...ram,
        layout: [MiB / 2, MiB / 2].map((start, index) => ({
          offset: index * PAGE_SIZE,
          length: PAGE_SIZE,
          gpa: start,
        })),
      },
    ],
    ['sysmem past the end of the file', 'EINVAL', PAGE_SIZE, sysmemAt('beyond', MiB)],
    ['a layout that leaves a page out', 'EINVAL', 2 * PAGE_SIZE, sysmemAt('short', PAGE_SIZE)],
    [
      'a layout that is longer than the segment',
      'EINVAL',
      PAGE_SIZE,
      { ...ram, layout: [{ offset: 0, length: 2 * PAGE_SIZE, gpa: PAGE_SIZE }] },
    ],
    [
      'a layout that does not start at the start',
      'EINVAL',
      PAGE_SIZE,
      { ...ram, layout: [{ offset: PAGE_SIZE, length: PAGE_SIZE, gpa: PAGE_SIZE }] },
    ],
    ['a layout without pages', 'EINVAL', PAGE_SIZE, { ...ram, layout: [] }],
    [
      'an empty slice',
      'EINVAL',
      PAGE_SIZE,
      {
        ...ram,
        layout: [
          { offset: 0, length: 0, gpa: MiB / 2 },
          { offset: 0, length: PAGE_SIZE, gpa: MiB / 2 },
        ],
      },
    ],
    ['a GPA within a page', 'EINVAL', PAGE_SIZE, sysmemAt('askew', PAGE_SIZE + 1)],
    ['a negative GPA', 'EINVAL', PAGE_SIZE, sysmemAt('below', -PAGE_SIZE)],
    ['more than it has', 'ENOMEM', CAPACITY, rom],
    ['a node where a file of somebody else is', 'EEXIST', PAGE_SIZE, { name: 'notes', kind: 'devmem' }],
    ['a node where the control socket belongs', 'EEXIST', PAGE_SIZE, { name: 'sock', kind: 'devmem' }],
  ];
  for (const [what, code, length, use] of refusals) {
    storeTest(
      `refuses ${what} with ${code}, and nothing has changed`,
      (store) => {
        writeFileSync(node('vm.notes'), 'mine');
        const low = store.allocate(PAGE_SIZE, sysmemAt('low', 0));
        low.bytes.fill(1);
        const observe = (): unknown => [
          store.used,
          readdirSync(folder),
          openMemfds(),
          mappedMemfds(),
          countDescriptors(),
        ];
        const before = observe();
        expect(() => store.allocate(length, use)).toThrow(expect.objectContaining({ code }));
        expect(observe()).toEqual(before);
        expect(isFilledWith(readFileSync(node('vm')).subarray(0, PAGE_SIZE), 1)).toBe(true);
        expect(readFileSync(node('vm.notes'), 'utf8')).toBe('mine');
        rmSync(node('vm.notes'));
      },
      MiB,
    );
  }

  storeTest('a refused first sysmem segment leaves no node', (store) => {
    expect(() => store.allocate(PAGE_SIZE, sysmemAt('askew', 1))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect([readdirSync(folder).includes('vm'), openMemfds()]).toEqual([false, []]);
  });

  storeTest('what is freed has no node, no descriptor and no mapping, and its views show zeros', (store) => {
    const extents = [store.allocate(PAGE_SIZE, ram), store.allocate(2 * PAGE_SIZE, rom)];
    for (const extent of extents) {
      extent.bytes.fill(0xee);
      store.free(extent);
      expect(isFilledWith(extent.bytes, 0)).toBe(true);
    }
    expect([
      readdirSync(folder).filter((name) => /^vm(\.rom)?$/.test(name)),
      openMemfds(),
      mappedMemfds(),
      store.used,
    ]).toEqual([[], [], [], 0]);
  });

  storeTest(
    'what is given out again is zero-filled, whatever others wrote to the node meanwhile',
    (store) => {
      store.allocate(PAGE_SIZE, sysmemAt('low', 0)).bytes.fill(1);
      const high = store.allocate(PAGE_SIZE, sysmemAt('high', PAGE_SIZE));
      high.bytes.fill(2);
      store.free(high);
      writeNode(node('vm'), PAGE_SIZE, [3]);
      expect(isFilledWith(store.allocate(PAGE_SIZE, sysmemAt('high', PAGE_SIZE)).bytes, 0)).toBe(true);
      expect(readNode(node('vm'), 0, 1)).toEqual([1]);
    },
    2 * PAGE_SIZE,
  );

  nodesTest('leaves nothing behind: no node, no lock, no descriptor, no mapping', () => {
    const before = countDescriptors();
    const views: Uint8Array[] = [];
    {
      using nodes = new MachineNodes({ name: 'gone', folder });
      using store = make(nodes);
      using memory = new GuestMemory({ store });
      views.push(
        memory.createSegment({ ...ram, length: MiB }).bytes,
        memory.createSegment({ ...rom, length: MiB }).bytes,
      );
      store.allocate(PAGE_SIZE, { name: 'forgotten', kind: 'devmem' });
      for (const view of views) view.fill(1);
      expect(openMemfds().length).toBe(3);
    }
    expect([countDescriptors(), openMemfds(), mappedMemfds()]).toEqual([before, [], []]);
    expect(readdirSync(folder).filter((name) => name.includes('gone'))).toEqual([]);
    // A view that somebody has kept is harmless.
    for (const view of views) expect(isFilledWith(view.fill(5), 5)).toBe(true);
  });

  nodesTest('ended before guest memory, it still ends everything once', () => {
    using nodes = new MachineNodes({ name: 'order', folder });
    const store = make(nodes);
    store.allocate(PAGE_SIZE, rom);
    store[Symbol.dispose]();
    store[Symbol.dispose]();
    expect([store.used, openMemfds(), mappedMemfds()]).toEqual([0, [], []]);
  });
});
