/** A run of bytes that a store has given out. */
export interface Extent {
  /** The store's own number for the first byte: a multiple of the page size, never 0, below 2^32. */
  readonly address: number;
  /** All of the bytes. Stays valid until the extent is freed. */
  readonly bytes: Uint8Array;
}

/**
 * Where segments get their bytes from. A store knows nothing of guests: it gives out page-aligned, zero-filled extents.
 * Whoever makes a store ends it; several guest memories may share one.
 */
export interface Store extends Disposable {
  /** Bytes for a segment. Throws MemoryError ENOMEM. */
  allocate(length: number): Extent;
  /** Bytes for skep's own tables, next to the guest's bytes but never shared with another process. Throws ENOMEM. */
  allocateTable(length: number): Extent;
  free(extent: Extent): void;
  /** Bytes given out and not freed. */
  readonly used: number;
}
