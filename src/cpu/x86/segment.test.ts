import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor, ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const FREE = ProtectedMachine.firstFree << 3;
const CODE = 0x9000;

/** Runs `source` at 9000h until it loops or an exception is delivered. */
function execute(source: string, count = 20): void {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  machine.run(count);
}

const outcome = (): string => {
  const event = machine.delivered();
  return event === undefined ? 'ok' : `${event.vector}(${event.error})`;
};

/** SDM volume 2, MOV: what a load of a data segment register raises. */
function dataLoad(type: number, present: boolean, dpl: number, rpl: number, cpl: number, selector: number): string {
  const isSegment = (type & 0x10) !== 0;
  const isCode = (type & 8) !== 0;
  const usable = isSegment && (!isCode || (type & 2) !== 0);
  const conforming = isCode && (type & 4) !== 0;
  if (!usable || (!conforming && (rpl > dpl || cpl > dpl))) return `13(${selector & 0xfffc})`;
  return present ? 'ok' : `11(${selector & 0xfffc})`;
}

/** The same for SS. */
function stackLoad(type: number, present: boolean, dpl: number, rpl: number, cpl: number, selector: number): string {
  const writableData = (type & 0x1a) === 0x12;
  if (rpl !== cpl || !writableData || dpl !== cpl) return `13(${selector & 0xfffc})`;
  return present ? 'ok' : `12(${selector & 0xfffc})`;
}

describe('a load of a segment register', () => {
  it.each([
    ['ds', dataLoad],
    ['es', dataLoad],
    ['fs', dataLoad],
    ['gs', dataLoad],
    ['ss', stackLoad],
  ])('of %s agrees with the manual for every type, presence, DPL, RPL and CPL', (register, model) => {
    const wrong: string[] = [];
    machine.assemble(CODE, `mov ${register}, ax\n jmp $`);
    for (let bits = 0; bits < 64; bits++) {
      for (let levels = 0; levels < 64; levels++) {
        const [type, present] = [bits & 31, bits >= 32];
        const [dpl, rpl, cpl] = [levels & 3, (levels >> 2) & 3, levels >> 4];
        const selector = FREE | rpl;
        machine.enter(cpl);
        machine.setDescriptor(
          FREE,
          descriptor({ base: 0x1234_0000, limit: 0x777, type, dpl, present, granular: false }),
        );
        machine.set({ rax: selector, rip: CODE });
        machine.run(2);
        const expected = model(type, present, dpl, rpl, cpl, selector);
        const where = `type=${type} p=${present} dpl=${dpl} rpl=${rpl} cpl=${cpl}`;
        if (outcome() !== expected) wrong.push(`${where}: expected ${expected}, got ${outcome()}`);
        const accessed = (machine.descriptor(FREE) & (1n << 40n)) !== 0n;
        if (accessed !== (expected === 'ok' || (type & 1) !== 0)) wrong.push(`${where}: accessed is ${accessed}`);
        if (expected !== 'ok') continue;
        const loaded = [register, `${register}.base`, `${register}.limit`].map((name) => machine.get(name));
        expect(loaded).toEqual([selector, 0x1234_0000, 0x777]);
      }
    }
    expect(wrong).toEqual([]);
  });

  beforeEach(() => machine.enter(0));

  it('of a null selector is fine for data and makes the segment unusable', () => {
    execute('mov ax, 3\n mov ds, ax\n mov [0x500], al');
    expect(machine.get('ds')).toBe(3);
    expect(outcome()).toBe('13(0)');
  });

  it('of a null selector into SS raises #GP(0)', () => {
    execute('xor eax, eax\n mov ss, ax');
    expect(outcome()).toBe('13(0)');
  });

  it.each([
    ['GDT', 0x7f8, 'ok'],
    ['GDT', 0x800, '13(2048)'],
    ['LDT', 0xffc, 'ok'],
    ['LDT', 0x1004, '13(4100)'],
  ])('beyond the limit of the %s, selector %i, gives %s', (_, selector, expected) => {
    if (expected === 'ok') machine.setDescriptor(selector, descriptor({ type: 0x13 }));
    execute(`mov eax, ${selector}\n mov es, ax`);
    expect(outcome()).toBe(expected);
  });

  it('through the LDT needs an LDT', () => {
    execute('xor eax, eax\n lldt ax\n mov al, 0x0c\n mov es, ax');
    expect(outcome()).toBe('13(12)');
  });

  it('does not change the register when it faults', () => {
    execute('mov ax, 0x7ff8\n mov ds, ax');
    expect(machine.get('ds')).toBe(machine.data(0));
  });

  it('by LDS leaves the other register alone when it faults', () => {
    machine.set32(0x600, 0x1234_5678);
    machine.set16(0x604, 0x7ff8);
    execute('mov ebx, 1\n lds ebx, [0x600]');
    expect([outcome(), machine.get('rbx')]).toEqual(['13(32760)', 1]);
  });
});

