import { test } from 'vitest';
import { FloatHost } from './float-host.ts';
import { FloatEngine } from './float-engine.ts';
import { floatState, DATA, REGISTERS, FLAGS, type FloatState } from './float-state.ts';

let seed = Number(process.env.SEED ?? 1) >>> 0;
const rnd = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; let x = seed; x ^= x >>> 15; x = Math.imul(x, 0x2c1b3c6d); x ^= x >>> 12; x = Math.imul(x, 0x297a2d39); x ^= x >>> 15; return x >>> 0; };
const r64 = () => (BigInt(rnd()) << 32n) | BigInt(rnd());
type F = [number, bigint];
const SIGS: bigint[] = [0n, 1n, 0x8000000000000000n, 0x8000000000000001n, 0xffffffffffffffffn, 0xc000000000000000n, 0xc000000000000001n, 0xbfffffffffffffffn, 0x7fffffffffffffffn, 0x4000000000000000n, 0xfffffffffffff800n, 0xfffffffffffff400n, 0x8000000000000400n, 0x8000000000000c00n, 0xffffff0000000000n, 0x8000008000000000n, 0xffffffffffffff00n,0xa000000000000000n];
const EXPS = [0, 1, 2, 63, 64, 0x3fff, 0x3ffe, 0x4000, 0x3fbf, 0x3fc0, 0x403e, 0x403f, 0x403d, 0x401e,0x401d, 0x400e, 0x7ffe, 0x7fff, 0x7ffd, 0x3f80, 0x3f81, 0x407e, 0x407f, 0x3c00, 0x3c01, 0x43fe, 0x43ff, 0x3bcd, 0x3f6a, 0x4040];
function value(): F {
  const k = rnd() % 10;
  if (k === 0) return [(rnd() & 0x8000) | [0, 0, 0x7fff, 0x3fff][rnd() & 3]!, [0n, 0x8000000000000000n][rnd() & 1]!];
  const s = rnd() & 0x8000;
  const sig = rnd() % 3 === 0 ? r64() : rnd() % 2 ? SIGS[rnd() % SIGS.length]! : (r64() | (1n << 63n)) & (-1n << BigInt(rnd() & 63)) & 0xffffffffffffffffn;
  const e = rnd() % 3 === 0 ? EXPS[rnd() % EXPS.length]! : rnd() % 2 ? 0x3fff + (rnd() % 160) - 80 : rnd() & 0x7fff;
  return [s | e, e !== 0 && rnd() % 8 ? sig | (1n << 63n) : sig];
}
const CWS = [0x37f, 0x37f, 0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x67f, 0xa7f, 0xe7f, 0x07f, 0x47f, 0x87f, 0xc7f];
function state(s: FloatState, unmask: boolean) {
  const v = s.image;
  let cw = CWS[rnd() % CWS.length]!;
  if (unmask) cw &= ~(rnd() & 0x3f);
  v.setUint16(0, cw, true);
  v.setUint16(2, (rnd() & 0x4700) | ((rnd() & 7) << 11), true);
  v.setUint8(4, rnd() % 8 ? 0xff & ~(rnd() % 4 ? 1 << ((((v.getUint16(2, true) >> 11) & 7) + 7) & 7) : 0) : rnd() & 0xff);
  for (let i = 0; i < 8; i++) { const [e, m] = value(); v.setBigUint64(32 + 16 * i, m, true); v.setUint16(40 + 16 * i, e, true); }
  v.setUint32(24, 0x1f80, true);
  for (let i = 0; i < 7; i++) v.setBigUint64(REGISTERS + 8 * i, BigInt(rnd()), true);
  v.setBigUint64(REGISTERS + 56, BigInt(DATA), true);
  v.setBigUint64(FLAGS, BigInt((rnd() & 0x8d5) | 0x202), true);
  for (let i = 0; i < 64; i++) s.data[i] = rnd();
  const d = new DataView(s.data.buffer);
  const k = rnd() % 8;
  if (k === 0) d.setUint32(0, (rnd() & 0x80000000) | 0x7f800000 | (rnd() & 0x7fffff & -(rnd() & 1)), true);
  if (k === 1) d.setUint32(4, (rnd() & 0x80000000) | 0x7ff00000 | (rnd() & 0xfffff & -(rnd() & 1)), true);
  if (k === 2) d.setUint32(0, rnd() & 0x807fffff, true);
  if (k === 3) d.setUint32(4, rnd() & 0x800fffff, true);
  if (k === 4) d.setBigUint64(0, 0n, true);
  if (k === 5) d.setUint32(4, ((0x3ff00000 + (((rnd() % 80) - 40) << 20)) | (rnd() & 0x800fffff)) >>> 0, true);
  if (k === 6) d.setUint32(0, ((0x3f800000 + (((rnd() % 60) - 30) << 23)) | (rnd() & 0x807fffff)) >>> 0, true);
}
const hex = (n: number | bigint) => n.toString(16);
const show = (s: FloatState) => { const v = s.image; const o = [`cw=${hex(v.getUint16(0, true))} sw=${hex(v.getUint16(2, true))} tw=${hex(v.getUint8(4))}`]; for (let i = 0; i < 3; i++) o.push(`st${i}=${hex(v.getUint16(40 + 16 * i, true))}:${hex(v.getBigUint64(32 + 16 * i, true))}`); o.push(`st7=${hex(v.getUint16(40 + 16 * 7, true))}:${hex(v.getBigUint64(32 + 16 * 7, true))}`, `fl=${hex(v.getBigUint64(FLAGS, true))}`, `ax=${hex(v.getBigUint64(REGISTERS, true))}`, `mem=${Buffer.from(s.data.subarray(0, 16)).toString('hex')}`); return o.join(' '); };
const diff = (a: FloatState, b: FloatState): string => {
  const bad: string[] = [];
  const x = a.image, y = b.image;
  if (x.getUint16(0, true) !== y.getUint16(0, true)) bad.push('cw');
  if (x.getUint16(2, true) !== y.getUint16(2, true)) bad.push(`sw^${hex(x.getUint16(2, true) ^ y.getUint16(2, true))}`);
  if (x.getUint8(4) !== y.getUint8(4)) bad.push('tag');
  for (let i = 0; i < 8; i++) if (x.getBigUint64(32 + 16 * i, true) !== y.getBigUint64(32 + 16 * i, true) || x.getUint16(40 + 16 * i, true) !== y.getUint16(40 + 16 * i, true)) bad.push(`st${i}`);
  for (let i = 0; i < 8; i++) if (i !== 4 && (x.getBigUint64(REGISTERS + 8 * i, true) & 0xffffffffn) !== (y.getBigUint64(REGISTERS + 8 * i, true) & 0xffffffffn)) bad.push(`r${i}`);
  if (((x.getBigUint64(FLAGS, true) ^ y.getBigUint64(FLAGS, true)) & 0x8d5n) !== 0n) bad.push('flags');
  if (Buffer.compare(a.data, b.data)) bad.push('mem');
  return bad.join(',');
};
test.skip('x87', { timeout: 600000 }, () => {
  const host = new FloatHost(), engine = new FloatEngine();
  const codes: [string, number[]][] = [];
  const only = process.env.ONLY;
  for (let op = 0xd8; op <= 0xdf; op++) {
    for (let reg = 0; reg < 8; reg++) {
      if (op === 0xd9 && (reg === 4 || reg === 5 || reg === 6 || reg === 1) ) continue;
      if (op === 0xdb && (reg === 4 || reg === 6)) continue;
      if (op === 0xdd && (reg === 4 || reg === 5 || reg === 6)) continue;
      codes.push([`${hex(op)} /${reg}`, [op, (reg << 3) | 7]]);
    }
    for (let m = 0xc0; m < 0x100; m++) {
      if (op === 0xd9 && (m > 0xd0 && m < 0xd8 || [0xe2, 0xe3, 0xe6, 0xe7, 0xef].includes(m))) continue;
      if (op === 0xd9 && [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff].includes(m)) continue;
      if (op === 0xda && m >= 0xe0 && m !== 0xe9) continue;
      if (op === 0xdb && (m >= 0xe5 && m < 0xe8 || m >= 0xf8)) continue;
      if (op === 0xdd && m >= 0xf0) continue;
      if (op === 0xde && m >= 0xd8 && m < 0xe0 && m !== 0xd9) continue;
      if (op === 0xdf && (m > 0xe0 && m < 0xe8 || m >= 0xf8)) continue;
      codes.push([`${hex(op)} ${hex(m)}`, [op, m]]);
    }
  }
  const n = Number(process.env.N ?? 300);
  const before = floatState(), a = floatState(), b = floatState();
  let total = 0, shown = 0;
  for (const [name, code] of codes) {
    if (only && !name.startsWith(only)) continue;
    host.load(code); engine.load(code);
    const kinds = new Map<string, number>();
    let first = '';
    for (let i = 0; i < n; i++) {
      state(before, (process.env.UNMASK ?? '') !== '' );
      host.run(before, a);
      const ok = engine.run(before, b);
      const d = ok ? diff(a, b) : 'fault';
      total++;
      if (d) { const c = kinds.get(d) ?? 0; kinds.set(d, c + 1); if (c === 0 && kinds.size <= 2) first += `   ${d}\n  before ${show(before)}\n  host   ${show(a)}\n  engine ${show(b)}\n`; }
    }
    if (kinds.size && shown++ < Number(process.env.SHOW ?? 12)) console.log(name, [...kinds].map(([k, c]) => `${k}:${c}`).slice(0, 8).join(' ') + '\n' + first);
    else if (kinds.size) console.log(name, [...kinds].map(([k, c]) => `${k}:${c}`).slice(0, 5).join(' '));
  }
  console.log('total', total);
});
test('transcendental', { timeout: 600000 }, () => {
  const host = new FloatHost(), engine = new FloatEngine();
  const N = Number(process.env.N ?? 3000);
  const rf = (lo: number, hi: number): F => { const e = 0x3fff + lo + (rnd() % (hi - lo + 1)); return [(rnd() & 0x8000) | e, r64() | (1n << 63n)]; };
  const ops: [string, number, number, [number, number], [number, number]][] = [['fsin', 0xfe, 1, [-70, 62], [0, 0]], ['fcos', 0xff, 1, [-40, 62], [0, 0]], ['fsincos', 0xfb, 1, [-40, 62], [0, 0]], ['fptan', 0xf2, 1, [-40, 62], [0, 0]], ['fpatan', 0xf3, 2, [-40, 40], [-40, 40]], ['f2xm1', 0xf0, 1, [-70, -1], [0, 0]], ['fyl2x', 0xf1, 2, [-60, 60], [-60, 60]], ['fyl2x near 1', 0xf1, 3, [-60, 60], [-60, 60]], ['fyl2xp1', 0xf9, 2, [-70, -2], [-60, 60]]];
  const before = floatState(), a = floatState(), b = floatState();
  for (const mode of [0, 1]) for (const [name, op, kind, r0, r1] of ops) {
    host.load([0xd9, op]); engine.load([0xd9, op]);
    const hist = new Map<string, number>(); let first = '';
    let t = 0;
    for (let i = 0; i < N; i++) {
      state(before, false);
      before.image.setUint16(0, 0x37f, true);
      before.image.setUint8(4, rnd() % 20 && !mode || !mode ? 0xff & ~(1 << ((((before.image.getUint16(2, true) >> 11) & 7) + 7) & 7)) : before.image.getUint8(4));
      if (!mode) { let v = rf(...r0); if (op === 0xf1) v = [v[0] & 0x7fff, v[1]]; if (kind === 3) v = rnd() & 1 ? [0x3fff, (1n << 63n) | (r64() >> BigInt(4 + rnd() % 59))] : [0x3ffe, 0xffffffffffffffffn - (r64() >> BigInt(4 + rnd() % 59))]; before.image.setUint16(40, v[0], true); before.image.setBigUint64(32, v[1], true); const w = rf(...r1); before.image.setUint16(56, w[0], true); before.image.setBigUint64(48, w[1], true); }
      const t0 = performance.now(); 
      host.run(before, a);
      const ok = engine.run(before, b); t += performance.now() - t0;
      let d = ok ? diff(a, b) : 'fault';
      if (/^(sw\^200,)?st0$|^st1$|^st0,st1$|^(sw\^200,)?st0,st1$|^(sw\^200,)?st1$/.test(d)) { let m = 0; for (const k of [0, 1]) { const x = a.image.getBigUint64(32 + 16 * k, true), y = b.image.getBigUint64(32 + 16 * k, true); const e = a.image.getUint16(40 + 16 * k, true) - b.image.getUint16(40 + 16 * k, true); const u = e === 0 ? Number(x > y ? x - y : y - x) : 1e9; if (u > m) m = u; } d = m <= 8 ? `ulp ${m}` : 'ulp>8 ' + d; }
      if (d !== 'sw^200' ) { const c = hist.get(d) ?? 0; hist.set(d, c + 1); if (d && !/^ulp \d/.test(d) && c < 1) first += `  ${d}\n  before ${show(before)}\n  host   ${show(a)}\n  engine ${show(b)}\n`; } else hist.set('c1', (hist.get('c1') ?? 0) + 1);
    }
    console.log(mode ? 'special' : 'range', name, [...hist].map(([k, c]) => `${k || 'same'}:${c}`).join('  '), `${(t / N * 1000).toFixed(1)}us` , '\n' + first);
  }
});
