/** Debug exceptions and what they leave in DR6 and DR7 (SDM volume 3, section 17.2). */
import { STATE_DR } from './generated/layout';
import { raise, VECTOR_DB } from './fault';

/** Causes in DR6: access to a debug register under DR7.GD, single step, task switch. */
export const DR6_BD: u32 = 0x2000;
export const DR6_BS: u32 = 0x4000;
export const DR6_BT: u32 = 0x8000;
export const DR7_GD: u64 = 0x2000;

/** The cause of a #DB that has been raised and not delivered; 0 is a single step, which the main loop raises. */
let cause: u32 = 0;

export function raiseDebug(why: u32): void {
  cause = why;
  raise(VECTOR_DB);
}

/** Whether the #DB about to be delivered is a fault. */
export function isDebugFault(): bool {
  return cause == DR6_BD;
}

/** #DB is being delivered: notes why, and lets the handler use the debug registers. */
export function noteDebug(): void {
  store<u64>(STATE_DR + 48, load<u64>(STATE_DR + 48) | <u64>(cause == 0 ? DR6_BS : cause));
  store<u64>(STATE_DR + 56, load<u64>(STATE_DR + 56) & ~DR7_GD);
  cause = 0;
}
