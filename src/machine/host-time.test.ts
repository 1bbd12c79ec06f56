import { describe, expect, test } from 'vitest';
import { TimerQueue } from '../base/clock.ts';
import { MICROSECOND, MILLISECOND, SECOND } from '../base/units.ts';
import { Hpet } from '../devices/hpet.ts';
import { LocalApicTimer } from '../devices/local-apic-timer.ts';
import { Pit8254, PIT_FREQUENCY } from '../devices/pit-8254.ts';
import { RtcCmos } from '../devices/rtc-cmos.ts';
import { HostTime } from './host-time.ts';

/** A host whose clock a test moves, and a guest on it that does nothing but look at its own. */
class Rehearsal {
  host = 5 * SECOND;
  instructions = 0;
  ended = false;
  readonly time: HostTime = new HostTime({
    host: () => this.host,
    instructions: () => this.instructions,
    nextDeadline: () => this.timers.nextDeadline,
    due: () => void (this.ended = true),
  });
  readonly timers: TimerQueue = new TimerQueue(this.time.now, () => void (this.ended = true));

  /** Works at 200 MIPS. */
  work(instructions: number): void {
    this.instructions += instructions;
    this.host += instructions * 5;
  }

  get passed(): number {
    return this.host - 5 * SECOND;
  }

  /** One slice of a guest that looks at the time every 200 instructions, told of each time. */
  slice(seen: (now: number) => void, interfere: () => void = () => {}): void {
    const { time, timers } = this;
    timers.fireDue();
    const before = this.instructions;
    const limit = before + time.instructionsUntil(timers.nextDeadline);
    this.ended = false;
    while (this.instructions < limit && !this.ended) {
      this.work(200);
      interfere();
      seen(time.now());
    }
    time.ran(this.instructions - before);
  }

  /** Idles to the next alarm and sleeps too long by `overshoot`. */
  idle(overshoot: number): void {
    const wait = this.time.idle(this.timers.nextDeadline);
    if (wait > 0) this.host += wait + overshoot;
  }
}

/** How hosts take time away: a stall of so long each time so much host time has passed. */
const STALLS: readonly [string, length: number, every: number][] = [
  ['is never late', 0, SECOND],
  ['gives the guest half of its time', 5 * MILLISECOND, 10 * MILLISECOND],
  ['stops for 50 ms now and then', 50 * MILLISECOND, 130 * MILLISECOND],
  ['stops for longer than it runs', 80 * MILLISECOND, 100 * MILLISECOND],
  ['stops for 200 ms', 200 * MILLISECOND, 700 * MILLISECOND],
  ['was stopped for 10 s', 10 * SECOND, 10.2 * SECOND],
];

/** Stalls as the table says, at the first look after each moment. */
function stalls(rehearsal: Rehearsal, length: number, every: number): () => void {
  let next = rehearsal.host + every / 3;
  return () => {
    if (rehearsal.host < next) return;
    rehearsal.host += length;
    next += every;
  };
}

