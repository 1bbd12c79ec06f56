/**
 * Far JMP, CALL, RET and IRET, the software interrupts, SYSENTER and SYSEXIT (their pages in SDM volume 2, and volume 3,
 * section 5.8). Everything is checked and every memory access made before the first register changes.
 */
import {
  REG_R11,
  REG_RCX,
  REG_RDX,
  REG_RSP,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_SS,
  SEG_TR,
  STATE_EFER,
  STATE_NMI_BLOCKED_32,
} from './generated/layout';
import { readSized, systemRead16 } from './access';
import {
  dplOf,
  gateOffset,
  gateParameters,
  gateSelector,
  is32BitSystem,
  is64BitCode,
  isCode,
  isConforming,
  isLocal,
  isNull,
  isPresent,
  isUpperValid,
  isWidthValid,
  isWritableData,
  limitOf,
  markAccessed,
  readDescriptor,
  readUpper,
  setFromDescriptor,
  TYPE_BUSY,
  TYPE_CALL_GATE16,
  TYPE_CALL_GATE32,
  TYPE_TASK_GATE,
  TYPE_TSS16,
  TYPE_TSS32,
  typeOf,
} from './descriptor';
import { stepByNewFlags } from './debug';
import { replaceFlags, restorable } from './eflags';
import { INTERRUPT_ICEBP, INTERRUPT_SOFTWARE, INTERRUPT_SOFTWARE_EXCEPTION, softwareInterrupt } from './exception';
import {
  fault,
  raise,
  raiseError,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_OF,
  VECTOR_SS,
  VECTOR_TS,
  VECTOR_UD,
} from './fault';
import { IF, IOPL, materialize, NT, overflowFlag, RF, setFlags, setSystemFlag, systemFlag, VM } from './flags';
import { EFER_SCE } from './control-bits';
import {
  MSR_FMASK,
  MSR_KERNEL_GS_BASE,
  MSR_LSTAR,
  MSR_STAR,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
} from './msr-storage';
import { isCode64, isLong, isProtected, isReal, isV86Restricted } from './privilege';
import { dropInnerSegments, loadRealSegment, operandPart, setCode, setCpl, setNullStack, updateMode } from './segment';
import {
  commitFrame,
  frameHasRoom,
  frameHolds,
  framePeek,
  framePop,
  framePush,
  frameSkip,
  openFrame,
  openFrameAt,
  openWideFrame,
  widenFrame,
} from './stack-frame';
import {
  cpl,
  isCanonical,
  reg32,
  reg64,
  rip,
  segmentBase,
  segmentLimit,
  segmentSelector,
  setReg32,
  setReg64,
  setRip,
  setSegment,
  setSegmentBase,
  truncate,
} from './state';
import {
  innerPointer,
  innerSelector,
  raiseTaskTrap,
  readInnerStack,
  readWideStack,
  SWITCH_CALL,
  SWITCH_JUMP,
  SWITCH_RETURN,
  switchTask,
} from './task';
import { isMemory, uopImmediate, uopSelector, uopSize, hasImmediate } from './uop';
import { SUPPORTED_FLAGS } from './eflags';

/** The far pointer of the instruction. */
let targetSelector: u32 = 0;
let targetOffset: u64 = 0;

function readTarget(u: usize): void {
  const size = uopSize(u);
  if (!isMemory(u)) {
    targetSelector = uopSelector(u);
    targetOffset = truncate(uopImmediate(u), size);
    return;
  }
  const first = operandPart(u, 0, size, false);
  if (fault) return;
  const second = operandPart(u, size, 2, false);
  if (fault) return;
  targetOffset = readSized(first, size);
  if (!fault) targetSelector = <u32>readSized(second, 2);
}

function generalProtection(selector: u32): void {
  raiseError(VECTOR_GP, selector & 0xfffc);
}

/** JMP to a far pointer. */
export function jmpf(u: usize): void {
  readTarget(u);
  if (fault) return;
  if (isProtected()) jumpProtected();
  else if (targetOffset > segmentLimit(SEG_CS)) raiseError(VECTOR_GP, 0);
  else enterReal(targetSelector, <u32>targetOffset);
}

function enterReal(selector: u32, offset: u32): void {
  loadRealSegment(SEG_CS, selector);
  setRip(offset);
  updateMode();
}

/** CALL to a far pointer. */
export function callf(u: usize): void {
  readTarget(u);
  if (fault) return;
  if (isProtected()) callProtected(uopSize(u));
  else callReal(uopSize(u));
}

