/** CPUID (SDM volume 2): exactly what is implemented. */
import { REG_RAX, REG_RBX, REG_RCX, REG_RDX, STATE_ADDRESS_MASK } from './generated/layout';
import { reg32, setReg32 } from './state';

/** Family 6, model 3, stepping 3: the first whose SEP bit means SYSENTER. */
export const SIGNATURE: u32 = 0x633;

/** FPU, PSE, TSC, MSR, PAE, CX8, SEP, MTRR, PGE, CMOV, PAT, PSE-36, CLFLUSH, MMX, FXSR, SSE, SSE2. */
const FEATURES: u32 =
  (1 << 0) |
  (1 << 3) |
  (1 << 4) |
  (1 << 5) |
  (1 << 6) |
  (1 << 8) |
  (1 << 11) |
  (1 << 12) |
  (1 << 13) |
  (1 << 15) |
  (1 << 16) |
  (1 << 17) |
  (1 << 19) |
  (1 << 23) |
  (1 << 24) |
  (1 << 25) |
  (1 << 26);
/** SSE3, PCLMULQDQ, SSSE3, SSE4.1, SSE4.2, POPCNT, AES. */
const FEATURES_C: u32 = (1 << 0) | (1 << 1) | (1 << 9) | (1 << 19) | (1 << 20) | (1 << 23) | (1 << 25);
/** Leaf 7: SHA. */
const FEATURES_7: u32 = 1 << 29;
/** In leaf 1: CLFLUSH works on lines of 8 * 8 bytes. */
const FLUSH_LINE: u32 = 8 << 8;
const FEATURE_NX: u32 = 1 << 20;

const MAXIMUM: u32 = 7;
const EXTENDED: u32 = 0x8000_0000;
const EXTENDED_MAXIMUM: u32 = 0x8000_0008;

function answer(a: u32, b: u32, c: u32, d: u32): void {
  setReg32(REG_RAX, a);
  setReg32(REG_RBX, b);
  setReg32(REG_RCX, c);
  setReg32(REG_RDX, d);
}

export function cpuid(u: usize): void {
  const leaf = reg32(REG_RAX);
  if (leaf >= EXTENDED && leaf <= EXTENDED_MAXIMUM) extended(leaf);
  // "GenuineIntel" in EBX, EDX, ECX.
  else if (leaf == 0) answer(MAXIMUM, 0x756e_6547, 0x6c65_746e, 0x4965_6e69);
  else if (leaf == 1) answer(SIGNATURE, FLUSH_LINE, FEATURES_C, FEATURES);
  // A leaf above the maximum answers like the highest one.
  else if (leaf >= MAXIMUM && reg32(REG_RCX) == 0) answer(0, FEATURES_7, 0, 0);
  else answer(0, 0, 0, 0);
}

function extended(leaf: u32): void {
  if (leaf == EXTENDED) answer(EXTENDED_MAXIMUM, 0, 0, 0);
  else if (leaf == 0x8000_0001) answer(0, 0, 0, FEATURE_NX);
  // "skep virtual processor".
  else if (leaf == 0x8000_0002) answer(0x7065_6b73, 0x7269_7620, 0x6c61_7574, 0x6f72_7020);
  else if (leaf == 0x8000_0003) answer(0x7373_6563, 0x726f, 0, 0);
  else if (leaf == 0x8000_0008) answer(<u32>popcnt(load<u64>(STATE_ADDRESS_MASK)) | (32 << 8), 0, 0, 0);
  else answer(0, 0, 0, 0);
}