describe.each(STALLS)('on a host that %s', (_name, length, every) => {
  test('a guest that polls sees time go on, in steps that its own work can account for', () => {
    const rehearsal = new Rehearsal();
    const interfere = stalls(rehearsal, length, every);
    let last = 0;
    let smallest = Infinity;
    let largest = 0;
    const seen = (now: number): void => {
      smallest = Math.min(smallest, now - last);
      largest = Math.max(largest, now - last);
      last = now;
    };
    while (rehearsal.time.now() < SECOND / 5) rehearsal.slice(seen, interfere);
    expect(smallest).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(170 * MICROSECOND);
    expect(last).toBeLessThanOrEqual(rehearsal.passed);
  });

  test('every tick of every timer comes, none before a look that is later', () => {
    const rehearsal = new Rehearsal();
    const { timers } = rehearsal;
    const interfere = stalls(rehearsal, length, every);
    const ticks = { pit: 0, hpet: 0, apic: 0, rtc: 0 };
    startTicking(timers, ticks);
    let early = 0;
    while (timers.now() < SECOND / 2) rehearsal.slice((now) => (early += Number(now > timers.nextDeadline)), interfere);
    expect(early).toBe(0);
    timers.fireDue();
    const seconds = timers.now() / SECOND;
    const expected = { pit: PIT_FREQUENCY / 1193, hpet: 1000, apic: 1000, rtc: 1024 };
    for (const [name, count] of Object.entries(ticks)) {
      const exact = seconds * expected[name as keyof typeof expected];
      expect(Math.abs(count - exact), `${name}: ${count} ticks, not ${exact}`).toBeLessThan(1.1);
    }
  });

  test('the guest has half the usual work done between two ticks, but for the one that a stall was in', () => {
    const rehearsal = new Rehearsal();
    const { timers } = rehearsal;
    const interfere = stalls(rehearsal, length, every);
    const work: number[] = [];
    let before = 0;
    const tick = timers.timer(() => {
      work.push(rehearsal.instructions - before);
      before = rehearsal.instructions;
      tick.arm(tick.deadline === Infinity ? timers.now() + 4 * MILLISECOND : tick.deadline);
    });
    tick.arm(4 * MILLISECOND);
    let lost = 0;
    while (timers.now() < SECOND) {
      rehearsal.slice(() => {}, interfere);
      lost = Math.ceil(rehearsal.passed / every);
    }
    const usual = (4 * MILLISECOND) / 5;
    expect(work.filter((instructions) => instructions < usual / 2 - 5_000).length).toBeLessThanOrEqual(lost);
    expect(Math.min(...work)).toBeGreaterThan(usual / 3);
  });
});

/** Each periodic timer of a PC, at 1000 Hz or nearly. */
function startTicking(clock: TimerQueue, ticks: Record<'pit' | 'hpet' | 'apic' | 'rtc', number>): void {
  const edge = (name: keyof typeof ticks, risen = () => {}) => {
    let was = false;
    return {
      set: (asserted: boolean) => {
        if (asserted && !was) {
          ticks[name]++;
          risen();
        }
        was = asserted;
      },
    };
  };
  const pit = new Pit8254({ clock, interrupt: edge('pit') });
  const count = Math.round(PIT_FREQUENCY / 1000);
  for (const [port, value] of [
    [3, 0x34],
    [0, count & 0xff],
    [0, count >> 8],
  ] as const) {
    pit.ports.write(port, 1, value);
  }
  const none = { set: () => {} };
  const hpet = new Hpet({ clock, line: () => edge('hpet'), legacy: { timer: none, rtc: none, replace: () => {} } });
  for (const [offset, value] of [
    [0x100, 0x214c], // periodic, 32 bits, interrupts, edge, input 16
    [0x108, 100_000],
    [0x108, 100_000],
    [0x10, 1],
  ] as const) {
    hpet.registers.write(offset, 4, value);
  }
  const timeOfTimestamp = (low: number, high: number): number => high * 2 ** 32 + low;
  const apic = new LocalApicTimer({ clock, timeOfTimestamp, expired: () => ticks.apic++ });
  apic.divide = 0xb;
  apic.configure(1 << 17, false);
  apic.initial = MILLISECOND;
  const interrupt = edge('rtc', () => acknowledge.arm(clock.now()));
  const rtc = new RtcCmos({ clock, interrupt, wallClock: () => 0, ram: { below4GiB: 0, above4GiB: 0 } });
  const register = (index: number): void => rtc.ports.write(0, 1, index);
  const acknowledge = clock.timer(() => {
    register(0x0c);
    rtc.ports.read(1, 1);
  });
  register(0x0b);
  rtc.ports.write(1, 1, 0x42);
}

