import { beforeEach, describe, expect, test } from 'vitest';
import { refusal } from '../../test/refusal.ts';
import { GiB, KiB, MiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { Gpa, Mapping, MapRequest, MemoryErrorCode, Segment } from './index.ts';

let memory: GuestMemory;
let ram: Segment;
let rom: Segment;
let foreign: Segment;
let destroyed: Segment;

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 40 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
  rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 16 * KiB });
  const other = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
  foreign = other.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
  destroyed = memory.createSegment({ name: 'gone', kind: 'sysmem', length: 64 * KiB });
  memory.destroySegment(destroyed);
});

/** An address that came past the door. */
function unchecked(value: number): Gpa {
  // @ts-expect-error: a number without its brand, as a caller without types would pass it
  return value;
}

/** A request as a caller without types can make it. */
type Loose = Partial<Record<keyof MapRequest | 'iommu', unknown>>;

function map(request: Loose): Mapping {
  // @ts-expect-error: the request may be anything
  return memory.map({ segment: ram, gpa: gpa(0x10_0000), prot: 'rwx', ...request });
}

function code(request: Loose): MemoryErrorCode {
  return refusal(() => map(request)).code;
}

describe('map: every row of the reference, 1.5', () => {
  test.each(['', '---', 'rw', 'RWX', 'xwr', 'rwxs', 0, 7, undefined, null])(
    'row 1: protection %j is EINVAL',
    (prot) => {
      expect(code({ prot })).toBe('EINVAL');
    },
  );

  test.each(['r--', '-w-', 'rw-', '--x', 'r-x', '-wx', 'rwx'] as const)('row 1: protection %s is accepted', (prot) => {
    expect(map({ prot }).prot).toBe(prot);
  });

  test('row 2: the IOMMU flag cannot be asked for, nor can one that is neither on nor off', () => {
    expect([code({ iommu: true }), code({ iommu: false }), code({ wired: 1 })]).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
  });

  test('row 2: wired is accepted, and off when absent', () => {
    expect([map({ wired: true }).wired, map({ gpa: 0 }).wired]).toEqual([true, false]);
  });

  test('rows 3 and 4: no segment, a segment of another guest memory or a destroyed one is EINVAL', () => {
    expect([undefined, foreign, destroyed].map((segment) => code({ segment }))).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
  });

  test.each([
    ['the offset and length', { offset: 4096, length: Number.MAX_SAFE_INTEGER - 4095 }],
    ['the address and length', { gpa: 2 ** 53 - 4096 }],
    ['an address beyond exact integers', { gpa: 2 ** 53 }],
  ])('row 4a: a sum that overflows, of %s, is EINVAL', (_case, request) => {
    expect(code(request)).toBe('EINVAL');
  });

  test.each([
    ['a negative offset', { offset: -4096, length: 4096 }],
    ['no length', { length: 0 }],
    ['a negative length', { length: -4096 }],
    ['an end behind that of the segment', { offset: 4096, length: 64 * KiB }],
    ['a start behind the end of the segment', { offset: 68 * KiB, length: 4096 }],
    ['a start at the end of the segment', { offset: 64 * KiB }],
    ['a length that is no number', { length: Number.NaN }],
    ['an offset that is no number', { offset: Number.NaN }],
    ['a length of text', { length: '4096' }],
  ])('row 5: a slice with %s is EINVAL', (_case, request) => {
    expect(code(request)).toBe('EINVAL');
  });

  test.each([
    ['address', { gpa: 0x10_0001 }],
    ['address by half a page', { gpa: 0x10_0800 }],
    ['offset', { offset: 1, length: 4096 }],
    ['length', { length: 4097 }],
    ['length below a page', { length: 4095 }],
  ])('row 6: a misaligned %s is EINVAL', (_case, request) => {
    expect(code(request)).toBe('EINVAL');
  });

  test('row 7 does not exist: 1,000 mappings of one segment fit', () => {
    for (let index = 0; index < 1000; index++) map({ gpa: index * 8192, length: 4096 });
    expect([...memory]).toHaveLength(1000);
  });

  test.each([
    ['the same place', 0x10_0000, 64 * KiB],
    ['its first page', 0x10_0000, 4096],
    ['its last page', 0x10_f000, 4096],
    ['its start, from below', 0xf_f000, 8192],
    ['its end, from within', 0x10_f000, 8192],
    ['all of it and more', 0xf_0000, 0],
  ])('row 8: an overlap with %s is ENOMEM, with the mapping in the way', (_case, place, length) => {
    const inTheWay = map({});
    const large = memory.createSegment({ name: 'large', kind: 'devmem', length: MiB });
    const error = refusal(() => map({ segment: large, gpa: place, ...(length > 0 ? { length } : {}) }));
    expect(error).toMatchObject({ code: 'ENOMEM', facts: { segment: 'large', inTheWay } });
    expect(error.message).toContain('ram is mapped at [0x100000, 0x110000)');
  });

  test('row 8: of several mappings in the way the error names the lowest', () => {
    const [low] = [map({}), map({ gpa: 0x11_0000 })];
    const large = memory.createSegment({ name: 'large', kind: 'devmem', length: MiB });
    expect(refusal(() => map({ segment: large, gpa: 0x10_8000 })).facts.inTheWay).toBe(low);
  });

  test('row 8: what reaches past the address space is ENOMEM', () => {
    const limit = 2 ** 40;
    expect([code({ gpa: limit }), code({ gpa: limit - 4096, length: 8192 })]).toEqual(['ENOMEM', 'ENOMEM']);
    expect(map({ gpa: limit - 4096, length: 4096 }).end).toBe(limit);
  });

  test('row 8: the same mapping twice is not idempotent', () => {
    map({});
    expect(code({})).toBe('ENOMEM');
  });

  test('row 9: what an observer throws comes out, and nothing is mapped', () => {
    const failure = new MemoryError('ENOSPC', 'no slot left');
    memory.observe({
      changed() {
        throw failure;
      },
    });
    expect(refusal(() => map({}))).toBe(failure);
    expect([[...memory], memory.at(gpa(0x10_0000))]).toEqual([[], undefined]);
  });

  test('neighbours, aliases of one page and overlapping slices of one segment are accepted', () => {
    map({ gpa: 0, length: 8192 });
    map({ gpa: 8192, length: 8192 });
    map({ gpa: 16_384, offset: 4096, length: 8192 });
    expect([...memory].map(({ offset }) => offset)).toEqual([0, 0, 4096]);
  });

  test('offset and length default to the rest of the segment', () => {
    expect(map({ offset: 4096 })).toMatchObject({ offset: 4096, length: 60 * KiB });
  });
});

