/**
 * Debug exceptions: breakpoints, single steps, and what they leave in DR6 and DR7 (SDM volume 3, sections 17.2 and 17.3).
 *
 * As long as nothing is armed, nothing is looked at. An instruction breakpoint keeps its page out of the execute tags of
 * the TLB, so that instructions come one by one through `single`, which asks. A data breakpoint keeps its page out of the
 * read and write tags, so that accesses come through the slow paths, which ask; every instruction is then a block of its
 * own (MODE_WATCHED), so that the trap comes right behind it.
 */
import {
  DEBUG_ARMED_CODE,
  DEBUG_ARMED_DATA,
  DEBUG_ARMED_PORT,
  STATE_CR4,
  STATE_DEADLINE,
  STATE_DEBUG_ARMED_32,
  STATE_DEBUG_DUE_32,
  STATE_DR,
} from './generated/layout';
import { CR4_DE } from './control-bits';
import { raise, VECTOR_DB } from './fault';
import { RF, systemFlag, TF } from './flags';

/** Causes in DR6 besides the four breakpoints: access to a debug register under DR7.GD, single step, task switch. */
export const DR6_BD: u32 = 0x2000;
export const DR6_BS: u32 = 0x4000;
export const DR6_BT: u32 = 0x8000;
export const DR6: usize = STATE_DR + 48;
export const DR7: usize = STATE_DR + 56;
export const DR7_GD: u64 = 0x2000;
/** L0 to L3 and LE, which a task switch clears. */
export const DR7_LOCAL: u64 = 0x155;

/** R/W fields of DR7. */
const KIND_EXECUTE: u32 = 0;
const KIND_WRITE: u32 = 1;
const KIND_PORT: u32 = 2;

/** Which accesses to a page must not go by the TLB. */
export const HIDDEN_READ: u32 = 1;
export const HIDDEN_WRITE: u32 = 2;
export const HIDDEN_EXECUTE: u32 = 4;

function isEnabled(number: u32): bool {
  return ((load<u64>(DR7) >> (number << 1)) & 3) != 0;
}

function kindOf(number: u32): u32 {
  return <u32>(load<u64>(DR7) >> (16 + (number << 2))) & 3;
}

function lengthOf(number: u32): u32 {
  const field = <u32>(load<u64>(DR7) >> (18 + (number << 2))) & 3;
  return field == 2 ? 8 : field + 1;
}

function addressOf(number: u32): u64 {
  return load<u64>(STATE_DR + (number << 3));
}

function armedBy(kind: u32): u32 {
  if (kind == KIND_EXECUTE) return DEBUG_ARMED_CODE;
  if (kind != KIND_PORT) return DEBUG_ARMED_DATA;
  return (load<u64>(STATE_CR4) & CR4_DE) != 0 ? DEBUG_ARMED_PORT : 0;
}

/** Derives what is armed. Due after every change of DR7 and CR4.DE, before `updateMode`; the TLB is the caller's. */
export function updateDebug(): void {
  let kinds: u32 = 0;
  for (let number: u32 = 0; number < 4; number++) {
    if (isEnabled(number)) kinds |= armedBy(kindOf(number));
  }
  store<u32>(STATE_DEBUG_ARMED_32, kinds);
}

// @ts-ignore: decorator
@inline export function isArmed(kinds: u32): bool {
  return (load<u32>(STATE_DEBUG_ARMED_32) & kinds) != 0;
}

/** HIDDEN bits for the page at `page`. */
export function hiddenAccesses(page: u64): u32 {
  let hidden: u32 = 0;
  for (let number: u32 = 0; number < 4; number++) {
    if (!isEnabled(number) || (addressOf(number) & ~(<u64>0xfff)) != page) continue;
    const kind = kindOf(number);
    if (kind == KIND_EXECUTE) hidden |= HIDDEN_EXECUTE;
    else if (kind != KIND_PORT) hidden |= kind == KIND_WRITE ? HIDDEN_WRITE : HIDDEN_READ | HIDDEN_WRITE;
  }
  return hidden;
}

/** Whether `size` bytes at `at` touch what breakpoint `number` covers: its address is aligned to its length. */
function touches(number: u32, at: u64, size: u32): bool {
  const length = lengthOf(number);
  const start = addressOf(number) & ~(<u64>(length - 1));
  return at - start < length || start - at < size;
}

/** Data breakpoints: the running instruction accesses `size` bytes at `linear`. */
export function watchData(linear: u64, size: u32, write: bool): void {
  for (let number: u32 = 0; number < 4; number++) {
    const kind = kindOf(number);
    const matches = kind == KIND_WRITE ? write : kind > KIND_PORT;
    if (matches && isEnabled(number) && touches(number, linear, size)) trapAfter(number);
  }
}

/** Port breakpoints. */
export function watchPort(port: u32, size: u32): void {
  for (let number: u32 = 0; number < 4; number++) {
    if (kindOf(number) == KIND_PORT && isEnabled(number) && touches(number, port, size)) trapAfter(number);
  }
}

function trapAfter(number: u32): void {
  setDue(due() | (1 << number));
  store<u64>(STATE_DEADLINE, 0);
}

/** Instruction breakpoints: raises the fault of those at `linear`, unless RF says that it has been dealt with. */
export function breakAt(linear: u64): bool {
  if (systemFlag(RF)) return false;
  let found: u32 = 0;
  for (let number: u32 = 0; number < 4; number++) {
    const matches = kindOf(number) == KIND_EXECUTE && addressOf(number) == linear;
    if (matches && isEnabled(number)) found |= 1 << number;
  }
  if (found != 0) raiseDebug(found);
  return found != 0;
}

// @ts-ignore: decorator
@inline export function due(): u32 {
  return load<u32>(STATE_DEBUG_DUE_32);
}

// @ts-ignore: decorator
@inline export function setDue(causes: u32): void {
  store<u32>(STATE_DEBUG_DUE_32, causes);
}

/** A trap is due after the instruction that is about to begin. */
export function dueAfterStep(): void {
  setDue(due() | DR6_BS);
}

/** Software interrupts, and loads of SS, are not followed by a single-step trap. */
export function notStepped(): void {
  setDue(due() & ~DR6_BS);
}

/** SYSCALL and SYSRET are followed by one as the new TF says, so that a system call is one step for who makes it. */
export function stepByNewFlags(): void {
  if (systemFlag(TF)) dueAfterStep();
  else notStepped();
}

/** Raises a debug exception now; what was due after this instruction is not. */
export function raiseDebug(causes: u32): void {
  setDue(causes);
  raise(VECTOR_DB);
}

/** Whether the #DB about to be delivered is a fault after which the instruction must not meet a breakpoint again. */
export function isDebugFault(): bool {
  return (due() & DR6_BD) != 0;
}

/** #DB is being delivered: notes why, and lets the handler use the debug registers. */
export function noteDebug(): void {
  store<u64>(DR6, load<u64>(DR6) | <u64>due());
  store<u64>(DR7, load<u64>(DR7) & ~DR7_GD);
  setDue(0);
}
