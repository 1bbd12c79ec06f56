// Vector instructions that are not functions of vectors alone: moves to and from general registers, stores by mask,
// EMMS, and the integer instructions that came with SSE4.2 (SDM volume 2).
import { REG_RAX, REG_RDI, SEGMENT_FLAT, SEG_DS, STATE_X87_USED_32 } from './generated/layout';
import { probeWrite, write16, write32, write64, write8 } from './access';
import { fault } from './fault';
import { setArithmetic, ZF } from './flags';
import { readOperand, readOperandOf, writeOperand, writeOperandOf } from './operand';
import { linear, operandLinear } from './segment';
import { reg32, register, setReg32, setRegister, truncate } from './state';
import { isMemory, uopAddressSize, uopImmediate, uopReg, uopRm, uopSegment, uopSelector, uopSize } from './uop';
import { enterMmx, mayMmx, maySse, mmx, setMmx, setXmm, sourceAligned, xmm } from './vector-register';

const ZERO: v128 = i64x2(0, 0);
const SCRATCH: usize = memory.data(16, 16);

/** The generator's row says whether the vector is an XMM register. */
// @ts-ignore: decorator
@inline function isXmm(u: usize): bool {
  return uopSelector(u) != 0;
}

function mayVector(u: usize): bool {
  return isXmm(u) ? maySse() : mayMmx();
}

/** MOVD and MOVQ from a general register or memory; the rest of the vector is zero. */
export function vectorFromGeneral(u: usize): void {
  if (!mayVector(u)) return;
  const value = readOperand(u);
  if (fault) return;
  const vector = i64x2.replace_lane(ZERO, 0, value);
  if (isXmm(u)) return setXmm(uopReg(u), vector);
  enterMmx();
  setMmx(uopReg(u), vector);
}

export function vectorToGeneral(u: usize): void {
  if (!mayVector(u)) return;
  const vector = isXmm(u) ? xmm(uopReg(u)) : mmx(uopReg(u));
  writeOperand(u, truncate(i64x2.extract_lane(vector, 0), uopSize(u)));
  if (!fault && !isXmm(u)) enterMmx();
}

export function movnti(u: usize): void {
  writeOperand(u, register(uopReg(u), uopSize(u)));
}

export function emms(u: usize): void {
  if (!mayMmx()) return;
  enterMmx();
  store<u32>(STATE_X87_USED_32, 0);
}

/** The bytes of a vector whose bytes in the mask have their highest bit set, to DS:rDI. */
export function maskmov(u: usize): void {
  if (!mayVector(u)) return;
  const mask = isXmm(u) ? xmm(uopRm(u)) : mmx(uopRm(u));
  const bytes: u32 = isXmm(u) ? 16 : 8;
  const offset = truncate(register(REG_RDI, 8), uopAddressSize(u));
  const segment = uopSegment(u);
  const at = segment == SEGMENT_FLAT ? offset : linear(segment, offset, bytes, true);
  if (fault) return;
  const chosen = i8x16.bitmask(mask);
  if (chosen != 0) probeWrite(at, bytes);
  if (fault) return;
  v128.store(SCRATCH, isXmm(u) ? xmm(uopReg(u)) : mmx(uopReg(u)));
  for (let index: u32 = 0; index < bytes; index++) {
    if (((chosen >> index) & 1) != 0) write8(at + index, load<u8>(SCRATCH + index));
  }
  if (!isXmm(u)) enterMmx();
}

// ---------------------------------------------------------------------------------------------------------------------
// Elements of SSE4.1

/** The element of `size` bytes that the immediate chooses. */
function element(u: usize, size: u32): u64 {
  v128.store(SCRATCH, xmm(uopReg(u)));
  const at = SCRATCH + (<u32>uopImmediate(u) * size & 15);
  if (size == 1) return load<u8>(at);
  if (size == 2) return load<u16>(at);
  return size == 4 ? load<u32>(at) : load<u64>(at);
}

/** Memory takes the element's size, a register 32 bits. */
function extract(u: usize, size: u32): void {
  if (!maySse()) return;
  const value = element(u, size);
  if (!isMemory(u)) return setRegister(uopRm(u), max<u32>(size, 4), value);
  writeOperandOf(u, size, value);
}

export function pextrb(u: usize): void {
  extract(u, 1);
}
export function pextrwStore(u: usize): void {
  extract(u, 2);
}
export function pextrd(u: usize): void {
  extract(u, uopSize(u));
}
export function extractps(u: usize): void {
  extract(u, 4);
}

/** PINSRD, PINSRQ. */
export function pinsrd(u: usize): void {
  if (!maySse()) return;
  const value = readOperand(u);
  if (fault) return;
  v128.store(SCRATCH, xmm(uopReg(u)));
  if (uopSize(u) == 8) store<u64>(SCRATCH + ((<u32>uopImmediate(u) & 1) << 3), value);
  else store<u32>(SCRATCH + ((<u32>uopImmediate(u) & 3) << 2), <u32>value);
  setXmm(uopReg(u), v128.load(SCRATCH));
}

/** Blends by the signs of XMM0's elements. */
function blendBySigns(u: usize, kind: u32): void {
  if (!maySse()) return;
  const b = sourceAligned(u);
  if (fault) return;
  const selector = xmm(0);
  const mask = kind == 1 ? i8x16.shr_s(selector, 7) : kind == 4 ? i32x4.shr_s(selector, 31) : i64x2.shr_s(selector, 63);
  setXmm(uopReg(u), v128.bitselect(b, xmm(uopReg(u)), mask));
}
export function pblendvb(u: usize): void {
  blendBySigns(u, 1);
}
export function blendvps(u: usize): void {
  blendBySigns(u, 4);
}
export function blendvpd(u: usize): void {
  blendBySigns(u, 8);
}

// ---------------------------------------------------------------------------------------------------------------------
// Integers

export function populationCount(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  setRegister(uopReg(u), uopSize(u), popcnt<u64>(value));
  setArithmetic(value == 0 ? ZF : 0);
}

/** CRC-32C, reflected: polynomial 11EDC6F41h. The register is 32 bits wide whatever the operand. */
export function crc32(u: usize): void {
  const size = uopSize(u);
  const value = readOperandOf(u, size);
  if (fault) return;
  let crc: u32 = reg32(uopReg(u));
  for (let byte: u32 = 0; byte < size; byte++) {
    crc ^= <u32>(value >> (byte << 3)) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f6_3b78 : 0);
  }
  setReg32(uopReg(u), crc);
}
