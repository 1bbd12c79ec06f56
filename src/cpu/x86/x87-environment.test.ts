import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';
import { LongMachine } from './long-machine.ts';

/**
 * What FNSTENV, FNSAVE and FXSAVE tell of the last x87 instruction that was not a control instruction: where it was, its
 * opcode, and where its operand was, in each of the formats (SDM volume 1, figures 8-9 to 8-12; volume 2, FXSAVE).
 */
const CODE = 0x1000;
const DATA = 0x6000;
const CONTROL = 0x37f;
const HIGH = 0xffff_8000_0000_0000n;
/** D8 35: FDIV with a 32-bit operand at a 32-bit offset, D8 36 at a 16-bit one, as bits 10:0. */
const OPCODE = { 16: 0x036, 32: 0x035, 64: 0x034 } as const;

/** One divided by nothing: infinity, which the tag word calls special. */
const PROGRAM = 'fninit\nfld1\nat: fdiv dword [number]\nfnstcw [scratch]\n';
const names = (data: number): string =>
  `number equ ${data + 0x20}\nscratch equ ${data + 0x30}\nimage equ ${data + 0x40}\n`;

describe('in real mode', () => {
  const machine = new BareMachine();
  afterAll(() => machine[Symbol.dispose]());

  function run(store: string): number {
    machine.engine.reset();
    for (const name of ['cs', 'ds', 'es', 'ss'])
      machine.set({ [`${name}.base`]: name === 'cs' ? 0x300 : 0x1230, [name]: name === 'cs' ? 0x30 : 0x123 });
    machine.set({ rip: CODE - 0x300, cr0: 0x10 });
    const source = `${names(DATA - 0x1230)}org ${CODE - 0x300}\n${PROGRAM}${store} [image]\nhlt`;
    const labels = machine.assemble(CODE, source, 16);
    expect(machine.run(100)).toBe('halt');
    return (labels.get('at') ?? 0) + 0x300;
  }

  it.each(['fnstenv', 'fnsave'])('%s of 14 bytes has linear addresses of 20 bits', (store) => {
    const at = run(store);
    const image = Array.from({ length: 7 }, (_, index) => machine.u16(DATA + 0x40 + 2 * index));
    const number = DATA + 0x20;
    expect(image).toEqual([
      CONTROL,
      0x3804,
      0xbfff,
      at & 0xffff,
      ((at >> 4) & 0xf000) | OPCODE[16],
      number & 0xffff,
      (number >> 4) & 0xf000,
    ]);
  });

  it.each(['o32 fnstenv', 'o32 fnsave'])('%s of 28 bytes has them of 32 bits', (store) => {
    const at = run(store);
    const image = Array.from({ length: 7 }, (_, index) => machine.u32(DATA + 0x40 + 4 * index));
    const number = DATA + 0x20;
    expect(image).toEqual([
      0xffff_0000 + CONTROL,
      0xffff_3804,
      0xffff_bfff,
      0xffff_0000 + (at & 0xffff),
      ((at >> 16) << 12) | OPCODE[16],
      0xffff_0000 + (number & 0xffff),
      (number >> 16) << 12,
    ]);
  });
});

describe('in flat protected mode', () => {
  const machine = new BareMachine();
  afterAll(() => machine[Symbol.dispose]());
  const SELECTORS = { cs: 8, ds: 16, es: 16, ss: 24 } as const;

  function run(source: string): void {
    machine.engine.reset();
    for (const [name, selector] of Object.entries(SELECTORS)) {
      const attributes = name === 'cs' ? 0xc09b : 0xc093;
      machine.set({ [name]: selector, [`${name}.base`]: 0, [`${name}.limit`]: 0xffff_ffff });
      machine.set({ [`${name}.attributes`]: attributes });
    }
    machine.set({ rip: CODE, rsp: DATA + 0x20, rbp: DATA + 0x20, rbx: DATA + 0x20, cr0: 0x11 });
    machine.assemble(CODE, `${names(DATA)}${source}\nhlt`);
    expect(machine.run(100)).toBe('halt');
  }

  it.each([
    ['[esp]', 'ss'],
    ['[ebp+4]', 'ss'],
    ['[ebp+ecx*4]', 'ss'],
    ['[ebx]', 'ds'],
    ['[number]', 'ds'],
  ] as const)('the operand %s is in the segment %s', (operand, segment) => {
    run(`fninit\nfld1\nfdiv dword ${operand}\nfnstenv [image]`);
    expect(machine.u16(DATA + 0x40 + 24)).toBe(SELECTORS[segment]);
  });

  it('an image of 16 bits has no opcode: after FLDENV it is 0', () => {
    run('fninit\nfld1\no16 fnstenv [image]\no16 fldenv [image]\nfnstenv [image]');
    expect(machine.u32(DATA + 0x40 + 16) >>> 16).toBe(0);
    run('fninit\nfldpi\nfnstenv [image]\nfldenv [image]\nfnstenv [image]');
    expect(machine.u32(DATA + 0x40 + 16) >>> 16).toBe(0x1eb);
  });
});

