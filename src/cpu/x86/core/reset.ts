/** The state after RESET# (SDM volume 3, section 9.1.1, table 9-1). */
import {
  REG_RDX,
  SEG_CS,
  SEG_GS,
  SEG_LDTR,
  SEG_TR,
  STATE_ADDRESS_MASK,
  STATE_CR0,
  STATE_CR2,
  STATE_CR3,
  STATE_CR4,
  STATE_CR8,
  STATE_DR,
  STATE_EFER,
  STATE_EXIT_32,
  STATE_GDTR_BASE,
  STATE_GDTR_LIMIT_32,
  STATE_HALTED_32,
  STATE_IDTR_BASE,
  STATE_IDTR_LIMIT_32,
  STATE_NMI_BLOCKED_32,
  STATE_NMI_PENDING_32,
  STATE_PDPTE,
  STATE_REGS,
  STATE_SHADOW_32,
  STATE_ZERO,
} from './generated/layout';
import { CR0_CD, CR0_ET, CR0_NW } from './control-bits';
import { SIGNATURE } from './cpuid';
import { ATTRIBUTES_REAL } from './descriptor';
import { setDue, updateDebug } from './debug';
import { clearFault } from './fault';
import { setFlags } from './flags';
import { resetMsrs } from './msr';
import { resetSse } from './mxcsr';
import { initializeTlb } from './paging';
import { setCpl, updateMode } from './segment';
import { setReg32, setRip, setSegment } from './state';
import { resetX87 } from './x87-control';

/** Bits of a physical address, as CPUID says and the guest-physical address space has. */
const PHYSICAL_BITS: u64 = 40;
const LDT_PRESENT: u32 = 0x82;
const TSS32_BUSY: u32 = 0x8b;

/** Everything of the processor but its pins: the INTR line and the A20 gate stay as they are driven. */
export function resetProcessor(): void {
  memory.fill(STATE_REGS, 0, STATE_ZERO + 8 - STATE_REGS);
  setReg32(REG_RDX, SIGNATURE);
  setRip(0xfff0);
  setFlags(2);
  setCpl(0);
  resetSegments();
  resetControl();
  resetMsrs();
  resetX87();
  resetSse();
  clearFault();
  store<u32>(STATE_NMI_PENDING_32, 0);
  store<u32>(STATE_NMI_BLOCKED_32, 0);
  store<u32>(STATE_SHADOW_32, 0);
  store<u32>(STATE_HALTED_32, 0);
  store<u32>(STATE_EXIT_32, 0);
  store<u64>(STATE_ADDRESS_MASK, ((<u64>1) << PHYSICAL_BITS) - 1);
  initializeTlb();
  updateMode();
}

/** Execution starts at FFFF_FFF0h, 16 bytes below 4 GiB, because the base of CS is not what its selector says. */
function resetSegments(): void {
  for (let segment: u32 = 0; segment <= SEG_GS; segment++) setSegment(segment, 0, ATTRIBUTES_REAL, 0, 0xffff);
  setSegment(SEG_CS, 0xf000, ATTRIBUTES_REAL, 0xffff_0000, 0xffff);
  setSegment(SEG_LDTR, 0, LDT_PRESENT, 0, 0xffff);
  setSegment(SEG_TR, 0, TSS32_BUSY, 0, 0xffff);
}

function resetControl(): void {
  store<u64>(STATE_GDTR_BASE, 0);
  store<u32>(STATE_GDTR_LIMIT_32, 0xffff);
  store<u64>(STATE_IDTR_BASE, 0);
  store<u32>(STATE_IDTR_LIMIT_32, 0xffff);
  store<u64>(STATE_CR0, CR0_CD | CR0_NW | CR0_ET);
  store<u64>(STATE_CR2, 0);
  store<u64>(STATE_CR3, 0);
  store<u64>(STATE_CR4, 0);
  store<u64>(STATE_CR8, 0);
  store<u64>(STATE_EFER, 0);
  memory.fill(STATE_DR, 0, 48);
  store<u64>(STATE_DR + 48, 0xffff_0ff0);
  store<u64>(STATE_DR + 56, 0x400);
  updateDebug();
  setDue(0);
  memory.fill(STATE_PDPTE, 0, 32);
}