describe('map: which error comes first', () => {
  // Each request breaks two rows; the sentence tells which one was checked first.
  test.each<[string, () => Loose, RegExp]>([
    ['protection (1) before flags (2)', () => ({ prot: 'x', wired: 3 }), /protection/],
    ['protection (1) before segment (4)', () => ({ prot: 'x', segment: foreign }), /protection/],
    ['flags (2) before segment (4)', () => ({ wired: 3, segment: foreign }), /flag/],
    ['segment (4) before slice (5)', () => ({ segment: foreign, length: 0 }), /not one of this/],
    ['slice (5) before alignment (6)', () => ({ length: 128 * KiB, gpa: 1 }), /no slice/],
    ['slice (5) before overlap (8)', () => ({ length: 0, gpa: 0 }), /no slice/],
    ['alignment (6) before overlap (8)', () => ({ gpa: 1 }), /multiple of the page size/],
    [
      'alignment of the slice (6) before the end of the address space (8)',
      () => ({ length: 1, gpa: 2 ** 40 }),
      /multiples/,
    ],
    [
      'alignment of the address (6) before the end of the address space (8)',
      () => ({ gpa: 2 ** 40 + 1 }),
      /multiple of/,
    ],
  ])('%s', (_case, request, sentence) => {
    map({ gpa: 0 });
    expect(refusal(() => map(request())).message).toMatch(sentence);
  });
});

