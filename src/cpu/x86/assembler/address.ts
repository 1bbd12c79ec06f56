import { AssemblyError, type Position } from './assembly-error.ts';
import { evaluate, type Expression, type Scope } from './expression.ts';
import type { Operand } from './operand.ts';
import type { Register } from './register.ts';

/** An effective address as a sum. */
export interface Sum {
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  /** 1, 2, 4 or 8. */
  readonly scale: number;
  /** Undefined while it depends on a name that is not known yet. */
  readonly displacement: bigint | undefined;
}

/** An address as instruction bytes. `modrm` lacks its middle field. */
export interface EncodedAddress {
  readonly addressSize: number;
  readonly modrm: number;
  /** SIB and displacement. */
  readonly rest: readonly number[];
  /** REX.X and REX.B. */
  readonly rex?: number;
  /** Where an address relative to RIP leads: the last four bytes of `rest` are to count from the instruction's end. */
  readonly relative?: bigint | undefined;
}

interface Term {
  readonly register: Register;
  /** Undefined unless written as a product: `eax*1` is an index even where it could be a base. */
  readonly scale: bigint | undefined;
}

interface Linear {
  readonly terms: readonly Term[];
  readonly constant: bigint | undefined;
}

/** Adds up an address expression: registers, at most one of them scaled, and a displacement. */
export function sum(address: Expression, scope: Scope): Sum {
  const { terms, constant } = linear(address, scope);
  const fail = (expected: string): never => {
    throw new AssemblyError('OPERANDS', address.at, `expected ${expected}`);
  };
  if (terms.length > 2) fail('at most two registers in an address');
  const index = terms.find(({ scale }) => scale !== undefined) ?? defaultIndex(terms);
  const base = terms.find((term) => term !== index);
  if (base?.scale !== undefined) fail('at most one register with a scale');
  const scale = Number(index?.scale ?? 1n);
  if (![1, 2, 4, 8].includes(scale)) fail('a scale of 1, 2, 4 or 8');
  return { base: base?.register, index: index?.register, scale, displacement: constant };
}

/** Of two registers without scale the second is the index, but (E)SP never is one. A single register is the base. */
function defaultIndex(terms: readonly Term[]): Term | undefined {
  if (terms.length < 2) return undefined;
  return terms[1]?.register.number === 4 && terms[1].register.size >= 4 ? terms[0] : terms[1];
}

function linear(expression: Expression, scope: Scope): Linear {
  if (expression.kind === 'register') {
    const { kind, size } = expression.register;
    if ((kind !== 'general' && kind !== 'pointer') || size === 1) failRegister(expression);
    return { terms: [{ register: expression.register, scale: undefined }], constant: 0n };
  }
  if (expression.kind === 'binary' && hasRegister(expression)) return linearBinary(expression, scope);
  return { terms: [], constant: evaluate(expression, scope) };
}

const failRegister = ({ at, register }: Expression & { kind: 'register' }): never => {
  throw new AssemblyError(
    'OPERANDS',
    at,
    `expected a general register of 16 bits or more in an address, found ${register.name}`,
  );
};

function hasRegister(expression: Expression): boolean {
  if (expression.kind === 'binary') return hasRegister(expression.left) || hasRegister(expression.right);
  return expression.kind === 'register' || (expression.kind === 'unary' && hasRegister(expression.operand));
}

function linearBinary({ operator, left, right, at }: Expression & { kind: 'binary' }, scope: Scope): Linear {
  const a = linear(left, scope);
  const b = linear(right, scope);
  if (operator === '*') {
    const [register, factor] = a.terms.length > 0 ? [a, b] : [b, a];
    const [term, ...more] = register.terms;
    if (term !== undefined && more.length === 0 && factor.terms.length === 0 && register.constant === 0n)
      return { terms: [{ register: term.register, scale: factor.constant ?? 1n }], constant: 0n };
  }
  if (operator === '+' || (operator === '-' && b.terms.length === 0)) {
    const sign = operator === '-' ? -1n : 1n;
    const constant = a.constant === undefined || b.constant === undefined ? undefined : a.constant + sign * b.constant;
    return { terms: [...a.terms, ...b.terms], constant };
  }
  throw new AssemblyError('OPERANDS', at, `expected registers to be added or scaled, found '${operator}'`);
}

/** Encodes a memory operand in the address size that its registers have, or its displacement's size word says. */
export function encodeAddress(
  operand: Operand & { kind: 'memory' },
  scope: Scope,
  addressSize: number,
  isOffset = false,
): EncodedAddress {
  if (isOffset) return { addressSize: wideDisplacement(operand) ?? addressSize, modrm: 0, rest: [] };
  const parts = sum(operand.address, scope);
  const registers = [parts.base, parts.index].filter((register) => register !== undefined);
  const size = registers[0]?.size ?? wideDisplacement(operand) ?? addressSize;
  if (registers.some((register) => register.size !== size))
    throw new AssemblyError('OPERANDS', operand.at, 'expected registers of one size in an address');
  if (addressSize === 8 && size === 2)
    throw new AssemblyError('OPERANDS', operand.at, 'expected 32- or 64-bit registers in an address');
  if (size === 8 && addressSize !== 8 && registers.length > 0)
    throw new AssemblyError('OPERANDS', operand.at, 'expected 16- or 32-bit registers in an address');
  return size === 2 ? encode16(parts, operand) : encode32(parts, operand, size, addressSize === 8);
}

