// Near transfers of control without a hot form, and BOUND (SDM volume 2). A target beyond the limit of CS raises
// #GP(0) on the instruction that goes there.
import { MODE_CODE64, REG_RCX, SEG_CS } from './generated/layout';
import { readSized } from './access';
import { fault, raise, raiseError, VECTOR_BR, VECTOR_GP } from './fault';
import { zeroFlag } from './flags';
import { readOperand } from './operand';
import { branchTarget, countDown } from './run';
import { operandPart } from './segment';
import { dropStack, peekStack, pushSized } from './stack';
import { isCanonical, mode, register, rip, segmentLimit, setRegister, setRip, signExtend } from './state';
import { hasImmediate, uopAddressSize, uopImmediate, uopReg, uopSize } from './uop';

function withinCode(target: u64): bool {
  const wide = (mode() & MODE_CODE64) != 0;
  if (wide ? isCanonical(target) : target <= <u64>segmentLimit(SEG_CS)) return true;
  raiseError(VECTOR_GP, 0);
  return false;
}

export function jmpIndirect(u: usize): void {
  const target = readOperand(u);
  if (!fault && withinCode(target)) setRip(target);
}

function callTo(u: usize, target: u64): void {
  if (!withinCode(target)) return;
  pushSized(uopSize(u), rip());
  if (!fault) setRip(target);
}

export function call(u: usize): void {
  callTo(u, branchTarget(u));
}

export function callIndirect(u: usize): void {
  const target = readOperand(u);
  if (!fault) callTo(u, target);
}

export function ret(u: usize): void {
  const size = uopSize(u);
  const target = peekStack(0, size);
  if (fault || !withinCode(target)) return;
  dropStack(size + (hasImmediate(u) ? uopImmediate(u) : 0));
  setRip(target);
}

function jumpIf(u: usize, taken: bool): void {
  if (!taken) return;
  const target = branchTarget(u);
  if (withinCode(target)) setRip(target);
}

/** The counter must stay as it was when the jump faults. */
function loopIf(u: usize, taken: bool): void {
  const size = uopAddressSize(u);
  const before = register(REG_RCX, size);
  jumpIf(u, countDown(u) && taken);
  if (fault) setRegister(REG_RCX, size, before);
}

export function loope(u: usize): void {
  loopIf(u, zeroFlag() != 0);
}
export function loopne(u: usize): void {
  loopIf(u, zeroFlag() == 0);
}
export function jcxz(u: usize): void {
  jumpIf(u, register(REG_RCX, uopAddressSize(u)) == 0);
}

/** The bounds are signed and both inclusive. */
export function bound(u: usize): void {
  const size = uopSize(u);
  const low = operandPart(u, 0, size, false);
  if (fault) return;
  const high = operandPart(u, size, size, false);
  if (fault) return;
  const lower = signExtend(readSized(low, size), size);
  if (fault) return;
  const upper = signExtend(readSized(high, size), size);
  if (fault) return;
  const index = signExtend(register(uopReg(u), size), size);
  if (index < lower || index > upper) raise(VECTOR_BR);
}
