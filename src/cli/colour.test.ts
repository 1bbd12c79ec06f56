import { describe, expect, test } from 'vitest';
import { hasColour, paintTable } from './colour.ts';

describe('colour', () => {
  test.each([
    ['a terminal', { isTTY: true }, { TERM: 'xterm' }, true],
    ['a pipe', {}, { TERM: 'xterm' }, false],
    ['NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
    ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }, false],
  ])('for %s', (_what, stream, environment, wanted) => {
    expect(hasColour(stream, environment)).toBe(wanted);
  });

  test('of a table sets off its titles, and device memory from RAM', () => {
    const lines = ['Name Kind', 'ram  sysmem', 'rom  devmem  0'];
    expect(paintTable(lines, true)).toBe('\u001b[1mName Kind\u001b[0m\nram  sysmem\n\u001b[36mrom  devmem  0\u001b[0m');
    expect(paintTable(lines, false)).toBe(lines.join('\n'));
  });
});
