import { expect, test } from 'vitest';
import { caseCode, undefinedFlags, type Case } from '../../src/cpu/conformance/case.ts';
import { TOPICS } from '../../src/cpu/conformance/cases/index.ts';
import { OBSERVED_END, OBSERVED_START } from '../../src/cpu/conformance/layout.ts';
import { DEFAULT_REGISTERS, initialMemory, putMemory, visibleState } from '../../src/cpu/conformance/visible-state.ts';
import { hostProcessorTests } from './availability.ts';
import type { NativeCaseRunner } from './native-case.ts';

/** Topics whose cases a user program may run, and that no exception ends. */
const USER_TOPICS = ['arithmetic', 'bits', 'decimal', 'moves', 'multiplication', 'shifts', 'stack', 'strings'] as const;

const isForUser = ([, , , modes]: Case): boolean => modes === undefined || modes.includes('user');

/** Cases lie below 64 KiB, which only a privileged process may map. */
async function lowRunner(): Promise<NativeCaseRunner | undefined> {
  const [{ HostProcessor }, native] = await Promise.all([import('./host-processor.ts'), import('./native-case.ts')]);
  try {
    return new native.NativeCaseRunner(new HostProcessor(0x7100_0000));
  } catch {
    return undefined;
  }
}

hostProcessorTests('conformance cases', () => {
  test('say what this machine does', async ({ skip }) => {
    const runner = await lowRunner();
    if (runner === undefined) return skip('this process may not map memory below 64 KiB (vm.mmap_min_addr)');
    const failures: string[] = [];
    for (const [source, beforeText, afterText] of USER_TOPICS.flatMap((topic) => TOPICS[topic] ?? []).filter(
      isForUser,
    )) {
      const code = caseCode(source, 32);
      const before = visibleState(beforeText, DEFAULT_REGISTERS);
      const after = visibleState(afterText, before.registers);
      const result = runner.run(code.bytes, code.end, before);
      const mask = 0xcd5 & ~(after.ignoredFlags | undefinedFlags(code.rows));
      const memory = initialMemory(OBSERVED_START, OBSERVED_END, before);
      putMemory(memory, OBSERVED_START, after);
      const registersAgree = [...result.registers].every(([name, value]) => after.registers.get(name) === value);
      const flagsAgree = (((after.flags ?? before.flags ?? 0) ^ result.flags) & mask) === 0;
      if (!registersAgree || !flagsAgree || !Buffer.from(memory).equals(result.memory))
        failures.push(`${source} with ${beforeText}`);
    }
    expect(failures).toEqual([]);
  });
});
