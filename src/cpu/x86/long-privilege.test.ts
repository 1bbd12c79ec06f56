import { afterAll, beforeEach, describe, expect, it, test } from 'vitest';
import { LongMachine } from './long-machine.ts';
import { descriptor } from './protected-machine.ts';

/** Who may do what in long mode: enumerated, against small models of the manual's rules. */
const machine = new LongMachine();
afterAll(() => machine[Symbol.dispose]());
beforeEach(() => machine.enter(0));

const { selectors, start, gdt, tss, directory, userStack, kernelStack } = LongMachine;
// No ports are let through, and ring 1 has a stack.
machine.set16(tss + 0x66, 0x68);
machine.set64(tss + 12, BigInt(kernelStack - 0x800));
const PAGE = 0x40_0000;
const USER_CODE = 0x60_0000;
const DATA = 0x2_0000;
const HIGH = 0xffff_8000_0000_0000n;
const setMsr = (number: number, value: bigint): string =>
  `mov ecx, ${number}\nmov eax, ${value & 0xffff_ffffn}\nmov edx, ${value >> 32n}\nwrmsr\n`;

function outcome(): string {
  const found = machine.delivered();
  if (found === undefined) return 'ok';
  return found.error === undefined ? `${found.vector}` : `${found.vector}(${found.error})`;
}

/** Runs `source` at ring 0 or 3, in 64-bit code or compatibility mode. */
function attempt(
  source: string,
  ring: 0 | 3,
  bits: 32 | 64 = 64,
  registers: Readonly<Record<string, number>> = {},
): string {
  machine.enter(ring, bits);
  machine.set(registers);
  // At ring 3 the end is INT 21h, which is let through; at ring 0 HLT.
  machine.setGate(0x21, { dpl: 3 });
  machine.assemble(start, `${source}\n${ring === 0 ? 'hlt' : 'int 0x21'}`, bits);
  machine.run(10_000);
  const found = outcome();
  return found === '33' ? 'ok' : found;
}

describe('SMEP, SMAP and AC', () => {
  const ACCESSES = ['read', 'write', 'fetch', 'implicit'] as const;
  const CASES = ([0, 3] as const).flatMap((ring) =>
    [0, 1].flatMap((user) =>
      [0, 1].flatMap((smep) =>
        [0, 1].flatMap((smap) =>
          [0, 1].flatMap((ac) => ACCESSES.map((access) => ({ ring, user, smep, smap, ac, access }))),
        ),
      ),
    ),
  );
  type Attempt = (typeof CASES)[number];
  const SOURCES = {
    read: `mov al, [${PAGE}]`,
    write: `mov [${PAGE}], al`,
    fetch: `mov eax, ${PAGE}\njmp rax`,
    implicit: 'mov eax, 0xf\nmov fs, ax',
  } as const;
  const ERRORS = { read: 1, write: 3, fetch: 0x11, implicit: 1 } as const;

  /** SDM volume 3, section 4.6.1. */
  function expected({ ring, user, smep, smap, ac, access }: Attempt): string {
    const asUser = ring === 3 && access !== 'implicit';
    if (asUser && user === 0) return `14(${(ERRORS[access] | 4) & (smep === 1 ? 0x1f : 0xf)})`;
    if (asUser || user === 0) return 'ok';
    const prevented = access === 'fetch' ? smep === 1 : smap === 1 && (ac === 0 || access === 'implicit');
    return prevented ? `14(${ERRORS[access]})` : 'ok';
  }

  function actual({ ring, user, smep, smap, ac, access }: Attempt): string {
    machine.enter(ring);
    machine.set64(directory, 0x83n);
    machine.set64(directory + 16, BigInt(PAGE) | (user === 1 ? 0x87n : 0x83n));
    // An LDT in the page: its descriptor 1 is data of ring 3.
    machine.set64(PAGE, 0x9090_9090_9090_cdf4n);
    if (ring === 3) machine.load(PAGE, [0xcd, 0x21]);
    machine.set64(PAGE + 8, descriptor({ type: 0x13, dpl: 3 }));
    machine.set({ ldtr: 0x50, 'ldtr.base': PAGE, 'ldtr.limit': 0xf, 'ldtr.attributes': 0x82 });
    machine.setGate(0x21, { dpl: 3 });
    const at = ring === 0 ? start : USER_CODE;
    machine.assemble(at, `${SOURCES[access]}\n${ring === 0 ? 'hlt' : 'int 0x21'}`, 64);
    machine.set({
      rip: at,
      rflags: 2 | (ac << 18),
      cr4: 0x20 | (smep << 20) | (smap << 21),
      rsp: ring === 0 ? kernelStack : USER_CODE + 0x1000,
    });
    machine.run(100);
    machine.set64(directory, 0x87n);
    machine.set64(directory + 16, BigInt(PAGE) | 0x87n);
    const found = outcome();
    return found === '33' ? 'ok' : found;
  }

  it('decide as the manual says, whoever accesses what', () => {
    const wrong = CASES.flatMap((each) => {
      const [got, want] = [actual(each), expected(each)];
      return got === want ? [] : [`${JSON.stringify(each)}: ${got}, not ${want}`];
    });
    expect(wrong).toEqual([]);
  });
});

