import { describe, expect, test } from 'vitest';
import { codeOf, refusal } from '../../test/refusal.ts';
import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, HeapStore } from './index.ts';
import type { MemoryErrorCode, Segment } from './index.ts';

function memoryOf(capacity: number = 16 * MiB): GuestMemory {
  return new GuestMemory({ store: new HeapStore({ capacity }), addressBits: 32 });
}

const RAM = { name: 'ram', kind: 'sysmem', length: 64 * KiB } as const;

describe('createSegment: every row of the reference, 1.2', () => {
  test.each([0, 1, 4095, 4097, -4096, 2 ** 31 + 1, Number.NaN, Infinity, 2 ** 53, 4096.5])(
    'row 2: a length of %d is EINVAL',
    (length) => {
      expect(codeOf(() => memoryOf().createSegment({ ...RAM, length }))).toBe('EINVAL');
    },
  );

  test.each([
    ['the same', RAM],
    ['of another kind', { ...RAM, kind: 'devmem' as const }],
    ['of another length', { ...RAM, length: 4096 }],
  ])('row 3: a second segment of one name, %s, is EEXIST and says what the first one is', (_case, second) => {
    const memory = memoryOf();
    memory.createSegment(RAM);
    expect(refusal(() => memory.createSegment(second))).toMatchObject({
      code: 'EEXIST',
      facts: { segment: 'ram', kind: 'sysmem', length: '0x10000' },
    });
  });

  test.each([2 ** 31, 2 ** 32 - 4096, 2 ** 32, 2 ** 47 - 4096, 2 ** 47])(
    'row 5: %d bytes, which the store does not have, are ENOMEM',
    (length) => {
      expect(codeOf(() => memoryOf().createSegment({ ...RAM, length }))).toBe('ENOMEM');
    },
  );

  test('a kind that is neither sysmem nor devmem is EINVAL', () => {
    // @ts-expect-error: a caller without types
    expect(codeOf(() => memoryOf().createSegment({ ...RAM, kind: 'rom' }))).toBe('EINVAL');
  });

  describe('precedence', () => {
    const memory = memoryOf();
    memory.createSegment(RAM);
    test.each<[string, { name: string; kind: 'sysmem'; length: number }, MemoryErrorCode]>([
      ['a bad name before a bad length', { ...RAM, name: '', length: 0 }, 'EINVAL'],
      ['a bad length before a name that is taken', { ...RAM, length: 1 }, 'EINVAL'],
      ['a name that is taken before the lack of memory', { ...RAM, length: 2 ** 40 }, 'EEXIST'],
    ])('%s', (_case, options, code) => {
      expect(codeOf(() => memory.createSegment(options))).toBe(code);
    });

    test('a bad name is what the error speaks of when the length is bad too', () => {
      expect(refusal(() => memory.createSegment({ ...RAM, name: 'a/b', length: 0 })).facts).toEqual({ name: '"a/b"' });
    });
  });

  test('a refused segment leaves the list, the store and the next id as they were', () => {
    const store = new HeapStore({ capacity: 16 * MiB });
    const memory = new GuestMemory({ store, addressBits: 32 });
    memory.createSegment(RAM);
    const used = store.used;
    for (const bad of [
      { ...RAM, name: '' },
      { ...RAM, name: 'x', length: 1 },
      RAM,
      { ...RAM, name: 'x', length: 2 ** 40 },
    ]) {
      refusal(() => memory.createSegment(bad));
    }
    expect([[...memory.segments()].map(({ name }) => name), store.used]).toEqual([['ram'], used]);
    expect(memory.createSegment({ ...RAM, name: 'next' }).id).toBe(1);
  });
});

describe('names: the reference, 2.1 and 2.6', () => {
  test.each(['a', 'ram', 'bootrom', 'fifteen-bytes-x', 'b.c', '.hidden', 'ROM 0', 'spéicher', '記憶'])(
    '%j is one',
    (name) => {
      expect(memoryOf().createSegment({ ...RAM, name }).name).toBe(name);
    },
  );

  test.each([
    ['empty', ''],
    ['the directory itself', '.'],
    ['the directory above', '..'],
    ['with a slash', 'a/b'],
    ['with NUL', 'a\0b'],
    ['with a newline', 'a\nb'],
    ['with DEL', 'a\u007f'],
    ['with a C1 control', 'a\u0085'],
    ['half a surrogate pair', '\ud800'],
    ['of 16 characters', 'sixteen-bytes-xx'],
    ['of 16 bytes in 8 characters', 'éééééééé'],
  ])('a name %s is EINVAL', (_case, name) => {
    expect(codeOf(() => memoryOf().createSegment({ ...RAM, name }))).toBe('EINVAL');
  });

  test.each(['a', '\u00ff', '\u07ff', '\u0800', '\uffee', '\u{10000}', '\u{10ffff}'])(
    'of %j as many fit as UTF-8 has room for in 15 bytes, and not one byte more',
    (character) => {
      const bytes = Buffer.byteLength(character);
      const name = character.repeat(15 / bytes).padEnd(Math.floor(15 / bytes) * character.length + (15 % bytes), 'a');
      expect(Buffer.byteLength(name)).toBe(15);
      expect(memoryOf().createSegment({ ...RAM, name }).name).toBe(name);
      expect(codeOf(() => memoryOf().createSegment({ ...RAM, name: `${name}a` }))).toBe('EINVAL');
    },
  );

  test('a name that is no string is EINVAL', () => {
    // @ts-expect-error: a caller without types
    expect(codeOf(() => memoryOf().createSegment({ ...RAM, name: undefined }))).toBe('EINVAL');
  });
});

