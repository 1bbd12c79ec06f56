import { INSTRUCTIONS } from '../table/instructions.ts';
import type { Instruction } from '../table/instruction.ts';

/** Where an operand is: a letter of the table's notation, or `literal` for one that the opcode names. */
export type Place = 'E' | 'M' | 'R' | 'G' | 'Z' | 'S' | 'C' | 'D' | 'I' | 'J' | 'A' | 'O' | 'X' | 'Y' | 'literal';

/** How wide it is: the second letter. Empty where nothing says (LEA, INVLPG). */
export type Width = '' | 'b' | 'w' | 'd' | 'q' | 'v' | 'z' | 'y' | 'p' | 'a' | 's' | 'bs' | 'n';

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
  /** The opcode's bytes as one number: 0x90, 0x0fb6. */
  readonly opcode: number;
  /** The low three bits of the opcode name a register. */
  readonly registerInOpcode: boolean;
  readonly hasModrm: boolean;
  /** What ModRM.reg must be, where it belongs to the opcode. */
  readonly extension: number | undefined;
  readonly operands: readonly OperandForm[];
}

const LITERAL_WIDTHS: Readonly<Record<string, Width>> = { AL: 'b', rAX: 'v' };

function operandForm(code: string): OperandForm {
  const match = /^([EMRGZSCDIJAOXY])([a-z]*)$/.exec(code);
  if (match === null) return { place: 'literal', width: LITERAL_WIDTHS[code] ?? '', literal: code };
  return { place: match[1] as Place, width: match[2] as Width, literal: '' };
}

const MANDATORY_PREFIXES: ReadonlySet<string> = new Set(['66', 'F2', 'F3']);

function form(instruction: Instruction): Form {
  const words = instruction.encoding.split(' ');
  const bytes = words.filter((word) => /^[0-9A-F]{2}$/.test(word));
  const mandatory = bytes.length > 1 && MANDATORY_PREFIXES.has(bytes[0] ?? '') ? bytes.shift() : undefined;
  const modrm = words.find((word) => word.startsWith('/'))?.slice(1);
  return {
    instruction,
    mandatoryPrefix: mandatory === undefined ? 0 : Number.parseInt(mandatory, 16),
    opcode: Number.parseInt(bytes.join(''), 16),
    registerInOpcode: words.includes('+r'),
    hasModrm: modrm !== undefined,
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
 * The form that these bytes select. `prefix` is the last of F2, F3 and 66 that stands before the opcode, or 0, and
 * `modrm` the byte after it, which is looked at only where the opcode has one.
 */
export function formOf(opcode: number, prefix: number, modrm: number): Form | undefined {
  const forms = (BY_OPCODE.get(opcode) ?? []).filter(
    ({ extension }) => extension === undefined || extension === ((modrm >> 3) & 7),
  );
  return forms.find(({ mandatoryPrefix }) => mandatoryPrefix === prefix) ?? forms.find((f) => f.mandatoryPrefix === 0);
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
};

/** Instructions that store a selector or machine status word: a register whole, but always two bytes of memory. */
const STORES_WORD: ReadonlySet<string> = new Set(['mov_from_segment', 'sldt', 'str', 'smsw']);

/** The bytes that a memory operand of this form has, or 0. */
export function memoryWidth({ instruction }: Form, { width }: OperandForm, size: number): number {
  return STORES_WORD.has(instruction.handler) ? 2 : widthInBytes(width, size);
}

/** String instructions are written without operands. */
export const isString = ({ operands }: Form): boolean => operands.some(({ place }) => place === 'X' || place === 'Y');

/** ESC, the coprocessor's opcodes as one instruction: its first operand is made of opcode and ModRM.reg. */
export const isEscape = ({ instruction }: Form): boolean => instruction.mnemonic === 'esc';

/** Far JMP and CALL, which the table names with an F and the text with the word `far` or a selector. */
export const isFarTransfer = ({ instruction }: Form): boolean => ['jmpf', 'callf'].includes(instruction.mnemonic);
