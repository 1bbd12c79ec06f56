import { describe, expect } from 'vitest';
import { eventLoopPace } from '../src/host/event-loop-pace.ts';
import type { Pace } from '../src/index.ts';
import { Random, SEED } from './random.ts';
import { LinuxGuest, WARNINGS } from './linux-guest.ts';
import type { TestHost } from './machine-run.ts';
import { nightlyTest, stockTest, type StockFile } from './stock-guest.ts';

const MILLISECOND = 1e6;
const SECOND = 1e9;

/**
 * A host of 250 MIPS whose clock costs 150 ns to look at, which wakes up too late, and which does something else for up to
 * `stall` whenever it has run the guest for up to `turn`. Its time is a function of what the guest does: a run repeats.
 */
class BusyHost implements TestHost {
  readonly random: Random;
  readonly #stall: number;
  readonly #turn: number;
  #instructions: () => number = () => 0;
  #waited = 0;
  #looks = 0;
  #next = 0;

  constructor(seed: number, stall: number, turn: number) {
    this.random = new Random(seed);
    this.#stall = stall;
    this.#turn = turn;
  }

  runs(guest: LinuxGuest): LinuxGuest {
    const { engine } = guest.run.machine;
    this.#instructions = () => engine.instructions;
    return guest;
  }

  now(): number {
    const time = this.#instructions() * 4 + this.#looks++ * 150 + this.#waited;
    if (this.#stall === 0 || time < this.#next) return time;
    const stall = this.random.below(this.#stall);
    this.#waited += stall;
    this.#next = time + stall + this.random.below(this.#turn);
    return time + stall;
  }

  readonly pace: Pace = {
    breathe: () => undefined,
    sleep: (nanoseconds) => {
      this.#waited += Math.min(nanoseconds, SECOND) + this.random.below(MILLISECOND);
      return new Promise((resume) => setImmediate(resume));
    },
    wake() {},
  };
}

const HOSTS: readonly (readonly [
  name: string,
  stall: number,
  turn: number,
  test: typeof stockTest,
  kernel: StockFile,
  busybox: StockFile,
])[] = [
  ['that is never late', 0, 0, nightlyTest, 'vmlinuz-amd64', 'busybox-amd64'],
  ['that shares its time', 10 * MILLISECOND, 10 * MILLISECOND, nightlyTest, 'vmlinuz-amd64', 'busybox-amd64'],
  ['that is hardly there', 200 * MILLISECOND, 4 * MILLISECOND, stockTest, 'vmlinuz-amd64', 'busybox-amd64'],
  ['that is stopped at times', 10 * SECOND, SECOND, nightlyTest, 'vmlinuz-amd64', 'busybox-amd64'],
  ['that is hardly there, on a 686,', 200 * MILLISECOND, 4 * MILLISECOND, nightlyTest, 'vmlinuz-686', 'busybox-i386'],
];

describe(`Linux by the clock of a host (seed ${SEED})`, () => {
  for (const [name, stall, turn, guestTest, kernel, busybox] of HOSTS) {
    guestTest(`${name} finds every clock and timer good`, [kernel, busybox], async () => {
      const host = new BusyHost(SEED, stall, turn);
      using guest = host.runs(new LinuxGuest({ kernel, busybox, host, limit: 120 }));
      await guest.boot();
      const before = guest.run.machine.now();
      await guest.command('sleep 2');
      expect(guest.run.machine.now() - before).toBeGreaterThan(2 * SECOND);
      expect(guest.run.machine.now() - before).toBeLessThan(2.5 * SECOND);
      const allowed = kernel === 'vmlinuz-686' ? [...WARNINGS.always, ...WARNINGS.withoutPae] : WARNINGS.always;
      expect(await guest.warnings()).toEqual(allowed);
      for (const good of [
        /tsc: Detected 1000\.000 MHz/,
        /\.\.TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1\r\n(?!\[[^\]]*\] \.\.)/,
        /clocksource: acpi_pm: mask/,
        /clocksource: Switched to clocksource tsc\r/,
      ]) {
        expect(guest.run.serial).toMatch(good);
      }
    });
  }
});

/** The clock of this very host, on which the machine sleeps as it does for a person. */
const LIVE: TestHost = { now: () => performance.now() * 1e6, pace: eventLoopPace(() => {}) };

nightlyTest(
  'the clock of an idle guest keeps pace with this host over 30 s',
  ['vmlinuz-amd64', 'busybox-amd64'],
  async () => {
    using guest = new LinuxGuest({ kernel: 'vmlinuz-amd64', busybox: 'busybox-amd64', host: LIVE });
    await guest.boot();
    // What the host was ahead after the boot is made up while the guest idles.
    await guest.command('sleep 1');
    const uptime = async (): Promise<number> =>
      Number((await guest.command('cat /proc/uptime')).join('').split(' ')[0]);
    const before = { guest: await uptime(), host: performance.now() / 1000 };
    await guest.command('sleep 30');
    const after = { guest: await uptime(), host: performance.now() / 1000 };
    const ratio = (after.guest - before.guest) / (after.host - before.host);
    expect(ratio).toBeGreaterThan(0.99);
    expect(ratio).toBeLessThan(1.01);
  },
);
