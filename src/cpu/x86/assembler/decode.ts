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
  /** The value of each operand that is an immediate, offset or displacement, else 0. */
  readonly values: readonly number[];
  /** Of a far pointer. */
  readonly selector: number;
}

export interface Prefixes {
  /** The last of F2 and F3, or 0. */
  readonly repeat: number;
  readonly lock: boolean;
  readonly has66: boolean;
  /** Number of the segment register of the last override, or -1. */
  readonly segment: number;
  /** In bytes, like the next. */
  readonly operandSize: number;
  readonly addressSize: number;
}

export interface Memory {
  /** As they are written, an index with its scale. */
  readonly registers: readonly string[];
  readonly displacement: number;
}

/** The processor's limit: a longer instruction raises #GP. */
const MAX_LENGTH = 15;

/** Takes the instruction at the start of `bytes` apart, or says that there is none. */
export function decode(bytes: Uint8Array, defaultSize: number): Decoded | undefined {
  const reader = new Reader(bytes);
  const prefixes = readPrefixes(reader, defaultSize);
  const opcode = readOpcode(reader);
  const form = formOf(opcode, prefixes.repeat || (prefixes.has66 ? 0x66 : 0), reader.peek());
  if (form === undefined) return undefined;
  const modrm = form.hasModrm ? reader.byte() : 0;
  if (!isDefined(form, modrm)) return undefined;
  const memory = readMemory(reader, form, modrm, prefixes.addressSize);
  const values = form.operands.map((operand) => readValue(reader, operand, prefixes));
  const selector = form.operands.some(({ place }) => place === 'A') ? reader.number(2) : 0;
  const length = reader.offset;
  if (length > Math.min(bytes.length, MAX_LENGTH)) return undefined;
  return { form, length, prefixes, modrm, registerInOpcode: opcode - form.opcode, memory, values, selector };
}

/** Memory operands that ModRM makes a register, and segment registers that do not exist, raise #UD. */
function isDefined(form: Form, modrm: number): boolean {
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

  signed(size: number): number {
    const value = this.number(size);
    return size > 0 && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
  }
}

function readPrefixes(reader: Reader, defaultSize: number): Prefixes {
  const prefixes = {
    repeat: 0,
    lock: false,
    has66: false,
    segment: -1,
    operandSize: defaultSize,
    addressSize: defaultSize,
  };
  for (; reader.offset < MAX_LENGTH; reader.byte()) {
    const byte = reader.peek();
    const segment = SEGMENT_PREFIXES.indexOf(byte);
    if (segment >= 0) prefixes.segment = segment;
    else if (byte === 0x66) {
      prefixes.operandSize = 6 - defaultSize;
      prefixes.has66 = true;
    } else if (byte === 0x67) prefixes.addressSize = 6 - defaultSize;
    else if (byte === 0xf0) prefixes.lock = true;
    else if (byte === 0xf2 || byte === 0xf3) prefixes.repeat = byte;
    else break;
  }
  return prefixes;
}

function readOpcode(reader: Reader): number {
  const byte = reader.byte();
  if (byte !== 0x0f) return byte;
  const second = reader.byte();
  return second === 0x38 || second === 0x3a ? 0x0f_0000 | (second << 8) | reader.byte() : 0x0f00 | second;
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

function readMemory(reader: Reader, form: Form, modrm: number, addressSize: number): Memory | undefined {
  if (form.operands.some(({ place }) => place === 'O'))
    return { registers: [], displacement: reader.number(addressSize) };
  const isRegister = modrm >= 0xc0 || form.operands.some(({ place }) => place === 'R');
  if (!form.hasModrm || isRegister) return undefined;
  const read = addressSize === 2 ? readMemory16 : readMemory32;
  return read(reader, modrm >> 6, modrm & 7);
}

function readMemory16(reader: Reader, mod: number, rm: number): Memory {
  if (mod === 0 && rm === 6) return { registers: [], displacement: reader.number(2) };
  return { registers: SUMS_16[rm] ?? [], displacement: reader.signed(mod) };
}

function readMemory32(reader: Reader, mod: number, rm: number): Memory {
  const sib = rm === 4 ? reader.byte() : rm | 0x20;
  const base = sib & 7;
  const index = (sib >> 3) & 7;
  const hasBase = mod !== 0 || base !== 5;
  const registers = hasBase ? [generalName(base, 4)] : [];
  if (index !== 4) registers.push(`${generalName(index, 4)}*${1 << (sib >> 6)}`);
  if (registers.length === 0) return { registers, displacement: reader.number(4) };
  return { registers, displacement: reader.signed(hasBase && mod < 2 ? mod : 4) };
}

function readValue(reader: Reader, { place, width }: OperandForm, { operandSize }: Prefixes): number {
  if (place === 'I' && width === 'bs') return truncate(reader.signed(1), operandSize);
  if (place === 'I') return reader.number(widthInBytes(width, operandSize));
  if (place === 'J') return reader.signed(widthInBytes(width, operandSize));
  return place === 'A' ? reader.number(operandSize) : 0;
}

/** A number modulo a size in bytes. */
export const truncate = (value: number, size: number): number => (size === 4 ? value >>> 0 : value & 0xffff);
