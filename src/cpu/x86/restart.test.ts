import { afterAll, describe, expect, it } from 'vitest';
import { descriptor, gate, ProtectedMachine } from './protected-machine.ts';
import { REGISTER_PLACES } from './registers.ts';
import { EXIT, FIELD } from './table/layout.ts';

/**
 * Whatever page is missing on the way, an instruction either happens or leaves no trace: each transfer is tried with
 * each page taken away in turn. The IDT ends before the page fault's gate, so that the fault shuts the processor down
 * where it stood and its whole state can be looked at.
 */
const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());

const { gdt, idt, tss } = ProtectedMachine;
const DIRECTORY = 0x10_0000;
const TABLE = 0x10_1000;
const CODE = 0x9000;
const ARRIVED = 0xa000;
const OUTER_STACK = 0x1_8800;
const LOCAL = 0x84;
const GATE = 0x88;
const TASK = 0x90;
const TASK_TSS = 0x2_2ff0;
const POINTER = 0x2_6ffd;
machine.load(ARRIVED, [0xeb, 0xfe]);

/** What must not change; RIP of course stays at the instruction. */
const STATE = [...REGISTER_PLACES.keys(), 'rflags'].filter(
  (name) => !['start_rip', 'cr2', 'mode', 'shadow', 'halted'].includes(name),
);

const state = (): string => STATE.map((name) => `${name}=${machine.engine.register(name)}`).join(' ');

function push(at: number, values: readonly number[]): void {
  for (const [index, value] of values.entries()) machine.set32(at + 4 * index, value);
}

interface Transfer {
  readonly name: string;
  readonly ring: number;
  readonly source: string;
  /** Pages that it touches: each of them missing must be noticed. */
  readonly pages: readonly number[];
  prepare?(): void;
}

const TRANSFERS: readonly Transfer[] = [
  { name: 'a far jump', ring: 0, source: `jmp ${LOCAL}:${ARRIVED}`, pages: [ProtectedMachine.ldt] },
  {
    name: 'a far jump through memory that crosses a page',
    ring: 0,
    source: `jmp far [${POINTER}]`,
    pages: [0x2_6000, 0x2_7000, ProtectedMachine.ldt],
  },
  {
    name: 'a far call',
    ring: 0,
    source: `call ${LOCAL}:${ARRIVED}`,
    pages: [ProtectedMachine.ldt, machine.stack(0) - 0x1000],
  },
  {
    name: 'a call to an inner level with parameters',
    ring: 3,
    source: `call ${GATE | 3}:0`,
    pages: [gdt, tss, machine.stack(0) - 0x1000, OUTER_STACK & ~0xfff],
    prepare: () => machine.set({ rsp: OUTER_STACK }),
  },
  {
    name: 'an interrupt to an inner level',
    ring: 3,
    source: 'int 0',
    pages: [gdt, idt, tss, machine.stack(0) - 0x1000],
  },
  { name: 'an interrupt to the same level', ring: 0, source: 'int 0', pages: [gdt, idt, machine.stack(0) - 0x1000] },
  {
    name: 'a far return to an outer level',
    ring: 0,
    source: 'retf 4',
    pages: [gdt, 0x2_4000, 0x2_5000],
    prepare: () => {
      push(0x2_4ff8, [ARRIVED, machine.code(3), 0, OUTER_STACK, machine.data(3)]);
      machine.set({ rsp: 0x2_4ff8 });
    },
  },
  {
    name: 'IRET to an outer level',
    ring: 0,
    source: 'iret',
    pages: [gdt, 0x2_4000, 0x2_5000],
    prepare: () => {
      push(0x2_4ff4, [ARRIVED, machine.code(3), 0x3202, OUTER_STACK, machine.data(3)]);
      machine.set({ rsp: 0x2_4ff4 });
    },
  },
  {
    name: 'IRET to virtual-8086 mode',
    ring: 0,
    source: 'iret',
    pages: [0x2_4000, 0x2_5000],
    prepare: () => {
      push(0x2_4ff0, [ARRIVED & 0xffff, 0, 0x2_0202, 0x800, 0x1000, 1, 2, 3, 4]);
      machine.set({ rsp: 0x2_4ff0 });
    },
  },
  {
    name: 'a task switch',
    ring: 0,
    source: `jmp ${TASK}:0`,
    pages: [gdt, tss, TASK_TSS & ~0xfff, (TASK_TSS & ~0xfff) + 0x1000],
  },
  { name: 'a load of SS', ring: 0, source: 'mov eax, 0x28\n mov ss, ax', pages: [gdt] },
  {
    name: 'LES across a page',
    ring: 0,
    source: `les eax, [${POINTER}]`,
    pages: [0x2_6000, 0x2_7000, ProtectedMachine.ldt],
  },
  { name: 'POP of a segment', ring: 0, source: 'push dword 0x84\n pop es', pages: [ProtectedMachine.ldt] },
  { name: 'LTR', ring: 0, source: `mov eax, ${TASK}\n ltr ax`, pages: [gdt] },
];

