/** Who is executing: mode, privilege, and what IOPL allows it. */
import { MODE_LONG, MODE_PROTECTED, MODE_USER, MODE_V86, STATE_FLAGS_32 } from './generated/layout';
import { IOPL } from './flags';
import { cpl, mode } from './state';

/** The user bit of a page-fault error code for an access by the code that is running: 4 or 0. */
export function currentUser(): u32 {
  return (mode() & MODE_USER) >> 4;
}

/** The same for code at privilege level `level`. */
export function userAt(level: u32): u32 {
  return level == 3 ? 4 : 0;
}

/** Protected mode proper, with neither real nor virtual-8086 mode's segments. */
export function isProtected(): bool {
  return (mode() & MODE_PROTECTED) != 0;
}

export function isV86(): bool {
  return (mode() & MODE_V86) != 0;
}

export function isReal(): bool {
  return (mode() & (MODE_PROTECTED | MODE_V86 | MODE_LONG)) == 0;
}

/** IOPL is never lazy, so it is read from where the eager flags are kept. */
export function iopl(): u32 {
  return (load<u32>(STATE_FLAGS_32) & IOPL) >> 12;
}

/** Whether the code that is running may change IF and use every port. */
export function hasIoPrivilege(): bool {
  return cpl() <= iopl();
}

/** V86 code with less than IOPL 3, whose CLI, STI, PUSHF, POPF, INT n and IRET are the monitor's business. */
export function isV86Restricted(): bool {
  return isV86() && iopl() < 3;
}
