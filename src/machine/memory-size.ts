import { MiB } from '../base/units.ts';
import { ConfigError } from './config-error.ts';

const UNITS = 'bkmgtpe';

/** The largest integer that a double holds exactly: more than any machine's address space. */
const LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Reads a memory size as bhyve's `vm_parse_memsize` does: a number alone counts MiB when it is below 1 MiB and bytes
 * otherwise; a unit letter (b, k, m, g, t, p, e, any case) multiplies by powers of 1024. Numbers are decimal, `0x`
 * hexadecimal or `0` octal. Unlike bhyve it refuses negative and empty sizes and text after the unit.
 */
export function parseMemorySize(text: string): number {
  const match = /^(0[xX][0-9a-fA-F]+|\d+)([a-zA-Z]?)$/.exec(text);
  if (match === null) throw new ConfigError(`memory size '${text}' is not a number with an optional unit letter`);
  const [, digits = '', unit = ''] = match;
  const value = parseDigits(digits);
  if (value === undefined) throw new ConfigError(`memory size '${text}' is not a number: a leading 0 means octal`);
  const bytes = unit === '' ? (value < MiB ? value * MiB : value) : value * unitFactor(unit, text);
  if (bytes > LIMIT) throw new ConfigError(`memory size '${text}' is out of range`);
  return bytes;
}

function parseDigits(digits: string): number | undefined {
  if (/^0[xX]/.test(digits)) return Number(digits);
  if (!/^0\d/.test(digits)) return Number(digits);
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function unitFactor(unit: string, text: string): number {
  const power = UNITS.indexOf(unit.toLowerCase());
  if (power < 0) throw new ConfigError(`memory size '${text}' has the unknown unit '${unit}' (known: ${UNITS})`);
  return 1024 ** power;
}
