import { INSTRUCTIONS } from '../x86/table/instructions.ts';
import { assemble } from '../x86/assembler/index.ts';
import { disassemble } from '../x86/disassembler.ts';
import type { Instruction } from '../x86/table/instruction.ts';
import { CODE, EXIT_PORT, SELECTORS, SYMBOLS } from './layout.ts';
import { FLAG_BITS } from './visible-state.ts';

/** In which state of the processor a case runs. */
export type Mode =
  /** 16-bit code, CS = DS = ES = SS = 0. */
  | 'real'
  /** Flat 32-bit segments at privilege level 0. */
  | 'protected'
  /** 16-bit code and stack segments in protected mode. */
  | 'protected16'
  /** Flat 32-bit segments at privilege level 3 with IOPL 3, and paging. */
  | 'user'
  /** Virtual-8086 mode with IOPL 3, and paging. */
  | 'v86'
  /** `protected` with paging. */
  | 'paged';

export const MODES: readonly Mode[] = ['real', 'protected', 'protected16', 'user', 'v86', 'paged'];

/** What is run, what is so before, what has changed after, and where it applies (everywhere, unless said). */
export type Case = readonly [code: string, before: string, after: string, modes?: string];

/** A case's code as bytes. */
export interface CaseCode {
  readonly bytes: Uint8Array;
  /** Where the processor stands when the code has run to its end. */
  readonly end: number;
  /** What an exception pushes: the label `at`, else the first instruction. */
  readonly at: number;
}

export function codeBits(mode: Mode): 16 | 32 {
  return mode === 'protected' || mode === 'user' || mode === 'paged' ? 32 : 16;
}

const EQUATES = Object.entries({ ...SYMBOLS, ...SELECTORS })
  .map(([name, value]) => `${name} equ ${value}\n`)
  .join('');

/** Assembles a case's code, with an OUT after it that ends the run. */
export function caseCode(source: string, bits: 16 | 32): CaseCode {
  const text = `${EQUATES}start:\n${source}\nend_of_case: out ${EXIT_PORT}, al\n`;
  const { bytes, labels } = assemble(text, { origin: CODE, bits });
  const at = (label: string): number => labels.get(label) ?? CODE;
  return { bytes, end: at('end_of_case') + 2, at: at('at') };
}

/** The rows of the table that a case's code is made of. */
export function rowsOf({ bytes, end }: CaseCode, bits: 16 | 32): Instruction[] {
  const rows: Instruction[] = [];
  const length = end - CODE - 2;
  for (let offset = 0; offset < length;) {
    const { instruction, length: step } = disassemble(bytes.subarray(offset), { bits });
    if (instruction !== undefined) rows.push(instruction);
    offset += step;
  }
  return rows;
}

/** The flags that the manual leaves undefined after these instructions: what one leaves so, a later one may define. */
export function undefinedFlags(rows: readonly Instruction[]): number {
  return rows.reduce((bits, { flags }) => (bits & ~bitsOf(flags.writes)) | bitsOf(flags.undefined), 0);
}

const bitsOf = (letters: string): number =>
  Array.from(letters).reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0);

/** Rows that none of these cases runs. */
export function uncoveredRows(cases: readonly Case[]): Instruction[] {
  const covered = new Set(
    cases.flatMap(([source, , , modes]) => {
      const bits = codeBits(((modes ?? 'protected').split(' ')[0] ?? 'protected') as Mode);
      return rowsOf(caseCode(source, bits), bits);
    }),
  );
  return INSTRUCTIONS.filter((row) => !covered.has(row));
}
