import { afterAll, describe, expect, it } from 'vitest';
import { LongMachine } from './long-machine.ts';
import { descriptor } from './protected-machine.ts';
import { REGISTER_PLACES } from './registers.ts';
import { FIELD } from './table/layout.ts';

/**
 * Restart in long mode: each program is run with its memory in place, and then once for each page that it touches with
 * that page missing, and once with none there. The page fault's handler puts the page back and returns. In the end
 * registers, memory and ports are what they were without faults.
 *
 *     40_0000   R: what programs touch, sixteen pages of 4 KiB, mapped by the table at 10_3000
 *     +0x8000   GDT, IDT and TSS, each across a border: what the page fault itself needs lies on the side that stays
 */
const R = 0x40_0000;
const PAGES = 16;
const TABLE = 0x10_3000;
const HANDLER = 0x7000;
const COUNT = 0x7800;
const { handlers, interruptStack, selectors, start, directory } = LongMachine;

/** Null, code and data of ring 0 before the border; all others behind. */
const GDT = R + 0x9000 - 0x18;
/** Vectors below 16 before the border. */
const IDT = R + 0xb000 - 0x100;
/** RSP0 before the border, IST 1 behind. IST 2 is a stack across a border. */
const TSS = R + 0xd000 - 0x10;
const NEEDED = [8, 10, 13];
const GATE = 0x40;
const LDT = 0x50;
const TASK = 0x60;

const machine = new LongMachine();
afterAll(() => machine[Symbol.dispose]());

/** Notes the fault and puts the page back; a fault anywhere else stops the machine. */
const REPAIR = `
  push rax
  push rbx
  mov rax, cr2
  inc qword [${COUNT}]
  mov rbx, rax
  shr rbx, 21
  cmp rbx, ${R >> 21}
  je ours
  cli
  hlt
ours:
  mov rbx, rax
  shr rbx, 12
  and ebx, 511
  or qword [rbx*8+${TABLE}], 1
  invlpg [rax]
  pop rbx
  pop rax
  add rsp, 8
  iretq`;

function gateWords(vector: number, offset: number, dpl: number, stack: number): void {
  const access = BigInt(0x8e | (dpl << 5));
  const low =
    BigInt(offset & 0xffff) |
    (BigInt(selectors.code0) << 16n) |
    (BigInt(stack) << 32n) |
    (access << 40n) |
    (BigInt(offset >> 16) << 48n);
  machine.set64(IDT + 16 * vector, low);
  machine.set64(IDT + 16 * vector + 8, 0n);
}

function prepareTables(): void {
  machine.set64(directory + 16, BigInt(TABLE) | 7n);
  for (let page = 0; page < 512; page++) machine.set64(TABLE + 8 * page, BigInt(R + 0x1000 * page) | 7n);
  machine.bytes.copyWithin(GDT, LongMachine.gdt, LongMachine.gdt + 0x100);
  for (let vector = 0; vector < 64; vector++) {
    gateWords(vector, handlers + 16 * vector, 3, vector === 6 ? 2 : vector === 14 ? 1 : 0);
    machine.load(handlers + 16 * vector, [0xf4]);
  }
  gateWords(14, HANDLER, 0, 1);
  machine.set64(TSS + 4, BigInt(R + 0x6ff8 + 0x10));
  machine.set64(TSS + 0x24, BigInt(interruptStack));
  machine.set64(TSS + 0x2c, BigInt(R + 0x3010));
  // A 64-bit call gate to ring 0, an LDT and a task, descriptors of 16 bytes.
  machine.set64(GDT + GATE, (BigInt(0xec00) << 32n) | BigInt((selectors.code0 << 16) | 0x6000));
  machine.set64(GDT + GATE + 8, 0n);
  machine.set64(GDT + LDT, descriptor({ base: R, limit: 0xfff, type: 2, granular: false }));
  machine.set64(GDT + LDT + 8, 0n);
  machine.set64(GDT + TASK, descriptor({ base: R, limit: 0x67, type: 9, granular: false }));
  machine.set64(GDT + TASK + 8, 0n);
  machine.assemble(0x6000, 'mov r15d, 99\nhlt', 64);
}

interface Program {
  readonly name: string;
  readonly source: string;
  readonly ring?: 0 | 3;
  readonly bits?: 32 | 64;
}

const STATE = [...REGISTER_PLACES.keys(), 'rflags'].filter((name) => !['cr2', 'start_rip'].includes(name));

