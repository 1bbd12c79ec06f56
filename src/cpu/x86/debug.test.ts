import { afterAll, beforeEach, describe, expect, it, test } from 'vitest';
import { LongMachine } from './long-machine.ts';

const { start, selectors, kernelStack, userStack } = LongMachine;
/** Where the handler of #DB notes each exception: how many, then DR6, RIP and flags of each. */
const LOG = 0x5_0000;
const DATA = 0x2_0000;
const [RF, TF] = [0x1_0000, 0x100];
const [B0, B1, BD, BS] = [1, 2, 0x2000, 0x4000];

/** DR7 for breakpoint `number`: R/W field, length in bytes, globally enabled. */
const KINDS = { execute: 0, write: 1, port: 2, access: 3 } as const;
const LENGTHS: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 3, 8: 2 };
function arm(number: number, kind: keyof typeof KINDS, length = 1, enable = 2): number {
  const field = KINDS[kind] | ((LENGTHS[length] ?? 0) << 2);
  return (enable << (2 * number)) | (field << (16 + 4 * number));
}

/** One that returns with RF set, as handlers of instruction breakpoints do; it also clears DR6. */
const HANDLER = `
  push rax
  push rbx
  mov ebx, [${LOG}]
  inc dword [${LOG}]
  shl ebx, 5
  mov rax, dr6
  mov [rbx+${LOG + 8}], rax
  mov rax, [rsp+16]
  mov [rbx+${LOG + 16}], rax
  mov rax, [rsp+32]
  mov [rbx+${LOG + 24}], rax
  xor eax, eax
  mov dr6, rax
  or dword [rsp+32], ${RF}
  pop rbx
  pop rax
  iretq`;

interface Trap {
  readonly causes: number;
  readonly rip: number;
  readonly flags: number;
}

const machine = new LongMachine();
afterAll(() => machine[Symbol.dispose]());
beforeEach(() => {
  machine.enter(0);
  machine.set32(LOG, 0);
  // The handler is too long for its place in the table.
  machine.load(LongMachine.handlers + 16, [0xe9, ...int32(0x7000 - LongMachine.handlers - 21)]);
  machine.assemble(0x7000, HANDLER, 64);
});

function int32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
}

function traps(): Trap[] {
  return Array.from({ length: machine.u32(LOG) }, (_, index) => {
    const at = LOG + 8 + 32 * index;
    return { causes: machine.u32(at) & 0xe00f, rip: machine.u32(at + 8), flags: machine.u32(at + 16) };
  });
}

/** Runs 64-bit code of ring 0 (or 3) with debug registers set up; what the handler has noted, RIPs as labels. */
function run(
  source: string,
  options: {
    dr?: readonly (number | string)[];
    dr7?: number;
    cr4?: number;
    flags?: number;
    ring?: 0 | 3;
    count?: number;
  } = {},
): { causes: number; at: string }[] {
  machine.enter(options.ring ?? 0);
  const labels = machine.assemble(start, `${source}\nend: hlt\njmp end`, 64);
  machine.set({ cr4: 0x20 | (options.cr4 ?? 8), rflags: 2 | (options.flags ?? 0), dr7: 0x400 | (options.dr7 ?? 0) });
  for (const [number, place] of (options.dr ?? []).entries())
    machine.set({ [`dr${number}`]: typeof place === 'string' ? (labels.get(place) ?? 0) : place });
  machine.run(options.count ?? 1000);
  const names = new Map([...labels].map(([name, at]) => [at, name]));
  return traps().map(({ causes, rip }) => ({ causes, at: names.get(rip) ?? rip.toString(16) }));
}