describe('arrears', () => {
  test('are made up at twice the pace of the host, and then no more', () => {
    const rehearsal = new Rehearsal();
    const { time } = rehearsal;
    time.now();
    rehearsal.host += 100 * MILLISECOND;
    time.now();
    const before = { host: rehearsal.passed, guest: time.now() };
    while (rehearsal.passed < before.host + 40 * MILLISECOND) rehearsal.slice(() => {});
    const made = (time.now() - before.guest) / (rehearsal.passed - before.host);
    expect(made).toBeGreaterThan(1.9);
    expect(made).toBeLessThanOrEqual(2);
    while (rehearsal.passed < 300 * MILLISECOND) rehearsal.slice(() => {});
    expect(time.now()).toBe(rehearsal.passed);
  });

  test('are made up at once by a guest that idles, alarm by alarm', () => {
    const rehearsal = new Rehearsal();
    const { time, timers } = rehearsal;
    const rung: number[] = [];
    const alarm = timers.timer(() => {
      rung.push(timers.now());
      alarm.arm(timers.now() + 4 * MILLISECOND);
    });
    alarm.arm(4 * MILLISECOND);
    rehearsal.host += 21 * MILLISECOND;
    let sleeps = 0;
    for (let i = 0; i < 6; i++) {
      timers.fireDue();
      time.instructionsUntil(timers.nextDeadline);
      rehearsal.work(20);
      time.ran(20);
      if (time.idle(timers.nextDeadline) > 0) sleeps++;
    }
    expect(rung).toEqual([4, 8, 12, 16, 20].map((milliseconds) => milliseconds * MILLISECOND));
    expect(sleeps).toBe(1);
    expect(time.now()).toBe(rehearsal.passed);
  });

  test('of more than a second are forgiven', () => {
    const rehearsal = new Rehearsal();
    const { time } = rehearsal;
    rehearsal.host += 3600 * SECOND;
    time.now();
    time.idle(Infinity);
    expect(time.now()).toBeGreaterThanOrEqual(SECOND);
    expect(time.now()).toBeLessThan(SECOND + MILLISECOND);
  });

  test('do not gather on a host that keeps up, though it sleeps too long and the guest is at times slow', () => {
    const rehearsal = new Rehearsal();
    const { timers, time } = rehearsal;
    const tick = timers.timer(() => tick.arm(timers.now() + 4 * MILLISECOND));
    tick.arm(0);
    let slices = 0;
    while (rehearsal.passed < 3 * SECOND) {
      // Every seventh slice is full of devices that take 20 us each.
      rehearsal.slice(() => (rehearsal.host += slices % 7 === 0 ? 20 * MICROSECOND : 0));
      if (++slices % 3 !== 0) rehearsal.idle(MILLISECOND);
    }
    expect(Math.abs(time.now() - rehearsal.passed) / rehearsal.passed).toBeLessThan(0.001);
  });
});

describe('a slice', () => {
  test('is about a millisecond, once it is known how fast the engine is', () => {
    const rehearsal = new Rehearsal();
    for (let i = 0; i < 100; i++) rehearsal.slice(() => {});
    expect(rehearsal.time.instructionsUntil(Infinity)).toBeGreaterThan(180_000);
    expect(rehearsal.time.instructionsUntil(Infinity)).toBeLessThan(220_000);
  });

  test('ends near an alarm, but never runs nothing', () => {
    const { time } = new Rehearsal();
    expect(time.instructionsUntil(100_000)).toBeLessThan(time.instructionsUntil(1_000_000));
    expect(time.instructionsUntil(-1)).toBeGreaterThanOrEqual(1);
  });

  test('is ended by a look that finds an alarm due; outside of one nothing is ended', () => {
    const rehearsal = new Rehearsal();
    const { time, timers } = rehearsal;
    const alarm = timers.timer(() => {});
    alarm.arm(10_000);
    time.instructionsUntil(timers.nextDeadline);
    rehearsal.ended = false;
    rehearsal.work(1_000);
    expect([time.now(), rehearsal.ended]).toEqual([5_000, false]);
    rehearsal.work(1_500);
    expect([time.now(), rehearsal.ended]).toEqual([10_000, true]);
    time.ran(2_500);
    rehearsal.ended = false;
    expect([time.now(), rehearsal.ended]).toEqual([10_000, false]);
    alarm.disarm();
    expect(time.now()).toBeGreaterThan(10_000 - 1);
  });
});

describe('an idle guest', () => {
  test('is left alone up to the alarm', () => {
    const { time } = new Rehearsal();
    expect(time.idle(5_000)).toBe(5_000);
    expect(time.idle(-5)).toBe(0);
    expect(time.idle(Infinity)).toBe(Infinity);
  });
});

test('a pause is no time, however often it is asked for', () => {
  const rehearsal = new Rehearsal();
  const { time } = rehearsal;
  rehearsal.host += 100;
  time.pause();
  rehearsal.host += 4_000;
  time.pause();
  expect(time.now()).toBe(100);
  rehearsal.host += 4_000;
  time.resume();
  expect(time.now()).toBe(100);
  rehearsal.host += 10;
  time.resume();
  expect(time.now()).toBe(110);
});
