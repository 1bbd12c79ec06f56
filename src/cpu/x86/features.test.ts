import { afterAll, expect, it, test } from 'vitest';
import { LongMachine } from './long-machine.ts';

/** CPUID against what the processor does: each bit that is set has an instruction that works, each other one #UD. */
const machine = new LongMachine();
afterAll(() => machine[Symbol.dispose]());

type Word = 'eax' | 'ebx' | 'ecx' | 'edx';
const WORDS: readonly Word[] = ['eax', 'ebx', 'ecx', 'edx'];
const EXTENDED = 0x8000_0001;

function ask(leaf: number, subleaf = 0): Record<Word, number> {
  machine.enter(0);
  machine.execute(`mov eax, ${leaf}\nmov ecx, ${subleaf}\ncpuid`);
  const [eax = 0, ebx = 0, ecx = 0, edx = 0] = WORDS.map((word) => machine.get(`r${word.slice(1)}`));
  return { eax, ebx, ecx, edx };
}

/** FXSR, XMM exceptions, FSGSBASE: everything that CR4 has to allow. */
const CR4 = 0x1_0620;

function vectorOf(source: string): number | undefined {
  machine.enter(0);
  machine.set({ cr4: CR4, cr0: 0x8001_0031 });
  return machine.execute(source)?.vector;
}

const DATA = 0x2_0000;
const rdmsr = (number: number): string => `mov ecx, ${number}\nrdmsr`;

/** Takes the code's own page away from user mode, as SMEP wants it. */
const SUPERVISOR = (mask: number): string =>
  `and byte [${LongMachine.directory}], ${mask}\nmov rax, cr3\nmov cr3, rax\n`;

/** Name, leaf, register, bit, and what shows it. */
const OFFERED: readonly [name: string, leaf: number, word: Word, bit: number, source: string][] = [
  ['FPU', 1, 'edx', 0, 'fninit\nfld1\nfstp st0'],
  ['DE', 1, 'edx', 2, 'mov eax, 0x28\nmov cr4, rax'],
  ['PSE', 1, 'edx', 3, 'mov eax, 0x30\nmov cr4, rax'],
  ['TSC', 1, 'edx', 4, 'rdtsc'],
  ['MSR', 1, 'edx', 5, rdmsr(0x1b)],
  ['PAE', 1, 'edx', 6, 'mov eax, 0x20\nmov cr4, rax'],
  ['MCE', 1, 'edx', 7, 'mov eax, 0x60\nmov cr4, rax'],
  ['CX8', 1, 'edx', 8, `cmpxchg8b [${DATA}]`],
  ['SEP', 1, 'edx', 11, rdmsr(0x174)],
  ['MTRR', 1, 'edx', 12, rdmsr(0xfe)],
  ['PGE', 1, 'edx', 13, 'mov eax, 0xa0\nmov cr4, rax'],
  ['MCA', 1, 'edx', 14, `${rdmsr(0x179)}\n${rdmsr(0x17a)}`],
  ['CMOV', 1, 'edx', 15, 'cmovz eax, ebx\nfninit\nfld1\nfcmove st0, st0'],
  ['PAT', 1, 'edx', 16, rdmsr(0x277)],
  ['PSE36', 1, 'edx', 17, 'mov eax, 0x30\nmov cr4, rax'],
  ['CLFSH', 1, 'edx', 19, `clflush [${DATA}]`],
  ['MMX', 1, 'edx', 23, 'paddb mm0, mm1'],
  ['FXSR', 1, 'edx', 24, `fxsave [${DATA}]`],
  ['SSE', 1, 'edx', 25, 'addps xmm0, xmm1'],
  ['SSE2', 1, 'edx', 26, 'paddb xmm0, xmm1'],
  ['SSE3', 1, 'ecx', 0, 'haddps xmm0, xmm1'],
  ['PCLMULQDQ', 1, 'ecx', 1, 'pclmulqdq xmm0, xmm1, 0'],
  ['SSSE3', 1, 'ecx', 9, 'pshufb xmm0, xmm1'],
  ['CX16', 1, 'ecx', 13, `o64 cmpxchg8b [${DATA}]`],
  ['SSE4.1', 1, 'ecx', 19, 'pmulld xmm0, xmm1'],
  ['SSE4.2', 1, 'ecx', 20, 'crc32 eax, bl'],
  ['MOVBE', 1, 'ecx', 22, `movbe eax, [${DATA}]`],
  ['POPCNT', 1, 'ecx', 23, 'popcnt eax, ebx'],
  ['AES', 1, 'ecx', 25, 'aesenc xmm0, xmm1'],
  ['FSGSBASE', 7, 'ebx', 0, 'rdfsbase rax'],
  ['TSC_ADJUST', 7, 'ebx', 1, rdmsr(0x3b)],
  ['BMI1', 7, 'ebx', 3, 'andn eax, ebx, ecx'],
  [
    'SMEP',
    7,
    'ebx',
    7,
    `${SUPERVISOR(0xfb)}mov rax, cr4\nbts rax, 20\nmov cr4, rax\nnop\nbtr rax, 20\nmov cr4, rax\nor byte [${LongMachine.directory}], 4`,
  ],
  ['BMI2', 7, 'ebx', 8, 'pdep eax, ebx, ecx'],
  ['ADX', 7, 'ebx', 19, 'adcx eax, ebx'],
  ['SMAP', 7, 'ebx', 20, 'stac\nclac'],
  ['SHA', 7, 'ebx', 29, 'sha1nexte xmm0, xmm1'],
  ['UMIP', 7, 'ecx', 2, 'mov eax, 0x820\nmov cr4, rax'],
  ['RDPID', 7, 'ecx', 22, 'db 0xf3, 0x0f, 0xc7, 0xf8'],
  ['ARCH_CAPABILITIES', 7, 'edx', 29, rdmsr(0x10a)],
  ['SYSCALL', EXTENDED, 'edx', 11, rdmsr(0xc000_0082)],
  ['NX', EXTENDED, 'edx', 20, 'mov ecx, 0xc0000080\nrdmsr\nor eax, 0x800\nwrmsr'],
  ['1 GiB pages', EXTENDED, 'edx', 26, `mov qword [${LongMachine.pdpt + 8}], 0x83\nmov eax, [0x40020000]`],
  ['RDTSCP', EXTENDED, 'edx', 27, 'rdtscp'],
  ['long mode', EXTENDED, 'edx', 29, 'mov rax, rbx'],
  ['LAHF in 64-bit mode', EXTENDED, 'ecx', 0, 'lahf\nsahf'],
  ['LZCNT', EXTENDED, 'ecx', 5, 'lzcnt eax, ebx'],
  ['PREFETCHW', EXTENDED, 'ecx', 8, `prefetchw dword [${DATA}]`],
];

