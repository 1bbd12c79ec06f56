import { HostError } from './host-error.ts';

/** So that NAME.SEGMENT, with 15 bytes of SEGMENT, is a file name wherever FreeBSD would have it (reference 2.1). */
export const LONGEST_MACHINE_NAME = 229;

/** Control characters, the path separator, halves of surrogate pairs; and the dot, which ends a machine's name in a node's. */
// oxlint-disable-next-line no-control-regex -- the control characters are the point
const REFUSED_CHARACTER = /[\u0000-\u001f\u007f-\u009f/.]|\p{Surrogate}/u;

/** A machine's name becomes a file name. Throws EINVAL. */
export function checkMachineName(name: string): void {
  if (name !== '' && !REFUSED_CHARACTER.test(name) && Buffer.byteLength(name) <= LONGEST_MACHINE_NAME) return;
  const shown = JSON.stringify(name);
  throw new HostError(
    'EINVAL',
    `${shown} cannot name a machine: 1 to ${LONGEST_MACHINE_NAME} bytes, no '.', no '/', no control character`,
    { name: shown },
  );
}
