import { describe, expect, test } from 'vitest';
import { parseAddress, parseLength } from './number.ts';

describe('an address', () => {
  test.each([
    ['0', 0],
    ['FFE00000', 0xffe0_0000],
    ['0xffe00000', 0xffe0_0000],
    ['100000', 0x10_0000],
    ['fffffffffffff', 2 ** 52 - 1],
  ])('%s is %i', (text, address) => expect(parseAddress(text)).toBe(address));

  test.each(['', '0x', 'g', '-1', '1.5', '10000000000000', '0x123456789abcdef', ' 1'])('%j is none', (text) => {
    expect(() => parseAddress(text)).toThrow(/is not an address/);
  });
});

describe('a length', () => {
  test.each([
    ['0', 0],
    ['16', 16],
    ['0x10', 16],
    ['4k', 4096],
    ['2M', 2 << 20],
    ['1g', 2 ** 30],
    ['010', 10],
  ])('%s is %i', (text, length) => expect(parseLength(text)).toBe(length));

  test.each(['', 'k', '-1', '1.5', '1t', '9999999g', '0xg', '1 k', '99999999999999999'])('%j is none', (text) => {
    expect(() => parseLength(text)).toThrow(/is not a number of bytes/);
  });
});
