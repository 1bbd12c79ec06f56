// XMM and MMX registers, vectors in memory, and when instructions on them may run (SDM volume 1, sections 9.5 and 11.6;
// volume 3, sections 2.5 and 13.1). A register is named by its offset from REGS, as the decoder does for all registers.
import {
  STATE_CR0,
  STATE_CR4,
  STATE_SSE,
  STATE_TLB_BASE_32,
  STATE_X87,
  STATE_X87_TOP_32,
  STATE_X87_USED_32,
  TLB_ENTRY_ADDEND_32,
  TLB_ENTRY_READ,
  TLB_ENTRY_SIZE,
  TLB_ENTRY_WRITE,
  TLB_SIZE,
} from './generated/layout';
import { probeWrite, read16, read32, read64, write32, write64 } from './access';
import { CR0_EM, CR0_TS, CR4_OSFXSR } from './control-bits';
import { fault, raise, raiseError, VECTOR_GP, VECTOR_NM, VECTOR_UD } from './fault';
import { operandLinear } from './segment';
import { isMemory, uopRm } from './uop';
import { mayIgnorePending, status, STATUS_ES } from './x87-state';

// @ts-ignore: decorator
@inline export function xmm(register: u32): v128 {
  return v128.load(STATE_SSE + (register << 1));
}
// @ts-ignore: decorator
@inline export function setXmm(register: u32, value: v128): void {
  v128.store(STATE_SSE + (register << 1), value);
}
// @ts-ignore: decorator
@inline export function mmx(register: u32): v128 {
  return v128.load64_zero(STATE_X87 + ((register & 0x38) << 1));
}

/** A written MMX register is a NaN or infinity to x87. */
export function setMmx(register: u32, value: v128): void {
  const at = STATE_X87 + ((register & 0x38) << 1);
  store<u64>(at, i64x2.extract_lane(value, 0));
  store<u64>(at + 8, 0xffff);
}

/** What every MMX instruction but EMMS does to x87: TOP is 0 and no register empty. */
export function enterMmx(): void {
  store<u32>(STATE_X87_TOP_32, 0);
  store<u32>(STATE_X87_USED_32, 0xff);
}

/** Whether an SSE instruction may run. */
export function maySse(): bool {
  const cr0 = load<u64>(STATE_CR0);
  if ((cr0 & (CR0_EM | CR0_TS)) == 0 && (load<u64>(STATE_CR4) & CR4_OSFXSR) != 0) return true;
  raise((cr0 & CR0_EM) != 0 || (load<u64>(STATE_CR4) & CR4_OSFXSR) == 0 ? VECTOR_UD : VECTOR_NM);
  return false;
}

/** Whether an MMX instruction may run; a pending x87 exception comes first. */
export function mayMmx(): bool {
  const cr0 = load<u64>(STATE_CR0);
  if ((cr0 & (CR0_EM | CR0_TS)) != 0) {
    raise((cr0 & CR0_EM) != 0 ? VECTOR_UD : VECTOR_NM);
    return false;
  }
  return (status() & STATUS_ES) == 0 || mayIgnorePending();
}

export function maySseAndMmx(): bool {
  return maySse() && mayMmx();
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

const ZERO: v128 = i64x2(0, 0);

/** The arena address of 16 bytes whose page has this tag in the TLB, else 0. */
// @ts-ignore: decorator
@inline function hit(linear: u64, tag: usize): usize {
  const entry: usize =
    <usize>load<u32>(STATE_TLB_BASE_32) + (<u32>(linear >> 12) & (TLB_SIZE - 1)) * TLB_ENTRY_SIZE;
  if (load<u64>(entry + tag) != ((linear + 15) & ~(<u64>0xfff))) return 0;
  return <u32>(<u32>linear + load<u32>(entry, TLB_ENTRY_ADDEND_32));
}

/** 16 bytes at a linear address. May fault. */
export function read128(linear: u64): v128 {
  const place = hit(linear, TLB_ENTRY_READ);
  if (place != 0) return v128.load(place);
  const low = read64(linear);
  if (fault) return ZERO;
  const high = read64(linear + 8);
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

export function write128(linear: u64, value: v128): void {
  const place = hit(linear, TLB_ENTRY_WRITE);
  if (place != 0) return v128.store(place, value);
  probeWrite(linear, 16);
  if (fault) return;
  write64(linear, i64x2.extract_lane(value, 0));
  write64(linear + 8, i64x2.extract_lane(value, 1));
}

/** The address of a 16-byte operand that must be aligned. May fault. */
export function alignedLinear(u: usize, write: bool): u64 {
  const at = operandLinear(u, 16, write);
  if (!fault && (at & 15) != 0) raiseError(VECTOR_GP, 0);
  return at;
}

/** Loads a memory operand; what it does not fill is zero. May fault. */
export function loadAligned(u: usize): v128 {
  const at = alignedLinear(u, false);
  return fault ? ZERO : read128(at);
}

export function load16(u: usize): v128 {
  const at = operandLinear(u, 16, false);
  return fault ? ZERO : read128(at);
}

export function load8(u: usize): v128 {
  const at = operandLinear(u, 8, false);
  return i64x2.replace_lane(ZERO, 0, fault ? 0 : read64(at));
}

export function load4(u: usize): v128 {
  const at = operandLinear(u, 4, false);
  return i32x4.replace_lane(ZERO, 0, fault ? 0 : read32(at));
}

export function load2(u: usize): v128 {
  const at = operandLinear(u, 2, false);
  return i32x4.replace_lane(ZERO, 0, fault ? 0 : read16(at));
}

export function storeAligned(u: usize, value: v128): void {
  const at = alignedLinear(u, true);
  if (!fault) write128(at, value);
}

export function store16(u: usize, value: v128): void {
  const at = operandLinear(u, 16, true);
  if (!fault) write128(at, value);
}

export function store8(u: usize, value: v128): void {
  const at = operandLinear(u, 8, true);
  if (!fault) write64(at, i64x2.extract_lane(value, 0));
}

export function store4(u: usize, value: v128): void {
  const at = operandLinear(u, 4, true);
  if (!fault) write32(at, i32x4.extract_lane(value, 0));
}

// The XMM or memory operand, by the bytes that it has in memory.
export function sourceAligned(u: usize): v128 {
  return isMemory(u) ? loadAligned(u) : xmm(uopRm(u));
}
export function source16(u: usize): v128 {
  return isMemory(u) ? load16(u) : xmm(uopRm(u));
}
export function source8(u: usize): v128 {
  return isMemory(u) ? load8(u) : xmm(uopRm(u));
}
export function source4(u: usize): v128 {
  return isMemory(u) ? load4(u) : xmm(uopRm(u));
}
export function source2(u: usize): v128 {
  return isMemory(u) ? load2(u) : xmm(uopRm(u));
}
/** The MMX or memory operand. */
export function sourceMmx8(u: usize): v128 {
  return isMemory(u) ? load8(u) : mmx(uopRm(u));
}
export function sourceMmx4(u: usize): v128 {
  return isMemory(u) ? load4(u) : mmx(uopRm(u));
}
