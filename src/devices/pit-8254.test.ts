import { describe, expect, it } from 'vitest';

import { ManualClock, TimerQueue } from '../base/clock.ts';
import { SECOND } from '../base/units.ts';
import { Oscillator } from './oscillator.ts';
import { Pit8254, PIT_FREQUENCY } from './pit-8254.ts';

const crystal = new Oscillator(PIT_FREQUENCY);

function timer() {
  const clock = new ManualClock();
  const line = { level: false, rises: 0 };
  const set = (level: boolean): void => {
    if (level && !line.level) line.rises++;
    line.level = level;
  };
  const pit = new Pit8254({ clock, interrupt: { set } });
  let tick = 0;
  /** Moves to the moment at which `ticks` more ticks are complete. */
  const pass = (ticks: number): void => {
    tick += ticks;
    clock.advance(crystal.timeOf(tick) - clock.now());
  };
  const program = (channel: number, control: number, count: number): void => {
    pit.ports.write(3, 1, (channel << 6) | control);
    if ((control & 0x10) !== 0) pit.ports.write(channel, 1, count & 0xff);
    if ((control & 0x20) !== 0) pit.ports.write(channel, 1, count >> 8);
  };
  const read = (channel: number): number => pit.ports.read(channel, 1) | (pit.ports.read(channel, 1) << 8);
  const status = (channel: number): number => {
    pit.ports.write(3, 1, 0xe0 | (2 << channel));
    return pit.ports.read(channel, 1);
  };
  const gate = (high: boolean): void => pit.systemControl.write(0, 1, high ? 1 : 0);
  const output = (): boolean => (pit.systemControl.read(0, 1) & 0x20) !== 0;
  /** The output of channel 2 for some ticks, a character each. */
  const trace = (ticks: number): string => {
    let shown = '';
    for (let i = 0; i < ticks; i++) {
      shown += output() ? '-' : '_';
      pass(1);
    }
    return shown;
  };
  return { pit, clock, line, pass, program, read, status, gate, output, trace };
}

describe('the output of channel 2', () => {
  // The wave forms of the data sheet, one character a tick from the write of the count on.
  it.each([
    [0, 4, '_____----------'],
    [2, 3, '---_--_--_--_--'],
    [2, 4, '----_---_---_--'],
    [3, 4, '---__--__--__--'],
    [3, 5, '----__---__---_'],
    [4, 3, '----_----------'],
  ])('in mode %i with count %i is %s', (mode, count, wave) => {
    const { gate, program, trace } = timer();
    gate(true);
    program(2, 0x30 | (mode << 1), count);
    expect(trace(wave.length)).toBe(wave);
  });

  it.each([
    [1, 3, '----', '-___------'],
    [5, 3, '----', '----_-----'],
  ])('in mode %i with count %i waits for the gate: %s, then %s', (mode, count, before, after) => {
    const { gate, program, trace } = timer();
    gate(false);
    program(2, 0x30 | (mode << 1), count);
    expect(trace(before.length)).toBe(before);
    gate(true);
    expect(trace(after.length)).toBe(after);
  });

  it('in mode 1 is triggered again by the next rising gate', () => {
    const { gate, program, trace } = timer();
    program(2, 0x32, 4);
    gate(true);
    expect(trace(3)).toBe('-__');
    gate(false);
    gate(true);
    expect(trace(7)).toBe('_____--');
  });

  it('in modes 0 and 4 stands still while the gate is low', () => {
    const { gate, program, trace, pass } = timer();
    gate(true);
    program(2, 0x30, 4);
    expect(trace(3)).toBe('___');
    gate(false);
    pass(1000);
    expect(trace(2)).toBe('__');
    gate(true);
    expect(trace(4)).toBe('__--');
  });

  it('in modes 2 and 3 goes high while the gate is low and starts afresh when it rises', () => {
    for (const [mode, wave] of [
      [2, '----_---'],
      [3, '---__--_'],
    ] as const) {
      const { gate, program, trace, pass } = timer();
      gate(true);
      program(2, 0x30 | (mode << 1), 4);
      pass(4);
      gate(false);
      expect(trace(3)).toBe('---');
      gate(true);
      expect(trace(8)).toBe(wave);
    }
  });

  it('in mode 2 takes a new count at the end of the period', () => {
    const { gate, program, trace, pit } = timer();
    gate(true);
    program(2, 0x34, 4);
    expect(trace(2)).toBe('--');
    pit.ports.write(2, 1, 6);
    pit.ports.write(2, 1, 0);
    expect(trace(9)).toBe('--_-----_');
  });

  it('in mode 3 takes a new count at the end of the half period', () => {
    const { gate, program, trace, pit } = timer();
    gate(true);
    program(2, 0x36, 4);
    expect(trace(2)).toBe('--');
    pit.ports.write(2, 1, 8);
    pit.ports.write(2, 1, 0);
    expect(trace(10)).toBe('-____----_');
  });
});