describe('boundary values of the reference, section 10', () => {
  const values = [0n, 1n, 4095n, 4096n, 2n ** 31n, 2n ** 32n - 4096n, 2n ** 32n, 2n ** 47n - 4096n, 2n ** 47n];
  const wide = [2n ** 63n - 4096n, 2n ** 63n, 2n ** 64n - 4096n];

  test.each(values)('address %d: a page fits there if it is aligned', (value) => {
    memory = new GuestMemory({ store: new HeapStore(), addressBits: 48 });
    ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 4096 });
    if (value % 4096n !== 0n) {
      expect(code({ gpa: gpa(value) })).toBe('EINVAL');
      return;
    }
    const mapping = map({ gpa: gpa(value) });
    const place = Number(value);
    expect([memory.at(gpa(place)), memory.at(gpa(place + 4095)), memory.at(gpa(place + 4096))]).toEqual([
      mapping,
      mapping,
      undefined,
    ]);
    expect(memory.write(gpa(place), Uint8Array.of(1))).toBe(true);
    expect(ram.bytes[0]).toBe(1);
    memory.unmap(mapping);
    expect(memory.at(gpa(place))).toBeUndefined();
  });

  test.each(wide)('%d is no guest-physical address: EINVAL', (value) => {
    expect(refusal(() => gpa(value)).code).toBe('EINVAL');
  });

  test.each([...values, ...wide])('%d as offset, and as length, of 16 KiB', (value) => {
    const number = Number(value);
    const request = { segment: rom, offset: number, length: 4096 };
    if (number % 4096 === 0 && number < 16 * KiB) expect(map(request).offset).toBe(number);
    else expect(code(request)).toBe('EINVAL');
    const sized = { segment: rom, gpa: 0x20_0000, length: number };
    if (number === 4096) expect(map(sized).length).toBe(number);
    else expect(code(sized)).toBe('EINVAL');
  });

  test('offset 4096 with length 2^64 - 4096, whose sum wraps to 0 in 64 bits, is EINVAL', () => {
    expect(code({ offset: 4096, length: 2 ** 64 - 4096 })).toBe('EINVAL');
  });

  test.each([-1, 0.5, Number.NaN, Infinity, 2 ** 52, -1n, 2n ** 52n])('gpa(%d) is EINVAL', (value) => {
    expect(refusal(() => gpa(value)).code).toBe('EINVAL');
  });

  test('gpa of a bigint below 2^52 is exact', () => {
    expect(gpa(2n ** 52n - 1n)).toBe(2 ** 52 - 1);
  });

  test.each([31, 53, 40.5, Number.NaN])('%d address bits are EINVAL', (addressBits) => {
    expect(refusal(() => new GuestMemory({ store: new HeapStore(), addressBits })).code).toBe('EINVAL');
  });

  test.each([32, 40, 41, 48, 52])(
    'with %d address bits the last page can be mapped, and the page behind it not',
    (bits) => {
      memory = new GuestMemory({ store: new HeapStore(), addressBits: bits });
      ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 4096 });
      const last = 2 ** bits - 4096;
      expect(map({ gpa: last }).end).toBe(2 ** bits);
      expect(memory.at(gpa(last + 4095))?.gpa).toBe(last);
      expect(code({ gpa: 2 ** bits })).toBe('ENOMEM');
    },
  );
});

