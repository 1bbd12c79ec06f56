import { describe, expect, test } from 'vitest';
import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, HeapStore, LOAD_MASK, PAGE_FLAG, PROTS, STORE_MASK } from './index.ts';
import type { Gpa, Prot, Segment } from './index.ts';

const stores = [
  { store: 'heap', make: () => new HeapStore() },
  { store: 'arena', make: () => new ArenaStore({ capacity: MiB, reserved: 64 * KiB }) },
];

/** One page of data between two others: where an access lies decides what it touches. */
const PLACE = 0x7000;

type Neighbour = 'mapped' | 'hole';

/** First byte and length of an access relative to the page, and whether it touches the neighbours. */
const EDGES = [
  { edge: 'first byte', start: 0, length: 1, below: false, above: false },
  { edge: 'last byte', start: PAGE_SIZE - 1, length: 1, below: false, above: false },
  { edge: 'whole page', start: 0, length: PAGE_SIZE, below: false, above: false },
  { edge: 'across the start', start: -1, length: 2, below: true, above: false },
  { edge: 'across the end', start: PAGE_SIZE - 1, length: 2, below: false, above: true },
  { edge: 'all three pages', start: -PAGE_SIZE, length: 3 * PAGE_SIZE, below: true, above: true },
] as const;

const ACCESSES = ['read', 'write'] as const;
const NEIGHBOURS: readonly Neighbour[] = ['mapped', 'hole'];

function* cases(): Generator<[Prot, (typeof ACCESSES)[number], Neighbour, (typeof EDGES)[number]]> {
  for (const prot of PROTS) {
    for (const access of ACCESSES) {
      for (const neighbour of NEIGHBOURS) for (const edge of EDGES) yield [prot, access, neighbour, edge];
    }
  }
}

/** The bytes by ascending address, the page below first. */
function laidOut(ram: Segment): number[] {
  const page = (index: number): number[] => [...ram.bytes.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE)];
  return [...page(2), ...page(0), ...page(1)];
}

/** An address that came past the door. */
function unchecked(value: number): Gpa {
  // @ts-expect-error: a number without its brand, as a caller without types would pass it
  return value;
}

describe.each(stores)('every protection, access, neighbour and edge in the $store store', ({ make }) => {
  function build(prot: Prot, neighbour: Neighbour): { memory: GuestMemory; ram: Segment } {
    const memory = new GuestMemory({ store: make(), addressBits: 32 });
    // The slices are out of order in the segment, so that an access across pages cannot pass by being contiguous.
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 3 * PAGE_SIZE });
    const page = (address: number, index: number, rights: Prot): void => {
      memory.map({ segment: ram, gpa: gpa(address), offset: index * PAGE_SIZE, length: PAGE_SIZE, prot: rights });
    };
    page(PLACE, 0, prot);
    if (neighbour === 'mapped') page(PLACE - PAGE_SIZE, 2, 'rwx');
    if (neighbour === 'mapped') page(PLACE + PAGE_SIZE, 1, 'rwx');
    return { memory, ram };
  }

  function check(prot: Prot, access: 'read' | 'write', neighbour: Neighbour, edge: (typeof EDGES)[number]): void {
    const { memory, ram } = build(prot, neighbour);
    for (let index = 0; index < ram.bytes.length; index++) ram.bytes[index] = index * 31 + (index >> 12);
    const before = laidOut(ram);
    const allowed =
      prot.includes(access === 'read' ? 'r' : 'w') && (neighbour === 'mapped' || (!edge.below && !edge.above));
    const buffer = new Uint8Array(edge.length).fill(0xee);
    const first = edge.start + PAGE_SIZE;
    expect(memory[access](gpa(PLACE + edge.start), buffer)).toBe(allowed);
    if (access === 'read') {
      const expected = allowed ? before.slice(first, first + edge.length) : [...buffer.fill(0xee)];
      expect([...buffer]).toEqual(expected);
      expect(laidOut(ram)).toEqual(before);
    } else {
      if (allowed) before.fill(0xee, first, first + edge.length);
      expect(laidOut(ram)).toEqual(before);
    }
  }

  test.each(
    [...cases()].map(([prot, access, neighbour, edge]) => ({ prot, access, neighbour, edge, name: edge.edge })),
  )('$prot $access of $name beside a $neighbour', ({ prot, access, neighbour, edge }) =>
    check(prot, access, neighbour, edge),
  );

  test.each(PROTS)('the flag word of %s says what loads, stores and fetches may go ahead', (prot) => {
    const flags = build(prot, 'hole').memory.flat.flagsAt(PLACE);
    expect([
      (flags & LOAD_MASK) === PAGE_FLAG.READ,
      (flags & STORE_MASK) === PAGE_FLAG.WRITE,
      (flags & PAGE_FLAG.EXECUTE) !== 0,
    ]).toEqual([prot.includes('r'), prot.includes('w'), prot.includes('x')]);
  });

  test('an access of no bytes is allowed anywhere', () => {
    const { memory } = build('r--', 'hole');
    expect([memory.read(gpa(0), new Uint8Array(0)), memory.write(gpa(2 ** 32 - 1), new Uint8Array(0))]).toEqual([
      true,
      true,
    ]);
  });

  test('a write that ends in a hole writes nothing, even where it could', () => {
    const { memory, ram } = build('rw-', 'hole');
    expect(memory.write(gpa(PLACE + PAGE_SIZE - 4), new Uint8Array(8).fill(1))).toBe(false);
    expect(ram.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test('an address that is none is not backed', () => {
    const { memory } = build('rwx', 'hole');
    for (const address of [-1, Number.NaN, 2 ** 53]) {
      expect(memory.read(unchecked(address), new Uint8Array(1))).toBe(false);
      expect(memory.write(unchecked(address), new Uint8Array(1))).toBe(false);
    }
  });

  test('aliases of a page always show the same bytes', () => {
    const { memory, ram } = build('rwx', 'hole');
    memory.map({ segment: ram, gpa: gpa(0xffff_f000), length: PAGE_SIZE, prot: 'r-x' });
    memory.write(gpa(PLACE + 5), Uint8Array.of(1, 2));
    ram.write(6, Uint8Array.of(3));
    const seen = new Uint8Array(2);
    memory.read(gpa(0xffff_f005), seen);
    expect([[...seen], [...ram.bytes.subarray(5, 7)]]).toEqual([
      [1, 3],
      [1, 3],
    ]);
  });
});
