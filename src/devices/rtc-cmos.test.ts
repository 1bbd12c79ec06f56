import { describe, expect, it } from 'vitest';

import { ManualClock } from '../base/clock.ts';
import { GiB, KiB, MICROSECOND, MiB, MILLISECOND, SECOND } from '../base/units.ts';
import { RtcCmos, type RtcCmosOptions } from './rtc-cmos.ts';

/** Friday, 29 February 2008, 23:59:58. */
const LEAP_NIGHT = Date.UTC(2008, 1, 29, 23, 59, 58) / 1000;

function clockOnBoard(options: Partial<RtcCmosOptions> = {}) {
  const clock = new ManualClock();
  const line = { level: false, rises: 0 };
  const set = (level: boolean): void => {
    if (level && !line.level) line.rises++;
    line.level = level;
  };
  const rtc = new RtcCmos({
    clock,
    interrupt: { set },
    wallClock: () => LEAP_NIGHT,
    ram: { below4GiB: 128 * MiB, above4GiB: 0 },
    ...options,
  });
  const read = (index: number): number => {
    rtc.ports.write(0, 1, index);
    return rtc.ports.read(1, 1);
  };
  const write = (index: number, value: number): void => {
    rtc.ports.write(0, 1, index);
    rtc.ports.write(1, 1, value);
  };
  /** Century, year, month, day, weekday, hour, minute, second, as hexadecimal text. */
  const time = (): string =>
    [0x32, 9, 8, 7, 6, 4, 2, 0].map((index) => read(index).toString(16).padStart(2, '0')).join(' ');
  return { rtc, clock, line, read, write, time };
}

describe('the time', () => {
  it('starts at the wall clock and goes on by itself', () => {
    const { clock, time } = clockOnBoard();
    expect(time()).toBe('20 08 02 29 06 23 59 58');
    clock.advance(2 * SECOND);
    expect(time()).toBe('20 08 03 01 07 00 00 00');
  });

  it.each([
    [0x02, 23, '20 08 02 29 06 23 59 58'],
    [0x06, 23, '14 08 02 1d 06 17 3b 3a'],
    [0x00, 23, '20 08 02 29 06 91 59 58'],
    [0x04, 23, '14 08 02 1d 06 8b 3b 3a'],
    [0x00, 0, '20 08 02 29 06 12 59 58'],
    [0x00, 12, '20 08 02 29 06 92 59 58'],
    [0x00, 11, '20 08 02 29 06 11 59 58'],
  ])('is shown in the format of register B = %i at %i o’clock', (b, hour, shown) => {
    const wallClock = (): number => Date.UTC(2008, 1, 29, hour, 59, 58) / 1000;
    const { write, time } = clockOnBoard({ wallClock });
    write(0x0b, b);
    expect(time()).toBe(shown);
  });

  it.each([0x00, 0x02, 0x04, 0x06])('reads back what was set under SET, in format %i, for all hours', (b) => {
    for (let hour = 0; hour < 24; hour++) {
      const wallClock = (): number => Date.UTC(1999, 11, 31, hour, 0, 0) / 1000;
      const source = clockOnBoard({ wallClock });
      source.write(0x0b, b);
      const target = clockOnBoard();
      target.write(0x0b, 0x80 | b);
      for (const index of [0x32, 9, 8, 7, 6, 4, 2, 0]) target.write(index, source.read(index));
      target.write(0x0b, b);
      expect(target.time()).toBe(source.time());
    }
  });

  it('stands still under SET, where any byte can be written, and goes on from what was written', () => {
    const { clock, read, write, time } = clockOnBoard();
    write(0x0b, 0x82);
    clock.advance(10 * SECOND);
    expect(time()).toBe('20 08 02 29 06 23 59 58');
    write(0x07, 0x31);
    write(0x08, 0x12);
    expect(read(0x07)).toBe(0x31);
    write(0x0b, 0x02);
    clock.advance(SECOND);
    expect(time()).toBe('20 08 12 31 06 23 59 59');
  });

  it('can be written while it runs', () => {
    const { write, time } = clockOnBoard();
    write(0x04, 0x07);
    expect(time()).toBe('20 08 02 29 06 07 59 58');
  });

  it('first changes half a second after the divider leaves its reset', () => {
    const { clock, read, write } = clockOnBoard();
    write(0x0a, 0x76);
    clock.advance(12_345_678_901);
    expect(read(0)).toBe(0x58);
    write(0x0a, 0x26);
    clock.advance(SECOND / 2 - 1);
    expect(read(0)).toBe(0x58);
    clock.advance(1);
    expect(read(0)).toBe(0x59);
  });

  it('is about to change while UIP is set, for 2228 us of every second', () => {
    const { clock, read, write } = clockOnBoard();
    clock.advance(SECOND - 2228 * MICROSECOND - 1);
    expect(read(0x0a)).toBe(0x26);
    clock.advance(1);
    expect(read(0x0a)).toBe(0xa6);
    clock.advance(2228 * MICROSECOND - 1);
    expect([read(0x0a), read(0)]).toEqual([0xa6, 0x58]);
    clock.advance(1);
    expect([read(0x0a), read(0)]).toEqual([0x26, 0x59]);
    write(0x0b, 0x82);
    clock.advance(SECOND - 1);
    expect(read(0x0a)).toBe(0x26);
  });
});

