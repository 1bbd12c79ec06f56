/** CPUID (SDM volume 2): exactly what is implemented, and nothing else. */
import { REG_RAX, REG_RBX, REG_RCX, REG_RDX, STATE_ADDRESS_MASK } from './generated/layout';
import { hostMsrLow, hostMsrRead, hostTaskPriority, NO_APIC } from './host';
import { reg32, setReg32 } from './state';

/** Family 6, model 15, stepping 11: the first generation with long mode. */
export const SIGNATURE: u32 = 0x6fb;

/**
 * Leaf 1, EDX: FPU, DE, PSE, TSC, MSR, PAE, MCE, CX8, SEP, MTRR, PGE, MCA, CMOV, PAT, PSE-36, CLFSH, MMX,
 * FXSR, SSE, SSE2.
 */
const FEATURES: u32 =
  (1 << 0) |
  (1 << 2) |
  (1 << 3) |
  (1 << 4) |
  (1 << 5) |
  (1 << 6) |
  (1 << 7) |
  (1 << 8) |
  (1 << 11) |
  (1 << 12) |
  (1 << 13) |
  (1 << 14) |
  (1 << 15) |
  (1 << 16) |
  (1 << 17) |
  (1 << 19) |
  (1 << 23) |
  (1 << 24) |
  (1 << 25) |
  (1 << 26);
const FEATURE_APIC: u32 = 1 << 9;
const APIC_BASE: u32 = 0x1b;
const APIC_ENABLED: u32 = 0x800;
/** Leaf 1, ECX: SSE3, PCLMULQDQ, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, AES. */
const FEATURES_C: u32 =
  (1 << 0) | (1 << 1) | (1 << 9) | (1 << 13) | (1 << 19) | (1 << 20) | (1 << 22) | (1 << 23) | (1 << 25);
/** With a local APIC also x2APIC and the deadline timer. */
const FEATURES_C_APIC: u32 = (1 << 21) | (1 << 24);
/** Leaf 7, EBX: FSGSBASE, TSC_ADJUST, BMI1, SMEP, BMI2, ADX, SMAP, SHA. */
const FEATURES_7B: u32 = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 7) | (1 << 8) | (1 << 19) | (1 << 20) | (1 << 29);
/** Leaf 7, ECX: UMIP, RDPID. */
const FEATURES_7C: u32 = (1 << 2) | (1 << 22);
/** Leaf 7, EDX: IA32_ARCH_CAPABILITIES. */
const FEATURES_7D: u32 = 1 << 29;
/** Leaf 80000001h, EDX: SYSCALL, NX, pages of 1 GiB, RDTSCP, long mode; ECX: LAHF in 64-bit mode, LZCNT, PREFETCHW. */
const FEATURES_EXTENDED: u32 = (1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29);
const FEATURES_EXTENDED_C: u32 = (1 << 0) | (1 << 5) | (1 << 8);
/** The time-stamp counter runs at one rate always. */
const INVARIANT_TSC: u32 = 1 << 8;
/** Leaf 6, EAX: the APIC timer runs always. */
const ALWAYS_RUNNING_TIMER: u32 = 1 << 2;
/** CLFLUSH lines of 64 bytes, in units of 8. */
const LINE: u32 = 8 << 8;
const LINEAR_BITS: u32 = 48;
/** The time-stamp counter and the APIC timer count nanoseconds. */
const CLOCK_HZ: u32 = 1_000_000_000;
const CLOCK_MHZ: u32 = 1000;

const MAXIMUM: u32 = 0x16;
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
  // A leaf above the maximum answers like the highest one.
  else basic(min(leaf, MAXIMUM), reg32(REG_RCX));
}

function basic(leaf: u32, subleaf: u32): void {
  // "GenuineIntel" in EBX, EDX, ECX.
  if (leaf == 0) answer(MAXIMUM, 0x756e_6547, 0x6c65_746e, 0x4965_6e69);
  else if (leaf == 1) features();
  // To be asked once; leaf 4 tells of caches, and nobody of TLBs.
  else if (leaf == 2) answer(0x00ff_0001, 0, 0, 0);
  else if (leaf == 4) cache(subleaf);
  else if (leaf == 6) answer(hasApic() ? ALWAYS_RUNNING_TIMER : 0, 0, 0, 0);
  else if (leaf == 7 && subleaf == 0) answer(0, FEATURES_7B, FEATURES_7C, FEATURES_7D);
  else if (leaf == 0xb && hasApic()) topology(subleaf);
  else if (leaf == 0x15) answer(1, 1, CLOCK_HZ, 0);
  else if (leaf == 0x16) answer(CLOCK_MHZ, CLOCK_MHZ, CLOCK_MHZ, 0);
  else answer(0, 0, 0, 0);
}

function hasApic(): bool {
  return hostTaskPriority() != NO_APIC;
}

/** The bit of leaf 1 is that of IA32_APIC_BASE (SDM volume 3, section 11.4.3). */
function isApicEnabled(): bool {
  return hasApic() && hostMsrRead(APIC_BASE) == 1 && (hostMsrLow() & APIC_ENABLED) != 0;
}

function features(): void {
  answer(SIGNATURE, LINE, FEATURES_C | (hasApic() ? FEATURES_C_APIC : 0), FEATURES | (isApicEnabled() ? FEATURE_APIC : 0));
}

/** Caches such as a processor of this kind has. There are none here, but systems want to hear of some. */
function cache(index: u32): void {
  if (index == 0) describeCache(1, 1, 8, 64);
  else if (index == 1) describeCache(2, 1, 8, 64);
  else if (index == 2) describeCache(3, 2, 16, 4096);
  else answer(0, 0, 0, 0);
}

/** Type 1 is for data, 2 for instructions, 3 for both; lines of 64 bytes; each initializes itself. */
function describeCache(type: u32, level: u32, ways: u32, sets: u32): void {
  answer(type | (level << 5) | (1 << 8), ((ways - 1) << 22) | 63, sets - 1, 0);
}

/** One thread in one core: levels 1 and 2 hold one logical processor, whose x2APIC number is 0. */
function topology(level: u32): void {
  answer(0, level < 2 ? 1 : 0, level | (level < 2 ? (level + 1) << 8 : 0), 0);
}

/** The second level of `cache`: 4096 KiB, 16 ways, lines of 64 bytes. */
const LEVEL_2: u32 = (4096 << 16) | (8 << 12) | 64;

function extended(leaf: u32): void {
  if (leaf == EXTENDED) answer(EXTENDED_MAXIMUM, 0, 0, 0);
  else if (leaf == 0x8000_0001) answer(0, 0, FEATURES_EXTENDED_C, FEATURES_EXTENDED);
  // "skep virtual processor".
  else if (leaf == 0x8000_0002) answer(0x7065_6b73, 0x7269_7620, 0x6c61_7574, 0x6f72_7020);
  else if (leaf == 0x8000_0003) answer(0x7373_6563, 0x726f, 0, 0);
  else if (leaf == 0x8000_0006) answer(0, 0, LEVEL_2, 0);
  else if (leaf == 0x8000_0007) answer(0, 0, 0, INVARIANT_TSC);
  else if (leaf == 0x8000_0008) answer(<u32>popcnt(load<u64>(STATE_ADDRESS_MASK)) | (LINEAR_BITS << 8), 0, 0, 0);
  else answer(0, 0, 0, 0);
}
