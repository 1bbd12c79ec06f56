/**
 * RDMSR and WRMSR (SDM volume 4). Memory types are stored and checked, and change nothing: caches are not modelled.
 * Whatever is not listed here raises #GP(0).
 */
import {
  REG_RAX,
  REG_RCX,
  REG_RDX,
  SEGMENT_BASE,
  SEGMENT_SIZE,
  SEG_FS,
  SEG_GS,
  STATE_ADDRESS_MASK,
  STATE_CR0,
  STATE_EFER,
  STATE_SEGS,
} from './generated/layout';
import { CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE } from './control-bits';
import { raiseError, VECTOR_GP } from './fault';
import { hostMsrHigh, hostMsrLow, hostMsrRead, hostMsrWrite, hostTimestampMoved, timestamp } from './host';
import {
  MSR_APIC_BASE,
  MSR_CSTAR,
  MSR_FMASK,
  MSR_KERNEL_GS_BASE,
  MSR_LSTAR,
  MSR_MACHINE_CHECK_STATUS,
  MSR_MICROCODE,
  MSR_MISC_ENABLE,
  MSR_MTRR_DEFAULT,
  MSR_MTRR_FIXED,
  MSR_MTRR_VARIABLE,
  MSR_PAT,
  MSR_STAR,
  MSR_TSC_AUX,
  MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP,
  MSR_SYSENTER_ESP,
  MSR_TSC_ADJUST,
} from './msr-storage';
import { flushTlbGlobal } from './paging';
import { isCanonical, reg32, setReg32 } from './state';

/** What the last machine check was about (SDM volume 3, section 15.10.1): there has been none. */
const P5_MC_TYPE: u32 = 0x1;
const TSC: u32 = 0x10;
const PLATFORM_ID: u32 = 0x17;
const APIC_BASE: u32 = 0x1b;
const TSC_ADJUST: u32 = 0x3b;
const MICROCODE: u32 = 0x8b;
const MTRR_CAP: u32 = 0xfe;
const ARCH_CAPABILITIES: u32 = 0x10a;
const SYSENTER_CS: u32 = 0x174;
const SYSENTER_ESP: u32 = 0x175;
const SYSENTER_EIP: u32 = 0x176;
const MACHINE_CHECK_CAP: u32 = 0x179;
const MACHINE_CHECK_STATUS: u32 = 0x17a;
const MISC_ENABLE: u32 = 0x1a0;
/** Neither last-branch records nor steps from branch to branch are offered: it stays 0. */
const DEBUG_CONTROL: u32 = 0x1d9;
const MTRR_VARIABLE: u32 = 0x200;
const MTRR_FIX_64K: u32 = 0x250;
const MTRR_FIX_16K: u32 = 0x258;
const MTRR_FIX_4K: u32 = 0x268;
const PAT: u32 = 0x277;
const MTRR_DEFAULT: u32 = 0x2ff;
const TSC_DEADLINE: u32 = 0x6e0;
const X2APIC: u32 = 0x800;
const X2APIC_END: u32 = 0x900;
const EFER: u32 = 0xc000_0080;
const STAR: u32 = 0xc000_0081;
const LSTAR: u32 = 0xc000_0082;
const CSTAR: u32 = 0xc000_0083;
const FMASK: u32 = 0xc000_0084;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;
const TSC_AUX: u32 = 0xc000_0103;
const EFER_ALL: u64 = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

/** Eight variable ranges, fixed ranges, write-combining. */
const MTRR_CAPABILITIES: u64 = 0x508;
/** No banks: nothing here can fail. */
const MACHINE_CHECK_CAPABILITIES: u64 = 0;
/**
 * An interpreter does not run ahead of the guest, so that none of these is there: loads past a protection (bit 0), an L1 to
 * be flushed (3), speculative store bypass (4), data left in buffers (5, 8, 13 to 15), a machine check from page sizes (6),
 * injected branch histories (20), barriers that fail (24), gathers and register files that leak (26, 27).
 */
const ARCH_CAPABILITIES_VALUE: u64 = 0x0d10_e179;
/** The boot processor, APIC enabled, at its usual place. */
const APIC_BASE_RESET: u64 = 0xfee0_0900;
/** Write-back, write-through, UC-, UC, twice (SDM volume 3, section 11.12.4). */
const PAT_RESET: u64 = 0x0007_0406_0007_0406;
/** Fast strings. */
const MISC_ENABLE_RESET: u64 = 0x1;