describe('finding segments', () => {
  test('by name, by id, and all of them in the order of their ids', () => {
    const memory = memoryOf();
    const ram = memory.createSegment(RAM);
    const rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 8 * KiB });
    expect([memory.segment('bootrom'), memory.segmentById(0), [...memory.segments()]]).toEqual([rom, ram, [ram, rom]]);
    expect([memory.segment('none'), memory.segmentById(2)]).toEqual([undefined, undefined]);
  });

  test('an id is never used twice, a name can be', () => {
    const memory = memoryOf();
    const first = memory.createSegment(RAM);
    memory.destroySegment(first);
    const second = memory.createSegment(RAM);
    expect([first.id, second.id, memory.segment('ram'), memory.segmentById(0)]).toEqual([0, 1, second, undefined]);
  });
});

describe('destroySegment', () => {
  test('gives the bytes back to the store', () => {
    const store = new HeapStore();
    const memory = new GuestMemory({ store, addressBits: 32 });
    const before = store.used;
    memory.destroySegment(memory.createSegment(RAM));
    expect(store.used).toBe(before);
  });

  test('a mapped segment is EBUSY, and the error names the mapping', () => {
    const memory = memoryOf();
    const ram = memory.createSegment(RAM);
    const mapping = memory.map({ segment: ram, gpa: gpa(0x1000), prot: 'rwx' });
    expect(refusal(() => memory.destroySegment(ram))).toMatchObject({ code: 'EBUSY', facts: { inTheWay: mapping } });
    expect(memory.segment('ram')).toBe(ram);
  });

  test('a second time, or that of another guest memory, is EINVAL', () => {
    const memory = memoryOf();
    const ram = memory.createSegment(RAM);
    const foreign = memoryOf().createSegment(RAM);
    expect(codeOf(() => memory.destroySegment(foreign))).toBe('EINVAL');
    memory.destroySegment(ram);
    expect(codeOf(() => memory.destroySegment(ram))).toBe('EINVAL');
  });

  test('the bytes of a destroyed segment cannot be reached: they may be those of another', () => {
    const memory = memoryOf();
    const ram = memory.createSegment(RAM);
    memory.destroySegment(ram);
    for (const call of [() => ram.bytes, () => ram.read(0, new Uint8Array(1)), () => ram.write(0, new Uint8Array(1))]) {
      expect(codeOf(call)).toBe('ENOENT');
    }
  });
});

describe.each([
  ['heap', () => new HeapStore()],
  ['arena', () => new ArenaStore({ capacity: 4 * MiB })],
])('bytes of a segment in the %s store', (_name, makeStore) => {
  function segment(): Segment {
    return new GuestMemory({ store: makeStore(), addressBits: 32 }).createSegment(RAM);
  }

  test('are zero at first, as many as were asked for', () => {
    const { bytes } = segment();
    expect([bytes.length, bytes.every((byte) => byte === 0)]).toEqual([64 * KiB, true]);
  });

  // 32 bytes and fewer are copied one by one.
  test.each([0, 1, 31, 32, 33, 5000])('write and read copy %d bytes', (length) => {
    const ram = segment();
    const source = Uint8Array.from({ length }, (_, index) => index * 7 + 1);
    const target = new Uint8Array(length);
    ram.write(4090, source);
    ram.read(4090, target);
    expect(target).toEqual(source);
    expect(ram.bytes.subarray(4090, 4090 + length)).toEqual(source);
    expect([ram.bytes[4089], ram.bytes[4090 + length]]).toEqual([0, 0]);
  });

  test.each([
    ['from before the start', -1, 1],
    ['past the end', 64 * KiB, 1],
    ['over the end', 64 * KiB - 1, 2],
    ['of more than all', 0, 64 * KiB + 1],
    ['at a fraction', 0.5, 1],
    ['at no number', Number.NaN, 1],
  ])('an access %s is EINVAL', (_case, offset, length) => {
    const ram = segment();
    expect(codeOf(() => ram.read(offset, new Uint8Array(length)))).toBe('EINVAL');
    expect(codeOf(() => ram.write(offset, new Uint8Array(length).fill(1)))).toBe('EINVAL');
    expect(ram.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test('an empty access at the very end is allowed', () => {
    const ram = segment();
    ram.write(64 * KiB, new Uint8Array(0));
    ram.read(64 * KiB, new Uint8Array(0));
    expect(ram.bytes.length).toBe(PAGE_SIZE * 16);
  });
});

test('a segment shown as JSON is its facts, not its bytes', () => {
  expect(JSON.parse(JSON.stringify(memoryOf().createSegment(RAM)))).toEqual({ id: 0, ...RAM });
});