describe('interrupts', () => {
  it('the update-ended interrupt comes at each second and waits for register C', () => {
    const { clock, line, read, write } = clockOnBoard();
    write(0x0b, 0x12);
    clock.advance(SECOND - 1);
    expect(line.level).toBe(false);
    clock.advance(1);
    expect(line.level).toBe(true);
    clock.advance(10 * SECOND);
    expect(line.rises).toBe(1);
    expect(read(0x0c) & 0x90).toBe(0x90);
    expect([line.level, read(0x0c)]).toEqual([false, 0]);
    clock.advance(SECOND);
    expect(line.rises).toBe(2);
  });

  it.each([
    [1, 256],
    [2, 128],
    [3, 8192],
    [6, 1024],
    [15, 2],
  ])('periodic rate %i interrupts %i times a second', (rate, frequency) => {
    const { clock, line, read, write } = clockOnBoard();
    write(0x0a, 0x20 | rate);
    write(0x0b, 0x42);
    for (let i = 0; i < 3 * frequency; i++) {
      clock.advance(Math.ceil(((i + 1) * SECOND) / frequency) - clock.now());
      expect(line.rises).toBe(i + 1);
      expect(read(0x0c) & 0xc0).toBe(0xc0);
    }
  });

  it('flags can be polled without an interrupt', () => {
    const { clock, line, read } = clockOnBoard();
    expect(read(0x0c)).toBe(0);
    clock.advance(MILLISECOND);
    expect(read(0x0c)).toBe(0x40);
    clock.advance(SECOND);
    expect(read(0x0c)).toBe(0x50);
    expect(line.rises).toBe(0);
  });

  it.each([
    ['at one time of day', [0x07, 0x30, 0x15], 7 * 3600 + 30 * 60 + 15 + 2],
    ['each hour', [0xff, 0x30, 0x15], 30 * 60 + 15 + 2],
    ['each minute', [0xff, 0xc0, 0x15], 15 + 2],
    ['each second', [0xff, 0xff, 0xff], 1],
    ['at midnight', [0x00, 0x00, 0x00], 2],
    ['just before the time at which it was set, a day later', [0x23, 0x59, 0x58], 86_400],
  ])('the alarm comes %s', (_when, [hour = 0, minute = 0, second = 0], seconds) => {
    const { clock, line, read, write } = clockOnBoard();
    write(5, hour);
    write(3, minute);
    write(1, second);
    write(0x0b, 0x22);
    clock.advance(seconds * SECOND - 1);
    expect(line.level).toBe(false);
    clock.advance(1);
    expect(line.level).toBe(true);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
  });

  it('an alarm that is no time of day never comes', () => {
    const { clock, line, write } = clockOnBoard();
    write(5, 0x99);
    write(0x0b, 0x22);
    clock.advance(3 * 86_400 * SECOND);
    expect(line.rises).toBe(0);
  });

  it('SET clears the update-ended enable', () => {
    const { read, write } = clockOnBoard();
    write(0x0b, 0x92);
    expect(read(0x0b)).toBe(0x82);
  });
});

