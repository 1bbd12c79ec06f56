import type { Nanoseconds } from '../../base/clock.ts';
import { SECOND } from '../../base/units.ts';
import type { Change, Mapping } from '../../memory/index.ts';

/** `-framebuffer e0000000-e0ffffff rw-`: both ends inclusive, as maps are usually read. */
function piece(sign: '+' | '-', { segment, gpa, end, prot }: Mapping): string {
  return `${sign}${segment.name} ${gpa.toString(16)}-${(end - 1).toString(16)} ${prot}`;
}

/** One line for one map edit: when, what the guest did, and what became of the map. */
export function traceLine(now: Nanoseconds, cause: string, { removed, added }: Change): string {
  const pieces = [...removed.map((mapping) => piece('-', mapping)), ...added.map((mapping) => piece('+', mapping))];
  return `${(now / SECOND).toFixed(9)}  ${cause}:  ${pieces.join('  ')}`;
}
