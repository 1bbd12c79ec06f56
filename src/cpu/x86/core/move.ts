// Moves without a hot form: XCHG, XLAT, LEA, segment registers, LDS and its family (SDM volume 2).
import { REG_RAX, REG_RBX, SEG_CS, SEG_SS, SHADOW_STACK, STATE_SHADOW_32 } from './generated/layout';
import { read8, readSized, writeSized } from './access';
import { fault, raise, VECTOR_UD } from './fault';
import {
  readForUpdate,
  readOperandOf,
  registerOperand,
  setRegisterOperand,
  writeBack,
  writeOperandOf,
} from './operand';
import { atSegment, loadSegment, operandPart } from './segment';
import { reg8, register, segmentSelector, setReg8, setRegister, signExtend, truncate } from './state';
import { ea, isMemory, uopAddressSize, uopImmediate, uopReg, uopSelector, uopSize } from './uop';

export function xchg(u: usize): void {
  const value = readForUpdate(u);
  if (fault) return;
  writeBack(u, registerOperand(u));
  setRegisterOperand(u, value);
}

export function xlat(u: usize): void {
  const size = uopAddressSize(u);
  const offset = truncate(register(REG_RBX, size) + reg8(REG_RAX), size);
  const address = atSegment(u, offset, 1, false);
  if (fault) return;
  const value = read8(address);
  if (!fault) setReg8(REG_RAX, value);
}

export function lea(u: usize): void {
  setRegisterOperand(u, truncate(ea(u), uopSize(u)));
}

/** MOV between the accumulator and memory at a 64-bit offset. The selector field says whether it is a store. */
export function movOffset(u: usize): void {
  const size = uopSize(u);
  const address = atSegment(u, uopImmediate(u), size, isStore(u));
  if (fault) return;
  if (isStore(u)) return writeSized(address, size, register(REG_RAX, size));
  const value = readSized(address, size);
  if (!fault) setRegister(REG_RAX, size, value);
}

function isStore(u: usize): bool {
  return uopSelector(u) != 0;
}

/** MOVSXD: of 16 bits it is a move. */
export function movsxd(u: usize): void {
  const size = uopSize(u);
  const value = readOperandOf(u, min<u32>(size, 4));
  if (!fault) setRegisterOperand(u, size == 8 ? signExtend(value, 4) : value);
}

/** To memory it is always 16 bits; to a wide register it is zero-extended. */
export function movFromSegment(u: usize): void {
  if (uopReg(u) > 5) return raise(VECTOR_UD);
  writeOperandOf(u, isMemory(u) ? 2 : uopSize(u), segmentSelector(uopReg(u)));
}

/** A load of SS holds off interrupts and traps until after the next instruction, which loads SP. */
export function movToSegment(u: usize): void {
  const segment = uopReg(u);
  if (segment > 5 || segment == SEG_CS) return raise(VECTOR_UD);
  const selector = <u32>readOperandOf(u, 2);
  if (fault) return;
  loadSegment(segment, selector);
  if (!fault && segment == SEG_SS) store<u32>(STATE_SHADOW_32, SHADOW_STACK);
}

/** LES, LDS, LSS, LFS, LGS. */
export function loadFarPointer(u: usize): void {
  const size = uopSize(u);
  const low = operandPart(u, 0, size, false);
  if (fault) return;
  const high = operandPart(u, size, 2, false);
  if (fault) return;
  const offset = readSized(low, size);
  if (fault) return;
  const selector = <u32>readSized(high, 2);
  if (fault) return;
  loadSegment(uopSelector(u), selector);
  if (!fault) setRegisterOperand(u, offset);
}
