import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventLoopPace } from '../../src/index.ts';
import { COUNTING, ControlledMachine } from './controlled-machine.ts';

/**
 * What the machine gives away between two of its turns, measured while requests of every kind hammer its socket. A turn
 * of the guest lasts 4 ms (event-loop-pace.ts). Other processes take time away as well, so the bound is on the bulk of the
 * gaps; what Node itself or a garbage collection takes at worst is only kept from being absurd.
 */
const SLICE = 4;
const WORST = 250;

interface Gaps {
  readonly waits: number[];
  /** Share of the time that the guest had. */
  readonly share: number;
}

let controlled: ControlledMachine;
beforeAll(async () => {
  controlled = await ControlledMachine.start(COUNTING, { memory: 256 * 1024 * 1024, idle: true });
});
afterAll(() => controlled[Symbol.asyncDispose]());

/** Runs the guest for a while, beside a load, and measures how long it waits for each of its turns. */
async function measure(load: (isOver: () => boolean) => Promise<unknown>, milliseconds = 1500): Promise<Gaps> {
  const { machine, pace } = controlled;
  const waits: number[] = [];
  let over = false;
  const measured = {
    ...pace,
    breathe() {
      const turn = pace.breathe();
      if (turn === undefined) return undefined;
      const from = performance.now();
      return turn.then(() => void waits.push(performance.now() - from));
    },
  };
  const start = performance.now();
  setTimeout(() => {
    over = true;
    machine.stop('interrupted');
  }, milliseconds);
  const loaded = load(() => over);
  await machine.run(measured);
  const total = performance.now() - start;
  await loaded;
  const lost = waits.reduce((sum, wait) => sum + wait, 0);
  return { waits: waits.toSorted((a, b) => a - b), share: 1 - lost / total };
}

const LOADS: readonly [string, (isOver: () => boolean) => Promise<unknown>][] = [
  ['reads of 256 MiB', (isOver) => repeat(isOver, 4, () => drain('ram', 256 * 1024 * 1024))],
  [
    'writes of 16 MiB',
    (isOver) => repeat(isOver, 4, () => controlled.client.write('ram', new Uint8Array(16 << 20), { offset: 1 << 20 })),
  ],
  [
    'reads in hexadecimal',
    (isOver) => repeat(isOver, 4, () => controlled.ask('/memory/segments/ram/bytes?format=hex&length=0x400000')),
  ],
  ['small requests', (isOver) => repeat(isOver, 16, () => controlled.client.facts())],
  [
    'claims to have written code everywhere',
    (isOver) => repeat(isOver, 4, () => controlled.client.codeWritten({ gpa: 0, length: 2 ** 40 })),
  ],
];

async function repeat(isOver: () => boolean, times: number, action: () => Promise<unknown>): Promise<void> {
  const one = async (): Promise<void> => {
    while (!isOver()) await action();
  };
  await Promise.all(Array.from({ length: times }, one));
}

async function drain(segment: string, length: number): Promise<void> {
  let seen = 0;
  for await (const piece of controlled.client.stream(segment, { length })) {
    seen += piece.length;
    if (controlled.machine.state === 'stopped') return;
  }
  expect(seen).toBe(length);
}

describe('the guest does not wait longer than a slice', () => {
  test.each(LOADS)('for %s', async (what, load) => {
    const { waits, share } = await measure(load);
    const at = (quantile: number): number => waits[Math.floor((waits.length - 1) * quantile)] ?? 0;
    console.log(
      `${what}: ${waits.length} turns, wait median ${at(0.5).toFixed(2)} ms, 90 % ${at(0.9).toFixed(2)} ms, worst ${at(1).toFixed(2)} ms; the guest had ${(share * 100).toFixed(0)} %`,
    );
    expect(waits.length).toBeGreaterThan(20);
    expect(at(0.5)).toBeLessThan(SLICE);
    expect(at(1)).toBeLessThan(WORST);
  });

  test('and a pace without requests is as it was', () => {
    expect(eventLoopPace(() => {}).breathe()).toBeUndefined();
  });
});
