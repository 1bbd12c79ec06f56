import { MemoryError } from './memory-error.ts';

/** FreeBSD's VM_MAX_SUFFIXLEN: what a segment may add to the name of its device node. */
const LONGEST_SEGMENT_NAME = 15;

/** Control characters (C0, DEL, C1), the path separator, and halves of surrogate pairs cannot stand in a file name. */
// oxlint-disable-next-line no-control-regex -- the control characters are the point
const REFUSED_CHARACTER = /[\u0000-\u001f\u007f-\u009f/]|\p{Surrogate}/u;

const REFUSED_NAMES: readonly string[] = ['', '.', '..'];

/** A segment's name becomes the end of a file name, NAME.SEGMENT (reference 2.1 and 2.6). Throws EINVAL. */
export function checkSegmentName(name: unknown): void {
  if (
    typeof name === 'string' &&
    !REFUSED_NAMES.includes(name) &&
    !REFUSED_CHARACTER.test(name) &&
    utf8Length(name) <= LONGEST_SEGMENT_NAME
  ) {
    return;
  }
  const shown = JSON.stringify(name) ?? String(name);
  throw new MemoryError(
    'EINVAL',
    `${shown} cannot name a segment: 1 to ${LONGEST_SEGMENT_NAME} bytes, no '/' and no control character, not '.' or '..'`,
    { name: shown },
  );
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return length;
}
