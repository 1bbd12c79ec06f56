import { StructureWriter } from '../structure-writer.ts';

/** Attributes of a segment: bits 8 to 23 of a descriptor's second word (SDM volume 3, figure 3-8). */
const CODE_32 = 0xc09b;
const CODE_64 = 0xa09b;
const DATA = 0xc093;
const BUSY_TSS_32 = 0x008b;
const LIMIT = 0xffff_ffffn;

/** CR0: protection, extension type, paging. CR4: physical-address extension. EFER: long mode enabled and active. */
const CR0_PROTECTED = 0x11n;
const CR0_PAGING = 0x8000_0000n;
const CR4_PAE = 0x20n;
const EFER_LONG = 0x500n;
const FLAGS_RESERVED = 0x2n;

/** Selectors that the Linux boot protocol asks for; the other protocols ask for none. */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TSS_SELECTOR = 0x20;

export const GDT_LENGTH = 0x28;

type Registers = Record<string, bigint>;

/** A table with the descriptors that the states below have loaded already, for whoever loads a segment again. */
export function descriptorTable(long: boolean): Uint8Array {
  const table = new StructureWriter(GDT_LENGTH);
  const descriptor = (selector: number, attributes: number, limit: number): void => {
    table.u16(selector, limit & 0xffff).u8(selector + 5, attributes & 0xff);
    table.u8(selector + 6, ((attributes >> 8) & 0xf0) | ((limit >> 16) & 0xf));
  };
  descriptor(CODE_SELECTOR, long ? CODE_64 : CODE_32, 0xf_ffff);
  descriptor(DATA_SELECTOR, DATA, 0xf_ffff);
  descriptor(TSS_SELECTOR, 0x0089, 0x67);
  return table.bytes;
}

/** Protected mode with flat segments, no paging, interrupts off: how PVH, multiboot and 32-bit Linux begin. */
export function protectedMode(entry: number, gdt: number, general: Registers): Registers {
  return {
    ...flat(CODE_32, gdt),
    cr0: CR0_PROTECTED,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    ...general,
    rip: BigInt(entry),
    rflags: FLAGS_RESERVED,
  };
}

/** 64-bit mode on page tables that map memory to itself: how 64-bit Linux begins. */
export function longMode(entry: number, gdt: number, pageTables: number, general: Registers): Registers {
  return {
    ...flat(CODE_64, gdt),
    cr3: BigInt(pageTables),
    cr4: CR4_PAE,
    efer: EFER_LONG,
    cr0: CR0_PROTECTED | CR0_PAGING,
    ...general,
    rip: BigInt(entry),
    rflags: FLAGS_RESERVED,
  };
}

function flat(code: number, gdt: number): Registers {
  const registers: Registers = {
    'gdtr.base': BigInt(gdt),
    'gdtr.limit': BigInt(GDT_LENGTH - 1),
    'idtr.base': 0n,
    'idtr.limit': 0n,
    cpl: 0n,
    ...segment('cs', CODE_SELECTOR, code, LIMIT),
    ...segment('tr', TSS_SELECTOR, BUSY_TSS_32, 0x67n),
    ...segment('ldtr', 0, 0, 0n),
  };
  for (const name of ['ds', 'es', 'ss', 'fs', 'gs'])
    Object.assign(registers, segment(name, DATA_SELECTOR, DATA, LIMIT));
  return registers;
}

function segment(name: string, selector: number, attributes: number, limit: bigint): Registers {
  return {
    [name]: BigInt(selector),
    [`${name}.base`]: 0n,
    [`${name}.limit`]: limit,
    [`${name}.attributes`]: BigInt(attributes),
  };
}

const TABLE_LENGTH = 4096;
const LARGE_PAGE = 2 ** 21;
const DIRECTORIES = 4;
export const PAGE_TABLES_LENGTH: number = (2 + DIRECTORIES) * TABLE_LENGTH;

/** Page tables for the first 4 GiB, in pages of 2 MiB, to be put at `gpa`: present, writable, large. */
export function identityPageTables(gpa: number): Uint8Array {
  const tables = new StructureWriter(PAGE_TABLES_LENGTH);
  const pointers = TABLE_LENGTH;
  const directories = 2 * TABLE_LENGTH;
  tables.u64(0, gpa + pointers + 0x3);
  for (let i = 0; i < DIRECTORIES; i++) tables.u64(pointers + 8 * i, gpa + directories + i * TABLE_LENGTH + 0x3);
  for (let i = 0; i < DIRECTORIES * 512; i++) tables.u64(directories + 8 * i, i * LARGE_PAGE + 0x83);
  return tables.bytes;
}
