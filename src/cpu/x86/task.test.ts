import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor, gate, ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const OLD = 0x58;
const NEW = ProtectedMachine.firstFree << 3;
const GATE = NEW + 8;
const NEW_LDT = NEW + 16;
const FREE = NEW + 24;
const OLD_TSS = ProtectedMachine.tss;
const NEW_TSS = 0x6000;
const CODE = 0x9000;
const ENTRY = 0x9800;
machine.load(ENTRY, [0xeb, 0xfe]);

const REGISTERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

interface Task {
  readonly eip?: number;
  readonly eflags?: number;
  readonly cs?: number;
  readonly ss?: number;
  readonly ds?: number;
  readonly ldt?: number;
  readonly esp?: number;
  readonly cr3?: number;
  readonly trap?: number;
  readonly link?: number;
}

/** Fills a 32-bit TSS: general registers are 1111_0000h plus their number. */
function writeTask32(task: Task = {}): void {
  const { eip = ENTRY, eflags = 2, cs = 8, ss = machine.data(0), ds = machine.data(0), ldt = 0, esp = 0x1_8000 } = task;
  machine.set32(NEW_TSS, task.link ?? 0);
  machine.set32(NEW_TSS + 0x1c, task.cr3 ?? 0);
  machine.set32(NEW_TSS + 0x20, eip);
  machine.set32(NEW_TSS + 0x24, eflags);
  for (let index = 0; index < 8; index++)
    machine.set32(NEW_TSS + 0x28 + 4 * index, index === 4 ? esp : 0x1111_0000 + index);
  for (const [index, value] of [ds, cs, ss, ds, ds, ds].entries()) machine.set32(NEW_TSS + 0x48 + 4 * index, value);
  machine.set32(NEW_TSS + 0x60, ldt);
  machine.set32(NEW_TSS + 0x64, task.trap ?? 0);
  machine.setDescriptor(NEW, descriptor({ base: NEW_TSS, limit: 0x67, type: 9, granular: false, big: false }));
}

/** Fills a 16-bit TSS. */
function writeTask16(task: Task = {}): void {
  const { eip = ENTRY, eflags = 2, cs = 8, ss = machine.data(0), ds = machine.data(0), ldt = 0, esp = 0x8000 } = task;
  machine.set16(NEW_TSS, task.link ?? 0);
  machine.set16(NEW_TSS + 0x0e, eip);
  machine.set16(NEW_TSS + 0x10, eflags);
  for (let index = 0; index < 8; index++) machine.set16(NEW_TSS + 0x12 + 2 * index, index === 4 ? esp : 0x1100 + index);
  for (const [index, value] of [ds, cs, ss, ds].entries()) machine.set16(NEW_TSS + 0x22 + 2 * index, value);
  machine.set16(NEW_TSS + 0x2a, ldt);
  machine.setDescriptor(NEW, descriptor({ base: NEW_TSS, limit: 0x2b, type: 1, granular: false, big: false }));
}

function execute(source: string, count = 20): string {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  return machine.run(count);
}

const outcome = (): string => {
  const event = machine.delivered();
  if (event !== undefined) return event.error === undefined ? `${event.vector}` : `${event.vector}(${event.error})`;
  return machine.get('rip') === ENTRY ? 'switched' : 'none';
};

const isBusy = (selector: number): boolean => (machine.descriptor(selector) & (1n << 41n)) !== 0n;

beforeEach(() => {
  machine.enter(0);
  writeTask32();
  machine.setDescriptor(GATE, gate({ selector: NEW, type: 5 }));
  machine.setGate(0x40, gate({ selector: NEW, type: 5 }));
});

const WAYS: [string, string, { busy: boolean; nested: boolean }][] = [
  ['JMP to the TSS', `jmp ${NEW}:0`, { busy: false, nested: false }],
  ['JMP to a task gate', `jmp ${GATE}:0`, { busy: false, nested: false }],
  ['CALL of the TSS', `call ${NEW}:0`, { busy: true, nested: true }],
  ['CALL of a task gate', `call ${GATE}:0`, { busy: true, nested: true }],
  ['INT through a task gate', 'int 0x40', { busy: true, nested: true }],
];

