import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect } from 'vitest';
import { decode } from 'fast-png';
import { findNodes } from '../../src/host/device-node.ts';
import { romOf } from '../boot-rom.ts';
import { until } from '../control/controlled-machine.ts';
import { hostTest, nodesTest } from '../nodes/host-needs.ts';
import { temporaryFolder } from '../nodes/process-facts.ts';
import { Random, SEED } from '../random.ts';
import { movingGuest } from './moving-guest.ts';
import { SkepRun } from './skep-run.ts';

const temporary = temporaryFolder();
const ROM = join(temporary, 'rom');
writeFileSync(ROM, movingGuest(SEED >>> 0));
/** Speaks on the debug console without end. */
const DEBUG_ROM = join(temporary, 'debug-rom');
writeFileSync(DEBUG_ROM, romOf('mov dx, 0x402\nagain: out dx, al\njmp again'));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(temporary, 'faults-'));
});
const runFolder = (): string => join(folder, 'run');
const inRunFolder = (): string[] => readdirSync(runFolder()).sort();

const run = (name: string, args: readonly string[], stdout?: number): SkepRun =>
  new SkepRun(
    runFolder(),
    name,
    [...(args.includes('--bootrom') ? [] : ['--bootrom', ROM]), '--memory', '4M', ...args],
    stdout,
  );

const QUIET = ['--serial', 'off'];
const NODES = ['.vm.lock', 'vm', 'vm.bootrom', 'vm.framebuffer', 'vm.sock'];

describe('a full disk under', () => {
  const FULL: readonly [string, readonly string[]][] = [
    ['the serial port', ['--serial', 'file:/dev/full']],
    ['the debug console', [...QUIET, '--bootrom', DEBUG_ROM, '--debugcon', 'file:/dev/full']],
    ['the screenshot', [...QUIET, '--time-limit', '0.5', '--screenshot', '/dev/full']],
  ];
  for (const [what, args] of FULL) {
    hostTest(
      `${what} is told in one line, ends the run with status 2, and leaves nothing behind`,
      ['nodes', '/dev/full'],
      async () => {
        using full = run('vm', args);
        const { status, stderr } = await full.ended;
        const complaints = stderr
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('skep: time limit reached'));
        expect(complaints).toEqual(["skep: cannot write '/dev/full': no space left on the device"]);
        expect(status).toBe(2);
        expect(inRunFolder()).toEqual([]);
      },
    );
  }

  hostTest('standard output is told in the same way', ['nodes', '/dev/full'], async () => {
    const full = openSync('/dev/full', 'w');
    try {
      using output = run('vm', [], full);
      expect(await output.ended).toEqual({
        status: 2,
        stderr: 'skep: cannot write standard output: no space left on the device\n',
      });
      expect(inRunFolder()).toEqual([]);
    } finally {
      closeSync(full);
    }
  });

  hostTest('standard error silences a machine, and its status is what it would be', ['/dev/full'], () => {
    const { status } = spawnSync(
      '/bin/sh',
      [
        '-c',
        `exec "$@" 2>/dev/full`,
        'sh',
        process.execPath,
        'dist/cli/main.js',
        'run',
        '--bootrom',
        ROM,
        ...QUIET,
        '--trace-map',
        '--time-limit',
        '0.2',
      ],
      {
        env: { ...process.env, SKEP_RUNDIR: runFolder() },
        stdio: 'ignore',
      },
    );
    expect(status).toBe(3);
  });

  /** From now on a process may write no file beyond this many bytes: a disk that becomes full while it runs. */
  const fill = ({ child }: SkepRun, bytes: number): void => {
    expect(spawnSync('prlimit', ['--pid', `${child.pid}`, `--fsize=${bytes}`]).status).toBe(0);
  };

  hostTest('a new picture leaves the old one as it was', ['nodes', 'prlimit'], async () => {
    const picture = join(folder, 'picture.png');
    writeFileSync(picture, 'an old picture');
    using vm = await run('vm', [...QUIET, '--screenshot', picture]).up();
    using client = vm.client();
    await until(async () => (await client.read('ram', { offset: 0x1000, length: 1 }))[0] !== 0);
    fill(vm, 512);
    await client.stop();
    const { status, stderr } = await vm.ended;
    expect(stderr).toMatch(
      /^skep: stopped .*\nskep: cannot write '.*picture.png': the file is larger than it may be\n$/,
    );
    expect(status).toBe(2);
    expect(readFileSync(picture, 'utf8')).toBe('an old picture');
    expect(readdirSync(folder).sort()).toEqual(['picture.png', 'run']);
    expect(inRunFolder()).toEqual([]);
  });

  hostTest('serial output in a file leaves all that had room', ['nodes', 'prlimit'], async () => {
    const file = join(folder, 'serial');
    using vm = await run('vm', ['--serial', `file:${file}`]).up();
    fill(vm, 700);
    const { status, stderr } = await vm.ended;
    expect(stderr).toMatch(/^skep: cannot write '.*serial': the file is larger than it may be\n$/);
    expect(status).toBe(2);
    const bytes = readFileSync(file);
    expect(bytes.length).toBeGreaterThanOrEqual(700);
    expect([...bytes]).toEqual(Array.from(bytes, (_, index) => (index + 1) & 0xff));
    expect(inRunFolder()).toEqual([]);
  });
});

