// The stack (SDM volume 2: PUSH, POP, PUSHA, POPA, ENTER, LEAVE), whatever SS is. Its flat 32-bit forms are hot ones.
import { REG_RBP, REG_RSP, SEG_SS, SHADOW_STACK, STATE_SHADOW_32 } from './generated/layout';
import { probeWrite, readSized, writeSized } from './access';
import { fault } from './fault';
import { readOperand, writeOperand } from './operand';
import { loadSegment, setStackPointer, stackLinear, stackMask, stackPointer } from './segment';
import { reg64, register, segmentSelector, setReg64, setRegister } from './state';
import { hasImmediate, isMemory, uopImmediate, uopReg, uopRm, uopSelector, uopSize } from './uop';

/** Pushes a value of 2 or 4 bytes. May fault, and has then done nothing. */
export function pushSized(size: u32, value: u64): void {
  const pointer = (stackPointer() - size) & stackMask();
  const address = stackLinear(pointer, size, true);
  if (fault) return;
  writeSized(address, size, value);
  if (!fault) setStackPointer(pointer);
}

/** The slot `skip` bytes above the top of the stack. May fault. */
export function peekStack(skip: u64, size: u32): u64 {
  const address = stackLinear(stackPointer() + skip, size, false);
  return fault ? 0 : readSized(address, size);
}

export function dropStack(bytes: u64): void {
  setStackPointer(stackPointer() + bytes);
}

export function push(u: usize): void {
  const value = hasImmediate(u) ? uopImmediate(u) : readOperand(u);
  if (!fault) pushSized(uopSize(u), value);
}

/** An address that uses rSP sees it after the pop; POP SP keeps the popped value. */
export function pop(u: usize): void {
  const size = uopSize(u);
  const value = peekStack(0, size);
  if (fault) return;
  const before = reg64(REG_RSP);
  dropStack(size);
  if (!isMemory(u)) return setRegister(uopRm(u), size, value);
  writeOperand(u, value);
  if (fault) setReg64(REG_RSP, before);
}

/** With a 32-bit operand size only the low half of the slot is written, as processors since the P6 do. */
export function pushSegment(u: usize): void {
  const size = uopSize(u);
  const pointer = (stackPointer() - size) & stackMask();
  const address = stackLinear(pointer, size, true);
  if (fault) return;
  writeSized(address, 2, segmentSelector(uopReg(u)));
  if (!fault) setStackPointer(pointer);
}

export function popSegment(u: usize): void {
  const selector = <u32>peekStack(0, 2);
  if (fault) return;
  const pointer = stackPointer() + uopSize(u);
  // The pointer is the old stack's, even when SS changes its width.
  const mask = stackMask();
  loadSegment(uopReg(u), selector);
  if (fault) return;
  const kept = reg64(REG_RSP) & ~mask;
  setReg64(REG_RSP, mask == 0xffff_ffff ? pointer & mask : kept | (pointer & mask));
  if (uopReg(u) == SEG_SS) store<u32>(STATE_SHADOW_32, SHADOW_STACK);
}

/** All eight slots are checked before the first is written. */
export function pusha(u: usize): void {
  const size = uopSize(u);
  const top = stackPointer();
  for (let index: u32 = 0; index < 8; index++) {
    const address = stackLinear((top - size * (index + 1)) & stackMask(), size, true);
    if (fault) return;
    probeWrite(address, size);
    if (fault) return;
  }
  for (let index: u32 = 0; index < 8; index++) {
    writeSized(stackLinear((top - size * (index + 1)) & stackMask(), size, true), size, register(index << 3, size));
  }
  setStackPointer(top - size * 8);
}

/** The slot of rSP is skipped. All are read before the first register changes. */
export function popa(u: usize): void {
  const size = uopSize(u);
  for (let index: u32 = 0; index < 8; index++) {
    peekStack(size * index, size);
    if (fault) return;
  }
  for (let index: u32 = 0; index < 8; index++) {
    const offset = (7 - index) << 3;
    if (offset != REG_RSP) setRegister(offset, size, peekStack(size * index, size));
  }
  dropStack(size * 8);
}

/** ENTER (SDM volume 1, section 6.6): a frame of `immediate` bytes, with copies of the frame pointers above it. */
export function enter(u: usize): void {
  const size = uopSize(u);
  const level = uopSelector(u) & 31;
  const before = reg64(REG_RSP);
  pushSized(size, register(REG_RBP, size));
  const frame = stackPointer();
  for (let index: u32 = 1; index < level && !fault; index++) {
    const address = stackLinear((reg64(REG_RBP) - size * index) & stackMask(), size, false);
    if (fault) break;
    const link = readSized(address, size);
    if (!fault) pushSized(size, link);
  }
  if (level > 0 && !fault) pushSized(size, frame);
  const top = (stackPointer() - uopImmediate(u)) & stackMask();
  // The new top must be writable, although nothing is written there.
  if (!fault) {
    const address = stackLinear(top, size, true);
    if (!fault) probeWrite(address, size);
  }
  if (fault) return setReg64(REG_RSP, before);
  setStackPointer(top);
  setRegister(REG_RBP, size, frame);
}

export function leave(u: usize): void {
  const size = uopSize(u);
  const frame = reg64(REG_RBP) & stackMask();
  const address = stackLinear(frame, size, false);
  if (fault) return;
  const value = readSized(address, size);
  if (fault) return;
  setStackPointer(frame + size);
  setRegister(REG_RBP, size, value);
}
