import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ProtectedMachine } from './protected-machine.ts';

/**
 * Linear addresses: 0 to 2 MiB is the machine's, identity-mapped for everyone; the page under test is at TARGET, in a
 * directory entry of its own.
 */
const TARGET = 0x0080_0000;
const TARGET_LARGE = 0x0080_0000;
const FRAME = 0x4_0000;
const TABLES = 0x10_0000;

const P = 1n;
const W = 2n;
const U = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const G = 0x100n;
const NX = 1n << 63n;

/** CLFLUSH is checked as a read is. */
type Access = 'read' | 'write' | 'fetch' | 'flush';
const ACCESSES: readonly Access[] = ['read', 'write', 'fetch', 'flush'];

/** How a kind of paging lays out its structures. */
interface Layout {
  readonly cr4: number;
  /** Where CR3 points. */
  readonly root: number;
  readonly entrySize: 4 | 8;
  /** Addresses of the entries that map TARGET. */
  readonly upper: number;
  readonly leaf: number;
}

const TWO_LEVEL: Layout = {
  cr4: 0x10,
  root: TABLES,
  entrySize: 4,
  upper: TABLES + 4 * (TARGET >>> 22),
  leaf: TABLES + 0x2000,
};
const PAE: Layout = {
  cr4: 0x20,
  root: TABLES + 0x4000,
  entrySize: 8,
  upper: TABLES + 0x5000 + 8 * (TARGET >>> 21),
  leaf: TABLES + 0x7000,
};

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());

function setEntry({ entrySize }: Layout, at: number, value: bigint): void {
  if (entrySize === 4) machine.set32(at, Number(value));
  else machine.set64(at, value);
}

function entry({ entrySize }: Layout, at: number): bigint {
  const low = BigInt(machine.u32(at));
  return entrySize === 4 ? low : low | (BigInt(machine.u32(at + 4)) << 32n);
}

/** The machine's own first 2 MiB, with everything set that walks would set. */
function mapIdentity(): void {
  const full = P | W | U | A | D;
  for (let page = 0; page < 512; page++) {
    const frame = BigInt(page * 0x1000);
    setEntry(TWO_LEVEL, TABLES + 0x1000 + 4 * page, frame | full);
    setEntry(PAE, TABLES + 0x6000 + 8 * page, frame | full);
  }
  setEntry(TWO_LEVEL, TABLES, BigInt(TABLES + 0x1000) | full);
  setEntry(PAE, TABLES + 0x5000, BigInt(TABLES + 0x6000) | full);
  setEntry(PAE, PAE.root, BigInt(TABLES + 0x5000) | P);
}

/** Every page of 4 KiB that the test maps holds `jmp $`, so that a fetch from it stays. */
machine.load(FRAME, [0xeb, 0xfe, 0, 0]);
machine.load(0x20_0000, [0xeb, 0xfe, 0, 0]);
const labels = machine.assemble(
  ProtectedMachine.start,
  'read: mov al, [ebx]\n jmp $\nwrite: mov [ebx], al\n jmp $\nflush: clflush [ebx]\n jmp $\n',
);
mapIdentity();

function usePaging(layout: Layout, { cr0 = 0, cr4 = 0, efer = 0 } = {}): void {
  machine.set({ efer, cr4: layout.cr4 | cr4, cr3: layout.root, cr0: 0x8000_0011 | cr0 });
  if (layout !== PAE) return;
  for (let index = 0; index < 4; index++) {
    machine.engine.setRegister(`pdpte${index}`, entry(PAE, PAE.root + 8 * index));
  }
}

/** One access at `address` from `ring`: undefined when it went through, else what the page-fault handler sees. */
function attempt(access: Access, address = TARGET): { error: number; cr2: number } | undefined {
  const start = access === 'fetch' ? address : labels.get(access);
  machine.set({ rip: start ?? 0, rbx: address, rax: 0xeb });
  machine.run(2);
  const event = machine.delivered();
  if (event === undefined) return undefined;
  expect(event.vector).toBe(14);
  expect(event.eip).toBe(start);
  return { error: event.error ?? -1, cr2: machine.get('cr2') };
}

interface Rules {
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pae: boolean;
  readonly user: boolean;
}

/**
 * The manual's rules over again (SDM volume 3, sections 4.6 and 4.7), on the entries from the top: the error code, or
 * undefined for an access that goes through. `reserved` are the reserved bits of each entry.
 */