interface Bounds {
  readonly type: number;
  readonly limit: number;
  readonly granular: boolean;
  readonly big: boolean;
}

/** Whether `size` bytes at `offset` lie within (SDM volume 3, section 5.3). */
function within({ type, limit, granular, big }: Bounds, offset: number, size: number): boolean {
  const bytes = granular ? limit * 0x1000 + 0xfff : limit;
  const last = offset + size - 1;
  if ((type & 0xc) !== 4) return last <= bytes || bytes === 0xffff_ffff;
  return offset > bytes && last <= (big ? 0xffff_ffff : 0xffff);
}

describe('the limit of a segment', () => {
  const offsets = [
    0, 1, 0xffe, 0xfff, 0x1000, 0x1001, 0x1ffd, 0x1ffe, 0x1fff, 0x2000, 0xfffd, 0xfffe, 0xffff, 0x1_0000, 0xffff_fffd,
    0xffff_fffe, 0xffff_ffff,
  ];
  const bounds: Bounds[] = [];
  for (const type of [0x12, 0x16, 0x10, 0x14, 0x1a]) {
    for (const limit of [0, 1, 0xfff, 0x1000, 0x1fff, 0xffff, 0xf_ffff]) {
      for (const granular of [false, true])
        for (const big of [false, true]) bounds.push({ type, limit, granular, big });
    }
  }

  it.each([1, 2, 4])('holds for %i bytes at every edge, expand-up and -down, with and without granularity', (size) => {
    const wrong: string[] = [];
    const register = { 1: 'cl', 2: 'cx', 4: 'ecx' }[size];
    machine.assemble(CODE, `mov ds, ax\n mov ${register}, [ebx]\n jmp $`);
    machine.answer = () => 0;
    for (const segment of bounds) {
      for (const offset of offsets) {
        machine.enter(0);
        machine.setDescriptor(FREE, descriptor(segment));
        machine.set({ rax: FREE, rbx: offset, rip: CODE });
        machine.run(3);
        const expected = within(segment, offset, size) ? 'ok' : '13(0)';
        if (outcome() !== expected)
          wrong.push(`${JSON.stringify(segment)} at ${offset}: expected ${expected}, got ${outcome()}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('of the stack raises #SS(0)', () => {
    machine.enter(0);
    machine.setDescriptor(FREE, descriptor({ type: 0x13, limit: 0xfff, granular: false }));
    machine.setDescriptor(machine.code(0), descriptor({ type: 0x1b }));
    // The handler needs a stack that works: a task gate would do; here an inner level has one.
    machine.enter(3);
    machine.setDescriptor(FREE, descriptor({ type: 0x13, dpl: 3, limit: 0xfff, granular: false }));
    execute(`mov eax, ${FREE | 3}\n mov ss, ax\n mov al, [ebp+0]\n mov ebp, 0x1000\n mov al, [ebp]`);
    expect(outcome()).toBe('12(0)');
  });
});

describe('the type of a segment', () => {
  const rights: [string, number, string, string][] = [
    ['read-only data', 0x11, 'ok', '13(0)'],
    ['writable data', 0x13, 'ok', 'ok'],
    ['readable code', 0x1b, 'ok', '13(0)'],
    ['conforming readable code', 0x1f, 'ok', '13(0)'],
  ];
  it.each(rights)('%s decides about reads and writes', (_, type, read, write) => {
    const results = ['mov cl, [ebx]', 'mov [ebx], cl', 'add [ebx], cl'].map((access) => {
      machine.enter(0);
      machine.setDescriptor(FREE, descriptor({ type }));
      execute(`mov eax, ${FREE}\n mov ds, ax\n mov ebx, 0x700\n ${access}`);
      return outcome();
    });
    expect(results).toEqual([read, write, write]);
  });

  it('execute-only code is not read through CS', () => {
    machine.enter(0);
    machine.setDescriptor(FREE, descriptor({ type: 0x19 }));
    machine.assemble(CODE + 0x100, 'mov al, [cs:0x500]\n jmp $');
    execute(`jmp ${FREE}:${CODE + 0x100}`);
    expect(outcome()).toBe('13(0)');
  });
});

describe('real-address mode', () => {
  const real = (source: string, count = 20): void => {
    machine.engine.reset();
    machine.set({ cs: 0x100, 'cs.base': 0x1000, rip: 0, ss: 0, rsp: 0x800, 'gdtr.base': 0x1000, 'gdtr.limit': 0x7ff });
    for (let vector = 0; vector < 32; vector++) {
      machine.set16(4 * vector, 0x20 + vector);
      machine.set16(4 * vector + 2, 0x90);
      machine.load(0x920 + vector, [0xf4]);
    }
    machine.assemble(0x2_0000, source, 16);
    machine.set({ cs: 0x2000, 'cs.base': 0x2_0000 });
    machine.run(count);
  };
  const halted = (): number => machine.get('rip') - 0x21;

  it('puts the base 16 times the selector, and knows no descriptors', () => {
    machine.bytes[0x5_4327] = 0x99;
    real('mov ax, 0x5432\n mov ds, ax\n mov al, [7]\n hlt');
    expect([machine.get('rax') & 0xff, machine.get('ds.base')]).toEqual([0x99, 0x5_4320]);
  });

  it('raises #GP without an error code beyond FFFFh', () => {
    real('mov bx, 0xffff\n mov ax, [bx]\n hlt');
    expect(halted()).toBe(13);
    expect(machine.u16(0x7fa)).toBe(3);
    expect(machine.get('rsp')).toBe(0x7fa);
  });

  it('raises #SS without an error code for the stack', () => {
    real('mov bp, 0xffff\n mov ax, [bp]\n hlt');
    expect(halted()).toBe(12);
  });

  it('keeps the limits of protected mode after PE is cleared (big real mode), over loads of the register too', () => {
    machine.setDescriptor(FREE, descriptor({ type: 0x13 }));
    machine.bytes[0x20_0000] = 0x77;
    machine.bytes[0x30_0010] = 0x78;
    real(`cli
      mov eax, cr0
      or al, 1
      mov cr0, eax
      mov bx, ${FREE}
      mov ds, bx
      and al, 0xfe
      mov cr0, eax
      mov esi, 0x200000
      mov cl, [esi]
      mov bx, 1
      mov ds, bx
      mov ch, [esi + 0x100000]
      hlt`);
    expect(machine.get('rcx')).toBe(0x7877);
    expect([machine.get('ds.base'), machine.get('ds.limit')]).toEqual([0x10, 0xffff_ffff]);
  });

  it('makes a segment usable again that was null in protected mode', () => {
    machine.bytes[0x5678] = 0x55;
    real(`mov eax, cr0
      or al, 1
      mov cr0, eax
      xor bx, bx
      mov ds, bx
      and al, 0xfe
      mov cr0, eax
      mov ds, bx
      mov cl, [0x5678]
      hlt`);
    expect(machine.get('rcx') & 0xff).toBe(0x55);
  });
});

describe('LAR, LSL, VERR, VERW', () => {
  it('agree with the manual for every type, DPL, RPL and CPL', () => {
    const wrong: string[] = [];
    machine.assemble(
      CODE,
      'lar ebx, ax\n setz cl\n lsl edx, ax\n setz ch\n verr ax\n setz bh\n verw ax\n setz bl\n jmp $',
    );
    const larTypes = new Set([1, 2, 3, 4, 5, 9, 11, 12]);
    const lslTypes = new Set([1, 2, 3, 9, 11]);
    for (let type = 0; type < 32; type++) {
      for (let levels = 0; levels < 64; levels++) {
        const [dpl, rpl, cpl] = [levels & 3, (levels >> 2) & 3, levels >> 4];
        const isCode = (type & 0x18) === 0x18;
        const visible = (isCode && (type & 4) !== 0) || (dpl >= cpl && dpl >= rpl);
        machine.enter(cpl);
        machine.setDescriptor(FREE, descriptor({ type, dpl, limit: 0x1_2345 }));
        machine.set({ rax: FREE | rpl, rip: CODE, rcx: 0, rdx: 0 });
        machine.run(9);
        const flags = [visible && (type >= 16 || larTypes.has(type)), visible && (type >= 16 || lslTypes.has(type))];
        const readable = visible && type >= 16 && (!isCode || (type & 2) !== 0);
        const writable = visible && (type & 0x1a) === 0x12;
        const expected = [...flags, readable, writable].map(Number).join('');
        const [c, b] = [machine.get('rcx'), machine.get('rbx')];
        const found = [c & 1, (c >> 8) & 1, (b >> 8) & 1, b & 1].join('');
        const where = `type=${type} dpl=${dpl} rpl=${rpl} cpl=${cpl}`;
        if (found !== expected) wrong.push(`${where}: expected ${expected}, got ${found}`);
        if (flags[1] && machine.get('rdx') !== 0x1234_5fff) wrong.push(`${where}: limit ${machine.get('rdx')}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('leave the register and clear ZF for a null selector and for one beyond the table', () => {
    machine.enter(0);
    execute('mov ebx, 7\n xor eax, eax\n lar ebx, ax\n setz cl\n mov eax, 0xfff8\n lsl ebx, ax\n setz ch');
    expect([machine.get('rbx'), machine.get('rcx') & 0xffff]).toEqual([7, 0]);
  });
});

describe('ARPL', () => {
  it('raises the RPL of a register or memory operand to that of the other', () => {
    const results: number[][] = [];
    for (let pair = 0; pair < 16; pair++) {
      machine.enter(0);
      machine.set16(0x600, 0x100 | (pair & 3));
      machine.set({ rax: 0x100 | (pair & 3), rbx: pair >> 2 });
      execute('arpl ax, bx\n setz cl\n arpl [0x600], bx\n setz ch');
      results.push([machine.get('rax'), machine.u16(0x600), machine.get('rcx') & 0xffff]);
    }
    expect(results).toEqual(
      Array.from({ length: 16 }, (_, pair) => {
        const [low, high] = [pair & 3, pair >> 2];
        const selector = 0x100 | Math.max(low, high);
        return [selector, selector, low < high ? 0x101 : 0];
      }),
    );
  });
});

describe('the first entry of the GDT', () => {
  it.each([
    ['a data segment', 0x13, 'mov ss, ax'],
    ['a code segment', 0x1b, 'jmp 0:0x9800'],
    ['a code segment', 0x1b, 'call 0:0x9800'],
    ['a code segment', 0x1b, 'push dword 0\n push dword 0x9800\n retf'],
    ['a code segment', 0x1b, 'push dword 2\n push dword 0\n push dword 0x9800\n iret'],
    ['a task', 9, 'ltr ax'],
    ['a task', 9, 'jmp 0:0'],
  ])('is not used, though it holds %s (type %i): %s is #GP(0)', (_, type, source) => {
    machine.enter(0);
    machine.setDescriptor(0, descriptor({ type, base: type === 9 ? 0x6000 : 0 }));
    execute(`xor eax, eax\n ${source}`);
    machine.set64(ProtectedMachine.gdt, 0n);
    expect(outcome()).toBe('13(0)');
  });

  it.each(['lar ebx, ax', 'lsl ebx, ax', 'verr ax', 'verw ax'])('%s does not see it', (source) => {
    machine.enter(0);
    machine.setDescriptor(0, descriptor({ type: 0x13 }));
    execute(`xor eax, eax\n ${source}\n setz cl`);
    machine.set64(ProtectedMachine.gdt, 0n);
    expect(machine.get('rcx') & 0xff).toBe(0);
  });
});
