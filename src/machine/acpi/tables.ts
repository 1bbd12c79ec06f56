import { HPET_CAPABILITIES, HPET_PAGE } from '../../devices/hpet.ts';
import { IO_APIC_PAGE } from '../../devices/io-apic.ts';
import { APIC_PAGE } from '../../devices/local-apic.ts';
import { IRQ, PCI_IRQS, PM_BASE, PORTS, RESET_PORT, type RamLayout } from '../layout.ts';
import { StructureWriter } from '../structure-writer.ts';
import { dsdtProgram } from './dsdt.ts';
import { ascii, table, TableSet, type AcpiTables } from './table-set.ts';

export interface AcpiOptions {
  readonly ram: RamLayout;
  readonly processors?: number;
  /** Where the power-management block is; where firmware usually puts it when absent. */
  readonly pmBase?: number | undefined;
}

const RSDP_LENGTH = 36;
const FACS_LENGTH = 64;

/** Fields of the fixed description (ACPI 6.4, table 5.9), from the start of the table. Revision 3 has 244 bytes. */
const FADT = {
  facs: 36,
  dsdt: 40,
  sciInterrupt: 46,
  smiCommand: 48,
  acpiEnable: 52,
  acpiDisable: 53,
  pm1Event: 56,
  pm1Control: 64,
  pmTimer: 76,
  gpe0: 80,
  pm1EventLength: 88,
  pm1ControlLength: 89,
  pmTimerLength: 91,
  gpe0Length: 92,
  c2Latency: 96,
  c3Latency: 98,
  century: 108,
  bootArchitecture: 109,
  flags: 112,
  reset: 116,
  resetValue: 128,
  extendedDsdt: 140,
  extendedPm1Event: 148,
  extendedPm1Control: 172,
  extendedPmTimer: 208,
  extendedGpe0: 220,
  length: 244,
} as const;

/** There are legacy devices and a keyboard controller, and no VGA. */
const BOOT_ARCHITECTURE = 0x0007;
/** WBINVD works; C1 on every processor; no sleep button; the clock cannot wake; a register resets. */
const FADT_FLAGS = 0x0001 | 0x0004 | 0x0020 | 0x0040 | 0x0400;
/** A latency beyond these means that there is no such state. */
const NO_C2 = 101;
const NO_C3 = 1001;
const RESET_VALUE = 0x06;

/** Entries of the APIC table (5.2.12). */
const ENTRY = { localApic: 0, ioApic: 1, override: 2, localNmi: 4 } as const;
const DUAL_8259 = 1;
/** Active high, level-triggered. */
const LEVEL_HIGH = 0x000d;
const ALL_PROCESSORS = 0xff;

/** Every table of the machine. One description serves firmware, by its table loader, and direct boot. */
export function acpiTables({ ram, processors = 1, pmBase = PM_BASE }: AcpiOptions): AcpiTables {
  const set = new TableSet();
  const facs = set.addBare(facsTable(), 64);
  const dsdt = set.add(dsdtTable(ram));
  const fadtPointers: [number, 4 | 8][] = [
    [FADT.facs, 4],
    [FADT.dsdt, 4],
    [FADT.extendedDsdt, 8],
  ];
  const fadt = set.add(fadtTable(facs, dsdt, pmBase), { pointers: fadtPointers });
  const listed = [fadt, set.add(madtTable(processors)), set.add(hpetTable())];
  const rsdt = set.add(rootTable('RSDT', listed, 4), { pointers: listed.map((_, i) => [36 + 4 * i, 4]) });
  const xsdt = set.add(rootTable('XSDT', listed, 8), { pointers: listed.map((_, i) => [36 + 8 * i, 8]) });
  return {
    bytes: { rsdp: rootPointer(rsdt, xsdt), tables: set.bytes },
    pointers: [
      ...set.pointers,
      { file: 'rsdp', at: 16, size: 4, to: 'tables' },
      { file: 'rsdp', at: 24, size: 8, to: 'tables' },
    ],
    checksums: [
      ...set.checksums,
      { file: 'rsdp', at: 8, start: 0, length: 20 },
      { file: 'rsdp', at: 32, start: 0, length: RSDP_LENGTH },
    ],
  };
}

/** 5.2.5.3: revision 2, with a checksum over the first 20 bytes and another over all. */
function rootPointer(rsdt: number, xsdt: number): Uint8Array {
  const writer = new StructureWriter(RSDP_LENGTH).copy(0, ascii('RSD PTR ')).copy(9, ascii('SKEP  '));
  return writer.u8(15, 2).u32(16, rsdt).u32(20, RSDP_LENGTH).u64(24, xsdt).bytes;
}