describe('an instruction breakpoint', () => {
  it('is a fault before the instruction, once for each time it is reached', () => {
    const found = run('mov ecx, 3\nagain: inc eax\nhere: inc ebx\nloop again', {
      dr: ['here'],
      dr7: arm(0, 'execute'),
    });
    expect(found).toEqual(Array.from({ length: 3 }, () => ({ causes: B0, at: 'here' })));
    expect([machine.get('rbx'), traps()[0]?.flags ?? RF]).toEqual([
      3,
      expect.not.toSatisfy((f: number) => (f & RF) !== 0),
    ]);
  });

  test.each([0, 1, 2, 3])('number %i is enabled by its own L and G bits alone', (number) => {
    for (const enable of [0, 1, 2, 3]) {
      machine.set32(LOG, 0);
      const dr = [0, 0, 0, 0].map((_, index) => (index === number ? 'here' : DATA));
      const found = run('nop\nhere: nop', { dr, dr7: arm(number, 'execute', 1, enable) });
      expect(found).toEqual(enable === 0 ? [] : [{ causes: 1 << number, at: 'here' }]);
    }
  });

  it('is hit again at once by a handler that does not set RF', () => {
    machine.assemble(0x7000, HANDLER.replace(`or dword [rsp+32], ${RF}`, ''), 64);
    const found = run('nop\nhere: nop', { dr: ['here'], dr7: arm(0, 'execute'), count: 100 });
    expect(found.length).toBeGreaterThan(3);
    expect(new Set(found.map(({ at }) => at))).toEqual(new Set(['here']));
  });

  it('stands before a page fault of its own fetch', () => {
    const missing = 0x60_0000;
    machine.set64(LongMachine.directory + 8 * 3, 0n);
    run(`mov eax, ${missing}\njmp rax`, { dr: [missing], dr7: arm(0, 'execute') });
    machine.set64(LongMachine.directory + 8 * 3, 0x60_0087n);
    expect(traps()).toMatchObject([{ causes: B0, rip: missing }]);
    expect(machine.delivered()).toMatchObject({ vector: 14, rip: BigInt(missing) });
  });

  it('is hit in a loop that was running before it was armed', () => {
    const source = `mov ecx, 100\nagain: inc eax\nhere: inc ebx\ncmp ecx, 2\njne over\nmov rdx, ${arm(0, 'execute')}\nmov dr7, rdx\nover: loop again`;
    expect(run(source, { dr: ['here'] })).toEqual([{ causes: B0, at: 'here' }]);
    expect(machine.get('rbx')).toBe(100);
  });

  it('on an instruction that crosses into the next page is hit', () => {
    const at = 0x2_1ffd;
    machine.assemble(at, 'mov eax, 0x12345678\nhlt', 64);
    run(`mov ebx, ${at}\njmp rbx`, { dr: [at], dr7: arm(0, 'execute') });
    expect(traps()).toMatchObject([{ causes: B0, rip: at }]);
    expect(machine.get('rax')).toBe(0x1234_5678);
  });

  it('is not hit behind a load of SS, which STI and LSS are not', () => {
    const dr7 = arm(0, 'execute');
    expect(run('mov eax, ss\nmov ss, ax\nhere: nop', { dr: ['here'], dr7 })).toEqual([]);
    expect(run('sti\nhere: nop', { dr: ['here'], dr7 })).toEqual([{ causes: B0, at: 'here' }]);
    machine.set32(LOG, 0);
    machine.set32(DATA, kernelStack);
    machine.set32(DATA + 4, selectors.data0);
    expect(run(`lss esp, [${DATA}]\nhere: nop`, { dr: ['here'], dr7 })).toEqual([{ causes: B0, at: 'here' }]);
  });

  it('on a repeated string instruction is hit once, whatever comes in between', () => {
    const source = `mov edi, ${DATA}\nmov ecx, 5\nhere: rep stosb`;
    const dr7 = arm(0, 'execute') | arm(1, 'write', 1);
    expect(run(source, { dr: ['here', DATA + 2], dr7 })).toEqual([
      { causes: B0, at: 'here' },
      { causes: B1, at: 'here' },
    ]);
    expect((traps()[1]?.flags ?? 0) & RF).toBe(RF);
    expect(machine.get('rcx')).toBe(0);
  });

  it('is not looked at when its address is data', () => {
    expect(run(`mov [${DATA}], eax\nmov eax, [${DATA}]`, { dr: [DATA], dr7: arm(0, 'execute') })).toEqual([]);
  });
});

