import { expect, test } from 'vitest';
import { SerialInput } from './serial-input.ts';

/** A receiver that has room for so many bytes at a time. */
function receiver() {
  const got: number[] = [];
  const state = { room: 0, got };
  return {
    ...state,
    state,
    receive(bytes: ArrayLike<number>): number {
      const taken = Math.min(state.room, bytes.length);
      for (let i = 0; i < taken; i++) got.push(bytes[i] ?? 0);
      state.room -= taken;
      return taken;
    },
  };
}

test('bytes wait, in order, until there is room', () => {
  const uart = receiver();
  const input = new SerialInput(uart);
  input.push(Uint8Array.of(1, 2, 3));
  input.push(Uint8Array.of(4, 5));
  expect(uart.got).toEqual([]);
  for (const expected of [
    [1, 2],
    [1, 2, 3, 4],
    [1, 2, 3, 4, 5],
  ]) {
    uart.state.room = 2;
    input.pump();
    expect(uart.got).toEqual(expected);
  }
});

test('an empty piece does not block what follows', () => {
  const uart = receiver();
  uart.state.room = 8;
  const input = new SerialInput(uart);
  input.push(new Uint8Array(0));
  input.push(Uint8Array.of(7));
  expect(uart.got).toEqual([7]);
});

test('what waits is counted', () => {
  const uart = receiver();
  const input = new SerialInput(uart);
  input.push(Uint8Array.of(1, 2, 3));
  input.push(Uint8Array.of(4, 5));
  expect(input.length).toBe(5);
  uart.state.room = 4;
  input.pump();
  expect(input.length).toBe(1);
});
