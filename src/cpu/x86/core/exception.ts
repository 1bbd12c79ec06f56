/**
 * Interrupts and exceptions (SDM volume 3, chapter 6 and section 20.1.4; volume 2, INT n): from the vector to the first
 * instruction of its handler, in every mode.
 */
import {
  EXIT_SHUTDOWN,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  REG_RSP,
  STATE_DEADLINE,
  STATE_EXIT_32,
  STATE_FAULT_ERROR_32,
  STATE_FAULT_HAS_ERROR_32,
  STATE_FAULT_VECTOR_32,
  STATE_HALTED_32,
  STATE_IDTR_BASE,
  STATE_IDTR_LIMIT_32,
  STATE_NMI_BLOCKED_32,
  STATE_SHADOW_32,
} from './generated/layout';
import { systemRead, systemRead16 } from './access';
import { isDebugFault, noteDebug, notStepped } from './debug';
import {
  dplOf,
  gateOffset,
  gateSelector,
  is32BitSystem,
  is64BitCode,
  isCode,
  isConforming,
  isLocal,
  isNull,
  isPresent,
  isWidthValid,
  limitOf,
  markAccessed,
  readDescriptor,
  setFromDescriptor,
  TYPE_INTERRUPT_GATE16,
  TYPE_INTERRUPT_GATE32,
  TYPE_TASK_GATE,
  TYPE_TRAP_GATE16,
  TYPE_TRAP_GATE32,
  TYPE_TSS16,
  TYPE_TSS32,
  typeOf,
} from './descriptor';
import {
  clearFault,
  fault,
  raiseError,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_NMI,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
} from './fault';
import { AC, IF, materialize, NT, RF, setSystemFlag, TF, VM } from './flags';
import { isLong, isReal, isV86 } from './privilege';
import { loadRealSegment, setCode, setNullSegment, setNullStack, updateMode } from './segment';
import {
  alignFrame,
  commitFrame,
  frameHasRoom,
  framePush,
  openFrame,
  openFrameAt,
  openWideFrame,
  widenFrame,
} from './stack-frame';
import { cpl, isCanonical, reg32, reg64, rip, segmentLimit, segmentSelector, setRip } from './state';
import {
  innerPointer,
  innerSelector,
  raiseTaskTrap,
  readInnerStack,
  readWideStack,
  resumeNewTask,
  SWITCH_CALL,
  switchTask,
} from './task';

/** Where an event comes from: it decides about the gate's DPL, the EXT bit, RF and the blocking of NMIs. */
export const INTERRUPT_EXTERNAL: u32 = 0;
/** INT n. */
export const INTERRUPT_SOFTWARE: u32 = 1;
/** INT3 and INTO: as INT n, but not touched by IOPL in virtual-8086 mode. */
export const INTERRUPT_SOFTWARE_EXCEPTION: u32 = 2;
/** INT1 (ICEBP): the gate's DPL does not matter. */
export const INTERRUPT_ICEBP: u32 = 3;
export const INTERRUPT_NMI: u32 = 4;
export const INTERRUPT_EXCEPTION: u32 = 5;

/** The EXT bit of error codes that come up while the present event is being delivered. */
let ext: u32 = 0;

/** The classes of SDM volume 3, table 6-5. */
const CLASS_BENIGN: u32 = 0;
const CLASS_CONTRIBUTORY: u32 = 1;
const CLASS_PAGE_FAULT: u32 = 2;
const CLASS_DOUBLE_FAULT: u32 = 3;

function classOf(vector: u32): u32 {
  if (vector == VECTOR_PF) return CLASS_PAGE_FAULT;
  if (vector == VECTOR_DF) return CLASS_DOUBLE_FAULT;
  return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP) ? CLASS_CONTRIBUTORY : CLASS_BENIGN;
}

/** Whether a fault of class `second`, on the way to the handler of one of class `first`, makes a double fault. */
function doubles(first: u32, second: u32): bool {
  if (first == CLASS_CONTRIBUTORY) return second == CLASS_CONTRIBUTORY;
  return first == CLASS_PAGE_FAULT && second != CLASS_BENIGN;
}

/** Delivers the exception that was raised; RIP is the instruction's. What faults on the way is delivered as well. */
export function deliver(): void {
  deliverAfter(CLASS_BENIGN);
}

