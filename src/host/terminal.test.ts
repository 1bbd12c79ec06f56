import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Terminal } from './terminal.ts';

class Input extends EventEmitter {
  readonly isTTY: boolean;
  raw: boolean[] = [];
  paused = false;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  setRawMode(raw: boolean): void {
    this.raw.push(raw);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

function open(isTTY: boolean) {
  const input = new Input(isTTY);
  const state = { received: [] as number[], notices: '', quits: 0, waiting: 0 };
  const terminal = new Terminal({
    input,
    notice: (text) => (state.notices += text),
    receive: (bytes) => state.received.push(...bytes),
    waiting: () => state.waiting,
    quit: () => state.quits++,
  });
  const type = (text: string): void => void input.emit('data', Buffer.from(text, 'latin1'));
  return { input, state, terminal, type };
}

describe('a terminal', () => {
  test('is raw while it is used, says how to leave, and is restored once', () => {
    const { input, state, terminal, type } = open(true);
    expect(input.raw).toEqual([true]);
    expect(state.notices).toMatch(/Ctrl-\] quits\n$/);
    terminal[Symbol.dispose]();
    expect(input.raw).toEqual([true, false]);
    expect(input.paused).toBe(true);
    type('x');
    expect(state.received).toEqual([]);
  });

  test('passes on what was typed before Ctrl-], and nothing after it', () => {
    const { state, type } = open(true);
    type('ab\x03\x1dcd');
    expect(state).toMatchObject({ received: [0x61, 0x62, 3], quits: 1 });
    type('\x1d');
    expect(state).toMatchObject({ received: [0x61, 0x62, 3], quits: 2 });
  });

  test('leaves nothing behind at the process', () => {
    const before = process.listenerCount('exit') + process.listenerCount('SIGCONT');
    open(true).terminal[Symbol.dispose]();
    expect(process.listenerCount('exit') + process.listenerCount('SIGCONT')).toBe(before);
  });

  test('hears Ctrl-] even when the guest takes nothing', () => {
    const { input, state, type } = open(true);
    state.waiting = 2 ** 20;
    type('x');
    expect(input.paused).toBe(false);
    type('\x1d');
    expect(state.quits).toBe(1);
  });
});

describe('a pipe', () => {
  test('is read byte for byte, and no mode of it is changed', () => {
    const { input, state, terminal, type } = open(false);
    type('a\x1db\x03');
    terminal[Symbol.dispose]();
    expect(state).toMatchObject({ received: [0x61, 0x1d, 0x62, 3], quits: 0, notices: '' });
    expect(input.raw).toEqual([]);
  });

  test('waits while the guest has enough to take, and goes on when half of it is taken', () => {
    const { input, state, terminal, type } = open(false);
    state.waiting = 64 * 1024;
    type('x');
    expect(input.paused).toBe(true);
    state.waiting = 33 * 1024;
    terminal.turn();
    expect(input.paused).toBe(true);
    state.waiting = 32 * 1024;
    terminal.turn();
    expect(input.paused).toBe(false);
  });
});