describe('a data breakpoint', () => {
  it('is a trap behind the instruction, in the middle of a block too', () => {
    const source = `mov [${DATA}], eax\nafter: inc ebx\ncmp dword [${DATA}], 5\nthen: je end\nmov ecx, [${DATA}]\nlast: nop`;
    expect(run(source, { dr: [DATA], dr7: arm(0, 'access', 4) })).toEqual(
      ['after', 'then', 'last'].map((at) => ({ causes: B0, at })),
    );
    machine.set32(LOG, 0);
    expect(run(source, { dr: [DATA], dr7: arm(0, 'write', 4) })).toEqual([{ causes: B0, at: 'after' }]);
    expect((traps()[0]?.flags ?? RF) & RF).toBe(0);
  });

  test('of every length is hit by exactly the accesses that touch it', () => {
    const wrong: string[] = [];
    const names = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' } as const;
    for (const length of [1, 2, 4, 8]) {
      for (const size of [1, 2, 4, 8] as const) {
        for (let offset = 0; offset < 24; offset++) {
          machine.set32(LOG, 0);
          // An address that is not aligned to the length is cut.
          const source = `add ${names[size]} [${DATA + offset}], 1`;
          const hit = run(source, { dr: [DATA + 8 + (length - 1)], dr7: arm(0, 'write', length) }).length > 0;
          const touches = offset < 8 + length && 8 < offset + size;
          if (length > 1 && hit !== touches) wrong.push(`${source} with length ${length}: ${hit}`);
          if (length === 1 && hit !== (offset <= 8 && offset + size > 8)) wrong.push(`${source}: ${hit}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['push rax', DATA + 0xff8, 'write'],
    ['pop rax', DATA + 0x1000, 'access'],
    ['call after', DATA + 0xff8, 'write'],
    ['movaps [rsi], xmm0', DATA + 8, 'write'],
    ['movups xmm0, [rsi]', DATA + 12, 'access'],
    ['fld qword [rsi]', DATA, 'access'],
    ['xchg [rsi], eax', DATA, 'access'],
    ['lock inc dword [rsi]', DATA, 'write'],
    ['cmpxchg [rsi], ecx', DATA, 'write'],
    ['fxsave [rsi]', DATA + 0x100, 'write'],
    ['lodsb', DATA, 'access'],
    ['movsb', DATA + 0x100, 'write'],
    ['enter 8, 0', DATA + 0xff8, 'write'],
  ] as const)('sees %s', (source, place, kind) => {
    const set = `mov rsp, ${DATA + 0x1000}\nmov esi, ${DATA}\nmov edi, ${DATA + 0x100}\n`;
    const found = run(`${set}${source}\nafter: mov rsp, ${kernelStack}`, {
      dr: [place],
      dr7: arm(0, kind, 1),
      cr4: 0x608,
    });
    expect(found).toEqual([{ causes: B0, at: 'after' }]);
  });

  it('stops a repeated string instruction behind the iteration that touches it', () => {
    const source = `mov edi, ${DATA}\nmov ecx, 8\nmov eax, 7\nhere: rep stosd\nafter: nop`;
    machine.assemble(0x7000, `mov [${LOG + 0x100}], ecx\n${HANDLER}`, 64);
    expect(run(source, { dr: [DATA + 8], dr7: arm(0, 'write', 4) })).toEqual([{ causes: B0, at: 'here' }]);
    expect(machine.u32(LOG + 0x100)).toBe(5);
    machine.set32(LOG, 0);
    expect(run(source, { dr: [DATA + 28], dr7: arm(0, 'write', 4) })).toEqual([{ causes: B0, at: 'after' }]);
  });

  it('is forgotten when the instruction faults after all', () => {
    const missing = 0x60_0000;
    machine.set64(LongMachine.directory + 8 * 3, 0n);
    const found = run(`mov esi, ${DATA}\nmov edi, ${missing}\nmovsb`, { dr: [DATA], dr7: arm(0, 'access') });
    machine.set64(LongMachine.directory + 8 * 3, 0x60_0087n);
    expect([found, machine.delivered()?.vector]).toEqual([[], 14]);
  });

  it('that MOV SS hits waits for the next instruction, and INT n in between is entered first', () => {
    machine.set32(DATA, selectors.data0);
    const dr7 = arm(0, 'access', 2);
    expect(run(`mov ss, [${DATA}]\nnop\nthen: nop`, { dr: [DATA], dr7 })).toEqual([{ causes: B0, at: 'then' }]);
    machine.set32(LOG, 0);
    machine.assemble(LongMachine.handlers + 16 * 3, 'hlt', 64);
    run(`mov ss, [${DATA}]\nint3`, { dr: [DATA], dr7 });
    expect(traps()).toMatchObject([{ causes: B0, rip: LongMachine.handlers + 16 * 3 }]);
    machine.setGate(3, {});
  });

  it('sees the frame of an exception, and traps before its handler begins', () => {
    const handler = LongMachine.handlers + 16 * 6;
    machine.load(handler, [0xf4]);
    run('ud2', { dr: [kernelStack - 8], dr7: arm(0, 'write', 8) });
    machine.setGate(6, {});
    expect(traps()[0]).toMatchObject({ causes: B0, rip: handler });
  });

  it('belongs to a linear address, not to the memory behind it', () => {
    machine.set64(LongMachine.pdpt + 8, BigInt(LongMachine.directory) | 7n);
    expect(run(`mov [${0x4000_0000 + DATA}], eax`, { dr: [DATA], dr7: arm(0, 'write', 4) })).toEqual([]);
  });
});

describe('a port breakpoint', () => {
  test.each([
    ['out 0x40, al', 0x40, 1, true],
    ['in al, 0x40', 0x40, 1, true],
    ['in eax, 0x40', 0x43, 1, true],
    ['in ax, 0x40', 0x42, 1, false],
    ['out 0x43, al', 0x41, 4, true],
    ['mov edx, 0x1234\nin al, dx', 0x1234, 1, true],
    ['mov [0x40], al', 0x40, 1, false],
  ])('%s with port %i and length %i: %s', (source, port, length, hit) => {
    const options = { dr: [port], dr7: arm(0, 'port', length) };
    expect(run(`${source}\nafter: nop`, options)).toEqual(hit ? [{ causes: B0, at: 'after' }] : []);
    machine.set32(LOG, 0);
    expect(run(source, { ...options, cr4: 0 })).toEqual([]);
  });

  it('stops REP OUTSB after each byte', () => {
    const source = `mov esi, ${DATA}\nmov ecx, 3\nmov edx, 0x40\nhere: rep outsb\nafter: nop`;
    expect(run(source, { dr: [0x40], dr7: arm(0, 'port') }).map(({ at }) => at)).toEqual(['here', 'here', 'after']);
  });
});

describe('a single step', () => {
  /** Steps that `source` takes with TF set, by the labels reached. */
  const steps = (source: string, options: Parameters<typeof run>[1] = {}): string[] =>
    run(`${source}\nand dword [rsp], ${~TF}\nstop: popfq`, { flags: TF, ...options }).map(({ causes, at }) =>
      causes === BS ? at : `${at} ${causes}`,
    );

  it('comes behind each instruction, once an iteration of a repeated one', () => {
    const source = `mov edi, ${DATA}\na: mov ecx, 3\nb: rep stosb\nc: pushfq\nd:`;
    expect(steps(source)).toEqual(['a', 'b', 'b', 'b', 'c', 'd', 'stop', 'end']);
  });

  it('does not come behind MOV SS', () => {
    expect(steps('mov eax, ss\na: mov ss, ax\nb: nop\nc: pushfq\nd:')).toEqual(['a', 'c', 'd', 'stop', 'end']);
  });

  it('comes with data breakpoints in one exception', () => {
    const found = steps(`mov [${DATA}], eax\na: pushfq\nd:`, { dr: [DATA], dr7: arm(0, 'write') });
    expect(found).toEqual([`a ${BS | B0}`, 'd', 'stop', 'end']);
  });

  it('comes behind the instruction after the POPF or IRET that sets TF', () => {
    expect(
      run(`pushfq\nor dword [rsp], ${TF}\npopfq\na: nop\nb: pushfq\nc: and dword [rsp], ${~TF}\nd: popfq`).map(
        ({ at }) => at,
      ),
    ).toEqual(['b', 'c', 'd', 'end']);
    machine.set32(LOG, 0);
    const frame = `mov rax, rsp\npush ${selectors.data0}\npush rax\npush ${TF | 2}\npush ${selectors.code0}\nlea rax, [rel a]\npush rax\niretq\n`;
    expect(run(`${frame}a: nop\nb: pushfq\nc: and dword [rsp], ${~TF}\nd: popfq`).map(({ at }) => at)).toEqual([
      'b',
      'c',
      'd',
      'end',
    ]);
  });

  it('does not come behind INT n, whose handler runs without TF, but behind INTO that does nothing', () => {
    machine.assemble(LongMachine.handlers + 16 * 3, 'nop\niretq', 64);
    expect(steps('int3\na: pushfq\nd:')).toEqual(['d', 'stop', 'end']);
    machine.setGate(3, {});
  });

  const setMsr = (msr: number, value: number): string => `mov ecx, ${msr}\nmov eax, ${value}\nxor edx, edx\nwrmsr\n`;

  it.each([
    ['cleared by FMASK, makes none', TF, []],
    ['left alone, traps at its entry', 0, [LongMachine.start + 0x1000]],
  ])('SYSCALL with TF %s', (_, mask, expected) => {
    const set =
      setMsr(0xc000_0082, start + 0x1000) +
      setMsr(0xc000_0084, mask) +
      `mov ecx, 0xc0000081\nmov edx, ${selectors.code0}\nxor eax, eax\nwrmsr\n`;
    machine.assemble(start + 0x1000, 'hlt', 64);
    run(`${set}pushfq\nor dword [rsp], ${TF}\npopfq\nsyscall`);
    expect(
      traps()
        .map(({ rip }) => rip)
        .filter((rip) => rip >= start + 0x1000)
        .slice(0, 1),
    ).toEqual(expected);
  });

  it('behind SYSRET comes at once: a system call is one step for who makes it', () => {
    const star = `mov ecx, 0xc0000081\nmov edx, ${((selectors.code32 & ~3) << 16) | selectors.code0}\nxor eax, eax\nwrmsr\n`;
    const labels = machine.assemble(0x9000, 'nop\nud2', 64);
    expect(labels.size).toBe(0);
    run(`${star}mov ecx, 0x9000\nmov r11d, ${TF | 2}\nmov rsp, ${userStack}\no64 sysret`, { count: 100 });
    expect(traps().map(({ rip }) => rip)).toEqual([0x9000, 0x9001]);
  });

  it('comes at the entry that SYSENTER goes to, which leaves TF alone', () => {
    const set = setMsr(0x174, selectors.code0) + setMsr(0x175, kernelStack) + setMsr(0x176, start + 0x1000);
    machine.assemble(start + 0x1000, 'hlt', 64);
    run(`${set}pushfq\nor dword [rsp], ${TF}\npopfq\nsysenter`);
    expect(traps().map(({ rip }) => rip)[0]).toBe(start + 0x1000);
  });

  it('behind an instruction that faults does not come', () => {
    expect(run('nop\nud2', { flags: TF }).length).toBe(1);
    expect(machine.delivered()).toMatchObject({ vector: 6 });
    expect((machine.delivered()?.flags ?? 0) & (TF | RF)).toBe(TF | RF);
  });

  it('ends HLT', () => {
    expect(
      run('hlt\na: nop', { flags: TF, count: 8 })
        .map(({ at }) => at)
        .slice(0, 1),
    ).toEqual(['a']);
  });
});

describe('a load of SS', () => {
  it.each([
    ['an interrupt', () => machine.engine.setInterruptLine(true), 0x20],
    ['an NMI', () => machine.engine.nonMaskableInterrupt(), 2],
  ])('holds off %s for one instruction, and for one only', (_, assert, vector) => {
    const labels = machine.assemble(start, 'mov ss, ax\nheld: nop\nthen: nop\nhlt', 64);
    machine.set({ rflags: 0x202, rax: selectors.data0 });
    machine.run(1);
    expect(machine.get('rip')).toBe(labels.get('held'));
    assert();
    machine.run(1);
    expect(machine.get('rip')).toBe(labels.get('then'));
    machine.run(1);
    machine.engine.setInterruptLine(false);
    expect(machine.delivered()).toMatchObject({ vector, rip: BigInt(labels.get('then') ?? 0) });
  });
});

describe('RF in the frame of an interrupt', () => {
  const flagsOf = (source: string, count: number): number => {
    const labels = machine.assemble(start, source, 64);
    machine.set({ rflags: 2 });
    machine.run(count);
    machine.engine.setInterruptLine(true);
    machine.set({ rflags: machine.get('rflags') | 0x200 });
    machine.run(5);
    machine.engine.setInterruptLine(false);
    const found = machine.delivered();
    expect(found).toMatchObject({ vector: 0x20, rip: BigInt(labels.get('here') ?? 0) });
    return (found?.flags ?? 0) & RF;
  };

  it('is set between two iterations of a repeated instruction, and not after the last', () => {
    expect(flagsOf(`mov edi, ${DATA}\nmov ecx, 0x4000\nhere: rep stosb\nhlt`, 100)).toBe(RF);
    machine.enter(0);
    expect(flagsOf(`mov edi, ${DATA}\nmov ecx, 4\nrep stosb\nhlt\nhere: hlt`, 10)).toBe(0);
  });

  it('is what IRET has loaded, as long as no instruction has begun', () => {
    const frame = `push ${selectors.data0}\npush ${kernelStack}\npush ${RF | 0x202}\npush ${selectors.code0}\npush here\n`;
    machine.set({ rflags: 2 });
    const labels = machine.assemble(start, `${frame}iretq\nhere: hlt`, 64);
    machine.engine.setInterruptLine(true);
    machine.run(8);
    machine.engine.setInterruptLine(false);
    expect(machine.delivered()).toMatchObject({ vector: 0x20, rip: BigInt(labels.get('here') ?? 0) });
    expect((machine.delivered()?.flags ?? 0) & RF).toBe(RF);
  });
});

describe('the debug registers', () => {
  it.each([
    ['dr6', 0xffff_ffff, 0xffff_efff],
    ['dr6', 0, 0xffff_0ff0],
    ['dr7', 0xffff_dfff, 0xffff_07ff],
    ['dr7', 0, 0x400],
  ])('%s takes %i as %i', (name, value, expected) => {
    machine.execute(`mov eax, ${value}\nmov ${name}, rax\nmov rbx, ${name}`);
    expect(machine.get('rbx')).toBe(expected);
  });

  it('are guarded by DR7.GD, reading too, and the handler may use them', () => {
    const found = run('at: mov rax, dr0', { dr7: 0x2000 });
    expect(found).toEqual([{ causes: BD, at: 'at' }]);
    expect((traps()[0]?.flags ?? 0) & RF).toBe(RF);
    expect(machine.get('dr7') & 0x2000).toBe(0);
  });

  it('guarded, are still #GP outside ring 0, and DR4 is #UD with CR4.DE', () => {
    run('mov rax, dr0', { dr7: 0x2000, ring: 3 });
    expect(machine.delivered()).toMatchObject({ vector: 13 });
    run('db 0x0f, 0x21, 0xe0', { dr7: 0x2000 });
    expect(machine.delivered()).toMatchObject({ vector: 6 });
  });

  it('keep the causes of earlier exceptions in DR6, and ICEBP adds none', () => {
    machine.set({ dr6: 0xffff_0ff1 });
    machine.load(LongMachine.handlers + 16, [0xf4]);
    machine.execute('db 0xf1');
    expect([machine.delivered()?.rip, machine.get('dr6')]).toEqual([undefined, 0xffff_0ff1]);
    expect(machine.get('rip')).toBe(LongMachine.handlers + 17);
    expect(machine.u64(machine.get('rsp'))).toBe(BigInt(start + 1));
  });

  it('take effect in compatibility mode and at ring 3', () => {
    machine.enter(3, 32);
    machine.set({ cr4: 0x28, dr0: DATA, dr7: 0x400 | arm(0, 'write', 4) });
    const labels = machine.assemble(start, `mov [${DATA}], eax\nafter: ud2`, 32);
    machine.run(100);
    expect(traps()).toMatchObject([{ causes: B0, rip: labels.get('after') }]);
  });
});
