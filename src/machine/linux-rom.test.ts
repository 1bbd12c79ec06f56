import { expect, test } from 'vitest';
import { linuxRom } from './linux-rom.ts';

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) % 256, 0);

test("the kernel's option ROM has the marks by which a BIOS knows that it boots", () => {
  const rom = linuxRom();
  const view = new DataView(rom.buffer, rom.byteOffset, rom.length);
  expect(view.getUint16(0, true)).toBe(0xaa55);
  expect(rom[2]).toBe(rom.length / 512);
  const card = view.getUint16(0x1a, true);
  expect(new TextDecoder().decode(rom.subarray(card, card + 4))).toBe('$PnP');
  const length = 16 * view.getUint8(card + 5);
  expect([sum(rom), sum(rom.subarray(card, card + length))]).toEqual([0, 0]);
  const [name, entry] = [view.getUint16(card + 0x10, true), view.getUint16(card + 0x1a, true)];
  expect(new TextDecoder().decode(rom.subarray(name, rom.indexOf(0, name)))).toBe('Linux kernel');
  expect(entry).toBeGreaterThan(name);
});
