import { formOf, widthInBytes, type Form, type OperandForm } from './form.ts';
import { generalName, SEGMENT_PREFIXES, segmentName } from './register.ts';

/** An instruction's bytes taken apart. */
export interface Decoded {
  readonly form: Form;
  readonly length: number;
  readonly prefixes: Prefixes;
  /** 0 where the form has none. */
  readonly modrm: number;
  readonly registerInOpcode: number;
  /** Set where ModRM or the opcode says memory. */
  readonly memory: Memory | undefined;
  /** The value of each operand that is an immediate, offset or displacement, else 0; a bigint where it has 64 bits. */
  readonly values: readonly Value[];
  /** Of a far pointer. */
  readonly selector: number;
}

export interface Prefixes {
  /** The last of F2 and F3, or 0. */
  readonly repeat: number;
  readonly lock: boolean;
  /** The REX prefix, or what VEX says in its place; 0 when there is none. */
  readonly rex: number;
  /** The register that VEX.vvvv names, or -1 without VEX. */
  readonly vvvv: number;
  /** Number of the segment register of the last override, or -1. */
  readonly segment: number;
  /** In bytes, like the next. */
  readonly operandSize: number;
  readonly addressSize: number;
}

export type Value = number | bigint;

export interface Memory {
  /** As they are written, an index with its scale. */
  readonly registers: readonly string[];
  readonly displacement: Value;
}

/** The processor's limit: a longer instruction raises #GP. */
const MAX_LENGTH = 15;

/** Takes the instruction at the start of `bytes` apart, or says that there is none. */
export function decode(bytes: Uint8Array, defaultSize: number): Decoded | undefined {
  const reader = new Reader(bytes);
  const { vex, opcode, ...read } = readOpcode(reader, readPrefixes(reader, defaultSize));
  const is64 = defaultSize === 8;
  const form = formOf(opcode, { prefix: read.mandatory, modrm: reader.peek(), is64, vex, rex: read.prefixes.rex });
  if (form === undefined) return undefined;
  const prefixes = is64 ? widened(read.prefixes, form) : read.prefixes;
  const modrm = form.hasModrm ? reader.byte() : 0;
  if (!isDefined(form, modrm, prefixes)) return undefined;
  const memory = readMemory(reader, form, modrm, prefixes, is64);
  const values = form.operands.map((operand) => readValue(reader, operand, prefixes));
  const selector = form.operands.some(({ place }) => place === 'A') ? reader.number(2) : 0;
  const length = reader.offset;
  if (length > Math.min(bytes.length, MAX_LENGTH)) return undefined;
  const registerInOpcode = (opcode - form.opcode) | (form.registerInOpcode ? (prefixes.rex & 1) << 3 : 0);
  return { form, length, prefixes, modrm, registerInOpcode, memory, values, selector };
}

/** Memory operands that ModRM makes a register, and segment registers that do not exist, raise #UD. */
function isDefined(form: Form, modrm: number, { vvvv }: Prefixes): boolean {
  if (vvvv > 0 && !form.operands.some(({ place }) => place === 'B')) return false;
  return form.operands.every(
    ({ place }) => !(place === 'M' && modrm >= 0xc0) && !(place === 'S' && segmentName((modrm >> 3) & 7) === ''),
  );
}

/** Bytes from left to right; zeroes past the end. */
class Reader {
  offset = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  peek(): number {
    return this.#bytes[this.offset] ?? 0;
  }

  byte(): number {
    const value = this.peek();
    this.offset++;
    return value;
  }

  /** Unsigned, lowest byte first. */
  number(size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) value += this.byte() * 2 ** (8 * index);
    return value;
  }

  /** The same, exact in 64 bits too. */
  value(size: number): Value {
    return size < 8 ? this.number(size) : BigInt(this.number(4)) | (BigInt(this.number(4)) << 32n);
  }

  signed(size: number): number {
    const value = this.number(size);
    return size > 0 && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
  }
}

