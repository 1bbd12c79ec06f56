// @ts-check
/**
 * Stock Linux on skep, on QEMU's translator (TCG) and on the npm package `v86`, its JIT on and off, in one run: how long
 * each takes to userspace and for four loads, what memory skep takes, and how soon its guest begins.
 *
 * Usage: node bench/linux.mjs [--only PART[,PART]] [--quick] [--wall] [--json FILE]      (after `npm run build`)
 *
 *   PART is start, memory, boot, sha256, shell, gzip or copy; --quick does a tenth of each load, and does not wait for
 *   v86's interpreter; --wall judges by the clock, as fits a machine without other work, instead of by the processor time of
 *   all of an emulator's threads.
 *
 * v86's interpreter does a tenth of each load in any case; what is compared is the time for the same work.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { EMULATORS, skepWithRom, TimedProcess } from './linux/emulator.mjs';
import { beginOf, endOf, GuestFiles, LOADS, missingFiles, SHELL } from './linux/guest.mjs';

/** @typedef {import('./linux/emulator.mjs').Time} Time */
/** @typedef {import('./linux/emulator.mjs').Moment} Moment */
/** @typedef {import('./linux/guest.mjs').Architecture} Architecture */

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    wall: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const PARTS = ['start', 'memory', 'boot', ...Object.keys(LOADS)];
const parts = options.only?.split(',') ?? PARTS;
const unknown = parts.filter((part) => !PARTS.includes(part));
const missing = missingFiles();
if (unknown.length > 0) fail(`no part ${unknown.join(', ')}: there are ${PARTS.join(', ')}`);
if (missing.length > 0) fail(`no ${missing.join(', ')}: 'npm run guests' downloads it`);

/** @param {string} sentence */
function fail(sentence) {
  console.error(`bench: ${sentence}`);
  process.exit(2);
}

const files = new GuestFiles();
const clock = options.wall ? 'wall' : 'cpu';

// ---------------------------------------------------------------------------------------------------------------------
// What is run: in each column an emulator and a kernel

const A_TENTH = 10;
const scale = options.quick ? A_TENTH : 1;

/** @type {{ column: string, emulator: string, architecture: Architecture, scale: number }[]} */
const COLUMNS = [
  { column: 'skep', emulator: 'skep', architecture: 'amd64', scale },
  { column: 'TCG', emulator: 'tcg', architecture: 'amd64', scale },
  { column: 'skep, 686', emulator: 'skep', architecture: '686', scale },
  { column: 'v86', emulator: 'v86', architecture: '686', scale },
  { column: 'v86 interpreter', emulator: 'v86 interpreter', architecture: '686', scale: A_TENTH },
];
const columns = COLUMNS.filter(({ emulator }) => !options.quick || emulator !== 'v86 interpreter');

/** @param {Time} from @param {Time} to @param {number} times */
const between = (from, to, times) => ({ wall: (to.wall - from.wall) * times, cpu: (to.cpu - from.cpu) * times });

/** Time by load, 'boot' among them, as if each had been done whole. @param {typeof columns[number]} of */
async function run({ column, emulator, architecture, scale }) {
  const loads = Object.keys(LOADS).filter((load) => parts.includes(load));
  const command = EMULATORS[emulator]?.(files.linux(architecture, { loads, scale })) ?? [];
  const guest = new TimedProcess(command);
  try {
    const shell = await guest.says(SHELL);
    /** @type {Record<string, Time>} */
    const times = { boot: shell.time };
    tell(column, 'boot', shell.time);
    for (const load of loads) {
      const begin = await guest.says(beginOf(load));
      const end = await guest.says(endOf(load));
      const time = between(begin.time, end.time, load === 'copy' ? 1 : scale);
      times[load] = time;
      tell(column, load, time);
    }
    return { shell, times };
  } finally {
    await guest.end();
  }
}

/** @param {string} column @param {string} load @param {Time} time */
function tell(column, load, { wall, cpu }) {
  console.error(
    `${column.padEnd(16)} ${load.padEnd(8)} ${seconds(cpu)} of processor time, ${seconds(wall)} by the clock`,
  );
}

/** @param {number | undefined} milliseconds */
const seconds = (milliseconds) => (milliseconds === undefined ? '–' : `${(milliseconds / 1000).toFixed(2)} s`);