function expectedError(
  entries: readonly bigint[],
  reserved: readonly bigint[],
  access: Access,
  rules: Rules,
): number | undefined {
  const { wp, nxe, pae, user } = rules;
  const what = (access === 'write' ? 2 : 0) | (user ? 4 : 0) | (access === 'fetch' && nxe && pae ? 16 : 0);
  for (const [index, value] of entries.entries()) {
    if ((value & P) === 0n) return what;
    const noExecuteReserved = pae && !nxe ? NX : 0n;
    if ((value & ((reserved[index] ?? 0n) | noExecuteReserved)) !== 0n) return what | 9;
  }
  const all = (bit: bigint): boolean => entries.every((value) => (value & bit) !== 0n);
  if (user && !all(U)) return what | 1;
  if (access === 'write' && !all(W) && (user || wp)) return what | 1;
  if (access === 'fetch' && entries.some((value) => (value & NX) !== 0n)) return what | 1;
  return undefined;
}

function* combinations(bits: readonly bigint[]): Generator<bigint> {
  for (let number = 0; number < 1 << bits.length; number++) {
    yield bits.reduce((value, bit, index) => (((number >> index) & 1) === 1 ? value | bit : value), 0n);
  }
}

interface Case {
  readonly layout: Layout;
  readonly upper: bigint;
  /** Absent: the upper entry maps a large page. */
  readonly leaf?: bigint;
  readonly reserved: readonly bigint[];
}

const hex = (value: bigint): string => value.toString(16);

/** Tries every access at both privileges on one pair of entries; the first disagreement, or undefined. */
function disagreement(test: Case, wp: boolean, nxe: boolean): string | undefined {
  const { layout, upper, leaf, reserved } = test;
  const pae = layout === PAE;
  for (const user of [false, true]) {
    for (const access of ACCESSES) {
      machine.enter(user ? 3 : 0);
      setEntry(layout, layout.upper, upper);
      if (leaf !== undefined) setEntry(layout, layout.leaf, leaf);
      usePaging(layout, { cr0: wp ? 0x1_0000 : 0, efer: nxe ? 0x800 : 0 });
      const entries = leaf === undefined ? [upper] : [upper, leaf];
      const error = expectedError(entries, reserved, access, { wp, nxe, pae, user });
      const result = attempt(access);
      const where = `${hex(upper)} ${leaf === undefined ? '' : hex(leaf)} ${access} ${user ? 'user' : 'supervisor'} wp=${wp} nxe=${nxe}`;
      if (result?.error !== error) return `${where}: expected ${error}, got ${result?.error}`;
      if (result !== undefined && result.cr2 !== TARGET) return `${where}: CR2 is ${result.cr2}`;
      const marks = error === undefined ? (access === 'write' ? A | D : A) : 0n;
      const after = entry(layout, layout.upper);
      const upperMarks = leaf === undefined ? marks : marks & A;
      if (after !== (upper | upperMarks)) return `${where}: upper entry is ${hex(after)}`;
      if (leaf !== undefined && entry(layout, layout.leaf) !== (leaf | marks)) {
        return `${where}: leaf is ${hex(entry(layout, layout.leaf))}`;
      }
    }
  }
  return undefined;
}

function disagreements(cases: Iterable<Case>, modes: readonly { wp: boolean; nxe: boolean }[]): string[] {
  const found: string[] = [];
  for (const test of cases) {
    for (const { wp, nxe } of modes) {
      const text = disagreement(test, wp, nxe);
      if (text !== undefined) found.push(text);
    }
  }
  return found;
}

const WP_ONLY = [false, true].map((wp) => ({ wp, nxe: false }));
const WP_AND_NX = [false, true].flatMap((wp) => [false, true].map((nxe) => ({ wp, nxe })));

beforeEach(() => {
  machine.enter(0);
  machine.accesses.length = 0;
});

