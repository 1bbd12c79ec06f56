/**
 * Task-state segments (SDM volume 3, chapter 7): inner stacks, and the hardware task switch.
 *
 * Offsets of what is used, in the 16-bit and the 32-bit TSS:
 *
 *     link                0     0        general registers   0x12  0x28   (in the order of their numbers)
 *     SP0, SS0            2, 4  4, 8     ES CS SS DS         0x22  0x48   (FS GS too in the 32-bit one)
 *     CR3                 -     0x1c     LDT                 0x2a  0x60
 *     IP, FLAGS           0x0e  0x20     T, I/O map base     -     0x64, 0x66
 */
import {
  SEGMENT_SIZE,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_LDTR,
  SEG_SS,
  SEG_TR,
  STATE_CR0,
  STATE_CR3,
  STATE_CR4,
  STATE_REGS,
  STATE_SEGS,
  STATE_START_RIP,
} from './generated/layout';
import { probeAs, systemRead, systemRead16, systemRead32, systemWrite } from './access';
import { CR0_PG, CR0_TS, CR4_PAE } from './control-bits';
import {
  accessByteAddress,
  ATTRIBUTE_S,
  attributesOf,
  baseOf,
  dplOf,
  is32BitSystem,
  isCode,
  isConforming,
  isLocal,
  isNull,
  isPresent,
  isWritableData,
  limitOf,
  markAccessed,
  markBusy,
  readDescriptor,
  setFromDescriptor,
  TYPE_BUSY,
  TYPE_LDT,
  typeOf,
} from './descriptor';
import { DR6_BT, DR7, DR7_LOCAL, raiseDebug, updateDebug } from './debug';
import { fault, raiseError, VECTOR_GP, VECTOR_NP, VECTOR_SS, VECTOR_TS } from './fault';
import { materialize, NT, setFlags, VM } from './flags';
import { ACCESS_WRITE, flushTlb, loadPdptes } from './paging';
import { isAccessible, loadRealSegment, setCpl, updateMode } from './segment';
import { cpl, isCanonical, rip, segmentAttributes, segmentBase, segmentLimit, segmentSelector, setRip, setSegment } from './state';
import { SUPPORTED_FLAGS } from './eflags';

/** What causes a switch decides about busy bits, the link and NT (SDM volume 3, table 7-2). */
export const SWITCH_JUMP: u32 = 0;
/** CALL, an interrupt or an exception: the old task stays busy and is linked to. */
export const SWITCH_CALL: u32 = 1;
export const SWITCH_RETURN: u32 = 2;

/** What `readInnerStack` found in the TSS. */
export let innerSelector: u32 = 0;
export let innerPointer: u32 = 0;

function isWideTask(): bool {
  return (segmentAttributes(SEG_TR) & 8) != 0;
}

/**
 * The stack that the current TSS holds for privilege `level`: its descriptor, with selector and pointer in the variables
 * above. All checks of a stack switch (SDM volume 2, CALL and INT); `ext` goes into every error code. May fault.
 */
export function readInnerStack(level: u32, ext: u32): u64 {
  const wide = isWideTask();
  const offset = wide ? level * 8 + 4 : level * 4 + 2;
  if (offset + (wide ? 5 : 3) > segmentLimit(SEG_TR)) {
    raiseError(VECTOR_TS, (segmentSelector(SEG_TR) & 0xfffc) | ext);
    return 0;
  }
  const address = segmentBase(SEG_TR) + offset;
  innerPointer = wide ? systemRead32(address) : systemRead16(address);
  if (fault) return 0;
  innerSelector = systemRead16(address + (wide ? 4 : 2));
  if (fault) return 0;
  return checkInnerStack(level, ext);
}

/** The stack pointer at `offset` of a 64-bit TSS. May fault. */
export function readWideStack(offset: u32, ext: u32): u64 {
  if (offset + 7 > segmentLimit(SEG_TR)) {
    raiseError(VECTOR_TS, (segmentSelector(SEG_TR) & 0xfffc) | ext);
    return 0;
  }
  const pointer = systemRead(segmentBase(SEG_TR) + offset, 8);
  if (!fault && !isCanonical(pointer)) raiseError(VECTOR_SS, ext);
  return pointer;
}

function checkInnerStack(level: u32, ext: u32): u64 {
  const error = (innerSelector & 0xfffc) | ext;
  const descriptor = isNull(innerSelector) ? 0 : readDescriptor(innerSelector);
  if (fault) return 0;
  const fits = (innerSelector & 3) == level && isWritableData(descriptor) && dplOf(descriptor) == level;
  if (!fits) raiseError(VECTOR_TS, error);
  else if (!isPresent(descriptor)) raiseError(VECTOR_SS, error);
  return descriptor;
}

/** The new task's state on its way from its TSS: eight registers, then selectors by segment number to LDTR. */
const REGISTERS: usize = memory.data(32, 4);
const SELECTORS: usize = memory.data(32, 4);
let newRip: u32 = 0;
let newFlags: u32 = 0;
let newCr3: u32 = 0;
let newTrap: bool = false;
/** The fault that is raised came up in the new task: it belongs to that task's instruction pointer. */
let faultIsNew: bool = false;

