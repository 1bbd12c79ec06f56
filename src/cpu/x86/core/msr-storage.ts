/** Where the model-specific registers that are storage are kept: slots of 8 bytes from STATE_MSR. */
import { STATE_MSR } from './generated/layout';

/** Added to the host's time stamp: IA32_TSC_ADJUST. */
export const MSR_TSC_ADJUST: usize = STATE_MSR;
export const MSR_APIC_BASE: usize = STATE_MSR + 0x08;
export const MSR_MICROCODE: usize = STATE_MSR + 0x10;
export const MSR_SYSENTER_CS: usize = STATE_MSR + 0x18;
export const MSR_SYSENTER_ESP: usize = STATE_MSR + 0x20;
export const MSR_SYSENTER_EIP: usize = STATE_MSR + 0x28;
export const MSR_MISC_ENABLE: usize = STATE_MSR + 0x30;
export const MSR_PAT: usize = STATE_MSR + 0x38;
export const MSR_MTRR_DEFAULT: usize = STATE_MSR + 0x40;
export const MSR_STAR: usize = STATE_MSR + 0x48;
export const MSR_LSTAR: usize = STATE_MSR + 0x50;
export const MSR_CSTAR: usize = STATE_MSR + 0x58;
export const MSR_FMASK: usize = STATE_MSR + 0x60;
export const MSR_KERNEL_GS_BASE: usize = STATE_MSR + 0x68;
export const MSR_TSC_AUX: usize = STATE_MSR + 0x70;
export const MSR_MACHINE_CHECK_STATUS: usize = STATE_MSR + 0x78;
/** Eight pairs of base and mask. */
export const MSR_MTRR_VARIABLE: usize = STATE_MSR + 0x80;
/** Eleven registers of eight memory types. */
export const MSR_MTRR_FIXED: usize = STATE_MSR + 0x100;