function mapAll(): void {
  machine.set32(DIRECTORY, TABLE | 7);
  for (let page = 0; page < 1024; page++) machine.set32(TABLE + 4 * page, (page << 12) | 7);
}

function prepare(transfer: Transfer): void {
  mapAll();
  machine.enter(transfer.ring);
  machine.setDescriptor(LOCAL, descriptor({ type: 0x1a }));
  machine.setDescriptor(GATE, gate({ selector: 8, offset: ARRIVED, type: 12, dpl: 3, parameters: 2 }));
  machine.setDescriptor(TASK, descriptor({ base: TASK_TSS, limit: 0x67, type: 9, granular: false }));
  machine.setGate(0, gate({ selector: 8, offset: ARRIVED, type: 14, dpl: 3 }));
  push(
    TASK_TSS,
    Array.from({ length: 26 }, () => 0),
  );
  push(TASK_TSS + 0x1c, [DIRECTORY, ARRIVED, 2]);
  push(TASK_TSS + 0x4c, [8, machine.data(0)]);
  machine.set32(POINTER, ARRIVED);
  machine.set16(POINTER + 4, LOCAL);
  const labels = machine.assemble(CODE, `${transfer.source.replace(/[^\n]*$/, 'last: $&')}\n jmp $`);
  transfer.prepare?.();
  machine.set({ 'idtr.limit': 7, cr3: DIRECTORY, cr0: 0x8000_0011, rip: CODE });
  runUpTo(labels.get('last') ?? CODE);
}

/** Executes what comes before the instruction at `last`: a loop stands in for it meanwhile. */
function runUpTo(last: number): void {
  const code = machine.bytes.slice(last, last + 2);
  machine.load(last, [0xeb, 0xfe]);
  machine.run(10);
  machine.load(last, code);
}

describe.each(TRANSFERS)('$name', (transfer) => {
  it('happens when every page is there', () => {
    prepare(transfer);
    expect(machine.run(3)).toBe('limit');
  });

  it('leaves the processor as it was when a page is missing, and happens when the page is back', () => {
    for (const page of transfer.pages) {
      prepare(transfer);
      machine.set32(TABLE + 4 * (page >> 12), page);
      machine.set({ cr3: DIRECTORY });
      const before = state();
      expect(machine.run(3), `without ${page.toString(16)}`).toBe('shutdown');
      expect(state(), `without ${page.toString(16)}`).toBe(before);
      expect(machine.get('cr2') & ~0xfff).toBe(page);
      machine.set32(TABLE + 4 * (page >> 12), page | 7);
      machine.set({ cr3: DIRECTORY });
      // Out of the shutdown without the reset that it takes in truth.
      machine.engine.state.setUint32(FIELD.EXIT_32, EXIT.NONE, true);
      expect(machine.run(3)).toBe('limit');
      expect(machine.get('rip')).not.toBe(CODE);
    }
  });
});

describe('a page fault on the way to the handler', () => {
  const missing = 0x3_0000;

  /** Faults with `vector` while the handlers of `unreachable` lie behind a missing page of descriptors. */
  function fault(source: string, unreachable: readonly number[]): string {
    mapAll();
    machine.enter(0);
    // These handlers' code segment is in an LDT that is not mapped.
    machine.set({ 'ldtr.base': missing });
    for (let vector = 0; vector < 32; vector++) {
      const selector = unreachable.includes(vector) ? LOCAL : 8;
      machine.setGate(vector, gate({ selector, offset: ProtectedMachine.handlers + 16 * vector, type: 14 }));
    }
    machine.set32(TABLE + 4 * (missing >> 12), 0);
    machine.assemble(CODE, `${source}\n jmp $`);
    machine.set({ cr3: DIRECTORY, cr0: 0x8000_0011, rip: CODE });
    const exit = machine.run(3);
    return exit === 'shutdown' ? exit : `${machine.delivered()?.vector}(${machine.delivered()?.error})`;
  }

  it.each([
    ['of a benign exception is a page fault', 'ud2', [6], '14(0)'],
    ['of a contributory one is a page fault', 'xor ecx, ecx\n div ecx', [0], '14(0)'],
    ['of a page fault is a double fault', `mov eax, [${missing}]`, [14], '8(0)'],
    [
      'of a contributory one, whose handler is missing too, is a double fault',
      'xor ecx, ecx\n div ecx',
      [0, 14],
      '8(0)',
    ],
    ['of a double fault is the end', `mov eax, [${missing}]`, [14, 8], 'shutdown'],
    ['of INT n is a page fault', 'int 7', [7], '14(0)'],
  ])('%s', (_, source, unreachable, expected) => {
    expect(fault(source, unreachable)).toBe(expected);
  });

  it('followed by a contributory fault is a double fault', () => {
    fault('nop', []);
    // The page fault's gate is absent: #NP on the way to #PF.
    machine.setGate(14, gate({ selector: 8, type: 14, present: false }));
    machine.assemble(CODE, `mov eax, [${missing}]\n jmp $`);
    machine.set({ rip: CODE });
    machine.run(3);
    expect(machine.delivered()).toMatchObject({ vector: 8, error: 0, eip: CODE });
  });
});