describe('UMIP', () => {
  const PREVENTED = [
    `sgdt [${DATA}]`,
    `sidt [${DATA}]`,
    `sldt [${DATA}]`,
    'sldt ax',
    `str [${DATA}]`,
    'str ax',
    `smsw [${DATA}]`,
    'smsw ax',
  ];
  const FREE = ['mov ax, ss', 'pushf\npop ax'];

  it('keeps five instructions from ring 3, in 64-bit code and compatibility mode', () => {
    const wrong: string[] = [];
    for (const source of [...PREVENTED, ...FREE]) {
      for (const umip of [0, 0x800]) {
        for (const ring of [0, 3] as const) {
          for (const bits of ring === 0 ? ([64] as const) : ([32, 64] as const)) {
            const text = bits === 64 || source !== 'pushf\npop ax' ? source : 'pushfd\npop eax';
            const want = umip !== 0 && ring === 3 && PREVENTED.includes(source) ? '13(0)' : 'ok';
            const got = attempt(text, ring, bits, { cr4: 0x20 | umip });
            if (got !== want) wrong.push(`${source} at ring ${ring}, ${bits} bits, ${umip}: ${got}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('what only ring 0 may do', () => {
  test.each([
    'mov rax, cr0',
    'mov cr3, rax',
    'mov rax, cr8',
    'mov cr8, rax',
    'mov rax, dr7',
    'mov dr0, rax',
    'clts',
    'lmsw ax',
    'hlt',
    'invlpg [rax]',
    'wbinvd',
    'invd',
    'mov ecx, 0x10\nrdmsr',
    'mov ecx, 0x10\nwrmsr',
    `lgdt [${DATA}]`,
    `lidt [${DATA}]`,
    'lldt ax',
    'ltr ax',
    'swapgs',
    'o64 sysexit',
    'mov ecx, 0\nrdpmc',
    'cli',
    'sti',
    'in al, 0x10',
    'out 0x10, al',
    'insb',
  ])('%s raises #GP(0) at ring 3', (source) => {
    expect(attempt(source, 3)).toBe('13(0)');
  });

  test.each([
    ['clac', 6],
    ['stac', 6],
    ['ud2', 6],
    ['rsm', 6],
  ])('%s at ring 3 raises %i', (source, vector) => {
    expect(attempt(source, 3)).toBe(`${vector}`);
  });
});

describe('an address that is not canonical', () => {
  const BAD = 'mov rbx, 0x800000000000\n';
  const EDGE = 'mov rbx, 0x7fffffffffff\n';
  test.each([
    ['mov al, [rbx]', 13],
    ['mov [rbx], al', 13],
    ['add [rbx], al', 13],
    ['mov rbp, rbx\nmov al, [rbp]', 12],
    ['lea rsp, [rbx+64]\npush rax', 12],
    ['mov rsp, rbx\npop rax', 12],
    ['lea rsp, [rbx+64]\ncall next\nnext:', 12],
    ['mov rsp, rbx\nret', 12],
    ['mov rbp, rbx\nleave', 12],
    ['lea rsp, [rbx+64]\nenter 8, 0', 12],
    ['lea rsp, [rbx+64]\npushfq', 12],
    ['mov rsp, rbx\npopfq', 12],
    ['mov rsp, rbx\niretq', 12],
    ['mov rsi, rbx\nlodsb', 13],
    ['mov rdi, rbx\nstosb', 13],
    ['mov rsi, rbx\nmov ecx, 2\nrep movsb', 13],
    ['xlatb', 13],
    ['movups xmm0, [rbx]', 13],
    ['movq mm0, [rbx]', 13],
    ['fld dword [rbx]', 13],
    ['fxsave [rbx]', 13],
    ['lock cmpxchg8b [rbx]', 13],
    ['sgdt [rbx]', 13],
    ['lgdt [rbx]', 13],
    ['clflush [rbx]', 13],
    ['ldmxcsr [rbx]', 13],
    ['jmp [rbx]', 13],
    ['call [rbx]', 13],
    ['jmp rbx', 13],
    ['call rbx', 13],
    ['invlpg [rbx]', undefined],
    ['prefetchw dword [rbx]', undefined],
    ['nop dword [rbx]', undefined],
    ['lea rax, [rbx]', undefined],
    ['rdgsbase rax\nwrgsbase rbx', 13],
    ['wrfsbase rbx', 13],
    [`mov rax, rbx\nmov rdx, rbx\nshr rdx, 32\nmov ecx, 0xc0000100\nwrmsr`, 13],
    [`mov rax, rbx\nmov rdx, rbx\nshr rdx, 32\nmov ecx, 0x176\nwrmsr`, 13],
    [`mov [${DATA + 2}], rbx\nlgdt [${DATA}]`, 13],
    [`mov [${DATA + 2}], rbx\nlidt [${DATA}]`, 13],
  ] as const)('%s raises %s', (source, vector) => {
    machine.set({ cr4: 0x1_0620 });
    machine.setGate(12, { stack: 1 });
    const found = machine.execute(BAD + source);
    machine.setGate(12, {});
    expect(found?.vector).toBe(vector);
    if (vector === 12 || vector === 13) expect(found?.error).toBe(0);
  });

  test.each([
    'mov ax, [rbx]',
    'mov eax, [rbx-2]',
    'mov [rbx-6], rax',
    'movups xmm0, [rbx-14]',
    'fld tword [rbx-8]',
    'fxsave [rbx-0x1ef]',
  ])('%s that ends beyond the last one raises #GP(0)', (source) => {
    machine.set({ cr4: 0x620 });
    // The last page below the gap is there.
    machine.set64(LongMachine.pml4 + 8 * 255, BigInt(LongMachine.pdpt) | 7n);
    machine.set64(LongMachine.pdpt + 8 * 511, BigInt(directory) | 7n);
    machine.set64(directory + 8 * 511, 0x20_0087n);
    const found = machine.execute(EDGE + source);
    machine.set64(LongMachine.pml4 + 8 * 255, 0n);
    machine.set64(directory + 8 * 511, 0n);
    expect(found).toMatchObject({ vector: 13, error: 0 });
  });
});

describe('SYSENTER and SYSEXIT', () => {
  const setUp = (eip: bigint, esp: bigint, cs = BigInt(selectors.code0)): string =>
    setMsr(0x174, cs) + setMsr(0x175, esp) + setMsr(0x176, eip);

  it.each([64, 32] as const)('enter 64-bit code of ring 0 from %i-bit code, with 64-bit addresses', (bits) => {
    machine.set64(LongMachine.pml4 + 8 * 256, BigInt(LongMachine.pdpt) | 3n);
    machine.execute(setUp(HIGH + 0x9000n, HIGH + BigInt(kernelStack)));
    const msrs = [0x318, 0x320, 0x328].map((at) => machine.engine.state.getBigUint64(at, true));
    expect(msrs).toEqual([BigInt(selectors.code0), HIGH + BigInt(kernelStack), HIGH + 0x9000n]);
    const words = msrs.map((value) => value);
    machine.enter(3, bits);
    for (const [index, value] of words.entries()) machine.engine.state.setBigUint64(0x318 + 8 * index, value, true);
    machine.set({ rflags: 0x202 });
    machine.assemble(0x9000, 'hlt', 64);
    machine.assemble(start, 'sysenter', bits);
    machine.run(10);
    expect([machine.get64('rip'), machine.get64('rsp')]).toEqual([HIGH + 0x9001n, HIGH + BigInt(kernelStack)]);
    expect([machine.get('cs'), machine.get('ss'), machine.get('cpl'), machine.get('rflags') & 0x200]).toEqual([
      selectors.code0,
      selectors.code0 + 8,
      0,
      0,
    ]);
  });

  it('raise #GP(0) while SYSENTER_CS is null', () => {
    expect(attempt('sysenter', 3)).toBe('13(0)');
    expect(attempt('sysexit', 0)).toBe('13(0)');
  });

  it.each([
    ['o64 sysexit', 64, 32, '0x123456789'],
    ['sysexit', 32, 16, '0x23456789'],
  ] as const)('%s leaves to %i-bit code of ring 3', (source, bits, distance, pointer) => {
    machine.assemble(USER_CODE, 'ud2', bits);
    const found = machine.execute(
      `${setMsr(0x174, 0x40n)}mov rdx, ${source === 'sysexit' ? BigInt(USER_CODE) + (1n << 32n) : USER_CODE}\nmov rcx, 0x123456789\n${source}`,
    );
    expect(found).toMatchObject({
      vector: 6,
      cs: (0x40 + distance) | 3,
      ss: (0x48 + distance) | 3,
      rip: BigInt(USER_CODE),
      rsp: BigInt(pointer),
    });
  });

  it.each(['rcx', 'rdx'])('raise #GP(0) for a %s that is not canonical', (register) => {
    expect(
      machine.execute(
        `${setMsr(0x174, 0x40n)}xor ecx, ecx\nxor edx, edx\nmov ${register}, 0x800000000000\no64 sysexit`,
      ),
    ).toMatchObject({ vector: 13, error: 0 });
  });
});

describe('SYSCALL and SYSRET', () => {
  const star = (BigInt(selectors.code32 & ~3) << 48n) | (BigInt(selectors.code0) << 32n);
  const setUp = setMsr(0xc000_0081, star) + setMsr(0xc000_0082, 0xa000n);

  it('do not exist in compatibility mode, nor SYSRET outside ring 0', () => {
    expect(attempt('db 0x0f, 0x05', 3, 32)).toBe('6');
    expect(attempt('db 0x0f, 0x07', 3, 32)).toBe('6');
    expect(attempt('o64 sysret', 3)).toBe('13(0)');
  });

  it('clear exactly the flags of FMASK, whichever', () => {
    machine.assemble(0xa000, 'hlt', 64);
    const wrong: string[] = [];
    for (let bit = 0; bit < 22; bit++) {
      machine.enter(0);
      const flags = 0x4_0ed5 | 0x20_0000;
      machine.set({ rflags: flags });
      machine.execute(`${setUp}${setMsr(0xc000_0084, 1n << BigInt(bit))}push ${flags | 2}\npopfq\nsyscall`);
      const want = (flags & ~(1 << bit)) | 2;
      if (machine.get('rflags') !== want || machine.get('r11') !== (flags | 2))
        wrong.push(`${bit}: ${machine.get('rflags').toString(16)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('take from R11 every flag that there is but RF and VM', () => {
    machine.assemble(USER_CODE, 'pushfq\npop rbx\nud2', 64);
    const found = machine.execute(
      `${setUp}mov ecx, ${USER_CODE}\nmov r11, -1\nbtr r11, 8\nmov rsp, ${userStack}\no64 sysret`,
    );
    expect(found).toMatchObject({ vector: 6, cs: selectors.code3, ss: selectors.data3 });
    expect(machine.get('rbx').toString(16)).toBe((0x24_7ed7).toString(16));
  });

  it('keep RCX and the stack, and raise #GP(0) in ring 0 for a return address that is not canonical', () => {
    machine.assemble(0xa000, 'hlt', 64);
    machine.execute(`${setUp}mov rsp, 0x12340\nsyscall`);
    expect([machine.get('rsp'), machine.get('cs'), machine.get('ss')]).toEqual([
      0x1_2340,
      selectors.code0,
      selectors.data0,
    ]);
    machine.enter(0);
    const found = machine.execute(`${setUp}mov rsp, 0x11ff0\nmov rcx, 0x800000000000\no64 sysret`);
    expect(found).toMatchObject({ vector: 13, error: 0, cs: selectors.code0, rsp: 0x1_1ff0n });
  });
});

describe('CR8', () => {
  it('holds the four bits of a priority, and refuses more', () => {
    for (let priority = 0; priority < 16; priority++) {
      machine.enter(0);
      machine.execute(`mov eax, ${priority}\nmov cr8, rax\nmov rbx, cr8`);
      expect(machine.get('rbx')).toBe(priority);
    }
    machine.enter(0);
    expect(machine.execute('mov eax, 16\nmov cr8, rax')).toMatchObject({ vector: 13, error: 0 });
    machine.enter(0);
    expect(machine.execute('mov rax, 0x100000000\nmov cr8, rax')).toMatchObject({ vector: 13, error: 0 });
  });
});

describe('64-bit call gates', () => {
  const GATE = 0x40;
  const TARGET = 0x50;
  const ARRIVED = 0x9000;
  const GATES = [4, 5, 9, 12, 14, 15];
  type Attempt = {
    ring: 0 | 3;
    type: number;
    dpl: number;
    present: boolean;
    upper: number;
    code: number;
    codeDpl: number;
    long: boolean;
    big: boolean;
    codePresent: boolean;
    far: boolean;
  };

  function* attempts(): Generator<Attempt> {
    const plain = {
      type: 12,
      dpl: 3,
      present: true,
      upper: 0,
      code: 0x1b,
      codeDpl: 0,
      long: true,
      big: false,
      codePresent: true,
      far: false,
    };
    for (const ring of [0, 3] as const) {
      for (const type of GATES) yield { ring, ...plain, type };
      for (const dpl of [0, 1, 2, 3]) yield { ring, ...plain, dpl };
      for (const upper of [0, 0x100, 0x1f00, 0x2000]) yield { ring, ...plain, upper };
      for (const present of [false, true]) yield { ring, ...plain, present };
      for (const code of [0x13, 0x1b, 0x1f])
        for (const codeDpl of [0, 1, 3])
          for (const codePresent of [false, true])
            for (const long of [false, true])
              for (const big of [false, true]) yield { ring, ...plain, code, codeDpl, codePresent, long, big };
      yield { ring, ...plain, far: true };
    }
  }

  /** CALL, "64-bit call gate" (SDM volume 2), and volume 3, section 5.8.3.1. */
  function expected(each: Attempt): string {
    const { ring, type, dpl, present, upper, code, codeDpl, long, big, codePresent, far } = each;
    if (type !== 12 || dpl < ring || (upper & 0x1f00) !== 0) return `13(${GATE})`;
    if (!present) return `11(${GATE})`;
    if ((code & 8) === 0 || codeDpl > ring) return `13(${TARGET})`;
    if (!long || big) return codePresent ? `13(${TARGET})` : `either(${TARGET})`;
    if (!codePresent) return `11(${TARGET})`;
    if (far) return '13(0)';
    const conforming = (code & 4) !== 0;
    return `arrived ${conforming ? ring : codeDpl}`;
  }

  function actual(each: Attempt): string {
    machine.enter(each.ring);
    const access = BigInt(each.type | (each.dpl << 5) | (each.present ? 0x80 : 0)) << 40n;
    machine.set64(gdt + GATE, access | (BigInt(TARGET) << 16n) | BigInt(ARRIVED));
    machine.set64(gdt + GATE + 8, (BigInt(each.upper) << 32n) | (each.far ? 0x8000n : 0n));
    const flags = (each.long ? 1n << 53n : 0n) | (each.big ? 1n << 54n : 0n);
    machine.set64(
      gdt + TARGET,
      descriptor({ type: each.code, dpl: each.codeDpl, present: each.codePresent, big: false }) | flags,
    );
    machine.assemble(ARRIVED, 'pop rax\npop rcx\nspin: jmp spin', 64);
    machine.assemble(start, `db 0xff, 0x1c, 0x25\ndd pointer\nhlt\npointer: dd 0\ndw ${GATE | each.ring}`, 64);
    machine.run(50);
    if (machine.get('rip') !== ARRIVED + 2) return outcome();
    expect([machine.get('rax'), machine.get('rcx')]).toEqual([
      start + 7,
      each.ring === 0 ? selectors.code0 : selectors.code3,
    ]);
    return `arrived ${machine.get('cpl')}`;
  }

  it('agree with the manual for every type, level, width and presence', () => {
    const wrong: string[] = [];
    for (const each of attempts()) {
      const [got, want] = [actual(each), expected(each)];
      const agrees = want.startsWith('either') ? got === `13(${TARGET})` || got === `11(${TARGET})` : got === want;
      if (!agrees) wrong.push(`${JSON.stringify(each)}: ${got}, not ${want}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('far transfers', () => {
  const far = (instruction: 'jmp' | 'call', selector: number, offset: number): string =>
    `db 0xff, ${instruction === 'jmp' ? 0x2c : 0x1c}, 0x25\ndd pointer\nhlt\npointer: dd ${offset}\ndw ${selector}`;

  it.each(['jmp', 'call'] as const)('%s goes from 64-bit code to compatibility mode and back', (instruction) => {
    machine.set64(gdt + 0x48, descriptor({ type: 0x1b }));
    machine.assemble(0x9000, 'mov eax, -1\ninc eax\njmp 8:0xa000', 32);
    machine.assemble(0xa000, 'mov rbx, 0x123456789\nhlt', 64);
    machine.assemble(start, far(instruction, 0x48, 0x9000), 64);
    machine.run(20);
    expect([machine.get('rip'), machine.get64('rbx')]).toEqual([0xa00e - 3, 0x1_2345_6789n]);
  });

  it.each([
    ['a TSS', selectors.tss, `13(${selectors.tss})`],
    ['a data segment', selectors.data0, `13(${selectors.data0})`],
    ['a null selector', 0, '13(0)'],
    ['code of ring 3', selectors.code3, `13(${selectors.code3 & ~3})`],
    ['a selector beyond the table', 0xfff8, '13(65528)'],
  ])('to %s are refused', (_, selector, expected) => {
    for (const instruction of ['jmp', 'call'] as const) {
      machine.enter(0);
      machine.assemble(start, far(instruction, selector, 0x9000), 64);
      machine.run(5);
      expect(outcome()).toBe(expected);
    }
  });

  it('IRET with NT set raises #GP(0) in long mode', () => {
    machine.set({ rflags: 0x4002 });
    expect(machine.execute('iretq')).toMatchObject({ vector: 13, error: 0 });
  });
});

describe('64-bit interrupt gates', () => {
  it.each([
    ['type 5, a task gate', { type: 5 }, '13(66)'],
    ['type 6, of 16 bits', { type: 6 }, '13(66)'],
    ['type 12, a call gate', { type: 12 }, '13(66)'],
    ['a null selector', { selector: 0 }, '13(0)'],
    ['a data segment', { selector: selectors.data0 }, `13(${selectors.data0})`],
    ['code of compatibility mode', { selector: 0x48 }, '13(72)'],
  ])('of %s are refused', (_, fields, expected) => {
    machine.set64(gdt + 0x48, descriptor({ type: 0x1b }));
    machine.setGate(8, fields);
    machine.assemble(start, 'int 8', 64);
    machine.run(3);
    machine.setGate(8, {});
    expect(outcome()).toBe(expected);
  });

  it('beyond the limit of the IDT are refused with the vector', () => {
    machine.set({ 'idtr.limit': 0x2ff });
    machine.assemble(start, 'int 0x30', 64);
    machine.run(3);
    expect(outcome()).toBe(`13(${(0x30 << 3) | 2})`);
  });
});

describe('returns to outer and equal levels', () => {
  const TARGET = 0x48;
  const STACK = 0x50;
  const ARRIVED = 0x9000;
  const NEW_STACK = kernelStack - 0x400;
  const WIDTHS = [
    { long: true, big: false },
    { long: false, big: true },
    { long: false, big: false },
    { long: true, big: true },
  ];
  interface Attempt {
    readonly source: 'iretq' | 'o64 retf';
    readonly rpl: 0 | 3;
    readonly code: number;
    readonly dpl: number;
    readonly present: boolean;
    readonly long: boolean;
    readonly big: boolean;
    /** Selector of SS; its descriptor is data of ring `stackDpl`. */
    readonly stack: number;
    readonly stackDpl: number;
    readonly stackPresent: boolean;
    readonly rip: bigint;
  }

  function* attempts(): Generator<Attempt> {
    for (const source of ['iretq', 'o64 retf'] as const) {
      for (const rpl of [0, 3] as const) {
        const plain = {
          source,
          rpl,
          code: 0x1b,
          dpl: rpl,
          present: true,
          stack: STACK | rpl,
          stackDpl: rpl,
          stackPresent: true,
          rip: BigInt(ARRIVED),
        };
        for (const width of WIDTHS) {
          for (const code of [0x1b, 0x1f, 0x13]) {
            for (const dpl of [0, 1, 3])
              for (const present of [false, true]) yield { ...plain, ...width, code, dpl, present };
          }
          for (const stack of [0, 3, STACK, STACK | 3]) {
            for (const stackDpl of [0, 3])
              for (const stackPresent of [false, true]) yield { ...plain, ...width, stack, stackDpl, stackPresent };
          }
          for (const rip of [1n << 47n, 1n << 32n]) yield { ...plain, ...width, rip };
        }
      }
    }
  }

  /** RET and IRET (SDM volume 2), from 64-bit code of ring 0. */
  function expected(each: Attempt): string {
    const { source, rpl, code, dpl, present, long, big, stack, stackDpl, stackPresent, rip } = each;
    const conforming = (code & 4) !== 0;
    if ((code & 8) === 0 || (long && big) || (conforming ? dpl > rpl : dpl !== rpl)) return `13(${TARGET})`;
    if (!present) return `11(${TARGET})`;
    if (source === 'iretq' || rpl === 3) {
      const isNull = (stack & ~3) === 0;
      if (isNull && !(long && rpl === 0 && stack === 0)) return '13(0)';
      if (!isNull && ((stack & 3) !== rpl || stackDpl !== rpl)) return `13(${STACK})`;
      if (!isNull && !stackPresent) return `12(${STACK})`;
    }
    const outside = long ? rip >= 1n << 47n : rip >= 1n << 32n;
    return outside ? '13(0)' : `arrived ${rpl}`;
  }

  function actual(each: Attempt): string {
    machine.enter(0);
    const flags = (each.long ? 1n << 53n : 0n) | (each.big ? 1n << 54n : 0n);
    const code = descriptor({ type: each.code, dpl: each.dpl, present: each.present, big: false });
    machine.set64(gdt + TARGET, code | flags);
    machine.set64(gdt + STACK, descriptor({ type: 0x13, dpl: each.stackDpl, present: each.stackPresent }));
    const frame = [each.rip, BigInt(TARGET | each.rpl)];
    if (each.source === 'iretq') frame.push(2n);
    frame.push(BigInt(NEW_STACK), BigInt(each.stack));
    for (const [index, value] of frame.entries()) machine.set64(kernelStack - 0x100 + 8 * index, value);
    machine.set({ rsp: kernelStack - 0x100 });
    // The address above 4 GiB leads to the same code.
    machine.set64(LongMachine.pdpt + 8 * 4, BigInt(directory) | 7n);
    machine.load(ARRIVED, [0xeb, 0xfe]);
    machine.load(0, [0xeb, 0xfe]);
    machine.assemble(start, each.source, 64);
    machine.run(5);
    machine.set64(LongMachine.pdpt + 8 * 4, 0n);
    const arrived = machine.get64('rip') === each.rip;
    return arrived ? `arrived ${machine.get('cpl')}` : outcome();
  }

  it('agree with the manual for every code segment, stack and address', () => {
    const wrong: string[] = [];
    for (const each of attempts()) {
      const [got, want] = [actual(each), expected(each)];
      if (got !== want) wrong.push(`${JSON.stringify({ ...each, rip: each.rip.toString(16) })}: ${got}, not ${want}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('SWAPGS and the bases', () => {
  it('SWAPGS does not exist outside 64-bit code', () => {
    expect(attempt('db 0x0f, 0x01, 0xf8', 3, 32)).toBe('6');
  });

  it('a load of FS or GS takes 32 bits of base from the descriptor, a null one clears it', () => {
    machine.set64(gdt + 0x48, descriptor({ type: 0x13, base: 0x8765_4321 }));
    machine.set({ cr4: 0x1_0020 });
    machine.execute(
      `mov rax, ${HIGH}\nwrfsbase rax\nmov eax, 0x48\nmov fs, ax\nrdfsbase rbx\nxor eax, eax\nmov fs, ax\nrdfsbase rcx`,
    );
    expect([machine.get64('rbx'), machine.get64('rcx')]).toEqual([0x8765_4321n, 0n]);
  });
});
