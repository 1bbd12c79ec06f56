import { StructureWriter } from '../structure-writer.ts';

/** A file of the set: what SeaBIOS puts low, and all the rest. */
export type AcpiFile = 'rsdp' | 'tables';

/** A field that holds an address: at first the offset in `to`, of which the place of `to` is then added. */
export interface AcpiPointer {
  readonly file: AcpiFile;
  readonly at: number;
  readonly size: 4 | 8;
  readonly to: AcpiFile;
}

/** A byte that makes the sum of a range 0. */
export interface AcpiChecksum {
  readonly file: AcpiFile;
  readonly at: number;
  readonly start: number;
  readonly length: number;
}

/** Tables that have no address yet, and what has to be done to them once they have one. */
export interface AcpiTables {
  readonly bytes: Readonly<Record<AcpiFile, Uint8Array>>;
  /** In the order in which they are to be carried out: pointers, then the checksums that cover them. */
  readonly pointers: readonly AcpiPointer[];
  readonly checksums: readonly AcpiChecksum[];
}

const HEADER_LENGTH = 36;
const CHECKSUM = 9;
const OEM = 'SKEP  ';
const OEM_TABLE = 'SKEPPC  ';
const CREATOR = 'SKEP';

/** The header of every table but RSDP and FACS (ACPI 6.4, table 5.4), with room for `length` bytes behind it. */
export function table(signature: string, revision: number, length: number): StructureWriter {
  const writer = new StructureWriter(HEADER_LENGTH + length);
  writer
    .copy(0, ascii(signature))
    .u32(4, HEADER_LENGTH + length)
    .u8(8, revision);
  writer.copy(10, ascii(OEM)).copy(16, ascii(OEM_TABLE)).u32(24, 1).copy(28, ascii(CREATOR)).u32(32, 1);
  return writer;
}

/** Collects tables into one file, with the pointers and checksums that they need. */
export class TableSet {
  readonly pointers: AcpiPointer[] = [];
  readonly checksums: AcpiChecksum[] = [];
  readonly #pieces: { at: number; bytes: Uint8Array }[] = [];
  #length = 0;

  /** Appends a table; where it begins. `pointers` are offsets in it of fields with offsets in this file. */
  add(bytes: Uint8Array, { align = 16, pointers = [] }: { align?: number; pointers?: [number, 4 | 8][] } = {}): number {
    const at = this.#append(bytes, align);
    for (const [offset, size] of pointers) this.pointers.push({ file: 'tables', at: at + offset, size, to: 'tables' });
    this.checksums.push({ file: 'tables', at: at + CHECKSUM, start: at, length: bytes.length });
    return at;
  }

  /** Appends what has no header, and so no checksum. */
  addBare(bytes: Uint8Array, align: number): number {
    return this.#append(bytes, align);
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    for (const { at, bytes } of this.#pieces) all.set(bytes, at);
    return all;
  }

  #append(bytes: Uint8Array, align: number): number {
    const at = Math.ceil(this.#length / align) * align;
    this.#pieces.push({ at, bytes });
    this.#length = at + bytes.length;
    return at;
  }
}

/** The files as they are when they lie at these addresses. */
export function placeTables(
  tables: AcpiTables,
  places: Readonly<Record<AcpiFile, number>>,
): Record<AcpiFile, Uint8Array> {
  const placed = { rsdp: tables.bytes.rsdp.slice(), tables: tables.bytes.tables.slice() };
  for (const { file, at, size, to } of tables.pointers) {
    const view = new DataView(placed[file].buffer);
    view.setUint32(at, view.getUint32(at, true) + places[to], true);
    if (size === 8) view.setUint32(at + 4, 0, true);
  }
  for (const { file, at, start, length } of tables.checksums) {
    const bytes = placed[file];
    bytes[at] = 0;
    bytes[at] = -bytes.subarray(start, start + length).reduce((sum, byte) => sum + byte, 0);
  }
  return placed;
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