describe('every combination of permissions gives the manual’s result, error code, CR2, accessed and dirty bits', () => {
  it('in 32-bit paging with 4 KiB pages', () => {
    function* cases(): Generator<Case> {
      for (const upper of combinations([P, W, U])) {
        for (const leaf of combinations([P, W, U, A, D])) {
          yield {
            layout: TWO_LEVEL,
            upper: upper | BigInt(TABLES + 0x2000),
            leaf: leaf | BigInt(FRAME),
            reserved: [0n, 0n],
          };
        }
      }
    }
    expect(disagreements(cases(), WP_ONLY)).toEqual([]);
  });

  it('in 32-bit paging with 4 MiB pages', () => {
    function* cases(): Generator<Case> {
      for (const upper of combinations([P, W, U, A, D, 0x20_0000n])) {
        yield { layout: TWO_LEVEL, upper: upper | PS, reserved: [0x20_0000n] };
      }
    }
    machine.load(0, [0xeb, 0xfe]);
    expect(disagreements(cases(), WP_ONLY)).toEqual([]);
  });

  it('in PAE paging with 4 KiB pages', () => {
    const reserved = 1n << 51n;
    function* cases(): Generator<Case> {
      for (const upper of combinations([P, W, U, NX, reserved])) {
        for (const leaf of combinations([P, W, U, NX, reserved])) {
          yield {
            layout: PAE,
            upper: upper | BigInt(TABLES + 0x7000),
            leaf: leaf | BigInt(FRAME),
            reserved: [reserved, reserved],
          };
        }
      }
    }
    expect(disagreements(cases(), WP_AND_NX)).toEqual([]);
  });

  it('in PAE paging with 2 MiB pages', () => {
    const reserved = 0x2000n;
    function* cases(): Generator<Case> {
      for (const upper of combinations([P, W, U, A, D, NX, reserved])) {
        yield { layout: PAE, upper: upper | PS | 0x20_0000n, reserved: [reserved] };
      }
    }
    expect(disagreements(cases(), WP_AND_NX)).toEqual([]);
  });
});

describe('32-bit paging', () => {
  it('takes PS for nothing while CR4.PSE is clear', () => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, BigInt(TABLES + 0x2000) | P | W | PS);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf, BigInt(FRAME) | P | W);
    machine.set({ cr4: 0, cr3: TABLES, cr0: 0x8000_0011 });
    machine.bytes[FRAME + 3] = 0x5a;
    expect(attempt('read', TARGET + 3)).toBeUndefined();
    expect(machine.get('rax') & 0xff).toBe(0x5a);
  });

  it('reaches above 4 GiB with a 4 MiB page', () => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, P | W | PS | (0x12n << 13n) | 0x0040_0000n);
    usePaging(TWO_LEVEL);
    machine.answer = () => 0x5a;
    expect(attempt('read', TARGET_LARGE + 0x1234)).toBeUndefined();
    expect(machine.accesses).toEqual([{ kind: 'read', address: 0x12_0040_1234, size: 1, value: 0x5a }]);
  });

  it('reads a page table that lies in no memory as all-ones', () => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, 0xf000_0000n | P | W);
    usePaging(TWO_LEVEL);
    machine.answer = () => 0;
    expect(attempt('read')).toBeUndefined();
    expect(machine.accesses).toEqual([{ kind: 'read', address: 0xffff_f000, size: 1, value: 0 }]);
  });
});

describe('PAE paging', () => {
  it('reserves every bit of an entry from the physical width up to 62', () => {
    const passed: number[] = [];
    for (let bit = 40n; bit < 63n; bit++) {
      setEntry(PAE, PAE.upper, BigInt(TABLES + 0x7000) | P | W);
      setEntry(PAE, PAE.leaf, BigInt(FRAME) | P | W | (1n << bit));
      usePaging(PAE);
      if (attempt('read')?.error !== 9) passed.push(Number(bit));
    }
    expect(passed).toEqual([]);
  });

  it('faults as not present where a PDPTE is clear', () => {
    usePaging(PAE);
    expect(attempt('write', 0x4000_0000)).toEqual({ error: 2, cr2: 0x4000_0000 });
  });

  it.each([
    ['a reserved low bit', P | 2n],
    ['a reserved middle bit', P | 0x20n],
    ['an address beyond the physical width', P | (1n << 40n)],
    ['bit 63', P | NX],
  ])('refuses with #GP a CR3 with %s in a PDPTE, and keeps the old one', (_, bits) => {
    usePaging(PAE);
    machine.set64(TABLES + 0x9000, bits);
    machine.set64(TABLES + 0x9008, 0n);
    machine.set64(TABLES + 0x9010, 0n);
    machine.set64(TABLES + 0x9018, 0n);
    machine.assemble(0x9000, 'mov cr3, eax\n jmp $');
    machine.set({ rax: TABLES + 0x9000, rip: 0x9000 });
    machine.run(2);
    expect(machine.delivered()).toMatchObject({ vector: 13, error: 0, eip: 0x9000 });
    expect(machine.get('cr3')).toBe(PAE.root);
  });

  it('reads PDPTEs when CR3 is loaded, not when they are used', () => {
    setEntry(PAE, PAE.upper, BigInt(TABLES + 0x7000) | P | W);
    setEntry(PAE, PAE.leaf, BigInt(FRAME) | P | W);
    usePaging(PAE);
    machine.set64(PAE.root, 0n);
    expect(attempt('read')).toBeUndefined();
    machine.set64(PAE.root, BigInt(TABLES + 0x5000) | P);
  });
});

