import { afterAll, expect, it } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { ProtectedMachine, gate } from './protected-machine.ts';
import { FIELD } from './table/layout.ts';

/**
 * Random page-table edits, each with the invalidation that it needs, and random accesses of 1, 2 and 4 bytes from ring 0
 * and ring 3, compared after every one with a model that knows page tables and nothing of a TLB: error code, CR2,
 * value, accessed and dirty bits. Everything is done by guest instructions, so that nothing but they touch the TLB.
 *
 *     SKEP_SEED=… npx vitest run src/cpu/x86/tlb
 */
const STEPS = 30_000;

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());

const DIRECTORY = 0x10_0000;
const OWN_TABLE = 0x10_1000;
const TABLE = 0x10_2000;
const WINDOW = 0x80_0000;
const PAGES = 6;
/** As many frames as that pages share some. */
const FRAMES = [0x5_0000, 0x5_1000, 0x6_4000, 0x6_5000];
const SNIPPETS = 0x9000;

const [P, W, U, A, D, G] = [1, 2, 4, 0x20, 0x40, 0x100] as const;

const labels = machine.assemble(
  SNIPPETS,
  `read1: mov al, [ebx]
  jmp $
  read2: mov ax, [ebx]
  jmp $
  read4: mov eax, [ebx]
  jmp $
  write1: mov [ebx], al
  jmp $
  write2: mov [ebx], ax
  jmp $
  write4: mov [ebx], eax
  jmp $
  modify4: add [ebx], eax
  jmp $
  invalidate: invlpg [ebx]
  jmp $
  reload: mov ecx, cr3
  mov cr3, ecx
  jmp $
  control: mov cr0, eax
  jmp $
  outward: iret
  inner: jmp $
  inward: int 0x40
  jmp $`,
);

/** Registers are set behind the engine's back: setRegister would flush the TLB. */
function poke(register: number, value: number): void {
  machine.engine.state.setBigUint64(FIELD.REGS + 8 * register, BigInt(value >>> 0), true);
}

const [EAX, EBX, ESP] = [0, 3, 4] as const;

function runSnippet(name: string, { eax = 0, ebx = 0 } = {}): void {
  poke(EAX, eax);
  poke(EBX, ebx);
  machine.engine.state.setBigUint64(FIELD.RIP, BigInt(labels.get(name) ?? 0), true);
  machine.run(3);
}

/** The tables as the model has them, and the ring and CR0.WP. */
const entries: number[] = Array.from({ length: PAGES }, () => 0);
let ring = 0;
let writeProtect = false;

function start(): void {
  machine.enter(0);
  machine.setGate(0x40, gate({ selector: 8, offset: ProtectedMachine.handlers + 0x400, type: 14, dpl: 3 }));
  machine.set32(DIRECTORY, OWN_TABLE | 0x27);
  machine.set32(DIRECTORY + 8, TABLE | 0x27);
  for (let page = 0; page < 1024; page++) machine.set32(OWN_TABLE + 4 * page, (page << 12) | 0x67);
  for (const [page, value] of entries.entries()) machine.set32(TABLE + 4 * page, value);
  // Data of ring 3 serves both rings, and stays when the ring changes.
  machine.setSegment('ds', machine.data(3), 0xc0f3, 0, 0xffff_ffff);
  machine.set({ cr4: 0x80, cr3: DIRECTORY, cr0: 0x8000_0011 });
}

function toRing(wanted: number): void {
  if (wanted === ring) return;
  if (wanted === 0) {
    runSnippet('inward');
    poke(ESP, machine.stack(0));
  } else {
    const frame = [labels.get('inner') ?? 0, machine.code(3), 2, machine.stack(3), machine.data(3)];
    for (const [index, value] of frame.entries()) machine.set32(machine.stack(0) - 0x20 + 4 * index, value);
    poke(ESP, machine.stack(0) - 0x20);
    runSnippet('outward');
  }
  ring = wanted;
}

/** The error code of an access to one page, by the entry alone; notes accessed and dirty bits when there is none. */
function modelPage(page: number, write: boolean): number | undefined {
  const value = entries[page] ?? 0;
  const what = (write ? 2 : 0) | (ring === 3 ? 4 : 0);
  if ((value & P) === 0) return what;
  const refused = (ring === 3 && (value & U) === 0) || (write && (value & W) === 0 && (ring === 3 || writeProtect));
  if (refused) return what | 1;
  entries[page] = value | A | (write ? D : 0);
  return undefined;
}

