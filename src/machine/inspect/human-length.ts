const PREFIXES = ['', 'K', 'M', 'G', 'T', 'P', 'E'];

/** From here on a number needs more room than bhyvectl's column has. */
const TOO_WIDE = 100_000;

/**
 * A length as bhyvectl prints it (`humanize_number` with an 8-byte buffer, suffix `B`, divisor 1024): the largest unit
 * that is needed for at most five digits, rounded to the nearest. Where rounding up makes a sixth digit, the original
 * runs out of its buffer and loses the `B`; so does this.
 */
export function humanLength(bytes: number): string {
  let value = bytes;
  let remainder = 0;
  let prefix = 0;
  while ((value >= TOO_WIDE || (value === TOO_WIDE - 1 && remainder >= 973)) && prefix < PREFIXES.length - 1) {
    remainder = value % 1024;
    value = Math.floor(value / 1024);
    prefix += 1;
  }
  const rounded = value + Math.floor((remainder + 512) / 1024);
  return `${rounded}${PREFIXES[prefix]}B`.slice(0, 7);
}
