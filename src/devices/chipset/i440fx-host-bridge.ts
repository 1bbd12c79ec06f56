import { KiB, MiB } from '../../base/units.ts';
import { allOnes, type IoHandler } from '../../bus/io-handler.ts';
import type { Register } from '../../bus/registers.ts';
import { gpa, type Gpa } from '../../memory/address.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import type { Mapping } from '../../memory/mapping.ts';
import { MemoryError } from '../../memory/memory-error.ts';
import type { Prot } from '../../memory/prot.ts';
import type { Segment } from '../../memory/segment.ts';
import { CONFIG } from '../pci/config-header.ts';
import { PciFunction } from '../pci/pci-function.ts';

const PAM_0 = 0x59;
const PAM_END = 0x60;
/** Each nibble: bit 0 sends reads to RAM, bit 1 writes. The other bits are reserved. */
const PAM_BITS = 0x33;
const READ_RAM = 1;
const WRITE_RAM = 2;

/** System-management RAM control, and what is in it (82443BX, 3.3.20, which says it at length). */
const SMRAM = 0x72;
const SMRAM_OPEN = 0x40;
const SMRAM_CLOSED_TO_DATA = 0x20;
const SMRAM_LOCKED = 0x10;
const SMRAM_ENABLED = 0x08;
/** It is at A0000, and nowhere else. */
const SMRAM_BASE = 0x02;

const GRANULE = 16 * KiB;
/** As much of the boot ROM's end as shows below 1 MiB. */
const ROM_COPY = 128 * KiB;

/** What the programmable attribute map rules, for those who place its handler. */
export const PAM_RANGE = { start: 0xc_0000, end: 0x10_0000, length: 0x4_0000 } as const;

/** Where system-management RAM is. */
const SMRAM_RANGE = { start: 0xa_0000, end: PAM_RANGE.start } as const;

export interface PamArea {
  readonly start: number;
  readonly end: number;
  /** The register and nibble that say what it is. */
  readonly register: number;
  readonly shift: 0 | 4;
}

/**
 * The 13 areas, ascending (82441FX, 3.2.18): the nibbles of 5Ah to 5Fh rule 16 KiB each, from C0000 up, low nibble first;
 * the high nibble of 59h rules the 64 KiB of F0000.
 */
export const PAM_AREAS: readonly PamArea[] = [
  ...Array.from({ length: 12 }, (_, i): PamArea => {
    const start = PAM_RANGE.start + i * GRANULE;
    return { start, end: start + GRANULE, register: PAM_0 + 1 + (i >>> 1), shift: i % 2 === 0 ? 0 : 4 };
  }),
  { start: 0xf_0000, end: PAM_RANGE.end, register: PAM_0, shift: 4 },
];

/** What the bridge may do to the map. It touches its own range and its own two segments only. */
export type PamMemory = Pick<GuestMemory, 'covering' | 'edit'>;

export interface HostBridgeOptions {
  readonly memory: PamMemory;
  /** RAM whose offset is its address below 1 MiB. The machine maps it everywhere but from A0000 to FFFFF. */
  readonly ram: Segment;
  /** The boot ROM, the end of which shows up to FFFFF while an area is not RAM. */
  readonly rom?: Segment;
}

/** A mapping as it ought to be. */
interface Piece {
  readonly segment: Segment;
  readonly gpa: Gpa;
  readonly offset: number;
  readonly length: number;
  readonly prot: Prot;
}

/**
 * The 82441FX host bridge: slot 0. Its attribute map (59h to 5Fh) makes each of 13 areas below 1 MiB RAM or not, for
 * reads and writes apart. Each write to configuration space is at most one edit of the map, which happens whole or not:
 *
 *     nibble  reads            writes   mapped
 *     0       PCI: ROM, or 1s  dropped  ROM r-x where it reaches
 *     1       RAM              dropped  RAM r-x
 *     2       PCI: ROM, or 1s  RAM      ROM r-x where it reaches; `handler` takes the writes
 *     3       RAM              RAM      RAM rwx
 *
 * Neighbours that come out alike are one mapping. (QEMU differs in two places: it shows RAM in mode 2, and has an option
 * ROM area of its own behind C0000 to DFFFF.)
 *
 * System-management RAM, from A0000 to BFFFF, is RAM only while firmware has it open (72h); once that is locked, no more
 * before a reset. There is no system-management mode in which it would be seen otherwise. (QEMU shows RAM there unless
 * a device has something in the way.)
 */
export class I440fxHostBridge {
  readonly pci: PciFunction;
  /** Belongs on the MMIO bus at `PAM_RANGE`: it gets what no mapping there takes. */
  readonly handler: IoHandler;
  readonly #options: HostBridgeOptions;
  /** Nibble per 16 KiB. */
  readonly #modes: Uint8Array = new Uint8Array(PAM_RANGE.length / GRANULE);
  readonly #byte: Uint8Array = new Uint8Array(1);
  #refusals = 0;
  #isBehind = false;