/** Where a byte of the window is in memory, by the entries. */
const place = (address: number): number => ((entries[(address - WINDOW) >> 12] ?? 0) & 0xffff_f000) | (address & 0xfff);

interface Result {
  readonly fault: number | undefined;
  readonly cr2: number | undefined;
}

function model(address: number, size: number, write: boolean): Result {
  const pages = new Set([(address - WINDOW) >> 12, (address + size - 1 - WINDOW) >> 12]);
  for (const page of pages) {
    const fault = modelPage(page, write);
    if (fault !== undefined) return { fault, cr2: Math.max(address, WINDOW + 0x1000 * page) };
  }
  return { fault: undefined, cr2: undefined };
}

function observed(): Result {
  const event = machine.delivered();
  if (event === undefined) return { fault: undefined, cr2: undefined };
  expect(event.vector).toBe(14);
  const cr2 = machine.get('cr2');
  // The handler is in ring 0, and its frame goes.
  poke(ESP, machine.stack(0));
  ring = 0;
  return { fault: event.error, cr2 };
}

const valueAt = (address: number, size: number): number =>
  Array.from({ length: size }, (_, index) => machine.u8(place(address + index)) * 2 ** (8 * index)).reduce(
    (sum, part) => sum + part,
    0,
  );

function randomAccess(random: Random): void {
  const kind = random.pick(['read', 'write', 'modify']);
  const size = kind === 'modify' ? 4 : random.pick([1, 2, 4]);
  const offset = random.once(2) ? random.below(0x1000) : 0xffc + random.below(4);
  const address = Math.min(WINDOW + 0x1000 * random.below(PAGES) + offset, WINDOW + 0x1000 * PAGES - size);
  const value = random.below(0x7fff_ffff);
  const asked = ring;
  const before = entries.slice();
  const expected = model(address, size, kind !== 'read');
  const old = expected.fault === undefined ? valueAt(address, size) : 0;
  runSnippet(`${kind}${size}`, { eax: value, ebx: address });
  const rax = machine.get('rax');
  const what = `${kind}${size} at ${address.toString(16)} from ring ${asked}, wp=${writeProtect}, entries ${before.map((entry) => entry.toString(16)).join()}`;
  expect(observed(), what).toEqual(expected);
  expect(
    entries.map((_, page) => machine.u32(TABLE + 4 * page)),
    what,
  ).toEqual(entries);
  if (expected.fault !== undefined) return;
  const mask = 2 ** (8 * size);
  const wanted = kind === 'read' ? old : kind === 'write' ? value % mask : (old + value) % mask;
  if (kind === 'read') expect(rax % mask, what).toBe(wanted);
  // Of two pages that share a frame the later byte counts, as in memory.
  else if (new Set([place(address) >> 12, place(address + size - 1) >> 12]).size === 1)
    expect(valueAt(address, size), what).toBe(wanted);
}

/** Changes an entry and drops the old one as software must: a global one by INVLPG, else by that or a load of CR3. */
function randomEdit(random: Random): void {
  const page = random.below(PAGES);
  const old = entries[page] ?? 0;
  const bits = [P, W, U, A, D, G].reduce((sum, bit) => (random.below(bit === P ? 8 : 2) === 0 ? sum : sum | bit), 0);
  entries[page] = random.pick(FRAMES) | bits;
  machine.set32(TABLE + 4 * page, entries[page] ?? 0);
  toRing(0);
  if ((old & G) !== 0 || random.once(2))
    runSnippet('invalidate', { ebx: WINDOW + 0x1000 * page + random.below(0x1000) });
  else runSnippet('reload');
}

it(`translations agree with the page tables, whatever was done before (seed ${SEED})`, () => {
  const random = new Random(SEED);
  start();
  for (let step = 0; step < STEPS; step++) {
    const choice = random.below(20);
    if (choice < 3) randomEdit(random);
    else if (choice < 5) toRing(random.below(2) * 3);
    else if (choice === 5) {
      toRing(0);
      writeProtect = random.once(2);
      runSnippet('control', { eax: writeProtect ? 0x8001_0011 : 0x8000_0011 });
    } else randomAccess(random);
  }
});
