import type { Nanoseconds } from '../../base/clock.ts';
import { SECOND } from '../../base/units.ts';
import type { Waiting } from '../../devices/pci/placement.ts';
import type { Change, Mapping } from '../../memory/index.ts';

/** Both ends inclusive, as maps are usually read. */
const range = (start: number, end: number): string => `${start.toString(16)}-${(end - 1).toString(16)}`;

/** `-framebuffer e0000000-e0ffffff rw-` */
function piece(sign: '+' | '-', { segment, gpa, end, prot }: Mapping): string {
  return `${sign}${segment.name} ${range(gpa, end)} ${prot}`;
}

/** When, and by what action of the guest. */
const head = (now: Nanoseconds, cause: string): string => `${(now / SECOND).toFixed(9)}  ${cause}:`;

/** One line for one map edit: when, what the guest did, and what became of the map. */
export function traceLine(now: Nanoseconds, cause: string, { removed, added }: Change): string {
  const pieces = [...removed.map((mapping) => piece('-', mapping)), ...added.map((mapping) => piece('+', mapping))];
  return `${head(now, cause)}  ${pieces.join('  ')}`;
}

/** One line for an address that a guest gave a device and that cannot be had: `!Bochs display BAR 0 100000-10fffff`. */
export function refusalLine(now: Nanoseconds, cause: string, { what, start }: Waiting): string {
  return `${head(now, cause)}  !${what.name} ${range(start, start + what.length)}`;
}
