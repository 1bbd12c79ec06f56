import { expect, test } from 'vitest';
import { edid } from './edid.ts';

/** Decodes the detailed timing at 36h, as a guest does. */
function preferred(block: Uint8Array) {
  const at = (offset: number): number => block[0x36 + offset] ?? 0;
  return {
    clock: (at(0) | (at(1) << 8)) * 10_000,
    width: at(2) | ((at(4) >>> 4) << 8),
    horizontal: at(3) | ((at(4) & 15) << 8),
    height: at(5) | ((at(7) >>> 4) << 8),
    vertical: at(6) | ((at(7) & 15) << 8),
  };
}

for (const [width, height] of [
  [640, 480],
  [1024, 768],
  [1920, 1080],
  [2560, 1600],
  [4095, 1024],
] as const) {
  test(`the block for ${width} by ${height} is valid and prefers that mode at about 60 Hz`, () => {
    const block = edid({ width, height });
    expect(block).toHaveLength(128);
    expect([...block.subarray(0, 8)]).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
    expect(block.reduce((sum, byte) => sum + byte, 0) % 256).toBe(0);
    expect([block[0x12], block[0x13], block[0x7e]]).toEqual([1, 4, 0]);
    const mode = preferred(block);
    expect([mode.width, mode.height]).toEqual([width, height]);
    const refresh = mode.clock / ((width + mode.horizontal) * (height + mode.vertical));
    expect(refresh).toBeGreaterThan(59.9);
    expect(refresh).toBeLessThan(60.1);
    expect(mode.vertical / (refresh * (height + mode.vertical))).toBeGreaterThanOrEqual(459e-6);
  });
}

test('the monitor has a name', () => {
  const block = edid({ width: 800, height: 600 });
  const descriptor = block.subarray(0x36 + 18, 0x36 + 36);
  expect([...descriptor.subarray(0, 5)]).toEqual([0, 0, 0, 0xfc, 0]);
  expect(new TextDecoder().decode(descriptor.subarray(5))).toBe('skep\n'.padEnd(13));
});
