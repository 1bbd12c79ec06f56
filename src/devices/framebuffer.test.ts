import { describe, expect, test } from 'vitest';
import { GiB, KiB, MiB } from '../base/units.ts';
import { allOnes, type AccessSize } from '../bus/io-handler.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PortBus } from '../bus/port-bus.ts';
import { gpa, GuestMemory, HeapStore } from '../memory/index.ts';
import { edid } from './edid.ts';
import { Framebuffer, FramebufferError, type FramebufferOptions } from './framebuffer.ts';
import { Placement } from './pci/placement.ts';

const VRAM = 0xfd00_0000;
const REGISTERS = 0xfebf_0000;
const ROM = 0xfe00_0000;
const VBE = REGISTERS + 0x500;
/** Offsets of the VBE words that the tests write. */
const W = { width: 2, height: 4, depth: 6, enable: 8, virtualWidth: 12, xOffset: 16, yOffset: 18, memory: 20 } as const;

function board(options: Partial<FramebufferOptions> = {}) {
  const memory = new GuestMemory({ store: new HeapStore() });
  const mmio = new MmioBus();
  const spaces = {
    memory: new Placement({ bus: mmio, memory, windows: [{ start: 128 * MiB, end: 4 * GiB }] }),
    ports: new Placement({ bus: new PortBus(), windows: [] }),
  };
  const display = new Framebuffer({ memory, spaces, ...options });
  const { config } = display.pci;
  config.write(0x10, 4, VRAM);
  config.write(0x18, 4, REGISTERS);
  config.write(0x04, 2, 3);
  const vbe = (offset: number, value: number): void => mmio.write(VBE + offset, 2, value);
  const mode = (width: number, height: number, depth: number): void => {
    for (const [offset, value] of [
      [W.enable, 0],
      [W.width, width],
      [W.height, height],
      [W.depth, depth],
      [W.virtualWidth, width],
      [W.enable, 0x41],
    ] as const) {
      vbe(offset, value);
    }
  };
  return { memory, mmio, display, config, vbe, mode };
}

describe('the PCI function', () => {
  test('is the Bochs display, with 16 MiB of prefetchable memory and a page of registers', () => {
    const { config } = board();
    expect(config.read(0x00, 4)).toBe(0x1111_1234);
    expect(config.read(0x08, 4)).toBe(0x0380_0002);
    expect(config.read(0x2c, 4)).toBe(0x1100_1af4);
    for (const [register, size] of [
      [0x10, 0xff00_0008],
      [0x14, 0],
      [0x18, 0xffff_f000],
      [0x30, 0],
    ] as const) {
      config.write(register, 4, 0xffff_ffff);
      expect(config.read(register, 4)).toBe(size);
    }
  });

  test('video memory is mapped rw- where BAR 0 says, and moving it keeps its bytes', () => {
    const { memory, config } = board();
    memory.write(gpa(VRAM + 5), Uint8Array.of(0x5a));
    expect(memory.at(gpa(VRAM))).toMatchObject({ gpa: VRAM, length: 16 * MiB, prot: 'rw-' });
    config.write(0x10, 4, 0xe000_0000);
    const byte = new Uint8Array(1);
    expect([memory.read(gpa(0xe000_0005), byte), byte[0]]).toEqual([true, 0x5a]);
    expect(memory.at(gpa(VRAM))).toBeUndefined();
  });

  test('the option ROM is padded to a power of two and shown r-x by its own BAR', () => {
    const image = Uint8Array.from({ length: 28_000 }, (_, i) => i);
    const { memory, config } = board({ optionRom: image });
    config.write(0x30, 4, 0xffff_ffff);
    expect(config.read(0x30, 4)).toBe(0xffff_8001);
    config.write(0x30, 4, ROM | 1);
    expect(memory.at(gpa(ROM))).toMatchObject({ gpa: ROM, length: 32 * KiB, prot: 'r-x' });
    const bytes = new Uint8Array(image.length);
    expect([memory.read(gpa(ROM), bytes), bytes]).toEqual([true, image]);
  });

  test('an option ROM of 2 KiB or less is trapped', () => {
    const { memory, mmio, config } = board({ optionRom: Uint8Array.of(0x55, 0xaa, 1) });
    config.write(0x30, 4, (ROM + 2048) | 1);
    expect(memory.at(gpa(ROM))).toBeUndefined();
    expect(mmio.read(ROM + 2048, 4)).toBe(0x0001_aa55);
    mmio.write(ROM + 2048, 4, 0);
    expect(mmio.read(ROM + 2048, 4)).toBe(0x0001_aa55);
  });

  test('a reset hides everything, clears the mode and keeps video memory', () => {
    const { memory, mmio, display, config, mode } = board();
    memory.write(gpa(VRAM), Uint8Array.of(1));
    mode(640, 480, 32);
    mmio.write(REGISTERS + 0x604, 4, 0xbebe_bebe);
    memory.reset();
    display.reset();
    expect([...memory, ...mmio.claims()]).toEqual([]);
    expect([display.snapshot(), display.segment.bytes[0]]).toEqual([undefined, 1]);
    config.write(0x18, 4, REGISTERS);
    config.write(0x04, 2, 2);
    expect([mmio.read(VBE + W.width, 2), mmio.read(REGISTERS + 0x604, 4)]).toEqual([0, 0x1e1e_1e1e]);
  });
});