test.each(OFFERED)('%s is offered and works', (_, leaf, word, bit, source) => {
  expect((ask(leaf)[word] >>> bit) & 1).toBe(1);
  expect(vectorOf(source)).toBeUndefined();
});

it('offers nothing else', () => {
  const unexplained: string[] = [];
  for (const leaf of [1, 7, EXTENDED]) {
    const answer = ask(leaf);
    const words = leaf === 7 ? (['ebx', 'ecx', 'edx'] as const) : (['ecx', 'edx'] as const);
    for (const word of words) {
      for (let bit = 0; bit < 32; bit++) {
        const known = OFFERED.some((row) => row[1] === leaf && row[2] === word && row[3] === bit);
        if (((answer[word] >>> bit) & 1) === 1 && !known) unexplained.push(`${leaf.toString(16)} ${word} ${bit}`);
      }
    }
  }
  expect(unexplained).toEqual([]);
});

/** What later processors have: their instructions (register forms, or memory at RBX) raise #UD. */
const DENIED: readonly [name: string, leaf: number, word: Word, bit: number, codes: readonly string[]][] = [
  ['MONITOR', 1, 'ecx', 3, ['0f 01 c8', '0f 01 c9']],
  [
    'VMX',
    1,
    'ecx',
    5,
    [
      '0f 01 c1',
      '0f 01 c2',
      '0f 01 c3',
      '0f 01 c4',
      'f3 0f c7 33',
      '0f c7 33',
      '66 0f c7 33',
      '0f 78 c0',
      '0f 79 c0',
      '66 0f 38 80 03',
      '66 0f 38 81 03',
    ],
  ],
  ['SMX', 1, 'ecx', 6, ['0f 37']],
  ['FMA', 1, 'ecx', 12, ['c4 e2 71 98 c2', 'c4 e2 f1 b8 c2']],
  ['PCID', 1, 'ecx', 17, []],
  ['XSAVE', 1, 'ecx', 26, ['0f 01 d0', '0f 01 d1', '0f ae 23', '0f ae 2b']],
  ['AVX', 1, 'ecx', 28, ['c5 f8 77', 'c5 f0 58 c2', 'c5 f4 58 c2', 'c5 f9 6f c1', 'c4 e2 79 18 03']],
  ['F16C', 1, 'ecx', 29, ['c4 e2 79 13 c1', 'c4 e3 79 1d c1 00']],
  ['RDRAND', 1, 'ecx', 30, ['0f c7 f0', '48 0f c7 f0']],
  ['AVX2', 7, 'ebx', 5, ['c5 f5 fc c2', 'c4 e2 7d 58 c1']],
  ['INVPCID', 7, 'ebx', 10, ['66 0f 38 82 03']],
  ['RTM', 7, 'ebx', 11, ['c7 f8 00 00 00 00', '0f 01 d5', '0f 01 d6']],
  ['AVX512F', 7, 'ebx', 16, ['62 f1 74 48 58 c2']],
  ['RDSEED', 7, 'ebx', 18, ['0f c7 f8', '48 0f c7 f8']],
  ['CLFLUSHOPT', 7, 'ebx', 23, ['66 0f ae 3b']],
  ['CLWB', 7, 'ebx', 24, ['66 0f ae 33']],
  ['PKU', 7, 'ecx', 3, ['0f 01 ee', '0f 01 ef']],
  ['WAITPKG', 7, 'ecx', 5, ['66 0f ae f0', 'f2 0f ae f0', 'f3 0f ae f0']],
  [
    'CET shadow stacks',
    7,
    'ecx',
    7,
    ['f3 0f 01 e8', 'f3 0f 01 ea', 'f3 0f ae 33', '0f 38 f6 03', '66 0f 38 f5 03', 'f3 0f ae e8'],
  ],
  ['GFNI', 7, 'ecx', 8, ['66 0f 38 cf c1', '66 0f 3a ce c1 00', '66 0f 3a cf c1 00']],
  ['VAES', 7, 'ecx', 9, ['c4 e2 75 dc c2']],
  ['VPCLMULQDQ', 7, 'ecx', 10, ['c4 e3 75 44 c2 00']],
  ['key locker', 7, 'ecx', 23, ['f3 0f 38 dc 03', 'f3 0f 38 dd 03', 'f3 0f 38 fa c1']],
  ['MOVDIRI', 7, 'ecx', 27, ['0f 38 f9 03']],
  ['MOVDIR64B', 7, 'ecx', 28, ['66 0f 38 f8 03']],
  ['ENQCMD', 7, 'ecx', 29, ['f2 0f 38 f8 03', 'f3 0f 38 f8 03']],
  ['user interrupts', 7, 'edx', 5, ['f3 0f 01 ee', 'f3 0f 01 ef', 'f3 0f 01 ed', 'f3 0f 01 ec', 'f3 0f c7 f0']],
  ['SERIALIZE', 7, 'edx', 14, ['0f 01 e8']],
  ['TSXLDTRK', 7, 'edx', 16, ['f2 0f 01 e8', 'f2 0f 01 e9']],
  ['PCONFIG', 7, 'edx', 18, ['0f 01 c5']],
  ['AMX', 7, 'edx', 24, ['c4 e2 78 49 c0']],
  [
    'SVM',
    EXTENDED,
    'ecx',
    2,
    ['0f 01 d8', '0f 01 d9', '0f 01 da', '0f 01 db', '0f 01 dc', '0f 01 dd', '0f 01 de', '0f 01 df'],
  ],
  [
    'SSE4A',
    EXTENDED,
    'ecx',
    6,
    ['66 0f 79 c1', 'f2 0f 79 c1', '66 0f 78 c1 00 00', 'f2 0f 78 c1 00 00', 'f3 0f 2b 03', 'f2 0f 2b 03'],
  ],
  ['XOP', EXTENDED, 'ecx', 11, ['8f e8 78 a2 c0 00', '8f e9 78 80 c0']],
  ['FMA4', EXTENDED, 'ecx', 16, ['c4 e3 71 68 c2 00']],
  ['MONITORX', EXTENDED, 'ecx', 29, ['0f 01 fa', '0f 01 fb']],
  ['3DNow!', EXTENDED, 'edx', 31, ['0f 0e', '0f 0f c1 9e']],
];

