import { expect, test } from 'vitest';
import { Apm } from './apm.ts';

test('control and status remember, and each write to control is told', () => {
  const commands: number[] = [];
  const apm = new Apm({ command: (value) => commands.push(value) });
  apm.write(0, 1, 0xf1);
  apm.write(1, 1, 0x55);
  expect([apm.read(0, 1), apm.read(1, 1), apm.read(0, 2)]).toEqual([0xf1, 0x55, 0x55f1]);
  apm.write(0, 2, 0xaaf0);
  expect([apm.read(0, 2), commands]).toEqual([0xaaf0, [0xf1, 0xf0]]);
  apm.reset();
  expect(apm.read(0, 2)).toBe(0);
});