/**
 * Switches to the task of an available (for SWITCH_RETURN: busy) and present TSS. `image` is EFLAGS as the old task shall
 * find it again. A fault on the way before the old state is saved leaves the old task running; one after that happens
 * in the new task, whose instruction pointer is in RIP and START_RIP by then (SDM volume 3, section 7.3).
 */
export function switchTask(selector: u32, descriptor: u64, cause: u32, image: u32, ext: u32): void {
  newTrap = false;
  if (limitOf(descriptor) < (is32BitSystem(descriptor) ? 103 : 43)) {
    return raiseError(VECTOR_TS, (selector & 0xfffc) | ext);
  }
  probeSwitch(selector, descriptor, cause, ext);
  if (fault) return;
  const old = segmentSelector(SEG_TR);
  if (cause != SWITCH_CALL) markBusy(old, false);
  saveTask(cause == SWITCH_RETURN ? image & ~NT : image);
  if (cause == SWITCH_CALL) systemWrite(baseOf(descriptor), 2, old);
  if (cause != SWITCH_RETURN) markBusy(selector, true);
  setFromDescriptor(SEG_TR, selector, descriptor | ((<u64>TYPE_BUSY) << 40));
  store<u64>(STATE_CR0, load<u64>(STATE_CR0) | CR0_TS);
  if (is32BitSystem(descriptor)) readTask32(baseOf(descriptor));
  else readTask16(baseOf(descriptor));
  enterTask(cause, is32BitSystem(descriptor), ext);
}

/** Everything that the switch will touch must be there before it begins. */
function probeSwitch(selector: u32, descriptor: u64, cause: u32, ext: u32): void {
  const wide = isWideTask();
  const from = segmentBase(SEG_TR);
  if (segmentLimit(SEG_TR) < (wide ? 0x5d : 0x29)) {
    return raiseError(VECTOR_TS, (segmentSelector(SEG_TR) & 0xfffc) | ext);
  }
  probeAs(from + (wide ? 0x20 : 0x0e), wide ? 0x3e : 0x1c, ACCESS_WRITE);
  if (!fault && cause != SWITCH_CALL) probeAs(accessByteAddress(segmentSelector(SEG_TR)), 1, ACCESS_WRITE);
  if (!fault && cause != SWITCH_RETURN) probeAs(accessByteAddress(selector), 1, ACCESS_WRITE);
  if (!fault && cause == SWITCH_CALL) probeAs(baseOf(descriptor), 2, ACCESS_WRITE);
  if (!fault) probeAs(baseOf(descriptor), is32BitSystem(descriptor) ? 104 : 44, 0);
}

/** Writes the dynamic fields of the current TSS; LDT, CR3 and inner stacks are not saved. */
function saveTask(image: u32): void {
  const base = segmentBase(SEG_TR);
  const wide = isWideTask();
  const size: u32 = wide ? 4 : 2;
  const first = base + (wide ? 0x20 : 0x0e);
  systemWrite(first, size, rip());
  systemWrite(first + size, size, image);
  for (let register: u32 = 0; register < 8; register++) {
    const value = load<u32>(STATE_REGS + ((<u32>register) << 3));
    systemWrite(first + <u64>(size * (2 + register)), size, value);
  }
  const count: u32 = wide ? 6 : 4;
  for (let segment: u32 = 0; segment < count; segment++) {
    systemWrite(first + <u64>(size * (10 + segment)), 2, segmentSelector(segment));
  }
}

function putSelector(segment: u32, selector: u32): void {
  store<u32>(SELECTORS + ((<u32>segment) << 2), selector);
}

function selectorFor(segment: u32): u32 {
  return load<u32>(SELECTORS + ((<u32>segment) << 2));
}

function readTask32(base: u64): void {
  newCr3 = systemRead32(base + 0x1c);
  newRip = systemRead32(base + 0x20);
  newFlags = systemRead32(base + 0x24);
  for (let register: u32 = 0; register < 8; register++) {
    store<u32>(REGISTERS + ((<u32>register) << 2), systemRead32(base + 0x28 + <u64>(register * 4)));
  }
  for (let segment: u32 = 0; segment <= SEG_LDTR; segment++) {
    putSelector(segment, systemRead16(base + 0x48 + <u64>(segment * 4)));
  }
  newTrap = (systemRead16(base + 0x64) & 1) != 0;
}

/** What a 16-bit TSS does not hold stays as it is, but for FS and GS, which become null. */
function readTask16(base: u64): void {
  newRip = systemRead16(base + 0x0e);
  newFlags = systemRead16(base + 0x10) | (materialize() & 0xffff_0000 & ~VM);
  for (let register: u32 = 0; register < 8; register++) {
    const high = load<u32>(STATE_REGS + ((<u32>register) << 3)) & 0xffff_0000;
    store<u32>(REGISTERS + ((<u32>register) << 2), high | systemRead16(base + 0x12 + <u64>(register * 2)));
  }
  for (let segment: u32 = 0; segment < 4; segment++) {
    putSelector(segment, systemRead16(base + 0x22 + <u64>(segment * 2)));
  }
  putSelector(SEG_FS, 0);
  putSelector(SEG_GS, 0);
  putSelector(SEG_LDTR, systemRead16(base + 0x2a));
}