function deliverAfter(first: u32): void {
  let previous = first;
  while (fault) {
    resumeNewTask();
    const vector = load<u32>(STATE_FAULT_VECTOR_32);
    const found = classOf(vector);
    if (previous == CLASS_DOUBLE_FAULT && found != CLASS_BENIGN) return shutDown();
    if (doubles(previous, found)) raiseError(VECTOR_DF, 0);
    previous = classOf(load<u32>(STATE_FAULT_VECTOR_32));
    const error = load<u32>(STATE_FAULT_ERROR_32);
    const hasError = load<u32>(STATE_FAULT_HAS_ERROR_32) != 0;
    clearFault();
    enter(load<u32>(STATE_FAULT_VECTOR_32), INTERRUPT_EXCEPTION, hasError, error);
  }
}

/** A triple fault. */
function shutDown(): void {
  clearFault();
  store<u32>(STATE_EXIT_32, EXIT_SHUTDOWN);
  store<u64>(STATE_DEADLINE, 0);
}

/** Delivers an event that is not a fault of the running instruction; RIP is the next instruction. */
export function interrupt(vector: u32, kind: u32): void {
  enter(vector, kind, false, 0);
  if (fault) deliverAfter(CLASS_BENIGN);
}

export function deliverNmi(): void {
  interrupt(VECTOR_NMI, INTERRUPT_NMI);
}

/** INT n and its like, on behalf of an instruction: a fault is left to the main loop, since it is the instruction's. */
export function softwareInterrupt(vector: u32, kind: u32): void {
  enter(vector, kind, false, 0);
  if (!fault) notStepped();
}

function isSoftware(kind: u32): bool {
  return kind == INTERRUPT_SOFTWARE || kind == INTERRUPT_SOFTWARE_EXCEPTION;
}

function enter(vector: u32, kind: u32, hasError: bool, error: u32): void {
  ext = isSoftware(kind) ? 0 : 1;
  const image = flagsImage(vector, kind);
  if (vector == VECTOR_DB && kind == INTERRUPT_EXCEPTION) noteDebug();
  if (isReal()) enterReal(vector, image);
  else if (isLong()) enterLong(vector, kind, image, hasError, error);
  else enterProtected(vector, kind, image, hasError, error);
  if (fault) return;
  store<u32>(STATE_HALTED_32, 0);
  store<u32>(STATE_SHADOW_32, 0);
  if (kind == INTERRUPT_NMI) store<u32>(STATE_NMI_BLOCKED_32, 1);
}

/**
 * EFLAGS as pushed: RF is set for faults, so that a breakpoint on the instruction is not hit twice; the handler of an
 * instruction breakpoint sets it by itself (SDM volume 3, section 17.3.1.1).
 */
function flagsImage(vector: u32, kind: u32): u32 {
  const flags = materialize();
  if (kind != INTERRUPT_EXCEPTION) return flags;
  const notFault = vector == VECTOR_DF || (vector == VECTOR_DB && !isDebugFault());
  return notFault ? flags : flags | RF;
}

/** The interrupt vector table (SDM volume 3, section 20.1.4). No error code is pushed. */
function enterReal(vector: u32, image: u32): void {
  const entry = vector << 2;
  if (entry + 3 > load<u32>(STATE_IDTR_LIMIT_32)) return raiseError(VECTOR_GP, (vector << 3) | 2 | ext);
  openFrame();
  if (!frameHasRoom(3, 2)) return raiseError(VECTOR_SS, ext);
  const offset = systemRead16(load<u64>(STATE_IDTR_BASE) + entry);
  const selector = systemRead16(load<u64>(STATE_IDTR_BASE) + entry + 2);
  if (offset > segmentLimit(SEG_CS)) return raiseError(VECTOR_GP, ext);
  framePush(2, image);
  framePush(2, segmentSelector(SEG_CS));
  framePush(2, <u32>rip());
  commitFrame();
  setSystemFlag(IF | TF | AC | RF, false);
  loadRealSegment(SEG_CS, selector);
  setRip(offset);
  updateMode();
}

function isEventGate(type: u32): bool {
  return (
    type == TYPE_INTERRUPT_GATE32 ||
    type == TYPE_TRAP_GATE32 ||
    type == TYPE_INTERRUPT_GATE16 ||
    type == TYPE_TRAP_GATE16 ||
    type == TYPE_TASK_GATE
  );
}

