// @ts-check
/**
 * Checks the three promises of guest memory, and prints them as ratios of one run:
 *
 *   1. at(gpa) with 100,000 mappings takes at most twice its time with 4, and less than a linear scan over 22
 *   2. moving a 16 MiB window takes at most 100 microseconds, however many other mappings there are
 *   3. an edit's cost is that of the pages it moves: 10,000 map/unmap pairs beside 100,000 mappings
 *
 * Usage: node bench/memory.mjs [--json FILE]      (after `npm run build`)
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measure } from 'mitata';
import { IntervalMap } from '../dist/base/interval-map.js';
import { ArenaStore, GuestMemory, gpa } from '../dist/memory/index.js';

const MiB = 2 ** 20;
const PAGE = 4096;

/** Look-ups of one measured call: so many that the call itself does not count. */
const LOOKUPS = 4096;

/** @param {number} seed */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Guest memory with `count` mappings that share `pages` pages evenly, a page of hole behind each.
 * @param {number} count @param {number} pages
 */
function memoryWith(count, pages) {
  const store = new ArenaStore({ capacity: 1024 * MiB });
  const memory = new GuestMemory({ store });
  const each = Math.floor(pages / count) * PAGE;
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: each * count });
  memory.edit((edit) => {
    for (let index = 0; index < count; index++) {
      edit.map({ segment: ram, gpa: gpa(index * (each + PAGE)), offset: index * each, length: each, prot: 'rwx' });
    }
  });
  return memory;
}

/**
 * Addresses inside mappings, at random, so that neither branch predictor nor prefetcher knows the next one.
 * @param {import('../dist/memory/index.js').GuestMemory} memory
 */
function addressesIn(memory) {
  const random = randomOf(1);
  const mappings = [...memory];
  return Float64Array.from({ length: LOOKUPS }, () => {
    const mapping = mappings[Math.floor(random() * mappings.length)];
    if (mapping === undefined) throw new Error('nothing is mapped');
    return mapping.gpa + Math.floor(random() * mapping.length);
  });
}

/** What the competitors search: the mappings as bhyve keeps them, an array. */
/** @param {readonly {gpa: number, length: number}[]} table @param {number} address */
function linearScan(table, address) {
  for (let index = 0; index < table.length; index++) {
    const entry = table[index];
    if (entry !== undefined && address >= entry.gpa && address < entry.gpa + entry.length) return entry;
  }
  return undefined;
}

/** @param {readonly {gpa: number, length: number}[]} sorted @param {number} address */
function binarySearch(sorted, address) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {{gpa: number}} */ (sorted[middle]).gpa <= address) low = middle + 1;
    else high = middle;
  }
  const entry = sorted[low - 1];
  return entry !== undefined && address < entry.gpa + entry.length ? entry : undefined;
}

/** @type {Record<string, number>} Nanoseconds by what was measured. */
const figures = {};
let kept = 0;

/** @typedef {{ name: string, steps: number, call: () => unknown }} Case */

/** Rounds over all cases that are compared with each other, so that a neighbour on the machine troubles each alike. */
const ROUNDS = 3;

/**
 * Measures calls in turn, and keeps for each its best median, per inner step.
 * @param {Case[]} cases
 */
async function time(...cases) {
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, steps, call } of cases) {
      const { p50 } = await measure(call, { min_cpu_time: 30e6, max_samples: 4096 });
      figures[name] = Math.min(figures[name] ?? Infinity, p50 / steps);
    }
  }
  for (const { name } of cases) console.log(`${name.padEnd(58)} ${show(figures[name] ?? Number.NaN)}`);
}

/** @param {number} nanoseconds */
function show(nanoseconds) {
  return nanoseconds >= 1000 ? `${(nanoseconds / 1000).toFixed(1)} us` : `${nanoseconds.toFixed(2)} ns`;
}

/** Each search has its own loop, or the second to be measured would pay for the first one's type feedback. */
/** @param {string} expression */
function loopOver(expression) {
  // oxlint-disable-next-line typescript/no-implied-eval -- fresh code, so fresh type feedback, is what it is for
  return new Function(
    'target',
    'addresses',
    'search',
    `return () => { let found = 0; for (let i = 0; i < ${LOOKUPS}; i++) if (${expression} !== undefined) found++; return found; };`,
  );
}

/**
 * @param {string} name @param {string} expression @param {unknown} target @param {Float64Array} addresses
 * @param {unknown} [search]
 * @returns {Case}
 */
function lookups(name, expression, target, addresses, search) {
  const call = loopOver(expression)(target, addresses, search);
  if (call() !== LOOKUPS) throw new Error(`${name}: an address was not found`);
  return { name, steps: LOOKUPS, call: () => (kept += call()) };
}

