import { expect, test } from 'vitest';
import { hex, hexRange } from './hex.ts';

test.each([
  [0, '0x0'],
  [0xfffc_0000, '0xfffc0000'],
  [2 ** 52 - 1, '0xfffffffffffff'],
])('%d is written %s', (value, text) => {
  expect(hex(value)).toBe(text);
});

test('what is no address is written as it is, so that an error can show it', () => {
  expect([hex(-1), hex(Number.NaN), hex(Infinity)]).toEqual(['-1', 'NaN', 'Infinity']);
});

test('a range shows its open end', () => {
  expect(hexRange(0xa0000, 0xc0000)).toBe('[0xa0000, 0xc0000)');
});
