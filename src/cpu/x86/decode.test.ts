import { expect, test } from 'vitest';
import { Random } from '../../../test/random.ts';
import { BareMachine } from './bare-machine.ts';
import { disassemble } from './disassembler.ts';
import { MODE } from './table/layout.ts';

const SEED = Number(process.env['SKEP_SEED'] ?? 20_261_122);
const CASES = 300_000;
const LONGEST = 15;

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3];

/** The disassembler shows LOCK wherever it stands; the engine knows of missing registers only when it executes. */
function isOutside(bytes: Uint8Array, bits: number): boolean {
  const start = bytes.findIndex((byte) => !PREFIXES.includes(byte) && (bits !== 64 || (byte & 0xf0) !== 0x40));
  const [first, second = 0] = bytes.subarray(start);
  return first === 0xf0 || first === 0x8c || first === 0x8e || (first === 0x0f && second >= 0x20 && second <= 0x23);
}

const MODES = [
  { bits: 16, mode: MODE.PROTECTED },
  { bits: 32, mode: MODE.PROTECTED | MODE.CODE32 | MODE.STACK32 },
  { bits: 64, mode: MODE.PROTECTED | MODE.LONG | MODE.CODE64 },
] as const;

test.each(MODES)('decoder and disassembler agree on random bytes as $bits-bit code', ({ bits, mode }) => {
  using machine = new BareMachine(0x1000);
  const { engine } = machine;
  const bytes = new Uint8Array(16);
  const random = new Random(SEED + bits);
  const differences: string[] = [];
  for (let index = 0; index < CASES && differences.length < 20; index++) {
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.byte();
    // Half of the cases begin in the two-byte map, which random bytes seldom do.
    if (index % 2 === 1) bytes[0] = 0x0f;
    if (isOutside(bytes, bits)) continue;
    const got = engine.decode(bytes, mode);
    const { instruction, length } = disassemble(bytes.subarray(0, LONGEST), { bits });
    const expected = instruction === undefined ? 0x106 : length;
    // Too long for both: #GP here, no instruction there.
    if (got !== expected && !(got === 0x10d && expected === 0x106)) {
      differences.push(`${[...bytes].map((byte) => byte.toString(16)).join(' ')}: ${got}, not ${expected}`);
    }
  }
  expect(differences, `seed ${SEED}`).toEqual([]);
});
