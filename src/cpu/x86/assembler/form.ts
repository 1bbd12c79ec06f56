import { INSTRUCTIONS } from '../table/instructions.ts';
import type { Instruction } from '../table/instruction.ts';

/** Where an operand is: a letter of the table's notation, or `literal` for one that the opcode names. */
export type Place = RegisterPlace | 'E' | 'M' | 'R' | 'I' | 'J' | 'A' | 'O' | 'X' | 'Y' | 'literal' | VectorPlace;

/** By ModRM.reg or the opcode alone; F is ST(i), in the low bits of ModRM. */
type RegisterPlace = 'G' | 'Z' | 'S' | 'C' | 'D' | 'F';

/** MMX and XMM registers: by ModRM.reg, by ModRM.rm with memory, by ModRM.rm. */
type VectorPlace = 'P' | 'V' | 'Q' | 'W' | 'N' | 'U';

/** How wide it is: the second letter. Empty where nothing says (LEA, INVLPG). */
export type Width =
  | ('' | 'b' | 'w' | 'd' | 'q' | 'v' | 'z' | 'y' | 'p' | 'a' | 's' | 'bs' | 'n')
  | ('t' | 'ss' | 'sd' | 'ps' | 'pd' | 'dq' | 'u');

export interface OperandForm {
  readonly place: Place;
  readonly width: Width;
  /** `AL`, `rAX`, `1`, `ES` where the place is `literal`. */
  readonly literal: string;
}

/** A row of the opcode table with its notation taken apart. */
export interface Form {
  readonly instruction: Instruction;
  /** A prefix that is part of the opcode, or 0. */
  readonly mandatoryPrefix: number;
  /** Neither 66 nor F2 nor F3 may stand before it without making another instruction of it. */
  readonly isAlone: boolean;
  /** The opcode's bytes as one number: 0x90, 0x0fb6, 0x0f3800. */
  readonly opcode: number;
  /** The ModRM bytes that belong to the opcode, where the whole byte does. */
  readonly modrm: { readonly first: number; readonly count: number } | undefined;
  /** The low three bits of the opcode name a register. */
  readonly registerInOpcode: boolean;
  readonly hasModrm: boolean;
  /** What ModRM.reg must be, where it belongs to the opcode. */
  readonly extension: number | undefined;
  readonly operands: readonly OperandForm[];
}

const LITERAL_WIDTHS: Readonly<Record<string, Width>> = { AL: 'b', rAX: 'v' };

function operandForm(code: string): OperandForm {
  if (code === 'STi') return { place: 'F', width: '', literal: '' };
  const match = /^([EMRGZSCDIJAOXYPVQWNU])([a-z]*)$/.exec(code);
  if (match === null) return { place: 'literal', width: LITERAL_WIDTHS[code] ?? '', literal: code };
  return { place: match[1] as Place, width: match[2] as Width, literal: '' };
}

const MANDATORY_PREFIXES: ReadonlySet<string> = new Set(['66', 'F2', 'F3']);

/** How many of an encoding's bytes are the opcode: what follows is ModRM. */
function opcodeLength(bytes: readonly string[]): number {
  if (bytes[0] !== '0F') return 1;
  return bytes.length > 2 && (bytes[1] === '38' || bytes[1] === '3A') ? 3 : 2;
}

function fixedModrm(word: string | undefined): Form['modrm'] {
  return word === undefined ? undefined : { first: Number.parseInt(word, 16), count: word.endsWith('+i') ? 8 : 1 };
}

function form(instruction: Instruction): Form {
  const words = instruction.encoding.split(' ');
  const bytes = words.filter((word) => /^[0-9A-F]{2}(\+i)?$/.test(word));
  const mandatory = bytes.length > 1 && MANDATORY_PREFIXES.has(bytes[0] ?? '') ? bytes.shift() : undefined;
  const opcode = bytes.splice(0, opcodeLength(bytes));
  const modrm = words.find((word) => word.startsWith('/'))?.slice(1);
  return {
    instruction,
    mandatoryPrefix: mandatory === undefined ? 0 : Number.parseInt(mandatory, 16),
    isAlone: words[0] === 'NP',
    opcode: Number.parseInt(opcode.join(''), 16),
    modrm: fixedModrm(bytes[0]),
    registerInOpcode: words.includes('+r'),
    hasModrm: modrm !== undefined || bytes.length > 0,
    extension: modrm === undefined || modrm === 'r' ? undefined : Number(modrm),
    operands: instruction.operands.map(operandForm),
  };
}

