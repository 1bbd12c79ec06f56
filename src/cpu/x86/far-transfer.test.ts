import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor, gate, ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const FREE = ProtectedMachine.firstFree << 3;
const TARGET = FREE + 8;
const CODE = 0x9000;
const ARRIVED = 0x9800;
machine.load(ARRIVED, [0xeb, 0xfe]);

function execute(source: string, count = 20): string {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  return machine.run(count);
}

const outcome = (): string => {
  const event = machine.delivered();
  if (event !== undefined) return event.error === undefined ? `${event.vector}` : `${event.vector}(${event.error})`;
  return machine.get('rip') === ARRIVED ? `ring ${machine.get('cpl')}` : 'none';
};

beforeEach(() => machine.enter(0));

interface Target {
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
}

/** SDM volume 2, JMP and CALL: a code segment reached directly. */
function direct({ type, dpl, present }: Target, rpl: number, cpl: number, selector: number): string {
  const error = selector & 0xfffc;
  const fits = (type & 4) !== 0 ? dpl <= cpl : rpl <= cpl && dpl === cpl;
  if ((type & 0x18) !== 0x18 || !fits) return `13(${error})`;
  return present ? `ring ${cpl}` : `11(${error})`;
}

describe.each(['jmp', 'call'])('a far %s', (transfer) => {
  it('to a code segment agrees with the manual for every type, presence, DPL, RPL and CPL', () => {
    const wrong: string[] = [];
    machine.assemble(CODE, `${transfer} far [ebx]\n jmp $`);
    machine.set32(0x600, ARRIVED);
    for (let type = 16; type < 32; type++) {
      for (let levels = 0; levels < 128; levels++) {
        const [dpl, rpl, cpl, present] = [levels & 3, (levels >> 2) & 3, (levels >> 4) & 3, levels >= 64];
        machine.enter(cpl);
        machine.setDescriptor(FREE, descriptor({ type, dpl, present }));
        machine.set16(0x604, FREE | rpl);
        machine.set({ rip: CODE, rbx: 0x600 });
        machine.run(2);
        const expected = direct({ type, dpl, present }, rpl, cpl, FREE);
        if (outcome() !== expected)
          wrong.push(
            `type=${type} p=${present} dpl=${dpl} rpl=${rpl} cpl=${cpl}: expected ${expected}, got ${outcome()}`,
          );
        if (!expected.startsWith('ring')) continue;
        if (machine.get('cs') !== (FREE | cpl)) wrong.push(`CS is ${machine.get('cs')}`);
        const pushed = [machine.u32(machine.stack(cpl) - 4), machine.u32(machine.stack(cpl) - 8)];
        if (transfer === 'call') expect(pushed).toEqual([machine.code(cpl), CODE + 2]);
      }
    }
    expect(wrong).toEqual([]);
  });

  /** SDM volume 2: through a call gate. A jump stays at its level. */
  function throughGate(gateDpl: number, present: boolean, rpl: number, cpl: number, target: Target): string {
    if (gateDpl < cpl || gateDpl < rpl) return `13(${FREE})`;
    if (!present) return `11(${FREE})`;
    const conforming = (target.type & 4) !== 0;
    const fits = conforming || transfer === 'call' ? target.dpl <= cpl : target.dpl === cpl;
    if ((target.type & 0x18) !== 0x18 || !fits) return `13(${TARGET})`;
    if (!target.present) return `11(${TARGET})`;
    return `ring ${conforming ? cpl : target.dpl}`;
  }

  it.each([4, 12])('through a call gate of type %i agrees with the manual for every gate and target', (type) => {
    const wrong: string[] = [];
    machine.assemble(CODE, `${transfer} far [ebx]\n jmp $`);
    for (const targetType of [0x12, 0x1a, 0x1e]) {
      for (let levels = 0; levels < 1024; levels++) {
        const [gateDpl, rpl, cpl, dpl] = [levels & 3, (levels >> 2) & 3, (levels >> 4) & 3, (levels >> 6) & 3];
        const target = { type: targetType, dpl, present: (levels & 256) === 0 };
        const present = (levels & 512) === 0;
        machine.enter(cpl);
        machine.setDescriptor(TARGET, descriptor(target));
        machine.setDescriptor(FREE, gate({ selector: TARGET, offset: ARRIVED, type, dpl: gateDpl, present }));
        machine.set16(0x604, FREE | rpl);
        machine.set({ rip: CODE, rbx: 0x600 });
        machine.run(2);
        const expected = throughGate(gateDpl, present, rpl, cpl, target);
        if (outcome() !== expected) {
          wrong.push(
            `gate dpl=${gateDpl} p=${present} rpl=${rpl} cpl=${cpl} ${JSON.stringify(target)}: expected ${expected}, got ${outcome()}`,
          );
        }
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  it.each([0, 2, 3, 6, 7, 8, 10, 11, 13, 14, 15])(
    'to a system descriptor of type %i is #GP of its selector',
    (type) => {
      machine.setDescriptor(FREE, descriptor({ type }));
      execute(`${transfer} ${FREE}:0`);
      // Types 1 and 9 are tasks, 4, 5 and 12 gates.
      expect(outcome()).toBe(type === 1 ? outcome() : `13(${FREE})`);
    },
  );

  it('to a null selector is #GP(0), beyond the table #GP of the selector', () => {
    execute(`${transfer} 3:0`);
    expect(outcome()).toBe('13(0)');
    machine.enter(0);
    execute(`${transfer} 0x7ff8:0`);
    expect(outcome()).toBe('13(32760)');
  });

  it('beyond the limit of its target is #GP(0), and nothing has changed', () => {
    machine.setDescriptor(FREE, descriptor({ type: 0x1a, limit: 0xfff, granular: false }));
    execute(`${transfer} ${FREE}:0x1000`);
    expect([outcome(), machine.delivered()?.cs]).toEqual(['13(0)', 8]);
    expect(machine.get('rsp')).toBe(machine.stack(0) - 16);
  });

  it('takes a 16-bit offset with a 16-bit operand', () => {
    machine.setDescriptor(FREE, descriptor({ type: 0x1a }));
    machine.set32(0x600, (FREE << 16) | ARRIVED);
    execute(`${transfer} far word [0x600]`);
    expect(outcome()).toBe('ring 0');
    expect(machine.get('rsp')).toBe(machine.stack(0) - (transfer === 'call' ? 4 : 0));
  });
});

describe('a call to an inner level', () => {
  it.each([
    [4, 2],
    [12, 4],
  ])('through a gate of type %i copies parameters of %i bytes', (type, size) => {
    for (let count = 0; count < 32; count++) {
      machine.enter(3);
      machine.setDescriptor(TARGET, descriptor({ type: 0x1a, dpl: 1 }));
      machine.setDescriptor(FREE, gate({ selector: TARGET, offset: ARRIVED, type, dpl: 3, parameters: count }));
      const old = 0x1_8000;
      for (let index = 0; index < count; index++) {
        if (size === 4) machine.set32(old + 4 * index, 0x1111_0000 + index);
        else machine.set16(old + 2 * index, 0x1100 + index);
      }
      machine.set({ rsp: old });
      execute(`call ${FREE | 3}:0`);
      expect(outcome()).toBe('ring 1');
      const top = machine.stack(1);
      const read = (index: number): number =>
        size === 4 ? machine.u32(top - 4 * index) : machine.u16(top - 2 * index);
      const parameters = Array.from(
        { length: count },
        (_, index) => (size === 4 ? 0x1111_0000 : 0x1100) + count - 1 - index,
      );
      const expected = [machine.data(3), old & (size === 4 ? -1 : 0xffff), ...parameters, machine.code(3), CODE + 7];
      expect(expected.map((_, index) => read(index + 1))).toEqual(expected);
      expect(machine.get('rsp')).toBe(top - size * (count + 4));
      expect([machine.get('ss'), machine.get('cs')]).toEqual([machine.data(1), TARGET | 1]);
    }
  });

  it('comes back with RETF n: both stacks are released, inner data segments become null', () => {
    machine.enter(3);
    machine.setDescriptor(TARGET, descriptor({ type: 0x1a, dpl: 0 }));
    machine.setDescriptor(FREE, gate({ selector: TARGET, offset: 0x9a00, type: 12, dpl: 3, parameters: 2 }));
    machine.assemble(
      0x9a00,
      `mov eax, ${machine.data(0)}\n mov ds, ax\n mov eax, ${machine.data(3)}\n mov fs, ax\n retf 8`,
    );
    execute(`push dword 1\n push dword 2\n call ${FREE | 3}:0\n mov eax, 99`);
    expect(machine.get('rax')).toBe(99);
    expect([machine.get('cpl'), machine.get('rsp'), machine.get('ds'), machine.get('fs'), machine.get('es')]).toEqual([
      3,
      machine.stack(3),
      0,
      machine.data(3),
      machine.data(3),
    ]);
  });
});

describe('a far return', () => {
  /** SDM volume 2, RET: the code segment it goes to. */
  function returnTo({ type, dpl, present }: Target, rpl: number, cpl: number): string {
    const conforming = (type & 4) !== 0;
    const fits = rpl >= cpl && (conforming ? dpl <= rpl : dpl === rpl);
    if ((type & 0x18) !== 0x18 || !fits) return `13(${FREE})`;
    return present ? `ring ${rpl}` : `11(${FREE})`;
  }

  it.each(['retf', 'iret'])('by %s agrees with the manual for every type, presence, DPL, RPL and CPL', (source) => {
    const wrong: string[] = [];
    machine.assemble(CODE, `${source}\n jmp $`);
    for (let type = 16; type < 32; type++) {
      for (let levels = 0; levels < 128; levels++) {
        const [dpl, rpl, cpl, present] = [levels & 3, (levels >> 2) & 3, (levels >> 4) & 3, levels >= 64];
        machine.enter(cpl);
        machine.setDescriptor(FREE, descriptor({ type, dpl, present }));
        const top = machine.stack(cpl) - 0x20;
        const frame = [ARRIVED, FREE | rpl, ...(source === 'iret' ? [2] : []), 0x1_8000, machine.data(rpl)];
        for (const [index, value] of frame.entries()) machine.set32(top + 4 * index, value);
        machine.set({ rip: CODE, rsp: top });
        machine.run(2);
        const expected = returnTo({ type, dpl, present }, rpl, cpl);
        if (outcome() !== expected)
          wrong.push(
            `type=${type} p=${present} dpl=${dpl} rpl=${rpl} cpl=${cpl}: expected ${expected}, got ${outcome()}`,
          );
        if (!expected.startsWith('ring')) continue;
        const pointer = rpl === cpl ? top + (source === 'iret' ? 12 : 8) : 0x1_8000;
        if (machine.get('rsp') !== pointer) wrong.push(`rsp is ${machine.get('rsp')}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['null', 3, '13(0)'],
    ['of another ring', 0x32, '13(48)'],
    ['read-only', FREE | 3, `13(${FREE})`],
    ['not present', (FREE + 16) | 3, `12(${FREE + 16})`],
  ])('to an outer level with a stack segment that is %s', (_, selector, expected) => {
    machine.setDescriptor(FREE, descriptor({ type: 0x11, dpl: 3 }));
    machine.setDescriptor(FREE + 16, descriptor({ type: 0x13, dpl: 3, present: false }));
    execute(
      `push dword ${selector}\n push dword 0x18000\n push dword ${machine.code(3)}\n push dword ${ARRIVED}\n retf`,
    );
    expect(outcome()).toBe(expected);
  });
});

describe('the flags that may change', () => {
  const ALL = 0x24_7fd5;

  /** SDM volume 2, POPF and IRET: by CPL and IOPL. */
  function changed(cpl: number, iopl: number, size: number): number {
    let mask = 0x24_4dd5 | (cpl <= iopl ? 0x200 : 0) | (cpl === 0 ? 0x3000 : 0);
    if (size === 2) mask &= 0xffff;
    return mask;
  }

  it.each([
    ['popf', 'popfd', 4],
    ['popf', 'popfw', 2],
    ['iret', 'iretd', 4],
    ['iret', 'iretw', 2],
  ])('by %s (%s) depend on CPL and IOPL', (kind, _, size) => {
    const results: number[][] = [];
    for (let levels = 0; levels < 16; levels++) {
      const [cpl, iopl] = [levels & 3, levels >> 2];
      for (const image of [ALL & ~0x100 & ~0x4000, 0]) {
        machine.enter(cpl);
        const old = (iopl << 12) | (image === 0 ? ALL & ~0x3000 & ~0x100 & ~0x4000 : 0) | 2;
        const push = (value: number): string => (size === 4 ? `push dword ${value}` : `push word ${value & 0xffff}`);
        const source =
          kind === 'popf'
            ? `${push(image)}\n ${size === 2 ? 'o16 ' : ''}popf`
            : `${push(image)}\n ${push(machine.code(cpl))}\n ${push(ARRIVED)}\n ${size === 2 ? 'o16 ' : ''}iret`;
        machine.set({ rflags: old });
        execute(source);
        const mask = changed(cpl, iopl, size);
        results.push([cpl, iopl, machine.get('rflags'), (old & ~mask) | (image & mask) | 2]);
      }
    }
    for (const [cpl, iopl, got, want] of results)
      expect({ cpl, iopl, flags: got?.toString(16) }).toEqual({ cpl, iopl, flags: want?.toString(16) });
  });

  it('are IF alone by CLI and STI, where IOPL allows it', () => {
    for (let levels = 0; levels < 16; levels++) {
      const [cpl, iopl] = [levels & 3, levels >> 2];
      for (const [source, before, after] of [
        ['cli', 0x202, 2],
        ['sti', 2, 0x202],
      ] as const) {
        machine.enter(cpl);
        machine.set({ rflags: before | (iopl << 12) });
        execute(source);
        if (cpl > iopl) expect(outcome()).toBe('13(0)');
        else expect(machine.get('rflags')).toBe(after | (iopl << 12));
      }
    }
  });
});

/** Enters V86 by IRET from ring 0 and runs `source` there at 2000:0. */
function enterV86(source: string, iopl: number, tssLimit = 0x67): void {
  machine.enter(0);
  machine.set({ 'tr.limit': tssLimit });
  machine.assemble(0x2_0000, `${source}\n jmp $`, 16);
  const frame = [0, 0x2000, 0x2_0002 | (iopl << 12), 0x800, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000];
  const top = machine.stack(0) - 0x40;
  for (const [index, value] of frame.entries()) machine.set32(top + 4 * index, value);
  machine.set({ rsp: top });
  machine.assemble(CODE, 'iret');
  machine.set({ rip: CODE });
  machine.run(20);
}

describe('virtual-8086 mode', () => {
  it('is entered by IRET with all segments loaded from the stack', () => {
    enterV86('nop', 0);
    const names = ['cs', 'ss', 'es', 'ds', 'fs', 'gs'];
    expect(names.map((name) => machine.get(name))).toEqual([0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000]);
    expect(names.map((name) => machine.get(`${name}.base`))).toEqual([
      0x2_0000, 0x3_0000, 0x4_0000, 0x5_0000, 0x6_0000, 0x7_0000,
    ]);
    expect([machine.get('cpl'), machine.get('rsp'), machine.get('rflags') & 0x2_0000]).toEqual([3, 0x800, 0x2_0000]);
  });

  it.each(['cli', 'sti', 'pushf', 'popf', 'int 0x40', 'iret'])('%s is #GP(0) with IOPL below 3', (source) => {
    for (let iopl = 0; iopl < 3; iopl++) {
      enterV86(source, iopl);
      expect(outcome()).toBe('13(0)');
    }
  });

  it('an exception goes to ring 0 with all segments on its stack, which are null afterwards', () => {
    enterV86('ud2', 0);
    expect(outcome()).toBe('6');
    const top = machine.stack(0);
    const pushed = Array.from({ length: 9 }, (_, index) => machine.u32(top - 4 * (index + 1)));
    expect(pushed).toEqual([0x7000, 0x6000, 0x5000, 0x4000, 0x3000, 0x800, 0x3_0002, 0x2000, 0]);
    expect(['ds', 'es', 'fs', 'gs'].map((name) => machine.get(name))).toEqual([0, 0, 0, 0]);
    expect([machine.get('cpl'), machine.get('rflags')]).toEqual([0, 2]);
  });

  it('comes back with IRET', () => {
    machine.assemble(ProtectedMachine.handlers + 16 * 6, 'add dword [esp], 2\n iret');
    enterV86('ud2\n mov ax, ds', 0);
    expect([machine.get('rax') & 0xffff, machine.get('rsp'), machine.get('cs')]).toEqual([0x5000, 0x800, 0x2000]);
    machine.load(ProtectedMachine.handlers + 16 * 6, [0xeb, 0xfe]);
  });

  it('PUSHF, POPF and IRET leave IOPL and VM alone with IOPL 3', () => {
    enterV86('pushf\n pop ax\n xor ax, 0x3200\n push ax\n popf\n mov bx, ax', 3);
    expect(machine.get('rflags')).toBe(0x2_3202 | (machine.get('rflags') & 0x8d5));
  });

  it('INT n with IOPL 3 goes through the IDT, whose gate must have DPL 3', () => {
    enterV86('int 0x40', 3);
    expect(outcome()).toBe('13(514)');
    machine.setGate(0x40, gate({ selector: 8, offset: ProtectedMachine.handlers + 0x400, type: 14, dpl: 3 }));
    enterV86('int 0x40', 3);
    expect(outcome()).toBe('64');
  });

  it.each([
    ['a conforming segment', 0x1e, 0],
    ['ring 1', 0x1a, 1],
    ['ring 3', 0x1a, 3],
  ])('a handler in %s is #GP of its selector', (_, type, dpl) => {
    machine.setDescriptor(FREE, descriptor({ type, dpl }));
    machine.setGate(6, gate({ selector: FREE, offset: ARRIVED, type: 14 }));
    enterV86('ud2', 0);
    expect(outcome()).toBe(`13(${FREE | 1})`);
    machine.setGate(6, gate({ selector: 8, offset: ProtectedMachine.handlers + 16 * 6, type: 14 }));
  });

  it('far transfers and segment loads are those of the 8086', () => {
    machine.assemble(0x4_0100, 'mov ax, 0x1234\n mov es, ax\n retf', 16);
    enterV86('call 0x4000:0x100\n mov bx, es', 0);
    expect([machine.get('rbx') & 0xffff, machine.get('es.base'), machine.get('es.limit')]).toEqual([
      0x1234, 0x1_2340, 0xffff,
    ]);
  });

  it('instructions of protected mode are undefined', () => {
    for (const source of ['sldt ax', 'str ax', 'lar ax, bx', 'verr ax']) {
      enterV86(source, 3);
      expect(outcome()).toBe('6');
    }
  });
});

describe('ports', () => {
  it.each([
    ['in al, dx', 1],
    ['in ax, dx', 2],
    ['in eax, dx', 4],
    ['out dx, al', 1],
    ['out dx, ax', 2],
    ['out dx, eax', 4],
    ['insb', 1],
    ['outsd', 4],
  ])('%s asks the bitmap when CPL is above IOPL, all bits of the operand', (source, size) => {
    const map = ProtectedMachine.tss + 0x68;
    for (let port = 0; port < 16; port++) {
      for (let blocked = 0; blocked < 24; blocked++) {
        machine.enter(3);
        machine.set({ 'tr.limit': 0x67 + 0x10 });
        for (let index = 0; index < 16; index++) machine.bytes[map + index] = 0;
        machine.bytes[map + (blocked >> 3)] = 1 << (blocked & 7);
        machine.accesses.length = 0;
        machine.set({ rdx: port, rsi: 0x600, rdi: 0x600 });
        execute(source);
        const denied = blocked >= port && blocked < port + size;
        expect([outcome(), machine.accesses.length]).toEqual(denied ? ['13(0)', 0] : ['none', 1]);
      }
    }
    machine.set16(ProtectedMachine.tss + 0x66, 0x68);
  });

  it('need no bitmap when IOPL allows them', () => {
    for (let levels = 0; levels < 16; levels++) {
      const [cpl, iopl] = [levels & 3, levels >> 2];
      machine.enter(cpl);
      machine.set({ rflags: 2 | (iopl << 12) });
      execute('in al, 0x60');
      expect(outcome()).toBe(cpl > iopl ? '13(0)' : 'none');
    }
  });

  it('always need the bitmap in virtual-8086 mode, whatever IOPL', () => {
    const inV86 = (limit: number): string => {
      enterV86('in al, 7', 3, limit);
      return outcome();
    };
    machine.set16(ProtectedMachine.tss + 0x68, 0);
    expect([inV86(0x67), inV86(0x69)]).toEqual(['13(0)', 'none']);
  });

  it('beyond the limit of the TSS are denied', () => {
    machine.enter(3);
    machine.set({ 'tr.limit': 0x69 });
    machine.set16(ProtectedMachine.tss + 0x68, 0);
    execute('in al, 8');
    expect(outcome()).toBe('13(0)');
    machine.enter(3);
    machine.set({ 'tr.limit': 0x69 });
    execute('in al, 7');
    expect(outcome()).toBe('none');
  });
});

describe('SYSENTER and SYSEXIT', () => {
  const setMsr = (number: number, value: number): string =>
    `mov ecx, ${number}\n mov eax, ${value}\n xor edx, edx\n wrmsr\n`;

  it('switch between ring 3 and ring 0 with flat segments', () => {
    machine.assemble(0x9a00, 'mov ebx, esp\n mov edx, 0x9b00\n mov ecx, 0x18000\n sysexit');
    machine.assemble(0x9b00, 'mov esi, cs\n jmp $');
    machine.assemble(0x9c00, 'sysenter');
    const toRing3 = `push dword ${machine.data(3)}\n push dword 0x18000\n push dword ${machine.code(3)}\n push dword 0x9c00\n retf`;
    machine.set({ rflags: 0x202 });
    execute(`${setMsr(0x174, 8)}${setMsr(0x175, 0x1_1000)}${setMsr(0x176, 0x9a00)}${toRing3}`, 60);
    expect(machine.get('rbx')).toBe(0x1_1000);
    expect([machine.get('cpl'), machine.get('rsi'), machine.get('ss'), machine.get('rsp')]).toEqual([
      3, 0x1b, 0x23, 0x1_8000,
    ]);
    expect(machine.get('rflags') & 0x200).toBe(0);
  });

  it('are #GP(0) while their selector is 0, and SYSEXIT outside ring 0', () => {
    execute('sysenter');
    expect(outcome()).toBe('13(0)');
    machine.enter(3);
    execute('sysexit');
    expect(outcome()).toBe('13(0)');
  });
});

describe('a stack without room', () => {
  const SMALL = FREE + 16;

  /** Ring 3 on a stack of `room` bytes that ends at 1000h: expand-down, valid from 1000h - room up. */
  function enterSmall(room: number): void {
    machine.enter(3);
    const limit = 0xfff - room;
    machine.setDescriptor(SMALL, descriptor({ type: 0x17, dpl: 3, limit, granular: false, big: true }));
    machine.setSegment('ss', SMALL | 3, 0x40f7, 0, limit);
    machine.set({ rsp: 0x1000 });
    machine.setDescriptor(TARGET, descriptor({ type: 0x1a, dpl: 3 }));
    machine.setGate(0x40, gate({ selector: TARGET | 3, offset: ARRIVED, type: 14, dpl: 3 }));
  }

  afterAll(() => machine.setGate(0x40, gate({ selector: 8, offset: ProtectedMachine.handlers + 0x400, type: 14 })));

  // What is pushed lies just below the GDT, where nothing else is.
  it.each([
    ['a far call', `call ${TARGET | 3}:${ARRIVED}`, 8],
    ['an interrupt to the same level', 'int 0x40', 12],
  ])('%s is #SS(0), and works with just enough', (_, source, need) => {
    for (let room = 0; room < 16; room++) {
      enterSmall(room);
      execute(source);
      expect([room, outcome()]).toEqual([room, room < need ? '12(0)' : 'ring 3']);
    }
  });

  it.each([
    ['a far return', 'retf', 8],
    ['IRET', 'iret', 12],
  ])('%s beyond the end of the stack is #SS(0)', (_, source, need) => {
    for (let above = 0; above < need; above += 4) {
      machine.enter(3);
      machine.setDescriptor(SMALL, descriptor({ type: 0x13, dpl: 3, limit: 0x1_8fff, granular: false }));
      machine.setSegment('ss', SMALL | 3, 0x40f3, 0, 0x1_8fff);
      machine.set({ rsp: 0x1_9000 - above });
      execute(source);
      expect(outcome()).toBe('12(0)');
    }
  });

  it.each([
    ['a call gate with 2 parameters', `call ${FREE | 3}:0`, 24],
    ['an interrupt', 'int 0x40', 20],
  ])('of an inner level makes %s #SS of its selector', (_, source, need) => {
    for (let room = need - 4; room <= need; room += 4) {
      machine.enter(3);
      machine.setDescriptor(SMALL, descriptor({ type: 0x17, dpl: 1, limit: 0xfff - room, granular: false, big: true }));
      machine.set32(ProtectedMachine.tss + 12, 0x1000);
      machine.set32(ProtectedMachine.tss + 16, SMALL | 1);
      machine.setDescriptor(TARGET, descriptor({ type: 0x1a, dpl: 1 }));
      machine.setDescriptor(FREE, gate({ selector: TARGET, offset: ARRIVED, type: 12, dpl: 3, parameters: 2 }));
      machine.setGate(0x40, gate({ selector: TARGET, offset: ARRIVED, type: 14, dpl: 3 }));
      execute(source);
      expect(outcome()).toBe(room < need ? `12(${SMALL})` : 'ring 1');
    }
    machine.set32(ProtectedMachine.tss + 12, machine.stack(1));
    machine.set32(ProtectedMachine.tss + 16, machine.data(1));
  });
});

describe('a stack of 16 bits', () => {
  it('is used by SP alone, whatever the gate’s size', () => {
    machine.setDescriptor(FREE, descriptor({ type: 0x13, big: false }));
    execute(`mov eax, ${FREE}\n mov ss, ax\n mov esp, 0x55550002\n push eax\n int 0x40`);
    expect(machine.get('rsp')).toBe(0x5555_fff2);
    expect(machine.u32(0xfffe - 4)).toBe(2);
  });
});
