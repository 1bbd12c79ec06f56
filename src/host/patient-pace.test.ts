import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Outlet } from './outlet.ts';
import { patientPace } from './patient-pace.ts';

function setUp() {
  const stream = new PassThrough({ highWaterMark: 10 });
  let full = 0;
  const outlet = new Outlet(stream, () => full++);
  const calls: string[] = [];
  const pace = patientPace(
    {
      breathe: () => void calls.push('breathe'),
      sleep: async () => void calls.push('sleep'),
      wake: () => void calls.push('wake'),
    },
    [outlet],
  );
  return { stream, outlet, pace, calls, full: () => full };
}

test('nobody waits while the reader keeps up', () => {
  const { outlet, pace, calls, full } = setUp();
  outlet.write(new Uint8Array(5));
  expect([pace.breathe(), calls, full()]).toEqual([undefined, ['breathe'], 0]);
});

test('the writer is told once that the reader is behind, and waits until it has read', async () => {
  const { stream, outlet, pace, full } = setUp();
  outlet.write(new Uint8Array(20));
  outlet.write(new Uint8Array(20));
  expect(full()).toBe(1);
  const turn = pace.breathe();
  expect(turn).toBeInstanceOf(Promise);
  stream.resume();
  await turn;
  expect([outlet.backlog, pace.breathe()]).toEqual([undefined, undefined]);
});

test('a request ends the wait, and so does a reader who goes away', async () => {
  const { stream, outlet, pace, calls } = setUp();
  outlet.write(new Uint8Array(20));
  const first = pace.breathe();
  pace.wake();
  await first;
  expect(calls).toEqual(['wake']);
  const second = pace.breathe();
  stream.destroy();
  await second;
  expect(outlet.backlog).toBe(undefined);
});
