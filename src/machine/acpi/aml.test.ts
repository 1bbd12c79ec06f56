import { expect, test } from 'vitest';
import { device, eisaId, integer, name, pack, path, scope } from './aml.ts';

test.each([
  [0, [0x00]],
  [1, [0x01]],
  [2, [0x0a, 0x02]],
  [0xff, [0x0a, 0xff]],
  [0x100, [0x0b, 0x00, 0x01]],
  [0x1_0000, [0x0c, 0x00, 0x00, 0x01, 0x00]],
  [2 ** 40, [0x0e, 0, 0, 0, 0, 0, 1, 0, 0]],
])('the integer %i takes the fewest bytes', (value, bytes) => {
  expect(integer(value)).toEqual(bytes);
});

test('paths have one, two or more segments, of four letters each', () => {
  const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);
  expect(text(path('PCI0'))).toBe('PCI0');
  expect(text(path('\\_SB'))).toBe('\\_SB_');
  expect(text(path('\\_SB.PCI0'))).toBe('\\._SB_PCI0');
  expect(text(path('\\_SB.PCI0.ISA'))).toBe('\\/\x03_SB_PCI0ISA_');
});

test('an identifier is compressed to 32 bits', () => {
  // Example of ACPI 6.4, 19.3.4: "PNP0A03" is 030AD041h.
  expect(eisaId('PNP0A03')).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
});

test.each([
  [0, 1],
  [58, 1],
  [59, 2],
  [4000, 2],
  [4200, 3],
])('a body of %i bytes besides its name has a length of %i bytes, which counts itself', (size, lengthBytes) => {
  const body = Array.from({ length: size }, () => 0xa3);
  const bytes = scope('ABCD', body);
  expect(bytes).toHaveLength(1 + lengthBytes + 4 + size);
  const lead = bytes[1] ?? 0;
  const extra = lead >> 6;
  expect(extra).toBe(lengthBytes - 1);
  const length =
    extra === 0
      ? lead
      : [...bytes.slice(2, 2 + extra)].reduceRight((value, byte) => value * 256 + byte, 0) * 16 + (lead & 15);
  expect(length).toBe(bytes.length - 1);
});

test('terms nest', () => {
  expect(device('A', name('B', pack(integer(1), integer(2))))).toEqual([
    0x5b,
    0x82,
    16,
    ...path('A'),
    0x08,
    ...path('B'),
    0x12,
    5,
    2,
    0x01,
    0x0a,
    0x02,
  ]);
});
