import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { readNode, writeNode } from '../../test/nodes/node-bytes.ts';
import { mappingAt, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { collectGarbage } from '../../test/nodes/garbage.ts';
import { GiB, KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { wasm, type WasmMemory } from '../base/webassembly.ts';
import { ArenaStore, gpa, GuestMemory, type ExtentUse } from '../memory/index.ts';
import { GUARD_LENGTH } from './address-range.ts';
import { openLibc } from './libc.ts';
import { MachineNodes } from './machine-nodes.ts';

const folder = temporaryFolder();
const node = (name: string): string => join(folder, name);
const rom: ExtentUse = { name: 'rom', kind: 'devmem' };

/** A WebAssembly module with two instructions to its name: `load(address)` and `store(address, word)`. */
const LOAD_AND_STORE = [
  '0061736d 01000000',
  '01 0b 02 60017f017f 60027f7f00', // Types: (i32) -> i32, (i32, i32) -> ().
  '02 08 01 016d 016d 020001', // Imports "m" "m", a memory of a page or more.
  '03 03 02 00 01',
  '07 10 02 046c6f6164 0000 0573746f7265 0001', // Exports "load" and "store".
  '0a 13 02 07 00 2000 280200 0b', // local.get 0, i32.load
  '09 00 2000 2001 360200 0b', // local.get 0, local.get 1, i32.store
].join('');

interface LoadAndStore {
  readonly load: (address: number) => number;
  readonly store: (address: number, word: number) => void;
}

function program(memory: WasmMemory): LoadAndStore {
  const bytes = Buffer.from(LOAD_AND_STORE.replaceAll(' ', ''), 'hex');
  const instance = new wasm.Instance(new wasm.Module(bytes), { m: { m: memory } });
  return instance.exports as unknown as LoadAndStore;
}

describe('WebAssembly', () => {
  nodesTest('sees what is written to a node, and writes what the node shows', () => {
    using nodes = new MachineNodes({ name: 'vm', folder });
    using store = nodes.arenaStore({ capacity: 64 * MiB });
    const { address, bytes } = store.allocate(MiB, rom);
    const { load, store: storeWord } = program(store.memory);
    writeNode(node('vm.rom'), 0x1234, [0x78, 0x56, 0x34, 0x12]);
    expect(load(address + 0x1234)).toBe(0x1234_5678);
    storeWord(address + MiB - 4, 0x0403_0201);
    expect(readNode(node('vm.rom'), MiB - 4, 4)).toEqual([1, 2, 3, 4]);
    expect([...bytes.subarray(MiB - 4)]).toEqual([1, 2, 3, 4]);
  });

  nodesTest('compiled while a segment was somewhere else sees the one that is there now', () => {
    using nodes = new MachineNodes({ name: 'vm', folder });
    using store = nodes.arenaStore({ capacity: 64 * MiB });
    const { load } = program(store.memory);
    const first = store.allocate(MiB, rom);
    first.bytes.fill(1);
    for (let turn = 0; turn < 100_000; turn++) load(first.address);
    expect(load(first.address)).toBe(0x0101_0101);
    store.free(first);
    expect(load(first.address)).toBe(0);
    const second = store.allocate(MiB, { name: 'other', kind: 'devmem' });
    expect(second.address).toBe(first.address);
    writeNode(node('vm.other'), 0, [2, 0, 0, 0]);
    expect(load(first.address)).toBe(2);
  });
});

nodesTest('an access of WebAssembly beside a segment traps, and changes nothing, until the segment is gone', () => {
  using nodes = new MachineNodes({ name: 'vm', folder });
  using store = nodes.arenaStore({ capacity: 64 * MiB });
  const segments = ['low', 'high'].map((name) => store.allocate(MiB, { name, kind: 'devmem' }));
  const { load, store: storeWord } = program(store.memory);
  const start = openLibc().addressOf(store.memory.buffer);
  for (const { address } of segments) {
    const beside = [address - GUARD_LENGTH, address - 4, address + MiB, address + MiB + GUARD_LENGTH - 4];
    for (const guarded of beside) {
      expect(mappingAt(start + guarded)?.flags).toBe('---p');
      expect(() => load(guarded)).toThrow('out of bounds');
      expect(() => storeWord(guarded, 1)).toThrow('out of bounds');
    }
  }
});

nodesTest('no guard comes to lie where a segment was: a view that somebody has kept can still be read', () => {
  using nodes = new MachineNodes({ name: 'vm', folder });
  using store = nodes.arenaStore({ capacity: 64 * MiB });
  const views = [1, 3, 2].map((pages, turn) => {
    const { address, bytes } = store.allocate(pages * PAGE_SIZE, { name: `turn${turn}`, kind: 'devmem' });
    store.free({ address, bytes });
    return bytes;
  });
  const kept = store.allocate(PAGE_SIZE, { name: 'kept', kind: 'devmem' });
  expect(store.used).toBe(PAGE_SIZE);
  for (const view of views) expect(view.every((byte) => byte === 0)).toBe(true);
  expect(kept.bytes.byteOffset).toBe(views[0]?.byteOffset);
});

nodesTest(
  'a memfd arena is an arena: it can stand where one is wanted, with 4 GiB and room kept for the engine',
  () => {
    using nodes = new MachineNodes({ name: 'vm', folder });
    using store = nodes.arenaStore({ capacity: 4 * GiB, reserved: 100 * KiB });
    const arena: ArenaStore = store;
    expect(arena.allocateTable(PAGE_SIZE).address).toBe(100 * KiB);
    const { address, bytes } = store.allocate(3 * GiB, { name: 'ram', kind: 'sysmem' });
    bytes[3 * GiB - 1] = 7;
    expect(new Uint8Array(arena.memory.buffer)[address + 3 * GiB - 1]).toBe(7);
    expect(readNode(node('vm'), 3 * GiB - 1, 1)).toEqual([7]);
  },
);

nodesTest(
  'guest memory on a memfd arena: what is written at a GPA is at that offset of the node, below and above 4 GiB',
  () => {
    using nodes = new MachineNodes({ name: 'vm', folder });
    using store = nodes.arenaStore({ capacity: 64 * MiB });
    using memory = new GuestMemory({ store });
    const layout = [
      { offset: 0, length: 2 * MiB, gpa: 0 },
      { offset: 2 * MiB, length: MiB, gpa: 4 * GiB },
    ];
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 3 * MiB, layout });
    for (const { offset, length, gpa: start } of layout)
      memory.map({ segment: ram, gpa: gpa(start), offset, length, prot: 'rwx' });
    for (const address of [0, 2 * MiB - 1, 4 * GiB, 4 * GiB + MiB - 1]) {
      expect(memory.write(gpa(address), Uint8Array.of(address % 251))).toBe(true);
      expect(readNode(node('vm'), address, 1)).toEqual([address % 251]);
      writeNode(node('vm'), address, [99]);
      const seen = new Uint8Array(1);
      expect([memory.read(gpa(address), seen), seen[0]]).toEqual([true, 99]);
    }
  },
);

nodesTest('many arenas, some of them never ended, are collected without harm to those that live', async () => {
  using nodes = new MachineNodes({ name: 'vm', folder });
  using survivor = nodes.arenaStore({ capacity: 64 * MiB });
  const kept = survivor.allocate(MiB, { name: 'kept', kind: 'devmem' });
  kept.bytes.fill(0x5a);
  const views: Uint8Array[] = [];
  for (let round = 0; round < 40; round++) {
    using store = nodes.arenaStore({ capacity: 64 * MiB });
    const { bytes } = store.allocate(MiB, { name: 'passing', kind: 'devmem' });
    bytes.fill(round);
    if (round % 10 === 0) views.push(bytes);
    if (round % 8 === 0) await collectGarbage();
  }
  await collectGarbage();
  expect(kept.bytes.every((byte) => byte === 0x5a)).toBe(true);
  expect(views.every((view) => view.fill(1).every((byte) => byte === 1))).toBe(true);
  expect(readNode(node('vm.kept'), MiB - 1, 1)).toEqual([0x5a]);
});