describe('a machine that is killed', () => {
  nodesTest(
    `at random moments of its life, over and over, never stands in its successor's way (seed ${SEED})`,
    async () => {
      const random = new Random(SEED);
      const picture = join(folder, 'picture.png');
      for (let round = 0; round < 16; round++) {
        // It starts, runs, takes its picture and clears up within about this time.
        using victim = run('vm', [...QUIET, '--time-limit', '0.2', '--screenshot', picture]);
        await new Promise((resume) => setTimeout(resume, 100 + 900 * random.fraction()));
        victim.child.kill('SIGKILL');
        const { stderr } = await victim.ended;
        expect(stderr).toMatch(/^(skep: time limit reached [^\n]*\n)?$/);
        if (existsSync(picture)) expect(decode(readFileSync(picture))).toMatchObject({ width: 640, height: 480 });
      }
      using last = await run('vm', QUIET).up();
      expect(inRunFolder()).toEqual(NODES);
      expect(findNodes(runFolder()).map(({ live, pid }) => [live, pid])).toEqual(
        NODES.slice(1, 4).map(() => [true, last.child.pid]),
      );
      using client = last.client();
      await client.stop();
      expect((await last.ended).status).toBe(0);
      expect(inRunFolder()).toEqual([]);
    },
  );

  nodesTest('while it made its socket leaves one that its successor takes away', async () => {
    using first = await run('vm', QUIET).up();
    // Where Node looks for the socket at its end it no longer is, as when there is no end.
    const server = createServer();
    const [made, left] = ['made', '.vm.sock.1.0'].map((name) => join(runFolder(), name)) as [string, string];
    await new Promise<void>((listening) => void server.listen(made, listening));
    renameSync(made, left);
    await new Promise((closed) => server.close(closed));
    first.child.kill('SIGKILL');
    await first.ended;
    expect(inRunFolder()).toEqual([...NODES, '.vm.sock.1.0'].sort());
    using _second = await run('vm', QUIET).up();
    expect(inRunFolder()).toEqual(NODES);
  });
});

describe('the pages of a machine', () => {
  for (const core of [false, true]) {
    nodesTest(`are told ${core ? 'with' : 'without'} --core, of each segment`, async () => {
      using vm = await run('vm', [...QUIET, ...(core ? ['--core'] : [])]).up();
      using client = vm.client();
      const told = (await client.segments()).map((segment) => [segment.name, segment.wired, segment.core]);
      expect(told).toEqual(['ram', 'bootrom', 'framebuffer'].map((name) => [name, false, core]));
    });
  }
});

describe('a machine whose memory is locked', () => {
  hostTest('says so of each segment and of each mapping', ['nodes', 'root'], async () => {
    using vm = await run('vm', ['--wire', ...QUIET]).up();
    using client = vm.client();
    expect((await client.segments()).map(({ wired }) => wired)).toEqual([true, true, true]);
    const mapped = await client.map();
    expect(mapped.length).toBeGreaterThan(2);
    expect(mapped.every(({ wired }) => wired)).toBe(true);
  });
});

describe('a run folder that is removed underneath', () => {
  nodesTest('and made again by another machine of the name is left to that one', async () => {
    using first = await run('vm', QUIET).up();
    rmSync(runFolder(), { recursive: true });
    using second = await run('vm', QUIET).up();
    expect(inRunFolder()).toEqual(NODES);
    first.child.kill('SIGTERM');
    const { status, stderr } = await first.ended;
    expect(stderr).toMatch(/^skep: interrupted after[^\n]*\n$/);
    expect(status).toBe(130);
    expect(inRunFolder()).toEqual(NODES);
    expect(await second.isUp()).toBe(true);
  });
});