describe('memory', () => {
  it.each([
    [512 * KiB, 0, { base: 512, extended: 0, above16: 0, above4: 0 }],
    [640 * KiB, 0, { base: 640, extended: 0, above16: 0, above4: 0 }],
    [1 * MiB, 0, { base: 640, extended: 0, above16: 0, above4: 0 }],
    [8 * MiB, 0, { base: 640, extended: 7168, above16: 0, above4: 0 }],
    [16 * MiB, 0, { base: 640, extended: 15_360, above16: 0, above4: 0 }],
    [128 * MiB, 0, { base: 640, extended: 65_535, above16: 1792, above4: 0 }],
    [3 * GiB, 0, { base: 640, extended: 65_535, above16: 48_896, above4: 0 }],
    [4 * GiB, 5 * GiB, { base: 640, extended: 65_535, above16: 65_280, above4: 81_920 }],
    [3 * GiB, 2 ** 46, { base: 640, extended: 65_535, above16: 48_896, above4: 0xff_ffff }],
  ])('describes %i bytes below and %i above 4 GiB', (below4GiB, above4GiB, expected) => {
    const { read } = clockOnBoard({ ram: { below4GiB, above4GiB } });
    const word = (index: number): number => read(index) | (read(index + 1) << 8);
    expect(word(0x30)).toBe(word(0x17));
    const above4 = word(0x5b) | (read(0x5d) << 16);
    expect({ base: word(0x15), extended: word(0x17), above16: word(0x34), above4 }).toEqual(expected);
  });

  it('has processors, boot order and a checksum that holds', () => {
    const { read } = clockOnBoard({ processors: 4, bootOrder: ['cdrom', 'disk', 'network'] });
    expect([read(0x5f), read(0x3d), read(0x38)]).toEqual([3, 0x23, 0x40]);
    let sum = 0;
    for (let index = 0x10; index <= 0x2d; index++) sum += read(index);
    expect((read(0x2e) << 8) | read(0x2f)).toBe(sum);
  });

  it('keeps the shutdown status, the memory and the time over a reset, and turns interrupts off', () => {
    const { rtc, clock, line, read, write } = clockOnBoard();
    write(0x0f, 0x0a);
    write(0x7f, 0x55);
    write(0x0b, 0x7a);
    clock.advance(SECOND);
    expect(line.level).toBe(true);
    rtc.ports.write(0, 1, 0x8f);
    expect(rtc.nmiMasked).toBe(true);
    rtc.reset();
    expect(line.level).toBe(false);
    expect(rtc.nmiMasked).toBe(false);
    expect([read(0x0f), read(0x7f), read(0x0b), read(0)]).toEqual([0x0a, 0x55, 0x02, 0x59]);
  });

  it('bit 7 of the index is the NMI mask and no part of the address; the index cannot be read', () => {
    const { rtc, read, write } = clockOnBoard();
    write(0xc0, 0x12);
    expect(rtc.nmiMasked).toBe(true);
    expect(read(0x40)).toBe(0x12);
    expect(rtc.nmiMasked).toBe(false);
    expect(rtc.ports.read(0, 1)).toBe(0xff);
  });

  it('registers C and D cannot be written', () => {
    const { read, write } = clockOnBoard();
    write(0x0c, 0xff);
    write(0x0d, 0);
    expect([read(0x0c), read(0x0d)]).toEqual([0, 0x80]);
  });
});
