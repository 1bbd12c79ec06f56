import { expect, test } from 'vitest';
import { ansiScreen } from './ansi-screen.ts';

test.each<[string, string, string]>([
  ['text goes on where the line before it ended', 'one\ntwo\r\nthree', 'one\n   two\nthree'],
  ['a place is counted from one', '\x1b[2;3Hx\x1b[HA\x1b[;2HB', 'AB\n  x'],
  ['steps stop at the edge', '\x1b[9A\x1b[9Dx\x1b[2C\x1b[By', 'x\n   y'],
  ['a backspace goes back and erases nothing', 'ab\b\bc', 'cb'],
  ['erasing leaves what is before it', 'abc\r\ndef\x1b[1;2H\x1b[J', 'a'],
  ['erasing a line leaves the others', 'abc\r\ndef\x1b[1;2H\x1b[K', 'a\ndef'],
  ['erasing everything does not move', 'abc\x1b[2Jd', '   d'],
  ['colours and character sets are nothing to see', '\x1b[1;31ma\x1b(B\x0eb\x1b[?25l', 'ab'],
])('%s', (_claim, sent, shown) => {
  expect(ansiScreen(sent).trimEnd()).toBe(shown);
});
