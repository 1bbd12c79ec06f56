import { expect, test } from 'vitest';
import { HexDump } from './hex-dump.ts';

const BYTES = Uint8Array.from({ length: 35 }, (_, i) => i * 7);

test.each([1, 5, 16, 17, 100])('a dump is the same whatever pieces the bytes come in (%i)', (length) => {
  const dump = new HexDump(0xfff0, 0xfff0 + BYTES.length);
  let text = '';
  for (let at = 0; at < BYTES.length; at += length) text += dump.take(BYTES.subarray(at, at + length));
  expect((text + dump.end()).split('\n')).toEqual([
    '0000fff0  00 07 0e 15 1c 23 2a 31  38 3f 46 4d 54 5b 62 69  |.....#*18?FMT[bi|',
    '00010000  70 77 7e 85 8c 93 9a a1  a8 af b6 bd c4 cb d2 d9  |pw~.............|',
    '00010010  e0 e7 ee                                          |...|',
    '',
  ]);
});

test('a dump of nothing is nothing', () => {
  const dump = new HexDump(0, 0);
  expect(dump.take(new Uint8Array(0)) + dump.end()).toBe('');
});