describe('reading', () => {
  it('a running counter shows what is left', () => {
    const { program, read, pass } = timer();
    program(0, 0x30, 1000);
    pass(101);
    expect(read(0)).toBe(900);
    pass(1000);
    expect(read(0)).toBe(65_536 - 100);
  });

  it('mode 3 counts down by two, twice in a period', () => {
    const { program, read, pass } = timer();
    program(0, 0x36, 10);
    const seen: number[] = [];
    for (let i = 0; i < 11; i++) {
      pass(1);
      seen.push(read(0));
    }
    expect(seen).toEqual([10, 8, 6, 4, 2, 10, 8, 6, 4, 2, 10]);
  });

  it('BCD counts four decimal digits, and 0 is ten thousand', () => {
    const { program, read, pass } = timer();
    program(0, 0x31, 0x1000);
    pass(2);
    expect(read(0)).toBe(0x0999);
    program(0, 0x31, 0);
    pass(2);
    expect(read(0)).toBe(0x9999);
  });

  it('a latched count stays until both bytes are read, and a second latch does not replace it', () => {
    const { program, read, pass, pit } = timer();
    program(0, 0x30, 1000);
    pass(101);
    pit.ports.write(3, 1, 0x00);
    pass(100);
    pit.ports.write(3, 1, 0x00);
    expect(read(0)).toBe(900);
    expect(read(0)).toBe(800);
  });

  it('low-byte and high-byte access read and write just that byte', () => {
    const { program, pit, pass } = timer();
    program(0, 0x14, 0x80);
    pass(1);
    expect([pit.ports.read(0, 1), pit.ports.read(0, 1)]).toEqual([0x80, 0x80]);
    program(0, 0x24, 0x1200);
    pass(1);
    expect([pit.ports.read(0, 1), pit.ports.read(0, 1)]).toEqual([0x12, 0x12]);
  });

  it('read-back latches status before count: output, not yet loaded, and the control word', () => {
    const { program, status, pass, pit } = timer();
    program(0, 0x34, 100);
    expect(status(0)).toBe(0xc0 | 0x34);
    pass(1);
    expect(status(0)).toBe(0x80 | 0x34);
    pit.ports.write(3, 1, 0xc2);
    expect([pit.ports.read(0, 1), pit.ports.read(0, 1), pit.ports.read(0, 1)]).toEqual([0xb4, 100, 0]);
  });

  it('one read-back command latches several channels at one moment', () => {
    const { program, read, pass, pit } = timer();
    program(0, 0x30, 1000);
    program(1, 0x30, 500);
    pass(11);
    pit.ports.write(3, 1, 0xd6);
    pass(7);
    expect([read(0), read(1)]).toEqual([990, 490]);
  });
});

describe('IRQ 0', () => {
  it('rises at the terminal count of mode 0 and stays', () => {
    const { program, pass, line } = timer();
    program(0, 0x30, 1000);
    pass(1000);
    expect(line.level).toBe(false);
    pass(1);
    expect(line.level).toBe(true);
    pass(100_000);
    expect(line).toEqual({ level: true, rises: 1 });
    program(0, 0x30, 1000);
    expect(line.level).toBe(false);
  });

  it.each([2, 3])('in mode %i rises once a period for hours without drift', (mode) => {
    const { program, clock, line } = timer();
    program(0, 0x30 | (mode << 1), 0);
    line.rises = 0;
    const hours = 3;
    clock.advance(hours * 3600 * SECOND);
    expect(line.rises).toBe(Math.floor((hours * 3600 * PIT_FREQUENCY - 1) / 65_536));
  });

  it('in mode 4 rises one tick after the strobe', () => {
    const { program, pass, line } = timer();
    program(0, 0x38, 1000);
    line.rises = 0;
    pass(1001);
    expect(line.rises).toBe(0);
    pass(1);
    expect(line.rises).toBe(1);
    pass(200_000);
    expect(line.rises).toBe(1);
  });

  it('many edges that are overdue become one, and the next comes in phase', () => {
    const { pit, line, catchUp } = lateTimer();
    pit.ports.write(3, 1, 0x34);
    pit.ports.write(0, 1, 0);
    pit.ports.write(0, 1, 0x10);
    line.rises = 0;
    catchUp(crystal.timeOf(1 + 1000 * 4096 + 10));
    expect(line.rises).toBe(1);
    catchUp(crystal.timeOf(1 + 1001 * 4096) - 1);
    expect(line.rises).toBe(1);
    catchUp(crystal.timeOf(1 + 1001 * 4096));
    expect(line.rises).toBe(2);
  });

  it('an overdue edge is not lost when the guest reads the counter first', () => {
    const { pit, line, moveTo } = lateTimer();
    pit.ports.write(3, 1, 0x34);
    pit.ports.write(0, 1, 0);
    pit.ports.write(0, 1, 0x10);
    pit.ports.write(0, 1, 0);
    pit.ports.write(0, 1, 0x20);
    line.rises = 0;
    moveTo(crystal.timeOf(1 + 4096 + 10));
    expect(pit.ports.read(0, 1) | (pit.ports.read(0, 1) << 8)).toBe(0x2000 - 10);
    expect(line.rises).toBe(1);
  });

  it('a reset stops it', () => {
    const { program, pit, clock, line } = timer();
    program(0, 0x34, 1000);
    pit.reset();
    line.rises = 0;
    clock.advance(SECOND);
    expect(line).toEqual({ level: false, rises: 0 });
  });
});

/** A timer whose clock can jump past deadlines, as when the machine was paused. */
function lateTimer() {
  const time = { now: 0 };
  const queue = new TimerQueue(() => time.now);
  const line = { level: false, rises: 0 };
  const set = (level: boolean): void => {
    if (level && !line.level) line.rises++;
    line.level = level;
  };
  const pit = new Pit8254({ clock: queue, interrupt: { set } });
  const moveTo = (now: number): void => {
    time.now = now;
  };
  const catchUp = (now: number): void => {
    moveTo(now);
    queue.fireDue();
  };
  return { pit, line, moveTo, catchUp };
}

describe('port 61h', () => {
  it('bit 4 toggles with the refresh, bits 3-0 read back, bits 7-6 are 0', () => {
    const { pit, clock } = timer();
    pit.systemControl.write(0, 1, 0xff);
    const first = pit.systemControl.read(0, 1);
    clock.advance(15_085);
    expect((first ^ pit.systemControl.read(0, 1)) & 0x10).toBe(0x10);
    expect(first & 0xcf).toBe(0x0f);
    expect(pit.speakerEnabled).toBe(true);
  });
});
