/** The descriptor tables' registers, and the instructions that ask about selectors (SDM volume 2). */
import {
  SEG_LDTR,
  SEG_TR,
  STATE_GDTR_BASE,
  STATE_GDTR_LIMIT_32,
  STATE_IDTR_BASE,
  STATE_IDTR_LIMIT_32,
} from './generated/layout';
import { probeWrite, read16, read32, write16, write32 } from './access';
import { operand16, storeSelectorLike } from './control';
import {
  dplOf,
  isConforming,
  isLocal,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  limitOf,
  markBusy,
  readDescriptor,
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
import { cpl, reg16, segmentSelector, setReg16, setRegister } from './state';
import { isMemory, uopReg, uopRm, uopSize } from './uop';

/** All 32 bits of the base, whatever the operand size. */
function storeTable(u: usize, base: u64, limit: u32): void {
  const at = operandLinear(u, 6, true);
  if (fault) return;
  probeWrite(at, 6);
  if (fault) return;
  write16(at, limit);
  write32((at + 2) & 0xffff_ffff, <u32>base);
}

/** With a 16-bit operand the base has 24 bits. */
function loadTable(u: usize, baseField: usize, limitField: usize): void {
  const at = operandLinear(u, 6, false);
  if (fault) return;
  const limit = read16(at);
  if (fault) return;
  const base = read32((at + 2) & 0xffff_ffff);
  if (fault) return;
  store<u64>(baseField, uopSize(u) == 2 ? base & 0xff_ffff : base);
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
  storeSelectorLike(u, segmentSelector(SEG_LDTR));
}

export function str(u: usize): void {
  storeSelectorLike(u, segmentSelector(SEG_TR));
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
  setFromDescriptor(SEG_LDTR, selector, descriptor);
}

export function ltr(u: usize): void {
  const selector = operand16(u);
  if (fault) return;
  if (isNull(selector)) return raiseError(VECTOR_GP, 0);
  const error = selector & 0xfffc;
  const descriptor = isLocal(selector) ? 0 : readDescriptor(selector);
  if (fault) return;
  const type = typeOf(descriptor);
  if (type != TYPE_TSS16 && type != TYPE_TSS32) return raiseError(VECTOR_GP, error);
  if (!isPresent(descriptor)) return raiseError(VECTOR_NP, error);
  markBusy(selector, true);
  if (!fault) setFromDescriptor(SEG_TR, selector, descriptor | ((<u64>TYPE_BUSY) << 40));
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

function isAmong(descriptor: u64, types: u32): bool {
  const type = typeOf(descriptor);
  return type >= 16 || ((types >> type) & 1) != 0;
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