test.each(DENIED)('%s is not offered and raises #UD', (_, leaf, word, bit, codes) => {
  expect((ask(leaf)[word] >>> bit) & 1).toBe(0);
  const found = codes.map((code) => {
    const bytes = code.split(' ').map((byte) => `0x${byte}`);
    return [code, vectorOf(`mov ebx, ${DATA}\ndb ${bytes.join(', ')}`)];
  });
  expect(found).toEqual(codes.map((code) => [code, 6]));
});

test('what has no bit but that of AMD raises #UD', () => {
  expect(
    ['0f 01 fc', '0f 01 fd', '0f aa', '0f 01 f9'].map((code) =>
      vectorOf(
        `db ${code
          .split(' ')
          .map((b) => `0x${b}`)
          .join(', ')}`,
      ),
    ),
  ).toEqual([6, 6, 6, undefined]);
});

test('every bit of CR4 without a feature is #GP, and so is every other one of EFER', () => {
  const refused = (source: (bit: number) => string, bits: number): number[] =>
    Array.from({ length: bits }, (_, bit) => bit).filter((bit) => vectorOf(source(bit)) === 13);
  const cr4 = refused((bit) => `mov rax, cr4\nbts rax, ${bit}\nmov cr4, rax`, 64);
  const allowed = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 20, 21];
  expect(cr4).toEqual(Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => !allowed.includes(bit)));
  const efer = refused((bit) => `mov ecx, 0xc0000080\nrdmsr\nbts e${bit < 32 ? 'a' : 'd'}x, ${bit & 31}\nwrmsr`, 64);
  expect(efer).toEqual(Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => ![0, 8, 10, 11].includes(bit)));
});

