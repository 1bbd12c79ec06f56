import type { SegmentKind } from './segment.ts';

/** A run of bytes that a store has given out. */
export interface Extent {
  /** The store's own number for the first byte: a multiple of the page size, never 0, below 2^32. */
  readonly address: number;
  /** All of the bytes. Stays valid until the extent is freed. */
  readonly bytes: Uint8Array;
}

/** A slice of a sysmem segment, and where in guest-physical space it is meant to be. Bytes, multiples of the page size. */
export interface SysmemSlice {
  readonly offset: number;
  readonly length: number;
  readonly gpa: number;
}

/** What an extent is for. A store whose bytes other processes map names and lays out its files by this; others ignore it. */
export interface ExtentUse {
  readonly name: string;
  readonly kind: SegmentKind;
  /**
   * Of sysmem: where other processes find the bytes, who know RAM by its guest-physical addresses. The slices make up the
   * segment, in order. It maps nothing. When absent, offset 0 is GPA 0.
   */
  readonly layout?: readonly SysmemSlice[];
}

/**
 * Where segments get their bytes from. A store knows nothing of guests: it gives out page-aligned, zero-filled extents.
 * Whoever makes a store ends it; several guest memories may share one.
 */
export interface Store extends Disposable {
  /** Bytes for a segment. Throws MemoryError ENOMEM. */
  allocate(length: number, use?: ExtentUse): Extent;
  /** Bytes for skep's own tables, next to the guest's bytes but never shared with another process. Throws ENOMEM. */
  allocateTable(length: number): Extent;
  free(extent: Extent): void;
  /** Bytes given out and not freed. */
  readonly used: number;
}