function outcome(): string {
  const registers = STATE.map((name) => `${name}=${machine.engine.register(name).toString(16)}`);
  const floats = Array.from({ length: 0x304 }, (_, at) => machine.engine.state.getUint8(FIELD.X87 + at)).join(',');
  const bytes = Buffer.from(machine.bytes.subarray(R, R + 0x1000 * PAGES)).toString('base64');
  return JSON.stringify({ registers, floats, bytes, accesses: machine.accesses });
}

/** Runs with the pages of `missing` away. What there is to compare, the number of faults, and the pages touched. */
function run(
  { source, ring = 0, bits = 64 }: Program,
  missing: readonly number[],
): { state: string; faults: number; touched: number[] } {
  for (let at = 0; at < 0x1000 * PAGES; at += 4) machine.set32(R + at, Math.imul(at + 1, 0x9e37_79b1));
  prepareTables();
  machine.accesses.length = 0;
  machine.enter(ring, bits);
  machine.set({ 'gdtr.base': GDT, 'idtr.base': IDT, 'idtr.limit': 0x3ff, 'tr.base': TSS, cr4: 0x620 });
  machine.assemble(start, `${source}\n${ring === 0 ? 'hlt' : 'int 0x21'}`, bits);
  machine.assemble(HANDLER, REPAIR, 64);
  machine.set32(COUNT, 0);
  for (const page of missing) machine.set64(TABLE + 8 * page, BigInt(R + 0x1000 * page) | 6n);
  machine.engine.setRegister('cr3', BigInt(LongMachine.pml4));
  machine.run(20_000);
  const touched = Array.from({ length: PAGES }, (_, page) => page).filter(
    (page) => (machine.u32(TABLE + 8 * page) & 0x20) !== 0,
  );
  return { state: outcome(), faults: machine.u32(COUNT), touched };
}

/** The last bytes before the border between pages 0 and 1. */
const BORDER = R + 0x1000;
const SET = `mov ebx, ${BORDER - 1}\nmov rax, 0x1122334455667788\nmov ecx, 0x301\n`;
const STACK = `mov rsp, ${R + 0x4004}\n`;

