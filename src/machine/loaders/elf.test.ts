import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { ConfigError } from '../config-error.ts';
import { StructureWriter } from '../structure-writer.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { planBoot } from './load.ts';

const MiB = 2 ** 20;
const NOTES = 0x100;
const CODE = 0x200;

interface ElfOptions {
  is64?: boolean;
  /** A PVH note with this entry. */
  pvh?: number;
  multiboot?: boolean;
  physical?: number;
  virtual?: number;
  memoryLength?: number;
  fileLength?: number;
  entry?: number;
  machine?: number;
  type?: number;
}

/** An ELF file with a note and a piece of code. */
function elf(options: ElfOptions = {}): Uint8Array {
  const { is64 = true, physical = MiB, virtual = physical, fileLength = 16, memoryLength = 4096 } = options;
  const writer = new StructureWriter(CODE + 64);
  writer
    .u32(0, 0x464c_457f)
    .u8(4, is64 ? 2 : 1)
    .u8(5, 1)
    .u16(16, options.type ?? 2)
    .u16(18, options.machine ?? (is64 ? 62 : 3));
  const table = is64 ? 64 : 52;
  const size = is64 ? 56 : 32;
  if (is64)
    writer
      .u64(24, options.entry ?? virtual)
      .u64(32, table)
      .u16(54, size)
      .u16(56, 2);
  else
    writer
      .u32(24, options.entry ?? virtual)
      .u32(28, table)
      .u16(42, size)
      .u16(44, 2);
  const part = (
    index: number,
    type: number,
    offset: number,
    v: number,
    p: number,
    file: number,
    memory: number,
  ): void => {
    const at = table + index * size;
    writer.u32(at, type);
    if (is64)
      writer
        .u64(at + 8, offset)
        .u64(at + 16, v)
        .u64(at + 24, p)
        .u64(at + 32, file)
        .u64(at + 40, memory);
    else
      writer
        .u32(at + 4, offset)
        .u32(at + 8, v)
        .u32(at + 12, p)
        .u32(at + 16, file)
        .u32(at + 20, memory);
  };
  part(0, 1, CODE, virtual, physical, fileLength, memoryLength);
  part(1, 4, NOTES, 0, 0, options.pvh === undefined ? 0 : 20, 0);
  if (options.pvh !== undefined) {
    writer
      .u32(NOTES, 4)
      .u32(NOTES + 4, 4)
      .u32(NOTES + 8, 18)
      .copy(NOTES + 12, new TextEncoder().encode('Xen'));
    writer.u32(NOTES + 16, options.pvh);
  }
  writer.bytes.fill(0x90, CODE, CODE + 16);
  if (options.multiboot === true)
    writer
      .u32(0x180, 0x1bad_b002)
      .u32(0x184, 3)
      .u32(0x188, -(0x1bad_b002 + 3));
  return writer.bytes;
}

/** A kernel without a file format: its header says where it goes. */
function flat(
  fields: { flags?: number; load?: number; loadEnd?: number; bssEnd?: number; entry?: number } = {},
): Uint8Array {
  const { flags = 0x1_0003, load = MiB, loadEnd = 0, bssEnd = 0, entry = MiB + 0x20 } = fields;
  const writer = new StructureWriter(0x100);
  writer
    .u32(0, 0x1bad_b002)
    .u32(4, flags)
    .u32(8, -(0x1bad_b002 + flags));
  return writer.u32(12, load).u32(16, load).u32(20, loadEnd).u32(24, bssEnd).u32(28, entry).bytes;
}

const module = (name: string, length: number) => ({ name, bytes: new Uint8Array(length).fill(length) });

function request(bytes: Uint8Array, options: Partial<BootRequest> = {}): BootRequest {
  return {
    kernel: { name: 'kernel', bytes },
    modules: [module('one', 100), module('two', 200)],
    commandLine: 'a b',
    ram: { below4GiB: 16 * MiB, above4GiB: 0 },
    map: [
      { start: 0, length: 0x9_fc00, type: 'ram' },
      { start: MiB, length: 15 * MiB, type: 'ram' },
    ],
    rsdp: 0x9_fc00,
    ...options,
  };
}

