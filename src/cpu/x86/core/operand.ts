// Operands of a uop: in a register, or in memory with everything that may happen there. The main loop comes here only
// when the TLB does not have the page, or the segment is not flat.
import {
  STATE_REGS,
  STATE_RIP_BASE,
  STATE_RIP_MASK,
  STATE_START_RIP,
  UOP_BASE_8,
  UOP_DISPLACEMENT_32,
  UOP_INDEX_8,
  UOP_SCALE_8,
} from './generated/layout';
import { probeWrite, read16, read32, read64, read8, readSized, write16, write32, write64, write8, writeSized } from './access';
import { setExecuting } from './code-cache';
import { fault, raiseError, VECTOR_SS } from './fault';
import { operandLinear } from './segment';
import { isCanonical, register, setRegister, signExtend } from './state';
import { isMemory, uopOffset, uopReg, uopRm, uopSize } from './uop';

/** The address of a memory operand in a flat segment, for the address size of T: 32 or 64 bits. */
// @ts-ignore: decorator
@inline export function flatAddress<T>(u: usize): T {
  return <T>(
    load<T>(STATE_REGS + load<u8>(u + UOP_BASE_8)) +
    (load<T>(STATE_REGS + load<u8>(u + UOP_INDEX_8)) << <T>load<u8>(u + UOP_SCALE_8)) +
    <T>load<i32>(u + UOP_DISPLACEMENT_32)
  );
}

/** Says which instruction is being executed, for whoever asks while memory does more than remember. */
export function markStart(u: usize): void {
  setExecuting(u);
  store<u64>(STATE_START_RIP, (load<u64>(STATE_RIP_BASE) + uopOffset(u)) & load<u64>(STATE_RIP_MASK));
}

function readLinear<T>(address: u64): T {
  if (sizeof<T>() == 1) return <T>read8(address);
  if (sizeof<T>() == 2) return <T>read16(address);
  if (sizeof<T>() == 4) return <T>read32(address);
  return <T>read64(address);
}

function writeLinear<T>(address: u64, value: T): void {
  if (sizeof<T>() == 1) write8(address, <u32>value);
  else if (sizeof<T>() == 2) write16(address, <u32>value);
  else if (sizeof<T>() == 4) write32(address, <u32>value);
  else write64(address, <u64>value);
}

/** Loads the memory operand. May fault. */
export function loadOperand<T>(u: usize): T {
  markStart(u);
  const address = operandLinear(u, sizeof<T>(), false);
  return fault ? <T>0 : readLinear<T>(address);
}

/** Stores the memory operand. May fault. */
export function storeOperand<T>(u: usize, value: T): void {
  markStart(u);
  const address = operandLinear(u, sizeof<T>(), true);
  if (!fault) writeLinear<T>(address, value);
}

/** Where `endUpdate` will store: the linear address of the operand that is being changed. */
let updated: u64 = 0;

/** Loads a memory operand that is about to be changed: raises all that the store could raise. */
export function beginUpdate<T>(u: usize): T {
  markStart(u);
  const address = operandLinear(u, sizeof<T>(), true);
  if (fault) return <T>0;
  probeWrite(address, sizeof<T>());
  if (fault) return <T>0;
  updated = address;
  return readLinear<T>(address);
}

/** Stores what has become of the operand that `beginUpdate` loaded. */
export function endUpdate<T>(value: T): void {
  writeLinear<T>(updated, value);
}

/** Loads from the stack at a linear address on behalf of `u`. May fault. */
export function loadFlat<T>(u: usize, address: u64): T {
  markStart(u);
  checkStack(address, sizeof<T>());
  return fault ? <T>0 : readLinear<T>(address);
}

/** Stores to the stack at a linear address on behalf of `u`. May fault. */
export function storeFlat<T>(u: usize, address: u64, value: T): void {
  markStart(u);
  checkStack(address, sizeof<T>());
  if (!fault) writeLinear<T>(address, value);
}

/** #SS(0) for a stack address that is not canonical. */
function checkStack(address: u64, size: u32): void {
  if (!isCanonical(address) || !isCanonical(address + size - 1)) raiseError(VECTOR_SS, 0);
}

// What follows serves the handlers: operands of any size, zero-extended.

/** The value of the E operand. May fault. */
export function readOperand(u: usize): u64 {
  return readOperandOf(u, uopSize(u));
}

/** The value of an E operand that is not of the operand size. May fault. */
export function readOperandOf(u: usize, size: u32): u64 {
  if (!isMemory(u)) return register(uopRm(u), size);
  const address = operandLinear(u, size, false);
  return fault ? 0 : readSized(address, size);
}

/** The value of an E operand that `writeBack` will then change; raises all that the store could raise. */
export function readForUpdate(u: usize): u64 {
  const size = uopSize(u);
  if (!isMemory(u)) return register(uopRm(u), size);
  const address = operandLinear(u, size, true);
  if (fault) return 0;
  return readForUpdateAt(address, size);
}

/** The same at a linear address. */
export function readForUpdateAt(address: u64, size: u32): u64 {
  probeWrite(address, size);
  if (fault) return 0;
  updated = address;
  return readSized(address, size);
}

/** Stores the E operand that `readForUpdate` has read. */
export function writeBack(u: usize, value: u64): void {
  if (isMemory(u)) writeSized(updated, uopSize(u), value);
  else setRegister(uopRm(u), uopSize(u), value);
}

/** Stores the E operand. May fault. */
export function writeOperand(u: usize, value: u64): void {
  writeOperandOf(u, uopSize(u), value);
}

export function writeOperandOf(u: usize, size: u32, value: u64): void {
  if (!isMemory(u)) return setRegister(uopRm(u), size, value);
  const address = operandLinear(u, size, true);
  if (!fault) writeSized(address, size, value);
}

/** The register operand. */
// @ts-ignore: decorator
@inline export function registerOperand(u: usize): u64 {
  return register(uopReg(u), uopSize(u));
}
// @ts-ignore: decorator
@inline export function setRegisterOperand(u: usize, value: u64): void {
  setRegister(uopReg(u), uopSize(u), value);
}

export function signedOperand(u: usize, value: u64): i64 {
  return signExtend(value, uopSize(u));
}