function callReal(size: u32): void {
  openFrame();
  if (!frameHasRoom(2, size)) return raiseError(VECTOR_SS, 0);
  if (targetOffset > segmentLimit(SEG_CS)) return raiseError(VECTOR_GP, 0);
  pushReturn(size);
  if (fault) return;
  commitFrame();
  enterReal(targetSelector, <u32>targetOffset);
}

function pushReturn(size: u32): void {
  framePush(size, segmentSelector(SEG_CS));
  framePush(size, rip());
}

/** Whether a code segment may be reached directly from CPL by a jump or call. */
function isDirectTarget(code: u64, selector: u32): bool {
  if (!isCode(code) || (isLong() && !isWidthValid(code))) return false;
  if (isConforming(code)) return dplOf(code) <= cpl();
  return (selector & 3) <= cpl() && dplOf(code) == cpl();
}

/** System descriptors that are gates or tasks must not be more privileged than CPL and RPL. */
function mayUse(descriptor: u64, selector: u32): bool {
  return dplOf(descriptor) >= cpl() && dplOf(descriptor) >= (selector & 3);
}

function isCallGate(type: u32): bool {
  return type == TYPE_CALL_GATE16 || type == TYPE_CALL_GATE32;
}

function isFreeTask(type: u32): bool {
  return type == TYPE_TSS16 || type == TYPE_TSS32;
}

function jumpProtected(): void {
  const selector = targetSelector;
  if (isNull(selector)) return raiseError(VECTOR_GP, 0);
  const descriptor = readDescriptor(selector);
  if (fault) return;
  if (isCode(descriptor)) jumpDirect(selector, descriptor);
  else if (!transferBySystem(selector, descriptor, SWITCH_JUMP)) generalProtection(selector);
}

/** Whether an offset is none of this code segment: beyond its limit, or in 64-bit code not canonical. */
function isOutside(code: u64, offset: u64): bool {
  return isLong() && is64BitCode(code) ? !isCanonical(offset) : offset > <u64>limitOf(code);
}

function jumpDirect(selector: u32, code: u64): void {
  if (!isDirectTarget(code, selector)) return generalProtection(selector);
  if (!isPresent(code)) return raiseError(VECTOR_NP, selector & 0xfffc);
  if (isOutside(code, targetOffset)) return raiseError(VECTOR_GP, 0);
  markAccessed(selector, code);
  if (!fault) arrive(selector, code, cpl(), targetOffset);
}

/** Nothing can fault any more. */
function arrive(selector: u32, code: u64, level: u32, offset: u64): void {
  setCode(selector, code, level);
  setRip(offset);
  updateMode();
}

/** Through a gate or a TSS; false when `descriptor` is neither, which is nobody's fault yet. */
function transferBySystem(selector: u32, descriptor: u64, cause: u32): bool {
  const type = typeOf(descriptor);
  if (isLong()) return transferByWideGate(selector, descriptor, cause);
  if (!isCallGate(type) && type != TYPE_TASK_GATE && !isFreeTask(type)) return false;
  if (!mayUse(descriptor, selector)) return false;
  if (isFreeTask(type) && isLocal(selector)) return false;
  if (!isPresent(descriptor)) raiseError(VECTOR_NP, selector & 0xfffc);
  else if (type == TYPE_TASK_GATE) throughTaskGate(gateSelector(descriptor), cause);
  else if (isFreeTask(type)) switchToTask(selector, descriptor, cause);
  else if (cause == SWITCH_JUMP) jumpThroughGate(descriptor);
  else callThroughGate(descriptor);
  return true;
}

/** In long mode the only system descriptors that lead anywhere are 64-bit call gates. */
function transferByWideGate(selector: u32, gate: u64, cause: u32): bool {
  if (typeOf(gate) != TYPE_CALL_GATE32 || !mayUse(gate, selector)) return false;
  const upper = readUpper(selector);
  if (fault) return true;
  if (!isUpperValid(upper)) return false;
  if (!isPresent(gate)) {
    raiseError(VECTOR_NP, selector & 0xfffc);
    return true;
  }
  const code = gateTarget(gate, cause != SWITCH_JUMP);
  if (fault) return true;
  const offset = <u64>gateOffset(gate) | (upper << 32);
  if (!is64BitCode(code) || !isWidthValid(code)) generalProtection(gateSelector(gate));
  else if (!isCanonical(offset)) raiseError(VECTOR_GP, 0);
  else if (cause != SWITCH_JUMP) callWide(gateSelector(gate), code, offset);
  else {
    markAccessed(gateSelector(gate), code);
    if (!fault) arrive(gateSelector(gate), code, cpl(), offset);
  }
  return true;
}

