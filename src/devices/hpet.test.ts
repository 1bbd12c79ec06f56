import { describe, expect, it } from 'vitest';

import { ManualClock } from '../base/clock.ts';
import { Hpet } from './hpet.ts';

const INTERRUPT = 0x4;
const PERIODIC = 0x8;
const SET_VALUE = 0x40;
const NARROW = 0x100;
const LEVEL = 0x2;

function board() {
  const clock = new ManualClock();
  /** Every rise of a line. */
  const rises: string[] = [];
  const levels = new Map<string, boolean>();
  const wire = (name: string) => ({
    set(asserted: boolean) {
      if (asserted && levels.get(name) !== true) rises.push(`${name} ${clock.now()}`);
      levels.set(name, asserted);
    },
  });
  const replaced: boolean[] = [];
  const hpet = new Hpet({
    clock,
    line: (pin) => wire(`pin ${pin}`),
    legacy: { timer: wire('timer'), rtc: wire('rtc'), replace: (on) => replaced.push(on) },
  });
  const read = (offset: number): number => hpet.registers.read(offset, 4);
  const write = (offset: number, value: number): void => hpet.registers.write(offset, 4, value);
  const timer = (index: number, configuration: number, comparator: number): void => {
    write(0x100 + 0x20 * index, configuration);
    write(0x108 + 0x20 * index, comparator);
    write(0x10c + 0x20 * index, 0);
  };
  return { clock, hpet, rises, levels, replaced, read, write, timer };
}

describe('the counter', () => {
  it('says that a tick is 10 ns, and counts only while it is enabled', () => {
    const { clock, read, write } = board();
    expect([read(0), read(4)]).toEqual([0x8086_a201, 10_000_000]);
    clock.advance(1000);
    expect(read(0xf0)).toBe(0);
    write(0x10, 1);
    clock.advance(1005);
    expect(read(0xf0)).toBe(100);
    write(0x10, 0);
    clock.advance(1000);
    expect(read(0xf0)).toBe(100);
  });

  it('carries into its upper half, and wraps at 64 bits', () => {
    const { clock, read, write } = board();
    write(0xf0, 0xffff_fffe);
    write(0xf4, 0xffff_fffe);
    write(0x10, 1);
    clock.advance(30);
    expect([read(0xf0), read(0xf4)]).toEqual([1, 0xffff_ffff]);
    clock.advance(2 ** 32 * 10);
    expect([read(0xf0), read(0xf4)]).toEqual([1, 0]);
  });
});

