/** CLI, STI, PUSHF and POPF: the interrupt flag, and what IOPL and virtual-8086 mode say about it (SDM volume 2). */
import { SHADOW_STI, STATE_SHADOW_32 } from './generated/layout';
import { changeable, replaceFlags } from './eflags';
import { fault, raise, raiseError, VECTOR_GP, VECTOR_UD } from './fault';
import { cpl } from './state';
import { AC, IF, materialize, RF, setSystemFlag, systemFlag, VM } from './flags';
import { hasIoPrivilege, isV86, isV86Restricted } from './privilege';
import { peekStack, dropStack, pushSized } from './stack';
import { updateMode } from './segment';
import { uopSize } from './uop';

/** In virtual-8086 mode CPL is 3, so that IOPL must be 3. */
export function cli(u: usize): void {
  if (!hasIoPrivilege()) return raiseError(VECTOR_GP, 0);
  setSystemFlag(IF, false);
}

/** Interrupts come in only after the next instruction, so that STI, RET cannot be separated. */
export function sti(u: usize): void {
  if (!hasIoPrivilege()) return raiseError(VECTOR_GP, 0);
  if (!systemFlag(IF)) store<u32>(STATE_SHADOW_32, SHADOW_STI);
  setSystemFlag(IF, true);
}

/** CLAC and STAC: whether a supervisor may reach user pages although CR4.SMAP is set. */
export function clac(u: usize): void {
  setAlignmentCheck(false);
}
export function stac(u: usize): void {
  setAlignmentCheck(true);
}

function setAlignmentCheck(on: bool): void {
  if (cpl() != 0) return raise(VECTOR_UD);
  setSystemFlag(AC, on);
  updateMode();
}

export function pushf(u: usize): void {
  if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  const image = materialize() & ~(VM | RF);
  pushSized(uopSize(u), image);
}

export function popf(u: usize): void {
  if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  const size = uopSize(u);
  const image = <u32>peekStack(0, size);
  if (fault) return;
  dropStack(size);
  replaceFlags(image, changeable(size));
  updateMode();
}
