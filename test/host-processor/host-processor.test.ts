import { expect, test } from 'vitest';
import { hostProcessorTests } from './availability.ts';
import { type Batch, BATCH_SIZE, BATCH_START, RECORDS, sequenceOf } from './batch.ts';
import { compare, type Processors } from './comparison.ts';
import { EngineProcessor, TRANSLATION_NAMES, type Translation } from './engine-processor.ts';
import { SEQUENCE_FORMS } from './sequence.ts';

const SEED = Number(process.env['SKEP_SEED'] ?? Date.now() % 1_000_000);
const SEQUENCES = Number(process.env['SKEP_SEQUENCES'] ?? 200 * BATCH_SIZE);
const ONE = process.env['SKEP_SEQUENCE'];
const PARTS = 21;

/** The engine in each translation in turn, and this machine's processor. */
async function processors(): Promise<Processors[]> {
  const [{ HostProcessor }, { NativeProcessor }] = await Promise.all([
    import('./host-processor.ts'),
    import('./native-processor.ts'),
  ]);
  const theirs = new NativeProcessor(new HostProcessor(0x1000_0000));
  return TRANSLATION_NAMES.map((translation) => ({ ours: new EngineProcessor(translation), theirs }));
}

const translationOf = (index: number): Translation => TRANSLATION_NAMES[index % TRANSLATION_NAMES.length] ?? 'flat';

hostProcessorTests(`the engine and this machine's processor agree (SKEP_SEED=${SEED})`, () => {
  let pairs: Promise<Processors[]> | undefined;
  const first = (part: number): number => Math.floor((part * SEQUENCES) / PARTS);
  const parts = Array.from({ length: PARTS }, (_, part) => [first(part), first(part + 1)] as const);
  const one = TRANSLATION_NAMES.map(() => [Number(ONE), Number(ONE) + 1] as const);
  const ranges = (ONE === undefined ? parts : one).map(
    ([start, end], index) => [start, end, translationOf(index)] as const,
  );
  test.each(ranges)(
    'on registers, flags and memory after random sequences %i to %i, %s',
    async (start, end, translation) => {
      pairs ??= processors();
      const pair = (await pairs)[TRANSLATION_NAMES.indexOf(translation)];
      expect(pair && compare(pair, SEED, start, end)).toBe('');
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
  expect(compare({ ours: wrong, theirs: new EngineProcessor() }, 4, 0, 100)).toMatch(
    /^SKEP_SEED=4 SKEP_SEQUENCE=0: edi \S+ instead of \S+$/,
  );
});

test('sequences are made of nearly every row that a user program may execute', () => {
  expect(SEQUENCE_FORMS.length).toBeGreaterThan(270);
});

test('a seed and a number give the same sequence again', () => {
  const bytes = (): number[] => sequenceOf(5, 77, 3).flatMap((group) => [...group.bytes]);
  expect(bytes()).toEqual(bytes());
});
