/** The descriptor tables' registers, and the instructions that ask about selectors (SDM volume 2). */
import {
  SEG_LDTR,
  SEG_TR,
  STATE_GDTR_BASE,
  STATE_GDTR_LIMIT_32,
  STATE_IDTR_BASE,
  STATE_IDTR_LIMIT_32,
} from './generated/layout';
import { probeWrite, read16, readSized, write16, writeSized } from './access';
import { isPrevented, operand16, storeSelectorLike } from './control';
import {
  dplOf,
  isConforming,
  isLocal,
  isNull,
  isPresent,
  isReadable,
  isUpperValid,
  isWritableData,
  limitOf,
  markBusy,
  readDescriptor,
  readUpper,
  setFromDescriptor,
  TYPE_BUSY,
  TYPE_LDT,
  TYPE_TSS16,
  TYPE_TSS32,
  typeOf,
} from './descriptor';
import { fault, raiseError, VECTOR_GP, VECTOR_NP } from './fault';
import { setZero } from './flags';
import { operandLinear, setNullSegment } from './segment';
import { wrapLinear } from './paging';
import { isCode64, isLong } from './privilege';
import { cpl, isCanonical, reg16, segmentBase, segmentSelector, setReg16, setRegister, setSegmentBase } from './state';
import { isMemory, uopReg, uopRm, uopSize } from './uop';

/** All 32 bits of the base, whatever the operand size; in 64-bit mode all 64. */
function storeTable(u: usize, base: u64, limit: u32): void {
  if (isPrevented()) return;
  const size: u32 = isCode64() ? 8 : 4;
  const at = operandLinear(u, size + 2, true);
  if (fault) return;
  probeWrite(at, size + 2);
  if (fault) return;
  write16(at, limit);
  writeSized(wrapLinear(at + 2), size, base);
}

/** With a 16-bit operand the base has 24 bits. */
function loadTable(u: usize, baseField: usize, limitField: usize): void {
  const size: u32 = isCode64() ? 8 : 4;
  const at = operandLinear(u, size + 2, false);
  if (fault) return;
  const limit = read16(at);
  if (fault) return;
  const base = readSized(wrapLinear(at + 2), size);
  if (fault) return;
  if (!isCanonical(base)) return raiseError(VECTOR_GP, 0);
  store<u64>(baseField, size == 4 && uopSize(u) == 2 ? base & 0xff_ffff : base);
  store<u32>(limitField, limit);
}

export function sgdt(u: usize): void {
  storeTable(u, load<u64>(STATE_GDTR_BASE), load<u32>(STATE_GDTR_LIMIT_32));
}

export function sidt(u: usize): void {
  storeTable(u, load<u64>(STATE_IDTR_BASE), load<u32>(STATE_IDTR_LIMIT_32));
}

export function lgdt(u: usize): void {
  loadTable(u, STATE_GDTR_BASE, STATE_GDTR_LIMIT_32);
}

export function lidt(u: usize): void {
  loadTable(u, STATE_IDTR_BASE, STATE_IDTR_LIMIT_32);
}

export function sldt(u: usize): void {
  if (!isPrevented()) storeSelectorLike(u, segmentSelector(SEG_LDTR));
}

export function str(u: usize): void {
  if (!isPrevented()) storeSelectorLike(u, segmentSelector(SEG_TR));
}

/** Bits 63:32 of the base of a long mode's LDT or TSS. May fault. */
function readUpperBase(selector: u32): u64 {
  const upper = readUpper(selector);
  if (!fault && (!isUpperValid(upper) || !isCanonical(upper << 32))) raiseError(VECTOR_GP, selector & 0xfffc);
  return upper << 32;
}

function setSystemSegment(segment: u32, selector: u32, descriptor: u64, upper: u64): void {
  setFromDescriptor(segment, selector, descriptor);
  setSegmentBase(segment, segmentBase(segment) | upper);
}

export function lldt(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  if (isNull(selector)) return setNullSegment(SEG_LDTR, selector);
  const error = selector & 0xfffc;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  if (typeOf(descriptor) != TYPE_LDT) return raiseError(VECTOR_GP, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  const upper = isLong() ? readUpperBase(selector) : 0;
  if (!fault) setSystemSegment(SEG_LDTR, selector, descriptor, upper);
}

export function ltr(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  if (isNull(selector)) return raiseError(VECTOR_GP, 0);
  const error = selector & 0xfffc;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const type = typeOf(descriptor);
  if ((type != TYPE_TSS16 || isLong()) && type != TYPE_TSS32) return raiseError(VECTOR_GP, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  const upper = isLong() ? readUpperBase(selector) : 0;
  if (fault) return;
  markBusy(selector, true);
  if (!fault) setSystemSegment(SEG_TR, selector, descriptor | ((<u64>TYPE_BUSY) << 40), upper);
}

/** Whether the selector's privileges let this code see the descriptor; conforming code is for everyone. */
function isVisible(descriptor: u64, selector: u32): bool {
  if (isConforming(descriptor)) return true;
  return dplOf(descriptor) >= cpl() && dplOf(descriptor) >= (selector & 3);
}

/** The descriptor that an instruction asks about, 0 for a null selector. May fault. */
function askedDescriptor(selector: u32): u64 {
  return isNull(selector) ? 0 : readDescriptor(selector);
}

/** One bit for each system type: LAR knows segments, gates of CALL and tasks, LSL segments alone. */
const LAR_TYPES: u32 = 0x1a3e;
const LSL_TYPES: u32 = 0x0a0e;
/** In long mode there is nothing of 16 bits but the LDT, and there are no tasks. */
const LONG_TYPES: u32 = 0x1a04;

function isAmong(descriptor: u64, types: u32): bool {
  const type = typeOf(descriptor);
  return type >= 16 || (((isLong() ? types & LONG_TYPES : types) >> type) & 1) != 0;
}

/** LAR: bits 23:20 and 15:8 of the second word; 19:16 are undefined by the manual and 0 here. */
export function lar(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  const descriptor = askedDescriptor(selector);
  if (fault) return;
  const known = isAmong(descriptor, LAR_TYPES) && isVisible(descriptor, selector);
  if (known) setRegister(uopReg(u), uopSize(u), (descriptor >> 32) & 0xf0_ff00);
  setZero(known);
}

export function lsl(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  const descriptor = askedDescriptor(selector);
  if (fault) return;
  const known = isAmong(descriptor, LSL_TYPES) && isVisible(descriptor, selector);
  if (known) setRegister(uopReg(u), uopSize(u), limitOf(descriptor));
  setZero(known);
}

export function verr(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  const descriptor = askedDescriptor(selector);
  if (!fault) setZero(isReadable(descriptor) && isVisible(descriptor, selector));
}

export function verw(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  const descriptor = askedDescriptor(selector);
  if (!fault) setZero(isWritableData(descriptor) && isVisible(descriptor, selector));
}

/** ARPL: raises the RPL of the destination to the source's. */
export function arpl(u: usize): void {
  const source = reg16(uopReg(u)) & 3;
  const at = isMemory(u) ? operandLinear(u, 2, true) : 0;
  if (fault) return;
  const selector = isMemory(u) ? read16(at) : reg16(uopRm(u));
  if (fault) return;
  const raised = (selector & 3) < source;
  if (raised && isMemory(u)) write16(at, (selector & 0xfffc) | source);
  else if (raised) setReg16(uopRm(u), (selector & 0xfffc) | source);
  if (!fault) setZero(raised);
}
