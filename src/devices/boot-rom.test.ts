import { expect, test } from 'vitest';
import { GiB, MiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore } from '../memory/index.ts';
import { BootRom, BootRomError } from './boot-rom.ts';

function makeMemory(): GuestMemory {
  return new GuestMemory({ store: new HeapStore() });
}

for (const length of [0, 1, 4095, 4097, 16 * MiB + 1, 16 * MiB + 4096]) {
  test(`a ROM of ${length} bytes is refused with its size and the rule, and leaves no segment behind`, () => {
    const memory = makeMemory();
    const make = (): BootRom => new BootRom({ memory, image: new Uint8Array(length) });
    expect(make).toThrow(BootRomError);
    expect(make).toThrow(
      `a boot ROM of ${length} bytes is refused: it must be a multiple of 4096 bytes, at least 4096 and at most 16777216`,
    );
    expect([...memory.segments(), ...memory]).toEqual([]);
  });
}

for (const length of [4096, 8192, 256 * 1024, 16 * MiB]) {
  test(`a ROM of ${length} bytes ends at 4 GiB, r-x, with the image in it`, () => {
    const memory = makeMemory();
    const image = new Uint8Array(length).map((_, i) => i * 7);
    const { segment } = new BootRom({ memory, image });
    expect([...memory]).toEqual([
      expect.objectContaining({ segment, gpa: 4 * GiB - length, length, end: 4 * GiB, offset: 0, prot: 'r-x' }),
    ]);
    const last = new Uint8Array(16);
    expect(memory.read(gpa(4 * GiB - 16), last)).toBe(true);
    expect([...last]).toEqual([...image.subarray(length - 16)]);
    expect(memory.write(gpa(4 * GiB - 16), last)).toBe(false);
  });
}

// spec 46: FreeBSD usr.sbin/bhyve/bootrom.c: sizes are checked at both ends and for whole pages
test('a boot ROM has one page at least, 16 MiB at most, and whole pages', () => {
  const isAccepted = (length: number): boolean => {
    try {
      return new BootRom({ memory: makeMemory(), image: new Uint8Array(length) }).segment.length === length;
    } catch (error) {
      if (error instanceof BootRomError) return false;
      throw error;
    }
  };
  expect([0, 4095, 4097, 16 * MiB + 1, 16 * MiB + 4096].filter(isAccepted)).toEqual([]);
  expect([4096, 16 * MiB].filter(isAccepted)).toEqual([4096, 16 * MiB]);
});

test('a reset of guest memory takes it out, its own reset puts it back, and a second one changes nothing', () => {
  const memory = makeMemory();
  const rom = new BootRom({ memory, image: new Uint8Array(4096).fill(0xea) });
  memory.reset();
  expect([...memory]).toEqual([]);
  for (let i = 0; i < 2; i++) {
    rom.reset();
    expect([...memory]).toHaveLength(1);
    expect(memory.at(gpa(4 * GiB - 16))?.segment.bytes[0]).toBe(0xea);
  }
});
