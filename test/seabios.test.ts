import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { MachineRun } from './machine-run.ts';
import { screenText } from './screen-text.ts';
import { programTest, stockFile, stockPath, stockTest, type StockFile } from './stock-guest.ts';

const OPTION_ROM = 'vgabios-bochs-display.bin';
const END = 'No bootable device.';

/**
 * The map when SeaBIOS has finished, as QEMU 7.2 shows it with `info mtree -f` for the same firmware (-M pc -nodefaults
 * -device bochs-display -m 128, without the vapic ROM), names and pieces alike; `rom` there is memory that the guest
 * cannot write. In one place QEMU differs from the chipset's manual: it shows closed system-management RAM where no
 * display's memory is in its way.
 */
const EXPECTED: Readonly<Record<'bios-256k.bin' | 'bios.bin', readonly string[]>> = {
  'bios-256k.bin': [
    '0-9ffff ram rwx',
    'c0000-e7fff ram r-x',
    'e8000-effff ram rwx',
    'f0000-fffff ram r-x',
    '100000-7ffffff ram rwx',
    'fd000000-fdffffff framebuffer rw-',
    'fffc0000-ffffffff bootrom r-x',
  ],
  'bios.bin': [
    '0-9ffff ram rwx',
    'c0000-ebfff ram r-x',
    'ec000-effff ram rwx',
    'f0000-fffff ram r-x',
    '100000-7ffffff ram rwx',
    'fd000000-fdffffff framebuffer rw-',
    'fffe0000-ffffffff bootrom r-x',
  ],
};

const BIOSES = ['bios-256k.bin', 'bios.bin'] as const;

function start(bios: StockFile, firmwareConsole: 'display' | 'serial' = 'display'): MachineRun {
  return new MachineRun({
    bootRom: stockFile(bios),
    display: { width: 1024, height: 768, optionRom: stockFile(OPTION_ROM) },
    firmwareConsole,
  });
}

/** SeaBIOS logs a line before it shows it. */
async function runToEnd(run: MachineRun): Promise<void> {
  await run.runUntil(END, 'debugConsole');
  await run.run(0.1);
}

function mapOf({ machine }: MachineRun): string[] {
  return Array.from(machine.memory, ({ segment, gpa, end, prot }) => {
    return `${gpa.toString(16)}-${(end - 1).toString(16)} ${segment.name} ${prot}`;
  });
}

for (const bios of BIOSES) {
  describe(`stock SeaBIOS (${bios})`, () => {
    stockTest('runs to its end, says what it does, and shows it', [bios, OPTION_ROM], async () => {
      using run = start(bios);
      await runToEnd(run);
      expect(run.debugConsole).toMatch(/^SeaBIOS \(version 1\./);
      expect(run.debugConsole).toContain('Running on QEMU (i440fx)');
      expect(run.debugConsole).toContain('QEMU fw_cfg DMA interface supported');
      expect(run.debugConsole).toContain('addr 0x0000000000000000 len 0x0000000008000000 [RAM]');
      expect(run.debugConsole).toContain('No VGA found, scan for other display');
      expect(run.debugConsole).toMatch(/bochs-display: bdf 00:02.0, bar 0 at 0xfd000000/);
      expect(run.debugConsole).toContain('bochs-display: id is 0xb0c5, good');
      expect(run.debugConsole).toContain('PS2 keyboard initialized');
      // The ACPI tables that it was given, placed by their loader script and believed.
      expect(run.debugConsole).toContain('Using pmtimer, ioport 0x608');
      expect(mapOf(run)).toEqual(EXPECTED[bios]);
      const picture = run.machine.screenshot();
      expect(picture).toBeDefined();
      if (picture === undefined) return;
      const text = screenText(picture, stockFile(OPTION_ROM));
      expect(text).toMatch(/SeaBIOS \(version 1\./);
      expect(text).toContain(END);
    });

    stockTest('leaves a trace of PAM edits and of the framebuffer being placed', [bios, OPTION_ROM], async () => {
      using run = start(bios);
      await runToEnd(run);
      expect(run.trace.filter((line) => /pci 00\.0 \[5[9a-f]\]/.test(line)).length).toBeGreaterThan(0);
      expect(run.trace.some((line) => /pci 02\.0 \[.*\+framebuffer fd000000-fdffffff rw-/.test(line))).toBe(true);
    });

    stockTest('speaks on the serial port too when it is told to', [bios, OPTION_ROM], async () => {
      using run = start(bios, 'serial');
      await runToEnd(run);
      expect(run.serial).toContain('SeaBIOS (version 1.');
      expect(run.serial).toContain(END);
    });

    stockTest('runs the same twice: trace, output and count of instructions', [bios, OPTION_ROM], async () => {
      const record = async (): Promise<unknown> => {
        using run = start(bios);
        await runToEnd(run);
        return [run.trace, run.debugConsole, run.serial, run.machine.engine.instructions];
      };
      expect(await record()).toEqual(await record());
    });
  });
}

describe('the same SeaBIOS on QEMU', () => {
  programTest(
    'ends with the map that is expected here, but for system-management RAM',
    'qemu-system-x86_64',
    'qemu-system-x86',
    async () => {
      expect(await qemuMap('bios-256k.bin')).toEqual(['0-bffff ram rwx', ...EXPECTED['bios-256k.bin'].slice(1)]);
    },
    ['bios-256k.bin', OPTION_ROM],
  );
});

/** What QEMU says of its memory once SeaBIOS has finished, in this test's words. */
async function qemuMap(bios: StockFile): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-qemu-'));
  const log = join(folder, 'debugcon');
  const display = `bochs-display,romfile=${stockPath(OPTION_ROM)}`;
  const args = ['-M', 'pc', '-nodefaults', '-device', display, '-m', '128', '-display', 'none', '-accel', 'tcg'];
  args.push('-bios', stockPath(bios), '-global', 'apic-common.vapic=off', '-monitor', 'stdio');
  args.push('-debugcon', `file:${log}`, '-global', 'isa-debugcon.iobase=0x402');
  const qemu = spawn('qemu-system-x86_64', args);
  try {
    let monitor = '';
    qemu.stdout.on('data', (chunk: Buffer) => (monitor += chunk.toString()));
    const ended = new Promise((resolve) => qemu.on('exit', resolve));
    while (qemu.exitCode === null && !(existsSync(log) && readFileSync(log, 'latin1').includes(END))) await delay(100);
    qemu.stdin.write('info mtree -f\nquit\n');
    await ended;
    return piecesOf(monitor);
  } finally {
    qemu.kill();
    rmSync(folder, { recursive: true });
  }
}

const NAMES: Readonly<Record<string, string>> = {
  'pc.ram': 'ram',
  'pc.bios': 'bootrom',
  'bochs-display-vram': 'framebuffer',
};

function piecesOf(monitor: string): string[] {
  const [, view = ''] = monitor.split('AS "memory"');
  const pieces =
    view.split('FlatView #')[0]?.matchAll(/^\s*0*([0-9a-f]+)-0*([0-9a-f]+) \(prio -?\d+, (ram|rom)\): (\S+)/gm) ?? [];
  return Array.from(pieces, ([, start, end, kind, name = '']) => {
    const protection = name === 'bochs-display-vram' ? 'rw-' : kind === 'ram' ? 'rwx' : 'r-x';
    return `${start === '' ? '0' : start}-${end} ${NAMES[name]} ${protection}`;
  });
}