export function resetMsrs(): void {
  memory.fill(MSR_TSC_ADJUST, 0, 0x200);
  store<u64>(MSR_APIC_BASE, APIC_BASE_RESET);
  store<u64>(MSR_PAT, PAT_RESET);
  store<u64>(MSR_MISC_ENABLE, MISC_ENABLE_RESET);
}

/** Where a register that is plain storage is kept, or 0. */
function storageOf(msr: u32): usize {
  if (msr == TSC_ADJUST) return MSR_TSC_ADJUST;
  if (msr == APIC_BASE) return MSR_APIC_BASE;
  if (msr == MICROCODE) return MSR_MICROCODE;
  if (msr == SYSENTER_CS) return MSR_SYSENTER_CS;
  if (msr == SYSENTER_ESP) return MSR_SYSENTER_ESP;
  if (msr == SYSENTER_EIP) return MSR_SYSENTER_EIP;
  if (msr == MACHINE_CHECK_STATUS) return MSR_MACHINE_CHECK_STATUS;
  if (msr == MISC_ENABLE) return MSR_MISC_ENABLE;
  if (msr == PAT) return MSR_PAT;
  if (msr == MTRR_DEFAULT) return MSR_MTRR_DEFAULT;
  if (msr == EFER) return STATE_EFER;
  if (msr >= STAR && msr <= TSC_AUX) return longModeOf(msr);
  return mtrrOf(msr);
}

function longModeOf(msr: u32): usize {
  if (msr == STAR) return MSR_STAR;
  if (msr == LSTAR) return MSR_LSTAR;
  if (msr == CSTAR) return MSR_CSTAR;
  if (msr == FMASK) return MSR_FMASK;
  if (msr == FS_BASE) return STATE_SEGS + SEG_FS * SEGMENT_SIZE + SEGMENT_BASE;
  if (msr == GS_BASE) return STATE_SEGS + SEG_GS * SEGMENT_SIZE + SEGMENT_BASE;
  if (msr == KERNEL_GS_BASE) return MSR_KERNEL_GS_BASE;
  return msr == TSC_AUX ? MSR_TSC_AUX : 0;
}

/** The registers that the local APIC answers for; without one APIC_BASE is storage and the others do not exist. */
function isApic(msr: u32): bool {
  return msr == APIC_BASE || msr == TSC_DEADLINE || (msr >= X2APIC && msr < X2APIC_END);
}
const NO_APIC: u32 = 2;

function mtrrOf(msr: u32): usize {
  if (msr >= MTRR_VARIABLE && msr < MTRR_VARIABLE + 16) return slot(MSR_MTRR_VARIABLE, msr - MTRR_VARIABLE);
  if (msr == MTRR_FIX_64K) return MSR_MTRR_FIXED;
  if (msr == MTRR_FIX_16K || msr == MTRR_FIX_16K + 1) return slot(MSR_MTRR_FIXED, 1 + msr - MTRR_FIX_16K);
  if (msr >= MTRR_FIX_4K && msr < MTRR_FIX_4K + 8) return slot(MSR_MTRR_FIXED, 3 + msr - MTRR_FIX_4K);
  return 0;
}

function slot(first: usize, index: u32): usize {
  return first + ((<u32>index) << 3);
}

/** The time-stamp counter: the host's, moved by what the guest has written. */
export function timestampCounter(): u64 {
  return <u64>timestamp() + load<u64>(MSR_TSC_ADJUST);
}

/** When the counter reaches a value, by the host's time stamp; now, if it has. */
export function timeOfTimestamp(value: u64): f64 {
  const now = timestamp();
  const counter = <u64>now + load<u64>(MSR_TSC_ADJUST);
  return value > counter ? now + <f64>(value - counter) : now;
}

/** Adds to the counter for good; what waits for a value of it waits anew. */
function adjustTimestamp(adjustment: u64): void {
  store<u64>(MSR_TSC_ADJUST, adjustment);
  hostTimestampMoved();
}

function setPair(value: u64): void {
  setReg32(REG_RAX, <u32>value);
  setReg32(REG_RDX, <u32>(value >> 32));
}

export function rdtscInto(): void {
  setPair(timestampCounter());
}

