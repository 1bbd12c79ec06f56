import { expect, test } from 'vitest';
import { ArenaStore, gpa, GuestMemory } from '../../memory/index.ts';
import { assemble } from './assembler/index.ts';
import { ENGINE_RESERVED, WasmEngine } from './engine.ts';
import { FIELD } from './table/layout.ts';

const CODE = 0x1000;
const HANDLERS = 0x4000;
const DATA = 0x6000;

/** Flat 32-bit code whose exception handlers leave their vector in EDX, the frame on the stack, and halt. */
function run(source: string, cr0 = 0x31n, cr4 = 0x600n) {
  const store = new ArenaStore({ capacity: ENGINE_RESERVED + 0x100_0000, reserved: ENGINE_RESERVED });
  const memory = new GuestMemory({ store });
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 0x2_0000 });
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  const host = {
    portRead: () => 0xff,
    portWrite: () => {},
    mmioRead: () => 0xffff_ffff,
    mmioWrite: () => {},
    acknowledgeInterrupt: () => 0xff,
    timestamp: () => 0,
  };
  const engine = new WasmEngine({ memory, store, host });
  const view = new DataView(ram.bytes.buffer, ram.bytes.byteOffset);
  for (let vector = 0; vector < 32; vector++) {
    ram.bytes.set([0xba, vector, 0, 0, 0, 0xf4], HANDLERS + vector * 8);
    view.setUint32(0x2000 + vector * 8, 0x8_0000 | (HANDLERS + vector * 8), true);
    view.setUint32(0x2004 + vector * 8, 0x8e00, true);
  }
  view.setBigUint64(0x3008, 0x00cf_9b00_0000_ffffn, true);
  view.setBigUint64(0x3010, 0x00cf_9300_0000_ffffn, true);
  for (const name of ['cs', 'ss', 'ds', 'es']) {
    engine.setRegister(name, name === 'cs' ? 8n : 16n);
    engine.setRegister(`${name}.base`, 0n);
    engine.setRegister(`${name}.limit`, 0xffff_ffffn);
    engine.setRegister(`${name}.attributes`, name === 'cs' ? 0xc09bn : 0xc093n);
  }
  engine.setRegister('gdtr.base', 0x3000n);
  engine.setRegister('gdtr.limit', 0x17n);
  engine.setRegister('idtr.base', 0x2000n);
  engine.setRegister('idtr.limit', 0xffn);
  engine.setRegister('cr0', cr0);
  engine.setRegister('cr4', cr4);
  engine.setRegister('rip', BigInt(CODE));
  engine.setRegister('rsp', 0x8000n);
  const { bytes, labels } = assemble(`data equ ${DATA}\n${source}\nhlt`, { origin: CODE, bits: 32 });
  ram.bytes.set(bytes, CODE);
  expect(engine.run(1000)).toBe('halt');
  const rip = Number(engine.register('rip'));
  const vector = rip >= HANDLERS && rip < HANDLERS + 256 ? Number(engine.register('rdx')) : undefined;
  const errors = vector === 13 || vector === 12 || vector === 14 ? 4 : 0;
  const at = vector === undefined ? undefined : view.getUint32(Number(engine.register('rsp')) + errors, true);
  return { engine, view, ram, labels, vector, at };
}

const EM = 0x35n;
const TS = 0x39n;
const MP_TS = 0x3bn;

test.each<[source: string, cr0: bigint, cr4: bigint, vector: number | undefined]>([
  ['fnop', EM, 0x600n, 7],
  ['fnop', TS, 0x600n, 7],
  ['fnstsw ax', TS, 0x600n, 7],
  ['wait', TS, 0x600n, undefined],
  ['wait', MP_TS, 0x600n, 7],
  ['paddb mm0, mm1', EM, 0x600n, 6],
  ['paddb mm0, mm1', TS, 0x600n, 7],
  ['emms', EM, 0x600n, 6],
  ['addps xmm0, xmm1', EM, 0x600n, 6],
  ['addps xmm0, xmm1', TS, 0x600n, 7],
  ['addps xmm0, xmm1', 0x31n, 0n, 6],
  ['addps xmm0, xmm1', 0x31n, 0x200n, undefined],
  ['paddb xmm0, xmm1', 0x31n, 0n, 6],
  ['fxsave [data]', EM, 0x600n, 6],
  ['fxsave [data]', TS, 0x600n, 7],
  ['fxsave [data]', 0x31n, 0n, undefined],
  ['ldmxcsr [data]', 0x31n, 0n, 6],
])('%s with CR0 %i and CR4 %i raises %s', (source, cr0, cr4, vector) => {
  const result = run(source, cr0, cr4);
  expect(result.vector).toBe(vector);
  if (vector !== undefined) expect(result.at).toBe(CODE);
});

