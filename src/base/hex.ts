/** A number as people who read memory maps write it: `0xfffc0000`. */
export function hex(value: number): string {
  return Number.isFinite(value) && value >= 0 ? `0x${value.toString(16)}` : String(value);
}

/** A half-open range in interval notation: `[0xa0000, 0xc0000)`. */
export function hexRange(start: number, end: number): string {
  return `[${hex(start)}, ${hex(end)})`;
}