function rootTable(signature: string, listed: readonly number[], size: 4 | 8): Uint8Array {
  const writer = table(signature, 1, listed.length * size);
  for (const [index, at] of listed.entries()) writer.u32(36 + index * size, at);
  return writer.bytes;
}

/** 5.2.10: the one table that the guest writes. */
function facsTable(): Uint8Array {
  return new StructureWriter(FACS_LENGTH).copy(0, ascii('FACS')).u32(4, FACS_LENGTH).u8(32, 1).bytes;
}

function dsdtTable(ram: RamLayout): Uint8Array {
  const program = Uint8Array.from(dsdtProgram(ram));
  // Revision 2: integers of 64 bits.
  return table('DSDT', 2, program.length).copy(36, program).bytes;
}

function fadtTable(facs: number, dsdt: number, pm: number): Uint8Array {
  const writer = table('FACP', 3, FADT.length - 36);
  writer.u32(FADT.facs, facs).u32(FADT.dsdt, dsdt).u64(FADT.extendedDsdt, dsdt);
  writer.u16(FADT.sciInterrupt, IRQ.sci).u32(FADT.smiCommand, PORTS.apm.start);
  writer.u8(FADT.acpiEnable, 0xf1).u8(FADT.acpiDisable, 0xf0);
  writer
    .u32(FADT.pm1Event, pm)
    .u8(FADT.pm1EventLength, 4)
    .u32(FADT.pm1Control, pm + 4)
    .u8(FADT.pm1ControlLength, 2);
  writer
    .u32(FADT.pmTimer, pm + 8)
    .u8(FADT.pmTimerLength, 4)
    .u32(FADT.gpe0, PORTS.gpe.start)
    .u8(FADT.gpe0Length, PORTS.gpe.length);
  writer.u16(FADT.c2Latency, NO_C2).u16(FADT.c3Latency, NO_C3).u8(FADT.century, 0x32);
  writer.u16(FADT.bootArchitecture, BOOT_ARCHITECTURE).u32(FADT.flags, FADT_FLAGS);
  port(writer, FADT.reset, RESET_PORT, 1).u8(FADT.resetValue, RESET_VALUE);
  port(writer, FADT.extendedPm1Event, pm, 4);
  port(writer, FADT.extendedPm1Control, pm + 4, 2);
  port(writer, FADT.extendedPmTimer, pm + 8, 4);
  port(writer, FADT.extendedGpe0, PORTS.gpe.start, PORTS.gpe.length);
  return writer.bytes;
}

/** A generic address (5.2.3.2): I/O space, its length in bits and as a code. */
function port(writer: StructureWriter, at: number, start: number, length: 1 | 2 | 4): StructureWriter {
  return writer
    .u8(at, 1)
    .u8(at + 1, length * 8)
    .u8(at + 3, Math.log2(length) + 1)
    .u64(at + 4, start);
}

/** Processors, the I/O APIC, and where its inputs differ from the ISA interrupts of the same number. */
function madtTable(processors: number): Uint8Array {
  const levels = [...PCI_IRQS, IRQ.sci].sort((a, b) => a - b);
  const entries = [
    ...Array.from({ length: processors }, (_, id) => [ENTRY.localApic, 8, id, id, 1, 0, 0, 0]),
    [ENTRY.ioApic, 12, 0, 0, ...dword(IO_APIC_PAGE.start), ...dword(0)],
    [ENTRY.override, 10, 0, IRQ.timer, ...dword(2), 0, 0],
    ...levels.map((irq) => [ENTRY.override, 10, 0, irq, ...dword(irq), LEVEL_HIGH, 0]),
    [ENTRY.localNmi, 6, ALL_PROCESSORS, 0, 0, 1],
  ].flat();
  return table('APIC', 3, 8 + entries.length)
    .u32(36, APIC_PAGE.start)
    .u32(40, DUAL_8259)
    .copy(44, Uint8Array.from(entries)).bytes;
}

const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** IA-PC HPET Specification 1.0a, 3.2.4. */
function hpetTable(): Uint8Array {
  return table('HPET', 1, 20).u32(36, HPET_CAPABILITIES).u8(40, 0).u8(41, 64).u64(44, HPET_PAGE.start).u16(53, 1000)
    .bytes;
}