describe.each(WAYS)('%s', (_, source, { busy, nested }) => {
  const length = source.startsWith('int') ? 2 : 7;

  it('saves the old state, loads the new one, and keeps the books on busy, link, NT and TS', () => {
    machine.set({ rcx: 1, rdx: 2, rbx: 3, rbp: 5, rsi: 6, rdi: 7, rflags: 0x8d7 });
    execute(source);
    expect(outcome()).toBe('switched');
    expect([isBusy(OLD), isBusy(NEW), machine.get('tr'), machine.get('tr.base')]).toEqual([busy, true, NEW, NEW_TSS]);
    expect(machine.get('tr.attributes') & 0xf).toBe(0xb);
    expect(machine.get('cr0') & 8).toBe(8);
    expect(machine.get('rflags')).toBe(nested ? 0x4002 : 2);
    expect(machine.u16(NEW_TSS)).toBe(nested ? OLD : 0);
    expect(REGISTERS.map((name) => machine.get(name))).toEqual(
      REGISTERS.map((name, index) => (name === 'rsp' ? 0x1_8000 : 0x1111_0000 + index)),
    );
    expect(SEGMENTS.map((name) => machine.get(name))).toEqual([0x28, 8, 0x28, 0x28, 0x28, 0x28]);
    expect([machine.u32(OLD_TSS + 0x20), machine.u32(OLD_TSS + 0x24)]).toEqual([CODE + length, 0x8d7]);
    const saved = REGISTERS.map((__, index) => machine.u32(OLD_TSS + 0x28 + 4 * index));
    expect(saved).toEqual([0, 1, 2, 3, machine.stack(0), 5, 6, 7]);
    expect(SEGMENTS.map((__, index) => machine.u16(OLD_TSS + 0x48 + 4 * index))).toEqual([
      0x28, 8, 0x28, 0x28, 0x28, 0x28,
    ]);
  });

  it('of a 16-bit task loads what its TSS holds', () => {
    writeTask16();
    execute(source);
    expect(outcome()).toBe('switched');
    expect(REGISTERS.map((name) => machine.get(name) & 0xffff)).toEqual(
      REGISTERS.map((name, index) => (name === 'rsp' ? 0x8000 : 0x1100 + index)),
    );
    expect(SEGMENTS.map((name) => machine.get(name))).toEqual([0x28, 8, 0x28, 0x28, 0, 0]);
    expect([machine.u16(NEW_TSS), machine.get('rflags')]).toEqual(nested ? [OLD, 0x4002] : [0, 2]);
  });

  it('of a busy, an absent or a short task faults in the old one', () => {
    const results = (
      [
        { type: 0xb, limit: 0x67, present: true },
        { type: 9, limit: 0x67, present: false },
        { type: 9, limit: 0x66, present: true },
      ] as const
    ).map((fields) => {
      machine.enter(0);
      machine.setDescriptor(NEW, descriptor({ base: NEW_TSS, granular: false, ...fields }));
      execute(source);
      return [outcome(), machine.get('tr'), machine.delivered()?.eip];
    });
    expect(results).toEqual([
      [`13(${NEW})`, OLD, CODE],
      [`11(${NEW})`, OLD, CODE],
      [`10(${NEW})`, OLD, CODE],
    ]);
  });

  it('into virtual-8086 mode loads segments as the 8086 does', () => {
    writeTask32({ eflags: 0x2_0002, cs: 0x900, eip: 0x800, ss: 0x1000, ds: 0x2000 });
    execute(source);
    expect(['cs', 'ss', 'ds'].map((name) => machine.get(`${name}.base`))).toEqual([0x9000, 0x1_0000, 0x2_0000]);
    expect([machine.get('cpl'), machine.get('rip')]).toEqual([3, 0x800]);
  });

  // Every fault after the switch happens in the new task: its EIP is what is pushed, its TSS is in TR.
  it.each<[string, Task, string]>([
    ['an LDT that is not one', { ldt: 8 }, '10(8)'],
    ['an LDT selector into the LDT', { ldt: 0xc }, '10(12)'],
    ['an LDT that is not present', { ldt: NEW_LDT }, `10(${NEW_LDT})`],
    ['a null CS', { cs: 0 }, '10(0)'],
    ['data in CS', { cs: 0x28 }, '10(40)'],
    ['CS of another DPL than its RPL', { cs: 0x10 }, '10(16)'],
    ['CS that is not present', { cs: FREE }, `11(${FREE})`],
    ['a null SS', { ss: 0 }, '10(0)'],
    ['code in SS', { ss: 8 }, '10(8)'],
    ['SS of another ring', { ss: machine.data(3) }, `10(${machine.data(3) & 0xfc})`],
    ['SS that is not present', { ss: FREE + 8 }, `12(${FREE + 8})`],
    ['a data segment beyond the GDT', { ds: 0x7ff8 }, '10(32760)'],
    ['a data segment that is not present', { ds: FREE + 8 }, `11(${FREE + 8})`],
    ['EIP beyond CS', { cs: FREE + 16, eip: 0x1000 }, '13(0)'],
  ])('with %s faults in the new task', (__, task, expected) => {
    machine.setDescriptor(NEW_LDT, descriptor({ type: 2, present: false }));
    machine.setDescriptor(FREE, descriptor({ type: 0x1a, present: false }));
    machine.setDescriptor(FREE + 8, descriptor({ type: 0x13, present: false }));
    machine.setDescriptor(FREE + 16, descriptor({ type: 0x1b, limit: 0xfff, granular: false }));
    writeTask32(task);
    // A task of its own handles the fault, since the new one may have no stack. It finds the error code on its stack.
    const handlerTss = 0x6800;
    const handler = FREE + 24;
    for (let index = 0; index < 0x68; index += 4) machine.set32(handlerTss + index, 0);
    machine.set32(handlerTss + 0x20, 0x9900);
    machine.set32(handlerTss + 0x24, 2);
    machine.set32(handlerTss + 0x38, 0x1_9000);
    for (const [index, value] of [0, 8, 0x28, 0, 0, 0].entries()) machine.set32(handlerTss + 0x48 + 4 * index, value);
    machine.load(0x9900, [0xeb, 0xfe]);
    machine.setDescriptor(handler, descriptor({ base: handlerTss, limit: 0x67, type: 9, granular: false }));
    const vector = Number.parseInt(expected, 10);
    machine.setGate(vector, gate({ selector: handler, type: 5 }));
    execute(source);
    machine.setGate(vector, gate({ selector: 8, offset: ProtectedMachine.handlers + 16 * vector, type: 14 }));
    expect(machine.get('rip')).toBe(0x9900);
    expect(`${vector}(${machine.u32(machine.get('rsp'))})`).toBe(expected);
    expect([machine.u16(handlerTss), machine.u32(NEW_TSS + 0x20)]).toEqual([NEW, task.eip ?? ENTRY]);
  });
});

