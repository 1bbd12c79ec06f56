import { describe, expect, test } from 'vitest';
import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, PAGE_FLAG } from './index.ts';
import type { Segment } from './index.ts';

const LEAF = 2 ** 21;

function build(addressBits = 40): { store: ArenaStore; memory: GuestMemory; ram: Segment } {
  const store = new ArenaStore({ capacity: 64 * MiB, reserved: 64 * KiB });
  const memory = new GuestMemory({ store, addressBits });
  return { store, memory, ram: memory.createSegment({ name: 'ram', kind: 'sysmem', length: 8 * MiB }) };
}

/** Walks directory and leaf as an engine in WebAssembly does: with nothing but the arena and the directory's address. */
function walk(store: ArenaStore, directory: number, address: number): { address: number; flags: number } {
  const words = new Uint32Array(store.memory.buffer);
  const leaf = words[directory / 4 + Math.floor(address / LEAF)] ?? 0;
  if (leaf === 0) return { address: 0, flags: 0 };
  const entry = leaf / 4 + ((address >>> 12) & 511) * 2;
  return { address: words[entry] ?? -1, flags: words[entry + 1] ?? -1 };
}

test('an engine finds the bytes of a page by walking the arena', () => {
  const { store, memory, ram } = build();
  memory.map({ segment: ram, gpa: gpa(0xfff0_0000), offset: 4 * MiB, length: MiB, prot: 'r-x' });
  ram.bytes[4 * MiB + 5 * PAGE_SIZE + 7] = 99;
  const page = walk(store, memory.flat.address, 0xfff0_5000);
  expect(new Uint8Array(store.memory.buffer)[page.address + 7]).toBe(99);
  expect(page.flags).toBe(PAGE_FLAG.READ | PAGE_FLAG.EXECUTE);
});

test.each([
  [32, 2 ** 11],
  [36, 2 ** 15],
  [40, 2 ** 19],
  [41, 2 ** 19],
  [52, 2 ** 19],
])('%d address bits make a directory of %d words', (addressBits, length) => {
  expect(build(addressBits).memory.flat.length).toBe(length);
});

describe('a mapping shows on exactly its pages', () => {
  test.each([
    ['one page', 0x5000, PAGE_SIZE],
    ['a whole leaf', 2 * LEAF, LEAF],
    ['the end of a leaf and the start of the next', 3 * LEAF - PAGE_SIZE, 2 * PAGE_SIZE],
    ['a leaf and a page on either side', 3 * LEAF - PAGE_SIZE, LEAF + 2 * PAGE_SIZE],
    ['two leaves and a half', LEAF, 2.5 * LEAF],
    ['the last page of the directory', 2 ** 40 - PAGE_SIZE, PAGE_SIZE],
    ['the end of the directory and beyond', 2 ** 40 - PAGE_SIZE, 2 * PAGE_SIZE],
    ['only beyond the directory', 2 ** 44 + 5 * LEAF, LEAF + PAGE_SIZE],
    ['the end of what 52 bits can say', 2 ** 52 - LEAF, LEAF],
  ])('%s', (_case, start, length) => {
    const { store, memory, ram } = build(52);
    const mapping = memory.map({ segment: ram, gpa: gpa(start), offset: MiB, length, prot: 'rw-' });
    const base = ram.bytes.byteOffset; // In the arena this is the store address.
    for (let address = start - 2 * PAGE_SIZE; address < start + length + 2 * PAGE_SIZE; address += PAGE_SIZE) {
      const inside = address >= start && address < start + length;
      const expected = inside ? base + MiB + address - start : 0;
      expect(memory.flat.mappingAt(address)).toBe(inside ? mapping : undefined);
      expect(memory.flat.flagsAt(address)).toBe(inside ? 3 : 0);
      expect(memory.flat.addressAt(address + 9)).toBe(inside ? expected + 9 : 0);
      if (address >= 0 && address < 2 ** 40) {
        expect(walk(store, memory.flat.address, address)).toEqual({ address: expected, flags: inside ? 3 : 0 });
      }
    }
    memory.unmap(mapping);
    for (let address = start; address < start + length; address += PAGE_SIZE) {
      expect([memory.flat.mappingAt(address), memory.flat.flagsAt(address)]).toEqual([undefined, 0]);
      if (address < 2 ** 40) expect(walk(store, memory.flat.address, address)).toEqual({ address: 0, flags: 0 });
    }
  });
});