/** A call through a 64-bit gate: slots of 8 bytes, and no parameters on an inner stack. */
function callWide(selector: u32, code: u64, offset: u64): void {
  const inner = !isConforming(code) && dplOf(code) < cpl();
  const level = inner ? dplOf(code) : cpl();
  if (inner) {
    const stack = readWideStack(4 + 8 * level, 0);
    if (fault) return;
    openWideFrame(stack, level);
  } else {
    openFrame();
    widenFrame();
  }
  if (!frameHasRoom(inner ? 4 : 2, 8)) return raiseError(VECTOR_SS, 0);
  if (inner) {
    framePush(8, segmentSelector(SEG_SS));
    framePush(8, reg64(REG_RSP));
  }
  pushReturn(8);
  if (!fault) markAccessed(selector, code);
  if (fault) return;
  if (inner) setNullStack(level);
  arrive(selector, code, level, offset);
  commitFrame();
}

function throughTaskGate(selector: u32, cause: u32): void {
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  if (!isFreeTask(typeOf(descriptor))) return generalProtection(selector);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, selector & 0xfffc);
  switchToTask(selector, descriptor, cause);
}

function switchToTask(selector: u32, descriptor: u64, cause: u32): void {
  switchTask(selector, descriptor, cause, materialize(), 0);
  raiseTaskTrap();
}

/**
 * The code segment that a call gate names, or 0 with a fault raised. A call may go to an inner level (`inward`), a jump
 * only to the same.
 */
function gateTarget(gate: u64, inward: bool): u64 {
  const selector = gateSelector(gate);
  if (isNull(selector)) {
    raiseError(VECTOR_GP, 0);
    return 0;
  }
  const code = readDescriptor(selector);
  if (fault) return 0;
  const outward = dplOf(code) > cpl();
  const fits = isConforming(code) || inward ? !outward : dplOf(code) == cpl();
  if (!isCode(code) || !fits) generalProtection(selector);
  else if (!isPresent(code)) raiseError(VECTOR_NP, selector & 0xfffc);
  return code;
}

function jumpThroughGate(gate: u64): void {
  const code = gateTarget(gate, false);
  if (fault) return;
  if (gateOffset(gate) > limitOf(code)) return raiseError(VECTOR_GP, 0);
  markAccessed(gateSelector(gate), code);
  if (!fault) arrive(gateSelector(gate), code, cpl(), gateOffset(gate));
}

function callProtected(size: u32): void {
  const selector = targetSelector;
  if (isNull(selector)) return raiseError(VECTOR_GP, 0);
  const descriptor = readDescriptor(selector);
  if (fault) return;
  if (isCode(descriptor)) callDirect(selector, descriptor, size);
  else if (!transferBySystem(selector, descriptor, SWITCH_CALL)) generalProtection(selector);
}

function callDirect(selector: u32, code: u64, size: u32): void {
  if (!isDirectTarget(code, selector)) return generalProtection(selector);
  if (!isPresent(code)) return raiseError(VECTOR_NP, selector & 0xfffc);
  callSame(selector, code, targetOffset, size);
}

/** A call that stays on its stack. */
function callSame(selector: u32, code: u64, offset: u64, size: u32): void {
  openFrame();
  if (!frameHasRoom(2, size)) return raiseError(VECTOR_SS, 0);
  if (isOutside(code, offset)) return raiseError(VECTOR_GP, 0);
  pushReturn(size);
  if (!fault) markAccessed(selector, code);
  if (fault) return;
  commitFrame();
  arrive(selector, code, cpl(), offset);
}

function callThroughGate(gate: u64): void {
  const code = gateTarget(gate, true);
  if (fault) return;
  if (!isConforming(code) && dplOf(code) < cpl()) callInner(gate, code);
  else callSame(gateSelector(gate), code, gateOffset(gate), is32BitSystem(gate) ? 4 : 2);
}

/** Parameters on their way from the caller's stack: at most 31. */
const PARAMETERS: usize = memory.data(128, 4);

function readParameters(count: u32, size: u32): void {
  openFrame();
  for (let index: u32 = 0; index < count; index++) {
    store<u32>(PARAMETERS + ((<u32>index) << 2), <u32>framePeek(index * size, size));
  }
}

