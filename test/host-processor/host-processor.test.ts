import { expect, test } from 'vitest';
import { hostProcessorTests } from './availability.ts';
import { Batch, BATCH_SIZE, BATCH_START, RECORDS, sequenceOf } from './batch.ts';
import { compare, type Subject } from './comparison.ts';
import { EngineProcessor, TRANSLATION_NAMES, type Translation } from './engine-processor.ts';
import { placed } from './group.ts';
import { SEQUENCE_FORMS } from './sequence.ts';
import { partsOf } from './parts.ts';
import { SEED } from '../random.ts';

/** Runs a batch and says what memory holds after it. */
interface Processor {
  run(batch: Batch): Uint8Array;
}

/** 32-bit sequences, and two processors of which the second is right. */
const subject = (ours: Processor, theirs: Processor): Subject => ({
  bits: 32,
  batchSize: BATCH_SIZE,
  sequenceOf,
  differences: (sequences, seed, first) => {
    const batch = new Batch(sequences, seed, first);
    return batch.differences(ours.run(batch), theirs.run(batch));
  },
});

/** The engine in each translation, and this machine's processor. */
async function subjects(): Promise<Readonly<Record<Translation, Subject>>> {
  const [{ HostProcessor }, { NativeProcessor }] = await Promise.all([
    import('./host-processor.ts'),
    import('./native-processor.ts'),
  ]);
  const theirs = new NativeProcessor(new HostProcessor(0x7100_0000));
  const entries = TRANSLATION_NAMES.map((name) => [name, subject(new EngineProcessor(name), theirs)]);
  return Object.fromEntries(entries) as Record<Translation, Subject>;
}

const translationOf = (index: number): Translation => TRANSLATION_NAMES[index % TRANSLATION_NAMES.length] ?? 'flat';

hostProcessorTests(`the engine and this machine's processor agree on 32-bit code (SKEP_SEED=${SEED})`, () => {
  let all: ReturnType<typeof subjects> | undefined;
  const ranges = partsOf(32 * 1024, 3).map(([start, end], index) => [start, end, translationOf(index)] as const);
  test.each(ranges)(
    'on registers, flags and memory after random sequences %i to %i, %s',
    async (start, end, translation) => {
      all ??= subjects();
      expect(compare((await all)[translation], SEED, start, end)).toBe('');
    },
  );
});

test('a processor that begins with another register is found, and the shortest sequence that shows it printed', () => {
  const other = new EngineProcessor();
  const wrong = {
    run(batch: Batch): Uint8Array {
      const edi = batch.bytes.subarray(RECORDS - BATCH_START, RECORDS - BATCH_START + 1);
      const right = edi.slice();
      edi.fill((right[0] ?? 0) ^ 1);
      const after = other.run(batch);
      edi.set(right);
      return after;
    },
  };
  expect(compare(subject(wrong, new EngineProcessor()), 4, 0, 100)).toMatch(
    /^SKEP_SEED=4 SKEP_SEQUENCE=0: edi \S+ instead of \S+$/,
  );
});

test('sequences are made of nearly every row that a user program may execute', () => {
  expect(SEQUENCE_FORMS.length).toBeGreaterThan(270);
});

test('a seed and a number give the same sequence again', () => {
  const bytes = (): number[] => sequenceOf(5, 77, 3).flatMap((group) => [...placed(group, 0)]);
  expect(bytes()).toEqual(bytes());
});
