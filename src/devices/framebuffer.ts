import { KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { RegisterFile, type Register } from '../bus/registers.ts';
import type { Segment } from '../memory/segment.ts';
import { edid, EDID_LARGEST } from './edid.ts';
import type { DeviceMemory } from './device-memory.ts';
import type { BarDescription, BarSpaces } from './pci/bar.ts';
import { PciFunction } from './pci/pci-function.ts';
import { decodeLine, PIXEL_FORMATS } from './pixel-format.ts';

const VIDEO_MEMORY = 16 * MiB;
const LARGEST_ROM = 16 * MiB;
const LEAST_ROM = 2 * KiB;
/** Pixels each way of the smallest mode that a machine can be configured for. */
const LEAST_MODE = 64;

/** Where things are in BAR 2. Between them nothing answers; the VGA ports at 400h exist on the VGA-class variant only. */
const EDID = 0x000;
const VBE = 0x500;
const EXTENDED = 0x600;

/** The VBE "dispi" registers, 16-bit words in this order. (Bochs VBE display API, revision 5) */
const VBE_NAMES = [
  'id',
  'width',
  'height',
  'depth',
  'enable',
  'bank',
  'virtual width',
  'virtual height',
  'x offset',
  'y offset',
  'video memory',
] as const;
type VbeName = (typeof VBE_NAMES)[number];

const VBE_ID = 0xb0c5;
const ENABLED = 0x01;
/** While set, the width, height and depth registers read as the largest values that they take. */
const GET_CAPABILITIES = 0x02;
const MAXIMA: Partial<Record<VbeName, number>> = { width: EDID_LARGEST, height: EDID_LARGEST, depth: 32 };

/** What the byte-order register reads as, and the only values that change it. */
const LITTLE_ENDIAN = 0x1e1e_1e1e;
const BIG_ENDIAN = 0xbebe_bebe;

/** The configuration cannot be had. */
export class FramebufferError extends Error {
  override readonly name = 'FramebufferError';
  readonly code = 'EINVAL';
  readonly facts: Readonly<Record<string, number>>;

  constructor(sentence: string, facts: Readonly<Record<string, number>>) {
    super(sentence);
    this.facts = facts;
  }
}

export interface FramebufferOptions {
  readonly memory: DeviceMemory;
  readonly spaces: BarSpaces;
  /** The mode that the monitor prefers; 1024 by 768 when absent. */
  readonly width?: number;
  readonly height?: number;
  /** The display's firmware, shown through the option ROM BAR. */
  readonly optionRom?: Uint8Array;
  /** Names of the two segments, for a machine with several displays. */
  readonly segmentNames?: { readonly framebuffer: string; readonly optionRom: string };
}

/** A picture as screenshots want it: rows from the top, four bytes per pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** A picture that is decoded line by line, so that whoever wants it can take his time. */
export interface Scan {
  readonly width: number;
  readonly height: number;
  /** Decodes one line, as it is now, to red, green, blue and 255 per pixel. */
  decode(line: number, target: Uint8Array): void;
}

/**
 * The Bochs display (1234:1111): video memory in a devmem segment that the guest places with BAR 0, and mode registers
 * behind BAR 2. What the guest draws costs no exit; whoever looks at it decodes the segment by the registers.
 */
export class Framebuffer {
  readonly pci: PciFunction;
  readonly segment: Segment;
  readonly #registers: RegisterFile;

  constructor(options: FramebufferOptions) {
    const { memory, spaces, width = 1024, height = 768, optionRom } = options;
    const names = options.segmentNames ?? { framebuffer: 'framebuffer', optionRom: 'optionrom' };
    checkMode(width, height);
    if (optionRom !== undefined) checkRom(optionRom.length);
    this.segment = memory.createSegment({ name: names.framebuffer, kind: 'devmem', length: VIDEO_MEMORY });
    this.#registers = new RegisterFile({
      length: PAGE_SIZE,
      registers: [...edidRegisters(edid({ width, height })), ...this.#vbeRegisters(), ...this.#extendedRegisters()],
      vacant: 0xff,
    });
    this.pci = new PciFunction({
      name: 'Bochs display',
      identity: { vendor: 0x1234, device: 0x1111, classCode: 0x038000, revision: 2 },
      spaces,
      bars: [
        {
          index: 0,
          type: 'mem32',
          prefetchable: true,
          length: VIDEO_MEMORY,
          backing: { window: memory.window(this.segment, { prot: 'rw-' }) },
        },
        { index: 2, type: 'mem32', length: PAGE_SIZE, backing: { handler: this.#registers } },
        ...(optionRom === undefined ? [] : [romBar(memory, names.optionRom, optionRom)]),
      ],
    });
  }

  /** As after power-on: no mode, no address. Video memory keeps its bytes. */
  reset(): void {
    this.pci.reset();
    this.#registers.reset();
  }

  /** What the guest shows; nothing while the mode is off, of an unknown depth, or larger than video memory. */
  snapshot(): Picture | undefined {
    const scan = this.scan();
    if (scan === undefined) return undefined;
    const { width, height } = scan;
    const pixels = new Uint8Array(4 * width * height);
    for (let line = 0; line < height; line++) {
      scan.decode(line, pixels.subarray(4 * width * line, 4 * width * (line + 1)));
    }
    return { width, height, pixels };
  }

  /** The same, by lines. The mode is that of now; the lines are as they are when they are decoded. */
  scan(): Scan | undefined {
    const format = PIXEL_FORMATS[this.#vbe('depth')];
    const [width, height] = [this.#vbe('width'), this.#vbe('height')];
    if ((this.#vbe('enable') & ENABLED) === 0 || format === undefined || width === 0 || height === 0) return undefined;
    const stride = Math.max(this.#vbe('virtual width'), width) * format.bytes;
    const start = this.#vbe('y offset') * stride + this.#vbe('x offset') * format.bytes;
    if (start + stride * (height - 1) + width * format.bytes > VIDEO_MEMORY) return undefined;
    const bigEndian = this.#registers.peek(EXTENDED + 4, 4) === BIG_ENDIAN;
    return {
      width,
      height,
      decode: (line, target) => {
        const from = start + line * stride;
        const source = this.segment.bytes.subarray(from, from + width * format.bytes);
        decodeLine(source, format, bigEndian, target);
      },
    };
  }

  #vbe(name: VbeName): number {
    return this.#registers.peek(vbeOffset(name), 2);
  }

  #vbeRegisters(): Register[] {
    return VBE_NAMES.map((name) => {
      const register = { name, offset: vbeOffset(name), size: 2 } as const;
      if (name === 'id') return { ...register, reset: VBE_ID };
      if (name === 'video memory') return { ...register, reset: VIDEO_MEMORY / (64 * KiB) };
      const most = MAXIMA[name];
      if (most === undefined) return { ...register, writable: 0xffff };
      return { ...register, writable: 0xffff, read: () => (this.#tellsMaxima() ? most : this.#vbe(name)) };
    });
  }

  /** QEMU's extension: how long it is, and the byte order of pixels, which nothing but its two values changes. */
  #extendedRegisters(): Register[] {
    const offset = EXTENDED + 4;
    return [
      { name: 'extension size', offset: EXTENDED, size: 4, reset: 8 },
      {
        name: 'byte order',
        offset,
        size: 4,
        reset: LITTLE_ENDIAN,
        writable: 0xffff_ffff,
        written: (value, previous) => {
          if (value !== LITTLE_ENDIAN && value !== BIG_ENDIAN) this.#registers.poke(offset, 4, previous);
        },
      },
    ];
  }

  #tellsMaxima(): boolean {
    return (this.#vbe('enable') & GET_CAPABILITIES) !== 0;
  }
}

function vbeOffset(name: VbeName): number {
  return VBE + 2 * VBE_NAMES.indexOf(name);
}

/** The monitor's block as read-only registers. Its second half, an extension that does not exist, reads as 0. */
function edidRegisters(block: Uint8Array): Register[] {
  return Array.from({ length: 64 }, (_, i) => ({
    name: `EDID ${i}`,
    offset: EDID + 4 * i,
    size: 4,
    reset: [3, 2, 1, 0].reduce((value, at) => (value << 8) | (block[4 * i + at] ?? 0), 0) >>> 0,
  }));
}

function romBar(memory: DeviceMemory, name: string, image: Uint8Array): BarDescription {
  const length = Math.max(LEAST_ROM, 2 ** Math.ceil(Math.log2(image.length)));
  const segment = memory.createSegment({ name, kind: 'devmem', length: Math.max(length, PAGE_SIZE) });
  segment.write(0, image);
  return { type: 'rom', length, backing: { window: memory.window(segment, { prot: 'r-x' }) } };
}

function isModeSize(size: number): boolean {
  return Number.isInteger(size) && size >= LEAST_MODE && size <= EDID_LARGEST;
}

function checkMode(width: number, height: number): void {
  if (isModeSize(width) && isModeSize(height) && width * height * 4 <= VIDEO_MEMORY) return;
  const rule = `${LEAST_MODE} to ${EDID_LARGEST} each way, and no more pixels than ${VIDEO_MEMORY} bytes hold at 4 bytes each`;
  throw new FramebufferError(`a display of ${width} by ${height} is refused: ${rule}`, { width, height });
}

function checkRom(length: number): void {
  if (length > 0 && length <= LARGEST_ROM) return;
  const sentence = `an option ROM of ${length} bytes is refused: it must have 1 to ${LARGEST_ROM}`;
  throw new FramebufferError(sentence, { length });
}
