import { expect, test } from 'vitest';
import { gpa, standstillBootRom, type Machine } from '../src/index.ts';
import { placeTables } from '../src/machine/acpi/table-set.ts';
import { acpiTables } from '../src/machine/acpi/tables.ts';
import { HIGH_RAM_START, pciWindows, ramLayout } from '../src/machine/layout.ts';
import { MachineRun } from './machine-run.ts';
import { runKernel } from './multiboot-kernel.ts';

/** What went wrong in other monitors and needs a whole machine to be seen. `docs/specification.md` has the rules. */

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const SIZES = [1, 2, 4] as const;

function machineOf(memory: number): MachineRun {
  return new MachineRun({ bootRom: standstillBootRom(), memory, display: { width: 640, height: 480 } });
}

/** A machine that runs this code, and ends with what is then in AL. */
function running(code: string): MachineRun {
  return runKernel(`main:\n${code}\nexit: out 0xf4, al\njmp exit\n`, { memory: 16 * MiB });
}

/** A register of the display, written as firmware does. */
function configure({ ports }: Machine, register: number, value: number): void {
  ports.write(0xcf8, 4, 0x8000_1000 + register);
  ports.write(0xcfc, 4, value);
}

// spec 20: FreeBSD D44567: a NUMA domain that ended at 3 GiB made the next one begin with no bytes, which is EINVAL
test('RAM that ends exactly where the hole begins has no empty piece behind it', () => {
  const pieces = (memory: number): string[] => {
    using run = machineOf(memory);
    return Array.from(run.machine.memory, ({ segment, gpa: start, end }) => `${segment.name} ${start}-${end}`).filter(
      (piece) => piece.startsWith('ram') && !piece.startsWith('ram 0-'),
    );
  };
  expect(pieces(3 * GiB)).toEqual([`ram ${MiB}-${3 * GiB}`]);
  expect(pieces(3 * GiB + 4096)).toEqual([`ram ${MiB}-${3 * GiB}`, `ram ${4 * GiB}-${4 * GiB + 4096}`]);
});

// spec 32: FreeBSD usr.sbin/bhyve/rtc.c: lowmem - 16 MiB is taken without looking, and wraps
test('a machine with less than 16 MiB says 0 above 16 MiB, and not nearly 4 GiB', () => {
  const above16MiB = (memory: number): number => {
    using run = machineOf(memory);
    const { ports } = run.machine;
    const cmos = (index: number): number => {
      ports.write(0x70, 1, index);
      return ports.read(0x71, 1);
    };
    return cmos(0x34) + 256 * cmos(0x35);
  };
  expect([MiB, 2 * MiB, 16 * MiB - 4096, 16 * MiB, 16 * MiB + 65536].map(above16MiB)).toEqual([0, 0, 0, 0, 1]);
});

// spec 43: FreeBSD D50116, d8c4c2ce68ee, PR 286467: an access to an address that nothing backs ended the run
test('a guest reads all ones where nothing is, writes there harm nothing, and it goes on', async () => {
  using run = running(`
        mov dword [0x90000000], 0x12345678
        mov eax, [0x90000000]
        and eax, [0xfec10000]
        inc eax
        mov bx, [0x8fffffff]            ; across pages: a byte at a time
        inc bx
        or al, bl
`);
  expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
  expect([run.machine.mmio.unclaimedReads, run.machine.mmio.unclaimedWrites]).toEqual([4, 1]);
});

// spec 44: FreeBSD rS361082: an access to the local APIC that user space had to emulate was handled by nobody
test('the registers of the local APIC answer every kind of instruction, and everybody else on the bus', async () => {
  using run = running(`
        mov esi, 0xfee00030
        lodsd
        mov edi, 0x110000
        mov esi, 0xfee00030
        movsd
        sub eax, [0x110000]
        push dword [0xfee00030]
        pop ebx
        sub ebx, [0x110000]
        or eax, ebx
        mov ebx, 0
        xor ebx, [0xfee00030]
        sub ebx, 0x01050014
        or eax, ebx
        mov edi, 0xfee000f0
        or dword [edi], 0x100
        test dword [edi], 0x100
        setz bl
        or al, bl
`);
  expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
  expect(run.machine.mmio.read(0xfee0_0030, 4)).toBe(0x0105_0014);
});

// spec 45: FreeBSD D33118, 5775540d: the DSDT's window began elsewhere than RAM ended
test('the windows that ACPI tells of are those in which BARs appear, whatever the size of RAM', () => {
  for (const memory of [16 * MiB, 128 * MiB + 4096, GiB, 3 * GiB, 3 * GiB + 64 * MiB]) {
    const ram = ramLayout(memory);
    const [low, high] = pciWindows(ram);
    expect([low?.start, high?.start]).toEqual([ram.below4GiB, HIGH_RAM_START + ram.above4GiB]);
    const { tables } = placeTables(acpiTables({ ram }), { rsdp: 0xf_0000, tables: MiB });
    for (const [index, window] of pciWindows(ram).entries()) {
      expect(contains(tables, descriptor(window, index === 0 ? 4 : 8)), `window ${index} of ${memory} bytes`).toBe(
        true,
      );
    }
    using run = machineOf(memory);
    configure(run.machine, 4, 2);
    const aligned = Math.ceil(ram.below4GiB / (16 * MiB)) * 16 * MiB;
    for (const [address, isThere] of [
      [aligned, true],
      [ram.below4GiB - 16 * MiB, false],
      [0xfd00_0000, true],
      [0xfe00_0000, false],
    ] as const) {
      configure(run.machine, 0x10, address);
      expect(run.machine.memory.at(gpa(address))?.segment.name === 'framebuffer', address.toString(16)).toBe(isThere);
    }
  }
});

// spec 47: FreeBSD-SA-18:14 (CVE-2018-17160), SA-19:16: offsets and sizes in a device's ports were checked at one end
test('every port takes accesses of every size, across its ends too, and answers within the size', () => {
  using run = machineOf(16 * MiB);
  const { ports } = run.machine;
  const odd: string[] = [];
  for (let port = 0; port < 0x1_0000; port++) {
    for (const size of SIZES) {
      for (const value of [0, 2 ** (8 * size) - 1]) {
        ports.write(port, size, value);
        const answer = ports.read(port, size);
        if (!Number.isInteger(answer) || answer < 0 || answer >= 2 ** (8 * size)) odd.push(`${port}: ${answer}`);
      }
    }
  }
  expect(odd).toEqual([]);
});

/** ACPI 6.4, 6.4.3.5: a memory range that a bridge passes on: its granularity, both ends, no translation, its length. */
function descriptor({ start, end }: { start: number; end: number }, width: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(5 * width);
  const view = new DataView(bytes.buffer);
  for (const [index, field] of [0, start, end - 1, 0, end - start].entries()) {
    if (width === 4) view.setUint32(4 * index, field, true);
    else view.setBigUint64(8 * index, BigInt(field), true);
  }
  return bytes;
}

const contains = (bytes: Uint8Array, part: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(part));
