import { hex } from '../base/hex.ts';
import { isExactRange } from './address.ts';
import { MemoryError } from './memory-error.ts';
import type { PageStates } from './page-states.ts';
import { Placements } from './placements.ts';
import type { Extent } from './store.ts';

/** `sysmem` is RAM: it stays mapped over a reset, and devices that do DMA may see it. `devmem` belongs to a device. */
export type SegmentKind = 'sysmem' | 'devmem';

export const SEGMENT_KINDS: readonly string[] = ['sysmem', 'devmem'] satisfies SegmentKind[];

/** A named, zero-filled, page-multiple run of bytes. It exists whether or not the guest can see it. */
export interface Segment {
  /** Never reused in the life of its guest memory, never renumbered. The first segment is 0. */
  readonly id: number;
  readonly name: string;
  readonly kind: SegmentKind;
  /** Bytes. */
  readonly length: number;
  /** Live view of all bytes. Writes through it are *not* tracked: no dirty log, no code tracker hears of them. */
  readonly bytes: Uint8Array;
  /** Copies bytes out, whatever the guest's protection. Throws EINVAL past the end. */
  read(offset: number, target: Uint8Array): void;
  /** Copies bytes in, whatever the guest's protection; dirty log and code trackers hear. Throws EINVAL past the end. */
  write(offset: number, source: Uint8Array): void;
}

/** The segment as guest memory keeps it. */
export class SegmentRecord implements Segment {
  readonly id: number;
  readonly name: string;
  readonly kind: SegmentKind;
  readonly length: number;
  /** The store's address of the first byte. */
  readonly address: number;
  /** Where the guest sees it. */
  readonly placements: Placements = new Placements();
  /** Flags of each page beyond protection (`LOGGED`, `CODE`, …); made when the first one is raised. */
  pageFlags: Uint16Array | undefined = undefined;
  readonly #states: PageStates;
  #extent: Extent | undefined;

  constructor(facts: { id: number; name: string; kind: SegmentKind }, extent: Extent, states: PageStates) {
    this.id = facts.id;
    this.name = facts.name;
    this.kind = facts.kind;
    this.length = extent.bytes.length;
    this.address = extent.address;
    this.#extent = extent;
    this.#states = states;
  }

  get bytes(): Uint8Array {
    return this.extent.bytes;
  }

  /** Throws ENOENT once the segment is gone: its bytes may be another's by then. */
  get extent(): Extent {
    if (this.#extent !== undefined) return this.#extent;
    throw new MemoryError('ENOENT', `segment ${this.name} has been destroyed`, { segment: this.name });
  }

  read(offset: number, target: Uint8Array): void {
    const { bytes } = this;
    this.#check(offset, target.length);
    copy(bytes, offset, target, 0, target.length);
  }

  write(offset: number, source: Uint8Array): void {
    const { bytes } = this;
    this.#check(offset, source.length);
    this.#states.beforeWrite(this, offset, source.length);
    copy(source, 0, bytes, offset, source.length);
  }

  /** Parts the segment from its bytes, which are the caller's to free. */
  detach(): Extent {
    const { extent } = this;
    this.#extent = undefined;
    return extent;
  }

  toJSON(): object {
    const { id, name, kind, length } = this;
    return { id, name, kind, length };
  }

  #check(offset: number, length: number): void {
    if (isExactRange(offset, length) && offset <= this.length && length <= this.length - offset) return;
    throw new MemoryError(
      'EINVAL',
      `${length} bytes at offset ${hex(offset)} do not lie in segment ${this.name} of ${hex(this.length)} bytes`,
      { segment: this.name, offset: hex(offset), length: hex(length) },
    );
  }
}

/** Up to here a loop beats making a view for `set`, and it makes no garbage. */
const SHORT = 32;

export function copy(source: Uint8Array, from: number, target: Uint8Array, to: number, length: number): void {
  if (length > SHORT) {
    target.set(source.subarray(from, from + length), to);
    return;
  }
  for (let index = 0; index < length; index++) target[to + index] = source[from + index]!;
}
