// Around the main loop (generated/loop.ts): what happens between blocks, and the way out of a block that has no link.
import { execute } from './generated/handlers';
import { loop, loop64 } from './generated/loop';
import {
  OP_CALL_HOT,
  OP_CALL_LAST,
  OP_FIRST_ENDING,
  OP_FIRST_FAR,
  OP_FIRST_OTHER,
  OP_FIRST_TRANSFER,
  OP_LOOP_HOT,
  OP_NEXT,
  OP_RAISE,
  OP_RESYNC,
} from './generated/decoder';
import {
  EXIT_HALT,
  EXIT_LIMIT,
  EXIT_NONE,
  EXIT_SHUTDOWN,
  MODE_CODE64,
  MODE_WATCHED,
  STATE_RIP_MASK,
  REG_RCX,
  REG_RSP,
  SEG_CS,
  SHADOW_NONE,
  SHADOW_STACK,
  STATE_DEADLINE,
  STATE_EXIT_32,
  STATE_FAULT_VECTOR_32,
  STATE_HALTED_32,
  STATE_INSTRUCTIONS,
  STATE_INTERRUPT_LINE_32,
  STATE_LIMIT,
  STATE_NMI_BLOCKED_32,
  STATE_NMI_PENDING_32,
  STATE_RIP_BASE,
  STATE_SHADOW_32,
  STATE_START_RIP,
  UOP_LINK_32,
  UOP_SIZE,
  UOP_TRAIT_PRIVILEGED,
} from './generated/layout';
import { finishDropping, generation, setExecuting } from './code-cache';
import { due, dueAfterStep, notStepped, setDue } from './debug';
import { deliver, deliverNmi, interrupt, INTERRUPT_EXTERNAL } from './exception';
import { clearFault, fault, FAULTED, raise, raiseError, VECTOR_DB, VECTOR_GP } from './fault';
import { atEdge, isSingle, lookup, single } from './fetch';
import { IF, RF, setSystemFlag, systemFlag, TF } from './flags';
import { acknowledge } from './host';
import {
  cpl,
  isCanonical,
  mode,
  reg32,
  reg64,
  register,
  retire,
  rip,
  segmentLimit,
  setReg32,
  setReg64,
  setRegister,
  setRip,
} from './state';
import { truncate } from './state';
import { uopAddressSize, uopImmediate, uopLength, uopOffset, uopOp, uopSize, uopTraits } from './uop';

/** The offset in CS of the instruction after `u`. */
// @ts-ignore: decorator
@inline export function nextRip(u: usize): u64 {
  return (load<u64>(STATE_RIP_BASE) + uopOffset(u) + uopLength(u)) & load<u64>(STATE_RIP_MASK);
}

// @ts-ignore: decorator
@inline function thisRip(u: usize): u64 {
  return (load<u64>(STATE_RIP_BASE) + uopOffset(u)) & load<u64>(STATE_RIP_MASK);
}

/** Executes a uop that has no case of its own in the main loop. */
export function executeSlow(u: usize): void {
  setExecuting(u);
  const op = uopOp(u);
  store<u64>(STATE_START_RIP, thisRip(u));
  setRip(nextRip(u));
  if (op == OP_RAISE) {
    const vector = <u32>uopImmediate(u);
    if (vector == VECTOR_GP) raiseError(VECTOR_GP, 0);
    else raise(vector);
  } else if ((uopTraits(u) & UOP_TRAIT_PRIVILEGED) != 0 && cpl() != 0) raiseError(VECTOR_GP, 0);
  else execute(u, op);
}

/** LOOP: counts rCX down, by the address size; whether it is not yet zero. */
export function countDown(u: usize): bool {
  const size = uopAddressSize(u);
  const count = truncate(register(REG_RCX, size) - 1, size);
  setRegister(REG_RCX, size, count);
  return count != 0;
}

/** Takes back a LOOP that cannot jump. */
function countUp(u: usize): void {
  const size = uopAddressSize(u);
  setRegister(REG_RCX, size, truncate(register(REG_RCX, size) + 1, size));
}

/** Where a branch goes: cut to the operand size, which a 16-bit one does to EIP as well. */
export function branchTarget(u: usize): u64 {
  return truncate(nextRip(u) + uopImmediate(u), uopSize(u));
}

/** Whether the processor is in a mode that the loop for addresses of type T does not execute. */
// @ts-ignore: decorator
@inline export function isElsewhere<T>(): bool {
  return ((mode() & MODE_CODE64) != 0) != (sizeof<T>() == 8);
}

// @ts-ignore: decorator
@inline function beyondLimit(target: u64): bool {
  return (mode() & MODE_CODE64) != 0 ? !isCanonical(target) : target > <u64>segmentLimit(SEG_CS);
}

/**
 * Leaves uop `u` of the block that starts at `block`: a fault, a branch taken without a link, an instruction that ends
 * its block, or the block has been dropped. The next uop to execute, which starts a block; 0 when run() is to return.
 */
export function leave(u: usize, block: usize): usize {
  const before = (u - block) / UOP_SIZE;
  const op = uopOp(u);
  finishDropping();
  setExecuting(0);
  if (fault) {
    retire(before);
    if (fault == FAULTED) return afterFault(thisRip(u));
    clearFault();
    setRip(thisRip(u));
    // Whoever comes in between returns with RF set, so that a breakpoint on the instruction is hit once.
    setSystemFlag(RF, true);
    return boundary();
  }
  if (op < OP_FIRST_TRANSFER && op != OP_RESYNC) return follow(u, op, before);
  if (op == OP_RESYNC) {
    retire(before);
    setRip(thisRip(u));
    return proceed();
  }
  retire(before + 1);
  return op < OP_FIRST_OTHER || (op >= OP_FIRST_ENDING && op < OP_FIRST_FAR) ? proceed() : boundary();
}

