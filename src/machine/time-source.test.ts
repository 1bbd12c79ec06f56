import { describe, expect, test } from 'vitest';
import { instructionTime, NANOSECONDS_PER_INSTRUCTION } from './time-source.ts';

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

test('a pause changes nothing for time by instructions', () => {
  let count = 1;
  const time = instructionTime(() => count);
  time.pause();
  count = 2;
  time.resume();
  expect(time.now()).toBe(2 * NANOSECONDS_PER_INSTRUCTION);
});