const STORES = ['byte', 'word', 'dword', 'qword'].flatMap((size) =>
  [
    'add % [rbx], 5',
    'inc % [rbx]',
    'neg % [rbx]',
    'shl % [rbx], 3',
    'sbb % [rbx], 1',
    'not % [rbx]',
    'rcr % [rbx], 1',
    'mov % [rbx], 7',
    'cmp % [rbx], 7',
  ].map((form) => form.replace('%', size)),
);
const CROSSING = [
  ...STORES,
  ...['al', 'ax', 'eax', 'rax'].flatMap((register) =>
    [
      'mov [rbx], %',
      'mov %, [rbx]',
      'xchg [rbx], %',
      'lock xadd [rbx], %',
      'or %, [rbx]',
      'lock and [rbx], %',
      'test [rbx], %',
    ].map((form) => form.replace('%', register)),
  ),
  ...['cx', 'ecx', 'rcx']
    .flatMap((register) =>
      [
        'cmpxchg [rbx], %',
        'bts [rbx], %',
        'btc [rbx], 5',
        'shld [rbx], %, 3',
        'shrd [rbx], %, cl',
        'imul %, [rbx]',
        'cmovz %, [rbx]',
        'movnti [rbx], ecx',
        'crc32 ecx, word [rbx]',
        'popcnt %, [rbx]',
        'movbe [rbx], %',
      ].map((form) => (form.startsWith('btc') ? form.replace('[rbx]', 'word [rbx]') : form.replace('%', register))),
    )
    .filter((form) => form !== 'movnti [rbx], cx'),
  'push qword [rbx]',
  `lea rsp, [rbx+8]\npush rax`,
  'mov rsp, rbx\npop qword [rbx+8]',
  'mov rsp, rbx\npop rdx',
  `mov qword [rbx], over\ncall [rbx]\nover: pop rdx`,
  `mov qword [rbx], over\njmp [rbx]\nover:`,
  `mov dword [rbx], over\nmov word [rbx+4], ${selectors.code0}\njmp far [rbx]\nover:`,
  `lea rsp, [rbx+1]\nmov dword [rsp+8], ${selectors.code0}\nlea rdx, [rel over]\nmov [rsp], rdx\no64 retf\nover:`,
  'mov rdx, [rbx]\ndiv qword [rbx+8]',
  'mul qword [rbx]',
  'lea rsi, [rbx]\nlodsq',
  'lea rdi, [rbx]\nstosq',
  'lea rsi, [rbx]\nlea rdi, [rbx+0x1000]\nmovsq',
  'lea rsi, [rbx]\nlea rdi, [rbx+0x1000]\ncmpsq',
  'lea rdi, [rbx]\nscasq',
  'lea rbx, [rbx-200]\nmov al, 250\nxlatb',
  'lgdt [rbx+0x7fe7]',
  'sgdt [rbx]',
  'sidt [rbx-5]',
  'str [rbx]',
  'smsw [rbx]',
  `mov dword [rbx], ${R + 0x2100}\nmov word [rbx+4], ${selectors.data0}\nlss esp, [rbx]`,
  `mov dword [rbx], 5\nmov word [rbx+4], ${selectors.data3}\nlfs edx, [rbx]`,
  'movups xmm1, [rbx-7]\nmovups [rbx+0x1001], xmm1',
  'movdqu xmm2, [rbx]\npaddd xmm2, xmm2\nmovdqu [rbx+3], xmm2',
  'movq xmm3, [rbx]\nmovhps [rbx+1], xmm3\nmovlps xmm4, [rbx+2]',
  'cvtsi2sd xmm5, qword [rbx]\nmovsd [rbx+2], xmm5',
  'pcmpistrm xmm1, [rbx], 0',
  'movq mm1, [rbx]\npaddb mm1, [rbx+1]\nmovq [rbx+2], mm1',
  'fninit\nfild qword [rbx]\nfistp qword [rbx+1]\nfld tword [rbx-3]\nfstp tword [rbx-4]',
  'fninit\nfld1\nfbstp [rbx-6]\nfbld [rbx-6]\nfst dword [rbx-1]\nfstp qword [rbx]',
  'fninit\nfldpi\nfnstenv [rbx-11]\nfldenv [rbx-11]\nfnstcw [rbx]\nfldcw [rbx]\nfnstsw [rbx]',
  'fninit\nfldpi\nfnsave [rbx-50]\nfrstor [rbx-50]',
  `fninit\nfldpi\nfxsave [rbx-0xff]\nfninit\npxor xmm0, xmm0\nfxrstor [rbx-0xff]`,
  `fninit\nfldpi\no64 fxsave [rbx-0x1f]\no64 fxrstor [rbx-0x1f]`,
  'stmxcsr [rbx-2]\nldmxcsr [rbx-2]',
  'mov rdx, [rbx-0xf]\nmov rax, [rbx-0x17]\no64 lock cmpxchg8b [rbx-0xf]',
  'lock cmpxchg8b [rbx-3]',
  'xor edx, edx\nlea rdi, [rbx-7]\nmaskmovdqu xmm1, xmm2',
  'bt [rbx], rax',
  'mov eax, 0x9000\nbts [rbx], eax',
];

const repeated = (instruction: string, size: number, down: boolean): Program => {
  const bytes = 0x2200;
  const end = (at: number): number => (down ? at + bytes - size : at);
  return {
    name: `${down ? 'std, ' : ''}${instruction}`,
    source: `mov esi, ${end(R + 0x6e0)}\nmov edi, ${end(R + 0x3eff)}\nmov ecx, ${bytes / size}\nmov edx, 0x40\nmov rax, -1\n${down ? 'std' : 'cld'}\n${instruction}\ncld`,
  };
};
const LETTERS = { b: 1, w: 2, d: 4, q: 8 } as const;
const REPEATED = Object.entries(LETTERS).flatMap(([letter, size]) =>
  [false, true].flatMap((down) => [
    ...['rep movs', 'rep stos', 'rep lods', 'repne cmps', 'repne scas'].map((name) =>
      repeated(name + letter, size, down),
    ),
    ...(size === 8 ? [] : ['rep ins', 'rep outs'].map((name) => repeated(name + letter, size, down))),
  ]),
);
const OVERLAPPING: Program = {
  name: 'rep movsb onto what it is about to read',
  source: `mov esi, ${R + 0xffc}\nmov edi, ${R + 0xfff}\nmov ecx, 0x1800\nrep movsb`,
};

const frame = (rip: string, cs: number, ss: number): string =>
  `mov rsp, ${R + 0x3010}\npush ${ss}\nmov rax, ${R + 0x5000}\npush rax\npush 0x202\npush ${cs}\nlea rax, [rel ${rip}]\npush rax\n`;