/** Takes a branch, or goes on after the last uop of a block, and links it when the next block is in the same page. */
function follow(u: usize, op: u32, before: u64): usize {
  const target = op == OP_NEXT ? thisRip(u) : branchTarget(u);
  if (op != OP_NEXT && beyondLimit(target)) {
    if (op == OP_CALL_HOT) setReg32(REG_RSP, reg32(REG_RSP) + 4);
    else if (op == OP_CALL_LAST) setReg64(REG_RSP, reg64(REG_RSP) + 8);
    else if (op == OP_LOOP_HOT) countUp(u);
    raiseError(VECTOR_GP, 0);
    retire(before);
    return afterFault(thisRip(u));
  }
  retire(op == OP_NEXT ? before : before + 1);
  const base = load<u64>(STATE_RIP_BASE);
  const then = generation;
  setRip(target);
  const next = proceed();
  const linkable = (mode() & MODE_WATCHED) == 0 && target - base < 0x1000 && load<u64>(STATE_RIP_BASE) == base && rip() == target && next != 0 && !atEdge;
  if (linkable && then == generation && !isSingle(u) && !isSingle(next)) store<u32>(u, <u32>next, UOP_LINK_32);
  return next;
}

/** On to RIP: at once when nothing has asked for attention. */
// @ts-ignore: decorator
@inline function proceed(): usize {
  if (load<u64>(STATE_INSTRUCTIONS) >= load<u64>(STATE_DEADLINE)) return boundary();
  const next = lookup();
  return next != 0 ? next : afterFault(rip());
}

/** Exceptions delivered in a row without an instruction in between. */
let deliveries: u32 = 0;
let deliveredAt: u64 = 0;
const MANY_DELIVERIES: u32 = 1000;
/** What each further one counts as: about the time that it takes. */
const DELIVERY_COST: u64 = 64;

/** Delivers the exception that the instruction at `start` has raised. */
function afterFault(start: u64): usize {
  deliverAt(start);
  return boundary();
}

function deliverAt(start: u64): void {
  store<u64>(STATE_START_RIP, start);
  setRip(start);
  // An instruction that has not been executed leaves no trap behind.
  if (load<u32>(STATE_FAULT_VECTOR_32) != VECTOR_DB) setDue(0);
  deliver();
  // A handler that cannot even start is entered for ever without an instruction; the limit must still be reached.
  const now = load<u64>(STATE_INSTRUCTIONS);
  deliveries = now == deliveredAt ? deliveries + 1 : 0;
  if (deliveries > MANY_DELIVERIES) retire(DELIVERY_COST);
  deliveredAt = load<u64>(STATE_INSTRUCTIONS);
}

/** Delivers the debug trap that the last instruction has left behind; false when there is none. */
function trapIfDue(): bool {
  if (due() == 0) return false;
  raise(VECTOR_DB);
  deliverAt(rip());
  return true;
}

/**
 * Between two blocks, with RIP at the next instruction: traps, exits, interrupts, in this order. Returns the uops to
 * execute next, or 0 with EXIT set.
 */
function boundary(): usize {
  while (true) {
    const shadow = load<u32>(STATE_SHADOW_32);
    if (shadow == SHADOW_STACK) notStepped();
    const trapped = shadow != SHADOW_STACK && trapIfDue();
    if (load<u32>(STATE_EXIT_32) != EXIT_NONE) return 0;
    if (load<u64>(STATE_INSTRUCTIONS) >= load<u64>(STATE_LIMIT)) return exit(EXIT_LIMIT);
    if (trapped) continue;
    store<u32>(STATE_SHADOW_32, SHADOW_NONE);
    const pending = isInterruptPending();
    if (pending && shadow == SHADOW_NONE) {
      takeInterrupt();
      continue;
    }
    if (load<u32>(STATE_HALTED_32) != 0) return exit(EXIT_HALT);
    const step = systemFlag(TF);
    // One instruction at a time while a trap or a held-off interrupt is due after it.
    const alone = step || pending || due() != 0;
    // After a load of SS no instruction breakpoint is hit either, as if RF were set.
    if (shadow == SHADOW_STACK) setSystemFlag(RF, true);
    store<u64>(STATE_DEADLINE, alone ? 0 : load<u64>(STATE_LIMIT));
    const next = alone ? single() : lookup();
    if (next == 0) {
      deliverAt(rip());
      continue;
    }
    setSystemFlag(RF, false);
    if (step) dueAfterStep();
    return next;
  }
}

function exit(reason: u32): usize {
  store<u32>(STATE_EXIT_32, reason);
  return 0;
}

function isNmiPending(): bool {
  return load<u32>(STATE_NMI_PENDING_32) != 0 && load<u32>(STATE_NMI_BLOCKED_32) == 0;
}

function isInterruptPending(): bool {
  return isNmiPending() || (load<u32>(STATE_INTERRUPT_LINE_32) != 0 && systemFlag(IF));
}

function takeInterrupt(): void {
  store<u32>(STATE_HALTED_32, 0);
  store<u64>(STATE_START_RIP, rip());
  if (isNmiPending()) {
    store<u32>(STATE_NMI_PENDING_32, 0);
    deliverNmi();
  } else interrupt(acknowledge(), INTERRUPT_EXTERNAL);
}

/** Runs until something sets EXIT; returns that. */
export function run(): u32 {
  clearFault();
  let next = boundary();
  while (next != 0) next = (mode() & MODE_CODE64) != 0 ? loop64(next) : loop(next);
  const reason = load<u32>(STATE_EXIT_32);
  // A shutdown lasts until the next reset.
  if (reason != EXIT_SHUTDOWN) store<u32>(STATE_EXIT_32, EXIT_NONE);
  return reason;
}
