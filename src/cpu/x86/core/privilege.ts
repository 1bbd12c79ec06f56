/** Who is executing: privilege level, mode, and the bits of EFLAGS that say what it may do. */
import {
  MODE_LONG,
  MODE_PROTECTED,
  MODE_USER,
  MODE_V86,
  STATE_CPL_32,
  STATE_FLAGS_32,
  STATE_MODE_32,
} from './generated/layout';

export const FLAG_CF: u32 = 0x1;
export const FLAG_ZF: u32 = 0x40;
export const FLAG_TF: u32 = 0x100;
export const FLAG_IF: u32 = 0x200;
export const FLAG_DF: u32 = 0x400;
export const FLAG_IOPL: u32 = 0x3000;
export const FLAG_NT: u32 = 0x4000;
export const FLAG_RF: u32 = 0x1_0000;
export const FLAG_VM: u32 = 0x2_0000;
export const FLAG_AC: u32 = 0x4_0000;
export const FLAG_ID: u32 = 0x20_0000;
/** CF, PF, AF, ZF, SF, OF: what any code may change. */
export const FLAG_ARITHMETIC: u32 = 0x8d5;

export function cpl(): u32 {
  return load<u32>(STATE_CPL_32);
}

/** The user bit of a page-fault error code for an access by the code that is running: 4 or 0. */
export function currentUser(): u32 {
  return (load<u32>(STATE_MODE_32) & MODE_USER) >> 4;
}

/** The same for code at privilege level `level`. */
export function userAt(level: u32): u32 {
  return level == 3 ? 4 : 0;
}

/** Protected mode proper, with neither real nor virtual-8086 mode's segments. */
export function isProtected(): bool {
  return (load<u32>(STATE_MODE_32) & MODE_PROTECTED) != 0;
}

export function isV86(): bool {
  return (load<u32>(STATE_MODE_32) & MODE_V86) != 0;
}

export function isReal(): bool {
  return (load<u32>(STATE_MODE_32) & (MODE_PROTECTED | MODE_V86 | MODE_LONG)) == 0;
}

/** IOPL and the other flags here are never lazy, so they are read from where the eager ones are kept. */
export function iopl(): u32 {
  return (load<u32>(STATE_FLAGS_32) & FLAG_IOPL) >> 12;
}

/** V86 code with less than IOPL 3, whose CLI, STI, PUSHF, POPF, INT n and IRET are the monitor's business. */
export function isV86Restricted(): bool {
  return isV86() && iopl() < 3;
}
