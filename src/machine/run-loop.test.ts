import { expect, test } from 'vitest';
import { TimerQueue } from '../base/clock.ts';
import type { Engine, Exit } from '../cpu/index.ts';
import { runLoop, type Pace, type Requests } from './run-loop.ts';
import { instructionTime } from './time-source.ts';

/** A machine whose engine does nothing but count its slices. */
function machine(requests: Requests, exit: Exit = 'limit') {
  const state = { slices: 0, resets: 0, instructions: 0 };
  const engine = {
    get instructions() {
      return state.instructions;
    },
    run() {
      state.slices++;
      state.instructions++;
      return exit;
    },
    requestExit() {},
  } as unknown as Engine;
  const time = instructionTime(() => state.instructions);
  const running = {
    engine,
    timers: new TimerQueue(time.now, () => {}),
    time,
    requests,
    reset: () => void state.resets++,
  };
  return { state, running };
}

const none: Pace = { breathe: () => undefined, sleep: () => Promise.resolve(), wake() {} };

test('a paused machine runs no slice, and sleeps without end until it is resumed', async () => {
  const requests: Requests = { stop: undefined, reset: false, paused: true };
  const { state, running } = machine(requests);
  const sleeps: number[] = [];
  const pace = {
    ...none,
    sleep: (nanoseconds: number) => {
      sleeps.push(nanoseconds);
      if (sleeps.length === 3) requests.paused = false;
      return Promise.resolve();
    },
    breathe: () => {
      requests.stop = 'stopped';
      return undefined;
    },
  };
  expect(await runLoop(running, pace)).toBe('stopped');
  expect(sleeps).toEqual([Infinity, Infinity, Infinity]);
  expect(state.slices).toBe(1);
});

test('a paused machine can be stopped', async () => {
  const requests: Requests = { stop: undefined, reset: false, paused: true };
  const { state, running } = machine(requests);
  const pace = { ...none, sleep: () => Promise.resolve(void (requests.stop = 'stopped')) };
  expect(await runLoop(running, pace)).toBe('stopped');
  expect(state.slices).toBe(0);
});

test('a reset that was asked for happens once, between slices', async () => {
  const requests: Requests = { stop: undefined, reset: true, paused: false };
  const { state, running } = machine(requests);
  let turns = 0;
  const breathe = (): undefined => {
    if (++turns === 3) requests.stop = 'stopped';
  };
  await runLoop(running, { ...none, breathe });
  expect([state.slices, state.resets]).toEqual([3, 1]);
});