/** Ring 3 has its stack in page 4. */
const TRANSFERS: readonly Program[] = [
  {
    name: 'PUSH, POP, CALL and RET across a border',
    source: `${STACK}push rax\npush ax\ncall over\nover: pop rdx\npushfq\npopfq\ncall last\njmp done\nlast: ret 8\ndone:`,
  },
  {
    name: 'ENTER with levels, and LEAVE',
    source: `mov rsp, ${R + 0x4014}\nmov rbp, ${R + 0x2018}\nenter 0x20, 5\nleave`,
  },
  { name: 'an exception on its own stack', source: `mov rsp, ${R + 0x4018}\nint3` },
  { name: 'an exception on a stack of the interrupt stack table', source: 'ud2' },
  { name: 'a division error on the stack in use', source: `mov rsp, ${R + 0x4018}\nxor ecx, ecx\ndiv ecx` },
  { name: 'an exception with an error code', source: `mov rsp, ${R + 0x4010}\nmov eax, 0x1234\nmov ds, ax` },
  { name: 'INT n', source: `mov rsp, ${R + 0x4018}\nint 0x20` },
  { name: 'INT n from ring 3', ring: 3, source: `mov rsp, ${R + 0x4018}\nint 0x20` },
  { name: 'an exception from ring 3', ring: 3, source: 'xor ecx, ecx\ndiv ecx' },
  { name: 'an exception from compatibility mode', ring: 3, bits: 32, source: 'xor ecx, ecx\ndiv ecx' },
  { name: 'a protection fault from ring 3', ring: 3, source: 'cli' },
  { name: 'a call gate from ring 3', ring: 3, source: `db 0xff, 0x1c, 0x25\ndd target\ntarget: dd 0\ndw ${GATE | 3}` },
  { name: 'a call gate from compatibility mode', ring: 3, bits: 32, source: `call ${GATE | 3}:0` },
  { name: 'a call gate to the same level', source: `${STACK}db 0xff, 0x1c, 0x25\ndd target\ntarget: dd 0\ndw ${GATE}` },
  { name: 'IRETQ to the same level', source: `${frame('over', selectors.code0, selectors.data0)}iretq\nover:` },
  { name: 'IRETQ to ring 3', source: `${frame('over', selectors.code3, selectors.data3)}iretq\nover: int 0x21` },
  {
    name: 'IRETQ to compatibility mode',
    source: `${frame('over', selectors.code32, selectors.data3)}iretq\nover: int 0x21`,
  },
  {
    name: 'a far return to ring 3',
    source: `mov rsp, ${R + 0x3010}\npush ${selectors.data3}\npush ${R + 0x5000}\npush ${selectors.code3}\nlea rax, [rel over]\npush rax\no64 retf\nover: int 0x21`,
  },
  {
    name: 'segment loads',
    source: `mov eax, ${selectors.data3}\nmov ds, ax\nmov es, ax\npush ${selectors.data3}\npop fs\nverr ax\nverw ax\nlar ecx, ax\nlsl edx, ax`,
  },
  { name: 'LLDT and LTR', source: `mov eax, ${LDT}\nlldt ax\nmov eax, ${TASK}\nltr ax` },
  {
    name: 'code across a border',
    source: `mov dword [${R + 0x1ffd}], 0x3456b890\nmov dword [${R + 0x2001}], 0xe0ff0012\nlea rcx, [rel over]\nmov word [${R + 0x2003}], 0xe1ff\nmov eax, ${R + 0x1ffd}\njmp rax\nover:`,
  },
];

const programs: readonly Program[] = [
  ...CROSSING.map((source) => ({ name: source.replaceAll('\n', '; '), source: SET + source })),
  ...REPEATED,
  OVERLAPPING,
  ...TRANSFERS,
];

describe('with each page missing in turn, the end is the same', () => {
  it.each(programs)('$name', (program) => {
    const whole = run(program, []);
    expect(whole.faults).toBe(0);
    const pages = whole.touched.filter((page) => !NEEDED.includes(page));
    for (const page of pages) {
      const found = run(program, [page]);
      expect({ page, faults: found.faults > 0, same: found.state === whole.state }).toEqual({
        page,
        faults: true,
        same: true,
      });
    }
    const none = run(program, pages);
    expect({ faults: none.faults >= pages.length, same: none.state === whole.state }).toEqual({
      faults: true,
      same: true,
    });
  });

  it('and the programs touch more than one page each, nearly all', () => {
    const few = programs.filter(
      (program) => run(program, []).touched.filter((page) => !NEEDED.includes(page)).length < 2,
    );
    expect(few.length).toBeLessThan(programs.length / 4);
  });
});
