// The x87 state: the register stack, control, status and tag words, the last-instruction pointers, and the rules about
// when an x87 instruction may run at all (SDM volume 1, chapter 8; volume 3, section 2.5).
import {
  REG_RBP,
  REG_RSP,
  SEGMENT_FLAT,
  SEG_CS,
  SEG_DS,
  SEG_SS,
  STATE_CR0,
  STATE_FERR_32,
  STATE_HALTED_32,
  STATE_IGNNE_32,
  STATE_X87,
  STATE_X87_CONTROL_32,
  STATE_X87_CS_32,
  STATE_X87_DP,
  STATE_X87_DS_32,
  STATE_X87_IP,
  STATE_X87_OPCODE_32,
  STATE_X87_STATUS_32,
  STATE_X87_TOP_32,
  STATE_X87_USED_32,
  UOP_BASE_8,
} from './generated/layout';
import { CR0_EM, CR0_NE, CR0_TS } from './control-bits';
import { notStepped } from './debug';
import { pause, raise, VECTOR_MF, VECTOR_NM } from './fault';
import { INVALID } from './float';
import { hostFloatError } from './host';
import { segmentSelector, startRip } from './state';
import { ea, isMemory, uopSegment, uopSelector } from './uop';

export const STATUS_STACK_FAULT: u32 = 0x40;
/** ES, the summary of unmasked exceptions, and B, its copy. */
export const STATUS_SUMMARY: u32 = 0x8080;
export const STATUS_ES: u32 = 0x80;
export const C0: u32 = 0x100;
export const C1: u32 = 0x200;
export const C2: u32 = 0x400;
export const C3: u32 = 0x4000;
export const CONDITIONS: u32 = C0 | C1 | C2 | C3;

/** The indefinite QNaN: what a masked invalid operation gives. */
export const INDEFINITE_HIGH: u32 = 0xffff;
export const INDEFINITE: u64 = 0xc000_0000_0000_0000;

// @ts-ignore: decorator
@inline export function control(): u32 {
  return load<u32>(STATE_X87_CONTROL_32);
}
// @ts-ignore: decorator
@inline export function unmaskedExceptions(): u32 {
  return ~load<u32>(STATE_X87_CONTROL_32) & 0x3f;
}
// @ts-ignore: decorator
@inline export function status(): u32 {
  return load<u32>(STATE_X87_STATUS_32);
}
// @ts-ignore: decorator
@inline export function setStatus(value: u32): void {
  store<u32>(STATE_X87_STATUS_32, value);
}
// @ts-ignore: decorator
@inline export function top(): u32 {
  return load<u32>(STATE_X87_TOP_32);
}
// @ts-ignore: decorator
@inline export function setTop(value: u32): void {
  store<u32>(STATE_X87_TOP_32, value & 7);
}

/** The physical register that is ST(i). */
// @ts-ignore: decorator
@inline export function physical(i: u32): u32 {
  return (load<u32>(STATE_X87_TOP_32) + i) & 7;
}
// @ts-ignore: decorator
@inline function registerAddress(i: u32): usize {
  return STATE_X87 + (physical(i) << 4);
}

/** ST(i): the significand, and sign and exponent. */
// @ts-ignore: decorator
@inline export function significandOf(i: u32): u64 {
  return load<u64>(registerAddress(i));
}
// @ts-ignore: decorator
@inline export function signExponentOf(i: u32): u32 {
  return load<u16>(registerAddress(i) + 8);
}
// @ts-ignore: decorator
@inline export function isEmpty(i: u32): bool {
  return ((load<u32>(STATE_X87_USED_32) >> physical(i)) & 1) == 0;
}

/** Writes ST(i), which is not empty then. */
export function setStack(i: u32, signExponent: u32, significand: u64): void {
  const at = registerAddress(i);
  store<u64>(at, significand);
  store<u64>(at + 8, signExponent);
  store<u32>(STATE_X87_USED_32, load<u32>(STATE_X87_USED_32) | (1 << physical(i)));
}

