import { describe, expect } from 'vitest';
import type { Picture } from '../src/devices/framebuffer.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const CODE = 'OVMF_CODE_4M.fd';
const VARS = 'OVMF_VARS_4M.fd';
const PROMPT = 'Shell> ';
/** ANSI's control sequences. */
const CURSOR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;=]*[A-Za-z]`, 'g');
const BANNER = 'UEFI Interactive Shell v2.2';

/** OVMF that has come to the prompt of its shell. */
async function shell(variables: Uint8Array): Promise<MachineRun> {
  const run = new MachineRun({ bootRom: stockFile(CODE), variables, display: { width: 1024, height: 768 } });
  await run.runUntil(' in 5 seconds to skip ', 'serial');
  run.machine.serialInput(Uint8Array.of(0x20));
  await run.runUntil(PROMPT, 'serial');
  return run;
}

/** What the shell answers, without what moves its cursor. */
async function ask(run: MachineRun, command: string): Promise<string> {
  const before = run.serial.length;
  run.machine.serialInput(new TextEncoder().encode(`${command}\r`));
  await run.runUntil(PROMPT, 'serial');
  return run.serial.slice(before).replaceAll(CURSOR, '');
}

/** 100 columns and 31 rows of UEFI's glyphs, in the middle of the screen. */
const TEXT = { columns: 100, rows: 31, width: 8, height: 19 } as const;

/** The glyph at a place of the text, as its pixels. */
function glyph({ width, height, pixels }: Picture, row: number, column: number): string {
  const left = Math.floor((width - TEXT.columns * TEXT.width) / 2) + column * TEXT.width;
  const top = Math.floor((height - TEXT.rows * TEXT.height) / 2) + row * TEXT.height;
  return Array.from({ length: TEXT.width * TEXT.height }, (_, i) => {
    const at = (top + Math.floor(i / TEXT.width)) * width + left + (i % TEXT.width);
    return (pixels[4 * at + 1] ?? 0) > 0 ? '#' : '.';
  }).join('');
}

/** Reads a row with the glyphs of another whose text is known. Glyphs that are not in it are `?`. */
function readRow(picture: Picture, row: number, known: { row: number; text: string }): string {
  const font = new Map(Array.from(known.text, (character, i) => [glyph(picture, known.row, i), character]));
  const columns = Array.from({ length: TEXT.columns }, (_, i) => font.get(glyph(picture, row, i)) ?? '?');
  return columns.join('').trimEnd();
}

function mapOf({ machine }: MachineRun): string[] {
  return Array.from(machine.memory, ({ segment, gpa, end, prot }) => {
    return `${gpa.toString(16)}-${(end - 1).toString(16)} ${segment.name} ${prot}`;
  });
}

/** Where the last copy of an ACPI table is, which is the installed one: its signature, and bytes that sum up to 0. */
function lastTable(ram: Buffer, signature: string): number {
  for (let at = ram.lastIndexOf(signature); at > 0; at = ram.lastIndexOf(signature, at - 1)) {
    const table = ram.subarray(at, at + ram.readUInt32LE(at + 4));
    if (at % 4 === 0 && table.length < 4096 && table.reduce((sum, byte) => (sum + byte) & 0xff, 0) === 0) return at;
  }
  throw new Error(`there is no table ${signature}`);
}

/** As OVMF leaves the map: the ROM at both its places, and both chips showing their arrays. */
const MAP = [
  '0-9ffff ram rwx',
  'c0000-c3fff ram r-x',
  'e0000-fffff bootrom r-x',
  '100000-7ffffff ram rwx',
  '80000000-80ffffff framebuffer rw-',
  'ffc00000-ffc83fff vars r--',
  'ffc84000-ffffffff bootrom r-x',
];

/** The banner, and the prompt, which is drawn with the banner's glyphs. A letter that looked like another would show. */
function expectShellOn(picture: Picture | undefined): void {
  if (picture === undefined) throw new Error('the display is off');
  expect(readRow(picture, 0, { row: 0, text: BANNER })).toBe(BANNER);
  expect(readRow(picture, 5, { row: 0, text: BANNER })).toMatch(/^Shell\? ?\??$/);
}

/** Linux's first process: says what the kernel knows of its firmware, and switches off. */
const INIT = `/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox ls /sys/firmware/efi
/bin/busybox cat /proc/iomem
/bin/busybox poweroff -f
exec /bin/busybox sleep 1000`;

/** More than it takes where nothing else runs. */
const TIMEOUT = 600_000;

describe('stock OVMF', () => {
  stockTest(
    'reaches the UEFI shell on both consoles, and a variable that is set there is there after a restart',
    [CODE, VARS],
    async () => {
      const variable = 'Skep -guid 6a7b0f5c-8d4e-4a1b-9c3d-2e1f0a9b8c7d';
      using first = await shell(stockFile(VARS));
      expect(first.serial).toContain('starting Boot0001 "EFI Internal Shell"');
      expect(first.serial).toContain(BANNER);
      // The display gets what the serial port has got already.
      await first.run(0.1);
      expectShellOn(first.machine.screenshot());
      expect(mapOf(first)).toEqual(MAP);

      expect(await ask(first, `setvar ${variable}`)).toContain('Unable to get');
      const edits = first.trace.length;
      await ask(first, `setvar ${variable} -nv -bs =0x68697665`);
      expect(first.trace[edits]).toMatch(/ store ffc0[0-9a-f]{4} = 10: {2}-vars ffc00000-ffc83fff r--$/);

      const kept = first.machine.memory.segment('vars')?.bytes.slice() ?? new Uint8Array();
      using second = await shell(kept);
      expect(await ask(second, `setvar ${variable}`)).toContain('Skep - 0004 Bytes\r\n65 76 69 68');
    },
    TIMEOUT,
  );

  stockTest(
    'starts Linux, which finds its services, the framebuffer and the ACPI tables, and switches off by them',
    [CODE, VARS, 'vmlinuz-amd64', 'busybox-amd64'],
    async () => {
      const initrd = { name: 'initrd', bytes: busyboxInitrd('busybox-amd64', INIT) };
      using run = new MachineRun({
        bootRom: stockFile(CODE),
        variables: stockFile(VARS),
        memory: 256 * 1024 * 1024,
        display: { width: 1024, height: 768 },
        boot: {
          kernel: { name: 'vmlinuz', bytes: stockFile('vmlinuz-amd64') },
          modules: [initrd],
          commandLine: 'console=ttyS0',
          startedBy: 'firmware',
        },
      });
      // Linux is told by the tables where the firmware has put power management, which is not where SeaBIOS puts it.
      expect(await run.run()).toBe('power-off');
      const ram = Buffer.from(run.machine.memory.segment('ram')?.bytes ?? []);
      expect(ram.readUInt32LE(lastTable(ram, 'FACP') + 76)).toBe(0xb008);
      expect(run.serial).toContain('efi: EFI v2.7');
      expect(run.serial).toContain('Registered efivars operations');
      expect(run.serial).toContain('efifb: framebuffer at 0x80000000');
      expect(run.serial).toMatch(/^config_table +fw_platform_size +runtime +systab/m);
      expect(run.serial).toMatch(/^ +80000000-802fffff : efifb/m);
      expect(run.serial).toMatch(/^ffc00000-ffffffff : Reserved/m);
    },
    TIMEOUT,
  );
});
