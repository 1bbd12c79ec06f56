// Moves without a hot form: XCHG, XLAT, LEA, segment registers, LDS and its family (SDM volume 2).
import { REG_RAX, REG_RBX, SEGMENT_FLAT, SEG_CS, SEG_SS, STATE_SHADOW_32 } from './generated/layout';
import { read8, readSized } from './access';
import { fault, raise, VECTOR_UD } from './fault';
import {
  readForUpdate,
  readOperandOf,
  registerOperand,
  setRegisterOperand,
  writeBack,
  writeOperandOf,
} from './operand';
import { linear, loadSegment, operandPart } from './segment';
import { reg8, register, segmentSelector, setReg8, truncate } from './state';
import { ea, isMemory, uopAddressSize, uopReg, uopSegment, uopSelector, uopSize } from './uop';

export function xchg(u: usize): void {
  const value = readForUpdate(u);
  if (fault) return;
  writeBack(u, registerOperand(u));
  setRegisterOperand(u, value);
}

export function xlat(u: usize): void {
  const size = uopAddressSize(u);
  const offset = truncate(register(REG_RBX, size) + reg8(REG_RAX), size);
  const flat = uopSegment(u) == SEGMENT_FLAT;
  const address = flat ? offset : linear(uopSegment(u), offset, 1, false);
  if (fault) return;
  const value = read8(address);
  if (!fault) setReg8(REG_RAX, value);
}

export function lea(u: usize): void {
  setRegisterOperand(u, truncate(ea(u), uopSize(u)));
}

/** To memory it is always 16 bits; to a wide register it is zero-extended. */
export function movFromSegment(u: usize): void {
  if (uopReg(u) > 5) return raise(VECTOR_UD);
  writeOperandOf(u, isMemory(u) ? 2 : uopSize(u), segmentSelector(uopReg(u)));
}

/** A load of SS holds off interrupts until after the next instruction, which loads SP. */
export function movToSegment(u: usize): void {
  const segment = uopReg(u);
  if (segment > 5 || segment == SEG_CS) return raise(VECTOR_UD);
  const selector = <u32>readOperandOf(u, 2);
  if (fault) return;
  loadSegment(segment, selector);
  if (!fault && segment == SEG_SS) store<u32>(STATE_SHADOW_32, 1);
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
