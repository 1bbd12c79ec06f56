import * as z from 'zod';

const PATTERN = /^(0[xX][0-9a-fA-F]{1,14}|[0-9]{1,16})$/;

/** Addresses have at most 52 bits. */
const ADDRESS_LIMIT = 2 ** 52;

/** A number in a URL: decimal, or hexadecimal after `0x`. Whole, not negative, and exact in a double. */
export const numberText = z
  .string()
  .regex(PATTERN, 'not a number: decimal digits, or hexadecimal digits after 0x')
  .transform(Number)
  .pipe(z.number().max(Number.MAX_SAFE_INTEGER, 'larger than 2^53 - 1'));

/** A guest-physical address in a URL. */
export const addressText = numberText.pipe(z.number().max(ADDRESS_LIMIT - 1, 'not below 2^52, as every address is'));
