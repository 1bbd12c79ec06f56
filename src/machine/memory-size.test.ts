import { describe, expect, test } from 'vitest';
import { GiB, MiB } from '../base/units.ts';
import { ConfigError } from './config-error.ts';
import { parseMemorySize } from './memory-size.ts';

describe('parseMemorySize', () => {
  test.each([
    ['256', 256 * MiB],
    ['0x100', 256 * MiB],
    ['010', 8 * MiB],
    ['1048575', 1048575 * MiB],
    ['1048576', MiB],
    ['512K', 524288],
    ['512k', 524288],
    ['4g', 4 * GiB],
    ['1b', 1],
    ['1M', MiB],
    ['2t', 2048 * GiB],
    ['0', 0],
    ['0x10m', 16 * MiB],
  ])("'%s' is %s bytes", (text, bytes) => {
    expect(parseMemorySize(text)).toBe(bytes);
  });

  test.each(['8p', '1e', '99999999999999999999'])("'%s' is out of range", (text) => {
    expect(() => parseMemorySize(text)).toThrow(`memory size '${text}' is out of range`);
  });

  // spec 34: FreeBSD lib/libvmmapi/vmmapi.c, vm_parse_memsize: '' was 0 and '-1' was 2^64 - 1
  test('nothing at all, and less than nothing, are no size', () => {
    for (const text of ['', '-1', '-4096', '-128M']) expect(() => parseMemorySize(text)).toThrow(ConfigError);
  });

  test.each([
    '',
    '-1',
    '-128M',
    '1x',
    '1GB',
    '1Gxyz',
    'M',
    ' 1',
    '1 ',
    '1.5g',
    '+1',
    '08',
    '0x',
    '1e3',
    '99999999e',
    '１',
  ])("'%s' is refused with a sentence", (text) => {
    expect(() => parseMemorySize(text)).toThrow(ConfigError);
    expect(() => parseMemorySize(text)).toThrow(`memory size '${text}'`);
  });
});
