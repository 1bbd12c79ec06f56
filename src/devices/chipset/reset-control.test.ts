import { expect, test } from 'vitest';
import { ResetControl } from './reset-control.ts';

test('bit 2 resets and never reads back, bit 1 is kept, and nothing else does anything', () => {
  for (let value = 0; value < 0x100; value++) {
    let resets = 0;
    const control = new ResetControl({ requestReset: () => void resets++ });
    control.write(0, 1, value);
    expect([resets, control.read(0, 1)]).toEqual([(value & 4) === 0 ? 0 : 1, value & 2]);
    control.reset();
    expect(control.read(0, 1)).toBe(0);
  }
});
