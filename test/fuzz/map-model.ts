import { BOOT_ROM, IMAGES, OPTION_ROM, RAM } from './guest.ts';

/**
 * What the map of a fuzzed machine ought to be, worked out the long way: every question is answered by looking at
 * everything. It knows the rules of BARs, attribute registers and the A20 gate, and shares no code with what it judges.
 */

export type SegmentName = 'ram' | 'bootrom' | 'framebuffer' | 'optionrom' | `foreign${number}`;

export interface Piece {
  readonly segment: SegmentName;
  readonly gpa: number;
  readonly offset: number;
  readonly length: number;
  readonly prot: string;
}

interface ModelBar {
  readonly name: string;
  /** In configuration space. */
  readonly offset: number;
  readonly length: number;
  /** Bits that a guest can change, and what the others read as. */
  readonly writable: number;
  readonly fixed: number;
  /** Bits that are no address. */
  readonly low: number;
  /** Behind it; nothing when its accesses are trapped. */
  readonly shows: { readonly segment: SegmentName; readonly prot: string } | undefined;
  value: number;
}

const PAGE = 4096;
const MEMORY_DECODE = 2;
const WINDOWS = [
  { start: RAM, end: 0xfec0_0000 },
  { start: 2 ** 32, end: 2 ** 40 },
];
const SMRAM = { start: 0xa_0000, end: 0xc_0000 };
const PAM = { start: 0xc_0000, end: 0x10_0000 };
const TOP = 2 ** 32;
/** Devices that no BAR moves; the local APIC's page is moved by a register of its own. */
const FIXED = [0xfec0_0000, 0xfed0_0000];
const APIC = 0xfee0_0000;

export interface Foreign {
  readonly kind: 'sysmem' | 'devmem';
  readonly length: number;
}

const overlap = (a: number, aLength: number, b: number, bLength: number): boolean => a < b + bLength && b < a + aLength;

export class MapModel {
  readonly bars: readonly ModelBar[] = [
    {
      name: 'BAR 0',
      offset: 0x10,
      length: 2 ** 24,
      writable: 0xff00_0000,
      fixed: 8,
      low: 0xf,
      shows: { segment: 'framebuffer', prot: 'rw-' },
      value: 8,
    },
    {
      name: 'BAR 2',
      offset: 0x18,
      length: PAGE,
      writable: 0xffff_f000,
      fixed: 0,
      low: 0xf,
      shows: undefined,
      value: 0,
    },
    {
      name: 'option ROM',
      offset: 0x30,
      length: OPTION_ROM,
      writable: 0xffff_f001,
      fixed: 0,
      low: 0x7ff,
      shows: { segment: 'optionrom', prot: 'r-x' },
      value: 0,
    },
  ];
  readonly foreign: Map<string, Foreign> = new Map();
  refusals = 0;
  #command = 0;
  #smram = 0;
  readonly #pam: Uint8Array = new Uint8Array(7);
  /** What the attribute registers have last been able to make of the map. */
  #shown: Piece[] = [];
  #pieces: Piece[] = [];
  readonly #placed: Map<ModelBar, number> = new Map();
  #waiting: { bar: ModelBar; start: number }[] = [];
  #a20 = true;
  /** Where the local APIC's page is, if anywhere. */
  #apic: number | undefined = APIC;
  readonly #bytes: Map<string, number> = new Map();

  constructor() {
    this.#applyPam();
  }

  place(bar: ModelBar): number | undefined {
    return this.#placed.get(bar);
  }