const at = (plan: BootPlan, gpa: number | bigint | undefined): DataView => {
  const write = plan.writes.find((candidate) => BigInt(candidate.gpa) === BigInt(gpa ?? -1));
  if (write === undefined) throw new Error(`nothing is written at ${gpa}`);
  return new DataView(write.bytes.buffer, write.bytes.byteOffset, write.bytes.byteLength);
};
const textAt = (plan: BootPlan, gpa: number): string =>
  new TextDecoder().decode(new Uint8Array(at(plan, gpa).buffer)).replace(/\0.*$/s, '');

describe.each([true, false])('an ELF kernel with a PVH note (64 bits: %s)', (is64) => {
  const plan = planBoot(request(elf({ is64, pvh: MiB + 8, virtual: 0x8010_0000 })));

  test('is entered in protected mode where the note says', () => {
    expect(plan.protocol).toBe(`PVH, ELF${is64 ? 64 : 32}`);
    expect(plan.registers).toMatchObject({ rip: BigInt(MiB + 8), cr0: 0x11n, cr4: 0n, efer: 0n });
  });

  test('lies at its physical address, with zeros behind what the file has', () => {
    expect(at(plan, MiB).byteLength).toBe(16);
    const zeros = new Uint8Array(at(plan, MiB + 16).buffer, 0, 4080);
    expect(at(plan, MiB + 16).byteLength).toBe(4080);
    expect(zeros.every((byte) => byte === 0)).toBe(true);
  });

  test('finds modules, command line, ACPI tables and map in its start information', () => {
    const start = at(plan, plan.registers['rbx']);
    expect([start.getUint32(0, true), start.getUint32(4, true), start.getUint32(12, true)]).toEqual([
      0x336e_c578, 1, 2,
    ]);
    const list = at(plan, start.getUint32(16, true));
    for (const [index, [name, length]] of [['one', 100] as const, ['two', 200] as const].entries()) {
      expect(at(plan, list.getUint32(32 * index, true)).byteLength).toBe(length);
      expect(list.getUint32(32 * index + 8, true)).toBe(length);
      expect(textAt(plan, list.getUint32(32 * index + 16, true))).toBe(name);
    }
    expect(textAt(plan, start.getUint32(24, true))).toBe('a b');
    expect(start.getUint32(32, true)).toBe(0x9_fc00);
    const map = at(plan, start.getUint32(40, true));
    expect([start.getUint32(48, true), map.getUint32(24, true), map.getUint32(40, true)]).toEqual([2, MiB, 1]);
  });
});

describe('a multiboot kernel', () => {
  test('that has a PVH note as well, as Xen does, is started by multiboot', () => {
    expect(planBoot(request(elf({ multiboot: true, pvh: MiB + 8 }))).protocol).toBe('multiboot 1');
  });

  test('finds the magic number in EAX and everything else by EBX', () => {
    const plan = planBoot(request(flat()));
    expect(plan.registers).toMatchObject({ rip: BigInt(MiB + 0x20), rax: 0x2bad_b002n, cr0: 0x11n });
    const information = at(plan, plan.registers['rbx']);
    expect(information.getUint32(0, true)).toBe(0x24d);
    expect([information.getUint32(4, true), information.getUint32(8, true)]).toEqual([639, 15 * 1024]);
    expect(textAt(plan, information.getUint32(16, true))).toBe('kernel a b');
    expect(information.getUint32(20, true)).toBe(2);
    const modules = at(plan, information.getUint32(24, true));
    expect(modules.getUint32(4, true) - modules.getUint32(0, true)).toBe(100);
    expect(textAt(plan, modules.getUint32(24, true))).toBe('two');
    const map = at(plan, information.getUint32(48, true));
    expect(information.getUint32(44, true)).toBe(48);
    expect([map.getUint32(0, true), map.getUint32(24, true), map.getUint32(28, true)]).toEqual([20, 20, MiB]);
    expect(textAt(plan, information.getUint32(64, true))).toBe('skep');
  });

  test('is loaded as its header says, with zeros up to the end of its data', () => {
    const plan = planBoot(request(flat({ loadEnd: MiB + 0x80, bssEnd: MiB + 0x200 })));
    expect(at(plan, MiB).byteLength).toBe(0x80);
    expect(at(plan, MiB + 0x80).byteLength).toBe(0x180);
  });

  test.each([true, false])('can be an ELF file, whose entry may be a virtual address (64 bits: %s)', (is64) => {
    const plan = planBoot(request(elf({ is64, multiboot: true, virtual: 0xc010_0000, entry: 0xc010_0004 })));
    expect(plan.registers['rip']).toBe(BigInt(MiB + 4));
  });
});

