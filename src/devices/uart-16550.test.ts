import { describe, expect, it } from 'vitest';

import { ManualClock } from '../base/clock.ts';
import { Uart16550 } from './uart-16550.ts';

/** With everything enabled and OUT2 on, 115200 8N1. */
function port({ fifos = true, trigger = 0 } = {}) {
  const clock = new ManualClock();
  const line = { level: false, rises: 0 };
  const set = (level: boolean): void => {
    if (level && !line.level) line.rises++;
    line.level = level;
  };
  const sent: number[] = [];
  const rooms = { count: 0, refill: (): void => {} };
  const backEnd = {
    transmit: (byte: number) => void sent.push(byte),
    room() {
      rooms.count++;
      rooms.refill();
    },
  };
  const uart = new Uart16550({ clock, interrupt: { set }, backEnd });
  const read = (register: number): number => uart.ports.read(register, 1);
  const write = (register: number, value: number): void => uart.ports.write(register, 1, value);
  write(3, 0x83);
  write(0, 1);
  write(1, 0);
  write(3, 0x03);
  write(2, fifos ? 0x07 | (trigger << 6) : 0);
  write(4, 0x0b);
  return { uart, clock, line, sent, rooms, read, write };
}

const range = (count: number): number[] => [...Array(count).keys()];
/** Ten bits at 115,200 baud. */
const CHARACTER = 86_806;

describe('registers', () => {
  it('the divisor is behind DLAB, and the scratch register holds a byte', () => {
    const { read, write } = port();
    write(3, 0x83);
    write(0, 0x34);
    write(1, 0x12);
    expect([read(0), read(1)]).toEqual([0x34, 0x12]);
    write(3, 0x03);
    write(7, 0xa5);
    expect([read(1), read(3), read(4), read(7)]).toEqual([0, 0x03, 0x0b, 0xa5]);
  });

  it('IER has four bits and MCR five', () => {
    const { read, write } = port();
    write(1, 0xff);
    write(4, 0xff);
    expect([read(1), read(4)]).toEqual([0x0f, 0x1f]);
  });

  it('IIR says whether the FIFOs are on, which is how a 16550A is known', () => {
    const { read, write } = port();
    expect(read(2)).toBe(0xc1);
    write(2, 0);
    expect(read(2)).toBe(0x01);
  });

  it('a reset turns interrupts and FIFOs off', () => {
    const { uart, read, write, line } = port();
    write(1, 0x0f);
    uart.receive([1, 2, 3]);
    uart.reset();
    expect(line.level).toBe(false);
    expect([1, 2, 3, 4, 5].map(read)).toEqual([0, 0x01, 0, 0, 0x60]);
  });
});

describe('transmitting', () => {
  it('a byte is out at once and the transmitter is empty again', () => {
    const { sent, read, write } = port();
    for (const byte of [0x68, 0x69]) write(0, byte);
    expect(sent).toEqual([0x68, 0x69]);
    expect(read(5)).toBe(0x60);
  });

  it('enabling the interrupt makes one, reading IIR takes it back, and so each time', () => {
    const { read, write, line } = port();
    for (let round = 1; round < 4; round++) {
      write(1, 0x02);
      expect(line).toEqual({ level: true, rises: round });
      expect(read(2)).toBe(0xc2);
      expect([line.level, read(2)]).toEqual([false, 0xc1]);
      write(1, 0x00);
    }
  });

  it('each byte written makes a new edge, whether or not IIR was read', () => {
    const { write, line } = port();
    write(1, 0x02);
    for (let byte = 0; byte < 3; byte++) write(0, byte);
    expect(line).toEqual({ level: true, rises: 4 });
  });

  it('reading IIR for something more urgent leaves the transmitter’s interrupt pending', () => {
    const { uart, read, write } = port();
    write(1, 0x03);
    uart.receive([1]);
    expect(read(2)).toBe(0xc4);
    read(0);
    expect(read(2)).toBe(0xc2);
  });
});

