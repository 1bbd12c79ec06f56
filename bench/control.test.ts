import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TurnShare } from '../src/host/control/index.ts';
import { ControlledMachine, PICTURE, until } from '../test/control/controlled-machine.ts';

/**
 * What the guest waits for each of its turns, measured while requests of every kind hammer its socket from another thread.
 * A turn of the guest lasts 4 ms (event-loop-pace.ts), and requests may have about 1 ms between two of them
 * (turn-share.ts). What other processes and threads take meanwhile is not skep's: the time for which the kernel had this
 * thread wait for a processor is taken off, where it says so. A guest that nobody asks anything is measured first.
 */
const SLICE = 4;

let controlled: ControlledMachine;
let share: TimedShare;
beforeAll(async () => {
  share = new TimedShare();
  controlled = await ControlledMachine.start(PICTURE, { memory: 64 * 1024 * 1024, share });
  await until(() => controlled.machine.scan() !== undefined);
  controlled.machine.stop('interrupted');
  await controlled.running;
  controlled.running = undefined;
});
afterAll(() => controlled[Symbol.asyncDispose]());

/** Makes the same request over and over, on so many connections, in a thread of its own. */
const LOAD = `
  const { workerData } = require('node:worker_threads');
  const { request } = require('node:http');
  const { path: socketPath, connections, question: { method = 'GET', path, headers = {}, length = 0, text } } = workerData;
  const body = text ?? Buffer.alloc(length);
  const again = () => {
    request({ socketPath, method, path, headers }, (answer) => answer.on('error', () => {}).on('end', again).resume())
      .on('error', () => {})
      .end(body);
  };
  for (let i = 0; i < connections; i++) again();
`;

interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly length?: number;
  readonly text?: string;
}

const LOADS: readonly [string, number, Question][] = [
  ['reads of 64 MiB', 4, { path: '/memory/segments/ram/bytes' }],
  ['writes of 16 MiB', 4, { method: 'PUT', path: '/memory/segments/ram/bytes?offset=0x100000', length: 16 << 20 }],
  ['reads in hexadecimal', 4, { path: '/memory/segments/ram/bytes?format=hex' }],
  ['small requests', 32, { path: '/machine' }],
  ['the map', 16, { path: '/memory/map' }],
  ['screenshots', 2, { path: '/display/screenshot' }],
  [
    'claims to have written code everywhere',
    4,
    {
      method: 'POST',
      path: '/memory/code-written',
      headers: { 'content-type': 'application/json' },
      text: `{"gpa":0,"length":${2 ** 40}}`,
    },
  ],
];

interface Measured {
  /** How long the guest waited for each of its turns, in milliseconds, sorted. */
  readonly waits: number[];
  /** What each piece of a request took, sorted. */
  readonly pieces: number[];
  /** What the guest had of the time. */
  readonly share: number;
}

/** Times every piece of work that requests do. */
class TimedShare extends TurnShare {
  pieces: number[] = [];

  override do<T>(piece: () => T): Promise<T> {
    return super.do(() => {
      const from = performance.now();
      const result = piece();
      this.pieces.push(performance.now() - from);
      return result;
    });
  }
}

/** For how long this thread has waited for a processor, in milliseconds (Linux, Documentation/scheduler/sched-stats.rst). */
function waitedForProcessor(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

const ownTime = (): number => performance.now() - waitedForProcessor();

const ascending = (numbers: number[]): number[] => numbers.sort((a, b) => a - b);

async function measure(connections: number, question: Question): Promise<Measured> {
  share.pieces = [];
  const { machine, pace, path } = controlled;
  const worker = new Worker(LOAD, { eval: true, workerData: { path, connections, question } });
  await once(worker, 'online');
  const waits: number[] = [];
  const measured = {
    ...pace,
    breathe() {
      const resumed = pace.breathe();
      if (resumed === undefined) return undefined;
      const from = ownTime();
      return resumed.then(() => void waits.push(ownTime() - from));
    },
  };
  setTimeout(() => machine.stop('interrupted'), 1500);
  const start = performance.now();
  await machine.run(measured);
  const total = performance.now() - start;
  await worker.terminate();
  const lost = waits.reduce((sum, wait) => sum + wait, 0);
  return { waits: ascending(waits), pieces: ascending(share.pieces), share: 1 - lost / total };
}

const at = (of: readonly number[], quantile: number): number => of[Math.floor((of.length - 1) * quantile)] ?? 0;

function show(what: string, { waits, pieces, share: guest }: Measured): void {
  const wait = [0.5, 0.9, 0.99, 1].map((quantile) => at(waits, quantile).toFixed(2)).join(', ');
  const piece = [0.5, 0.99].map((quantile) => at(pieces, quantile).toFixed(2)).join(', ');
  console.log(
    `${what}: waits of ${wait} ms (median, 90 %, 99 %, worst); ${pieces.length} pieces of ${piece} ms (median, 99 %); the guest had ${(guest * 100).toFixed(0)} %`,
  );
}

test('what the host alone makes a guest wait', async () => {
  const measured = await measure(0, { path: '/' });
  show('no requests', measured);
  expect(measured.pieces.length).toBe(0);
});

describe('the guest does not wait longer than a slice', () => {
  test.each(LOADS)('for %s', async (what, connections, question) => {
    const measured = await measure(connections, question);
    const { waits, pieces } = measured;
    show(what, measured);
    expect(waits.length).toBeGreaterThan(20);
    expect(pieces.length).toBeGreaterThan(5);
    expect(at(pieces, 0.5)).toBeLessThan(1);
    expect(at(waits, 0.9)).toBeLessThan(SLICE);
  });
});
