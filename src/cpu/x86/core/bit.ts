// Single bits: BT and its family, BSF, BSR, SETcc, CMOVcc (SDM volume 2).
import { readSized, writeSized } from './access';
import { fault } from './fault';
import { condition, setCarry, setZero } from './flags';
import { readForUpdateAt, readOperand, registerOperand, setRegisterOperand, writeOperand } from './operand';
import { atSegment } from './segment';
import { register, setRegister, signExtend, truncate } from './state';
import {
  ea,
  hasImmediate,
  isMemory,
  uopAddressSize,
  uopImmediate,
  uopReg,
  uopRm,
  uopSelector,
  uopSize,
} from './uop';

/** How a bit changes. */
const KEEP: u32 = 0;
const SET: u32 = 1;
const RESET: u32 = 2;
const COMPLEMENT: u32 = 3;

function changed(value: u64, bit: u64, change: u32): u64 {
  const mask = (<u64>1) << bit;
  if (change == SET) return value | mask;
  if (change == RESET) return value & ~mask;
  return change == COMPLEMENT ? value ^ mask : value;
}

function bitOperation(u: usize, change: u32): void {
  if (isMemory(u)) return memoryBit(u, change);
  const size = uopSize(u);
  const number = (hasImmediate(u) ? uopImmediate(u) : register(uopReg(u), size)) & ((size << 3) - 1);
  const value = register(uopRm(u), size);
  if (change != KEEP) setRegister(uopRm(u), size, changed(value, number, change));
  setCarry(<u32>(value >> number) & 1);
}

/** A bit offset in a register is signed and reaches beyond the operand, in steps of the operand's size. */
function memoryBit(u: usize, change: u32): void {
  const size = uopSize(u);
  const number = hasImmediate(u)
    ? <i64>uopImmediate(u) & ((size << 3) - 1)
    : signExtend(register(uopReg(u), size), size);
  const step = (number >> (3 + ctz(size))) * size;
  const offset = truncate(ea(u) + step, uopAddressSize(u));
  const address = atSegment(u, offset, size, change != KEEP);
  if (fault) return;
  const value = change == KEEP ? readSized(address, size) : readForUpdateAt(address, size);
  if (fault) return;
  const bit = <u64>number & ((size << 3) - 1);
  if (change != KEEP) writeSized(address, size, changed(value, bit, change));
  setCarry(<u32>(value >> bit) & 1);
}

export function bt(u: usize): void {
  bitOperation(u, KEEP);
}
export function bts(u: usize): void {
  bitOperation(u, SET);
}
export function btr(u: usize): void {
  bitOperation(u, RESET);
}
export function btc(u: usize): void {
  bitOperation(u, COMPLEMENT);
}

/** A source of 0 leaves the destination as it is, as processors do where the manual says undefined. */
export function bsf(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  setZero(value == 0);
  if (value != 0) setRegisterOperand(u, ctz(value));
}

export function bsr(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  setZero(value == 0);
  if (value != 0) setRegisterOperand(u, 63 - clz(value));
}

export function setcc(u: usize): void {
  writeOperand(u, <u64>condition(uopSelector(u)));
}

/** The source is read whatever the condition, and a 32-bit destination is always written. */
export function cmovcc(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  setRegisterOperand(u, condition(uopSelector(u)) ? value : registerOperand(u));
}
