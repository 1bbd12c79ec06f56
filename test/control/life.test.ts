import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MachineClient } from '../../src/client/index.ts';
import { ControlServer, SerialTap } from '../../src/host/control/index.ts';
import { romOf } from '../boot-rom.ts';
import { ask, ControlledMachine, COUNTING, until } from './controlled-machine.ts';

const SKEP = resolve('dist/cli/main.js');
let folder = '';
let children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-life-'));
  writeFileSync(join(folder, 'rom'), romOf('cli\nhlt'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ status: number | null; stderr: string }>;
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [SKEP, 'run', '--bootrom', join(folder, 'rom'), '--serial', 'off', ...args], {
    env: { ...process.env, SKEP_RUNDIR: join(folder, 'run') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let stderr = '';
  child.stderr?.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const ended = new Promise<{ status: number | null; stderr: string }>((resolve) => {
    child.on('exit', (status) => resolve({ status, stderr }));
  });
  return { child, ended };
}

const socket = (name: string): string => join(folder, 'run', `${name}.sock`);

async function isUp(name: string): Promise<boolean> {
  try {
    using client = new MachineClient(socket(name));
    return (await client.facts()).name === name;
  } catch {
    return false;
  }
}

describe('the socket of skep run', () => {
  test('is there while the machine runs, for its user alone, and gone afterwards', async () => {
    const { ended } = run('--name', 'a');
    await until(() => isUp('a'), 30_000);
    expect(statSync(socket('a')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
    using client = new MachineClient(socket('a'));
    await client.stop();
    const { status, stderr } = await ended;
    expect(stderr).toMatch(/^skep: stopped after/);
    expect(status).toBe(0);
    expect(existsSync(socket('a'))).toBe(false);
  });

  test('is not there with --no-control', async () => {
    const { ended } = run('--name', 'a', '--no-control', '--time-limit', '0.2');
    expect((await ended).status).toBe(3);
    expect(existsSync(socket('a'))).toBe(false);
  });

  test('of a machine that was killed is replaced', async () => {
    const first = run('--name', 'a');
    await until(() => isUp('a'), 30_000);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(existsSync(socket('a'))).toBe(true);
    const second = run('--name', 'a');
    await until(() => isUp('a'), 30_000);
    using client = new MachineClient(socket('a'));
    expect((await client.facts()).pid).toBe(second.child.pid);
  });

  test('of a machine that runs is not', async () => {
    run('--name', 'a');
    await until(() => isUp('a'), 30_000);
    const { status, stderr } = await run('--name', 'a').ended;
    expect(stderr).toMatch(/^skep: a machine .*running.*\n$/);
    expect(status).toBe(2);
    expect(await isUp('a')).toBe(true);
  });

  test('is refused in a folder that others may use, and skep says how to mend it', async () => {
    symlinkSync(tmpdir(), join(folder, 'run'));
    const { status, stderr } = await run('--name', 'a').ended;
    expect(stderr).toMatch(/^skep: .*it is a symbolic link\n$/);
    expect(status).toBe(2);
  });

  test('does not outlive its folder, and the machine does', async () => {
    const { ended } = run('--name', 'a', '--time-limit', '2');
    await until(() => isUp('a'), 30_000);
    rmSync(join(folder, 'run'), { recursive: true });
    expect(await isUp('a')).toBe(false);
    const { status, stderr } = await ended;
    expect(stderr).toMatch(/^skep: time limit reached[^\n]*\n$/);
    expect(status).toBe(3);
  });
});

describe('a control socket', () => {
  test('is not put where another file is', async () => {
    await using controlled = await ControlledMachine.start(COUNTING, { idle: true });
    const path = join(folder, 'b.sock');
    writeFileSync(path, 'mine');
    const { machine } = controlled;
    const opening = ControlServer.open({ machine, path, serial: new SerialTap(), wake() {} });
    await expect(opening).rejects.toThrow(/is there, and it is not a socket/);
  });

  test('is had by exactly one of several that ask for it at the same moment, stale or vacant', async () => {
    await using controlled = await ControlledMachine.start(COUNTING, { idle: true });
    const { machine } = controlled;
    const path = join(folder, 'b.sock');
    for (let round = 0; round < 10; round++) {
      const asked = Array.from({ length: 4 }, () =>
        ControlServer.open({ machine, path, serial: new SerialTap(), wake() {} }),
      );
      const answers = await Promise.allSettled(asked);
      const winners = answers.filter((answer) => answer.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(readdirSync(folder).sort()).toEqual(['b.sock', 'rom']);
      expect((await ask(path, '/machine', {})).status).toBe(200);
      await winners[0]?.value[Symbol.asyncDispose]();
    }
  });

  test('with too long a path is refused in one sentence', async () => {
    await using controlled = await ControlledMachine.start(COUNTING, { idle: true });
    const { machine } = controlled;
    const path = join(folder, `${'long'.repeat(30)}.sock`);
    const opening = ControlServer.open({ machine, path, serial: new SerialTap(), wake() {} });
    await expect(opening).rejects.toThrow(/is too long: its folder may have/);
  });

  test('leaves alone the socket that has taken its place', async () => {
    const path = join(folder, 'c.sock');
    const other = createServer();
    {
      await using controlled = await ControlledMachine.start(COUNTING, { idle: true });
      const { machine } = controlled;
      await using _control = await ControlServer.open({ machine, path, serial: new SerialTap(), wake() {} });
      rmSync(path);
      await new Promise<void>((listening) => void other.listen(path, listening));
    }
    expect(existsSync(path)).toBe(true);
    await new Promise((closed) => other.close(closed));
  });

  test('ends at once for those who read streams, who get all that was said', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    const events = ask(controlled.path, '/events', {});
    const serial = ask(controlled.path, '/serial/output', {});
    await controlled.client.facts();
    await controlled.client.stop();
    await controlled.running;
    await controlled.control[Symbol.asyncDispose]();
    expect((await events).body.toString()).toMatch(/"state":"stopped","reason":"stopped"\}\n\n$/);
    expect((await serial).status).toBe(200);
  });
});

describe('a paused machine', () => {
  test('executes nothing and its time stands still; resumed it goes on where it was', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    await until(async () => (await controlled.client.facts()).instructions > 0);
    const start = performance.now();
    const paused = await controlled.client.pause();
    await new Promise((resume) => setTimeout(resume, 100));
    const later = await controlled.client.facts();
    expect([later.state, later.instructions, later.time]).toEqual(['paused', paused.instructions, paused.time]);
    const resumed = await controlled.client.resume();
    expect((resumed.time - paused.time) / 1e6).toBeLessThan(performance.now() - start - 90);
    await until(async () => (await controlled.client.facts()).instructions > paused.instructions);
  });

  test('can be reset and stopped', async () => {
    await using controlled = await ControlledMachine.start(COUNTING);
    await controlled.client.pause();
    await controlled.client.pause();
    expect(await controlled.client.reset()).toMatchObject({ state: 'paused', resets: 1 });
    await controlled.client.stop();
    expect(await controlled.running).toBe('stopped');
  });
});