describe('what cannot be started is refused in one sentence:', () => {
  const cut = (length: number): Uint8Array => elf({ pvh: MiB }).subarray(0, length);
  test.each<[string, Uint8Array, Partial<BootRequest>, RegExp]>([
    ['an ELF file without note or header', elf(), {}, /neither a PVH note nor a multiboot header/],
    ['an ELF file that ends in its header', cut(60), {}, /is truncated/],
    ['an ELF file that ends in its program headers', cut(100), {}, /is truncated/],
    ['an ELF file that ends in its code', cut(CODE + 4), {}, /is truncated/],
    ['an ELF file for another machine', elf({ pvh: MiB, machine: 183 }), {}, /for machine 183, not for x86/],
    ['an object file', elf({ pvh: MiB, type: 1 }), {}, /no executable/],
    [
      'a segment beyond memory',
      elf({ pvh: MiB, physical: 15 * MiB, memoryLength: 2 * MiB }),
      {},
      /not all of that is RAM/,
    ],
    ['a segment whose size overflows', elf({ pvh: MiB, memoryLength: 2 ** 53 }), {}, /not all of that is RAM/],
    [
      'a segment longer in the file than in memory',
      elf({ pvh: MiB, memoryLength: 8 }),
      {},
      /longer in the file than in memory/,
    ],
    ['a segment over the BIOS', elf({ pvh: MiB, physical: 0xf_0000 }), {}, /not all of that is RAM/],
    [
      'a module larger than memory',
      elf({ pvh: MiB }),
      { modules: [module('m', 16 * MiB)] },
      /module 'm' of \d+ bytes does not fit/,
    ],
    ['multiboot addresses that contradict each other', flat({ loadEnd: 1 }), {}, /contradict each other/],
    ['a multiboot kernel larger than its image', flat({ loadEnd: MiB + 0x1000 }), {}, /is truncated/],
    ['multiboot data beyond memory', flat({ bssEnd: 0xffff_ffff }), {}, /not all of that is RAM/],
    ['multiboot requirements that nobody knows', flat({ flags: 0x1_0010 }), {}, /requirements 0x10 that are not known/],
    ['a multiboot header without addresses in no ELF file', flat({ flags: 3 }), {}, /no ELF file/],
  ])('%s', (_what, bytes, options, complaint) => {
    expect(() => planBoot(request(bytes, options))).toThrow(ConfigError);
    expect(() => planBoot(request(bytes, options))).toThrow(complaint);
  });
});

// Images with a few bytes changed, or cut: a plan that can be carried out, or one sentence.

test(`mutated images are started or refused, never anything else (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const originals = [elf({ pvh: MiB }), elf({ pvh: MiB, is64: false }), elf({ multiboot: true, is64: false }), flat()];
  let started = 0;
  for (let round = 0; round < 20_000; round++) {
    let bytes = random.pick(originals).slice();
    for (let changes = random.below(4); changes >= 0; changes--) {
      const extreme = random.pick([0, 1, 0x7f, 0x80, 0xff]);
      bytes[random.below(0x1a0)] = random.once(2) ? extreme : random.byte();
    }
    if (random.once(8)) bytes = bytes.subarray(0, random.below(bytes.length));
    try {
      checkPlan(planBoot(request(bytes)));
      started++;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.message).not.toContain('\n');
    }
  }
  expect(started).toBeGreaterThan(1000);
});

/** Writes lie in RAM and not on one another. */
function checkPlan({ writes }: BootPlan): void {
  const sorted = writes.map(({ gpa, bytes }) => [gpa, gpa + bytes.length] as const).sort((a, b) => a[0] - b[0]);
  let previous = 0;
  for (const [start, end] of sorted) {
    const isRam = end <= 0x9_fc00 || (start >= MiB && end <= 16 * MiB);
    if (!isRam || start < previous) throw new Error(`a write at ${start.toString(16)}-${end.toString(16)}`);
    previous = end;
  }
}
