/** Who is executing: mode, privilege, and what IOPL allows it. */
import {
  MODE_CODE64,
  MODE_LONG,
  MODE_PROTECTED,
  MODE_USER,
  MODE_V86,
  STATE_CR4,
  STATE_FLAGS_32,
} from './generated/layout';
import { CR4_SMAP } from './control-bits';
import { AC, IOPL, systemFlag } from './flags';
import { cpl, mode } from './state';

/**
 * Who the code that is running is, for an access of its own: the user bit of a page-fault error code, 4; 0; or
 * ACCESS_OPEN, 200h, for a supervisor to whom SMAP does not apply now.
 */
export function currentUser(): u32 {
  if ((mode() & MODE_USER) != 0) return 4;
  return isOpen() ? 0x200 : 0;
}

/** EFLAGS.AC lets a supervisor at user pages although CR4.SMAP is set. */
export function isOpen(): bool {
  return (load<u64>(STATE_CR4) & CR4_SMAP) != 0 && systemFlag(AC);
}

/** 64-bit mode: the code segment that is running is a 64-bit one. */
export function isCode64(): bool {
  return (mode() & MODE_CODE64) != 0;
}

/** Long mode: 64-bit mode or compatibility mode. */
export function isLong(): bool {
  return (mode() & MODE_LONG) != 0;
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