describe('receiving', () => {
  it.each([
    [0, 1],
    [1, 4],
    [2, 8],
    [3, 14],
  ])('trigger %i interrupts at %i bytes', (trigger, level) => {
    const { uart, read, write, line } = port({ trigger });
    write(1, 0x01);
    for (let i = 1; i < level; i++) {
      uart.receive([i]);
      expect(line.level).toBe(false);
    }
    uart.receive([level]);
    expect([line.level, read(2)]).toEqual([true, 0xc4]);
    expect(read(0)).toBe(1);
    expect(line.level).toBe(false);
  });

  it('bytes below the trigger level interrupt after four characters of silence', () => {
    const { uart, clock, read, write, line } = port({ trigger: 3 });
    write(1, 0x01);
    uart.receive([1, 2]);
    clock.advance(3 * CHARACTER);
    uart.receive([3]);
    clock.advance(4 * CHARACTER - 10);
    expect(line.level).toBe(false);
    clock.advance(10);
    expect([line.level, read(2)]).toEqual([true, 0xcc]);
    expect([read(0), line.level]).toEqual([1, false]);
    clock.advance(4 * CHARACTER);
    expect(line.level).toBe(true);
    expect([read(0), read(0), line.level]).toEqual([2, 3, false]);
    clock.advance(100 * CHARACTER);
    expect(line.level).toBe(false);
  });

  it.each([
    [true, 16],
    [false, 1],
  ])('takes what there is room for: FIFOs %s, %i', (fifos, depth) => {
    const { uart, read, rooms } = port({ fifos });
    expect(uart.receive(range(20))).toBe(depth);
    expect(uart.receive([99])).toBe(0);
    expect(rooms.count).toBe(0);
    expect(read(0)).toBe(0);
    expect(rooms.count).toBe(1);
    expect(uart.receive([99])).toBe(1);
  });

  it('a host that fills up whenever there is room gets everything through in order', () => {
    const { uart, read, rooms } = port();
    const input = range(1000).map((n) => n & 0xff);
    let offset = 0;
    rooms.refill = () => {
      offset += uart.receive(input.slice(offset));
    };
    rooms.refill();
    const output: number[] = [];
    while ((read(5) & 1) !== 0) output.push(read(0));
    expect(output).toEqual(input);
  });

  it('nobody is told of room who was not refused', () => {
    const { uart, read, rooms } = port();
    uart.receive(range(16));
    for (let i = 0; i < 16; i++) read(0);
    expect(rooms.count).toBe(0);
  });

  it('a break comes with its flag, which LSR shows once, as the most urgent interrupt', () => {
    const { uart, read, write } = port();
    write(1, 0x0f);
    uart.receive([0x41]);
    uart.receiveBreak();
    expect(read(5)).toBe(0xe1);
    expect(read(0)).toBe(0x41);
    expect(read(2)).toBe(0xc6);
    expect(read(5)).toBe(0xf1);
    expect(read(5)).toBe(0x61);
    expect(read(0)).toBe(0);
    expect(read(5)).toBe(0x60);
  });

  it('clearing or switching the FIFOs forgets what was received', () => {
    for (const fcr of [0x03, 0x00]) {
      const { uart, read, write } = port();
      uart.receive([1, 2, 3]);
      write(2, fcr);
      expect(read(5)).toBe(0x60);
    }
  });
});

describe('loopback', () => {
  it('what is transmitted is received, not sent, and the outside is cut off', () => {
    const { uart, sent, read, write } = port();
    write(4, 0x10);
    write(0, 0xae);
    expect(sent).toEqual([]);
    expect(uart.receive([1])).toBe(0);
    expect([read(5), read(0), read(5)]).toEqual([0x61, 0xae, 0x60]);
  });

  it('a character has as many bits as LCR says', () => {
    const { read, write } = port();
    write(4, 0x10);
    for (const [control, character] of [0x1f, 0x3f, 0x7f, 0xff].entries()) {
      write(3, control);
      write(0, 0xff);
      expect(read(0)).toBe(character);
    }
  });

  it.each([
    [true, 16, 0],
    [false, 1, 16],
  ])('too many bytes overrun: FIFOs %s', (fifos, kept, next) => {
    const { read, write } = port({ fifos });
    write(4, 0x10);
    for (let byte = 0; byte <= 16; byte++) write(0, byte);
    expect(read(5)).toBe(0x63);
    expect(read(0)).toBe(next);
    let count = 1;
    while ((read(5) & 1) !== 0) {
      read(0);
      count++;
    }
    expect(count).toBe(kept);
  });

  it('outputs drive inputs, for all sixteen of them', () => {
    const { read, write } = port();
    for (let control = 0; control < 16; control++) {
      write(4, 0x10 | control);
      const [dtr, rts, out1, out2] = [1, 2, 4, 8].map((bit) => (control & bit) !== 0);
      const expected = (rts ? 0x10 : 0) | (dtr ? 0x20 : 0) | (out1 ? 0x40 : 0) | (out2 ? 0x80 : 0);
      expect(read(6) & 0xf0).toBe(expected);
    }
  });
});

describe('modem status', () => {
  it('changes are noted until MSR is read, and interrupt', () => {
    const { uart, read, write, line } = port();
    read(6);
    write(1, 0x08);
    uart.setModemLines(0xa0);
    expect([line.level, read(2)]).toEqual([true, 0xc0]);
    expect(read(6)).toBe(0xa1);
    expect([line.level, read(6)]).toEqual([false, 0xa0]);
  });

  it('of the ring indicator only the end counts', () => {
    const { uart, read } = port();
    read(6);
    uart.setModemLines(0xf0);
    expect(read(6)).toBe(0xf0);
    uart.setModemLines(0xb0);
    expect(read(6)).toBe(0xb4);
  });
});

it('the interrupt reaches the line only through OUT2', () => {
  const { write, line } = port();
  write(4, 0x03);
  write(1, 0x02);
  expect(line.level).toBe(false);
  write(4, 0x0b);
  expect(line.level).toBe(true);
});
