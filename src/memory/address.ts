import type { Brand } from '../base/brand.ts';
import { hex } from '../base/hex.ts';
import { PAGE_SIZE } from '../base/units.ts';
import { MemoryError } from './memory-error.ts';

/** A guest-physical address. x86 has at most 52 bits of them, and a double is exact to 53. */
export type Gpa = Brand<number, 'Gpa'>;

/** A half-open piece of guest-physical space. */
export interface Range {
  readonly start: Gpa;
  readonly end: number;
  readonly length: number;
}

/** The bits of the widest guest-physical address (Intel SDM vol. 3A, 4.1.4: MAXPHYADDR is at most 52). */
export const MOST_ADDRESS_BITS = 52;
export const LEAST_ADDRESS_BITS = 32;

const ADDRESSES = 2 ** MOST_ADDRESS_BITS;

/**
 * The door by which numbers become addresses. A `bigint` is for 64-bit registers of the guest.
 * Throws EINVAL for what is no address on any x86.
 */
export function gpa(value: number | bigint): Gpa {
  const number = Number(value);
  if (isGpa(number)) return number;
  const shown = typeof value === 'bigint' ? `0x${value.toString(16)}` : hex(value);
  throw new MemoryError('EINVAL', `${shown} is not a guest-physical address below 2^52`, { value: shown });
}

function isGpa(value: number): value is Gpa {
  return Number.isInteger(value) && value >= 0 && value < ADDRESSES;
}

export function isPageAligned(value: number): boolean {
  return value % PAGE_SIZE === 0;
}

/** Whether a range is made of whole numbers that a double holds exactly. Nothing is added up: sums may be inexact. */
export function isExactRange(start: number, length: number): boolean {
  return (
    Number.isSafeInteger(start) &&
    Number.isSafeInteger(length) &&
    start >= 0 &&
    length >= 0 &&
    length <= Number.MAX_SAFE_INTEGER - start
  );
}
