import { describe, expect } from 'vitest';
import { HPET_PAGE } from '../src/devices/hpet.ts';
import { IO_APIC_PAGE } from '../src/devices/io-apic.ts';
import { APIC_PAGE } from '../src/devices/local-apic.ts';
import type { Machine } from '../src/index.ts';
import { CHIPSET_END, pciWindows, ramLayout } from '../src/machine/layout.ts';
import { expectedFlags } from './linux-flags.ts';
import { LinuxGuest, WARNINGS } from './linux-guest.ts';
import { nightlyTest, stockTest, type StockFile } from './stock-guest.ts';

/** A line of /proc/iomem. */
interface Resource {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** Within the one before it that is not. */
  readonly nested: boolean;
}

function resource(line: string): Resource {
  const [, blanks, start, last, name] = /^( *)(\w+)-(\w+) : (.*)$/.exec(line) ?? [];
  if (start === undefined || last === undefined || name === undefined) throw new Error(`not a resource: '${line}'`);
  return { start: parseInt(start, 16), end: parseInt(last, 16) + 1, name, nested: blanks !== '' };
}

/** Ranges in ascending order, those that touch joined. */
function join(ranges: readonly { start: number; end: number }[]): { start: number; end: number }[] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined;
}

function expectAgreement(machine: Machine, resources: readonly Resource[]): void {
  const named = (...names: string[]) =>
    resources.filter(({ name }) => names.includes(name)).map(({ start, end }) => ({ start, end }));
  const mapped = Array.from(machine.memory);
  const ram = mapped
    .filter(({ segment }) => segment.kind === 'sysmem')
    .map(({ gpa, length }) => ({ start: gpa as number, end: gpa + length }));
  const high = ({ start }: { start: number }): boolean => start >= CHIPSET_END;
  expect(join(named('System RAM', 'ACPI Non-volatile Storage')).filter(high)).toEqual(join(ram).filter(high));
  for (const { start, end } of named('System RAM')) {
    expect(join(ram).some((range) => range.start <= start && end <= range.end)).toBe(true);
  }
  const layout = ramLayout(machine.memory.segment('ram')?.length ?? 0);
  expect(pciWindows(layout)).toEqual(expect.arrayContaining(named('PCI Bus 0000:00')));
  const pages = (page: { start: number; length: number }) => [{ start: page.start, end: page.start + page.length }];
  expect(named('IOAPIC 0')).toEqual(pages({ ...IO_APIC_PAGE, length: 0x400 }));
  expect(named('HPET 0')).toEqual(pages(HPET_PAGE));
  expect(named('Local APIC')).toEqual(pages(APIC_PAGE));
  expectBars(machine, resources);
}

/** Linux names a BAR for its function; what is behind it is where Linux says. */
function expectBars(machine: Machine, resources: readonly Resource[]): void {
  const bars = machine.devices().flatMap((device) => {
    if (device.bus !== 'pci') return [];
    const name = `0000:00:${device.slot.toString(16).padStart(2, '0')}.${device.function}`;
    return device.bars
      .filter(({ type }) => type !== 'io')
      .map(({ place, length }) => ({ start: place ?? -1, end: (place ?? -1) + length, name, nested: true }));
  });
  expect(resources.filter(({ name }) => name.startsWith('0000:'))).toEqual(bars);
  expect(bars.length).toBeGreaterThan(0);
  const framebuffer = machine.memory.segment('framebuffer');
  expect(Array.from(machine.memory).find(({ segment }) => segment === framebuffer)?.gpa).toBe(bars[0]?.start);
}

interface Case {
  readonly name: string;
  readonly kernel: StockFile;
  readonly busybox: StockFile;
  readonly machine: string;
  readonly limit: number;
  readonly warnings: readonly string[];
  readonly guestTest: typeof stockTest;
}

