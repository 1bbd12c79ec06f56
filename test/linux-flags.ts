import { askCpuid, type CpuidAnswer } from './cpuid.ts';

/** A register of CPUID, and what /proc/cpuinfo calls its bits from 0 up (arch/x86/include/asm/cpufeatures.h); - is none. */
const NAMES: readonly (readonly [leaf: number, register: keyof CpuidAnswer, names: string])[] = [
  [
    1,
    'edx',
    'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
  ],
  [
    1,
    'ecx',
    'pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor',
  ],
  [6, 'eax', 'dtherm ida arat - pln - pts hwp hwp_notify hwp_act_window hwp_epp hwp_pkg_req'],
  [
    7,
    'ebx',
    'fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl',
  ],
  [
    7,
    'ecx',
    '- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd - -',
  ],
  [
    7,
    'edx',
    '- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d arch_capabilities - -',
  ],
  [
    0x8000_0001,
    'edx',
    '- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow',
  ],
  [
    0x8000_0001,
    'ecx',
    'lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - -',
  ],
  [0x8000_0007, 'edx', '- - - - - - - - nonstop_tsc - - - - - - -'],
];

/** Flags that Linux derives itself: from being able to ask at all, from the family, and 64-bit kernels from that; */
const DERIVED = ['cpuid', 'constant_tsc'];
const DERIVED_64 = ['rep_good', 'nopl'];
/** and from what other leaves say of the topology and of the time-stamp counter's frequency. */
const DERIVED_FROM: readonly (readonly [leaf: number, register: keyof CpuidAnswer, flag: string])[] = [
  [0xb, 'ebx', 'xtopology'],
  [0x15, 'ebx', 'art'],
  [0x15, 'ecx', 'tsc_known_freq'],
];

/** The flags that /proc/cpuinfo should show, sorted. */
export async function expectedFlags(is64: boolean): Promise<string[]> {
  const answers = await askCpuid(NAMES.map(([leaf]) => leaf));
  const flags = NAMES.flatMap(([, register, names], index) =>
    names.split(' ').filter((name, bit) => name !== '-' && (((answers[index]?.[register] ?? 0) >>> bit) & 1) === 1),
  );
  const others = await askCpuid(DERIVED_FROM.map(([leaf]) => leaf));
  const derived = DERIVED_FROM.filter(([, register], index) => (others[index]?.[register] ?? 0) !== 0);
  flags.push(...derived.map(([, , flag]) => flag));
  return [...flags, ...DERIVED, ...(is64 ? DERIVED_64 : [])].sort();
}