describe('the TLB', () => {
  const map = (frame: number, bits: bigint = P | W): void => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, BigInt(TABLES + 0x2000) | P | W);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf, BigInt(frame) | bits);
  };

  /** Reads through TARGET, moves the page, executes `between`, reads again: the two values. */
  function readTwice(between: string, bits: bigint, cr4 = 0): number[] {
    machine.bytes[0x5_0000] = 1;
    machine.bytes[0x5_1000] = 2;
    map(0x5_0000, bits);
    usePaging(TWO_LEVEL, { cr4 });
    machine.assemble(0x9000, `mov al, [ebx]\n cmp eax, eax\n${between}\n mov cl, [ebx]\n jmp $`);
    machine.set({ rip: 0x9000, rbx: TARGET, rdx: TABLES, rsi: 0x10 | cr4 });
    machine.run(1);
    map(0x5_1000, bits);
    machine.run(20);
    return [machine.get('rax') & 0xff, machine.get('rcx') & 0xff];
  }

  it.each([
    ['INVLPG drops a page', 'out 0x80, al\n invlpg [ebx]', P | W, 0],
    ['INVLPG drops a global page', 'out 0x80, al\n invlpg [ebx]', P | W | G, 0x80],
    ['a load of CR3 drops a page', 'out 0x80, al\n mov cr3, edx', P | W, 0x80],
    ['a load of CR3 drops a page marked global while CR4.PGE is clear', 'out 0x80, al\n mov cr3, edx', P | W | G, 0],
    ['a change of CR4.PGE drops global pages', 'out 0x80, al\n xor esi, 0x80\n mov cr4, esi', P | W | G, 0x80],
  ])('%s', (_, between, bits, cr4) => {
    machine.answer = () => 0;
    expect(readTwice(between, bits, cr4)).toEqual([1, 2]);
  });

  it('keeps a global page over a load of CR3', () => {
    expect(readTwice('out 0x80, al\n mov cr3, edx', P | W | G, 0x80)).toEqual([1, 1]);
  });

  it('drops all of a large page with INVLPG of any part', () => {
    machine.bytes[0x40_0000] = 3;
    machine.bytes[0x80_0000] = 4;
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, 0x40_0000n | P | W | PS);
    usePaging(TWO_LEVEL);
    machine.assemble(0x9000, 'mov al, [ebx]\n out 0x80, al\n invlpg [ebx+0x5000]\n mov cl, [ebx]\n jmp $');
    machine.set({ rip: 0x9000, rbx: TARGET });
    machine.run(1);
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, 0x80_0000n | P | W | PS);
    machine.run(20);
    expect([machine.get('rax') & 0xff, machine.get('rcx') & 0xff]).toEqual([3, 4]);
  });

  it('lets a supervisor write a read-only page until CR0.WP is set', () => {
    map(FRAME + 0x1000, P);
    usePaging(TWO_LEVEL);
    machine.assemble(0x9000, 'mov [ebx], al\n out 0x80, al\n mov cr0, edx\n mov [ebx], al\n jmp $');
    machine.set({ rip: 0x9000, rbx: TARGET, rdx: 0x8001_0011 });
    machine.run(20);
    expect(machine.delivered()).toMatchObject({ vector: 14, error: 3 });
  });

  it('sets the dirty bit with the first write after reads', () => {
    map(FRAME, P | W);
    usePaging(TWO_LEVEL);
    expect(attempt('read')).toBeUndefined();
    expect(entry(TWO_LEVEL, TWO_LEVEL.leaf) & D).toBe(0n);
    expect(attempt('write')).toBeUndefined();
    expect(entry(TWO_LEVEL, TWO_LEVEL.leaf) & D).toBe(D);
  });
});

