import { describe, expect, test } from 'vitest';
import { INSTRUCTIONS } from '../../../src/cpu/x86/table/instructions.ts';
import { hostProcessorTests } from '../availability.ts';
import { compare, type Subject } from '../comparison.ts';
import { placed } from '../group.ts';
import { partsOf } from '../parts.ts';
import { LongBatch, sequenceOf } from './batch.ts';
import { leftOut } from './features.ts';
import { BATCH_SIZE } from './layout.ts';
import { SEQUENCE_FORMS } from './sequence.ts';
import { SEED } from '../../random.ts';

/** The engine and this machine's processor in 64-bit mode, and how sequences ended. */
async function subject(): Promise<Subject & { readonly endings: Set<number | undefined> }> {
  const [{ BareLong }, { NativeLong }] = await Promise.all([import('./bare.ts'), import('./native.ts')]);
  const [ours, theirs] = [new BareLong(), new NativeLong()];
  const endings = new Set<number | undefined>();
  return {
    bits: 64,
    batchSize: BATCH_SIZE,
    sequenceOf,
    endings,
    differences: (sequences, seed, first) => {
      const batch = new LongBatch(sequences, seed, first);
      const after = theirs.run(batch);
      for (const index of sequences.keys()) endings.add(LongBatch.exceptionOf(after, index));
      return batch.differences(ours.run(batch), after);
    },
  };
}

const [DE, UD, SS, GP, PF, MF, XM] = [0, 6, 12, 13, 14, 16, 19] as const;

hostProcessorTests(`the engine and this machine's processor agree on 64-bit code (SKEP_SEED=${SEED})${leftOut}`, () => {
  let shared: ReturnType<typeof subject> | undefined;
  test.each(partsOf(72 * 1024))(
    'on registers, x87, MMX, SSE, memory and exceptions after random sequences %i to %i',
    async (start, end) => {
      shared ??= subject();
      expect(compare(await shared, SEED, start, end)).toBe('');
    },
  );

  test('and sequences end in every way that they can', async () => {
    shared ??= subject();
    const { endings } = await shared;
    if (process.env['SKEP_SEQUENCE'] === undefined)
      expect([...endings]).toEqual(expect.arrayContaining([undefined, DE, UD, SS, GP, PF, MF, XM]));
  });
});

describe('64-bit sequences', () => {
  test('are made of nearly every row that a user program may execute', () => {
    const rows = INSTRUCTIONS.filter(({ traits }) => !traits.has('no64') && !traits.has('privileged'));
    expect(SEQUENCE_FORMS.length).toBeGreaterThan(rows.length * 0.8);
  });

  test('follow from a seed and a number', () => {
    const bytes = (): number[] => sequenceOf(5, 77, 3).flatMap((group) => [...placed(group, 0)]);
    expect(bytes()).toEqual(bytes());
  });
});