function enterProtected(vector: u32, kind: u32, image: u32, hasError: bool, error: u32): void {
  const entry = vector << 3;
  const gateError = entry | 2 | ext;
  if (entry + 7 > load<u32>(STATE_IDTR_LIMIT_32)) return raiseError(VECTOR_GP, gateError);
  const gate = systemRead(load<u64>(STATE_IDTR_BASE) + entry, 8);
  if (fault) return;
  if (!isEventGate(typeOf(gate))) return raiseError(VECTOR_GP, gateError);
  if (isSoftware(kind) && dplOf(gate) < cpl()) return raiseError(VECTOR_GP, gateError);
  if (!isPresent(gate)) return raiseError(VECTOR_NP, gateError);
  if (typeOf(gate) == TYPE_TASK_GATE) enterTaskGate(gateSelector(gate), image, hasError, error);
  else enterGate(gate, image, hasError, error);
}

function enterTaskGate(selector: u32, image: u32, hasError: bool, error: u32): void {
  const selectorError = (selector & 0xfffc) | ext;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const type = typeOf(descriptor);
  if (type != TYPE_TSS16 && type != TYPE_TSS32) return raiseError(VECTOR_GP, selectorError);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, selectorError);
  switchTask(selector, descriptor, SWITCH_CALL, image, ext);
  if (fault) return;
  if (hasError) pushTaskError(error, type == TYPE_TSS32 ? 4 : 2);
  raiseTaskTrap();
}

/** An error code goes on the new task's stack, as wide as its TSS. */
function pushTaskError(error: u32, size: u32): void {
  openFrame();
  if (!frameHasRoom(1, size)) return raiseError(VECTOR_SS, ext);
  framePush(size, error);
  if (!fault) commitFrame();
}

/** Interrupt and trap gates: checks of the handler's code segment, then which stack. */
function enterGate(gate: u64, image: u32, hasError: bool, error: u32): void {
  const selector = gateSelector(gate);
  if (isNull(selector)) return raiseError(VECTOR_GP, ext);
  const selectorError = (selector & 0xfffc) | ext;
  const code = readDescriptor(selector);
  if (fault) return;
  if (!isCode(code) || dplOf(code) > cpl()) return raiseError(VECTOR_GP, selectorError);
  if (!isPresent(code)) return raiseError(VECTOR_NP, selectorError);
  const inner = !isConforming(code) && dplOf(code) < cpl();
  if (isV86() && (!inner || dplOf(code) != 0)) return raiseError(VECTOR_GP, selectorError);
  if (inner) enterInner(gate, code, image, hasError, error);
  else enterSame(gate, code, image, hasError, error);
}

function enterSame(gate: u64, code: u64, image: u32, hasError: bool, error: u32): void {
  const size: u32 = is32BitSystem(gate) ? 4 : 2;
  openFrame();
  if (!frameHasRoom(hasError ? 4 : 3, size)) return raiseError(VECTOR_SS, ext);
  if (gateOffset(gate) > limitOf(code)) return raiseError(VECTOR_GP, ext);
  pushReturn(size, image, hasError, error);
  markAccessed(gateSelector(gate), code);
  if (fault) return;
  arrive(gate, code, cpl());
}

/** To an inner level, from protected or virtual-8086 mode (SDM volume 3, figures 6-4 and 20-3). */
function enterInner(gate: u64, code: u64, image: u32, hasError: bool, error: u32): void {
  const size: u32 = is32BitSystem(gate) ? 4 : 2;
  const level = dplOf(code);
  const v86 = isV86();
  const stack = readInnerStack(level, ext);
  if (fault) return;
  openFrameAt(stack, innerPointer, level);
  if (!frameHasRoom((hasError ? 6 : 5) + (v86 ? 4 : 0), size)) {
    return raiseError(VECTOR_SS, (innerSelector & 0xfffc) | ext);
  }
  if (gateOffset(gate) > limitOf(code)) return raiseError(VECTOR_GP, ext);
  if (v86) pushDataSegments(size);
  framePush(size, segmentSelector(SEG_SS));
  framePush(size, reg32(REG_RSP));
  pushReturn(size, image, hasError, error);
  if (!fault) markAccessed(innerSelector, stack);
  if (!fault) markAccessed(gateSelector(gate), code);
  if (fault) return;
  setFromDescriptor(SEG_SS, innerSelector, stack);
  if (v86) dropDataSegments();
  arrive(gate, code, level);
}

function pushReturn(size: u32, image: u32, hasError: bool, error: u32): void {
  framePush(size, image);
  framePush(size, segmentSelector(SEG_CS));
  framePush(size, <u32>rip());
  if (hasError) framePush(size, error);
}

