import { describe, expect, test } from 'vitest';
import { unavailability } from './availability.ts';
import { type Batch, BATCH_SIZE, BATCH_START, RECORDS, sequenceOf } from './batch.ts';
import { compare, type Processors } from './comparison.ts';
import { EngineProcessor } from './engine-processor.ts';
import { SEQUENCE_FORMS } from './sequence.ts';

const SEED = Number(process.env['SKEP_SEED'] ?? Date.now() % 1_000_000);
const SEQUENCES = Number(process.env['SKEP_SEQUENCES'] ?? 200 * BATCH_SIZE);
const ONE = process.env['SKEP_SEQUENCE'];
const PARTS = 20;

async function processors(): Promise<Processors> {
  const [{ HostProcessor }, { NativeProcessor }] = await Promise.all([
    import('./host-processor.ts'),
    import('./native-processor.ts'),
  ]);
  return { ours: new EngineProcessor(), theirs: new NativeProcessor(new HostProcessor(0x1000_0000)) };
}

const why = unavailability();

if (why === undefined) {
  describe(`the engine and this machine's processor agree (SKEP_SEED=${SEED})`, () => {
    let both: Promise<Processors> | undefined;
    const first = (part: number): number => Math.floor((part * SEQUENCES) / PARTS);
    const parts = Array.from(
      { length: ONE === undefined ? PARTS : 0 },
      (_, part) => [first(part), first(part + 1)] as const,
    );
    test.each([...parts, ...(ONE === undefined ? [] : [[Number(ONE), Number(ONE) + 1] as const])])(
      'on registers, flags and memory after random sequences %i to %i',
      async (start, end) => {
        both ??= processors();
        expect(compare(await both, SEED, start, end)).toBe('');
      },
    );
  });
} else {
  test.skip(`comparing the engine with this machine's processor: ${why}`);
}

test('a processor that begins with another register is found, and the shortest sequence that shows it printed', () => {
  const right = new EngineProcessor();
  const other = new EngineProcessor();
  const wrong = {
    run(batch: Batch): Uint8Array {
      batch.bytes[RECORDS - BATCH_START] ^= 1; // EDI of the first sequence
      const after = other.run(batch);
      batch.bytes[RECORDS - BATCH_START] ^= 1;
      return after;
    },
  };
  expect(compare({ ours: wrong, theirs: right }, 3, 0, 100)).toMatch(
    /^SKEP_SEED=3 SKEP_SEQUENCE=0: edi \S+ instead of \S+$/,
  );
});

test('sequences are made of nearly every row that a user program may execute', () => {
  expect(SEQUENCE_FORMS.length).toBeGreaterThan(270);
});

test('a seed and a number give the same sequence again', () => {
  const bytes = (): number[] => sequenceOf(5, 77, 3).flatMap((group) => [...group.bytes]);
  expect(bytes()).toEqual(bytes());
});
