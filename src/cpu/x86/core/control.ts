/** Control and debug registers, and the small system instructions (SDM volume 2; volume 3, sections 2.5 and 2.8). */
import {
  DEBUG_ARMED_CODE,
  DEBUG_ARMED_DATA,
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
  SEG_CS,
  SEG_FS,
  SEG_GS,
  STATE_CR8,
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
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  EFER_LMA,
  EFER_LME,
} from './control-bits';
import { DR6, DR6_BD, DR7, DR7_GD, isArmed, raiseDebug, updateDebug } from './debug';
import { fault, raise, raiseError, VECTOR_GP, VECTOR_UD } from './fault';
import { rdtscInto } from './msr';
import { flushTlb, flushTlbGlobal, invalidatePage, loadPdptes } from './paging';
import { operandLinear, updateMode } from './segment';
import {
  cpl,
  isCanonical,
  reg16,
  reg32,
  reg64,
  register,
  segmentAttributes,
  segmentBase,
  setReg32,
  setReg64,
  setRegister,
  setSegmentBase,
} from './state';
import { ATTRIBUTE_L } from './descriptor';
import { hostTaskPriority, NO_APIC, setHostTaskPriority } from './host';
import { MSR_TSC_AUX } from './msr-storage';
import { isCode64, isLong } from './privilege';
import { ea, isMemory, uopReg, uopRm, uopSegment, uopSize } from './uop';

const CR0_ALL: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
const CR4_ALL: u64 =
  CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_UMIP | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP |
  CR4_OSFXSR | CR4_OSXMMEXCPT;
/** A change of these in CR0 or CR4 reads the PDPTEs again (SDM volume 3, section 4.4.1). */
const CR0_PDPTE_BITS: u64 = CR0_PG | CR0_CD | CR0_NW;
const CR4_PDPTE_BITS: u64 = CR4_PAE | CR4_PGE | CR4_PSE;
/** And of these nothing translated stays. */
const CR4_TLB_BITS: u64 = CR4_PDPTE_BITS | CR4_SMEP | CR4_SMAP;

/** DR6: what can be set, and what is always 1 (RTM is not offered). DR7 likewise. */
const DR6_BITS: u64 = 0xe00f;
const DR6_FIXED: u64 = 0xffff_0ff0;
const DR7_BITS: u64 = 0xffff_27ff;
const DR7_FIXED: u64 = 0x400;

function generalProtection(): void {
  raiseError(VECTOR_GP, 0);
}

export function movFromControl(u: usize): void {
  const number = uopReg(u);
  if (number == 0) setNatural(u, load<u64>(STATE_CR0));
  else if (number == 2) setNatural(u, load<u64>(STATE_CR2));
  else if (number == 3) setNatural(u, load<u64>(STATE_CR3));
  else if (number == 4) setNatural(u, load<u64>(STATE_CR4));
  else if (number == 8) setNatural(u, readTaskPriority());
  else raise(VECTOR_UD);
}

/** Registers of control and debug are moved whole: 64 bits in 64-bit mode, else 32. */
function setNatural(u: usize, value: u64): void {
  if (isCode64()) setReg64(uopRm(u), value);
  else setReg32(uopRm(u), <u32>value);
}

function natural(u: usize): u64 {
  return isCode64() ? reg64(uopRm(u)) : <u64>reg32(uopRm(u));
}

/** CR8 is the local APIC's task priority, where there is an APIC. */
function readTaskPriority(): u64 {
  const priority = hostTaskPriority();
  return priority == NO_APIC ? load<u64>(STATE_CR8) : <u64>priority;
}

function setTaskPriority(value: u64): void {
  if (value > 15) return generalProtection();
  store<u64>(STATE_CR8, value);
  setHostTaskPriority(<u32>value);
}

export function movToControl(u: usize): void {
  const number = uopReg(u);
  const value = natural(u);
  if (number == 0) setCr0(value);
  else if (number == 2) store<u64>(STATE_CR2, value);
  else if (number == 3) setCr3(value);
  else if (number == 4) setCr4(value);
  else if (number == 8) setTaskPriority(value);
  else raise(VECTOR_UD);
}