/** Operand size without and with a 66, address size without and with a 67, in bytes, by the code segment's size. */
const SIZES: Readonly<Record<number, { operand: readonly number[]; address: readonly number[] }>> = {
  2: { operand: [2, 4], address: [2, 4] },
  4: { operand: [4, 2], address: [4, 2] },
  8: { operand: [4, 2], address: [8, 4] },
};

function readPrefixes(
  reader: Reader,
  defaultSize: number,
): Prefixes & { readonly has66: boolean; readonly is64: boolean } {
  const is64 = defaultSize === 8;
  const { operand = [], address = [] } = SIZES[defaultSize] ?? {};
  const prefixes = { repeat: 0, lock: false, segment: -1, rex: 0, vvvv: -1, has66: false, has67: false };
  for (; reader.offset < MAX_LENGTH; reader.byte()) {
    const byte = reader.peek();
    const segment = SEGMENT_PREFIXES.indexOf(byte);
    const rex = is64 && (byte & 0xf0) === 0x40 ? byte : 0;
    if (segment >= 0) prefixes.segment = is64 && segment < 4 ? prefixes.segment : segment;
    else if (byte === 0x66) prefixes.has66 = true;
    else if (byte === 0x67) prefixes.has67 = true;
    else if (byte === 0xf0) prefixes.lock = true;
    else if (byte === 0xf2 || byte === 0xf3) prefixes.repeat = byte;
    else if (rex === 0) break;
    // It counts only right before the opcode.
    prefixes.rex = rex;
  }
  const operandSize = (prefixes.rex & 8) !== 0 ? 8 : (operand[Number(prefixes.has66)] ?? 0);
  return { ...prefixes, is64, operandSize, addressSize: address[Number(prefixes.has67)] ?? 0 };
}

interface Opcode {
  readonly opcode: number;
  readonly vex: boolean;
  /** The mandatory prefix that it has, or 0. */
  readonly mandatory: number;
  readonly prefixes: Prefixes;
}

function readOpcode(reader: Reader, prefixes: ReturnType<typeof readPrefixes>): Opcode {
  const { repeat, has66, is64 } = prefixes;
  const mandatory = repeat !== 0 ? repeat : has66 ? 0x66 : 0;
  const first = reader.byte();
  if ((first & 0xfe) === 0xc4 && (is64 || reader.peek() >= 0xc0)) return readVex(reader, first === 0xc5, prefixes);
  if (first !== 0x0f) return { opcode: first, vex: false, mandatory, prefixes };
  const second = reader.byte();
  const isLong = second === 0x38 || second === 0x3a;
  const opcode = isLong ? 0x0f_0000 | (second << 8) | reader.byte() : 0x0f00 | second;
  return { opcode, vex: false, mandatory, prefixes };
}

const VEX_MANDATORY: readonly number[] = [0, 0x66, 0xf3, 0xf2];
const VEX_MAPS: Readonly<Record<number, number>> = { 1: 0x0f00, 2: 0x0f_3800, 3: 0x0f_3a00 };
const NO_OPCODE = -1;

function readVex(reader: Reader, isShort: boolean, prefixes: ReturnType<typeof readPrefixes>): Opcode {
  const { is64, has66, repeat, rex: other, lock } = prefixes;
  const first = reader.byte();
  const last = isShort ? first : reader.byte();
  const inverted = isShort ? ((first >> 5) ^ 4) & 4 : (first >> 5) ^ 7;
  const rex = is64 ? 0x40 | inverted | (!isShort && (last & 0x80) !== 0 ? 8 : 0) : 0;
  const map = VEX_MAPS[isShort ? 1 : first & 31];
  const wrong = has66 || repeat !== 0 || other !== 0 || lock || map === undefined || (last & 4) !== 0;
  return {
    opcode: wrong ? NO_OPCODE : map | reader.byte(),
    vex: true,
    mandatory: VEX_MANDATORY[last & 3] ?? 0,
    prefixes: {
      ...prefixes,
      rex,
      vvvv: (((last >> 3) & 15) ^ 15) & (is64 ? 15 : 7),
      operandSize: (rex & 8) !== 0 ? 8 : 4,
    },
  };
}

