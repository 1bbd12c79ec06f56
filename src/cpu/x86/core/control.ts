/** Control and debug registers, and the small system instructions (SDM volume 2; volume 3, sections 2.5 and 2.8). */
import {
  REG_RCX,
  STATE_ADDRESS_MASK,
  STATE_CR0,
  STATE_CR2,
  STATE_CR3,
  STATE_CR4,
  STATE_DR,
  STATE_EFER,
  STATE_HALTED_32,
  SEGMENT_FLAT,
} from './generated/layout';
import { read16, write16 } from './access';
import {
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  CR4_PCE,
  CR4_PGE,
  CR4_PSE,
  CR4_TSD,
} from './control-bits';
import { DR6_BD, DR7_GD, raiseDebug } from './debug';
import { fault, raise, raiseError, VECTOR_GP, VECTOR_UD } from './fault';
import { rdtscInto } from './msr';
import { flushTlb, flushTlbGlobal, invalidatePage, loadPdptes } from './paging';
import { operandLinear, updateMode } from './segment';
import { cpl, reg16, reg32, segmentBase, setReg32, setRegister } from './state';
import { ea, isMemory, uopReg, uopRm, uopSegment, uopSize } from './uop';

const CR0_ALL: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
const CR4_ALL: u64 = CR4_TSD | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
/** A change of these in CR0 or CR4 reads the PDPTEs again (SDM volume 3, section 4.4.1). */
const CR0_PDPTE_BITS: u64 = CR0_PG | CR0_CD | CR0_NW;
const CR4_PDPTE_BITS: u64 = CR4_PAE | CR4_PGE | CR4_PSE;

function generalProtection(): void {
  raiseError(VECTOR_GP, 0);
}

export function movFromControl(u: usize): void {
  const number = uopReg(u);
  if (number == 0) setReg32(uopRm(u), <u32>load<u64>(STATE_CR0));
  else if (number == 2) setReg32(uopRm(u), <u32>load<u64>(STATE_CR2));
  else if (number == 3) setReg32(uopRm(u), <u32>load<u64>(STATE_CR3));
  else if (number == 4) setReg32(uopRm(u), <u32>load<u64>(STATE_CR4));
  else raise(VECTOR_UD);
}

export function movToControl(u: usize): void {
  const number = uopReg(u);
  const value = <u64>reg32(uopRm(u));
  if (number == 0) setCr0(value);
  else if (number == 2) store<u64>(STATE_CR2, value);
  else if (number == 3) setCr3(value);
  else if (number == 4) setCr4(value);
  else raise(VECTOR_UD);
}

function usesPae(cr0: u64, cr4: u64): bool {
  return (cr0 & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0;
}

function setCr0(value: u64): void {
  const old = load<u64>(STATE_CR0);
  const wanted = (value & CR0_ALL) | CR0_ET;
  if ((wanted & CR0_PG) != 0 && (wanted & CR0_PE) == 0) return generalProtection();
  if ((wanted & CR0_NW) != 0 && (wanted & CR0_CD) == 0) return generalProtection();
  const changed = old ^ wanted;
  const reload = usesPae(wanted, load<u64>(STATE_CR4)) && (changed & CR0_PDPTE_BITS) != 0;
  if (reload && !loadPdptes(load<u64>(STATE_CR3))) return generalProtection();
  store<u64>(STATE_CR0, wanted);
  // Write tags depend on WP, everything on PG.
  if ((changed & (CR0_PG | CR0_WP | CR0_PE)) != 0) flushTlbGlobal();
  updateMode();
}

function setCr3(value: u64): void {
  const pae = usesPae(load<u64>(STATE_CR0), load<u64>(STATE_CR4));
  if (pae && !loadPdptes(value)) return generalProtection();
  store<u64>(STATE_CR3, value);
  flushTlb();
}

function setCr4(value: u64): void {
  const old = load<u64>(STATE_CR4);
  if ((value & ~CR4_ALL) != 0) return generalProtection();
  const changed = old ^ value;
  const reload = usesPae(load<u64>(STATE_CR0), value) && (changed & CR4_PDPTE_BITS) != 0;
  if (reload && !loadPdptes(load<u64>(STATE_CR3))) return generalProtection();
  store<u64>(STATE_CR4, value);
  if ((changed & CR4_PDPTE_BITS) != 0) flushTlbGlobal();
}

/** DR4 and DR5 are DR6 and DR7: CR4.DE, which would make them #UD, is not offered. */
function debugRegister(u: usize): usize {
  const number = uopReg(u);
  return STATE_DR + ((<u32>(number == 4 || number == 5 ? number + 2 : number)) << 3);
}

/** With DR7.GD every access to a debug register is a debug fault. */
function isGuarded(): bool {
  if ((load<u64>(STATE_DR + 56) & DR7_GD) == 0) return false;
  raiseDebug(DR6_BD);
  return true;
}

export function movFromDebug(u: usize): void {
  if (!isGuarded()) setReg32(uopRm(u), <u32>load<u64>(debugRegister(u)));
}

export function movToDebug(u: usize): void {
  if (isGuarded()) return;
  const register = debugRegister(u);
  const value = <u64>reg32(uopRm(u));
  if (register == STATE_DR + 48) store<u64>(register, (value & 0xe00f) | 0xffff_0ff0);
  else if (register == STATE_DR + 56) store<u64>(register, (value & 0xffff_2fff) | 0x400);
  else store<u64>(register, value);
}

/** A register takes the operand's size, memory always 16 bits. */
export function storeSelectorLike(u: usize, value: u32): void {
  if (!isMemory(u)) return setRegister(uopRm(u), uopSize(u), value);
  const at = operandLinear(u, 2, true);
  if (!fault) write16(at, value);
}

/** A 16-bit register or memory operand. */
export function operand16(u: usize): u32 {
  if (!isMemory(u)) return reg16(uopRm(u));
  const at = operandLinear(u, 2, false);
  return fault ? 0 : read16(at);
}

export function smsw(u: usize): void {
  storeSelectorLike(u, <u32>load<u64>(STATE_CR0));
}

/** LMSW changes PE, MP, EM and TS, and cannot clear PE. */
export function lmsw(u: usize): void {
  const value = <u64>operand16(u);
  if (fault) return;
  const old = load<u64>(STATE_CR0);
  setCr0((old & ~(<u64>0xe)) | (value & 0xf) | (old & CR0_PE));
}

export function clts(u: usize): void {
  store<u64>(STATE_CR0, load<u64>(STATE_CR0) & ~CR0_TS);
}

/** The address is computed like any other and not checked. */
export function invlpg(u: usize): void {
  const segment = uopSegment(u);
  const base = segment == SEGMENT_FLAT ? 0 : segmentBase(segment);
  invalidatePage((base + ea(u)) & 0xffff_ffff);
}

/** Caches are not modelled, so there is nothing to write back. */
export function invd(u: usize): void {}
export function wbinvd(u: usize): void {}

/** Waits for an interrupt; the main loop sees HALTED. */
export function hlt(u: usize): void {
  store<u32>(STATE_HALTED_32, 1);
}

export function rdtsc(u: usize): void {
  if ((load<u64>(STATE_CR4) & CR4_TSD) != 0 && cpl() != 0) return generalProtection();
  rdtscInto();
}

/** There are no counters, so every number is out of range. */
export function rdpmc(u: usize): void {
  generalProtection();
}

export function ud(u: usize): void {
  raise(VECTOR_UD);
}

/** Not in system management mode. */
export function rsm(u: usize): void {
  raise(VECTOR_UD);
}
