import { expect, test } from 'vitest';
import { Port92 } from './port-92.ts';

function port() {
  const told: string[] = [];
  const device = new Port92({ setA20: (on) => told.push(`A20 ${on}`), requestReset: () => told.push('reset') });
  return { device, told };
}

test('bit 1 is the A20 gate, told on every write', () => {
  const { device, told } = port();
  for (const value of [2, 2, 0]) {
    device.write(0, 1, value);
    expect(device.read(0, 1)).toBe(value);
  }
  expect(told).toEqual(['A20 true', 'A20 true', 'A20 false']);
});

test('setting bit 0 resets once, until it is cleared and set again', () => {
  const { device, told } = port();
  for (const value of [1, 1, 0, 3]) device.write(0, 1, value);
  expect(told.filter((event) => event === 'reset')).toHaveLength(2);
});

test('after a reset it reads 0, tells nobody, and works again', () => {
  const { device, told } = port();
  device.write(0, 1, 3);
  told.length = 0;
  device.reset();
  expect([device.read(0, 1), told]).toEqual([0, []]);
  device.write(0, 1, 1);
  expect(told).toContain('reset');
});