test('the leaves that describe rather than offer', () => {
  expect(ask(0).eax).toBe(0x16);
  expect(ask(2).eax & 0xff).toBe(1);
  const sizes = [0, 1, 2, 3].map((index) => {
    const { eax, ebx, ecx } = ask(4, index);
    const [line, partitions, ways] = [(ebx & 0xfff) + 1, ((ebx >>> 12) & 0x3ff) + 1, (ebx >>> 22) + 1];
    return (eax & 31) === 0 ? undefined : [(eax >>> 5) & 7, eax & 31, line * partitions * ways * (ecx + 1)];
  });
  expect(sizes).toEqual([[1, 1, 0x8000], [1, 2, 0x8000], [2, 3, 0x40_0000], undefined]);
  expect([5, 0xa, 0xd, 0x14].map((leaf) => Object.values(ask(leaf)))).toEqual(
    Array.from({ length: 4 }, () => [0, 0, 0, 0]),
  );
  // Without a local APIC there is neither a timer that always runs nor a number to tell.
  expect([ask(6).eax, ask(0xb).ebx]).toEqual([0, 0]);
  const { eax, ebx, ecx } = ask(0x15);
  expect([(ecx * ebx) / eax, ask(0x16).eax]).toEqual([1e9, 1000]);
  expect(ask(0x8000_0000).eax).toBe(0x8000_0008);
  expect((ask(0x8000_0006).ecx >>> 16) * 1024).toBe(0x40_0000);
  expect(ask(0x8000_0007).edx).toBe(0x100);
});

test('a leaf beyond the highest answers like it', () => {
  for (const leaf of [0x17, 0x4000_0000, 0x8000_0009]) expect(ask(leaf)).toEqual(ask(0x16));
});

/** What Linux, SeaBIOS, U-Boot, memtest86+ and OVMF read without asking first, and what is there at reset. */
const READ: readonly [name: string, number: number, value: bigint][] = [
  ['the last machine check’s address', 0, 0n],
  ['the last machine check’s type', 1, 0n],
  ['time-stamp counter', 0x10, 0n],
  ['platform id', 0x17, 0n],
  ['APIC base', 0x1b, 0xfee0_0900n],
  ['time-stamp adjustment', 0x3b, 0n],
  ['microcode revision', 0x8b, 0n],
  ['MTRR capabilities', 0xfe, 0x508n],
  ['architecture capabilities', 0x10a, 0x0d10_e179n],
  ['SYSENTER CS', 0x174, 0n],
  ['SYSENTER ESP', 0x175, 0n],
  ['SYSENTER EIP', 0x176, 0n],
  ['machine check capabilities', 0x179, 0n],
  ['machine check status', 0x17a, 0n],
  ['miscellaneous features', 0x1a0, 1n],
  ['debug control', 0x1d9, 0n],
  ...Array.from({ length: 16 }, (_, index): [string, number, bigint] => [`variable MTRR ${index}`, 0x200 + index, 0n]),
  ...[0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f].map(
    (number): [string, number, bigint] => ['fixed MTRR', number, 0n],
  ),
  ['PAT', 0x277, 0x0007_0406_0007_0406n],
  ['default memory type', 0x2ff, 0n],
  ['EFER', 0xc000_0080, 0x501n],
  ...[0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0xc000_0100, 0xc000_0101, 0xc000_0102, 0xc000_0103].map(
    (number): [string, number, bigint] => ['long mode', number, 0n],
  ),
];

test.each(READ)('the MSR of %s (%i) can be read', (_, number, value) => {
  expect(vectorOf(rdmsr(number))).toBeUndefined();
  expect((machine.get64('rdx') << 32n) | machine.get64('rax')).toBe(value);
});

test.each([
  ['the architecture capabilities', 0x10a, 0, 0],
  ['debug control but 0', 0x1d9, 2, 0],
  ['the platform id', 0x17, 0, 0],
])('%s cannot be written', (_, number, low, high) => {
  expect(vectorOf(`mov ecx, ${number}\nmov eax, ${low}\nmov edx, ${high}\nwrmsr`)).toBe(13);
});
