import { describe, expect, test } from 'vitest';
import { appliesTo, MODES, type Case } from './case.ts';
import { TOPICS } from './cases/index.ts';
import { TestMachine, type EngineFactory } from './test-machine.ts';

const describeCase = ([code, before]: Case): string => `${code.replaceAll('\n', '; ')} with ${before}`;

/** Every case in every mode that it applies to: the suite that each engine passes. */
export function conformance(name: string, factory: EngineFactory): void {
  describe.each(MODES)(`${name} in %s mode does what the manual says`, (mode) => {
    const machine = new TestMachine(factory);
    const topics = Object.entries(TOPICS).filter(([, cases]) => cases.some((entry) => appliesTo(entry, mode)));
    test.each(topics)('of %s', (_, cases) => {
      const failures = cases
        .filter((entry) => appliesTo(entry, mode))
        .flatMap((entry) =>
          machine.differences(entry, mode).map((difference) => `${describeCase(entry)}: ${difference}`),
        );
      expect(failures).toEqual([]);
    });
  });
}
