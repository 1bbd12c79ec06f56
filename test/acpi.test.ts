import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { acpiTables } from '../src/machine/acpi/tables.ts';
import { placeTables } from '../src/machine/acpi/table-set.ts';
import { ramLayout } from '../src/machine/layout.ts';
import { programTest } from './stock-guest.ts';

const MiB = 2 ** 20;

/** Every table of a machine with so much memory, by signature, as files of a folder; gives what iasl said of each. */
function disassemble(folder: string, memory: number): Map<string, { said: string; source: string }> {
  const { tables } = placeTables(acpiTables({ ram: ramLayout(memory), processors: 2 }), {
    rsdp: 0xf_0000,
    tables: 0x100_0000,
  });
  const view = new DataView(tables.buffer);
  const results = new Map<string, { said: string; source: string }>();
  for (let at = 0; at < tables.length;) {
    const length = view.getUint32(at + 4, true);
    const signature = String.fromCharCode(...tables.subarray(at, at + 4));
    const file = join(folder, signature);
    writeFileSync(`${file}.aml`, tables.subarray(at, at + length));
    const { stdout, stderr } = spawnSync('iasl', ['-d', `${file}.aml`], { encoding: 'utf8' });
    results.set(signature, { said: stdout + stderr, source: readFileSync(`${file}.dsl`, 'utf8') });
    at = Math.ceil((at + length) / 16) * 16;
  }
  return results;
}

describe('iasl', () => {
  for (const memory of [64 * MiB, 3072 * MiB, 3584 * MiB]) {
    programTest(
      `finds no error in the tables of a machine with ${memory / MiB} MiB`,
      'iasl',
      'acpica-tools',
      async () => {
        const folder = mkdtempSync(join(tmpdir(), 'skep-acpi-'));
        try {
          const results = disassemble(folder, memory);
          expect([...results.keys()]).toEqual(['FACS', 'DSDT', 'FACP', 'APIC', 'HPET', 'RSDT', 'XSDT']);
          for (const { said, source } of results.values()) {
            expect(said).not.toMatch(/error|warning|invalid|incorrect|exception|could not/i);
            expect(source).not.toMatch(/error|warning|invalid|incorrect|unknown/i);
          }
          const recompiled = spawnSync('iasl', [join(folder, 'DSDT.dsl')], { encoding: 'utf8' });
          expect(recompiled.stdout).toContain('0 Errors, 0 Warnings');
          expect(results.get('DSDT')?.source).toContain('Device (PCI0)');
        } finally {
          rmSync(folder, { recursive: true });
        }
      },
    );
  }
});
