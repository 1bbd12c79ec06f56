/** Bytes of one access. A wider guest access reaches a device as several of these, lowest address first. */
export type AccessSize = 1 | 2 | 4;

/**
 * What a device shows on a bus. `offset` counts from the start of the registered range; values are unsigned. A handler
 * never throws at a guest: an odd access has an answer, as hardware has.
 */
export interface IoHandler {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** What a bus without a listener reads as, by access size: nothing drives the lines, so they float high. */
export function allOnes(size: AccessSize): number {
  return size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff;
}
