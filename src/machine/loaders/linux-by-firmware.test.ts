import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { MiB } from '../../base/units.ts';
import { FW_CFG_ITEM } from '../../devices/fw-cfg.ts';
import { ConfigError } from '../config-error.ts';
import { StructureWriter } from '../structure-writer.ts';
import type { BootFile } from './boot-plan.ts';
import { linuxItems } from './linux-by-firmware.ts';
import { loadLinux } from './linux.ts';

interface ImageOptions {
  readonly setupSectors?: number;
  readonly codeLength?: number;
  readonly initrdMax?: number;
  readonly entry?: number;
  readonly commandLineSize?: number;
}

/** A bzImage whose real-mode code is of one byte, and the rest of another. */
function image(options: ImageOptions = {}): BootFile {
  const { setupSectors = 5, codeLength = 4096, initrdMax = 0xffff_ffff, entry = 0, commandLineSize = 0 } = options;
  const payload = 512 * (setupSectors + 1);
  const writer = new StructureWriter(payload + codeLength);
  writer.bytes.fill(0x90, 0, payload).fill(0xcc, payload);
  writer
    .u8(0x1f1, setupSectors)
    .u32(0x1f4, codeLength / 16)
    .u16(0x1fe, 0xaa55)
    .u8(0x201, 0x66);
  writer.u32(0x202, 0x5372_6448).u16(0x206, 0x207).u8(0x211, 1).u32(0x214, entry);
  writer.u32(0x22c, initrdMax).u32(0x238, commandLineSize);
  return { name: 'kernel', bytes: writer.bytes };
}

const file = (length: number): BootFile => ({ name: 'initrd', bytes: new Uint8Array(length).fill(0x11) });

interface Given {
  readonly modules?: readonly BootFile[];
  readonly commandLine?: string;
  readonly below4GiB?: number;
}

function itemsOf(kernel: BootFile, { modules = [], commandLine = 'quiet', below4GiB = 64 * MiB }: Given = {}) {
  const items = new Map(linuxItems({ kernel, modules, commandLine, ram: { below4GiB, above4GiB: 0 } }));
  const bytes = (item: keyof typeof FW_CFG_ITEM): Uint8Array => items.get(FW_CFG_ITEM[item]) ?? new Uint8Array();
  const number = (item: keyof typeof FW_CFG_ITEM): number => new DataView(bytes(item).buffer).getUint32(0, true);
  return { bytes, number };
}

describe('what firmware is given of a kernel', () => {
  test('is each part, with its address and its size', () => {
    const { bytes, number } = itemsOf(image(), { modules: [file(5000)] });
    expect(bytes('kernelData')).toEqual(new Uint8Array(4096).fill(0xcc));
    expect(bytes('initrdData')).toEqual(file(5000).bytes);
    expect(new TextDecoder().decode(bytes('commandLineData'))).toBe('quiet\0');
    expect(bytes('setupData').length).toBe(6 * 512);
    expect([number('kernelAddress'), number('kernelSize')]).toEqual([MiB, 4096]);
    expect([number('initrdAddress'), number('initrdSize')]).toEqual([63 * MiB - 8192, 5000]);
    expect([number('commandLineAddress'), number('commandLineSize')]).toEqual([0x1_e000, 6]);
    expect([number('setupAddress'), number('setupSize')]).toEqual([0x1_0000, 6 * 512]);
  });

  test('has a header that says where everything is', () => {
    const { bytes, number } = itemsOf(image(), { modules: [file(5000)] });
    const header = new DataView(bytes('setupData').buffer);
    expect([header.getUint8(0x210), header.getUint8(0x211)]).toEqual([0xff, 0x81]);
    expect([header.getUint32(0x218, true), header.getUint32(0x21c, true)]).toEqual([number('initrdAddress'), 5000]);
    expect(header.getUint16(0x224, true)).toBe(0xde00);
    expect(header.getUint32(0x228, true)).toBe(0x1_e000);
  });

  test('does not change the image', () => {
    const kernel = image();
    itemsOf(kernel);
    expect(kernel.bytes).toEqual(image().bytes);
  });

  test('without an initrd says that there is none', () => {
    const { bytes, number } = itemsOf(image());
    const header = new DataView(bytes('setupData').buffer);
    expect([number('initrdAddress'), number('initrdSize'), header.getUint32(0x218, true)]).toEqual([0, 0, 0]);
  });

  test('has its initrd no higher than the kernel allows', () => {
    const { number } = itemsOf(image({ initrdMax: 16 * MiB - 1 }), { modules: [file(5000)] });
    expect(number('initrdAddress')).toBe(16 * MiB - 8192);
  });

  test.each<[string, BootFile, Given, RegExp]>([
    ['another kind of kernel', { name: 'vmlinux', bytes: new Uint8Array(9000) }, {}, /'vmlinux' is no bzImage/],
    ['a kernel larger than memory', image({ codeLength: MiB }), { below4GiB: 2 * MiB }, /does not fit into memory/],
    ['an initrd larger than memory', image(), { modules: [file(64 * MiB)] }, /initrd 'initrd' of 67108864 bytes/],
    ['more real-mode code than there is room', image({ setupSectors: 64 }), {}, /33280 bytes of real-mode code/],
    ['a command line longer than the kernel takes', image(), { commandLine: 'x'.repeat(256) }, /this kernel takes 255/],
    [
      'a command line longer than there is room',
      image({ commandLineSize: 9000 }),
      { commandLine: 'x'.repeat(9000) },
      /command line of 9000 bytes is too long for firmware/,
    ],
  ])('%s is refused in one sentence', (_what, kernel, given, complaint) => {
    expect(() => itemsOf(kernel, given)).toThrow(ConfigError);
    expect(() => itemsOf(kernel, given)).toThrow(complaint);
  });
});

test(`a header with some bytes changed gives items that lie in memory, or one sentence (seed ${SEED})`, () => {
  const random = new Random(SEED);
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const kernel = image();
    for (let count = 1 + random.below(3); count > 0; count--) {
      kernel.bytes[0x1f1 + random.below(0x80)] = random.pick([0, 0xff, random.byte(), 1 << random.below(8)]);
    }
    try {
      const { number } = itemsOf(kernel, { modules: [file(5000)] });
      const [start, end] = [number('initrdAddress'), number('initrdAddress') + number('initrdSize')];
      expect([start >= number('kernelAddress') + number('kernelSize'), end <= 63 * MiB]).toEqual([true, true]);
    } catch (error) {
      if (!(error instanceof ConfigError) || error.message.includes('\n')) throw error;
      refused++;
    }
  }
  expect([refused > 100, refused < 1900]).toEqual([true, true]);
});

test('a kernel that can only be entered in real mode is refused where there is no firmware', () => {
  const map = [{ start: MiB, length: 63 * MiB, type: 'ram' as const }];
  const request = { modules: [], commandLine: '', ram: { below4GiB: 64 * MiB, above4GiB: 0 }, map, rsdp: undefined };
  expect(() => loadLinux({ ...request, kernel: image() })).toThrow("kernel 'kernel' calls a BIOS: give one");
});
