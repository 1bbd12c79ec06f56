import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusal.ts';
import { KiB, MiB } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, HeapStore } from './index.ts';
import type { Change, Segment, Store } from './index.ts';

let store: Store;
let memory: GuestMemory;
let ram: Segment;
let rom: Segment;

describe.each<[string, () => Store]>([
  ['heap', () => new HeapStore()],
  ['arena', () => new ArenaStore({ capacity: 4 * MiB })],
])('in the %s store', (_name, make) => {
  beforeEach(() => {
    store = make();
    memory = new GuestMemory({ store, addressBits: 32 });
    ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
    rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 64 * KiB });
  });

  describe('reset', () => {
    test('keeps sysmem mapped and takes devmem out, as one edit', () => {
      const kept = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      const gone = memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
      const alsoGone = memory.map({ segment: rom, gpa: gpa(0xe_0000), prot: 'r-x' });
      const told: Change[] = [];
      memory.observe({ changed: (change) => told.push(change) }, { replay: false });
      memory.reset();
      expect([[...memory], told]).toEqual([[kept], [{ removed: [alsoGone, gone], added: [] }]]);
    });

    test('keeps every segment, its id and its bytes', () => {
      rom.write(5, Uint8Array.of(1));
      ram.write(7, Uint8Array.of(2));
      memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
      memory.reset();
      expect([[...memory.segments()], rom.bytes[5], ram.bytes[7]]).toEqual([[ram, rom], 1, 2]);
    });

    test('devmem can be mapped anew, its segment cannot be created anew', () => {
      memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
      memory.reset();
      expect(codeOf(() => memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 64 * KiB }))).toBe('EEXIST');
      expect(memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' }).prot).toBe('r-x');
    });

    test('of an empty map does nothing, twice as well', () => {
      memory.reset();
      memory.reset();
      expect([...memory]).toEqual([]);
    });

    test('that an observer refuses changes nothing', () => {
      const mapping = memory.map({ segment: rom, gpa: gpa(0), prot: 'r-x' });
      memory.observe({ changed: () => expect.unreachable('refused') }, { replay: false });
      expect(() => memory.reset()).toThrow('refused');
      expect([...memory]).toEqual([mapping]);
    });
  });

  describe('the end', () => {
    test('gives every byte back to the store', () => {
      memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
      memory.unmap({ gpa: gpa(0), length: 64 * KiB });
      memory[Symbol.dispose]();
      expect(store.used).toBe(0);
    });

    test('is told to observers: all that was mapped is removed', () => {
      const mapping = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      const told: Change[] = [];
      memory.observe({ changed: (change) => told.push(change) }, { replay: false });
      memory[Symbol.dispose]();
      expect(told).toEqual([{ removed: [mapping], added: [] }]);
    });

    test('of an empty map is not told', () => {
      let told = 0;
      memory.observe({ changed: () => told++ });
      memory[Symbol.dispose]();
      expect(told).toBe(0);
    });

    test('comes even if an observer fails; the others are told, and the failure comes out', () => {
      memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      memory.observe({ changed: () => expect.unreachable('failed') }, { replay: false });
      let told = 0;
      memory.observe({ changed: () => told++ }, { replay: false });
      expect(() => memory[Symbol.dispose]()).toThrow(AggregateError);
      expect([told, store.used]).toEqual([1, 0]);
    });

    test('comes once: a second time is harmless', () => {
      memory[Symbol.dispose]();
      memory[Symbol.dispose]();
      expect(store.used).toBe(0);
    });

    test('comes at the end of a block with `using`', () => {
      const own = make();
      {
        using inner = new GuestMemory({ store: own, addressBits: 32 });
        inner.createSegment({ name: 'ram', kind: 'sysmem', length: 4096 });
      }
      expect(own.used).toBe(0);
    });

    test.each<[string, () => unknown]>([
      ['createSegment', () => memory.createSegment({ name: 'x', kind: 'sysmem', length: 4096 })],
      ['destroySegment', () => memory.destroySegment(ram)],
      ['segment', () => memory.segment('ram')],
      ['segmentById', () => memory.segmentById(0)],
      ['segments', () => memory.segments()],
      ['map', () => memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' })],
      ['unmap', () => memory.unmap({ gpa: gpa(0), length: 4096 })],
      ['edit', () => memory.edit(() => {})],
      ['window', () => memory.window(ram, { prot: 'rw-' })],
      ['observe', () => memory.observe({ changed() {} })],
      ['at', () => memory.at(gpa(0))],
      ['sysmemEnd', () => memory.sysmemEnd],
      ['covering', () => [...memory.covering(gpa(0), 1)]],
      ['gaps', () => [...memory.gaps()]],
      ['mappingsOf', () => [...memory.mappingsOf(ram)]],
      ['iteration', () => [...memory]],
      ['read', () => memory.read(gpa(0), new Uint8Array(1))],
      ['write', () => memory.write(gpa(0), new Uint8Array(1))],
      ['beforeWrite', () => memory.beforeWrite(gpa(0))],
      ['markCode', () => memory.markCode(gpa(0))],
      ['trackCode', () => memory.trackCode({ codeWritten() {} })],
      ['dirtyLog', () => memory.dirtyLog(ram)],
      ['assign', () => memory.assign('a')],
      ['dmaRange', () => memory.dmaRange(0, 1, 'read')],
      ['reset', () => memory.reset()],
      ['the bytes of a segment', () => ram.bytes],
      ['reading a segment', () => ram.read(0, new Uint8Array(1))],
      ['writing a segment', () => ram.write(0, new Uint8Array(1))],
    ])('afterwards %s is ENOENT', (_call, call) => {
      memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      memory[Symbol.dispose]();
      expect(codeOf(call)).toBe('ENOENT');
    });

    test('afterwards a window is hidden, and cannot be moved', () => {
      const window = memory.window(rom, { prot: 'r-x' });
      window.moveTo(gpa(0));
      memory[Symbol.dispose]();
      expect([codeOf(() => window.moveTo(gpa(0x1_0000))), window.gpa]).toEqual(['ENOENT', undefined]);
    });

    test('two guest memories can share a store, and each ends alone', () => {
      const used = store.used;
      const second = new GuestMemory({ store, addressBits: 32 });
      const other = second.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
      other.write(0, Uint8Array.of(1));
      ram.write(0, Uint8Array.of(2));
      second[Symbol.dispose]();
      expect([store.used, ram.bytes[0]]).toEqual([used, 2]);
    });
  });
});

test('guest memory whose directory the store cannot hold is ENOMEM, and takes nothing', () => {
  const small = new HeapStore({ capacity: MiB });
  expect(codeOf(() => new GuestMemory({ store: small, addressBits: 40 }))).toBe('ENOMEM');
  expect(small.used).toBe(0);
});
