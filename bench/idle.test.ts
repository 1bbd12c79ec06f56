import { expect, test } from 'vitest';
import { eventLoopPace } from '../src/host/event-loop-pace.ts';
import { LinuxGuest } from '../test/linux-guest.ts';

const SECONDS = 20;

/**
 * What a guest costs that idles: stock Linux at its shell's prompt, whose processor waits in HLT for the next timer. In
 * processor time of this process, so that what else the host does has little say.
 */
test('an idle Linux takes less than 3 % of a core', { timeout: 300_000 }, async () => {
  const host = { now: () => performance.now() * 1e6, pace: eventLoopPace(() => {}) };
  using guest = new LinuxGuest({ kernel: 'vmlinuz-amd64', busybox: 'busybox-amd64', host });
  await guest.boot();
  await guest.run.run(2);
  const { machine } = guest.run;
  const before = { cpu: process.cpuUsage(), at: performance.now(), instructions: machine.engine.instructions };
  await guest.run.run(SECONDS);
  const { user, system } = process.cpuUsage(before.cpu);
  const milliseconds = performance.now() - before.at;
  const share = (user + system) / 1000 / milliseconds;
  const instructions = (machine.engine.instructions - before.instructions) / (milliseconds / 1000);
  console.log(`idle guest: ${(100 * share).toFixed(2)} % of a core, ${Math.round(instructions)} instructions a second`);
  expect(share).toBeLessThan(0.03);
});
