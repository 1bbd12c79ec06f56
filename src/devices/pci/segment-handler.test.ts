import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../base/units.ts';
import { allOnes } from '../../bus/io-handler.ts';
import { gpa, GuestMemory, HeapStore } from '../../memory/index.ts';
import { SegmentHandler } from './segment-handler.ts';

const memory = new GuestMemory({ store: new HeapStore() });
const segment = memory.createSegment({ name: 'devmem', kind: 'devmem', length: PAGE_SIZE });
const SIZES = [1, 2, 4] as const;

test('every size reads and writes up to the last byte, and past it reads all ones and writes nothing', () => {
  const handler = new SegmentHandler(segment, true);
  for (const size of SIZES) {
    segment.bytes.fill(0x11);
    const last = PAGE_SIZE - size;
    handler.write(last, size, 0x8765_4321);
    expect(handler.read(last, size)).toBe(0x8765_4321 % 2 ** (8 * size));
    expect(segment.bytes[last - 1]).toBe(0x11);
    handler.write(last + 1, size, 0);
    expect(handler.read(last, size)).toBe(0x8765_4321 % 2 ** (8 * size));
    expect(handler.read(last + 1, size)).toBe(allOnes(size));
  }
});

test('what cannot be written keeps its bytes', () => {
  segment.bytes.fill(0x22);
  const handler = new SegmentHandler(segment, false);
  for (const size of SIZES) handler.write(0, size, 0);
  expect(handler.read(0, 4)).toBe(0x2222_2222);
});

test('a write is told to those who track code', () => {
  const written: number[] = [];
  using _tracker = memory.trackCode({ codeWritten: (address) => written.push(address) });
  const mapping = memory.map({ segment, gpa: gpa(0), prot: 'rwx' });
  memory.markCode(mapping.gpa);
  new SegmentHandler(segment, true).write(100, 2, 0x1234);
  expect(written).toEqual([memory.flat.addressAt(0)]);
});
