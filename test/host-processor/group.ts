import { FORMS, type Form } from '../../src/cpu/x86/assembler/form.ts';
import { FLAG_BITS } from '../../src/cpu/conformance/visible-state.ts';

export const ARITHMETIC_FLAGS = 0x8d5;

/** A displacement of 32 bits that reaches `target` from an instruction's end. */
export interface Relative {
  /** Of the displacement, in the group's bytes. */
  readonly at: number;
  /** Of the instruction's end. */
  readonly end: number;
  readonly target: number;
}

/** Instructions that belong together: an operation, and what sets its operands up. */
export interface Group {
  readonly bytes: readonly number[];
  readonly relatives: readonly Relative[];
  /** Flags that it reads; they must be defined. */
  readonly reads: number;
  /** Flags undefined after it, from those undefined before. */
  readonly undefinedAfter: (before: number) => number;
  /** Flags undefined when it is left by an exception. */
  readonly undefinedInside: number;
  /** What it adds to RSP. */
  readonly stack: number;
}

export const bitsOf = (letters: string): number =>
  Array.from(letters).reduce((bits, letter) => bits | (FLAG_BITS[letter] ?? 0), 0);

export const UNCHANGED = (before: number): number => before;

const NO_RELATIVES: readonly Relative[] = [];

/** A group without an opinion on flags. */
export const plain = (bytes: readonly number[], more: Partial<Group> = {}): Group => ({
  bytes,
  relatives: more.relatives ?? NO_RELATIVES,
  reads: more.reads ?? 0,
  undefinedAfter: more.undefinedAfter ?? UNCHANGED,
  undefinedInside: more.undefinedInside ?? 0,
  stack: more.stack ?? 0,
});

type FlagsOfGroup = Pick<Group, 'reads' | 'undefinedAfter'>;

function flagsOf({ instruction: { flags } }: Form): FlagsOfGroup {
  const [kept, lost] = [~bitsOf(flags.writes), bitsOf(flags.undefined)];
  return { reads: bitsOf(flags.reads) & ARITHMETIC_FLAGS, undefinedAfter: (before) => (before & kept) | lost };
}

const FLAGS: ReadonlyMap<Form, FlagsOfGroup> = new Map(FORMS.map((form) => [form, flagsOf(form)]));

/** A group whose flags are those of a row of the opcode table. */
export function group(form: Form, bytes: readonly number[], more: Partial<Group> = {}): Group {
  const flags = FLAGS.get(form);
  return plain(bytes, {
    relatives: more.relatives ?? NO_RELATIVES,
    reads: more.reads ?? flags?.reads ?? 0,
    undefinedAfter: more.undefinedAfter ?? flags?.undefinedAfter ?? UNCHANGED,
    undefinedInside: more.undefinedInside ?? 0,
    stack: more.stack ?? 0,
  });
}

/** The same behind other bytes. */
export function behind(first: readonly number[], group: Group): Group {
  const { bytes, relatives, reads, undefinedAfter, undefinedInside, stack } = group;
  const by = first.length;
  return {
    bytes: first.concat(bytes),
    relatives:
      relatives.length === 0
        ? relatives
        : relatives.map(({ at, end, target }) => ({ at: at + by, end: end + by, target })),
    reads,
    undefinedAfter,
    undefinedInside,
    stack,
  };
}

/** The bytes of a group that stands at an address. */
export function placed({ bytes, relatives }: Group, address: number): Uint8Array {
  const result = Uint8Array.from(bytes);
  const view = new DataView(result.buffer);
  for (const { at, end, target } of relatives) view.setInt32(at, target - address - end, true);
  return result;
}

/** The flags that are undefined after these groups, or undefined itself when one of them reads such a flag. */
export function undefinedFlagsAfter(groups: readonly Group[]): number | undefined {
  let flags = 0;
  for (const { reads, undefinedAfter } of groups) {
    if ((flags & reads) !== 0) return undefined;
    flags = undefinedAfter(flags);
  }
  return flags & ARITHMETIC_FLAGS;
}

/** Opcodes that are hints; 0F 1A, 1B and 1E mean something to processors with MPX and CET. */
export const HINTS: ReadonlySet<number> = new Set([0x0f1a, 0x0f1b, 0x0f1c, 0x0f1e]);
