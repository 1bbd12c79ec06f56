import { describe, expect } from 'vitest';
import type { Picture } from '../src/devices/framebuffer.ts';
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

describe('stock OVMF', () => {
  stockTest(
    'reaches the UEFI shell, and a variable that is set there is there after a restart',
    [CODE, VARS],
    async () => {
      using first = await shell(stockFile(VARS));
      expect(first.serial).toContain('starting Boot0001 "EFI Internal Shell"');
      expect(first.serial).toContain(BANNER);
      // The display gets what the serial port has got already.
      await first.run(0.1);
      const picture = first.machine.screenshot();
      if (picture === undefined) throw new Error('the display is off');
      // Each letter of the banner has one glyph and no other, and the prompt is drawn with the same.
      expect(readRow(picture, 0, { row: 0, text: BANNER })).toBe(BANNER);
      expect(readRow(picture, 5, { row: 0, text: BANNER })).toMatch(/^Shell\? ?\??$/);

      // As OVMF leaves the map: the ROM at both its places, and both chips showing their arrays.
      expect(mapOf(first)).toEqual([
        '0-9ffff ram rwx',
        'c0000-c3fff ram r-x',
        'e0000-fffff bootrom r-x',
        '100000-7ffffff ram rwx',
        '80000000-80ffffff framebuffer rw-',
        'ffc00000-ffc83fff vars r--',
        'ffc84000-ffffffff bootrom r-x',
      ]);
      // The ACPI tables were placed by the firmware, and say where it has put the power-management timer.
      const ram = Buffer.from(first.machine.memory.segment('ram')?.bytes ?? []);
      expect(ram.readUInt32LE(lastTable(ram, 'FACP') + 76)).toBe(0xb008);

      expect(await ask(first, 'pci')).toContain('Vendor 1234 Device 1111');

      const variable = 'Skep -guid 6a7b0f5c-8d4e-4a1b-9c3d-2e1f0a9b8c7d';
      expect(await ask(first, `setvar ${variable}`)).toContain('Unable to get');
      const edits = first.trace.length;
      await ask(first, `setvar ${variable} -nv -bs =0x68697665`);
      expect(first.trace.slice(edits).some((line) => / store ffc0.*: {2}-vars ffc00000-ffc83fff r--$/.test(line))).toBe(
        true,
      );

      const kept = first.machine.memory.segment('vars')?.bytes.slice();
      if (kept === undefined) throw new Error('there is no variables’ chip');
      first[Symbol.dispose]();
      using second = await shell(kept);
      expect(await ask(second, `setvar ${variable}`)).toContain('Skep - 0004 Bytes\r\n65 76 69 68');
    },
  );
});