describe('unmap: the reference, 1.6', () => {
  test('takes a mapping', () => {
    memory.unmap(map({}));
    expect([...memory]).toEqual([]);
  });

  test('takes the exact range of one', () => {
    map({});
    memory.unmap({ gpa: gpa(0x10_0000), length: 64 * KiB });
    expect([...memory]).toEqual([]);
  });

  test.each([
    ['a part from its start', 0x10_0000, 4096],
    ['a part at its end', 0x10_f000, 4096],
    ['more than it', 0x10_0000, 128 * KiB],
    ['a range shifted by a page', 0x10_1000, 64 * KiB],
    ['a range of nothing', 0x20_0000, 4096],
    ['no bytes at 0', 0, 0],
    ['no bytes at its start', 0x10_0000, 0],
    ['two neighbours at once', 0x10_0000, 68 * KiB],
    ['a range that wraps', 0x10_0000, 2 ** 64 - 4096],
    ['no number', Number.NaN, 4096],
  ])('%s is EINVAL and leaves everything', (_case, start, length) => {
    const mappings = [map({}), map({ gpa: 0x11_0000, length: 4096 })];
    expect(refusal(() => memory.unmap({ gpa: unchecked(start), length })).code).toBe('EINVAL');
    expect([...memory]).toEqual(mappings);
  });

  test('a mapping that was unmapped is EINVAL, even when another stands in its place', () => {
    const old = map({});
    memory.unmap(old);
    const young = map({});
    expect(refusal(() => memory.unmap(old))).toMatchObject({ code: 'EINVAL', facts: { inTheWay: young } });
    expect([...memory]).toEqual([young]);
  });

  test("another guest memory's mapping is EINVAL, even at the same place", () => {
    const other = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
    const theirs = other.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
    const mapping = other.map({ segment: theirs, gpa: gpa(0x10_0000), prot: 'rwx' });
    map({});
    expect(refusal(() => memory.unmap(mapping)).code).toBe('EINVAL');
  });

  test('RAM can be unmapped when no IOMMU domain has it', () => {
    memory.unmap(map({ wired: true }));
    expect([...memory]).toEqual([]);
  });

  test('the bytes stay, and show again where the segment is mapped next', () => {
    const mapping = map({});
    memory.write(gpa(0x10_0000), Uint8Array.of(1, 2, 3));
    memory.unmap(mapping);
    map({ gpa: 0x30_0000 });
    const target = new Uint8Array(3);
    expect([memory.read(gpa(0x30_0000), target), [...target]]).toEqual([true, [1, 2, 3]]);
  });
});

describe('the iterator: the reference, 1.7', () => {
  test('an empty map gives nothing', () => {
    expect([...memory]).toEqual([]);
  });

  test('mappings come by ascending address, whatever the order in which they were made', () => {
    for (const place of [0x30_0000, 0, 0xffff_0000, 0x20_0000]) map({ gpa: place });
    expect([...memory].map((mapping) => mapping.gpa)).toEqual([0, 0x20_0000, 0x30_0000, 0xffff_0000]);
  });

  test('a mapping that ends with the address space is the last', () => {
    map({ gpa: 2 ** 40 - 64 * KiB });
    expect([...memory]).toHaveLength(1);
  });
});