describe('in long mode', () => {
  const machine = new LongMachine();
  afterAll(() => machine[Symbol.dispose]());
  const { selectors, start } = LongMachine;
  const IMAGE = 0x2_0040;
  beforeEach(() => machine.enter(0));

  /** Executes it in the upper half, so that addresses have more than 32 bits. */
  function run(store: string): number {
    machine.set64(LongMachine.pml4 + 8 * 256, BigInt(LongMachine.pdpt) | 7n);
    machine.set({ cr4: 0x620, cr0: 0x8001_0031 });
    const source = `${names(0x2_0000)}lea rdx, [rel here]\nmov rax, ${HIGH}\nadd rdx, rax\nlea rsi, [rax+number]\njmp rdx\nhere: ${PROGRAM.replace('[number]', '[rsi]')}${store} [image]\nhlt`;
    const labels = machine.assemble(start, source, 64);
    expect(machine.run(100)).toBe('halt');
    return labels.get('at') ?? 0;
  }

  const opcode = 0x036;
  it.each(['fnstenv', 'fnsave'])('%s has the low 32 bits, selectors and opcode', (store) => {
    const at = run(store);
    const image = Array.from({ length: 7 }, (_, index) => machine.u32(IMAGE + 4 * index));
    expect(image).toEqual([
      0xffff_0000 + CONTROL,
      0xffff_3804,
      0xffff_bfff,
      at,
      selectors.code0 | (opcode << 16),
      0x2_0020,
      0xffff_0000 + selectors.data0,
    ]);
  });

  it('o16 FNSTENV has the low 16 bits and selectors', () => {
    const at = run('o16 fnstenv');
    const image = Array.from({ length: 7 }, (_, index) => machine.u16(IMAGE + 2 * index));
    expect(image).toEqual([CONTROL, 0x3804, 0xbfff, at & 0xffff, selectors.code0, 0x0020, selectors.data0]);
  });

  it('FXSAVE has the low 32 bits and selectors, with REX.W all 64 bits', () => {
    const at = run('fxsave');
    expect([machine.u16(IMAGE), machine.u16(IMAGE + 2), machine.u16(IMAGE + 4), machine.u16(IMAGE + 6)]).toEqual([
      CONTROL,
      0x3804,
      0x80,
      opcode,
    ]);
    expect([machine.u64(IMAGE + 8), machine.u64(IMAGE + 16)]).toEqual([
      (BigInt(selectors.code0) << 32n) | BigInt(at),
      (BigInt(selectors.data0) << 32n) | 0x2_0020n,
    ]);
    machine.enter(0);
    run('o64 fxsave');
    expect([machine.u64(IMAGE + 8), machine.u64(IMAGE + 16)]).toEqual([HIGH + BigInt(at), HIGH + 0x2_0020n]);
  });

  it('what FXRSTOR and FLDENV load, FXSAVE and FNSTENV store again', () => {
    run('o64 fxsave');
    machine.enter(0);
    machine.set({ cr4: 0x620, cr0: 0x8001_0031 });
    machine.execute(
      `fninit\no64 fxrstor [${IMAGE}]\no64 fxsave [${IMAGE + 0x400}]\nfnstenv [${IMAGE + 0x800}]\nfninit\nfldenv [${IMAGE + 0x800}]\nfnstenv [${IMAGE + 0x840}]`,
    );
    for (let at = 0; at < 0x1a0; at += 4) expect(machine.u32(IMAGE + 0x400 + at)).toBe(machine.u32(IMAGE + at));
    // FNSTENV masks all exceptions after it has stored.
    for (let at = 0; at < 28; at += 4) expect(machine.u32(IMAGE + 0x840 + at)).toBe(machine.u32(IMAGE + 0x800 + at));
  });

  it('in compatibility mode the same FNSTENV and FXSAVE, without REX.W', () => {
    machine.enter(3, 32);
    machine.set({ cr4: 0x620, cr0: 0x8001_0031 });
    const labels = machine.assemble(start, `${names(0x2_0000)}${PROGRAM}fnstenv [image]\nfxsave [image+0x40]\nud2`, 32);
    machine.run(100);
    expect(machine.delivered()?.vector).toBe(6);
    const at = labels.get('at') ?? 0;
    expect([3, 4, 5, 6].map((index) => machine.u32(IMAGE + 4 * index))).toEqual([
      at,
      selectors.code32 | (OPCODE[32] << 16),
      0x2_0020,
      0xffff_0000 + selectors.data3,
    ]);
    expect([machine.u64(IMAGE + 0x48), machine.u64(IMAGE + 0x50)]).toEqual([
      (BigInt(selectors.code32) << 32n) | BigInt(at),
      (BigInt(selectors.data3) << 32n) | 0x2_0020n,
    ]);
  });
});
