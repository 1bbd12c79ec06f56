import { describe, expect, test } from 'vitest';
import { ConfigError } from '../config-error.ts';
import { StructureWriter } from '../structure-writer.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { planBoot } from './load.ts';

const MiB = 2 ** 20;
const SETUP_SECTORS = 4;
const PAYLOAD = 512 * (SETUP_SECTORS + 1);

interface ImageOptions {
  version?: number;
  is64?: boolean;
  relocatable?: boolean;
  codeLength?: number;
  memoryNeeded?: number;
  initrdMax?: number;
  preferred?: number;
}

/** A bzImage of one recognisable byte. */
function image(options: ImageOptions = {}): Uint8Array {
  const { version = 0x20f, is64 = true, relocatable = true, codeLength = 64 * 1024 } = options;
  const writer = new StructureWriter(PAYLOAD + codeLength);
  writer.bytes.fill(0xcc, PAYLOAD);
  writer
    .u8(0x1f1, SETUP_SECTORS)
    .u32(0x1f4, codeLength / 16)
    .u16(0x1fe, 0xaa55)
    .u8(0x200, 0xeb)
    .u8(0x201, 0x66);
  writer.u32(0x202, 0x5372_6448).u16(0x206, version).u8(0x211, 1).u32(0x214, 0x10_0000);
  writer
    .u32(0x22c, options.initrdMax ?? 0x7fff_ffff)
    .u32(0x230, 0x20_0000)
    .u8(0x234, relocatable ? 1 : 0);
  writer.u16(0x236, is64 ? 1 : 0).u32(0x238, 2047);
  writer.u64(0x258, options.preferred ?? 16 * MiB).u32(0x260, options.memoryNeeded ?? 8 * MiB);
  return writer.bytes;
}

function request(bytes: Uint8Array, options: Partial<BootRequest> = {}): BootRequest {
  return {
    kernel: { name: 'vmlinuz', bytes },
    modules: [],
    commandLine: 'console=ttyS0',
    ram: { below4GiB: 64 * MiB, above4GiB: 0 },
    map: [
      { start: 0, length: 0x9_fc00, type: 'ram' },
      { start: MiB, length: 63 * MiB - 4096, type: 'ram' },
      { start: 64 * MiB - 4096, length: 4096, type: 'nvs' },
    ],
    rsdp: 0x9_fc00,
    ...options,
  };
}

/** The parameter block as the kernel finds it. */
function parameters({ writes, registers }: BootPlan): DataView {
  const block = writes.find(({ gpa }) => BigInt(gpa) === registers['rsi']);
  if (block === undefined) throw new Error('ESI leads nowhere');
  return new DataView(block.bytes.buffer);
}