describe('questions', () => {
  test('covering gives each mapping that has a byte in the range', () => {
    const [a, b, c] = [map({ gpa: 0 }), map({ gpa: 64 * KiB }), map({ gpa: 256 * KiB })];
    expect([...memory.covering(gpa(64 * KiB - 1), 2)]).toEqual([a, b]);
    expect([...memory.covering(gpa(0), GiB)]).toEqual([a, b, c]);
    expect([...memory.covering(gpa(128 * KiB), 128 * KiB)]).toEqual([]);
    expect([...memory.covering(gpa(64 * KiB), 1)]).toEqual([b]);
    expect([...memory.covering(gpa(64 * KiB), 0)]).toEqual([]);
  });

  test('gaps and mappings make up the whole address space', () => {
    map({ gpa: 0 });
    map({ gpa: 0x10_0000 });
    map({ gpa: 0x11_0000 });
    expect([...memory.gaps()]).toEqual([
      { start: 0x1_0000, end: 0x10_0000, length: 0xf_0000 },
      { start: 0x12_0000, end: 2 ** 40, length: 2 ** 40 - 0x12_0000 },
    ]);
  });

  test('an empty map is one gap, a map to the end has none behind', () => {
    expect([...memory.gaps()]).toEqual([{ start: 0, end: 2 ** 40, length: 2 ** 40 }]);
    map({ gpa: 2 ** 40 - 64 * KiB });
    expect([...memory.gaps()]).toEqual([{ start: 0, end: 2 ** 40 - 64 * KiB, length: 2 ** 40 - 64 * KiB }]);
  });

  test('mappingsOf gives those of one segment, by ascending address, each once', () => {
    const large = memory.createSegment({ name: 'large', kind: 'sysmem', length: 8 * MiB });
    const high = map({ segment: large, gpa: 0x4000_0000 });
    map({ gpa: 0 });
    const low = map({ segment: large, gpa: 0x2000_0000, offset: 4 * MiB });
    expect([...memory.mappingsOf(large)]).toEqual([low, high]);
    expect(refusal(() => [...memory.mappingsOf(foreign)]).code).toBe('EINVAL');
  });

  test('sysmemEnd is where RAM ends; device memory does not count', () => {
    expect(memory.sysmemEnd).toBe(0);
    map({ segment: rom, gpa: 0xffff_c000 });
    expect(memory.sysmemEnd).toBe(0);
    map({ gpa: 0x10_0000 });
    expect(memory.sysmemEnd).toBe(0x11_0000);
  });

  test('an address of no page is in no mapping', () => {
    map({ gpa: 0 });
    for (const address of [-1, Number.NaN, 2 ** 52, Infinity]) expect(memory.at(unchecked(address))).toBeUndefined();
  });

  test('a mapping shown as JSON is its facts, not its bytes', () => {
    expect(JSON.parse(JSON.stringify(map({ offset: 4096, length: 4096 })))).toEqual({
      segment: 'ram',
      gpa: 0x10_0000,
      offset: 4096,
      length: 4096,
      prot: 'rwx',
      wired: false,
      iommu: false,
    });
  });
});

test('a refused call leaves the list of mappings, and every byte of the flat view, as it was', () => {
  map({});
  map({ segment: rom, gpa: 0xffff_c000, prot: 'r-x' });
  const before = [...memory];
  const flags = [0, 0x10_0000, 0x11_0000, 0xffff_c000].map((place) => memory.flat.flagsAt(place));
  const requests: Loose[] = [
    { prot: '' },
    { wired: 2 },
    { segment: foreign },
    { length: 0 },
    { gpa: 1 },
    { gpa: 0x10_8000 },
    { gpa: 2 ** 40 },
  ];
  for (const request of requests) refusal(() => map(request));
  refusal(() => memory.unmap({ gpa: gpa(0), length: 0 }));
  expect([...memory]).toEqual(before);
  expect([0, 0x10_0000, 0x11_0000, 0xffff_c000].map((place) => memory.flat.flagsAt(place))).toEqual(flags);
});

describe('whether a mapping is wired', () => {
  test.each([
    [undefined, undefined, false],
    [true, undefined, true],
    [true, false, false],
    [false, true, true],
  ])('with %s for all and %s for this one is %s, for maps and for windows', (all, own, expected) => {
    using some = new GuestMemory({ store: new HeapStore(), ...(all === undefined ? {} : { wired: all }) });
    const segment = some.createSegment({ name: 'ram', kind: 'sysmem', length: 8 * KiB });
    const wired = own === undefined ? {} : { wired: own };
    expect(some.map({ segment, gpa: gpa(0), prot: 'rwx', ...wired }).wired).toBe(expected);
    some.window(segment, { prot: 'rw-', ...wired }).moveTo(gpa(0x10000));
    expect(some.at(gpa(0x10000))?.wired).toBe(expected);
  });
});
