import { describe, expect, test } from 'vitest';
import { hostTime, instructionTime, NANOSECONDS_PER_INSTRUCTION } from './time-source.ts';

describe('time by instructions', () => {
  test('advances with the count, and with nothing else', () => {
    let count = 0;
    const time = instructionTime(() => count);
    expect(time.now()).toBe(0);
    count = 1000;
    expect(time.now()).toBe(1000 * NANOSECONDS_PER_INSTRUCTION);
    expect(time.now()).toBe(1000 * NANOSECONDS_PER_INSTRUCTION);
  });

  test('passes idle time at once, and waits for nothing', () => {
    const time = instructionTime(() => 10);
    expect(time.idle(1_000_000)).toBe(0);
    expect(time.now()).toBe(1_000_000);
  });

  test('does not run backwards when the deadline is past', () => {
    const time = instructionTime(() => 1000);
    time.idle(1);
    expect(time.now()).toBe(1000 * NANOSECONDS_PER_INSTRUCTION);
  });

  test('stands still, and waits for input, when nothing will ever happen', () => {
    const time = instructionTime(() => 0);
    expect(time.idle(Infinity)).toBe(Infinity);
    expect(time.now()).toBe(0);
  });

  test('runs to the first instruction at or after a deadline', () => {
    const time = instructionTime(() => 0);
    expect(time.instructionsUntil(NANOSECONDS_PER_INSTRUCTION * 7)).toBe(7);
    expect(time.instructionsUntil(NANOSECONDS_PER_INSTRUCTION * 7 + 1)).toBe(8);
    expect(time.instructionsUntil(-5)).toBe(1);
  });
});

describe('time by the host', () => {
  test('begins at zero', () => {
    let host = 5_000_000;
    const time = hostTime(() => host);
    expect(time.now()).toBe(0);
    host += 250;
    expect(time.now()).toBe(250);
  });

  test('learns how fast the engine is, and keeps slices to about a millisecond', () => {
    let host = 0;
    const time = hostTime(() => host);
    for (let i = 0; i < 100; i++) {
      const since = time.now();
      const count = time.instructionsUntil(Infinity);
      host += count / 0.3;
      time.ran(count, since);
    }
    expect(time.instructionsUntil(Infinity)).toBeGreaterThan(250_000);
    expect(time.instructionsUntil(Infinity)).toBeLessThan(350_000);
  });

  test('ends slices near a deadline, but never runs nothing', () => {
    const time = hostTime(() => 0);
    expect(time.instructionsUntil(100_000)).toBeLessThan(time.instructionsUntil(1_000_000));
    expect(time.instructionsUntil(-1)).toBeGreaterThanOrEqual(1);
  });

  test('says how long an idle guest may be left alone', () => {
    const time = hostTime(() => 0);
    expect(time.idle(5_000)).toBe(5_000);
    expect(time.idle(-5)).toBe(0);
    expect(time.idle(Infinity)).toBe(Infinity);
  });
});

describe('a pause', () => {
  test('is no time by the host, however often it is asked for', () => {
    let now = 1000;
    const time = hostTime(() => now);
    now = 1100;
    time.pause();
    now = 5000;
    time.pause();
    expect(time.now()).toBe(100);
    now = 9000;
    time.resume();
    expect(time.now()).toBe(100);
    now = 9010;
    time.resume();
    expect(time.now()).toBe(110);
  });

  test('changes nothing for time by instructions', () => {
    let count = 1;
    const time = instructionTime(() => count);
    time.pause();
    count = 2;
    time.resume();
    expect(time.now()).toBe(2 * NANOSECONDS_PER_INSTRUCTION);
  });
});
