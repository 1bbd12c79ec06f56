import { expect, test } from 'vitest';
import { SharedLine } from './shared-line.ts';

test('a shared line is asserted while any input is, and setting an input twice counts once', () => {
  const levels: boolean[] = [];
  const line = new SharedLine({ set: (asserted) => levels.push(asserted) });
  const a = line.input();
  const b = line.input();
  a.set(true);
  a.set(true);
  b.set(true);
  a.set(false);
  expect(levels.at(-1)).toBe(true);
  b.set(false);
  expect(levels.at(-1)).toBe(false);
  b.set(false);
  a.set(true);
  expect(levels.at(-1)).toBe(true);
});