export function rdmsr(u: usize): void {
  const msr = reg32(REG_RCX);
  if (isApic(msr)) {
    const answer = hostMsrRead(msr);
    if (answer == 1) return setPair(hostMsrLow() | ((<u64>hostMsrHigh()) << 32));
    if (answer != NO_APIC) return raiseError(VECTOR_GP, 0);
  }
  const storage = storageOf(msr);
  if (storage != 0) setPair(load<u64>(storage));
  else if (msr == TSC) setPair(timestampCounter());
  else if (msr == PLATFORM_ID || msr <= P5_MC_TYPE) setPair(0);
  else if (msr == MTRR_CAP) setPair(MTRR_CAPABILITIES);
  else if (msr == ARCH_CAPABILITIES) setPair(ARCH_CAPABILITIES_VALUE);
  else if (msr == MACHINE_CHECK_CAP) setPair(MACHINE_CHECK_CAPABILITIES);
  else if (msr == DEBUG_CONTROL) setPair(0);
  else raiseError(VECTOR_GP, 0);
}

export function wrmsr(u: usize): void {
  const msr = reg32(REG_RCX);
  const value = ((<u64>reg32(REG_RDX)) << 32) | reg32(REG_RAX);
  if (msr == TSC) return adjustTimestamp(value - <u64>timestamp());
  if (msr == TSC_ADJUST) return adjustTimestamp(value);
  if (isApic(msr)) {
    const answer = hostMsrWrite(msr, <u32>value, <u32>(value >> 32));
    if (answer == 1) return;
    if (answer != NO_APIC) return raiseError(VECTOR_GP, 0);
  }
  if (msr == DEBUG_CONTROL && value == 0) return;
  const storage = storageOf(msr);
  if (storage == 0 || !isAcceptable(msr, value)) return raiseError(VECTOR_GP, 0);
  if (msr == EFER) return setEfer(value);
  store<u64>(storage, value);
}

/** LMA is the processor's own; LME stays while there is paging. */
function setEfer(value: u64): void {
  const old = load<u64>(STATE_EFER);
  const paging = (load<u64>(STATE_CR0) & CR0_PG) != 0;
  if (paging && ((old ^ value) & EFER_LME) != 0) return raiseError(VECTOR_GP, 0);
  store<u64>(STATE_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
  flushTlbGlobal();
}

/** Whether a register takes this value; #GP(0) otherwise. */
function isAcceptable(msr: u32, value: u64): bool {
  const tooHigh = value & ~load<u64>(STATE_ADDRESS_MASK);
  if (msr == EFER) return (value & ~EFER_ALL) == 0;
  if (isAddress(msr)) return isCanonical(value);
  if (msr == TSC_AUX || msr == FMASK) return value >> 32 == 0;
  if (msr == MACHINE_CHECK_STATUS) return value <= 7;
  if (msr == PAT) return areTypes(value, true);
  if (msr == APIC_BASE) return tooHigh == 0 && (value & 0x2ff & ~(<u64>0x100)) == 0;
  if (msr == MTRR_DEFAULT) return (value & ~(<u64>0xcff)) == 0 && isType(<u32>value & 0xff, false);
  if (msr >= MTRR_VARIABLE && msr < MTRR_VARIABLE + 16) return tooHigh == 0 && isVariable(msr, value);
  if (msr >= MTRR_FIX_64K && msr < MTRR_FIX_4K + 8) return areTypes(value, false);
  return true;
}

function isAddress(msr: u32): bool {
  if (msr == SYSENTER_ESP || msr == SYSENTER_EIP || msr == LSTAR || msr == CSTAR) return true;
  return msr >= FS_BASE && msr <= KERNEL_GS_BASE;
}

function isVariable(msr: u32, value: u64): bool {
  if ((msr & 1) != 0) return (value & 0x7ff) == 0;
  return (value & 0xf00) == 0 && isType(<u32>value & 0xff, false);
}

/** UC, WC, WT, WP, WB; in the PAT also UC-. */
function isType(type: u32, inPat: bool): bool {
  return type <= 1 || (type >= 4 && type <= 6) || (inPat && type == 7);
}

function areTypes(value: u64, inPat: bool): bool {
  for (let shift: u64 = 0; shift < 64; shift += 8) {
    if (!isType(<u32>(value >> shift) & 0xff, inPat)) return false;
  }
  return true;
}
