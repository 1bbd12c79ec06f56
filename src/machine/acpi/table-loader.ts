import type { FwCfg } from '../../devices/fw-cfg.ts';
import { StructureWriter } from '../structure-writer.ts';
import { ascii, type AcpiFile, type AcpiTables } from './table-set.ts';

/**
 * Commands for firmware that places the tables (SeaBIOS, src/fw/romfile_loader.h): 128
 * bytes each, the command's number first. File names have 56 bytes.
 */
const COMMAND_LENGTH = 128;
const COMMAND = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const ZONE = { high: 1, firstMegabyte: 2 } as const;

const FILES: Readonly<Record<AcpiFile, { name: string; zone: number; align: number }>> = {
  rsdp: { name: 'etc/acpi/rsdp', zone: ZONE.firstMegabyte, align: 16 },
  tables: { name: 'etc/acpi/tables', zone: ZONE.high, align: 64 },
};

/**
 * Gives firmware the tables, and a script that tells it how to place them. They are made anew when firmware fetches them,
 * since it may have moved by then what they speak of; what changes in them has a fixed place and length.
 */
export function serveTables(make: () => AcpiTables, fwCfg: FwCfg): void {
  const tables = make();
  for (const file of ['rsdp', 'tables'] as const) {
    const bytes = tables.bytes[file];
    fwCfg.add(FILES[file].name, bytes, { onSelect: () => bytes.set(make().bytes[file]) });
  }
  fwCfg.add('etc/table-loader', loaderScript(tables));
}

export function loaderScript({ pointers, checksums }: AcpiTables): Uint8Array {
  const commands = [
    ...Object.values(FILES).map(({ name, zone, align }) =>
      command(COMMAND.allocate).copy(4, ascii(name)).u32(60, align).u8(64, zone),
    ),
    ...pointers.map(({ file, to, at, size }) =>
      command(COMMAND.addPointer)
        .copy(4, ascii(FILES[file].name))
        .copy(60, ascii(FILES[to].name))
        .u32(116, at)
        .u8(120, size),
    ),
    ...checksums.map(({ file, at, start, length }) =>
      command(COMMAND.addChecksum).copy(4, ascii(FILES[file].name)).u32(60, at).u32(64, start).u32(68, length),
    ),
  ];
  return Uint8Array.from(commands.flatMap(({ bytes }) => [...bytes]));
}

const command = (kind: number): StructureWriter => new StructureWriter(COMMAND_LENGTH).u32(0, kind);
