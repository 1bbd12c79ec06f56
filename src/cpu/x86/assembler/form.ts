import { INSTRUCTIONS } from '../table/instructions.ts';
import type { Instruction } from '../table/instruction.ts';

/** Where an operand is: a letter of the table's notation, or `literal` for one that the opcode names. */
export type Place =
  | ('E' | 'M' | 'R' | 'G' | 'Z' | 'S' | 'C' | 'D' | 'I' | 'J' | 'A' | 'O' | 'X' | 'Y' | 'B')
  | ('V' | 'W' | 'U' | 'P' | 'Q' | 'N' | 'ST0' | 'STi' | 'literal');

/** How wide it is: the second letter. Empty where nothing says (LEA, INVLPG). */
export type Width = '' | 'b' | 'w' | 'd' | 'q' | 'v' | 'z' | 'y' | 'p' | 'a' | 's' | 'bs' | 'n' | VectorWidth;
/** Of vectors and of what x87 has in memory. */
export type VectorWidth = 't' | 'u' | 'ss' | 'sd' | 'dq' | 'ps' | 'pd';

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
  /** There must be no 66, F2 or F3. */
  readonly noPrefix: boolean;
  /** Stands behind a VEX prefix. */
  readonly vex: boolean;
  /** The opcode's bytes as one number: 0x90, 0x0fb6, 0x0f38f0. */
  readonly opcode: number;
  /** The low three bits of the opcode name a register. */
  readonly registerInOpcode: boolean;
  readonly hasModrm: boolean;
  /** What ModRM.reg must be, where it belongs to the opcode. */
  readonly extension: number | undefined;
  /** The whole ModRM byte where it belongs to the opcode, and how many follow it that do too. */
  readonly fixedModrm: { readonly first: number; readonly count: number } | undefined;
  readonly operands: readonly OperandForm[];
}

const LITERAL_WIDTHS: Readonly<Record<string, Width>> = { AL: 'b', rAX: 'v' };

function operandForm(code: string): OperandForm {
  if (code === 'ST0' || code === 'STi') return { place: code, width: '', literal: code };
  const match = /^([EMRGZSCDIJAOXYBVWUPQN])([a-z]*)$/.exec(code);
  if (match === null) return { place: 'literal', width: LITERAL_WIDTHS[code] ?? '', literal: code };
  return { place: match[1] as Place, width: match[2] as Width, literal: '' };
}

const MANDATORY_PREFIXES: ReadonlySet<string> = new Set(['NP', '66', 'F2', 'F3']);

/** The opcode's bytes: one, or those of the maps behind 0F, 0F 38 and 0F 3A. */
function opcodeLength([first, second, third]: readonly string[]): number {
  if (first !== '0F') return 1;
  return (second === '38' || second === '3A') && /^[0-9A-F]{2}$/.test(third ?? '') ? 3 : 2;
}

function form(instruction: Instruction): Form {
  const words = instruction.encoding.split(' ');
  const vex = words[0] === 'VEX' && words.shift() !== undefined;
  const mandatory = words.length > 1 && MANDATORY_PREFIXES.has(words[0] ?? '') ? words.shift() : undefined;
  const opcode = words.splice(0, opcodeLength(words));
  const modrm = words.find((word) => word.startsWith('/'))?.slice(1);
  const fixed = words.find((word) => /^[C-F][0-9A-F](\+i)?$/.test(word));
  return {
    instruction,
    mandatoryPrefix: mandatory === undefined || mandatory === 'NP' ? 0 : Number.parseInt(mandatory, 16),
    noPrefix: mandatory === 'NP',
    vex,
    opcode: Number.parseInt(opcode.join(''), 16),
    registerInOpcode: words.includes('+r'),
    hasModrm: modrm !== undefined || fixed !== undefined,
    extension: modrm === undefined || modrm === 'r' ? undefined : Number(modrm),
    fixedModrm:
      fixed === undefined ? undefined : { first: Number.parseInt(fixed, 16), count: fixed.endsWith('+i') ? 8 : 1 },
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

/** What besides the opcode decides which form it is. */
export interface Selection {
  /** The last of F2 and F3 before the opcode, else 66 if that is there, else 0. */
  readonly prefix: number;
  /** The byte after the opcode, which is looked at only where the opcode has one. */
  readonly modrm: number;
  readonly is64: boolean;
  readonly vex: boolean;
  /** The REX prefix, or 0: with REX.B 90 is no NOP. */
  readonly rex: number;
}

/** The form that these bytes select. */
export function formOf(opcode: number, { prefix, modrm, is64, vex, rex }: Selection): Form | undefined {
  const here = (BY_OPCODE.get(opcode) ?? []).filter(
    (form) =>
      form.vex === vex &&
      !form.instruction.traits.has(is64 ? 'no64' : 'only64') &&
      (form.registerInOpcode || opcode !== 0x90 || (rex & 1) === 0 || prefix === 0xf3),
  );
  const exact = here.filter((form) => (prefix === 0 ? form.noPrefix : form.mandatoryPrefix === prefix));
  // Where a row with a prefix is one of a group, the others of the group are still there.
  const others = here.filter(
    (form) =>
      form.mandatoryPrefix === 0 &&
      !form.noPrefix &&
      exact.every(
        ({ extension }) => extension !== undefined && form.extension !== undefined && extension !== form.extension,
      ),
  );
  const forms = [...exact, ...others];
  return forms.find((form) => isFixed(form, modrm)) ?? forms.find((form) => isOpen(form, modrm));
}

function isFixed({ fixedModrm }: Form, modrm: number): boolean {
  return fixedModrm !== undefined && modrm >= fixedModrm.first && modrm < fixedModrm.first + fixedModrm.count;
}

function isOpen(form: Form, modrm: number): boolean {
  const { fixedModrm, extension, operands, instruction, hasModrm } = form;
  if (fixedModrm !== undefined) return false;
  if (extension !== undefined && extension !== ((modrm >> 3) & 7)) return false;
  if (!hasModrm) return true;
  const registerOnly = instruction.traits.has('register') || operands.some(({ place }) => 'UN'.includes(place));
  const memoryOnly = operands.some(({ place }) => place === 'M');
  return modrm >= 0xc0 ? !memoryOnly : !registerOnly;
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
  n: (size) => Math.max(size, 4),
  t: () => 10,
  ss: () => 4,
  sd: () => 8,
  dq: () => 16,
  ps: () => 16,
  pd: () => 16,
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

/** Something of MMX or SSE. */
export const isVector = ({ operands }: Form): boolean => operands.some(({ place }) => 'VWUPQN'.includes(place));

/** ESC, the coprocessor's opcodes as one instruction: its first operand is made of opcode and ModRM.reg. */
export const isEscape = ({ instruction }: Form): boolean => instruction.mnemonic === 'esc';

/** Far JMP and CALL, which the table names with an F and the text with the word `far` or a selector. */
export const isFarTransfer = ({ instruction }: Form): boolean => ['jmpf', 'callf'].includes(instruction.mnemonic);