/** Takes over what was read. From here on every fault is the new task's. */
function enterTask(cause: u32, wide: bool, ext: u32): void {
  setRip(newRip);
  store<u64>(STATE_START_RIP, newRip);
  setFlags((newFlags & SUPPORTED_FLAGS) | (cause == SWITCH_CALL ? NT : 0));
  for (let register: u32 = 0; register < 8; register++) {
    store<u64>(STATE_REGS + (register << 3), load<u32>(REGISTERS + (register << 2)));
  }
  for (let segment: u32 = 0; segment <= SEG_LDTR; segment++) setSegment(segment, selectorFor(segment), 0, 0, 0);
  store<u64>(DR7, load<u64>(DR7) & ~DR7_LOCAL);
  updateDebug();
  const v86 = (newFlags & VM) != 0 && wide;
  setCpl(v86 ? 3 : selectorFor(SEG_CS) & 3);
  updateMode();
  if (wide && (load<u64>(STATE_CR0) & CR0_PG) != 0) loadTaskCr3(ext);
  if (!fault) loadTaskLdt(selectorFor(SEG_LDTR), ext);
  if (!fault) {
    if (v86) loadTaskV86();
    else loadTaskSegments(ext);
  }
  updateMode();
  if (!fault && rip() > <u64>segmentLimit(SEG_CS)) raiseError(VECTOR_GP, ext);
  faultIsNew = fault != 0;
}

function loadTaskCr3(ext: u32): void {
  const pae = (load<u64>(STATE_CR4) & CR4_PAE) != 0;
  if (pae && !loadPdptes(newCr3)) return raiseError(VECTOR_GP, ext);
  store<u64>(STATE_CR3, newCr3);
  flushTlb();
}

function loadTaskLdt(selector: u32, ext: u32): void {
  if (isNull(selector)) return;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  if (typeOf(descriptor) != TYPE_LDT || !isPresent(descriptor)) {
    return raiseError(VECTOR_TS, (selector & 0xfffc) | ext);
  }
  setFromDescriptor(SEG_LDTR, selector, descriptor);
}

function loadTaskV86(): void {
  for (let segment: u32 = 0; segment <= SEG_GS; segment++) loadRealSegment(segment, selectorFor(segment));
}

function loadTaskSegments(ext: u32): void {
  loadTaskCode(selectorFor(SEG_CS), ext);
  if (!fault) loadTaskStack(selectorFor(SEG_SS), ext);
  if (!fault) loadTaskData(SEG_DS, ext);
  if (!fault) loadTaskData(SEG_ES, ext);
  if (!fault) loadTaskData(SEG_FS, ext);
  if (!fault) loadTaskData(SEG_GS, ext);
}

function loadTaskCode(selector: u32, ext: u32): void {
  const error = (selector & 0xfffc) | ext;
  const descriptor = isNull(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const level = selector & 3;
  const fits = isConforming(descriptor) ? dplOf(descriptor) <= level : dplOf(descriptor) == level;
  if (!isCode(descriptor) || !fits) return raiseError(VECTOR_TS, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  takeTaskSegment(SEG_CS, selector, descriptor);
}

function loadTaskStack(selector: u32, ext: u32): void {
  const error = (selector & 0xfffc) | ext;
  const descriptor = isNull(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const fits = (selector & 3) == cpl() && dplOf(descriptor) == cpl();
  if (!isWritableData(descriptor) || !fits) return raiseError(VECTOR_TS, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_SS, error);
  takeTaskSegment(SEG_SS, selector, descriptor);
}

function loadTaskData(segment: u32, ext: u32): void {
  const selector = selectorFor(segment);
  if (isNull(selector)) return;
  const error = (selector & 0xfffc) | ext;
  const descriptor = readDescriptor(selector);
  if (fault) return;
  if (!isAccessible(descriptor, selector, cpl())) return raiseError(VECTOR_TS, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  takeTaskSegment(segment, selector, descriptor);
}

function takeTaskSegment(segment: u32, selector: u32, descriptor: u64): void {
  markAccessed(selector, descriptor);
  if (!fault) setFromDescriptor(segment, selector, descriptor);
}

/** After the switch and after an error code has been pushed: the debug trap that the new TSS's T bit asks for. */
export function raiseTaskTrap(): void {
  if (fault || !newTrap) return;
  raiseDebug(DR6_BT);
  faultIsNew = true;
}

/** The main loop has set RIP back to the instruction that faulted: when that has switched tasks, on to the new one's. */
export function resumeNewTask(): void {
  if (faultIsNew) setRip(newRip);
  faultIsNew = false;
}