const AMD64 = { busybox: 'busybox-amd64', machine: 'x86_64', warnings: WARNINGS.always } as const;
const I386 = { busybox: 'busybox-i386', machine: 'i686', limit: 120 } as const;
const CASES: readonly Case[] = [
  { ...AMD64, name: 'amd64 clouds', kernel: 'vmlinuz-amd64', limit: 60, guestTest: stockTest },
  {
    ...I386,
    name: '686',
    kernel: 'vmlinuz-686',
    warnings: [...WARNINGS.always, ...WARNINGS.withoutPae],
    guestTest: stockTest,
  },
  { ...AMD64, name: 'amd64', kernel: 'vmlinuz-full-amd64', limit: 120, guestTest: nightlyTest },
  { ...I386, name: '686 with PAE', kernel: 'vmlinuz-686-pae', warnings: WARNINGS.always, guestTest: nightlyTest },
];

/** Said of what a kernel can do without, or by way of a hint how to complain. */
const HARMLESS = /pci=nocrs|Early table checksum verification disabled|PnPBIOS: Disabled by ACPI|resource window/;
const COMPLAINT =
  /(tsc|apic|acpi|x87|fpu|timer|clocksource|irq|mtrr|pat|pci|hpet|rtc)\b.*(warn|error|fail|disabled|unstable|unable|bug|invalid|spurious|skipp)/i;

describe.each(CASES)("Debian's kernel for $name", ({ kernel, busybox, machine, limit, warnings, guestTest }) => {
  guestTest(
    'gives a shell, finds the machine as it is, complains of nothing and powers off',
    [kernel, busybox],
    async () => {
      using guest = new LinuxGuest({ kernel, busybox, limit });
      await guest.boot();
      expect(await guest.command('uname -m; echo $((6*7)).')).toEqual([machine, '42.']);
      expect(await guest.warnings()).toEqual(warnings);
      const log = guest.run.serial.replaceAll('\r', '').split('\n');
      const complaints = log.filter((line) => COMPLAINT.test(line) && !HARMLESS.test(line));
      expect(complaints.filter((line) => !warnings.some((warning) => line.endsWith(warning)))).toEqual([]);

      await guest.command('echo 1 > /sys/bus/pci/devices/0000:00:02.0/enable');
      expectAgreement(guest.run.machine, (await guest.command('cat /proc/iomem')).map(resource));
      const flags = (await guest.command('grep flags /proc/cpuinfo')).join('').replace(/^flags\s*: /, '');
      expect(flags.split(' ').sort()).toEqual(await expectedFlags(machine === 'x86_64'));
      expect(await guest.command('cat /proc/mtrr')).toEqual([
        'reg00: base=0x080000000 ( 2048MB), size= 2048MB, count=1: uncachable',
      ]);
      expect(await guest.command('cat /sys/devices/system/clocksource/clocksource0/current_clocksource')).toEqual([
        'tsc',
      ]);

      guest.type('poweroff -f\n');
      expect(await guest.run.run(limit)).toBe('power-off');
    },
  );

  guestTest('starts again when it reboots', [kernel, busybox], async () => {
    using guest = new LinuxGuest({ kernel, busybox, limit });
    await guest.boot();
    guest.type('reboot -f\n');
    await guest.run.runUntil('reboot: Restarting system', 'serial', limit);
    await guest.run.runUntil('Linux version', 'serial', limit);
    expect(guest.run.serial.match(/Linux version/g)).toHaveLength(2);
  });
});

describe('the same run twice', () => {
  for (const { name, kernel, busybox, limit } of CASES.slice(0, 2)) {
    const guestTest = name === '686' ? nightlyTest : stockTest;
    guestTest(`of ${name}, from power-on to power-off, is the same`, [kernel, busybox], async () => {
      const run = async () => {
        using guest = new LinuxGuest({ kernel, busybox, limit, commandLine: 'quiet' });
        await guest.boot();
        await guest.command('ls -l /; sleep 0.1; dd if=/dev/urandom bs=64 count=1 | sha256sum');
        guest.type('poweroff -f\n');
        expect(await guest.run.run(limit)).toBe('power-off');
        const { machine, serial, trace } = guest.run;
        return { instructions: machine.engine.instructions, time: machine.now(), serial, trace };
      };
      expect(await run()).toEqual(await run());
    });
  }
});
