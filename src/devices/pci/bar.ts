import { assert } from '../../base/assert.ts';
import { PAGE_SIZE } from '../../base/units.ts';
import type { IoHandler } from '../../bus/io-handler.ts';
import type { Register } from '../../bus/registers.ts';
import type { Window } from '../../memory/window.ts';
import { MappedRange } from './mapped-range.ts';
import type { Placeable, Placement } from './placement.ts';
import { SegmentHandler } from './segment-handler.ts';
import { TrappedRange } from './trapped-range.ts';

/** What lies behind a BAR: bytes that the guest sees directly, or a handler that is asked for each access. */
export type BarBacking =
  | {
      readonly window: Window;
      /** Only matters below a page, where accesses are trapped. */ readonly writable?: boolean;
    }
  | { readonly handler: IoHandler };

export type BarType = 'io' | 'mem32' | 'mem64' | 'rom';

export interface BarDescription {
  /** 0 to 5; a `mem64` takes the next one too. An option ROM has its own register and needs none. */
  readonly index?: number;
  readonly type: BarType;
  readonly prefetchable?: boolean;
  /** A power of two. */
  readonly length: number;
  readonly backing: BarBacking;
}

/** The two address spaces into which BARs are placed. */
export interface BarSpaces {
  readonly memory: Placement;
  readonly ports: Placement;
}

/** Per type: the low bits that are fixed and what they read as, the least length, the command bit that decodes it. */
const TYPES = {
  io: { fixed: 0x3, reads: 0x1, least: 4, decode: 0x1 },
  mem32: { fixed: 0xf, reads: 0x0, least: 16, decode: 0x2 },
  mem64: { fixed: 0xf, reads: 0x4, least: 16, decode: 0x2 },
  rom: { fixed: 0x7ff, reads: 0x0, least: 2048, decode: 0x2 },
} as const;

const PREFETCHABLE = 0x8;
const ROM_ENABLE = 0x1;
const BAR_0 = 0x10;
const ROM_BAR = 0x30;
const DWORD = 2 ** 32;

/**
 * A base address register (PCI 3.0, 6.2.5): the low bits say what it is, the high bits hold what the guest wrote, and
 * the bits between are 0, which is how a guest learns the size. The register always keeps what the guest wrote; whether
 * anything appears there is the placement's decision.
 */
export class Bar {
  readonly name: string;
  readonly type: BarType;
  readonly length: number;
  readonly offset: number;
  readonly range: Placeable;
  readonly #placement: Placement;
  readonly #prefetchable: boolean;
  #low = 0;
  #high = 0;
  #decoding = false;

  constructor(functionName: string, description: BarDescription, spaces: BarSpaces) {
    const { index, type, length, backing, prefetchable = false } = description;
    this.name = type === 'rom' ? `${functionName} option ROM` : `${functionName} BAR ${index}`;
    this.type = type;
    this.length = length;
    this.offset = type === 'rom' ? ROM_BAR : BAR_0 + 4 * (index ?? 0);
    this.#prefetchable = prefetchable;
    this.#check(index);
    this.#placement = type === 'io' ? spaces.ports : spaces.memory;
    this.range = this.#behind(backing);
  }

  /** Where the registers point, decoded or not. */
  get address(): number {
    return this.#high * DWORD + (this.#low - (this.#low & TYPES[this.type].fixed));
  }

  /** Where the guest sees it now, if anywhere. */
  get place(): number | undefined {
    return this.#placement.placeOf(this.range);
  }

  /** Its registers in configuration space: one, or two for 64 bits. */
  registers(): Register[] {
    const { fixed, reads } = TYPES[this.type];
    const sizeMask = -this.length;
    const low: Register = {
      name: this.name,
      offset: this.offset,
      size: 4,
      reset: reads | (this.#prefetchable ? PREFETCHABLE : 0),
      writable: (this.length >= DWORD ? 0 : (sizeMask & ~fixed) >>> 0) | (this.type === 'rom' ? ROM_ENABLE : 0),
      written: (value) => {
        this.#low = value;
        this.#update();
      },
    };
    return this.type === 'mem64' ? [low, this.#upperHalf()] : [low];
  }

  /** The command register as the guest left it. */
  decode(command: number): void {
    this.#decoding = (command & TYPES[this.type].decode) !== 0;
    this.#update();
  }

  reset(): void {
    this.#low = 0;
    this.#high = 0;
    this.decode(0);
  }

  #upperHalf(): Register {
    return {
      name: `${this.name} upper half`,
      offset: this.offset + 4,
      size: 4,
      writable: this.length > DWORD ? -(this.length / DWORD) >>> 0 : 0xffff_ffff,
      written: (value) => {
        this.#high = value;
        this.#update();
      },
    };
  }

  #update(): void {
    const enabled = this.#decoding && (this.type !== 'rom' || (this.#low & ROM_ENABLE) !== 0);
    this.#placement.want(this.range, enabled ? this.address : undefined);
  }

  #behind(backing: BarBacking): Placeable {
    if ('window' in backing && this.length >= PAGE_SIZE) return new MappedRange(this.length, backing.window, this.name);
    const handler =
      'window' in backing ? new SegmentHandler(backing.window.segment, backing.writable ?? false) : backing.handler;
    return new TrappedRange(this.#placement.bus, this.length, handler, this.name);
  }

  #check(index: number | undefined): void {
    const { least } = TYPES[this.type];
    const last = (index ?? 0) + (this.type === 'mem64' ? 1 : 0);
    assert((index === undefined) === (this.type === 'rom'), `${this.name}: only an option ROM has no index`);
    assert(last <= 5 && (index ?? 0) >= 0, `${this.name}: a function has six BARs`);
    assert(Number.isInteger(Math.log2(this.length)) && this.length >= least, `${this.name}: odd length ${this.length}`);
    assert(this.type === 'mem64' || this.length < DWORD, `${this.name}: ${this.length} bytes need 64 bits`);
  }
}
