import { disassemble } from '../../src/cpu/x86/disassembler.ts';
import { placed, undefinedFlagsAfter, type Group } from './group.ts';

/** A difference between two processors after one of the sequences of a batch. */
export interface Difference {
  readonly index: number;
  readonly what: string;
}

/** A kind of sequences, and the two processors that are to agree on them. */
export interface Subject {
  readonly bits: 32 | 64;
  /** Sequences in a batch. */
  readonly batchSize: number;
  /** The sequence of a seed with this number, at a place of a batch. */
  readonly sequenceOf: (seed: number, number: number, index: number) => readonly Group[];
  /** Runs a batch that begins with the sequence of number `first` on both. */
  readonly differences: (sequences: readonly (readonly Group[])[], seed: number, first: number) => Difference[];
}

/** Compares sequences `first` to `end` of a seed. The text says all about the first difference; empty when there is none. */
export function compare(subject: Subject, seed: number, first: number, end: number): string {
  for (let start = first; start < end; start += subject.batchSize) {
    const count = Math.min(subject.batchSize, end - start);
    const sequences = Array.from({ length: count }, (_, index) => subject.sequenceOf(seed, start + index, index));
    const [found] = subject.differences(sequences, seed, start);
    if (found !== undefined) return report(subject, seed, start + found.index, found.what);
  }
  return '';
}

/** The sequence with this number by itself, made as short as still shows the difference, and how to run it again. */
function report(subject: Subject, seed: number, number: number, what: string): string {
  const difference = (groups: readonly Group[]): string | undefined =>
    undefinedFlagsAfter(groups) === undefined ? undefined : subject.differences([groups], seed, number)[0]?.what;
  let groups = subject.sequenceOf(seed, number, 0);
  for (let index = groups.length - 1; index >= 0; index--) {
    const shorter = groups.filter((_, at) => at !== index);
    if (difference(shorter) !== undefined) groups = shorter;
  }
  const shown = difference(groups) ?? `${what}, but only among others`;
  return [`SKEP_SEED=${seed} SKEP_SEQUENCE=${number}: ${shown}`, ...instructionsOf(groups, subject.bits)].join('\n');
}

function instructionsOf(groups: readonly Group[], bits: 32 | 64): string[] {
  const texts: string[] = [];
  for (const group of groups)
    for (let rest = placed(group, 0); rest.length > 0;) {
      const { text, length } = disassemble(rest, { bits });
      texts.push(`    ${text}`);
      rest = rest.slice(length);
    }
  return texts;
}
