import { test } from 'vitest';
import { FloatHost } from './float-host.ts';
import { FloatEngine } from './float-engine.ts';
import { floatState, DATA, REGISTERS, FLAGS, type FloatState } from './float-state.ts';
import { MMX_INSTRUCTIONS } from '../../src/cpu/x86/table/mmx-instructions.ts';
import { SSE_INSTRUCTIONS } from '../../src/cpu/x86/table/sse-instructions.ts';
import type { Instruction } from '../../src/cpu/x86/table/instruction.ts';

let seed = Number(process.env.SEED ?? 1) >>> 0;
const rnd = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; let x = seed; x ^= x >>> 15; x = Math.imul(x, 0x2c1b3c6d); x ^= x >>> 12; x = Math.imul(x, 0x297a2d39); x ^= x >>> 15; return x >>> 0; };
const D = new DataView(new ArrayBuffer(16));
const S32 = [0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa00000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x3f800000, 0xbf800000, 0x4b000000, 0x4b7fffff, 0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000, 0x3f000000, 0x3fc00000, 0x40200000];
const S64 = [0n, 1n << 63n, 0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff8000000000000n, 0x7ff0000000000001n, 0xfff4000000000000n, 1n, 0x800fffffffffffffn, 0x0010000000000000n, 0x7fefffffffffffffn, 0x3ff0000000000000n, 0xbff0000000000000n, 0x41dfffffffc00000n, 0x41e0000000000000n, 0xc1e0000000000000n, 0xc1e0000000200000n, 0x43e0000000000000n, 0x3fe0000000000000n, 0x3ff8000000000000n, 0x47efffffe0000000n, 0x47effffff0000000n, 0x3810000000000000n, 0x36a0000000000000n];
function v128(mode: number) {
  for (let i = 0; i < 4; i++) {
    D.setUint32(i * 4, rnd(), true);
  }
  const k = mode % 4;
  if (k === 1) for (let i = 0; i < 4; i++) D.setUint32(i * 4, rnd() % 3 ? ((rnd() & 0x807fffff & (rnd() % 3 ? -1 : -65536)) | ((127 + (rnd() % 70) - 35) << 23)) >>> 0 : S32[rnd() % S32.length]!, true);
  if (k === 2) for (let i = 0; i < 2; i++) D.setBigUint64(i * 8, rnd() % 3 ? (((BigInt(rnd()) << 32n) | BigInt(rnd())) & 0x800fffffffffffffn & (rnd() % 3 ? ~0n : ~0xffffffffn) & 0xffffffffffffffffn) | (BigInt(1023 + (rnd() % 140) - 70) << 52n) : S64[rnd() % S64.length]!, true);
  if (k === 3 && rnd() & 1) for (let i = 0; i < 16; i++) D.setUint8(i, [0, 1, 0x7f, 0x80, 0xff, 0x41][rnd() % 6]!);
  return D;
}
const MX = [0x1f80, 0x1fa0, 0x1fa0, 0x1fbf, 0x3f80, 0x5f80, 0x7f80, 0x3fa0, 0x5fbf, 0x9fc0, 0xdfe0, 0x9f80, 0x1fc0, 0x9fe0];
function state(s: FloatState) {
  const v = s.image, mode = rnd();
  v.setUint16(0, 0x37f, true); v.setUint16(2, (rnd() & 7) << 11, true); v.setUint8(4, rnd());
  for (let i = 0; i < 8; i++) { const d = v128(rnd() % 3 ? 0 : mode); v.setBigUint64(32 + 16 * i, d.getBigUint64(0, true), true); v.setUint16(40 + 16 * i, 0xffff, true); }
  for (let i = 0; i < 8; i++) { const d = v128(mode); for (let j = 0; j < 16; j += 8) v.setBigUint64(160 + 16 * i + j, d.getBigUint64(j, true), true); }
  if (rnd() % 3 === 0) for (let i = 1; i < 8; i += 2) v.setBigUint64(160 + 16 * i, BigInt(rnd() % 70), true);
  v.setUint32(24, MX[rnd() % MX.length]!, true);
  for (let i = 0; i < 7; i++) v.setBigUint64(REGISTERS + 8 * i, BigInt(rnd() % 4 ? rnd() : rnd() % 40), true);
  v.setBigUint64(REGISTERS + 56, BigInt(DATA), true);
  v.setBigUint64(FLAGS, BigInt((rnd() & 0x8d5) | 0x202), true);
  for (let i = 0; i < 64; i += 16) { const d = v128(mode); for (let j = 0; j < 16; j++) s.data[i + j] = d.getUint8(j); }
}
const hex = (n: number | bigint) => n.toString(16);
const xm = (v: DataView, i: number) => hex(v.getBigUint64(160 + 16 * i + 8, true)).padStart(16, '0') + '_' + hex(v.getBigUint64(160 + 16 * i, true)).padStart(16, '0');
const show = (s: FloatState) => { const v = s.image; const o = [`mx=${hex(v.getUint32(24, true))} sw=${hex(v.getUint16(2, true))} tw=${hex(v.getUint8(4))}`]; for (let i = 1; i < 3; i++) o.push(`x${i}=${xm(v, i)} m${i}=${hex(v.getBigUint64(32 + 16 * i, true))}`); o.push(`fl=${hex(v.getBigUint64(FLAGS, true))}`, `cx=${hex(v.getBigUint64(REGISTERS + 8, true))} dx=${hex(v.getBigUint64(REGISTERS + 16, true))}`, `mem=${Buffer.from(s.data.subarray(0, 16)).reverse().toString('hex')}`); return o.join(' '); };
const diff = (a: FloatState, b: FloatState, approx: boolean): string => {
  const bad: string[] = [];
  const x = a.image, y = b.image;
  if (x.getUint16(2, true) !== y.getUint16(2, true)) bad.push(`sw`);
  if (x.getUint8(4) !== y.getUint8(4)) bad.push('tag');
  if (x.getUint32(24, true) !== y.getUint32(24, true)) bad.push(`mxcsr^${hex(x.getUint32(24, true) ^ y.getUint32(24, true))}`);
  for (let i = 0; i < 8; i++) if (x.getBigUint64(32 + 16 * i, true) !== y.getBigUint64(32 + 16 * i, true) || x.getUint16(40 + 16 * i, true) !== y.getUint16(40 + 16 * i, true)) bad.push(`mm`);
  for (let i = 0; i < 8; i++) if (approx) { for (let j = 0; j < 16; j += 4) { const p = x.getFloat32(160 + 16 * i + j, true), q = y.getFloat32(160 + 16 * i + j, true); if (!(Object.is(p, q) || Math.abs(p - q) <= Math.abs(p) * 2 ** -11)) bad.push('xmm~'); } } else if (xm(x, i) !== xm(y, i)) bad.push('xmm');
  for (let i = 0; i < 8; i++) if (i !== 4 && (x.getBigUint64(REGISTERS + 8 * i, true) & 0xffffffffn) !== (y.getBigUint64(REGISTERS + 8 * i, true) & 0xffffffffn)) bad.push(`r${i}`);
  if (((x.getBigUint64(FLAGS, true) ^ y.getBigUint64(FLAGS, true)) & 0x8d5n) !== 0n) bad.push('flags');
  if (Buffer.compare(a.data, b.data)) bad.push('mem');
  return bad.join(',');
};
const PRE: Record<string, number[]> = { NP: [], '66': [0x66], F3: [0xf3], F2: [0xf2] };
function encode(row: Instruction, memory: boolean): number[] | undefined {
  const words = row.encoding.split(' ');
  const out = PRE[words[0]!] ? [...PRE[words.shift()!]!] : [];
  const op16 = row.operands.some((o) => o === 'Ev' || o === 'Gv') && rnd() % 3 === 0;
  if (op16) out.unshift(0x66);
  while (words.length && /^[0-9A-F]{2}$/.test(words[0]!)) out.push(parseInt(words.shift()!, 16));
  if (words.length) {
    const r = row.operands.find((o) => /^[MUNR]/.test(o));
    if (r && memory !== r.startsWith('M') && r[0] !== 'R') return undefined;
    if (r?.startsWith('R') && memory) return undefined;
    if (!r && memory && !row.operands.some((o) => /^[WQE]/.test(o))) return undefined;
    const reg = words[0] === '/r' ? 1 : Number(words[0]![1]);
    if (memory) out.push(0x47 | (reg << 3), 0);
    else out.push(0xc0 | (reg << 3) | 2);
  } else if (memory) return undefined;
  if (row.operands.includes('Ib')) out.push(rnd() & (rnd() & 1 ? 0xff : 0x1f));
  return out;
}
test('sse', { timeout: 600000 }, () => {
  const host = new FloatHost(), engine = new FloatEngine();
  const only = process.env.ONLY;
  const n = Number(process.env.N ?? 300);
  const before = floatState(), a = floatState(), b = floatState();
  let total = 0, shown = 0;
  for (const row of [...MMX_INSTRUCTIONS, ...SSE_INSTRUCTIONS]) {
    if (only && !new RegExp(only).test(row.mnemonic)) continue;
    if (['fxsave', 'fxrstor', 'ldmxcsr', 'clflush', 'maskmovq', 'maskmovdqu'].includes(row.mnemonic)) continue;
    for (const memory of [false, true]) {
      const kinds = new Map<string, number>();
      let first = '';
      let code = encode(row, memory);
      if (!code) continue;
      for (let i = 0; i < n; i++) {
        if (i % 40 === 0) { code = encode(row, memory)!; host.load(code); engine.load(code); }
        state(before);
        host.run(before, a);
        const ok = engine.run(before, b);
        const d = ok ? diff(a, b, /^r(cp|sqrt)/.test(row.mnemonic)) : 'fault';
        total++;
        if (d) { const c = kinds.get(d) ?? 0; kinds.set(d, c + 1); if (c === 0 && kinds.size <= 2) first += `   ${d} ${Buffer.from(code).toString('hex')}\n  before ${show(before)}\n  host   ${show(a)}\n  engine ${show(b)}\n`; if (d === 'fault') break; }
      }
      if (kinds.size) console.log(`${row.encoding} ${row.mnemonic} ${row.operands} ${memory ? 'mem' : 'reg'}`, [...kinds].map(([k, c]) => `${k}:${c}`).slice(0, 8).join(' ') + (shown++ < Number(process.env.SHOW ?? 12) ? '\n' + first : ''));
    }
  }
  console.log('total', total);
});