/** A call to an inner level: new stack, old stack pointer and parameters on it (SDM volume 3, figure 5-13). */
function callInner(gate: u64, code: u64): void {
  const size: u32 = is32BitSystem(gate) ? 4 : 2;
  const level = dplOf(code);
  const count = gateParameters(gate);
  const stack = readInnerStack(level, 0);
  if (fault) return;
  openFrameAt(stack, innerPointer, level);
  if (!frameHasRoom(4 + count, size)) return raiseError(VECTOR_SS, innerSelector & 0xfffc);
  if (gateOffset(gate) > limitOf(code)) return raiseError(VECTOR_GP, 0);
  readParameters(count, size);
  if (fault) return;
  openFrameAt(stack, innerPointer, level);
  framePush(size, segmentSelector(SEG_SS));
  framePush(size, reg32(REG_RSP));
  for (let index = count; index > 0; index--) framePush(size, load<u32>(PARAMETERS + ((<u32>(index - 1)) << 2)));
  pushReturn(size);
  if (!fault) markAccessed(innerSelector, stack);
  if (!fault) markAccessed(gateSelector(gate), code);
  if (fault) return;
  setFromDescriptor(SEG_SS, innerSelector, stack);
  arrive(gateSelector(gate), code, level, gateOffset(gate));
  commitFrame();
}

/** Far RET, with or without bytes to release. */
export function retf(u: usize): void {
  const size = uopSize(u);
  const release = hasImmediate(u) ? <u32>uopImmediate(u) & 0xffff : 0;
  openFrame();
  const offset = framePop(size);
  const selector = <u32>framePop(size) & 0xffff;
  if (fault) return;
  if (!isProtected()) return returnReal(selector, <u32>offset, release);
  const code = returnTarget(selector);
  if (fault) return;
  if ((selector & 3) == cpl()) returnSame(selector, code, offset, release);
  else returnOuter(selector, code, offset, release, size, 0, 0);
}

function returnReal(selector: u32, offset: u32, release: u32): void {
  if (offset > segmentLimit(SEG_CS)) return raiseError(VECTOR_GP, 0);
  frameSkip(release);
  commitFrame();
  enterReal(selector, offset);
}

/** The code segment that RET or IRET goes back to, all checks made; 0 with a fault raised. */
function returnTarget(selector: u32): u64 {
  if (isNull(selector)) {
    raiseError(VECTOR_GP, 0);
    return 0;
  }
  const code = readDescriptor(selector);
  if (fault) return 0;
  const level = selector & 3;
  const fits = isConforming(code) ? dplOf(code) <= level : dplOf(code) == level;
  if (!isCode(code) || level < cpl() || !fits || (isLong() && !isWidthValid(code))) generalProtection(selector);
  else if (!isPresent(code)) raiseError(VECTOR_NP, selector & 0xfffc);
  return code;
}

function returnSame(selector: u32, code: u64, offset: u64, release: u32): void {
  if (isOutside(code, offset)) return raiseError(VECTOR_GP, 0);
  markAccessed(selector, code);
  if (fault) return;
  frameSkip(release);
  commitFrame();
  arrive(selector, code, cpl(), offset);
}

/**
 * To an outer level: the stack pointer comes off the stack too, parameters are released on both stacks. The bits of
 * `flagMask` are taken from `image` (IRET).
 */
function returnOuter(selector: u32, code: u64, offset: u64, release: u32, size: u32, image: u32, flagMask: u32): void {
  if (!frameHolds(2, size, release)) return raiseError(VECTOR_SS, 0);
  frameSkip(release);
  const pointer = framePop(size);
  const stackSelector = <u32>framePop(size) & 0xffff;
  if (fault) return;
  const level = selector & 3;
  const wide = isLong() && is64BitCode(code);
  const none = wide && level != 3 && isNull(stackSelector) && (stackSelector & 3) == level;
  const stack = none ? 0 : outerStack(stackSelector, level);
  if (fault) return;
  if (isOutside(code, offset)) return raiseError(VECTOR_GP, 0);
  markAccessed(selector, code);
  if (!fault && !none) markAccessed(stackSelector, stack);
  if (fault) return;
  if (flagMask != 0) replaceFlags(image, flagMask);
  if (none) setNullStack(stackSelector);
  else setFromDescriptor(SEG_SS, stackSelector, stack);
  if (wide) openWideFrame(pointer, level);
  else openFrameAt(stack, pointer, level);
  frameSkip(release);
  commitFrame();
  if (level > cpl()) dropInnerSegments(level);
  arrive(selector, code, level, offset);
}