function pushDataSegments(size: u32): void {
  framePush(size, segmentSelector(SEG_GS));
  framePush(size, segmentSelector(SEG_FS));
  framePush(size, segmentSelector(SEG_DS));
  framePush(size, segmentSelector(SEG_ES));
}

function dropDataSegments(): void {
  setNullSegment(SEG_GS, 0);
  setNullSegment(SEG_FS, 0);
  setNullSegment(SEG_DS, 0);
  setNullSegment(SEG_ES, 0);
}

/** Nothing can fault any more. Interrupt gates have an even type. */
function arrive(gate: u64, code: u64, level: u32): void {
  const interruptGate = (typeOf(gate) & 1) == 0;
  setSystemFlag(interruptGate ? TF | NT | RF | VM | IF : TF | NT | RF | VM, false);
  setCode(gateSelector(gate), code, level);
  commitFrame();
  setRip(gateOffset(gate));
  updateMode();
}

/** Long mode (SDM volume 3, section 6.14): gates of 16 bytes, 64-bit handlers, a stack that is always switched to 64 bits. */
function enterLong(vector: u32, kind: u32, image: u32, hasError: bool, error: u32): void {
  const entry = vector << 4;
  const gateError = (vector << 3) | 2 | ext;
  if (entry + 15 > load<u32>(STATE_IDTR_LIMIT_32)) return raiseError(VECTOR_GP, gateError);
  const gate = systemRead(load<u64>(STATE_IDTR_BASE) + entry, 8);
  if (fault) return;
  const upper = systemRead(load<u64>(STATE_IDTR_BASE) + entry + 8, 8);
  if (fault) return;
  const type = typeOf(gate);
  if (type != TYPE_INTERRUPT_GATE32 && type != TYPE_TRAP_GATE32) return raiseError(VECTOR_GP, gateError);
  if (isSoftware(kind) && dplOf(gate) < cpl()) return raiseError(VECTOR_GP, gateError);
  if (!isPresent(gate)) return raiseError(VECTOR_NP, gateError);
  const code = handlerCode(gate);
  if (fault) return;
  enterWideGate(gate, code, <u64>gateOffset(gate) | (upper << 32), image, hasError, error);
}

/** The code segment of a 64-bit gate, all checks made; 0 with a fault raised. */
function handlerCode(gate: u64): u64 {
  const selector = gateSelector(gate);
  if (isNull(selector)) {
    raiseError(VECTOR_GP, ext);
    return 0;
  }
  const selectorError = (selector & 0xfffc) | ext;
  const code = readDescriptor(selector);
  if (fault) return 0;
  const wide = is64BitCode(code) && isWidthValid(code);
  if (!isCode(code) || dplOf(code) > cpl() || !wide) raiseError(VECTOR_GP, selectorError);
  else if (!isPresent(code)) raiseError(VECTOR_NP, selectorError);
  return code;
}

/** The interrupt stack table's number in a 64-bit gate; 0 is none. */
function gateStack(gate: u64): u32 {
  return <u32>(gate >> 32) & 7;
}

const TSS64_STACKS: u32 = 4;
const TSS64_INTERRUPT_STACKS: u32 = 0x1c;

function enterWideGate(gate: u64, code: u64, offset: u64, image: u32, hasError: bool, error: u32): void {
  const inner = !isConforming(code) && dplOf(code) < cpl();
  const level = inner ? dplOf(code) : cpl();
  const table = gateStack(gate);
  if (table != 0 || inner) {
    const stack = readWideStack(table != 0 ? TSS64_INTERRUPT_STACKS + 8 * table : TSS64_STACKS + 8 * level, ext);
    if (fault) return;
    openWideFrame(stack, level);
  } else {
    openFrame();
    widenFrame();
  }
  alignFrame();
  if (!frameHasRoom(hasError ? 6 : 5, 8)) return raiseError(VECTOR_SS, ext);
  if (!isCanonical(offset)) return raiseError(VECTOR_GP, ext);
  framePush(8, segmentSelector(SEG_SS));
  framePush(8, reg64(REG_RSP));
  framePush(8, image);
  framePush(8, segmentSelector(SEG_CS));
  framePush(8, rip());
  if (hasError) framePush(8, error);
  if (!fault) markAccessed(gateSelector(gate), code);
  if (fault) return;
  if (inner) setNullStack(level);
  setSystemFlag((typeOf(gate) & 1) == 0 ? TF | NT | RF | VM | IF : TF | NT | RF | VM, false);
  setCode(gateSelector(gate), code, level);
  commitFrame();
  setRip(offset);
  updateMode();
}