describe('privilege to switch', () => {
  it.each(['jmp', 'call'])('by %s to a TSS or a task gate is by its DPL, CPL and RPL', (transfer) => {
    const wrong: string[] = [];
    for (let levels = 0; levels < 64; levels++) {
      const [dpl, rpl, cpl] = [levels & 3, (levels >> 2) & 3, levels >> 4];
      for (const [selector, what] of [
        [NEW, 'TSS'],
        [GATE, 'gate'],
      ] as const) {
        machine.enter(cpl);
        writeTask32();
        if (what === 'TSS')
          machine.setDescriptor(NEW, descriptor({ base: NEW_TSS, limit: 0x67, type: 9, granular: false, dpl }));
        machine.setDescriptor(GATE, gate({ selector: NEW, type: 5, dpl }));
        execute(`${transfer} ${selector | rpl}:0`);
        const expected = dpl >= cpl && dpl >= rpl ? 'switched' : `13(${selector})`;
        if (outcome() !== expected)
          wrong.push(`${what} dpl=${dpl} rpl=${rpl} cpl=${cpl}: expected ${expected}, got ${outcome()}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('a nested task', () => {
  it('returns with IRET: NT is cleared in what it saves, its TSS is free again', () => {
    machine.assemble(0x9900, 'mov eax, 77\n iret\n mov eax, 78\n iret');
    writeTask32({ eip: 0x9900 });
    execute(`call ${NEW}:0\n mov ebx, 5`);
    expect([machine.get('tr'), machine.get('rbx'), isBusy(OLD), isBusy(NEW)]).toEqual([OLD, 5, true, false]);
    expect([machine.u32(NEW_TSS + 0x24), machine.u32(NEW_TSS + 0x28), machine.u32(NEW_TSS + 0x20)]).toEqual([
      2, 77, 0x9906,
    ]);
    expect(machine.get('rflags') & 0x4000).toBe(0);
  });

  it('continues after its IRET when it is called again', () => {
    machine.assemble(0x9900, 'mov eax, 77\n iret\n mov eax, 78\n iret');
    writeTask32({ eip: 0x9900 });
    execute(`call ${NEW}:0\n call ${NEW}:0\n mov ebx, 5`);
    expect([machine.get('rbx'), machine.u32(NEW_TSS + 0x28)]).toEqual([5, 78]);
  });

  it.each([
    ['not a TSS', 8, '10(8)'],
    ['a free TSS', NEW, `10(${NEW})`],
    ['in the LDT', 0xc, '10(12)'],
    ['null', 0, '10(0)'],
  ])('cannot return to a link that is %s', (_, link, expected) => {
    machine.set16(OLD_TSS, link);
    machine.set({ rflags: 0x4002 });
    execute('iret');
    expect(outcome()).toBe(expected);
    machine.set16(OLD_TSS, 0);
  });

  it('between 16-bit and 32-bit tasks comes back to where it was', () => {
    machine.assemble(0x9900, 'iret');
    writeTask16({ eip: 0x9900 });
    machine.set({ rsi: 0x1234_5678 });
    execute(`call ${NEW}:0\n mov ebx, 5`);
    expect([machine.get('tr'), machine.get('rbx'), machine.get('rsi')]).toEqual([OLD, 5, 0x1234_5678]);
  });
});

describe('an exception through a task gate', () => {
  it('puts its error code on the new task’s stack, and RF in the flags of the old', () => {
    machine.setGate(13, gate({ selector: NEW, type: 5 }));
    execute('mov ax, 0x7ff8\n mov ds, ax');
    machine.setGate(13, gate({ selector: 8, offset: ProtectedMachine.handlers + 16 * 13, type: 14 }));
    expect([outcome(), machine.get('rsp'), machine.u32(0x1_7ffc)]).toEqual(['switched', 0x1_7ffc, 0x7ff8]);
    expect([machine.u32(OLD_TSS + 0x20), machine.u32(OLD_TSS + 0x24) & 0x1_0000]).toEqual([CODE + 4, 0x1_0000]);
  });

  it('is how a double fault survives a broken stack', () => {
    machine.setGate(8, gate({ selector: NEW, type: 5 }));
    machine.setDescriptor(FREE, descriptor({ type: 0x13, limit: 0xff, granular: false }));
    execute(`mov eax, ${FREE}\n mov ss, ax\n mov esp, 2\n push eax`);
    machine.setGate(8, gate({ selector: 8, offset: ProtectedMachine.handlers + 16 * 8, type: 14 }));
    expect([outcome(), machine.u32(0x1_7ffc)]).toEqual(['switched', 0]);
  });
});

describe('the T bit of a TSS', () => {
  it('traps before the first instruction of the task, with BT in DR6', () => {
    writeTask32({ trap: 1 });
    execute(`jmp ${NEW}:0`);
    expect(machine.delivered()).toMatchObject({ vector: 1, eip: ENTRY });
    expect(machine.get('dr6') & 0xc000).toBe(0x8000);
  });
});

describe('a task switch with paging', () => {
  it('loads CR3', () => {
    // Two directories, both with the first 4 MiB mapped to themselves.
    for (const directory of [0x10_0000, 0x10_1000]) machine.set32(directory, 0x83);
    machine.set({ cr4: 0x10, cr3: 0x10_0000, cr0: 0x8000_0011 });
    writeTask32({ cr3: 0x10_1000 });
    execute(`jmp ${NEW}:0`);
    expect([outcome(), machine.get('cr3')]).toEqual(['switched', 0x10_1000]);
  });

  it('faults in the old task, before anything is written, when a TSS is not mapped', () => {
    machine.set32(0x10_0000, 0x10_2003);
    for (let page = 0; page < 1024; page++)
      machine.set32(0x10_2000 + 4 * page, page === NEW_TSS >> 12 ? 0 : (page << 12) | 3);
    machine.set({ cr3: 0x10_0000, cr0: 0x8000_0011 });
    machine.set32(OLD_TSS + 0x20, 0xdead);
    execute(`call ${NEW}:0`);
    expect([outcome(), machine.get('tr'), machine.u32(OLD_TSS + 0x20), isBusy(NEW)]).toEqual([
      '14(2)',
      OLD,
      0xdead,
      false,
    ]);
  });
});

describe('LTR and LLDT', () => {
  it('agree with the manual for every type', () => {
    const wrong: string[] = [];
    for (let type = 0; type < 32; type++) {
      for (const present of [true, false]) {
        for (const [source, fits] of [
          ['ltr', type === 1 || type === 9],
          ['lldt', type === 2],
        ] as const) {
          machine.enter(0);
          machine.setDescriptor(FREE, descriptor({ type, present, base: 0x7000, limit: 0x99, granular: false }));
          execute(`mov eax, ${FREE}\n ${source} ax`);
          const expected = fits ? (present ? 'none' : `11(${FREE})`) : `13(${FREE})`;
          if (outcome() !== expected) wrong.push(`${source} of type ${type}: expected ${expected}, got ${outcome()}`);
          if (source === 'ltr' && expected === 'none' && !isBusy(FREE)) wrong.push('LTR leaves the TSS free');
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('take a null selector: LLDT as no LDT, LTR as #GP(0)', () => {
    execute('xor eax, eax\n lldt ax\n ltr ax');
    expect([outcome(), machine.get('ldtr')]).toEqual(['13(0)', 0]);
  });
});
