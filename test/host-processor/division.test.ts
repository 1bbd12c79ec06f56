import { expect, test } from 'vitest';
import { ArenaStore, GuestMemory } from '../../src/memory/index.ts';
import { ENGINE_RESERVED, WasmEngine } from '../../src/cpu/x86/engine.ts';
import type { Case } from '../../src/cpu/conformance/case.ts';
import { TestMachine } from '../../src/cpu/conformance/test-machine.ts';
import { Random, SEED } from '../random.ts';

const CASES = 3000;

/** What a division does: quotient and remainder, or undefined where it raises #DE (SDM volume 2, DIV and IDIV). */
function divide(dividend: bigint, divisor: bigint, bits: number, signed: boolean): [bigint, bigint] | undefined {
  if (divisor === 0n) return undefined;
  const quotient = dividend / divisor;
  const fits = signed ? BigInt.asIntN(bits, quotient) === quotient : BigInt.asUintN(bits, quotient) === quotient;
  return fits ? [quotient, dividend % divisor] : undefined;
}

const DIVISORS: Readonly<Record<number, string>> = { 8: 'bl', 16: 'bx', 32: 'ebx' };

/** A dividend that is often close to the divisor's multiple where the quotient just fits, or no longer does. */
function dividend(random: Random, divisor: bigint, bits: number): bigint {
  const limit = 1n << BigInt(bits - random.below(2));
  const sign = random.once(2) ? 1n : -1n;
  const near = sign * limit * divisor + BigInt(random.below(5) - 2);
  return random.once(3) ? (BigInt(random.bits()) << 32n) | BigInt(random.value()) : near;
}

function randomCase(random: Random): Case {
  const bits = random.pick([8, 16, 32]);
  const signed = random.once(2);
  const take = (value: bigint, width: number): bigint =>
    signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
  const divisor = take(BigInt(random.once(20) ? 0 : random.value()), bits);
  const whole = take(dividend(random, divisor, bits), 2 * bits);
  const raw = (value: bigint, width: number): string => `0x${BigInt.asUintN(width, value).toString(16)}`;
  const high = whole >> BigInt(bits);
  const inputs =
    bits === 8
      ? `ax=${raw(whole, 16)}`
      : bits === 16
        ? `ax=${raw(whole, 16)} dx=${raw(high, 16)}`
        : `eax=${raw(whole, 32)} edx=${raw(high, 32)}`;
  const result = divide(whole, divisor, bits, signed);
  const [low, rest] = bits === 8 ? ['al', 'ah'] : bits === 16 ? ['ax', 'dx'] : ['eax', 'edx'];
  const after = result === undefined ? '#DE' : `${low}=${raw(result[0], bits)} ${rest}=${raw(result[1], bits)}`;
  return [`${signed ? 'idiv' : 'div'} ${DIVISORS[bits]}`, `${inputs} ${DIVISORS[bits]}=${raw(divisor, bits)}`, after];
}

test(`divisions near the limits of their quotient raise #DE as the model says (SKEP_SEED=${SEED})`, () => {
  const machine = new TestMachine((host) => {
    const store = new ArenaStore({ capacity: ENGINE_RESERVED + 0x40_0000, reserved: ENGINE_RESERVED });
    const memory = new GuestMemory({ store });
    return { memory, engine: new WasmEngine({ memory, store, host }) };
  });
  const random = new Random(SEED);
  const cases = Array.from({ length: CASES }, () => randomCase(random));
  const raising = cases.filter(([, , after]) => after === '#DE').length;
  expect(raising).toBeGreaterThan(CASES / 10);
  expect(raising).toBeLessThan((CASES * 9) / 10);
  const failures = cases.flatMap((entry) =>
    machine.differences(entry, 'protected').map((what) => `${entry.join(' | ')}: ${what}`),
  );
  expect(failures).toEqual([]);
});