function outerStack(selector: u32, level: u32): u64 {
  if (isNull(selector)) {
    raiseError(VECTOR_GP, 0);
    return 0;
  }
  const stack = readDescriptor(selector);
  if (fault) return 0;
  const fits = (selector & 3) == level && dplOf(stack) == level;
  if (!isWritableData(stack) || !fits) generalProtection(selector);
  else if (!isPresent(stack)) raiseError(VECTOR_SS, selector & 0xfffc);
  return stack;
}

/** IRET. NMIs are let in again whatever it returns to. */
export function iret(u: usize): void {
  const size = uopSize(u);
  if (isProtected()) returnInterruptProtected(size);
  else if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  else returnInterruptReal(size);
  if (!fault) store<u32>(STATE_NMI_BLOCKED_32, 0);
}

/** Real and virtual-8086 mode: in the latter IOPL stays. */
function returnInterruptReal(size: u32): void {
  openFrame();
  const offset = <u32>framePop(size);
  const selector = <u32>framePop(size) & 0xffff;
  const image = <u32>framePop(size);
  if (fault) return;
  if (offset > segmentLimit(SEG_CS)) return raiseError(VECTOR_GP, 0);
  commitFrame();
  replaceFlags(image, restorable(size));
  enterReal(selector, offset);
}

function returnInterruptProtected(size: u32): void {
  if (systemFlag(NT)) return isLong() ? raiseError(VECTOR_GP, 0) : returnTask();
  openFrame();
  const offset = framePop(size);
  const selector = <u32>framePop(size) & 0xffff;
  const image = <u32>framePop(size);
  if (fault) return;
  if (size == 4 && (image & VM) != 0 && cpl() == 0 && !isLong()) return returnToV86(selector, <u32>offset, image);
  const code = returnTarget(selector);
  if (fault) return;
  // 64-bit code finds a stack pointer in every frame.
  if ((selector & 3) != cpl() || isCode64()) return returnOuter(selector, code, offset, 0, size, image, restorable(size));
  const mask = restorable(size);
  returnSame(selector, code, offset, 0);
  if (fault) return;
  replaceFlags(image, mask);
  updateMode();
}

/** Back to the task that the current one was called from (SDM volume 3, section 7.4). */
function returnTask(): void {
  const selector = systemRead16(segmentBase(SEG_TR));
  if (fault) return;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const type = typeOf(descriptor);
  if (type != (TYPE_TSS16 | TYPE_BUSY) && type != (TYPE_TSS32 | TYPE_BUSY)) {
    return raiseError(VECTOR_TS, selector & 0xfffc);
  }
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, selector & 0xfffc);
  switchToTask(selector, descriptor, SWITCH_RETURN);
}

/** From ring 0 into virtual-8086 mode: nine doublewords (SDM volume 3, figure 20-3). */
function returnToV86(selector: u32, offset: u32, image: u32): void {
  const pointer = <u32>framePop(4);
  const stack = <u32>framePop(4) & 0xffff;
  const es = <u32>framePop(4) & 0xffff;
  const ds = <u32>framePop(4) & 0xffff;
  const fs = <u32>framePop(4) & 0xffff;
  const gs = <u32>framePop(4) & 0xffff;
  if (fault) return;
  if (offset > 0xffff) return raiseError(VECTOR_GP, 0);
  setFlags(image & SUPPORTED_FLAGS);
  setCpl(3);
  updateMode();
  loadRealSegment(SEG_SS, stack);
  loadRealSegment(SEG_ES, es);
  loadRealSegment(SEG_DS, ds);
  loadRealSegment(SEG_FS, fs);
  loadRealSegment(SEG_GS, gs);
  setReg32(REG_RSP, pointer);
  enterReal(selector, offset);
}

/** INT n: in virtual-8086 mode a matter of IOPL. */
export function int(u: usize): void {
  if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  softwareInterrupt(<u32>uopImmediate(u) & 0xff, INTERRUPT_SOFTWARE);
}

export function int3(u: usize): void {
  softwareInterrupt(VECTOR_BP, INTERRUPT_SOFTWARE_EXCEPTION);
}