/** Starts of the program up to the guest's first word: milliseconds by the clock, or of the thread that does it all; sorted. */
async function start() {
  const attempts = 10;
  /** @type {number[]} */
  const times = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const guest = new TimedProcess(skepWithRom(files.firstWordRom()));
    const { time } = await guest.says('!');
    times.push((options.wall ? time.wall : time.thread) ?? Number.NaN);
    await guest.end();
  }
  return times.sort((a, b) => a - b);
}

// ---------------------------------------------------------------------------------------------------------------------
// What is promised

/** @type {{ promise: string, value: number, limit: string, holds: boolean }[]} */
const promises = [];

/** @param {string} promise @param {number} value @param {number} limit */
function atMost(promise, value, limit) {
  promises.push({ promise, value, limit: `at most ${limit}`, holds: value <= limit });
}

/** @param {string} promise @param {number} value @param {number} limit */
function atLeast(promise, value, limit) {
  promises.push({ promise, value, limit: `at least ${limit}`, holds: value >= limit });
}

/** @type {Record<string, Record<string, Time>>} */
const results = {};
/** @type {Moment | undefined} */
let atShell;
/** @type {number[]} */
let starts = [];

/** @param {string} load @param {string} column @param {string} other */
const ratio = (load, column, other) =>
  (results[column]?.[load]?.[clock] ?? Number.NaN) / (results[other]?.[load]?.[clock] ?? Number.NaN);

/** @param {string} load */
const nameOf = (load) => LOADS[load]?.name ?? 'boot to userspace';

/** How many times TCG's time a thing may take; of v86's interpreter's it may take half. */
const TIMES_TCG = /** @type {Record<string, number>} */ ({ boot: 5, sha256: 10, shell: 10, gzip: 10, copy: 1 });
const TIMES_FASTER = 2;

try {
  if (parts.includes('start')) {
    starts = await start();
    atMost("ms from `skep run` to the guest's first word", starts[Math.floor(starts.length / 2)] ?? Number.NaN, 250);
  }
  const measured = ['boot', ...Object.keys(LOADS)].filter((load) => parts.includes(load));
  if (measured.length > 0 || parts.includes('memory')) {
    for (const column of measured.length > 0 ? columns : columns.slice(0, 1)) {
      const { shell, times } = await run(column);
      results[column.column] = times;
      atShell ??= shell;
    }
  }
  if (parts.includes('memory'))
    atMost('MiB resident at the shell of a 128 MiB guest', atShell?.peak ?? Number.NaN, 280);
  for (const load of measured) {
    atMost(`${nameOf(load)}, times TCG's time`, ratio(load, 'skep', 'TCG'), TIMES_TCG[load] ?? 0);
  }
  if (!options.quick) {
    for (const load of measured) {
      const times = ratio(load, 'v86 interpreter', 'skep, 686');
      atLeast(`${nameOf(load)}, v86's interpreter's time over ours`, times, TIMES_FASTER);
    }
  }
  console.log(table(measured));
} finally {
  files.dispose();
}

/** Each column's time for each load, in the judged kind of seconds. @param {string[]} loads */
function table(loads) {
  const names = columns.map(({ column }) => column);
  const rows = loads.map((load) => [nameOf(load), ...names.map((column) => seconds(results[column]?.[load]?.[clock]))]);
  const unit = options.wall ? 'by the clock' : 'processor time';
  return [[unit, ...names], ...rows]
    .map((row) => row.map((cell, index) => (index === 0 ? cell.padEnd(30) : cell.padStart(16))).join(''))
    .join('\n');
}

console.log();
for (const { promise, value, limit, holds } of promises) {
  console.log(`${holds ? 'PASS' : 'FAIL'}  ${promise.padEnd(66)} ${value.toFixed(2)} (${limit})`);
}
if (options.json !== undefined) {
  const host = { cpu: cpus()[0]?.model, node: process.version };
  const facts = { host, unit: 'ms', clock, results, atShell, starts, promises };
  writeFileSync(options.json, `${JSON.stringify(facts, undefined, 2)}\n`);
}
process.exitCode = promises.every(({ holds }) => holds) ? 0 : 1;
