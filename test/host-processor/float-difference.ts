import { FLAGS, REGISTERS, type FloatState } from './float-state.ts';

const ARITHMETIC_FLAGS = 0x8d5n;
const C1 = 0x200;

/** What a comparison may overlook. */
export interface Tolerance {
  /** The manual leaves C1 undefined, or processors differ. */
  readonly c1?: boolean;
  /** Relative, for the approximations of RCPPS and the like. */
  readonly single?: number;
  /** Units in the last place of ST(0) and ST(1), and C1 with them: transcendental instructions. */
  readonly ulps?: number;
}

const hex = (value: number | bigint): string => value.toString(16);

/** Each thing that differs, as `name: theirs instead of ours`; nothing when the states agree. */
export function differences(ours: FloatState, theirs: FloatState, tolerance: Tolerance = {}): string[] {
  const [a, b] = [ours.image, theirs.image];
  const found: string[] = [];
  const check = (name: string, x: number | bigint, y: number | bigint): void => {
    if (x !== y) found.push(`${name}: ${hex(x)} instead of ${hex(y)}`);
  };
  const ignored = tolerance.c1 || tolerance.ulps !== undefined ? C1 : 0;
  check('fcw', a.getUint16(0, true), b.getUint16(0, true));
  check('fsw', a.getUint16(2, true) & ~ignored, b.getUint16(2, true) & ~ignored);
  check('ftw', a.getUint8(4), b.getUint8(4));
  check('mxcsr', a.getUint32(24, true), b.getUint32(24, true));
  for (let index = 0; index < 8; index++) {
    const at = 32 + 16 * index;
    const units = index < 2 ? (tolerance.ulps ?? 0) : 0;
    if (units === 0 || !isNear(unitsOf(a, at), unitsOf(b, at), units))
      check(`st${index}`, bitsOf(a, at), bitsOf(b, at));
    if (tolerance.single === undefined) {
      for (const half of [0, 8])
        check(
          `xmm${index}`,
          a.getBigUint64(160 + 16 * index + half, true),
          b.getBigUint64(160 + 16 * index + half, true),
        );
    } else found.push(...singleDifferences(a, b, index, tolerance.single));
    if (index !== 4)
      check(`r${index}`, a.getUint32(REGISTERS + 8 * index, true), b.getUint32(REGISTERS + 8 * index, true));
  }
  check('flags', a.getBigUint64(FLAGS, true) & ARITHMETIC_FLAGS, b.getBigUint64(FLAGS, true) & ARITHMETIC_FLAGS);
  for (const [index, byte] of ours.data.entries()) check(`[${index}]`, byte, theirs.data[index] ?? 0);
  return found;
}

const bitsOf = (image: DataView, at: number): bigint =>
  (BigInt(image.getUint16(at + 8, true)) << 64n) | image.getBigUint64(at, true);

/** Numbers a unit in the last place apart are 1 apart, also where the exponent changes. */
function unitsOf(image: DataView, at: number): bigint {
  const bits = bitsOf(image, at);
  return ((bits >> 64n) << 63n) + (bits & (2n ** 64n - 1n)) + (((bits >> 64n) & 0x7fffn) === 0n ? 1n << 63n : 0n);
}

const isNear = (x: bigint, y: bigint, ulps: number): boolean => x - y <= BigInt(ulps) && y - x <= BigInt(ulps);

function singleDifferences(a: DataView, b: DataView, index: number, relative: number): string[] {
  return [0, 4, 8, 12].flatMap((lane) => {
    const x = a.getFloat32(160 + 16 * index + lane, true);
    const y = b.getFloat32(160 + 16 * index + lane, true);
    const near = Object.is(x, y) || Math.abs(x - y) <= Math.abs(y) * relative;
    return near ? [] : [`xmm${index}: ${x} instead of ${y}`];
  });
}