describe('an access that crosses pages', () => {
  const twoPages = (second: bigint): void => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, BigInt(TABLES + 0x2000) | P | W | U);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf, 0x5_0000n | P | W | U);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf + 4, second);
    usePaging(TWO_LEVEL);
  };

  it.each([1, 2, 3])('writes nothing when the second page faults, %i bytes into the first', (bytes) => {
    twoPages(0n);
    machine.set32(0x5_0ffc, 0x1122_3344);
    machine.assemble(0x9000, 'mov [ebx], eax\n jmp $');
    machine.set({ rip: 0x9000, rbx: TARGET + 0x1000 - bytes, rax: 0xdead_beef });
    machine.run(2);
    expect(machine.delivered()).toMatchObject({ vector: 14, error: 2, eip: 0x9000 });
    expect(machine.get('cr2')).toBe(TARGET + 0x1000);
    expect(machine.u32(0x5_0ffc)).toBe(0x1122_3344);
  });

  it.each([1, 2, 3])('reads and writes both pages, %i bytes in the first', (bytes) => {
    twoPages(0x7_3000n | P | W | U);
    machine.assemble(0x9000, 'mov [ebx], eax\n mov ecx, [ebx]\n jmp $');
    machine.set({ rip: 0x9000, rbx: TARGET + 0x1000 - bytes, rax: 0xdead_beef });
    machine.run(3);
    expect(machine.get('rcx')).toBe(0xdead_beef);
    const parts = [0, 1, 2, 3].map((index) =>
      machine.u8(index < bytes ? 0x5_1000 - bytes + index : 0x7_3000 + index - bytes),
    );
    expect(parts).toEqual([0xef, 0xbe, 0xad, 0xde]);
  });

  it('splits into bytes where a page is not memory', () => {
    twoPages(0xe000_0000n | P | W | U);
    machine.assemble(0x9000, 'mov [ebx], eax\n jmp $');
    machine.set({ rip: 0x9000, rbx: TARGET + 0xffe, rax: 0x4433_2211 });
    machine.run(2);
    expect(machine.accesses).toEqual([
      { kind: 'write', address: 0xe000_0000, size: 1, value: 0x33 },
      { kind: 'write', address: 0xe000_0001, size: 1, value: 0x44 },
    ]);
    expect(machine.u16(0x5_0ffe)).toBe(0x2211);
  });

  it('wraps from the top of the linear address space to its bottom', () => {
    machine.assemble(0x9000, 'mov [ebx], eax\n jmp $');
    machine.set({ rip: 0x9000, rbx: 0xffff_fffe, rax: 0x4433_2211, cr0: 0x11 });
    machine.run(2);
    expect(machine.accesses).toEqual([
      { kind: 'write', address: 0xffff_fffe, size: 1, value: 0x11 },
      { kind: 'write', address: 0xffff_ffff, size: 1, value: 0x22 },
    ]);
    expect(machine.u16(0)).toBe(0x4433);
  });
});

describe('address line 20', () => {
  it('is 0 on the bus while the gate is closed', () => {
    machine.bytes[0x10_0500] = 7;
    machine.bytes[0x500] = 6;
    machine.assemble(0x9000, 'mov al, [0x100500]\n jmp $');
    const read = (open: boolean): number => {
      machine.engine.setA20(open);
      machine.set({ rip: 0x9000 });
      machine.run(2);
      return machine.get('rax') & 0xff;
    };
    expect([read(false), read(true)]).toEqual([6, 7]);
  });
});

describe('translate', () => {
  it('tells where an address leads without faulting, setting a bit or filling the TLB', () => {
    setEntry(TWO_LEVEL, TWO_LEVEL.upper, BigInt(TABLES + 0x2000) | P);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf, BigInt(FRAME) | P);
    setEntry(TWO_LEVEL, TWO_LEVEL.leaf + 4, 0n);
    usePaging(TWO_LEVEL);
    expect(machine.engine.translate(TARGET + 0x123)).toBe(FRAME + 0x123);
    expect(machine.engine.translate(TARGET + 0x1123)).toBeUndefined();
    expect([entry(TWO_LEVEL, TWO_LEVEL.upper) & A, entry(TWO_LEVEL, TWO_LEVEL.leaf) & A]).toEqual([0n, 0n]);
    machine.enter(0);
    expect(machine.engine.translate(0xffff_fff0)).toBe(0xffff_fff0);
  });
});