export function into(u: usize): void {
  if (overflowFlag() != 0) softwareInterrupt(VECTOR_OF, INTERRUPT_SOFTWARE_EXCEPTION);
}

export function icebp(u: usize): void {
  softwareInterrupt(VECTOR_DB, INTERRUPT_ICEBP);
}

/** Attributes of the flat segments that SYSENTER, SYSCALL and their returns make up, at DPL 0. */
const FLAT_CODE32: u32 = 0xc09b;
const FLAT_CODE64: u32 = 0xa09b;
const FLAT_DATA32: u32 = 0xc093;

function setFlatSegments(code: u32, attributes: u32, stack: u32, level: u32): void {
  const dpl = level << 5;
  setSegment(SEG_CS, code | level, attributes | dpl, 0, 0xffff_ffff);
  setSegment(SEG_SS, stack | level, FLAT_DATA32 | dpl, 0, 0xffff_ffff);
  setCpl(level);
}

/** In long mode to 64-bit code. */
export function sysenter(u: usize): void {
  const selector = <u32>load<u64>(MSR_SYSENTER_CS) & 0xfffc;
  if (isReal() || selector == 0) return raiseError(VECTOR_GP, 0);
  const wide = isLong();
  const mask: u64 = wide ? <u64>-1 : 0xffff_ffff;
  setSystemFlag(VM | IF | RF, false);
  setFlatSegments(selector, wide ? FLAT_CODE64 : FLAT_CODE32, selector + 8, 0);
  setReg64(REG_RSP, load<u64>(MSR_SYSENTER_ESP) & mask);
  setRip(load<u64>(MSR_SYSENTER_EIP) & mask);
  updateMode();
}

/** With a 64-bit operand size to 64-bit code, whose selectors are 16 higher. */
export function sysexit(u: usize): void {
  const selector = <u32>load<u64>(MSR_SYSENTER_CS) & 0xfffc;
  if (!isProtected() || cpl() != 0 || selector == 0) return raiseError(VECTOR_GP, 0);
  const wide = uopSize(u) == 8;
  const mask: u64 = wide ? <u64>-1 : 0xffff_ffff;
  const pointer = reg64(REG_RCX) & mask;
  const target = reg64(REG_RDX) & mask;
  if (!isCanonical(pointer) || !isCanonical(target)) return raiseError(VECTOR_GP, 0);
  setRip(target);
  const code = selector + (wide ? 32 : 16);
  setFlatSegments(code, wide ? FLAT_CODE64 : FLAT_CODE32, code + 8, 3);
  setReg64(REG_RSP, pointer);
  updateMode();
}

/** SYSCALL and SYSRET exist in 64-bit mode with EFER.SCE. */
function hasSystemCalls(): bool {
  if (isCode64() && (load<u64>(STATE_EFER) & EFER_SCE) != 0) return true;
  raise(VECTOR_UD);
  return false;
}

export function syscall(u: usize): void {
  if (!hasSystemCalls()) return;
  const flags = materialize();
  setReg64(REG_RCX, rip());
  setReg64(REG_R11, flags);
  setFlags(flags & ~<u32>load<u64>(MSR_FMASK) & ~RF);
  stepByNewFlags();
  const selector = <u32>(load<u64>(MSR_STAR) >> 32) & 0xfffc;
  setFlatSegments(selector, FLAT_CODE64, selector + 8, 0);
  setRip(load<u64>(MSR_LSTAR));
  updateMode();
}

/** To 64-bit code with REX.W, else to compatibility mode. */
export function sysret(u: usize): void {
  if (!hasSystemCalls()) return;
  const wide = uopSize(u) == 8;
  const target = wide ? reg64(REG_RCX) : <u64>reg32(REG_RCX);
  if (cpl() != 0 || !isCanonical(target)) return raiseError(VECTOR_GP, 0);
  const selector = <u32>(load<u64>(MSR_STAR) >> 48) & 0xfffc;
  setFlags(reg32(REG_R11) & SUPPORTED_FLAGS & ~(RF | VM));
  stepByNewFlags();
  setFlatSegments(selector + (wide ? 16 : 0), wide ? FLAT_CODE64 : FLAT_CODE32, selector + 8, 3);
  setRip(target);
  updateMode();
}

export function swapgs(u: usize): void {
  const base = segmentBase(SEG_GS);
  setSegmentBase(SEG_GS, load<u64>(MSR_KERNEL_GS_BASE));
  store<u64>(MSR_KERNEL_GS_BASE, base);
}
