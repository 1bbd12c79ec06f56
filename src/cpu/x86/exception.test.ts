import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor, gate, ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const FREE = ProtectedMachine.firstFree << 3;
const CODE = 0x9000;
const { handlers } = ProtectedMachine;

function execute(source: string, count = 20): string {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  return machine.run(count);
}

const outcome = (): string => {
  const event = machine.delivered();
  return event === undefined
    ? 'none'
    : event.error === undefined
      ? `${event.vector}`
      : `${event.vector}(${event.error})`;
};

/** Puts back the gates that a test has changed. */
function resetGates(): void {
  for (let vector = 0; vector < 256; vector++) {
    machine.setGate(vector, gate({ selector: 8, offset: handlers + 16 * vector, type: 14 }));
  }
}

beforeEach(() => {
  resetGates();
  machine.enter(0);
});

const GATE_TYPES = { 'interrupt 32': 14, 'trap 32': 15, 'interrupt 16': 6, 'trap 16': 7 } as const;

describe('a gate for INT n', () => {
  /** The manual over again (SDM volume 2, INT n): vector and error code, or the ring of the handler. */
  function expected(
    type: number,
    present: boolean,
    dpl: number,
    cpl: number,
    target: { type: number; dpl: number; present: boolean },
  ): string {
    const error = (0x40 << 3) | 2;
    if (![5, 6, 7, 14, 15].includes(type) || dpl < cpl) return `13(${error})`;
    if (!present) return `11(${error})`;
    // A task gate's selector names no task here.
    if (type === 5) return `13(${FREE})`;
    if ((target.type & 0x18) !== 0x18 || target.dpl > cpl) return `13(${FREE})`;
    if (!target.present) return `11(${FREE})`;
    return `ring ${(target.type & 4) !== 0 ? cpl : target.dpl}`;
  }

  it('agrees with the manual for every type, DPL, presence, CPL and target', () => {
    const wrong: string[] = [];
    const targets = [];
    for (const type of [0x18, 0x1a, 0x1c, 0x1e, 0x12]) {
      for (let dpl = 0; dpl < 4; dpl++) for (const present of [true, false]) targets.push({ type, dpl, present });
    }
    machine.assemble(CODE, 'int 0x40\n jmp $');
    for (let type = 0; type < 16; type++) {
      for (let bits = 0; bits < 32; bits++) {
        const [dpl, cpl, present] = [bits & 3, (bits >> 2) & 3, bits >= 16];
        for (const target of targets) {
          machine.enter(cpl);
          machine.setDescriptor(FREE, descriptor(target));
          machine.setGate(0x40, gate({ selector: FREE, offset: handlers + 16 * 0x40, type, dpl, present }));
          machine.set({ rip: CODE });
          machine.run(2);
          const want = expected(type, present, dpl, cpl, target);
          const event = machine.delivered();
          const got = event?.vector === 0x40 ? `ring ${machine.get('cpl')}` : outcome();
          if (got !== want)
            wrong.push(
              `type=${type} p=${present} dpl=${dpl} cpl=${cpl} ${JSON.stringify(target)}: expected ${want}, got ${got}`,
            );
          if (want.startsWith('ring') && machine.get('cs') !== (FREE | machine.get('cpl')))
            wrong.push('CS has the wrong RPL');
        }
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
  });
});

describe('what is pushed', () => {
  const FLAGS = 0x3a97;

  it.each(Object.entries(GATE_TYPES))('by an %s gate of the same level: flags, CS, IP', (_, type) => {
    const size = type >= 8 ? 4 : 2;
    machine.setGate(0x40, gate({ selector: 8, offset: 0x9100, type }));
    machine.load(0x9100, [0xeb, 0xfe]);
    machine.set({ rflags: FLAGS });
    execute('int 0x40');
    const top = machine.stack(0);
    const read = (index: number): number => (size === 4 ? machine.u32(top - 4 * index) : machine.u16(top - 2 * index));
    expect([read(1), read(2), read(3)]).toEqual([FLAGS, 8, CODE + 2]);
    expect([machine.get('rip'), machine.get('rsp')]).toEqual([0x9100, top - 3 * size]);
  });

  it.each(Object.entries(GATE_TYPES))(
    'by an %s gate to an inner level: SS and SP before them, on the TSS’s stack',
    (_, type) => {
      const size = type >= 8 ? 4 : 2;
      machine.enter(3);
      machine.setGate(0x40, gate({ selector: 8, offset: 0x9100, type, dpl: 3 }));
      machine.load(0x9100, [0xeb, 0xfe]);
      machine.set({ rflags: 0x202, rsp: 0x1_4321 });
      execute('int 0x40');
      const top = machine.stack(0);
      const read = (index: number): number =>
        size === 4 ? machine.u32(top - 4 * index) : machine.u16(top - 2 * index);
      const pointer = size === 4 ? 0x1_4321 : 0x4321;
      expect([1, 2, 3, 4, 5].map(read)).toEqual([machine.data(3), pointer, 0x202, machine.code(3), CODE + 2]);
      expect([machine.get('cpl'), machine.get('ss'), machine.get('rsp')]).toEqual([0, machine.data(0), top - 5 * size]);
    },
  );

  it.each(Object.entries(GATE_TYPES))('%s gates clear TF, NT, RF, and IF when they are for interrupts', (_, type) => {
    machine.setGate(0x40, gate({ selector: 8, offset: 0x9100, type }));
    machine.load(0x9100, [0xeb, 0xfe]);
    machine.set({ rflags: 0x4202 });
    execute('int 0x40');
    expect(machine.get('rflags')).toBe((type & 1) === 0 ? 2 : 0x202);
  });

  it('is RF in the flags of a fault, and not in those of INT n', () => {
    machine.set32(0x600, 0);
    execute('mov eax, [0x600]\n mov ax, 0x7ff8\n mov ds, ax');
    expect((machine.delivered()?.eflags ?? 0) & 0x1_0000).toBe(0x1_0000);
    machine.enter(0);
    execute('int 0x40');
    expect((machine.delivered()?.eflags ?? 0) & 0x1_0000).toBe(0);
  });

  it.each([
    ['div by zero', 'xor ecx, ecx\n div ecx', '0', 2],
    ['INT3', 'int3', '3', 1],
    ['INTO', 'mov al, 0x7f\n inc al\n into', '4', 5],
    ['INT1', 'icebp', '1', 1],
    ['UD2', 'ud2', '6', 0],
    ['a write to CR1', 'mov cr1, eax', '6', 0],
  ])('%s leaves the right instruction pointer', (_, source, vector, length) => {
    execute(source);
    expect(outcome()).toBe(vector);
    expect(machine.delivered()?.eip).toBe(CODE + length);
  });
});

describe('the gate’s DPL', () => {
  it.each([
    ['int3', '13(26)'],
    ['int 0x40', '13(514)'],
    ['icebp', '1'],
    ['ud2', '6'],
  ])('does what it should for %s at ring 3', (source, expected) => {
    machine.enter(3);
    execute(source);
    expect(outcome()).toBe(expected);
  });
});

describe('an external interrupt', () => {
  it('comes between instructions when IF is set, and wakes from HLT', () => {
    machine.assemble(CODE, 'sti\n hlt\n jmp $');
    machine.set({ rip: CODE });
    expect(machine.run(10)).toBe('halt');
    machine.vector = 0x35;
    machine.engine.setInterruptLine(true);
    machine.run(2);
    machine.engine.setInterruptLine(false);
    expect(machine.delivered()).toMatchObject({ vector: 0x35, eip: CODE + 2 });
  });

  it('puts EXT in the error code of what faults on the way', () => {
    machine.setGate(0x35, gate({ selector: 8, offset: 0, type: 14, present: false }));
    machine.vector = 0x35;
    machine.engine.setInterruptLine(true);
    execute('sti\n nop\n nop', 3);
    machine.engine.setInterruptLine(false);
    expect(outcome()).toBe(`11(${(0x35 << 3) | 3})`);
  });

  it('is held off for one instruction after STI and after MOV SS', () => {
    machine.vector = 0x35;
    machine.engine.setInterruptLine(true);
    execute('sti\n nop\n nop');
    expect(machine.delivered()?.eip).toBe(CODE + 2);
    machine.enter(0);
    machine.set({ rax: machine.data(0), rflags: 2 });
    execute('cli\n sti\n mov ss, ax\n nop\n nop');
    expect(machine.delivered()?.eip).toBe(CODE + 5);
    machine.engine.setInterruptLine(false);
  });

  it('that cannot be masked is held off until IRET', () => {
    machine.engine.nonMaskableInterrupt();
    execute('nop', 4);
    expect(machine.get('rsp')).toBe(machine.stack(0) - 12);
    machine.engine.nonMaskableInterrupt();
    machine.run(4);
    expect(machine.get('rsp')).toBe(machine.stack(0) - 12);
    machine.set32(machine.stack(0) - 12, CODE);
    machine.assemble(0x9300, 'iret');
    machine.set({ rip: 0x9300 });
    machine.run(4);
    expect(machine.delivered()?.eip).toBe(CODE);
  });
});

describe('faults on the way to a handler', () => {
  /** Makes the handlers of these vectors unreachable. */
  const block = (...vectors: number[]): void => {
    for (const vector of vectors) machine.setGate(vector, gate({ selector: 8, type: 14, present: false }));
  };

  it.each([
    ['benign then contributory', 'ud2', [6], '11(51)'],
    ['contributory then contributory', 'xor ecx, ecx\n div ecx', [0], '8(0)'],
    ['#GP then #NP', 'mov ax, 0x7ff8\n mov ds, ax', [13], '8(0)'],
    ['INT n then contributory', 'int 0x40', [0x40], `11(${0x40 * 8 + 2})`],
    ['INT n then contributory then contributory', 'int 0x40', [0x40, 11], '8(0)'],
  ])('%s: %s', (_, source, blocked, expected) => {
    block(...blocked);
    execute(source);
    expect(outcome()).toBe(expected);
  });

  it('shuts the processor down when the double fault’s handler is out of reach', () => {
    block(0, 8);
    expect(execute('xor ecx, ecx\n div ecx')).toBe('shutdown');
  });

  it('reports a vector beyond the IDT by its gate, and shuts down when nothing is within', () => {
    machine.set({ 'idtr.limit': 14 * 8 - 1 });
    execute('int 0x40');
    expect(outcome()).toBe('13(514)');
    machine.enter(0);
    machine.set({ 'idtr.limit': 0 });
    expect(execute('int 0x40')).toBe('shutdown');
  });

  it.each([
    ['a null selector', 0, '10(0)'],
    ['a selector beyond the GDT', 0xf_f8, '10(4088)'],
    ['the wrong RPL', 0x2b, '10(40)'],
    ['read-only data', FREE, `10(${FREE})`],
  ])('from ring 3, with %s as SS0 in the TSS: %s', (_, selector, expected) => {
    machine.enter(3);
    machine.setDescriptor(FREE, descriptor({ type: 0x11 }));
    machine.set32(ProtectedMachine.tss + 8, selector);
    // The handler of #TS can be reached at ring 3 alone, since ring 0 has no stack.
    machine.setGate(10, gate({ selector: machine.code(3), offset: handlers + 160, type: 14, dpl: 3 }));
    machine.setGate(0x40, gate({ selector: 8, offset: handlers, type: 14, dpl: 3 }));
    execute('int 0x40');
    expect(outcome()).toBe(expected);
    machine.set32(ProtectedMachine.tss + 8, machine.data(0));
  });

  it('from ring 3, with a stack segment that is not present, is #SS of the new selector', () => {
    machine.enter(3);
    machine.setDescriptor(FREE, descriptor({ type: 0x13, present: false }));
    machine.set32(ProtectedMachine.tss + 8, FREE);
    machine.setGate(12, gate({ selector: machine.code(3), offset: handlers + 192, type: 14, dpl: 3 }));
    machine.setGate(0x40, gate({ selector: 8, offset: handlers, type: 14, dpl: 3 }));
    execute('int 0x40');
    expect(outcome()).toBe(`12(${FREE})`);
    machine.set32(ProtectedMachine.tss + 8, machine.data(0));
  });

  it('from ring 3, with a TSS too short for the stack, is #TS of the TSS', () => {
    machine.enter(3);
    machine.set({ 'tr.limit': 8 });
    machine.setGate(10, gate({ selector: machine.code(3), offset: handlers + 160, type: 14, dpl: 3 }));
    machine.setGate(0x40, gate({ selector: 8, offset: handlers, type: 14, dpl: 3 }));
    execute('int 0x40');
    expect(outcome()).toBe('10(88)');
  });

  it('a handler beyond the limit of its segment is #GP(0), or with EXT when an exception led there', () => {
    machine.setDescriptor(FREE, descriptor({ type: 0x1b, limit: 0xfff, granular: false }));
    machine.setGate(0x40, gate({ selector: FREE, offset: 0x1000, type: 14 }));
    execute('int 0x40');
    expect(outcome()).toBe('13(0)');
    machine.enter(0);
    machine.setGate(6, gate({ selector: FREE, offset: 0x1000, type: 14 }));
    execute('ud2');
    expect(outcome()).toBe('13(1)');
  });
});

describe('TF', () => {
  it('traps after each instruction, with BS in DR6', () => {
    machine.set({ rflags: 0x102 });
    execute('mov eax, 5\n nop');
    expect(machine.delivered()).toMatchObject({ vector: 1, eip: CODE + 5 });
    expect(machine.get('dr6') & 0x4000).toBe(0x4000);
    expect(machine.get('rax')).toBe(5);
  });
});

describe('DR7.GD', () => {
  it('makes an access to a debug register #DB, with BD in DR6, and is cleared', () => {
    machine.set({ dr7: 0x2400 });
    execute('mov eax, dr0');
    expect(machine.delivered()).toMatchObject({ vector: 1, eip: CODE });
    expect([machine.get('dr6') & 0x2000, machine.get('dr7')]).toEqual([0x2000, 0x400]);
  });
});

describe('in real-address mode', () => {
  const real = (source: string, limit = 0x3ff): string => {
    machine.engine.reset();
    for (let vector = 0; vector < 32; vector++) {
      machine.set16(4 * vector, 0x20 + vector);
      machine.set16(4 * vector + 2, 0x90);
      machine.load(0x920 + vector, [0xf4]);
    }
    machine.assemble(0x2_0000, source, 16);
    machine.set({ cs: 0x2000, 'cs.base': 0x2_0000, rip: 0, ss: 0, rsp: 0x800, 'idtr.limit': limit });
    return machine.run(20);
  };

  it('INT n pushes flags, CS and IP, clears IF and TF, and goes where the vector says', () => {
    machine.engine.reset();
    real('sti\n int 3\n hlt');
    expect([machine.u16(0x7fe), machine.u16(0x7fc), machine.u16(0x7fa)]).toEqual([0x202, 0x2000, 3]);
    expect([machine.get('rip'), machine.get('cs'), machine.get('rflags') & 0x300]).toEqual([0x24, 0x90, 0]);
  });

  it('IRET undoes it, IOPL and NT included', () => {
    real('pushf\n push cs\n push word (back - 0x20000)\n iret\n ud2\n back: mov ax, 0x7200\n push ax\n popf\n hlt');
    expect(machine.get('rflags') & 0x7200).toBe(0x7200);
  });

  it('a vector beyond the limit is #GP, which beyond it as well is the end', () => {
    real('int 0x20\n hlt', 0x7f);
    expect(machine.get('rip')).toBe(0x20 + 13 + 1);
    expect(real('int 0x20\n hlt', 0x1f)).toBe('shutdown');
  });
});
