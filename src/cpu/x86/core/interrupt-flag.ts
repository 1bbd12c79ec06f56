/** CLI, STI, PUSHF and POPF: the interrupt flag, and what IOPL and virtual-8086 mode say about it (SDM volume 2). */
import { STATE_SHADOW_32 } from './generated/layout';
import { changeable, replaceFlags } from './eflags';
import { fault, raiseError, VECTOR_GP } from './fault';
import { IF, materialize, RF, setSystemFlag, systemFlag, VM } from './flags';
import { hasIoPrivilege, isV86, isV86Restricted } from './privilege';
import { pop16, pop32, push16, push32 } from './segment';
import { uopSize } from './uop';

/** In virtual-8086 mode CPL is 3, so that IOPL must be 3. */
export function cli(u: usize): void {
  if (!hasIoPrivilege()) return raiseError(VECTOR_GP, 0);
  setSystemFlag(IF, false);
}

/** Interrupts come in only after the next instruction, so that STI, RET cannot be separated. */
export function sti(u: usize): void {
  if (!hasIoPrivilege()) return raiseError(VECTOR_GP, 0);
  if (!systemFlag(IF)) store<u32>(STATE_SHADOW_32, 1);
  setSystemFlag(IF, true);
}

export function pushf(u: usize): void {
  if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  const image = materialize() & ~(VM | RF);
  if (uopSize(u) == 2) push16(image);
  else push32(image);
}

export function popf(u: usize): void {
  if (isV86Restricted()) return raiseError(VECTOR_GP, 0);
  const size = uopSize(u);
  const image = size == 2 ? pop16() : pop32();
  if (!fault) replaceFlags(image, changeable(size));
}