export function freeStack(i: u32): void {
  store<u32>(STATE_X87_USED_32, load<u32>(STATE_X87_USED_32) & ~(1 << physical(i)));
}

export function pop(): void {
  freeStack(0);
  setTop(top() + 1);
}

export function push(signExponent: u32, significand: u64): void {
  setTop(top() - 1);
  setStack(0, signExponent, significand);
}

/** The status word as software reads it, with TOP. */
export function statusWord(): u32 {
  return status() | (top() << 11);
}

/** Sets ES, B and the FERR# pin by flags and masks. */
export function summarize(): void {
  const now = status();
  const pending = (now & unmaskedExceptions()) != 0;
  setStatus(pending ? now | STATUS_SUMMARY : now & ~STATUS_SUMMARY);
  if (!pending) setFloatError(false);
}

/** Reports exceptions; true when one of them is not masked. */
export function report(exceptions: u32): bool {
  if (exceptions == 0) return false;
  setStatus(status() | exceptions);
  if ((exceptions & unmaskedExceptions()) == 0) return false;
  setStatus(status() | STATUS_SUMMARY);
  return true;
}

export function setC1(up: u32): void {
  setStatus((status() & ~C1) | (up << 9));
}

export function setConditions(bits: u32): void {
  setStatus((status() & ~CONDITIONS) | bits);
}

/** A stack fault: C1 tells overflow from underflow. True when the exception is not masked. */
export function stackFault(overflow: bool): bool {
  setC1(u32(overflow));
  return report(INVALID | STATUS_STACK_FAULT);
}

/** Drives FERR#. */
export function setFloatError(asserted: bool): void {
  if (load<u32>(STATE_FERR_32) == u32(asserted)) return;
  store<u32>(STATE_FERR_32, u32(asserted));
  hostFloatError(u32(asserted));
}

/** Whether an x87 instruction may run: #NM, then a pending exception. */
export function mayRun(): bool {
  if ((load<u64>(STATE_CR0) & (CR0_EM | CR0_TS)) != 0) {
    raise(VECTOR_NM);
    return false;
  }
  return (status() & STATUS_ES) == 0 || mayIgnorePending();
}

/**
 * An exception is pending and the instruction waits. With CR0.NE clear it asserts FERR#, and the processor stops in front
 * of it until an interrupt comes, unless IGNNE# is asserted (SDM volume 1, section 8.7.1, and appendix D of its older
 * editions).
 */
export function mayIgnorePending(): bool {
  if ((load<u64>(STATE_CR0) & CR0_NE) != 0) {
    raise(VECTOR_MF);
    return false;
  }
  setFloatError(true);
  if (load<u32>(STATE_IGNNE_32) != 0) return true;
  store<u32>(STATE_HALTED_32, 1);
  notStepped();
  pause();
  return false;
}

/** For the control instructions that do not wait: only #NM. */
export function mayControl(): bool {
  if ((load<u64>(STATE_CR0) & (CR0_EM | CR0_TS)) == 0) return true;
  raise(VECTOR_NM);
  return false;
}

/** Remembers the instruction for a handler of its exceptions. */
export function remember(u: usize): void {
  store<u32>(STATE_X87_OPCODE_32, uopSelector(u) & 0x7ff);
  store<u64>(STATE_X87_IP, startRip());
  store<u32>(STATE_X87_CS_32, segmentSelector(SEG_CS));
  if (!isMemory(u)) return;
  store<u64>(STATE_X87_DP, ea(u));
  store<u32>(STATE_X87_DS_32, segmentSelector(operandSegment(u)));
}

/** The segment of the memory operand: where none is looked at, what the base register stands for. */
function operandSegment(u: usize): u32 {
  const segment = uopSegment(u);
  if (segment != SEGMENT_FLAT) return segment;
  const base: u32 = load<u8>(u + UOP_BASE_8);
  return base == REG_RSP || base == REG_RBP ? SEG_SS : SEG_DS;
}
