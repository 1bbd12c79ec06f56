import { expect, test } from 'vitest';
import type { Form } from '../../src/cpu/x86/assembler/form.ts';
import { encodeFloat, kindsOf, VECTOR_FORMS, X87_FORMS } from './float-code.ts';
import { differences, type Tolerance } from './float-difference.ts';
import { FloatEngine } from './float-engine.ts';
import { FloatHost } from './float-host.ts';
import { fillState } from './float-random.ts';
import { floatState } from './float-state.ts';
import { extended, SPECIAL_EXTENDED } from './float-value.ts';
import { Random, SEED } from '../random.ts';
import { APPROXIMATE, C1_DIFFERS, TRANSCENDENTAL } from './long/float.ts';
import { leftOut } from './long/features.ts';
import { IS_NIGHT } from '../night.ts';

/** Random states for each row: sequences have the same instructions, but for those whose results are within bounds. */
const CASES = Number(process.env['SKEP_FLOAT_CASES'] ?? (IS_NIGHT ? 400 : 40));

const toleranceFor = (name: string): Tolerance => {
  if (TRANSCENDENTAL.test(name)) return { ulps: 1 };
  if (APPROXIMATE.test(name)) return { single: 2 ** -11 };
  return C1_DIFFERS.test(name) ? { c1: true } : {};
};

const native = process.arch === 'x64' && process.platform === 'linux';
const both = (): { host: FloatHost; engine: FloatEngine } => ({ host: new FloatHost(), engine: new FloatEngine() });
const shared = native ? both() : undefined;
const before = floatState();
const theirs = floatState();
const ours = floatState();

const toHex = (code: readonly number[]): string => Buffer.from(code).toString('hex');

function load(code: readonly number[]): void {
  shared?.host.load(code);
  shared?.engine.load(code);
}

/** Runs what is loaded on both from `before`. */
function compare(tolerance: Tolerance): string[] {
  shared?.host.run(before, theirs);
  const ended = shared?.engine.run(before, ours) ?? false;
  return ended ? differences(ours, theirs, tolerance) : ['did not come to its end'];
}

function compareRow(form: Form, options: { readonly x87: boolean; readonly unmasked?: boolean }): string[] {
  const random = new Random(SEED);
  const { mnemonic } = form.instruction;
  for (const memory of kindsOf(form)) {
    for (let round = 0; round < CASES; round++) {
      const code = encodeFloat(form, memory, random);
      if (round % 16 === 0) load(code);
      fillState(before, random, options);
      const found = compare(toleranceFor(mnemonic));
      if (found.length > 0) return [`${mnemonic} ${toHex(code)}: ${found.join(', ')}`];
    }
  }
  return [];
}

test.runIf(native)(`every x87 instruction does what this processor does (SKEP_SEED=${SEED})`, () => {
  expect(X87_FORMS.flatMap((form) => compareRow(form, { x87: true }))).toEqual([]);
});

test.runIf(native)(`… also where exceptions are not masked (SKEP_SEED=${SEED})`, () => {
  const exact = X87_FORMS.filter(({ instruction: { mnemonic } }) => !TRANSCENDENTAL.test(mnemonic));
  expect(exact.flatMap((form) => compareRow(form, { x87: true, unmasked: true }))).toEqual([]);
});

test.runIf(native)(`every MMX and SSE instruction does what this processor does (SKEP_SEED=${SEED})${leftOut}`, () => {
  expect(VECTOR_FORMS.flatMap((form) => compareRow(form, { x87: false }))).toEqual([]);
});

/** Rounding modes, and the other precisions. */
const CONTROLS = IS_NIGHT ? [0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x07f] : [0x37f, 0xb7f, 0x27f];

/** Arithmetic, comparisons, FPREM, FPREM1, FSCALE on ST(0) and ST(1). */
const BINARY = [0xd8c1, 0xd8c9, 0xd8d1, 0xd8e1, 0xd8e9, 0xd8f1, 0xd8f9, 0xdde1, 0xd9f5, 0xd9f8, 0xd9fd];

test.runIf(native)('x87 agrees on every kind of number with every other', () => {
  const found: string[] = [];
  fillState(before, new Random(1), { x87: true });
  before.image.setUint16(2, 0, true);
  before.image.setUint8(4, 0x7f);
  for (const operation of BINARY) {
    load([operation >> 8, operation & 0xff]);
    for (const control of CONTROLS)
      for (const [i, a] of SPECIAL_EXTENDED.entries())
        for (const [j, b] of SPECIAL_EXTENDED.entries()) {
          before.image.setUint16(0, control, true);
          before.image.setUint16(40, a[0], true);
          before.image.setBigUint64(32, a[1], true);
          before.image.setUint16(56, b[0], true);
          before.image.setBigUint64(48, b[1], true);
          const different = compare({});
          if (different.length > 0) found.push(`${operation.toString(16)} of ${i} and ${j}: ${different.join(', ')}`);
        }
  }
  expect(found.slice(0, 10)).toEqual([]);
});

test('the generator of 80-bit numbers makes every kind', () => {
  const random = new Random(SEED);
  const kinds = new Set<string>();
  for (let round = 0; round < 5000; round++) {
    const [signExponent, significand] = extended(random);
    const field = signExponent & 0x7fff;
    kinds.add(`${field === 0 ? 0 : field === 0x7fff ? 2 : 1}${significand >> 63n}${significand << 1n === 0n ? 0 : 1}`);
  }
  expect(kinds.size).toBeGreaterThanOrEqual(9);
});
