import { describe, expect, test } from 'vitest';
import { MODES, type Case, type Mode } from './case.ts';
import { TOPICS } from './cases/index.ts';
import { TestMachine, type EngineFactory } from './test-machine.ts';

const appliesTo = (modes: string | undefined, mode: Mode): boolean =>
  modes === undefined || modes.split(' ').includes(mode);

const describeCase = ([code, before]: Case): string => `${code.replaceAll('\n', '; ')} with ${before}`;

/** Every case in every mode that it applies to: the suite that each engine passes. */
export function conformance(name: string, factory: EngineFactory): void {
  describe.each(MODES)(`${name} in %s mode does what the manual says`, (mode) => {
    const machine = new TestMachine(factory);
    test.each(Object.entries(TOPICS))('of %s', (_, cases) => {
      const failures = cases
        .filter(([, , , modes]) => appliesTo(modes, mode))
        .flatMap((entry) =>
          machine.differences(entry, mode).map((difference) => `${describeCase(entry)}: ${difference}`),
        );
      expect(failures).toEqual([]);
    });
  });
}