test('neighbours in one leaf do not disturb each other', () => {
  const { memory, ram } = build();
  const mappings = Array.from({ length: 512 }, (_, page) =>
    memory.map({ segment: ram, gpa: gpa(page * PAGE_SIZE), offset: page * PAGE_SIZE, length: PAGE_SIZE, prot: 'r--' }),
  );
  for (const mapping of mappings.filter((_, page) => page % 2 === 0)) memory.unmap(mapping);
  for (const [page, mapping] of mappings.entries()) {
    expect(memory.at(gpa(page * PAGE_SIZE + 100))).toBe(page % 2 === 0 ? undefined : mapping);
  }
});

test('a leaf that held one mapping and then many shows the many', () => {
  const { memory, ram } = build();
  memory.unmap(memory.map({ segment: ram, gpa: gpa(LEAF), length: LEAF, prot: 'rwx' }));
  const one = memory.map({ segment: ram, gpa: gpa(LEAF + PAGE_SIZE), length: PAGE_SIZE, prot: 'rwx' });
  expect([memory.at(gpa(LEAF)), memory.at(gpa(LEAF + PAGE_SIZE)), memory.at(gpa(LEAF + 2 * PAGE_SIZE))]).toEqual([
    undefined,
    one,
    undefined,
  ]);
  memory.unmap(one);
  const whole = memory.map({ segment: ram, gpa: gpa(LEAF), length: LEAF, prot: 'rwx' });
  expect(memory.at(gpa(LEAF + PAGE_SIZE))).toBe(whole);
});

test('a place that was left shows nothing when its leaf serves elsewhere', () => {
  const { memory, ram } = build(52);
  for (const [from, to] of [
    [0x10_0000, 0x4010_0000],
    [2 ** 45 + 4096, 2 ** 46 + 4096],
    [0x8010_0000, 2 ** 47 + 4096],
  ] as const) {
    memory.unmap(memory.map({ segment: ram, gpa: gpa(from), length: PAGE_SIZE, prot: 'rwx' }));
    const mapping = memory.map({ segment: ram, gpa: gpa(to), length: PAGE_SIZE, prot: 'rwx' });
    const alike = [...new Set([from, to])].map((place) => memory.at(gpa(place - (place % LEAF) + (to % LEAF))));
    expect(alike).toEqual([undefined, mapping]);
    memory.unmap(mapping);
  }
});

test('an edit with many mappings under one leaf takes one leaf', () => {
  const { store, memory, ram } = build();
  const used = store.used;
  memory.edit((edit) => {
    for (let page = 0; page < 512; page += 2) {
      edit.map({ segment: ram, gpa: gpa(page * PAGE_SIZE), length: PAGE_SIZE, prot: 'rwx' });
    }
  });
  expect(store.used - used).toBe(4 * KiB);
});

test('leaves are used again: mapping in ever new places takes no more of the store', () => {
  const { store, memory, ram } = build();
  memory.unmap(memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' }));
  const used = store.used;
  for (let place = 1; place < 500; place++) {
    memory.unmap(memory.map({ segment: ram, gpa: gpa(place * 8 * MiB), prot: 'rwx' }));
  }
  expect(store.used).toBe(used);
});

test('above the directory, what leaves one leaf leaves its neighbours alone, down to the last', () => {
  const { memory, ram } = build(52);
  const start = 2 ** 45;
  const mappings = [0, 1, 2].map((leaf) =>
    memory.map({ segment: ram, gpa: gpa(start + leaf * LEAF), length: PAGE_SIZE, prot: 'rw-' }),
  );
  for (const [index, mapping] of mappings.entries()) {
    memory.unmap(mapping);
    const shown = mappings.map(({ gpa: address }) => memory.at(address) !== undefined);
    expect(shown).toEqual([0, 1, 2].map((leaf) => leaf > index));
    expect(mappings.map(({ gpa: address }) => memory.flat.flagsAt(address) !== 0)).toEqual(shown);
  }
});
