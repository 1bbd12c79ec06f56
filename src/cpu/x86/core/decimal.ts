// Decimal adjustment (SDM volume 2: AAA, AAD, AAM, AAS, DAA, DAS).
import { REG_RAX } from './generated/layout';
import { raise, VECTOR_DE } from './fault';
import { adjustFlag, AF, carryFlag, CF, PF, setArithmetic, SF, ZF } from './flags';
import { reg16, reg8, setReg16, setReg8 } from './state';
import { uopImmediate } from './uop';

const AL: u32 = REG_RAX;
const AH: u32 = REG_RAX + 1;

/** SF, ZF and PF of a byte, with CF and AF; OF is undefined and 0. */
function setByteFlags(value: u32, carry: bool, adjust: bool): void {
  let flags: u32 = 0;
  if (value == 0) flags |= ZF;
  if ((value & 0x80) != 0) flags |= SF;
  if ((popcnt(value & 0xff) & 1) == 0) flags |= PF;
  if (carry) flags |= CF;
  if (adjust) flags |= AF;
  setArithmetic(flags);
}

/** DAA and DAS differ in the sign of the adjustment. */
function adjustPacked(subtract: bool): void {
  const old = reg8(AL);
  const oldCarry = carryFlag() != 0;
  const low = (old & 0xf) > 9 || adjustFlag() != 0;
  const high = old > 0x99 || oldCarry;
  const by: u32 = (low ? 6 : 0) + (high ? 0x60 : 0);
  // DAS also carries when taking 6 from the low digit borrows.
  const borrow = subtract && low && old < 6;
  const value = (subtract ? old - by : old + by) & 0xff;
  setReg8(AL, value);
  setByteFlags(value, high || borrow, low);
}

export function daa(u: usize): void {
  adjustPacked(false);
}
export function das(u: usize): void {
  adjustPacked(true);
}

function adjustUnpacked(by: u32): void {
  const adjust = (reg8(AL) & 0xf) > 9 || adjustFlag() != 0;
  if (adjust) setReg16(REG_RAX, reg16(REG_RAX) + by);
  setReg8(AL, reg8(AL) & 0xf);
  setByteFlags(reg8(AL), adjust, adjust);
}

export function aaa(u: usize): void {
  adjustUnpacked(0x106);
}
/** AX - 6, then AH - 1. */
export function aas(u: usize): void {
  adjustUnpacked(<u32>-0x106);
}

export function aam(u: usize): void {
  const base = <u32>uopImmediate(u) & 0xff;
  if (base == 0) return raise(VECTOR_DE);
  const value = reg8(AL);
  setReg8(AH, value / base);
  setReg8(AL, value % base);
  setByteFlags(value % base, false, false);
}

export function aad(u: usize): void {
  const value = (reg8(AL) + reg8(AH) * (<u32>uopImmediate(u) & 0xff)) & 0xff;
  setReg16(REG_RAX, value);
  setByteFlags(value, false, false);
}