function textAt({ writes }: BootPlan, gpa: number): string {
  const bytes = writes.find((write) => write.gpa === gpa)?.bytes ?? new Uint8Array();
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

const initrd = (length: number) => ({ name: 'initrd', bytes: new Uint8Array(length).fill(0x11) });

describe('a bzImage', () => {
  test('is started by the 64-bit protocol at 200h of where it wants to be', () => {
    const plan = planBoot(request(image()));
    expect(plan.protocol).toBe('Linux 2.15, 64-bit');
    expect(plan.registers).toMatchObject({
      rip: BigInt(16 * MiB + 0x200),
      efer: 0x500n,
      cr4: 0x20n,
      cr0: 0x8000_0011n,
      cs: 0x10n,
    });
    const kernel = plan.writes.find(({ gpa }) => gpa === 16 * MiB);
    expect([kernel?.bytes.length, kernel?.bytes[0]]).toEqual([64 * 1024, 0xcc]);
  });

  test('has page tables under it that map 4 GiB to themselves', () => {
    const { writes, registers } = planBoot(request(image()));
    const tables = writes.find(({ gpa }) => BigInt(gpa) === registers['cr3']);
    if (tables === undefined) throw new Error('CR3 leads nowhere');
    const view = new DataView(tables.bytes.buffer);
    const entry = (table: number, index: number): number => view.getUint32(table - tables.gpa + 8 * index, true);
    for (const address of [0, 0x20_0000, 0x3fff_ffff, 0x4000_0000, 0xfee0_0000, 0xffff_ffff]) {
      const pointers = entry(tables.gpa, 0) & ~0xfff;
      const directory = entry(pointers, Math.floor(address / 2 ** 30)) & ~0xfff;
      const leaf = entry(directory, Math.floor(address / 2 ** 21) % 512);
      expect(((leaf & ~0x1f_ffff) >>> 0) + (address % 2 ** 21)).toBe(address);
      expect(leaf & 0xfff).toBe(0x83);
    }
  });

  test('without a 64-bit entry is started by the 32-bit protocol', () => {
    const { protocol, registers } = planBoot(request(image({ is64: false })));
    expect(protocol).toBe('Linux 2.15, 32-bit');
    expect(registers).toMatchObject({ rip: BigInt(16 * MiB), cr0: 0x11n, rbp: 0n, rdi: 0n, rbx: 0n, rflags: 2n });
  });

  test.each([
    ['is old', { version: 0x206 }],
    ['cannot be moved', { relocatable: false }],
  ])('that %s goes to 1 MiB', (_why, options) => {
    const { writes } = planBoot(request(image({ ...options, memoryNeeded: 0 })));
    expect(writes.some(({ gpa, bytes }) => gpa === MiB && bytes.length === 64 * 1024)).toBe(true);
  });

  test('finds its header, command line, map and the ACPI tables in its parameters', () => {
    const plan = planBoot(request(image()));
    const view = parameters(plan);
    expect(view.getUint32(0x202, true)).toBe(0x5372_6448);
    expect(view.getUint8(0x210)).toBe(0xff);
    expect(textAt(plan, view.getUint32(0x228, true))).toBe('console=ttyS0');
    expect(view.getUint8(0x1e8)).toBe(3);
    expect([view.getUint32(0x2d0 + 20, true), view.getUint32(0x2d0 + 28, true)]).toEqual([MiB, 63 * MiB - 4096]);
    expect(view.getUint32(0x2d0 + 56, true)).toBe(4);
    expect(view.getUint32(0x70, true)).toBe(0x9_fc00);
    expect(view.getUint32(0x1e0, true)).toBe(63 * 1024);
  });

  test('finds random bytes in a list of setup data, and none when there are none', () => {
    const plan = planBoot(request(image(), { seed: new Uint8Array([1, 2, 3, 4]) }));
    const at = parameters(plan).getUint32(0x250, true);
    const node = plan.writes.find(({ gpa }) => gpa === at)?.bytes;
    expect(node).toEqual(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]));
    expect(parameters(planBoot(request(image()))).getUint32(0x250, true)).toBe(0);
  });

  test('has its initrd as high as memory and the kernel allow', () => {
    const place = (options: ImageOptions): [number, number] => {
      const view = parameters(planBoot(request(image(options), { modules: [initrd(5000)] })));
      return [view.getUint32(0x218, true), view.getUint32(0x21c, true)];
    };
    expect(place({})).toEqual([64 * MiB - 4096 - 8192, 5000]);
    expect(place({ initrdMax: 32 * MiB - 1 })).toEqual([32 * MiB - 8192, 5000]);
    // Beneath the kernel when there is no room above it.
    expect(place({ initrdMax: 20 * MiB - 1 })).toEqual([16 * MiB - 8192, 5000]);
  });
});

describe('what cannot be started is refused in one sentence:', () => {
  const cut = (length: number): Uint8Array => image().subarray(0, length);
  const changed = (at: number, byte: number): Uint8Array => {
    const bytes = image();
    bytes[at] = byte;
    return bytes;
  };

  test.each<[string, Uint8Array, Partial<BootRequest>, RegExp]>([
    ['nothing at all', new Uint8Array(0), {}, /no bzImage, ELF file or multiboot kernel/],
    ['an image that ends in its header', cut(0x210), {}, /is truncated: it ends at byte 528/],
    ['an image that ends before its code', cut(PAYLOAD), {}, /is truncated.*before its code/],
    ['an image that ends in its code', cut(PAYLOAD + 1000), {}, /has 1000 of 65536 bytes of code/],
    ['an image without a boot sector signature', changed(0x1fe, 0), {}, /no boot sector signature/],
    ['a wrong magic number', changed(0x202, 0), {}, /no bzImage, ELF file or multiboot kernel/],
    ['a zImage', changed(0x211, 0), {}, /is a zImage/],
    ['an old protocol', image({ version: 0x201 }), {}, /boot protocol 2.01; 2.03 is the oldest/],
    ['a header that ends nowhere', changed(0x201, 0xff), {}, /header that ends at byte 769/],
    ['an address that is not aligned', image({ preferred: 16 * MiB + 1 }), {}, /asks for address 0x1000001/],
    ['an address beyond everything', image({ preferred: 2 ** 52 }), {}, /not all of that is RAM/],
    [
      'a kernel larger than memory',
      image({ memoryNeeded: 0xffff_ffff }),
      {},
      /kernel 'vmlinuz' needs memory from 0x1000000/,
    ],
    [
      'an initrd larger than memory',
      image(),
      { modules: [initrd(64 * MiB)] },
      /initrd 'initrd' of \d+ bytes does not fit/,
    ],
    ['an empty initrd', image(), { modules: [initrd(0)] }, /initrd 'initrd' is empty/],
    ['two initrds', image(), { modules: [initrd(1), initrd(1)] }, /takes one initrd, not 2/],
    [
      'a long command line',
      image(),
      { commandLine: 'x'.repeat(2048) },
      /command line of 2048 bytes: this kernel takes 2047/,
    ],
  ])('%s', (_what, bytes, options, complaint) => {
    expect(() => planBoot(request(bytes, options))).toThrow(ConfigError);
    expect(() => planBoot(request(bytes, options))).toThrow(complaint);
  });
});
