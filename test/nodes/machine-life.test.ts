import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FoundNode } from '../../src/host/device-node.ts';
import { hostTest, nodesTest } from './host-needs.ts';
import { temporaryFolder } from './process-facts.ts';
import { Program } from './program.ts';

const temporary = temporaryFolder();
const VMM = join(import.meta.dirname, 'vmm.mjs');
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(temporary, 'run-'));
});

const vmm = (...args: string[]): Program => new Program(process.execPath, [VMM, folder, ...args]);
const node = (name: string): string => join(folder, name);
const nodes = async (program: Program): Promise<FoundNode[]> => JSON.parse(await program.ask('nodes')) as FoundNode[];

describe('a machine that is killed', () => {
  nodesTest('leaves nodes that are recognised as stale, and replaced by the next machine of the name', async () => {
    using first = vmm();
    using second = vmm();
    for (const command of ['start vm', 'fill vm ram 1', 'fill vm framebuffer 1'])
      expect(await first.ask(command)).toBe('ok');
    expect(await second.ask('start vm')).toBe(`EEXIST a machine vm is running already (process ${first.pid})`);
    expect((await nodes(second)).map(({ live }) => live)).toEqual([true, true]);
    expect(await first.kill('SIGKILL')).toBe('SIGKILL');
    expect(readdirSync(folder).sort()).toEqual(['.vm.lock', 'vm', 'vm.framebuffer']);
    expect((await nodes(second)).map(({ live, pid }) => [live, pid])).toEqual([
      [false, first.pid],
      [false, first.pid],
    ]);
    expect(await second.ask('start vm')).toBe('ok');
    expect((await nodes(second)).map(({ live, pid }) => [live, pid])).toEqual([
      [true, second.pid],
      [true, second.pid],
    ]);
    expect([await second.ask('sum vm ram'), await second.ask('sum vm framebuffer')]).toEqual(['0', '0']);
    expect(await second.ask('stop vm')).toBe('ok');
    expect(readdirSync(folder)).toEqual([]);
  });

  nodesTest('takes with it nodes that the next machine of the name does not have', async () => {
    using first = vmm();
    await first.ask('start vm');
    await first.kill('SIGKILL');
    symlinkSync(readlinkSync(node('vm')), node('vm.optionrom'));
    using second = vmm();
    expect(await second.ask('start vm')).toBe('ok');
    expect(readdirSync(folder).sort()).toEqual(['.vm.lock', 'vm', 'vm.framebuffer']);
  });

  hostTest('leaves its bytes to a process that has its node mapped', ['nodes', 'python3'], async () => {
    using machine = vmm();
    using mapper = new Program('python3', [join(import.meta.dirname, 'mapper.py')]);
    await machine.ask('start vm');
    await mapper.ask(`map fb ${node('vm.framebuffer')} 4096 0 w`);
    await machine.ask('fill vm framebuffer 7');
    await machine.kill('SIGKILL');
    expect(await mapper.ask('sum fb')).toBe(String(7 * 4096));
    expect(await mapper.ask(`open ${node('vm.framebuffer')} r`)).toMatch(/^errno 2 /);
  });

  nodesTest('over and over, at whatever moment, never keeps the next one from starting', async () => {
    for (let round = 0; round < 12; round++) {
      using victim = vmm();
      victim.tell('contend vm 1000000');
      victim.tell('start vm');
      // From before the first claim to long after it.
      await new Promise((resume) => setTimeout(resume, 40 + 10 * round));
      await victim.kill('SIGKILL');
    }
    using next = vmm();
    expect(await next.ask('start vm')).toBe('ok');
    expect(
      readdirSync(folder)
        .filter((name) => name !== 'marker')
        .sort(),
    ).toEqual(['.vm.lock', 'vm', 'vm.framebuffer']);
    expect((await nodes(next)).every(({ live }) => live)).toBe(true);
  });
});

describe('machines of one name', () => {
  nodesTest('that start at the same moment: exactly one wins, every time', async () => {
    const starters = [vmm(), vmm(), vmm()];
    try {
      for (let round = 0; round < 100; round++) {
        const answers = await Promise.all(starters.map((starter) => starter.ask('start vm')));
        const [winner, ...others] = starters.filter((_, index) => answers[index] === 'ok');
        expect([winner === undefined, others.length], `round ${round}: ${answers.join(', ')}`).toEqual([false, 0]);
        expect(answers.filter((answer) => answer.startsWith('EEXIST a machine vm is running already')).length).toBe(2);
        expect(readlinkSync(node('vm'))).toContain(`/proc/${winner?.pid}/`);
        expect(await winner?.ask('stop vm')).toBe('ok');
        expect(readdirSync(folder)).toEqual([]);
      }
    } finally {
      for (const starter of starters) starter[Symbol.dispose]();
    }
  });

  nodesTest('that come and go all the time are never two at once', async () => {
    const contenders = [vmm(), vmm(), vmm()];
    try {
      const counts = await Promise.all(contenders.map((contender) => contender.ask('contend vm 1500')));
      const sums = counts.map((count) => JSON.parse(count) as { won: number; lost: number; together: number });
      expect(sums.map(({ together }) => together)).toEqual([0, 0, 0]);
      expect(sums.every(({ won }) => won > 0)).toBe(true);
      expect(sums.some(({ lost }) => lost > 0)).toBe(true);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      for (const contender of contenders) contender[Symbol.dispose]();
    }
  });

  nodesTest('can be in several run folders, and machines of several names in one', async () => {
    using here = vmm();
    const other = mkdtempSync(join(temporary, 'run-'));
    using there = new Program(process.execPath, [VMM, other]);
    for (const [program, name] of [
      [here, 'a'],
      [here, 'ab'],
      [there, 'a'],
    ] as const)
      expect(await program.ask(`start ${name}`)).toBe('ok');
    expect(readdirSync(folder).sort()).toEqual(['.a.lock', '.ab.lock', 'a', 'a.framebuffer', 'ab', 'ab.framebuffer']);
    await here.ask('stop a');
    expect(readdirSync(folder).sort()).toEqual(['.ab.lock', 'ab', 'ab.framebuffer']);
  });
});