/** There is no 64-bit input or output: REX.W says nothing to them. */
const AT_MOST_32: ReadonlySet<string> = new Set(['ins', 'outs']);

/** Operand sizes that 64-bit mode makes wider by itself, or keeps from being so. */
function widened(prefixes: Prefixes, { instruction: { traits, handler } }: Form): Prefixes {
  if (AT_MOST_32.has(handler) && prefixes.operandSize === 8) return { ...prefixes, operandSize: 4 };
  const isWide = traits.has('force64') || (traits.has('default64') && prefixes.operandSize === 4);
  return isWide ? { ...prefixes, operandSize: 8 } : prefixes;
}

/** Registers of 16-bit addresses by ModRM.rm (SDM volume 2, table 2-1). */
const SUMS_16: readonly (readonly string[])[] = [
  ['bx', 'si'],
  ['bx', 'di'],
  ['bp', 'si'],
  ['bp', 'di'],
  ['si'],
  ['di'],
  ['bp'],
  ['bx'],
];

function readMemory(
  reader: Reader,
  form: Form,
  modrm: number,
  { addressSize, rex }: Prefixes,
  is64: boolean,
): Memory | undefined {
  if (form.operands.some(({ place }) => place === 'O'))
    return { registers: [], displacement: reader.value(addressSize) };
  const isRegister = modrm >= 0xc0 || form.operands.some(({ place }) => place === 'R');
  if (!form.hasModrm || isRegister) return undefined;
  if (addressSize === 2) return readMemory16(reader, modrm >> 6, modrm & 7);
  return readMemory32(reader, modrm, { size: addressSize, rex, is64 });
}

function readMemory16(reader: Reader, mod: number, rm: number): Memory {
  if (mod === 0 && rm === 6) return { registers: [], displacement: reader.number(2) };
  return { registers: SUMS_16[rm] ?? [], displacement: reader.signed(mod) };
}

interface Addressing {
  /** Of the registers, in bytes. */
  readonly size: number;
  readonly rex: number;
  readonly is64: boolean;
}

function readMemory32(reader: Reader, modrm: number, { size, rex, is64 }: Addressing): Memory {
  const [mod, rm] = [modrm >> 6, modrm & 7];
  const sib = rm === 4 ? reader.byte() : rm | 0x20;
  const base = sib & 7;
  const index = ((sib >> 3) & 7) | (rm === 4 ? (rex & 2) << 2 : 0);
  const hasBase = mod !== 0 || base !== 5;
  const registers = hasBase ? [generalName(base | ((rex & 1) << 3), size)] : [];
  if (index !== 4) registers.push(`${generalName(index, size)}*${1 << (sib >> 6)}`);
  if (!hasBase && rm !== 4 && is64) return { registers: [size === 8 ? 'rip' : 'eip'], displacement: reader.signed(4) };
  if (registers.length === 0 && is64) return { registers, displacement: reader.signed(4) };
  if (registers.length === 0) return { registers, displacement: reader.number(4) };
  return { registers, displacement: reader.signed(hasBase && mod < 2 ? mod : 4) };
}

function readValue(reader: Reader, { place, width }: OperandForm, { operandSize }: Prefixes): Value {
  if (place === 'I' && width === 'bs') return truncate(reader.signed(1), operandSize);
  // An immediate of 32 bits is sign-extended to 64.
  if (place === 'I' && width === 'z' && operandSize === 8) return truncate(reader.signed(4), 8);
  if (place === 'I') return reader.value(widthInBytes(width, operandSize));
  if (place === 'J') return reader.signed(widthInBytes(width, operandSize));
  return place === 'A' ? reader.number(operandSize) : 0;
}

/** A number modulo a size in bytes. */
export const truncate = (value: number, size: number): Value => {
  if (size === 8) return BigInt.asUintN(64, BigInt(value));
  return size === 4 ? value >>> 0 : value & 0xffff;
};
