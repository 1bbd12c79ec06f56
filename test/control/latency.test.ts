import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COUNTING, ControlledMachine } from './controlled-machine.ts';

/**
 * What the guest waits for each of its turns, measured while requests of every kind hammer its socket from another thread.
 * A turn of the guest lasts 4 ms (event-loop-pace.ts), and requests may have about 1 ms between two of them
 * (turn-share.ts). Other processes take time away as well, so the bound is on the median; what Node itself, a garbage
 * collection or a busy host takes at worst is only kept from being absurd.
 */
const SLICE = 4;
const WORST = 250;

let controlled: ControlledMachine;
beforeAll(async () => {
  controlled = await ControlledMachine.start(COUNTING, { memory: 64 * 1024 * 1024, idle: true });
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

/** How long the guest waited for each turn, sorted, and the share of the time that it had. */
async function measure(connections: number, question: Question): Promise<{ waits: number[]; share: number }> {
  const { machine, pace, path } = controlled;
  const worker = new Worker(LOAD, { eval: true, workerData: { path, connections, question } });
  await once(worker, 'online');
  const waits: number[] = [];
  const measured = {
    ...pace,
    breathe() {
      const from = performance.now();
      return pace.breathe()?.then(() => void waits.push(performance.now() - from));
    },
  };
  setTimeout(() => machine.stop('interrupted'), 1500);
  const start = performance.now();
  await machine.run(measured);
  const total = performance.now() - start;
  await worker.terminate();
  const lost = waits.reduce((sum, wait) => sum + wait, 0);
  return { waits: waits.sort((a, b) => a - b), share: 1 - lost / total };
}

describe('the guest does not wait longer than a slice', () => {
  test.each(LOADS)('for %s', async (what, connections, question) => {
    const { waits, share } = await measure(connections, question);
    const at = (quantile: number): number => waits[Math.floor((waits.length - 1) * quantile)] ?? 0;
    const shown = [0.5, 0.9, 1].map((quantile) => at(quantile).toFixed(2)).join(', ');
    console.log(`${what}: waits of ${shown} ms (median, 90 %, worst); the guest had ${(share * 100).toFixed(0)} %`);
    expect(waits.length).toBeGreaterThan(20);
    expect(at(0.5)).toBeLessThan(SLICE);
    expect(at(1)).toBeLessThan(WORST);
  });
});