describe('a run folder', () => {
  hostTest("of another user is refused, also by that user's machine being there", ['nodes', 'root'], async () => {
    chmodSync(temporary, 0o711);
    chownSync(folder, 65534, 65534);
    using theirs = vmm('65534');
    using ours = vmm();
    expect(await theirs.ask('start vm')).toBe('ok');
    expect(await ours.ask('start other')).toBe(
      `EACCES ${folder} cannot be the run folder: it belongs to user 65534, and this is user 0`,
    );
    expect(await theirs.ask('stop vm')).toBe('ok');
  });

  hostTest('that another user may not enter is refused by the kernel', ['nodes', 'root'], async () => {
    chmodSync(temporary, 0o711);
    using theirs = vmm('65534');
    expect(await theirs.ask('start vm')).toBe(
      `EACCES ${folder} cannot be the run folder: it belongs to user 0, and this is user 65534`,
    );
  });

  nodesTest('that vanishes underneath harms no machine, and its end is clean', async () => {
    using machine = vmm();
    await machine.ask('start vm');
    const inner = readdirSync(folder);
    spawnSync('rm', ['-r', folder]);
    expect(inner.length).toBe(3);
    expect(await machine.ask('fill vm framebuffer 2')).toBe('ok');
    expect(await machine.ask('move vm 3758096384')).toBe('ok');
    expect(await machine.ask('stop vm')).toBe('ok');
  });
});

describe('wiring, for a user without rights,', () => {
  /** A machine of 3 MiB whose process may lock so many bytes. */
  function limitedTo(bytes: number): Program {
    const command = [`--memlock=${bytes}:${bytes}`, process.execPath, VMM, folder];
    if (process.geteuid?.() !== 0) return new Program('prlimit', command);
    chmodSync(temporary, 0o711);
    chownSync(folder, 65534, 65534);
    return new Program('prlimit', [...command, '65534']);
  }

  hostTest('is refused beyond the limit, with the numbers, and the machine goes on', ['nodes', 'prlimit'], async () => {
    using machine = limitedTo(1024 * 1024);
    expect(await machine.ask('start vm')).toBe('ok');
    expect(await machine.ask('wire vm')).toBe(
      'ENOMEM cannot wire 3145728 bytes of guest memory: this process may lock 1048576 bytes, and 0 of them are in use (RLIMIT_MEMLOCK, ulimit -l)',
    );
    expect(await machine.ask('fill vm ram 1')).toBe('ok');
  });

  hostTest('is done within it', ['nodes', 'prlimit'], async () => {
    using machine = limitedTo(3 * 1024 * 1024);
    expect([await machine.ask('start vm'), await machine.ask('wire vm')]).toEqual(['ok', 'ok']);
  });
});

test('without koffi everything but nodes works, and they say why they do not', () => {
  const alone = mkdtempSync(join(temporary, 'alone-'));
  mkdirSync(join(alone, 'dist'));
  for (const layer of ['base', 'memory', 'host'])
    cpSync(resolve('dist', layer), join(alone, 'dist', layer), { recursive: true });
  const script = `
    import { ArenaStore, GuestMemory } from './dist/memory/index.js';
    import { MachineNodes } from './dist/host/machine-nodes.js';
    using_: {
      const store = new ArenaStore({ capacity: 8 * 1024 * 1024 });
      const memory = new GuestMemory({ store, addressBits: 32 });
      const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 4096 });
      memory.map({ segment: ram, gpa: 0, prot: 'rwx' });
      console.log(memory.write(0, Uint8Array.of(1)));
    }
    try { new MachineNodes({ name: 'vm', folder: './run' }); } catch (error) { console.log(error.code, error.message); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: alone,
    encoding: 'utf8',
  });
  expect([stderr, stdout]).toEqual([
    '',
    expect.stringMatching(
      /^true\nENOTSUP no device nodes on this host: (koffi, an optional dependency, cannot be loaded|they need Linux)/,
    ),
  ]);
  expect(existsSync(join(alone, 'run'))).toBe(false);
});
