import { expect, test } from 'vitest';
import { ManualClock } from '../../base/clock.ts';
import { SECOND } from '../../base/units.ts';
import { PM_TIMER_HZ, PmTimer } from './pm-timer.ts';

test('counts 3,579,545 ticks in every second, for a hundred days', () => {
  const clock = new ManualClock();
  const timer = new PmTimer(clock);
  let seconds = 0;
  for (const more of [1, 1, 59, 3600, 86_400, 86_400 * 99]) {
    clock.advance(more * SECOND);
    seconds += more;
    expect(timer.ticks()).toBe(seconds * PM_TIMER_HZ);
    expect(timer.value).toBe(Number((BigInt(seconds) * 3_579_545n) & 0xff_ffffn));
  }
});

test('timeOf is the first nanosecond at which a tick has come', () => {
  for (const tick of [1, 2, 3, 1000, PM_TIMER_HZ - 1, PM_TIMER_HZ, PM_TIMER_HZ + 1, 2 ** 23, 2 ** 24 * 1000]) {
    const clock = new ManualClock();
    const timer = new PmTimer(clock);
    clock.advance(timer.timeOf(tick) - 1);
    expect(timer.ticks()).toBe(tick - 1);
    clock.advance(1);
    expect(timer.ticks()).toBe(tick);
  }
});

test('never goes back, and wraps at 24 bits', () => {
  const clock = new ManualClock();
  const timer = new PmTimer(clock);
  let previous = timer.ticks();
  for (let step = 0; step < 10_000; step++) {
    clock.advance(997_331);
    expect(timer.ticks()).toBeGreaterThanOrEqual(previous);
    expect(timer.value).toBe(timer.ticks() % 2 ** 24);
    previous = timer.ticks();
  }
  expect(previous).toBeGreaterThan(2 ** 25);
});