describe('a timer', () => {
  it('fires once when the counter reaches its comparator', () => {
    const { clock, rises, write, timer } = board();
    timer(1, INTERRUPT | (20 << 9), 50);
    write(0x10, 1);
    clock.advance(499);
    expect(rises).toEqual([]);
    clock.advance(1e9);
    expect(rises).toEqual(['pin 20 500']);
  });

  it('fires to the nanosecond also when the clock stands between two ticks', () => {
    const { clock, rises, write, timer } = board();
    clock.advance(3);
    write(0x10, 1);
    clock.advance(4);
    timer(1, INTERRUPT | (20 << 9), 50);
    clock.advance(1000);
    expect(rises).toEqual(['pin 20 503']);
  });

  it('is periodic by a comparator and a period, the way kernels program it', () => {
    const { clock, rises, write } = board();
    write(0x10, 1);
    write(0x100, INTERRUPT | PERIODIC | SET_VALUE | NARROW | (16 << 9));
    write(0x108, 1000);
    write(0x108, 2000);
    clock.advance(100_000);
    expect(rises).toEqual(['pin 16 10000', 'pin 16 30000', 'pin 16 50000', 'pin 16 70000', 'pin 16 90000']);
  });

  it('can be periodic only if it is the first', () => {
    const { read, write } = board();
    for (const index of [0, 1, 2]) write(0x100 + 0x20 * index, PERIODIC);
    expect([0, 1, 2].map((index) => read(0x100 + 0x20 * index) & PERIODIC)).toEqual([PERIODIC, 0, 0]);
  });

  it('without its enable bit fires silently', () => {
    const { clock, rises, write, timer } = board();
    timer(1, 20 << 9, 50);
    write(0x10, 1);
    clock.advance(1000);
    expect(rises).toEqual([]);
  });

  it('without its enable bit asks nobody to wait for it, and is worked out when somebody looks', () => {
    const { clock, rises, read, write, timer } = board();
    timer(0, PERIODIC | SET_VALUE | LEVEL | NARROW, 10_000);
    write(0x108, 3000);
    write(0x10, 1);
    expect(clock.nextDeadline).toBe(Infinity);
    clock.advance(165_000);
    expect([read(0x20), read(0x108)]).toEqual([1, 19_000]);
    write(0x20, 1);
    clock.advance(24_990);
    expect(read(0x20)).toBe(0);
    clock.advance(10);
    expect(read(0x20)).toBe(1);
    write(0x100, PERIODIC | LEVEL | NARROW | INTERRUPT | (20 << 9));
    clock.advance(30_000);
    expect(rises).toEqual(['pin 20 220000']);
  });

  it('as a level stays asserted until its status bit is cleared', () => {
    const { clock, levels, read, write, timer } = board();
    timer(2, INTERRUPT | LEVEL | (18 << 9), 50);
    write(0x10, 1);
    clock.advance(1000);
    expect([read(0x20), levels.get('pin 18')]).toEqual([4, true]);
    write(0x20, 3);
    expect(levels.get('pin 18')).toBe(true);
    write(0x20, 4);
    expect([read(0x20), levels.get('pin 18')]).toEqual([0, false]);
  });

  it('takes the place of the interval timer and the clock in legacy replacement', () => {
    const { clock, rises, replaced, write, timer } = board();
    timer(0, INTERRUPT, 10);
    timer(1, INTERRUPT, 20);
    timer(2, INTERRUPT | (17 << 9), 30);
    write(0x10, 3);
    clock.advance(1000);
    expect(rises).toEqual(['timer 100', 'rtc 200', 'pin 17 300']);
    expect(replaced).toEqual([true]);
  });

  it('does not fire for a comparator that has just been passed, before the counter comes round', () => {
    const { clock, rises, write, timer } = board();
    write(0x10, 1);
    clock.advance(1000);
    timer(1, INTERRUPT | NARROW | (20 << 9), 100);
    clock.advance(1e9);
    expect(rises).toEqual([]);
    clock.advance(42e9);
    expect(rises).toHaveLength(1);
  });

  it("with a comparator beyond the counter's next wrap of 32 bits waits for the upper half", () => {
    const { clock, rises, write, timer } = board();
    timer(1, INTERRUPT | (20 << 9), 5);
    write(0x12c, 1);
    write(0x10, 1);
    clock.advance(2 ** 32 * 10);
    expect(rises).toEqual([]);
    clock.advance(50);
    expect(rises).toHaveLength(1);
  });

  it('with a period of one tick does not stop time', () => {
    const { clock, rises, write } = board();
    write(0x10, 1);
    write(0x100, INTERRUPT | PERIODIC | SET_VALUE | NARROW | (16 << 9));
    write(0x108, 1);
    clock.advance(1_000_000);
    expect(rises.length).toBeGreaterThan(50);
    expect(rises.length).toBeLessThan(110);
  });
});

it('a reset stops everything and puts every register back', () => {
  const { clock, hpet, rises, replaced, read, write, timer } = board();
  timer(0, INTERRUPT, 100);
  write(0x10, 3);
  clock.advance(10);
  hpet.reset();
  clock.advance(1e9);
  expect(rises).toEqual([]);
  expect(replaced).toEqual([true, false]);
  expect([read(0xf0), read(0x10), read(0x108)]).toEqual([0, 0, 0xffff_ffff]);
});
