import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { MILLISECOND } from '../base/units.ts';
import { Uart16550 } from '../devices/uart-16550.ts';
import { SerialInput } from './serial-input.ts';

const DATA = 0;
const IER = 1;
const FCR = 2;
const LSR = 5;

function setUp() {
  const clock = new ManualClock();
  const uart: Uart16550 = new Uart16550({
    clock,
    interrupt: { set() {} },
    backEnd: { transmit() {}, room: () => input.pump() },
  });
  const input = new SerialInput(uart, clock);
  const type = (text: string): void => input.push(new TextEncoder().encode(text));
  /** Everything that the guest can read now. */
  const read = (): string => {
    let text = '';
    while ((uart.ports.read(LSR, 1) & 1) !== 0) text += String.fromCharCode(uart.ports.read(DATA, 1));
    return text;
  };
  return { clock, uart, input, type, read };
}

test('input waits while a driver sets the port up, and comes whole when its interrupt is on', () => {
  const { clock, uart, input, type, read } = setUp();
  type('abcdef');
  clock.advance(1000 * MILLISECOND);
  for (const control of [0x01, 0x07, 0x00]) uart.ports.write(FCR, 1, control);
  uart.ports.read(DATA, 1);
  expect(input.length).toBe(6);
  uart.ports.write(IER, 1, 0x01);
  uart.ports.write(FCR, 1, 0x01);
  clock.advance(10 * MILLISECOND);
  expect([read(), input.length]).toEqual(['abcdef', 0]);
});

test('input comes to a guest that looks for it again and again, byte after byte', () => {
  const { clock, uart, type, read } = setUp();
  type('abc');
  for (let i = 0; i < 20; i++) uart.ports.read(LSR, 1);
  clock.advance(10 * MILLISECOND);
  expect(read()).toBe('abc');
  uart.ports.write(DATA, 1, 0x78);
  type('d');
  expect(read()).toBe('d');
});

test('a guest that sends, with a look before each byte, does not seem to listen', () => {
  const { clock, uart, input, type } = setUp();
  type('abc');
  for (let i = 0; i < 100; i++) {
    uart.ports.read(LSR, 1);
    uart.ports.write(DATA, 1, 0x78);
  }
  clock.advance(10 * MILLISECOND);
  expect(input.length).toBe(3);
});

test('without input nobody is woken', () => {
  expect(setUp().clock.nextDeadline).toBe(Infinity);
});

test('what waits is counted', () => {
  const { clock, uart, input, type, read } = setUp();
  type('abc');
  type('de');
  expect(input.length).toBe(5);
  uart.ports.write(IER, 1, 0x01);
  clock.advance(10 * MILLISECOND);
  expect(input.length).toBe(4);
  expect([read(), input.length]).toEqual(['abcde', 0]);
});