/** The opcode table, row by row, taken apart. */
export const FORMS: readonly Form[] = INSTRUCTIONS.map(form);

/** Forms by opcode, those without a register in the opcode first: 90 is NOP before it is XCHG. */
const BY_OPCODE: ReadonlyMap<number, readonly Form[]> = byOpcode();

function byOpcode(): Map<number, Form[]> {
  const map = new Map<number, Form[]>();
  const exactFirst = [...FORMS].sort((a, b) => Number(a.registerInOpcode) - Number(b.registerInOpcode));
  for (const entry of exactFirst) {
    for (let register = 0; register < (entry.registerInOpcode ? 8 : 1); register++) {
      const forms = map.get(entry.opcode + register) ?? [];
      map.set(entry.opcode + register, [...forms, entry]);
    }
  }
  return map;
}

/**
 * The form that these bytes select. `prefix` is the last of F2 and F3 that stands before the opcode, else 66 if that
 * does, or 0, and `modrm` the byte after it, which is looked at only where the opcode has one.
 */
export function formOf(opcode: number, prefix: number, modrm: number): Form | undefined {
  const forms = BY_OPCODE.get(opcode) ?? [];
  const exact = forms.filter((form) => hasPrefix(form, prefix));
  const candidates = exact.length > 0 ? exact : forms.filter((form) => form.mandatoryPrefix === 0 && !form.isAlone);
  const fitting = candidates.filter((form) => takesModrm(form, modrm));
  return fitting.find((form) => form.modrm !== undefined) ?? fitting[0];
}

const hasPrefix = ({ mandatoryPrefix, isAlone }: Form, prefix: number): boolean =>
  prefix === 0 ? isAlone : mandatoryPrefix === prefix;

function takesModrm({ extension, modrm, operands }: Form, byte: number): boolean {
  if (modrm !== undefined) return byte >= modrm.first && byte < modrm.first + modrm.count;
  if (extension !== undefined && extension !== ((byte >> 3) & 7)) return false;
  if (operands.some(({ place }) => place === 'M')) return byte < 0xc0;
  return byte >= 0xc0 || operands.every(({ place }) => place !== 'U' && place !== 'N');
}

/** A width in bytes with `size` bytes of operand size; 0 where the width is of no fixed number of bytes. */
export function widthInBytes(width: Width, size: number): number {
  return WIDTHS[width](size);
}

const WIDTHS: Readonly<Record<Width, (size: number) => number>> = {
  '': () => 0,
  b: () => 1,
  bs: () => 1,
  w: () => 2,
  d: () => 4,
  q: () => 8,
  v: (size) => size,
  z: (size) => Math.min(size, 4),
  y: (size) => Math.max(size, 4),
  p: () => 0,
  a: () => 0,
  s: () => 0,
  n: () => 4,
  t: () => 10,
  ss: () => 4,
  sd: () => 8,
  ps: () => 16,
  pd: () => 16,
  dq: () => 16,
  u: () => 16,
};

/** Instructions that store a selector or machine status word: a register whole, but always two bytes of memory. */
const STORES_WORD: ReadonlySet<string> = new Set(['mov_from_segment', 'sldt', 'str', 'smsw']);

/** The bytes that a memory operand of this form has, or 0. */
export function memoryWidth({ instruction }: Form, { width }: OperandForm, size: number): number {
  return STORES_WORD.has(instruction.handler) ? 2 : widthInBytes(width, size);
}

/** String instructions are written without operands. */
export const isString = ({ operands }: Form): boolean => operands.some(({ place }) => place === 'X' || place === 'Y');

/** Instructions with an operand in an MMX or XMM register: nothing about them depends on the operand size. */
export const isVector = ({ operands }: Form): boolean => operands.some(({ place }) => 'PVQWNU'.includes(place));

/** Far JMP and CALL, which the table names with an F and the text with the word `far` or a selector. */
export const isFarTransfer = ({ instruction }: Form): boolean => ['jmpf', 'callf'].includes(instruction.mnemonic);
