import { describe, expect, test } from 'vitest';
import { ramLayout } from '../layout.ts';
import { loaderScript } from './table-loader.ts';
import { acpiTables } from './tables.ts';
import { placeTables } from './table-set.ts';

const PLACES = { rsdp: 0xf_0000, tables: 0x7fe_0000 };
const tables = acpiTables({ ram: ramLayout(128 * 2 ** 20), processors: 2 });
const placed = placeTables(tables, PLACES);
const view = new DataView(placed.tables.buffer);

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** The table at an address. */
function tableAt(address: number): Uint8Array {
  const at = address - PLACES.tables;
  return placed.tables.subarray(at, at + view.getUint32(at + 4, true));
}

const number = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at, true);

const rsdt = tableAt(number(placed.rsdp, 16));
const xsdt = tableAt(number(placed.rsdp, 24));
const listed = [36, 40, 44].map((at) => tableAt(number(rsdt, at)));

describe('tables at their places', () => {
  test('the root pointer has both its checksums', () => {
    expect(text(placed.rsdp.subarray(0, 8))).toBe('RSD PTR ');
    expect([sum(placed.rsdp.subarray(0, 20)), sum(placed.rsdp)]).toEqual([0, 0]);
  });

  test('both root tables list the same tables, and all sums are 0', () => {
    expect([36, 44, 52].map((at) => tableAt(number(xsdt, at)))).toEqual(listed);
    expect(listed.map((table) => text(table.subarray(0, 4)))).toEqual(['FACP', 'APIC', 'HPET']);
    for (const table of [rsdt, xsdt, ...listed]) expect(sum(table)).toBe(0);
  });

  test('the fixed description leads to DSDT and FACS, which has one field only', () => {
    const [fadt] = listed;
    if (fadt === undefined) throw new Error('no FADT');
    expect(text(tableAt(number(fadt, 40)).subarray(0, 4))).toBe('DSDT');
    expect(number(fadt, 140)).toBe(number(fadt, 40));
    const facs = number(fadt, 36);
    expect(text(tableAt(facs).subarray(0, 4))).toBe('FACS');
    // With both fields set, a guest would see two of them.
    expect([facs % 64, number(fadt, 132)]).toEqual([0, 0]);
    expect(sum(tableAt(number(fadt, 40)))).toBe(0);
  });

  test('the description has one local APIC for each processor', () => {
    const madt = listed[1] ?? new Uint8Array();
    expect([madt[44], madt[52], madt[60]]).toEqual([0, 0, 1]);
    expect([madt[47], madt[55]]).toEqual([0, 1]);
  });
});

describe('the loader script', () => {
  const script = loaderScript(tables);
  const commands = Array.from({ length: script.length / 128 }, (_, i) => script.subarray(i * 128, (i + 1) * 128));

  test('allocates before it points, and points before it sums', () => {
    const kinds = commands.map((command) => number(command, 0));
    expect(kinds).toEqual([...kinds].sort((a, b) => a - b));
    expect(new Set(kinds)).toEqual(new Set([1, 2, 3]));
  });

  test('carried out as firmware does, gives what direct boot has', () => {
    const files: Record<string, { at: number; bytes: Uint8Array }> = {};
    const name = (command: Uint8Array, at: number): string => text(command.subarray(at, at + 56)).replaceAll('\0', '');
    for (const command of commands) {
      const target = name(command, 4);
      const file = (files[target] ??= {
        at: target.endsWith('rsdp') ? PLACES.rsdp : PLACES.tables,
        bytes: (target.endsWith('rsdp') ? tables.bytes.rsdp : tables.bytes.tables).slice(),
      });
      if (number(command, 0) === 2) {
        const at = number(command, 116);
        const source = files[name(command, 60)];
        new DataView(file.bytes.buffer).setUint32(at, number(file.bytes, at) + (source?.at ?? 0), true);
      } else if (number(command, 0) === 3) {
        const [result, start, length] = [60, 64, 68].map((at) => number(command, at));
        file.bytes[result ?? 0] = -sum(file.bytes.subarray(start, (start ?? 0) + (length ?? 0)));
      }
    }
    expect(files['etc/acpi/rsdp']?.bytes).toEqual(placed.rsdp);
    expect(files['etc/acpi/tables']?.bytes).toEqual(placed.tables);
  });
});