// 1. Looking up. The same 100,000 pages in every case, divided into more and more mappings.
const PAGES = 100_000;
/** @type {Case[]} */
const searches = [];
for (const count of [4, 22, 1024, 100_000]) {
  const memory = memoryWith(count, PAGES);
  const addresses = addressesIn(memory);
  const table = [...memory].map(({ gpa: start, length }) => ({ gpa: start, length }));
  const search = 'search(target, addresses[i])';
  searches.push(lookups(`at(gpa), ${count} mappings`, 'target.at(addresses[i])', memory, addresses));
  if (count <= 22) searches.push(lookups(`linear scan, ${count} mappings`, search, table, addresses, linearScan));
  searches.push(lookups(`binary search, ${count} mappings`, search, table, addresses, binarySearch));
}
await time(...searches);

// 2. Moving a window between two places.
/** @param {number} size MiB @param {number} others @returns {Case} */
function move(size, others) {
  const memory = memoryWith(others, PAGES);
  const framebuffer = memory.createSegment({ name: 'framebuffer', kind: 'devmem', length: size * MiB });
  const window = memory.window(framebuffer, { prot: 'rw-' });
  const places = [gpa(0xe000_0000), gpa(0xf000_0000)];
  let turn = 0;
  const call = () => window.moveTo(places[turn++ & 1] ?? gpa(0));
  return { name: `moving a ${size} MiB window, ${others} other mappings`, steps: 1, call };
}

await time(move(1, 4), move(16, 4), move(1, 100_000), move(16, 100_000));

// 3. Map and unmap one page, 10,000 times, at random free places.
/** @param {number} others @returns {Case} */
function mapAndUnmap(others) {
  const memory = memoryWith(others, PAGES);
  const patch = memory.createSegment({ name: 'patch', kind: 'devmem', length: PAGE });
  const random = randomOf(2);
  const holes = [...memory.gaps()].filter((gap) => gap.length >= PAGE).map((gap) => gap.start);
  const chosen = Array.from({ length: 10_000 }, () => holes[Math.floor(random() * holes.length)] ?? gpa(0));
  const call = () => {
    for (const place of chosen) memory.unmap(memory.map({ segment: patch, gpa: place, prot: 'rw-' }));
  };
  return { name: `a map/unmap pair, ${others} other mappings`, steps: chosen.length, call };
}

await time(mapAndUnmap(4), mapAndUnmap(100_000));

// The interval map alone.
{
  const map = new IntervalMap();
  const random = randomOf(3);
  const keys = Array.from({ length: PAGES }, (_, index) => index * 2);
  for (let index = keys.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [keys[index], keys[other]] = [keys[other] ?? 0, keys[index] ?? 0];
  }
  const call = () => {
    for (const key of keys) map.insert(key, 1, key);
    for (const key of keys) map.remove(key);
  };
  await time({ name: 'IntervalMap: 100,000 inserts and removes at random, each', steps: 2 * PAGES, call });
}

/** @type {(name: string) => number} */
const figure = (name) => figures[name] ?? Number.NaN;
const promises = [
  ratio('at(gpa) with 100,000 mappings / with 4', 'at(gpa), 100000 mappings', 'at(gpa), 4 mappings', 2),
  ratio('at(gpa) with 100,000 / linear scan over 22', 'at(gpa), 100000 mappings', 'linear scan, 22 mappings', 1),
  ratio('at(gpa) / binary search, both with 100,000', 'at(gpa), 100000 mappings', 'binary search, 100000 mappings', 1),
  limit('moving 16 MiB, 4 others, in 100 us', 'moving a 16 MiB window, 4 other mappings', 100_000),
  limit('moving 16 MiB, 100,000 others, in 100 us', 'moving a 16 MiB window, 100000 other mappings', 100_000),
  ratio(
    'moving 16 MiB, 100,000 others / 4 others',
    'moving a 16 MiB window, 100000 other mappings',
    'moving a 16 MiB window, 4 other mappings',
    2,
  ),
  ratio(
    'a map/unmap pair, 100,000 others / 4 others',
    'a map/unmap pair, 100000 other mappings',
    'a map/unmap pair, 4 other mappings',
    4,
  ),
];

/** @param {string} promise @param {string} numerator @param {string} denominator @param {number} atMost */
function ratio(promise, numerator, denominator, atMost) {
  return judged(promise, figure(numerator) / figure(denominator), atMost);
}

/** @param {string} promise @param {string} name @param {number} atMost nanoseconds */
function limit(promise, name, atMost) {
  return judged(promise, figure(name) / atMost, 1);
}

/** @param {string} promise @param {number} value @param {number} atMost */
function judged(promise, value, atMost) {
  return { promise, value, atMost, holds: value <= atMost };
}

console.log();
for (const { promise, value, atMost, holds } of promises) {
  console.log(`${holds ? 'PASS' : 'FAIL'}  ${promise.padEnd(46)} ${value.toFixed(2)} (at most ${atMost})`);
}

const { values } = parseArgs({ options: { json: { type: 'string' } } });
if (values.json !== undefined) {
  const host = { cpu: cpus()[0]?.model, node: process.version };
  writeFileSync(values.json, `${JSON.stringify({ host, unit: 'ns', figures, promises }, undefined, 2)}\n`);
}
process.exitCode = promises.every((promise) => promise.holds) && kept > 0 ? 0 : 1;
