import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SEED } from '../../test/random.ts';
import { SECOND } from '../base/units.ts';
import { Oscillator } from './oscillator.ts';

describe.each([1_193_182, 32_768, 3_579_545, 1])('a crystal of %i Hz', (frequency) => {
  const oscillator = new Oscillator(frequency);

  it('has made exactly its frequency in ticks after each second, for a hundred days', () => {
    for (const seconds of [0, 1, 59, 86_400, 8_640_000]) {
      expect(oscillator.ticksAt(seconds * SECOND)).toBe(seconds * frequency);
      expect(oscillator.timeOf(seconds * frequency)).toBe(seconds * SECOND);
    }
  });

  it(`completes a tick at the time it says, and not a nanosecond before (seed ${SEED})`, () => {
    assert(
      property(integer({ min: 1, max: 8_640_000 * frequency }), (ticks) => {
        const time = oscillator.timeOf(ticks);
        expect(oscillator.ticksAt(time)).toBe(ticks);
        expect(oscillator.ticksAt(time - 1)).toBe(ticks - 1);
      }),
      { seed: SEED },
    );
  });
});