test.each<[source: string, vector: number | undefined]>([
  ['movaps xmm0, [data+8]', 13],
  ['movaps [data+1], xmm0', 13],
  ['movups xmm0, [data+8]', undefined],
  ['movdqu [data+3], xmm0', undefined],
  ['addps xmm0, [data+4]', 13],
  ['addss xmm0, [data+1]', undefined],
  ['pshufb xmm0, [data+8]', 13],
  ['paddb mm0, [data+1]', undefined],
  ['pcmpistri xmm0, [data+5], 0', undefined],
  ['movntdq [data+8], xmm0', 13],
  ['lddqu xmm0, [data+9]', undefined],
  ['fxsave [data+8]', 13],
  ['fxrstor [data+8]', 13],
  ['mov dword [data], 0x10000\nat: ldmxcsr [data]', 13],
])('%s with respect to alignment and reserved bits raises %s', (source, vector) => {
  const result = run(source);
  expect(result.vector).toBe(vector);
  if (vector !== undefined) expect(result.at).toBe(result.labels.get('at') ?? CODE);
});

const DIVISION = 'fninit\nmov word [data], 0x37b\nfldcw word [data]\nfld1\nfldz\nfdivp st1, st0';

test('an unmasked x87 exception is raised by the next x87 instruction that waits', () => {
  const { vector, at, labels, engine } = run(`${DIVISION}\nnop\nfnstsw ax\nat: fld1`);
  expect(vector).toBe(16);
  expect(at).toBe(labels.get('at'));
  expect(Number(engine.register('rax')) & 0x80ff).toBe(0x8084);
});

test('WAIT and MMX raise it too, FNCLEX takes it away', () => {
  expect(run(`${DIVISION}\nwait`).vector).toBe(16);
  expect(run(`${DIVISION}\npaddb mm0, mm1`).vector).toBe(16);
  expect(run(`${DIVISION}\nfnclex\nfld1`).vector).toBeUndefined();
});

test('with CR0.NE clear it goes out by FERR#, and the program goes on', () => {
  const { vector, engine } = run(`${DIVISION}\nfld1`, 0x11n);
  expect(vector).toBeUndefined();
  expect(engine.state.getUint32(FIELD.FERR_32, true)).toBe(1);
  const cleared = run(`${DIVISION}\nfld1\nfnclex`, 0x11n);
  expect(cleared.engine.state.getUint32(FIELD.FERR_32, true)).toBe(0);
});

test('the environment says which instruction it was, on what', () => {
  const source = `fninit\nmov word [data], 0x37b\nfldcw word [data]\nfld1\nat: fdiv dword [data+0x20]\nfnstenv [data+0x40]`;
  const { view, labels } = run(source);
  expect(view.getUint32(DATA + 0x40, true)).toBe(0xffff_037b);
  expect(view.getUint32(DATA + 0x44, true) & 0xb8ff).toBe(0xb884);
  expect(view.getUint32(DATA + 0x48, true)).toBe(0xffff_3fff);
  expect(view.getUint32(DATA + 0x4c, true)).toBe(labels.get('at'));
  expect(view.getUint32(DATA + 0x50, true)).toBe(0x0035_0008);
  expect(view.getUint32(DATA + 0x54, true)).toBe(DATA + 0x20);
  expect(view.getUint32(DATA + 0x58, true)).toBe(0xffff_0010);
});

test.each(['', 'o16 '])('%sFNSAVE and FRSTOR bring back the whole stack', (prefix) => {
  const { view, engine } = run(
    `fninit\nfldpi\nfld1\nfldz\n${prefix}fnsave [data]\nfnstsw ax\nmov ebx, eax\n${prefix}frstor [data]\nfnstsw ax\nfstp st0\nfistp dword [data+0x100]\nfistp dword [data+0x104]`,
  );
  expect(Number(engine.register('rbx')) & 0xffff).toBe(0);
  expect(Number(engine.register('rax')) & 0xffff).toBe(0x2800);
  expect([view.getUint32(DATA + 0x100, true), view.getUint32(DATA + 0x104, true)]).toEqual([1, 3]);
});

test('FXSAVE and FXRSTOR bring back x87, XMM and MXCSR', () => {
  const { view } = run(
    `fninit\nfldpi\nmov dword [data+0x300], 0x5fa5\nldmxcsr [data+0x300]\npcmpeqb xmm3, xmm3\nfxsave [data]\nfninit\npxor xmm3, xmm3\nmov dword [data+0x304], 0x1f80\nldmxcsr [data+0x304]\nfxrstor [data]\nfistp dword [data+0x308]\nmovups [data+0x310], xmm3\nstmxcsr [data+0x320]`,
  );
  expect(view.getUint32(DATA + 0x308, true)).toBe(3);
  expect(view.getUint32(DATA + 0x31c, true)).toBe(0xffff_ffff);
  expect(view.getUint32(DATA + 0x320, true)).toBe(0x5fa5);
  expect(view.getUint32(DATA + 28, true)).toBe(0xffff);
});

