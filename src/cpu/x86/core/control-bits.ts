/** Bits of the control registers and of EFER that the engine acts on (SDM volume 3, section 2.5). */
export const CR0_PE: u64 = 0x1;
export const CR0_MP: u64 = 0x2;
export const CR0_EM: u64 = 0x4;
export const CR0_TS: u64 = 0x8;
export const CR0_ET: u64 = 0x10;
export const CR0_NE: u64 = 0x20;
export const CR0_WP: u64 = 0x1_0000;
export const CR0_AM: u64 = 0x4_0000;
export const CR0_NW: u64 = 0x2000_0000;
export const CR0_CD: u64 = 0x4000_0000;
export const CR0_PG: u64 = 0x8000_0000;

export const CR4_TSD: u64 = 0x4;
export const CR4_PSE: u64 = 0x10;
export const CR4_PAE: u64 = 0x20;
/** Machine checks are taken. None is ever raised. */
export const CR4_MCE: u64 = 0x40;
export const CR4_PGE: u64 = 0x80;
export const CR4_PCE: u64 = 0x100;
export const CR4_OSFXSR: u64 = 0x200;
export const CR4_OSXMMEXCPT: u64 = 0x400;

export const CR4_DE: u64 = 0x8;
export const CR4_UMIP: u64 = 0x800;
export const CR4_FSGSBASE: u64 = 0x1_0000;
export const CR4_SMEP: u64 = 0x10_0000;
export const CR4_SMAP: u64 = 0x20_0000;

/** SYSCALL is enabled. */
export const EFER_SCE: u64 = 0x1;
/** Long mode is enabled, which paging then activates. */
export const EFER_LME: u64 = 0x100;
/** Long mode is active. */
export const EFER_LMA: u64 = 0x400;
export const EFER_NXE: u64 = 0x800;