  constructor(options: HostBridgeOptions) {
    this.#options = options;
    this.pci = new PciFunction({
      name: 'i440FX host bridge',
      identity: { vendor: 0x8086, device: 0x1237, classCode: 0x060000, revision: 2 },
      registers: [
        ...pamRegisters(),
        {
          name: 'SMRAM control',
          offset: SMRAM,
          size: 1,
          reset: SMRAM_BASE,
          writable: SMRAM_OPEN | SMRAM_CLOSED_TO_DATA | SMRAM_LOCKED | SMRAM_ENABLED,
          written: (value, previous) => this.#lockSmram(value | (previous & SMRAM_LOCKED)),
        },
      ],
      scratch: { start: CONFIG.deviceSpecific, end: CONFIG.length },
      settled: () => this.#apply(),
    });
    this.handler = {
      read: (_offset, size) => allOnes(size),
      write: (offset, size, value) => {
        for (let i = 0; i < size; i++) this.#writeBehind(offset + i, value >>> (8 * i));
      },
    };
    this.#apply();
  }

  /** How often the map could not follow the registers, because something else was mapped there. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Whether the map is not what the registers say. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Makes the map what the registers say, if that is possible now. */
  catchUp(): void {
    if (this.#isBehind) this.#apply();
  }

  /** Every area back to the PCI side, and system-management RAM closed. After guest memory's own reset, which took the ROM's copy out. */
  reset(): void {
    this.pci.reset();
    this.#apply();
  }

  /** The nibble of an area as the guest left it. */
  mode({ register, shift }: PamArea): number {
    return (this.pci.config.peek(register, 1) >>> shift) & 3;
  }

  /** One byte of a write that no mapping took: to RAM under the ROM, or nowhere. */
  #writeBehind(offset: number, value: number): void {
    if (this.#modes[Math.floor(offset / GRANULE)] !== WRITE_RAM) return;
    this.#byte[0] = value;
    this.#options.ram.write(PAM_RANGE.start + offset, this.#byte);
  }

  #lockSmram(control: number): void {
    const locked = (control & SMRAM_LOCKED) !== 0;
    this.pci.config.poke(SMRAM, 1, locked ? control & ~SMRAM_OPEN : control);
  }

  /** Open and closed at once is for software to avoid; here it is closed. */
  get #isSmramOpen(): boolean {
    const bits = SMRAM_OPEN | SMRAM_CLOSED_TO_DATA | SMRAM_ENABLED;
    return (this.pci.config.peek(SMRAM, 1) & bits) === (SMRAM_OPEN | SMRAM_ENABLED);
  }

  #apply(): void {
    const wanted: Piece[] = this.#isSmramOpen ? [ramPiece(this.#options.ram, SMRAM_RANGE, 'rwx')] : [];
    for (const area of PAM_AREAS) {
      const mode = this.mode(area);
      this.#modes.fill(mode, (area.start - PAM_RANGE.start) / GRANULE, (area.end - PAM_RANGE.start) / GRANULE);
      const piece = this.#pieceOf(area, mode);
      if (piece !== undefined) append(wanted, piece);
    }
    this.#edit(wanted);
  }

  #pieceOf({ start, end }: PamArea, mode: number): Piece | undefined {
    const { ram, rom } = this.#options;
    if ((mode & READ_RAM) !== 0) {
      return ramPiece(ram, { start, end }, (mode & WRITE_RAM) === 0 ? 'r-x' : 'rwx');
    }
    if (rom === undefined) return undefined;
    const first = Math.max(start, MiB - Math.min(rom.length, ROM_COPY));
    if (first >= end) return undefined;
    return { segment: rom, gpa: gpa(first), offset: rom.length - (MiB - first), length: end - first, prot: 'r-x' };
  }

  /** Makes the map so, touching only what differs. */
  #edit(wanted: readonly Piece[]): void {
    const { memory, ram, rom } = this.#options;
    const mapped = [...memory.covering(gpa(SMRAM_RANGE.start), PAM_RANGE.end - SMRAM_RANGE.start)];
    const own = mapped.filter(({ segment }) => segment === ram || segment === rom);
    const obsolete = own.filter((mapping) => !wanted.some((piece) => isSame(piece, mapping)));
    const missing = wanted.filter((piece) => !own.some((mapping) => isSame(piece, mapping)));
    try {
      memory.edit((edit) => {
        for (const mapping of obsolete) edit.withdraw(mapping);
        for (const piece of missing) edit.map(piece);
      });
      this.#isBehind = false;
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      this.#refusals++;
      this.#isBehind = true;
    }
  }
}

/** RAM at its own address. */
function ramPiece(ram: Segment, { start, end }: { start: number; end: number }, prot: Prot): Piece {
  return { segment: ram, gpa: gpa(start), offset: start, length: end - start, prot };
}

function pamRegisters(): Register[] {
  return Array.from({ length: PAM_END - PAM_0 }, (_, i): Register => {
    const writable = i === 0 ? PAM_BITS & 0xf0 : PAM_BITS;
    return { name: `PAM${i}`, offset: PAM_0 + i, size: 1, writable };
  });
}

/** Adds a piece, as part of the last one where it continues it: a segment's bytes have fixed addresses in here. */
function append(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  const continues =
    last !== undefined &&
    last.segment === piece.segment &&
    last.prot === piece.prot &&
    last.gpa + last.length === piece.gpa;
  if (continues) pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  else pieces.push(piece);
}

function isSame(piece: Piece, mapping: Mapping): boolean {
  return (
    piece.segment === mapping.segment &&
    piece.gpa === mapping.gpa &&
    piece.offset === mapping.offset &&
    piece.length === mapping.length &&
    piece.prot === mapping.prot
  );
}