const UNMASKED = (mask: number): string =>
  `mov dword [data], ${mask}\nldmxcsr [data]\nmov eax, 0x3f800000\nmovd xmm0, eax\npxor xmm1, xmm1\nat:`;

test.each([
  [0x1d80, 0x600n, 19],
  [0x1d80, 0x200n, 6],
  [0x1f80, 0x600n, undefined],
])('a division by zero with MXCSR %i and CR4 %i raises %s', (mask, cr4, vector) => {
  const result = run(`${UNMASKED(mask)} divss xmm0, xmm1`, 0x31n, cr4);
  expect(result.vector).toBe(vector);
  expect(result.engine.state.getUint32(FIELD.MXCSR_32, true) & 0x3f).toBe(4);
  const untouched = result.engine.state.getUint32(FIELD.SSE, true) === 0x3f80_0000;
  expect(untouched).toBe(vector !== undefined);
});

test('an exception before the result keeps those after it quiet', () => {
  // Lane 0 is 1 / 0, lane 1 is 1 / 3: INEXACT is not reported.
  const source = `${UNMASKED(0x1d80)} mov dword [data+0x10], 0\nmov dword [data+0x14], 0x40400000\nmovq xmm1, [data+0x10]\npshufd xmm0, xmm0, 0\ndivps xmm0, xmm1`;
  const { engine, vector } = run(source);
  expect(vector).toBe(19);
  expect(engine.state.getUint32(FIELD.MXCSR_32, true) & 0x3f).toBe(4);
});

test.each([
  ['dpps xmm0, xmm1, 0x31', 'movq', '0x7f7fffff, 0x7f7fffff', '0x3f7fffff, 0x3f800000'],
  ['dppd xmm0, xmm1, 0x31', 'movups', '-1, 0x7fefffff, -1, 0x7fefffff', '-1, 0x3fefffff, 0, 0x3ff00000'],
])('%s stops at the products when they raise an exception', (source, load, left, right) => {
  // The largest number times one, and times a little less, which is INEXACT: their sum would be an OVERFLOW.
  const data = `jmp begin\nmask: dd 0xf80\nleft: dd ${left}\nright: dd ${right}\nbegin: ldmxcsr [mask]\n`;
  const { engine, vector } = run(`${data}${load} xmm0, [left]\n${load} xmm1, [right]\n${source}`);
  expect(vector).toBe(19);
  expect(engine.state.getUint32(FIELD.MXCSR_32, true) & 0x3f).toBe(0x20);
});

test.each([
  'cvtps2pi mm0, xmm0',
  'cvttps2pi mm0, xmm0',
  'cvtpd2pi mm0, xmm0',
  'cvttpd2pi mm0, xmm0',
  'cvtpi2ps xmm0, mm0',
])('%s has entered the MMX state when it raises an exception', (conversion) => {
  // Everything unmasked: not-a-numbers are INVALID, and 7FFFFFFFh is INEXACT.
  const ones = 'mov dword [data+0x10], 0x7fffffff\nmovq mm0, [data+0x10]\npcmpeqb xmm0, xmm0\n';
  const { engine, vector } = run(`mov dword [data], 0\nldmxcsr [data]\n${ones}fninit\nfincstp\n${conversion}`);
  expect(vector).toBe(19);
  expect(engine.state.getUint32(FIELD.X87_TOP_32, true)).toBe(0);
  expect(engine.state.getUint32(FIELD.X87_USED_32, true)).toBe(0xff);
});

test('a prefix that belongs to no row makes a vector instruction undefined', () => {
  expect(run('db 0xf3, 0x0f, 0x14, 0xc0').vector).toBe(6);
  expect(run('db 0xf2, 0x0f, 0xfc, 0xc0').vector).toBe(6);
  expect(run('db 0x0f, 0x38, 0x20, 0xc0').vector).toBe(6);
  expect(run('db 0xf0, 0x0f, 0x58, 0xc0').vector).toBe(6);
});

test('a store that reaches a missing page changes nothing', () => {
  const { engine, vector, view } = run(
    `movups xmm0, [data]\nat: fninit\nfld1\nmov ebx, 0x1fffa\nfstp tword [ebx]\nnop`,
  );
  // Physical memory ends there, but nothing faults: the bytes beyond are dropped.
  expect(vector).toBeUndefined();
  expect(view.getUint16(0x1_fffe, true)).toBe(0);
  expect(Number(engine.register('rbx'))).toBe(0x1fffa);
});