describe('the registers', () => {
  test('read after power-on as QEMU 7.2 has them', () => {
    const { mmio } = board();
    expect(Array.from({ length: 12 }, (_, i) => mmio.read(VBE + 2 * i, 2))).toEqual([
      0xb0c5,
      ...Array.from({ length: 9 }, () => 0),
      0x0100,
      0xffff,
    ]);
    expect([mmio.read(REGISTERS + 0x600, 4), mmio.read(REGISTERS + 0x604, 4)]).toEqual([8, 0x1e1e_1e1e]);
  });

  test('the places where nothing answers read all ones', () => {
    const { mmio } = board();
    for (const offset of [0x100, 0x400, 0x41f, 0x516, 0x608, 0x700, 0xffc]) {
      for (const size of [1, 2, 4] as const) {
        mmio.write(REGISTERS + offset, size, 0);
        expect(mmio.read(REGISTERS + offset, size)).toBe(allOnes(size));
      }
    }
  });

  test('the monitor’s block is at 0, read-only, and is followed by zeros up to 256 bytes', () => {
    const { mmio } = board({ width: 1280, height: 800 });
    mmio.write(REGISTERS + 8, 4, 0);
    const read = Array.from({ length: 256 }, (_, i) => mmio.read(REGISTERS + i, 1));
    expect(read).toEqual([...edid({ width: 1280, height: 800 }), ...Array.from({ length: 128 }, () => 0)]);
  });

  test('id and video memory are read-only, the others keep 16 bits, whole or by bytes', () => {
    const { mmio } = board();
    for (let offset = 0; offset <= W.memory; offset += 2) {
      const before = mmio.read(VBE + offset, 2);
      mmio.write(VBE + offset, 2, 0xa550);
      expect(mmio.read(VBE + offset, 2)).toBe(offset === 0 || offset === W.memory ? before : 0xa550);
      mmio.write(VBE + offset + 1, 1, 0x12);
      if (offset > 0 && offset < W.memory) expect(mmio.read(VBE + offset, 2)).toBe(0x1250);
    }
  });

  test('with the capabilities bit width, height and depth read as their maxima, and return afterwards', () => {
    const { mmio, vbe, mode } = board();
    mode(800, 600, 32);
    const sizes = (): number[] => [W.width, W.height, W.depth].map((offset) => mmio.read(VBE + offset, 2));
    vbe(W.enable, 0x03);
    expect(sizes()).toEqual([4095, 4095, 32]);
    vbe(W.enable, 0x41);
    expect(sizes()).toEqual([800, 600, 32]);
  });

  test('only two values change the byte order', () => {
    const { mmio } = board();
    const order = REGISTERS + 0x604;
    for (const [value, expected] of [
      [0, 0x1e1e_1e1e],
      [0xbebe_bebe, 0xbebe_bebe],
      [0x1234_5678, 0xbebe_bebe],
      [0x1e1e_1e1e, 0x1e1e_1e1e],
    ] as const) {
      mmio.write(order, 4, value);
      expect(mmio.read(order, 4)).toBe(expected);
    }
  });
});