function usesPae(cr0: u64, cr4: u64): bool {
  return (cr0 & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0;
}

function setCr0(value: u64): void {
  const old = load<u64>(STATE_CR0);
  if (value >> 32 != 0) return generalProtection();
  const wanted = (value & CR0_ALL) | CR0_ET;
  if ((wanted & CR0_PG) != 0 && (wanted & CR0_PE) == 0) return generalProtection();
  if ((wanted & CR0_NW) != 0 && (wanted & CR0_CD) == 0) return generalProtection();
  const changed = old ^ wanted;
  const activated = (wanted & CR0_PG) != 0 && (load<u64>(STATE_EFER) & EFER_LME) != 0;
  if ((changed & CR0_PG) != 0 && !maySwitchPaging(activated)) return generalProtection();
  const reload = !activated && usesPae(wanted, load<u64>(STATE_CR4)) && (changed & CR0_PDPTE_BITS) != 0;
  if (reload && !loadPdptes(load<u64>(STATE_CR3))) return generalProtection();
  store<u64>(STATE_CR0, wanted);
  const efer = load<u64>(STATE_EFER);
  store<u64>(STATE_EFER, activated ? efer | EFER_LMA : efer & ~EFER_LMA);
  // Write tags depend on WP, everything on PG.
  if ((changed & (CR0_PG | CR0_WP | CR0_PE)) != 0) flushTlbGlobal();
  updateMode();
}

/** Long mode begins with PAE and outside 64-bit code, and ends outside 64-bit code (SDM volume 3, section 9.8.5). */
function maySwitchPaging(activated: bool): bool {
  if ((segmentAttributes(SEG_CS) & ATTRIBUTE_L) != 0 && (activated || isLong())) return false;
  return !activated || (load<u64>(STATE_CR4) & CR4_PAE) != 0;
}

function setCr3(value: u64): void {
  if (isLong() && (value & ~load<u64>(STATE_ADDRESS_MASK)) != 0) return generalProtection();
  const pae = !isLong() && usesPae(load<u64>(STATE_CR0), load<u64>(STATE_CR4));
  if (pae && !loadPdptes(value)) return generalProtection();
  store<u64>(STATE_CR3, value);
  flushTlb();
}

function setCr4(value: u64): void {
  const old = load<u64>(STATE_CR4);
  if ((value & ~CR4_ALL) != 0) return generalProtection();
  if (isLong() && (value & CR4_PAE) == 0) return generalProtection();
  const changed = old ^ value;
  const reload = !isLong() && usesPae(load<u64>(STATE_CR0), value) && (changed & CR4_PDPTE_BITS) != 0;
  if (reload && !loadPdptes(load<u64>(STATE_CR3))) return generalProtection();
  store<u64>(STATE_CR4, value);
  updateDebug();
  if ((changed & CR4_TLB_BITS) != 0) flushTlbGlobal();
  updateMode();
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; there are no more than eight. 0 with #UD raised. */
function debugRegister(u: usize): usize {
  const number = uopReg(u);
  const isAlias = number == 4 || number == 5;
  if (number > 7 || (isAlias && (load<u64>(STATE_CR4) & CR4_DE) != 0)) {
    raise(VECTOR_UD);
    return 0;
  }
  return STATE_DR + ((<u32>(number == 4 || number == 5 ? number + 2 : number)) << 3);
}

/** With DR7.GD every access to a debug register is a debug fault. */
function isGuarded(): bool {
  if ((load<u64>(DR7) & DR7_GD) == 0) return false;
  raiseDebug(DR6_BD);
  return true;
}

export function movFromDebug(u: usize): void {
  const register = debugRegister(u);
  if (register != 0 && !isGuarded()) setNatural(u, load<u64>(register));
}

export function movToDebug(u: usize): void {
  const register = debugRegister(u);
  if (register == 0 || isGuarded()) return;
  const value = natural(u);
  if (register >= DR6 && value >> 32 != 0) return generalProtection();
  if (register == DR6) return store<u64>(register, (value & DR6_BITS) | DR6_FIXED);
  store<u64>(register, register == DR7 ? (value & DR7_BITS) | DR7_FIXED : value);
  rearm();
}

/** The breakpoints have changed: which are armed, and what the TLB must not let through. */
function rearm(): void {
  const before = isArmed(DEBUG_ARMED_CODE | DEBUG_ARMED_DATA);
  updateDebug();
  if (before || isArmed(DEBUG_ARMED_CODE | DEBUG_ARMED_DATA)) flushTlbGlobal();
  updateMode();
}

/** CR4.UMIP keeps SGDT, SIDT, SLDT, STR and SMSW from user code. */
export function isPrevented(): bool {
  if (cpl() == 0 || (load<u64>(STATE_CR4) & CR4_UMIP) == 0) return false;
  generalProtection();
  return true;
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
  if (isPrevented()) return;
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
  const linear = base + ea(u);
  invalidatePage(isCode64() ? linear : linear & 0xffff_ffff);
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

/** RDTSC that also says on which processor. */
export function rdtscp(u: usize): void {
  rdtsc(u);
  if (!fault) setReg32(REG_RCX, <u32>load<u64>(MSR_TSC_AUX));
}

export function rdpid(u: usize): void {
  setReg64(uopRm(u), load<u64>(MSR_TSC_AUX));
}

function mayUseBases(): bool {
  if ((load<u64>(STATE_CR4) & CR4_FSGSBASE) != 0) return true;
  raise(VECTOR_UD);
  return false;
}

function readBase(u: usize, segment: u32): void {
  if (mayUseBases()) setRegister(uopRm(u), uopSize(u), segmentBase(segment));
}

function writeBase(u: usize, segment: u32): void {
  if (!mayUseBases()) return;
  const value = register(uopRm(u), uopSize(u));
  if (!isCanonical(value)) return generalProtection();
  setSegmentBase(segment, value);
}

export function rdfsbase(u: usize): void {
  readBase(u, SEG_FS);
}
export function rdgsbase(u: usize): void {
  readBase(u, SEG_GS);
}
export function wrfsbase(u: usize): void {
  writeBase(u, SEG_FS);
}
export function wrgsbase(u: usize): void {
  writeBase(u, SEG_GS);
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
