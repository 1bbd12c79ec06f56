import { SYMBOLS, DATA, STACK } from './layout.ts';

/** Bits of EFLAGS by the letter that cases use. */
export const FLAG_BITS: Readonly<Record<string, number>> = {
  c: 0x1,
  p: 0x4,
  a: 0x10,
  z: 0x40,
  s: 0x80,
  t: 0x100,
  i: 0x200,
  d: 0x400,
  o: 0x800,
  n: 0x4000,
};

export const GENERAL_REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;

/** What registers hold when a case does not say: every byte another. */
export const DEFAULT_REGISTERS: ReadonlyMap<string, number> = new Map([
  ['eax', 0x10203040],
  ['ecx', 0x50607080],
  ['edx', 0x90a0b0c0],
  ['ebx', 0xd0e0f001],
  ['esp', STACK],
  ['ebp', 0x11121314],
  ['esi', 0x15161718],
  ['edi', 0x191a1b1c],
]);

/** Bytes that a case gives a value. */
export interface MemoryBytes {
  readonly address: number;
  readonly bytes: readonly number[];
}

/** An exception or interrupt, and the error code that protected mode pushes with it. */
export interface Delivery {
  readonly vector: number;
  readonly error: number | undefined;
}

/** One side of a case: what is so before, or what is otherwise after. */
export interface VisibleState {
  readonly registers: ReadonlyMap<string, number>;
  /** Undefined where nothing is said. */
  readonly flags: number | undefined;
  /** Flags that are not to be looked at. */
  readonly ignoredFlags: number;
  readonly memory: readonly MemoryBytes[];
  readonly delivery: Delivery | undefined;
  /** `halt` or `shutdown`, where the case does not end in the usual way. */
  readonly exit: string | undefined;
}

const VECTORS: Readonly<Record<string, number>> = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  XM: 19,
};

/**
 * Reads one side of a case. Words are `eax=1`, `al=0x7f` (within the register), `ds=0x10`, `flags=cz/oa` (those are
 * set, all others clear, and what follows the slash is not looked at), `[data+4]=0102` (bytes in hexadecimal),
 * `#GP(0)`, `#PF(2)`, `#0x21`, `halt`, `shutdown`.
 */
export function visibleState(text: string, defaults: ReadonlyMap<string, number>): VisibleState {
  const words = text.split(' ').filter((word) => word !== '');
  const registers = new Map(defaults);
  const memory: MemoryBytes[] = [];
  let flags: number | undefined;
  let ignoredFlags = 0;
  let delivery: Delivery | undefined;
  let exit: string | undefined;
  for (const word of words) {
    const [name = '', value = ''] = word.split('=');
    if (name === 'flags') [flags, ignoredFlags] = value.split('/').map(flagBits).concat(0) as [number, number];
    else if (name.startsWith('[')) memory.push(memoryBytes(name, value));
    else if (name.startsWith('#')) delivery = deliveryOf(name.slice(1));
    else if (value === '') exit = name;
    else setRegister(registers, name, Number(value));
  }
  return { registers, flags, ignoredFlags, memory, delivery, exit };
}

function flagBits(letters: string): number {
  return Array.from(letters).reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0);
}

function memoryBytes(place: string, hex: string): MemoryBytes {
  const [symbol = '', offset = '0'] = place.slice(1, -1).split('+');
  const bytes = hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  return { address: (SYMBOLS[symbol] ?? Number(symbol)) + Number(offset), bytes };
}

function deliveryOf(text: string): Delivery {
  const [name = '', error] = text.split(/[()]/);
  return { vector: VECTORS[name] ?? Number(name), error: error === undefined ? undefined : Number(error) };
}

const WORD_NAMES: readonly string[] = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const BYTE_NAMES: readonly string[] = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];

/** Sets a register, or the part of one that the name stands for. */
function setRegister(registers: Map<string, number>, name: string, value: number): void {
  const word = WORD_NAMES.indexOf(name);
  const byte = BYTE_NAMES.indexOf(name);
  if (word >= 0) setPart(registers, word, 0xffff, 0, value);
  else if (byte >= 0) setPart(registers, byte & 3, 0xff, byte & 4 ? 8 : 0, value);
  else registers.set(name, value >>> 0);
}

function setPart(registers: Map<string, number>, number: number, mask: number, shift: number, value: number): void {
  const name = GENERAL_REGISTERS[number] ?? '';
  const old = registers.get(name) ?? 0;
  registers.set(name, ((old & ~(mask << shift)) | ((value & mask) << shift)) >>> 0);
}

/** A pattern that makes a stray write show. */
const PATTERN: Uint8Array = Uint8Array.from({ length: 0x1_0000 }, (_, at) => (at >= DATA ? (at * 7 + 3) & 0xff : 0xcc));

/** The memory that a case begins with: the pattern, and what the case says. */
export function initialMemory(start: number, end: number, state: VisibleState): Uint8Array {
  const bytes = PATTERN.slice(start, end);
  putMemory(bytes, start, state);
  return bytes;
}

/** Puts in what a side of a case says of memory. */
export function putMemory(bytes: Uint8Array, start: number, state: VisibleState): void {
  for (const { address, bytes: source } of state.memory) bytes.set(source, address - start);
}
