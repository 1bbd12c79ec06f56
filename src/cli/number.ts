import { ConfigError } from '../machine/config-error.ts';

/** An address, in hexadecimal with or without `0x`, as tables and map traces print them. */
export function parseAddress(text: string): number {
  const value = /^(0[xX])?[0-9a-fA-F]{1,14}$/.test(text) ? Number.parseInt(text.replace(/^0[xX]/, ''), 16) : Number.NaN;
  if (value < 2 ** 52) return value;
  throw new ConfigError(`'${text}' is not an address: hexadecimal, below 2^52`);
}

const UNITS = 'kmg';

/** A length or an offset: decimal, or hexadecimal after `0x`; k, m and g multiply by 1024 and its powers. */
export function parseLength(text: string): number {
  const match = /^(0[xX][0-9a-fA-F]{1,13}|\d{1,15})([kmgKMG]?)$/.exec(text);
  const [, digits = '', unit = ''] = match ?? [];
  const value = Number(digits) * 1024 ** (UNITS.indexOf(unit.toLowerCase() || '-') + 1);
  if (match !== null && Number.isSafeInteger(value)) return value;
  throw new ConfigError(`'${text}' is not a number of bytes: decimal, or hexadecimal after 0x, and k, m or g`);
}
