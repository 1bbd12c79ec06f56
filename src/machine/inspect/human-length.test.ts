import { expect, test } from 'vitest';
import { GiB, KiB, MiB, TiB } from '../../base/units.ts';
import { humanLength } from './human-length.ts';

test.each([
  [4096, '4096B'],
  [64 * KiB, '65536B'],
  [99_999, '99999B'],
  [100_000, '98KB'],
  [128 * KiB, '128KB'],
  [2 * MiB, '2048KB'],
  [16 * MiB, '16384KB'],
  [32 * MiB, '32768KB'],
  [256 * MiB, '256MB'],
  [GiB, '1024MB'],
  [3 * GiB, '3072MB'],
  [5 * GiB, '5120MB'],
  [TiB, '1024GB'],
  [99_999 * MiB + 512 * KiB, '100000M'],
  [99_999 * MiB + 972 * KiB, '100000M'],
])('%d bytes are printed as %s', (bytes, text) => {
  expect(humanLength(bytes)).toBe(text);
});
