import { disassemble } from '../../src/cpu/x86/disassembler.ts';
import { Batch, BATCH_SIZE, sequenceOf } from './batch.ts';
import { undefinedFlagsAfter, type Group } from './sequence.ts';

/** Runs a batch and says what memory holds after it. */
export interface Processor {
  run(batch: Batch): Uint8Array;
}

/** Two processors that are to agree; the second is right. */
export interface Processors {
  readonly ours: Processor;
  readonly theirs: Processor;
}

/** Numbers and differences of the sequences of a batch, from `first` on, after which the processors differ. */
function differing(
  { ours, theirs }: Processors,
  seed: number,
  first: number,
  sequences: readonly (readonly Group[])[],
) {
  const batch = new Batch(sequences, seed, first);
  return batch.differences(ours.run(batch), theirs.run(batch));
}

/** Compares sequences `first` to `end` of a seed. The text says all about the first difference; empty when there is none. */
export function compare(processors: Processors, seed: number, first: number, end: number): string {
  for (let start = first; start < end; start += BATCH_SIZE) {
    const count = Math.min(BATCH_SIZE, end - start);
    const sequences = Array.from({ length: count }, (_, index) => sequenceOf(seed, start + index, index));
    const [found] = differing(processors, seed, start, sequences);
    if (found !== undefined) return report(processors, seed, start + found.index);
  }
  return '';
}

/** The sequence with this number by itself, made as short as still shows the difference, and how to run it again. */
function report(processors: Processors, seed: number, number: number): string {
  const difference = (groups: readonly Group[]): string | undefined =>
    undefinedFlagsAfter(groups) === undefined ? undefined : differing(processors, seed, number, [groups])[0]?.what;
  let groups: readonly Group[] = sequenceOf(seed, number, 0);
  for (let index = groups.length - 1; index >= 0; index--) {
    const shorter = groups.filter((_, at) => at !== index);
    if (difference(shorter) !== undefined) groups = shorter;
  }
  return [
    `SKEP_SEED=${seed} SKEP_SEQUENCE=${number}: ${difference(groups) ?? 'only among others'}`,
    ...groups.flatMap(instructionsOf),
  ].join('\n');
}

function instructionsOf({ bytes }: Group): string[] {
  const texts: string[] = [];
  for (let rest = Uint8Array.from(bytes); rest.length > 0;) {
    const { text, length } = disassemble(rest);
    texts.push(`    ${text}`);
    rest = rest.slice(length);
  }
  return texts;
}