  /** Whether it is decoded, wherever that is. */
  wants(bar: ModelBar): boolean {
    return (this.#command & MEMORY_DECODE) !== 0 && (bar.name !== 'option ROM' || (bar.value & 1) !== 0);
  }

  address(bar: ModelBar): number {
    return (bar.value & ~bar.low) >>> 0;
  }

  /** Every mapping, ascending. */
  mappings(): Piece[] {
    const fixed: Piece[] = [
      { segment: 'ram', gpa: 0, offset: 0, length: SMRAM.start, prot: 'rwx' },
      { segment: 'ram', gpa: PAM.end, offset: PAM.end, length: RAM - PAM.end, prot: 'rwx' },
      { segment: 'bootrom', gpa: TOP - BOOT_ROM, offset: 0, length: BOOT_ROM, prot: 'r-x' },
    ];
    const bars = [...this.#placed].flatMap(([{ shows, length }, gpa]): Piece[] =>
      shows === undefined ? [] : [{ ...shows, gpa, offset: 0, length }],
    );
    return [...fixed, ...this.#shown, ...bars, ...this.#pieces].sort((a, b) => a.gpa - b.gpa);
  }

  // What the guest does to the chipset and to the display

  configure(slot: number, offset: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = offset + i - 0x59;
      if (slot === 0 && at >= 0 && at < 7) this.#pam[at] = (value >>> (8 * i)) & (at === 0 ? 0x30 : 0x33);
      if (slot === 0 && offset + i === 0x72) this.#controlSmram(value >>> (8 * i));
    }
    if (slot === 0) this.#applyPam();
    if (slot === 2) this.#configureDisplay(offset, size, value);
  }

  /** Bit 3 enables, 6 opens, 5 closes; 4 locks, which only a reset undoes, and takes 6 away. */
  #controlSmram(value: number): void {
    this.#smram = (value & 0x78) | (this.#smram & 0x10);
    if ((this.#smram & 0x10) !== 0) this.#smram &= ~0x40;
  }

  setA20(on: boolean): void {
    this.#a20 = on;
  }

  /** Another device stays where it is, and the page is nowhere then; a mapping only hides it. */
  moveApic(start: number): void {
    this.#apic = undefined;
    const inPam = start >= PAM.start && start < PAM.end;
    if (!inPam && !FIXED.includes(start) && this.#device(start) === undefined) this.#apic = start;
  }

  /** What happens before the guest goes on: those who wait are looked at again. */
  slice(): void {
    this.#applyPam();
    this.#retry();
  }

  reset(): void {
    this.#pieces = this.#pieces.filter(({ segment }) => this.foreign.get(segment)?.kind === 'sysmem');
    this.#placed.clear();
    this.#waiting = [];
    for (const bar of this.bars) bar.value = bar.fixed;
    this.#command = 0;
    this.#pam.fill(0);
    this.#smram = 0;
    this.#a20 = true;
    this.#apic = APIC;
    this.#shown = this.#shown.filter(({ segment }) => segment === 'ram');
    this.#applyPam();
  }

  // What is done through the API

  map(piece: Piece): boolean {
    if (piece.gpa + piece.length > 2 ** 40 || this.#hasMapping(piece.gpa, piece.length)) return false;
    this.#pieces.push(piece);
    return true;
  }

  unmap(gpa: number): void {
    this.#pieces = this.#pieces.filter((piece) => piece.gpa !== gpa);
  }

  /** Mappings that came through the API. */
  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  destroy(name: SegmentName): boolean {
    if (this.#pieces.some(({ segment }) => segment === name)) return false;
    this.foreign.delete(name);
    for (const key of this.#bytes.keys()) if (key.startsWith(`${name}+`)) this.#bytes.delete(key);
    return true;
  }

  // What the guest sees

  /** A byte as the guest reads it; nothing where a device answers. */
  load(address: number): number | undefined {
    const gpa = this.#gate(address);
    const piece = this.at(gpa);
    if (piece !== undefined)
      return piece.prot.includes('r') ? this.#byte(piece.segment, gpa - piece.gpa + piece.offset) : 0xff;
    return this.#device(gpa) === undefined ? 0xff : undefined;
  }

  store(address: number, value: number): void {
    const gpa = this.#gate(address);
    const piece = this.at(gpa);
    if (piece?.prot.includes('w') === true) this.#setByte(piece.segment, gpa - piece.gpa + piece.offset, value);
    else if (gpa >= PAM.start && gpa < PAM.end && this.#mode(gpa) === 2) this.#setByte('ram', gpa, value);
  }

  /** Whether code can be fetched. */
  isExecutable(address: number): boolean {
    return this.at(this.#gate(address))?.prot.includes('x') === true;
  }

  at(gpa: number): Piece | undefined {
    return this.mappings().find((piece) => gpa >= piece.gpa && gpa < piece.gpa + piece.length);
  }

  /** The start of the device that answers where nothing is mapped. */
  #device(gpa: number): number | undefined {
    const trapped = [...this.#placed].filter(([bar]) => bar.shows === undefined).map(([, start]) => start);
    return [...FIXED, ...trapped, ...(this.#apic === undefined ? [] : [this.#apic])].find(
      (start) => gpa >= start && gpa < start + PAGE,
    );
  }

  #gate(address: number): number {
    const wrapped = address % TOP;
    return this.#a20 || Math.floor(wrapped / 2 ** 20) % 2 === 0 ? wrapped : wrapped - 2 ** 20;
  }

  #byte(segment: SegmentName, offset: number): number {
    const image = segment === 'bootrom' || segment === 'optionrom' ? IMAGES[segment] : undefined;
    return this.#bytes.get(`${segment}+${offset}`) ?? image?.[offset] ?? 0;
  }

  #setByte(segment: SegmentName, offset: number, value: number): void {
    this.#bytes.set(`${segment}+${offset}`, value & 0xff);
  }

  // Attribute registers

  /** 59h rules F0000 with its high nibble; the nibbles of 5Ah to 5Fh rule 16 KiB each, from C0000 up. */
  #mode(gpa: number): number {
    const index = (gpa - PAM.start) >>> 14;
    const nibble = index >= 12 ? (this.#pam[0] ?? 0) >>> 4 : (this.#pam[1 + (index >>> 1)] ?? 0) >>> (4 * (index % 2));
    return nibble & 3;
  }

  /** Page by page; then neighbours that continue each other become one. All of it, or nothing when something is in the way. */
  #applyPam(): void {
    const pieces: Piece[] = [];
    for (let gpa = SMRAM.start; gpa < PAM.end; gpa += PAGE) {
      const page = gpa < PAM.start ? this.#smramPage(gpa) : this.#pamPage(gpa);
      if (page === undefined) continue;
      const last = pieces.at(-1);
      const continues =
        last?.segment === page.segment &&
        last.prot === page.prot &&
        last.gpa + last.length === gpa &&
        last.offset + last.length === page.offset;
      if (last !== undefined && continues) pieces[pieces.length - 1] = { ...last, length: last.length + PAGE };
      else pieces.push(page);
    }
    const inTheWay = pieces.some((piece) =>
      this.#pieces.some((other) => overlap(piece.gpa, piece.length, other.gpa, other.length)),
    );
    if (!inTheWay) this.#shown = pieces;
  }

  #smramPage(gpa: number): Piece | undefined {
    return (this.#smram & 0x68) === 0x48 ? { segment: 'ram', gpa, offset: gpa, length: PAGE, prot: 'rwx' } : undefined;
  }

  #pamPage(gpa: number): Piece | undefined {
    const mode = this.#mode(gpa);
    if (mode % 2 === 1) return { segment: 'ram', gpa, offset: gpa, length: PAGE, prot: mode === 3 ? 'rwx' : 'r-x' };
    const offset = gpa - (PAM.end - BOOT_ROM);
    return offset < 0 ? undefined : { segment: 'bootrom', gpa, offset, length: PAGE, prot: 'r-x' };
  }

  // BARs

  #configureDisplay(offset: number, size: number, value: number): void {
    const touches = (at: number, length: number): boolean => overlap(offset, size, at, length);
    const merged = (old: number, at: number, writable: number): number => {
      let result = old;
      for (let i = 0; i < size; i++) {
        const shift = 8 * (offset + i - at);
        if (shift < 0 || shift >= 32) continue;
        const mask = (writable & (0xff << shift)) >>> 0;
        result = ((result & ~mask) | ((((value >>> (8 * i)) & 0xff) << shift) & mask)) >>> 0;
      }
      return result;
    };
    if (touches(4, 2)) {
      this.#command = merged(this.#command, 4, 0x0507);
      for (const bar of this.bars) this.#follow(bar);
    }
    for (const bar of this.bars) {
      if (!touches(bar.offset, 4)) continue;
      bar.value = merged(bar.value, bar.offset, bar.writable);
      this.#follow(bar);
    }
  }

  #follow(bar: ModelBar): void {
    this.#want(bar, this.wants(bar) ? this.address(bar) : undefined);
  }

  /** Who came first stays; the others wait in the order in which they came. */
  #want(bar: ModelBar, start: number | undefined): void {
    const wanted = this.#placed.get(bar) ?? this.#waiting.find((waiting) => waiting.bar === bar)?.start;
    if (start !== undefined && start === wanted) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.bar !== bar);
    const wasPlaced = this.#placed.delete(bar);
    if (start !== undefined && this.#canHave(bar, start)) this.#placed.set(bar, start);
    else if (start !== undefined) {
      this.refusals++;
      this.#waiting.push({ bar, start });
    }
    if (wasPlaced) this.#retry();
  }

  #retry(): void {
    for (const { bar, start } of this.#waiting.slice()) {
      if (!this.#canHave(bar, start)) continue;
      this.#placed.set(bar, start);
      this.#waiting = this.#waiting.filter((waiting) => waiting.bar !== bar);
    }
  }

  #canHave({ length }: ModelBar, start: number): boolean {
    const legal = WINDOWS.some((window) => start >= window.start && start + length <= window.end);
    const taken = [...this.#placed].some(([other, at]) => overlap(start, length, at, other.length));
    const atApic = this.#apic !== undefined && overlap(start, length, this.#apic, PAGE);
    return legal && !taken && !atApic && !this.#hasMapping(start, length);
  }

  #hasMapping(gpa: number, length: number): boolean {
    return this.mappings().some((piece) => overlap(gpa, length, piece.gpa, piece.length));
  }
}