describe('a snapshot', () => {
  const RED = [255, 0, 0, 255];
  const GREEN = [0, 255, 0, 255];
  const BLUE = [0, 0, 255, 255];
  const WHITE = [255, 255, 255, 255];
  const COLOURS: readonly [depth: number, bytes: number, pixels: readonly number[]][] = [
    [32, 4, [0xff0000, 0x00ff00, 0x0000ff, 0xffffffff]],
    [24, 3, [0xff0000, 0x00ff00, 0x0000ff, 0xffffff]],
    [16, 2, [0xf800, 0x07e0, 0x001f, 0xffff]],
    [15, 2, [0x7c00, 0x03e0, 0x001f, 0x7fff]],
  ];
  for (const [depth, size, pixels] of COLOURS) {
    for (const bigEndian of [false, true]) {
      test(`decodes ${depth} bits per pixel, ${bigEndian ? 'big' : 'little'}-endian`, () => {
        const { mmio, display, mode } = board();
        mode(4, 1, depth);
        if (bigEndian) mmio.write(REGISTERS + 0x604, 4, 0xbebe_bebe);
        for (const [i, pixel] of pixels.entries()) {
          const bytes = Array.from({ length: size }, (_, at) => (pixel >>> (8 * at)) & 0xff);
          display.segment.bytes.set(bigEndian ? bytes.reverse() : bytes, i * size);
        }
        const picture = display.snapshot();
        expect([picture?.width, picture?.height]).toEqual([4, 1]);
        expect([...(picture?.pixels ?? [])]).toEqual([...RED, ...GREEN, ...BLUE, ...WHITE]);
      });
    }
  }

  test('honours the stride of a wider virtual screen and both offsets', () => {
    const { display, vbe, mode } = board();
    mode(2, 2, 32);
    vbe(W.virtualWidth, 10);
    vbe(W.xOffset, 3);
    vbe(W.yOffset, 5);
    for (const [x, y, colour] of [
      [3, 5, [0, 0, 255]],
      [4, 5, [0, 255, 0]],
      [3, 6, [255, 0, 0]],
      [4, 6, [255, 255, 255]],
    ] as const) {
      display.segment.bytes.set(colour, 4 * (10 * y + x));
    }
    expect([...(display.snapshot()?.pixels ?? [])]).toEqual([...RED, ...GREEN, ...BLUE, ...WHITE]);
  });

  test('is nothing while the mode is off, empty, of an unknown depth or larger than video memory', () => {
    const { display, vbe, mode } = board();
    expect(display.snapshot()).toBeUndefined();
    for (const [width, height, depth] of [
      [0, 480, 32],
      [640, 0, 32],
      [640, 480, 0],
      [640, 480, 8],
      [640, 480, 31],
      [65_535, 65_535, 32],
      [4096, 1025, 32],
    ] as const) {
      mode(width, height, depth);
      expect(display.snapshot()).toBeUndefined();
    }
    mode(2048, 2048, 32);
    expect(display.snapshot()?.height).toBe(2048);
    vbe(W.xOffset, 1);
    expect(display.snapshot()).toBeUndefined();
  });

  test('never fails, whatever the guest wrote', () => {
    const { display, mmio } = board();
    const extremes = [0, 1, 640, 4095, 4096, 0x7fff, 0x8000, 0xffff];
    let pictures = 0;
    for (const width of extremes) {
      for (const height of [1, 3, 0xffff]) {
        for (const depth of [15, 16, 24, 32]) {
          for (const virtualWidth of extremes) {
            for (const offset of [0, 7, 0xffff]) {
              const words = [width, height, depth, 1, 0, virtualWidth, 0, offset, offset];
              for (const [i, word] of words.entries()) mmio.write(VBE + 2 + 2 * i, 2, word);
              const picture = display.snapshot();
              if (picture === undefined) continue;
              pictures++;
              expect(picture.pixels).toHaveLength(4 * width * height);
            }
          }
        }
      }
    }
    expect(pictures).toBeGreaterThan(100);
  });
});

// spec 36: FreeBSD usr.sbin/bhyve/pci_fbuf.c: an access to video memory while it is unmapped trips an assertion
test('an access to where video memory was, or past the registers, meets nobody, and the device goes on', () => {
  const { mmio, display, config, vbe } = board();
  config.write(0x10, 4, 0xe000_0000);
  mmio.write(VRAM, 4, 0x1234_5678);
  config.write(0x04, 2, 0);
  mmio.write(0xe000_0000, 4, 0x1234_5678);
  expect([mmio.read(VRAM, 4), mmio.read(0xe000_0000, 4), mmio.unclaimedWrites]).toEqual([allOnes(4), allOnes(4), 2]);
  config.write(0x04, 2, 3);
  for (const size of [1, 2, 4] as const) {
    expect(mmio.read(REGISTERS + 4096 - size, size)).toBe(allOnes(size));
    mmio.write(REGISTERS + 4096 - size + 1, size, 0);
  }
  vbe(W.width, 800);
  expect([mmio.read(VBE + W.width, 2), display.segment.bytes[0]]).toEqual([800, 0]);
});

describe('a configuration that cannot be had', () => {
  const cases: readonly [Partial<FramebufferOptions>, RegExp][] = [
    [{ width: 63 }, /63 by 768 is refused: 64 to 4095 each way/],
    [{ height: 4096 }, /1024 by 4096 is refused/],
    [{ width: 2048.5 }, /refused/],
    [{ width: 4000, height: 4000 }, /no more pixels than 16777216 bytes hold/],
    [{ optionRom: new Uint8Array(0) }, /an option ROM of 0 bytes is refused: it must have 1 to 16777216/],
    [{ optionRom: new Uint8Array(16 * MiB + 1) }, /16777217 bytes is refused/],
  ];
  for (const [options, sentence] of cases) {
    test(`is refused with the rule: ${sentence.source}`, () => {
      expect(() => board(options)).toThrow(FramebufferError);
      expect(() => board(options)).toThrow(sentence);
    });
  }
});

test('any access of any size anywhere in the registers has an unsigned answer within its size', () => {
  const { mmio } = board();
  const sizes: readonly AccessSize[] = [1, 2, 4];
  for (let offset = 0; offset < 4096; offset++) {
    for (const size of sizes) {
      mmio.write(REGISTERS + offset, size, 0xdead_beef);
      const value = mmio.read(REGISTERS + offset, size);
      expect(Number.isInteger(value) && value >= 0 && value <= allOnes(size)).toBe(true);
    }
  }
});
