import { INSTRUCTIONS } from '../x86/table/instructions.ts';
import { EXTENSION_INSTRUCTIONS } from '../x86/table/extension-instructions.ts';
import { MMX_INSTRUCTIONS } from '../x86/table/mmx-instructions.ts';
import { SSE_INSTRUCTIONS } from '../x86/table/sse-instructions.ts';
import { X87_INSTRUCTIONS } from '../x86/table/x87-instructions.ts';
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
  | 'paged'
  /** `user` with IOPL 0. */
  | 'restricted'
  /** `v86` with IOPL 0. */
  | 'restricted-v86';

/** Where a case applies that does not say. */
const USUAL_MODES: readonly Mode[] = ['real', 'protected', 'protected16', 'user', 'v86', 'paged'];

export const MODES: readonly Mode[] = [...USUAL_MODES, 'restricted', 'restricted-v86'];

export function appliesTo([, , , modes]: Case, mode: Mode): boolean {
  return modes === undefined ? USUAL_MODES.includes(mode) : modes.split(' ').includes(mode);
}

/** What is run, what is so before, what has changed after, and where it applies (everywhere, unless said). */
export type Case = readonly [code: string, before: string, after: string, modes?: string];

/** A case's code as bytes. */
export interface CaseCode {
  readonly bytes: Uint8Array;
  /** Where the processor stands when the code has run to its end. */
  readonly end: number;
  /** What an exception pushes: the label `at`, else the first instruction. */
  readonly at: number;
  /** The rows of the table that it is made of. */
  readonly rows: readonly Instruction[];
}

export function codeBits(mode: Mode): 16 | 32 {
  return ['protected', 'user', 'paged', 'restricted'].includes(mode) ? 32 : 16;
}

/** Definitions of the names that a case uses. */
const equates = (source: string): string =>
  Object.entries({ ...SYMBOLS, ...SELECTORS })
    .filter(([name]) => source.includes(name))
    .map(([name, value]) => `${name} equ ${value}\n`)
    .join('');

const ASSEMBLED = new Map<string, CaseCode>();

/** Assembles a case's code, with an OUT after it that ends the run. Modes with the same code size share it. */
export function caseCode(source: string, bits: 16 | 32): CaseCode {
  const key = `${bits} ${source}`;
  const known = ASSEMBLED.get(key) ?? assembleCase(source, bits);
  ASSEMBLED.set(key, known);
  return known;
}

function assembleCase(source: string, bits: 16 | 32): CaseCode {
  const text = `${equates(source)}start:\n${source}\nend_of_case: out ${EXIT_PORT}, al\n`;
  const { bytes, labels } = assemble(text, { origin: CODE, bits });
  const at = (label: string): number => labels.get(label) ?? CODE;
  const rows = rowsOf(bytes.subarray(0, at('end_of_case') - CODE), bits);
  return { bytes, end: at('end_of_case') + 2, at: at('at'), rows };
}

function rowsOf(bytes: Uint8Array, bits: 16 | 32): Instruction[] {
  const rows: Instruction[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { instruction, length } = disassemble(bytes.subarray(offset, offset + 16), { bits });
    if (instruction !== undefined) rows.push(instruction);
    offset += length;
  }
  return rows;
}

/** The flags that the manual leaves undefined after these instructions: what one leaves so, a later one may define. */
export function undefinedFlags(rows: readonly Instruction[]): number {
  return rows.reduce((bits, { flags }) => (bits & ~bitsOf(flags.writes)) | bitsOf(flags.undefined), 0);
}

const bitsOf = (letters: string): number =>
  Array.from(letters).reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0);

/**
 * 64-bit code, what came after 2008, x87 and vectors have tests of their own: test/host-processor/float.test.ts runs every
 * row of the latter two, whose registers are not part of a case.
 */
function isElsewhere(row: Instruction): boolean {
  const lists = [X87_INSTRUCTIONS, MMX_INSTRUCTIONS, SSE_INSTRUCTIONS, EXTENSION_INSTRUCTIONS];
  return row.traits.has('only64') || lists.some((list) => list.includes(row));
}

/** Rows that none of these cases runs. */
export function uncoveredRows(cases: readonly Case[]): Instruction[] {
  const covered = new Set(
    cases.flatMap(([source, , , modes]) => {
      const bits = codeBits(((modes ?? 'protected').split(' ')[0] ?? 'protected') as Mode);
      return caseCode(source, bits).rows;
    }),
  );
  return INSTRUCTIONS.filter((row) => !covered.has(row) && !isElsewhere(row));
}