const wideDisplacement = ({ displacementSize }: Operand & { kind: 'memory' }): number | undefined =>
  displacementSize === 1 ? undefined : displacementSize;

/** The eight sums of 16-bit addressing (SDM volume 2, table 2-1): BX 3, BP 5, SI 6, DI 7. */
const SUMS_16: readonly (readonly number[])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];

function encode16(parts: Sum, operand: Operand & { kind: 'memory' }): EncodedAddress {
  const numbers = [parts.base, parts.index].filter((r) => r !== undefined).map(({ number }) => number);
  if (numbers.length === 0)
    return { addressSize: 2, modrm: 0x06, rest: bytesOf(fit(parts.displacement ?? 0n, 2, operand.at), 2) };
  const key = numbers.sort((a, b) => a - b).join();
  const rm = SUMS_16.findIndex((registers) => registers.join() === key);
  if (rm < 0 || parts.scale !== 1)
    throw new AssemblyError('OPERANDS', operand.at, 'expected bx or bp, si or di, or one of each, in a 16-bit address');
  const { mod, bytes } = displace(parts.displacement ?? 0n, 2, operand, rm === 6);
  return { addressSize: 2, modrm: mod | rm, rest: bytes };
}

const SCALE_BITS: Readonly<Record<number, number>> = { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 };

/** 32-bit addressing (SDM volume 2, tables 2-2 and 2-3): a SIB byte when there is an index or the base is ESP. */
function encode32(
  { base, index, scale, displacement = 0n }: Sum,
  operand: Operand & { kind: 'memory' },
  addressSize: number,
  is64: boolean,
): EncodedAddress {
  if (base?.kind === 'pointer') return { addressSize, modrm: 0x05, rest: bytesOf(fit(displacement, 4, operand.at), 4) };
  if (operand.relative && is64) return { addressSize, modrm: 0x05, rest: [0, 0, 0, 0], relative: displacement };
  const rex = ((index?.number ?? 0) > 7 ? 2 : 0) | ((base?.number ?? 0) > 7 ? 1 : 0);
  if (index?.number === 4) throw new AssemblyError('OPERANDS', operand.at, 'expected an index other than esp');
  const sib = (SCALE_BITS[scale] ?? 0) | (((index?.number ?? 4) & 7) << 3);
  if (base === undefined) {
    const bytes = bytesOf(fit(addressSize === 8 ? BigInt.asIntN(64, displacement) : displacement, 4, operand.at), 4);
    // Without registers it would be relative to RIP in 64-bit mode.
    const plain = index === undefined && !is64;
    return { addressSize, modrm: plain ? 0x05 : 0x04, rest: plain ? bytes : [sib | 5, ...bytes], rex };
  }
  const low = base.number & 7;
  const { mod, bytes } = displace(displacement, 4, operand, low === 5);
  if (index === undefined && low !== 4) return { addressSize, modrm: mod | low, rest: bytes, rex };
  return { addressSize, modrm: mod | 0x04, rest: [sib | low, ...bytes], rex };
}

/** ModRM.mod and the displacement after a base register. `always`: without displacement the encoding means another. */
function displace(
  displacement: bigint,
  size: number,
  { displacementSize, at }: Operand & { kind: 'memory' },
  always: boolean,
): { mod: number; bytes: number[] } {
  const value = BigInt.asIntN(size * 8, fit(displacement, size, at));
  if (value === 0n && !always && displacementSize === undefined) return { mod: 0x00, bytes: [] };
  const short = value === BigInt.asIntN(8, value) && (displacementSize ?? 1) === 1;
  if (displacementSize === 1 && !short) throw new AssemblyError('RANGE', at, 'expected a displacement of 8 bits');
  return short ? { mod: 0x40, bytes: bytesOf(value, 1) } : { mod: 0x80, bytes: bytesOf(value, size) };
}

/** The value if it fits `size` bytes, signed or unsigned; else it throws. */
export function fit(value: bigint, size: number, at: Position): bigint {
  if (BigInt.asIntN(size * 8, value) === value || BigInt.asUintN(size * 8, value) === value) return value;
  throw new AssemblyError('RANGE', at, `expected a value of ${size * 8} bits, found ${hex(value)}`);
}

const hex = (value: bigint): string => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);

/** Little-endian bytes of the low part of a value. */
export function bytesOf(value: bigint, size: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(size * 8, value);
  for (let index = 0; index < size; index++, rest >>= 8n) bytes.push(Number(rest & 0xffn));
  return bytes;
}
