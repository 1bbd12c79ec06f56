export const KiB = 1024;
export const MiB: number = 1024 * KiB;
export const GiB: number = 1024 * MiB;
export const TiB: number = 1024 * GiB;

/** One page, the granule of every segment and mapping. */
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;

export const MICROSECOND = 1_000;
export const MILLISECOND = 1_000_000;
export const SECOND = 1_000_000_000;
