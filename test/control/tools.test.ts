import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MachineClient, type MachineFacts, type MappingFacts } from '../../src/client/index.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { programTest } from '../stock-guest.ts';
import { romOf } from '../boot-rom.ts';
import { COUNTING, ECHO, JUMPING, PICTURE, until } from './controlled-machine.ts';

const SKEP = resolve('dist/cli/main.js');
let folder = '';
let environment: NodeJS.ProcessEnv = {};
const machines: ChildProcess[] = [];

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function skep(args: readonly string[], input?: string): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SKEP, ...args], {
    env: environment,
    encoding: 'utf8',
    cwd: folder,
    input,
  });
  return { status, stdout, stderr };
}

/** Starts a machine and waits until it answers. */
async function start(name: string, code: string, ...args: string[]): Promise<ChildProcess> {
  writeFileSync(join(folder, `${name}.rom`), romOf(code));
  const child = spawn(
    process.execPath,
    [SKEP, 'run', '--name', name, '--memory', '4M', '--bootrom', `${name}.rom`, '--serial', 'off', ...args],
    { env: environment, cwd: folder, stdio: 'ignore' },
  );
  machines.push(child);
  await until(() => skep(['list', '--names']).stdout.split('\n').includes(name), 60_000);
  return child;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-tools-'));
  environment = { ...process.env, SKEP_RUNDIR: join(folder, 'run') };
  await start('vm', COUNTING);
}, 60_000);
afterAll(() => {
  for (const machine of machines) machine.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('tables', () => {
  test('list has a row for each machine that answers, and none for what is left of others', () => {
    writeFileSync(join(folder, 'run', 'dead.sock'), '');
    const { stdout, status } = skep(['list']);
    expect(stdout).toMatch(/^Name +State +Memory +PID +Time\nvm +running +4096KB +\d+ +\d+\.\d s\n$/);
    expect(status).toBe(0);
    expect((JSON.parse(skep(['list', '--json']).stdout) as MachineFacts[]).map(({ name }) => name)).toEqual(['vm']);
    rmSync(join(folder, 'run', 'dead.sock'));
  });

  test("memmap has bhyvectl's columns, every name, and kinds", () => {
    expect(skep(['memmap', 'vm'])).toEqual({
      status: 0,
      stderr: '',
      stdout: [
        'Address     Length      Segment         Kind    Offset      Prot  Flags',
        '0           640KB       ram             sysmem  0           RWX',
        'F0000       65536B      bootrom         devmem  0           R-X',
        '100000      3072KB      ram             sysmem  100000      RWX',
        'FFFF0000    65536B      bootrom         devmem  0           R-X',
        '',
      ].join('\n'),
    });
    const map = JSON.parse(skep(['memmap', 'vm', '--json']).stdout) as MappingFacts[];
    expect(map[1]).toMatchObject({ gpa: 0xf_0000, segment: 'bootrom', prot: 'r-x' });
  });

  test('memseg has those that are mapped and those that are not', () => {
    expect(skep(['memseg', 'vm']).stdout).toBe(
      'ID  Length      Name            Kind\n0   4096KB      ram             sysmem\n1   65536B      bootrom         devmem\n2   16384KB     framebuffer     devmem\n',
    );
    expect(JSON.parse(skep(['memseg', 'vm', '--json']).stdout)).toMatchObject([{ id: 0 }, { id: 1 }, { id: 2 }]);
  });

  test('bhyvectl prints what bhyvectl prints', () => {
    expect(skep(['bhyvectl', '--get-memmap', '--vm=vm', '--get-memseg']).stdout).toBe(
      'ID  Length      Name\n0   4096KB      sysmem\n1   65536B      bootrom\n2   16384KB     framebuffer\n' +
        'Address     Length      Segment     Offset      Prot  Flags\n' +
        '0           640KB       sysmem      0           RWX   \n' +
        'F0000       65536B      bootrom     0           R-X   \n' +
        '100000      3072KB      sysmem      100000      RWX   \n' +
        'FFFF0000    65536B      bootrom     0           R-X   \n',
    );
    expect(skep(['bhyvectl', '--vm', 'none', '--destroy'])).toEqual({
      status: 1,
      stdout: 'VM:none is not created.\n',
      stderr: '',
    });
  });
});

describe('bytes', () => {
  test('at says what is where', () => {
    expect(skep(['at', 'vm', 'FFFFFFF0']).stdout).toBe(
      'FFFFFFF0: bootrom+FFF0 (devmem), mapped r-x at FFFF0000-FFFFFFFF\n',
    );
    expect(skep(['at', 'vm', '0xc0000']).stdout).toBe('C0000: nothing is mapped from A0000 to EFFFF\n');
    expect(skep(['at', 'vm', 'fffffffffffff']).stdout).toBe('FFFFFFFFFFFFF: behind the end of the address space\n');
    expect(JSON.parse(skep(['at', 'vm', '0', '--json']).stdout)).toMatchObject({
      mapping: { segment: 'ram' },
      offset: 0,
    });
  });

  test('are written, and read back in every form', () => {
    expect(skep(['write', 'vm', 'ram', 'de:ad be_ef', '--offset', '8k']).stdout).toBe('4 bytes written\n');
    expect(skep(['read', 'vm', '2000', '4']).stdout).toBe(
      '00002000  de ad be ef                                       |....|\n',
    );
    expect(skep(['read', 'vm', 'ram', '0x4', '--offset', '0x2000', '--json']).stdout).toContain('"hex": "deadbeef"');
    const raw = spawnSync(process.execPath, [SKEP, 'read', 'vm', '0x1ffe', '6', '--raw'], { env: environment });
    expect(raw.stdout).toEqual(Buffer.from('0000deadbeef', 'hex'));
    expect(skep(['read', 'vm', 'bootrom']).stdout.trimEnd().split('\n')).toHaveLength(16);
  });

  test('come from a file, or from standard input', () => {
    const image = Buffer.alloc(300_000, 'skep');
    writeFileSync(join(folder, 'image'), image);
    expect(skep(['write', 'vm', '200000', '--file', 'image', '--json']).stdout).toContain('"written": 300000');
    expect(skep(['write', 'vm', 'ram', '--file', '-', '--offset', '0x2ffffe'], 'input').status).toBe(0);
    const raw = spawnSync(process.execPath, [SKEP, 'read', 'vm', '200000', '300000', '--raw'], { env: environment });
    expect(Buffer.compare(raw.stdout, image)).toBe(0);
    expect(skep(['read', 'vm', '2ffffe', '5']).stdout).toContain('|input|');
  });

  test('stop coming when nobody reads them any longer', () => {
    const { stdout, stderr, status } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${SKEP}" read vm ram 4m | head -n 1`],
      {
        env: environment,
        encoding: 'utf8',
      },
    );
    expect([stdout.split('\n').length, stderr, status]).toEqual([2, '', 0]);
  });
});

describe('bad input gets one clear line and status 2:', () => {
  test.each<[string, string[], RegExp]>([
    ['no machine', ['memmap'], /NAME is missing/],
    [
      'a machine that is not there',
      ['memmap', 'none'],
      /no machine 'none' is running \(no machine listens at .*none\.sock\)/,
    ],
    ['a socket that is not there', ['memmap', './none.sock'], /no machine listens at \.\/none\.sock/],
    ['a word too many', ['memmap', 'vm', 'x'], /unexpected argument 'x'/],
    ['no address', ['at', 'vm', 'here'], /'here' is not an address/],
    ['an address too wide', ['at', 'vm', '10000000000000'], /is not an address: hexadecimal, below 2\^52/],
    [
      'neither segment nor address',
      ['read', 'vm', 'rom'],
      /'rom' is neither an address nor a segment; there are ram, bootrom, framebuffer/,
    ],
    ['a gap', ['read', 'vm', 'c0000'], /nothing is mapped at 0xc0000/],
    ['no length', ['read', 'vm', 'ram', 'all'], /'all' is not a number of bytes/],
    ['past the end of a segment', ['read', 'vm', 'ram', '5m'], /pass the end: segment ram has 0x400000 bytes/],
    ['ROM', ['write', 'vm', 'ffff0000', '00'], /bootrom is mapped r-x at 0xffff0000/],
    ['nothing to write', ['write', 'vm', 'ram'], /HEX or --file, one of them/],
    ['two things to write', ['write', 'vm', 'ram', '00', '--file', 'x'], /HEX or --file, one of them/],
    ['half a byte', ['write', 'vm', 'ram', '123'], /'123' is not bytes in hexadecimal/],
    ['a file that is not there', ['write', 'vm', 'ram', '--file', 'none'], /cannot read 'none': no such file/],
    ['a display that is off', ['screenshot', 'vm', 'x.png'], /the guest has not turned a display on/],
    ['an unknown shell', ['completion', 'csh'], /shell 'csh' is none of bash, zsh, fish/],
    ['bhyvectl without a machine', ['bhyvectl', '--get-memmap'], /'--vm' is missing/],
  ])('%s', (_what, args, complaint) => {
    const { status, stdout, stderr } = skep(args);
    expect(stderr).toMatch(complaint);
    expect(stderr).toMatch(/^skep: [^\n]*\n$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});

describe('life', () => {
  test('pause, resume and reset are silent, and --json says how the machine is then', () => {
    expect(skep(['pause', 'vm'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(skep(['list']).stdout).toMatch(/^vm +paused/m);
    expect(JSON.parse(skep(['resume', 'vm', '--json']).stdout)).toMatchObject({ state: 'running' });
    expect(JSON.parse(skep(['reset', 'vm', '--json']).stdout)).toMatchObject({ resets: 1 });
    expect(JSON.parse(skep(['power-button', 'vm', '--json']).stdout)).toMatchObject({ state: 'running' });
    expect(skep(['bhyvectl', '--vm=vm', '--force-reset']).status).toBe(0);
    expect(JSON.parse(skep(['list', '--json']).stdout)).toMatchObject([{ resets: 2 }]);
  });

  test.each([
    ['stop', ['stop', 'other']],
    ['bhyvectl --destroy', ['bhyvectl', '--vm=other', '--destroy']],
    ['bhyvectl --force-poweroff --destroy', ['bhyvectl', '--vm=other', '--force-poweroff', '--destroy']],
  ])('%s ends a machine, and its name is free when it is done', async (_what, args) => {
    const machine = await start('other', COUNTING);
    const exit = new Promise((resolve) => machine.on('exit', resolve));
    expect(skep(args)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(existsSync(join(folder, 'run', 'other.sock'))).toBe(false);
    expect(await exit).toBe(0);
  });
});

test('watch-map tells what happens until the machine ends', async () => {
  await start('watched', COUNTING);
  const watcher = spawn(process.execPath, [SKEP, 'watch-map', 'watched'], { env: environment });
  let output = '';
  watcher.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const exit = new Promise((resolve) => watcher.on('exit', resolve));
  await until(() => output.includes('now:'), 30_000);
  skep(['reset', 'watched']);
  skep(['stop', 'watched']);
  expect(await exit).toBe(0);
  expect(output).toMatch(/^\d+\.\d{9} {2}running\n\d+\.\d{9} {2}now: {2}\+ram 0-9ffff rwx/);
  expect(output).toMatch(/machine: {2}-bootrom f0000-fffff r-x {2}-bootrom ffff0000-ffffffff r-x\n/);
  expect(output).toMatch(/reset 1\n[^\n]*stopped \(stopped\)\n$/);
});

test('console carries bytes both ways', async () => {
  await start('echo', ECHO);
  const console_ = spawn(process.execPath, [SKEP, 'console', 'echo'], { env: environment });
  let output = '';
  console_.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const exit = new Promise((resolve) => console_.on('exit', resolve));
  console_.stdin.write('hello, ');
  await until(() => output === 'hello, ', 30_000);
  console_.stdin.write('guest');
  await until(() => output === 'hello, guest');
  skep(['stop', 'echo']);
  expect(await exit).toBe(0);
});

programTest('console on a terminal passes keys on, Ctrl-C too, until Ctrl-]', 'python3', 'python3', async () => {
  await start('typed', ECHO);
  const script = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
seen = b''
def expect(text):
    global seen
    while text not in seen: seen += os.read(fd, 4096)
expect(b'Ctrl-] leaves')
os.write(fd, b'key\\x03')
expect(b'key\\x03')
os.write(fd, b'\\x1d')
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script, process.execPath, SKEP, 'console', 'typed'], {
    env: environment,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect([stdout, stderr]).toEqual(['0\n', '']);
  await Promise.resolve();
});

test('a machine that does not answer is not listed, nor waited for', async () => {
  const stopped = await start('stopped', COUNTING);
  stopped.kill('SIGSTOP');
  expect(skep(['list', '--names']).stdout.split('\n')).not.toContain('stopped');
  stopped.kill('SIGCONT');
  expect(skep(['list', '--names']).stdout.split('\n')).toContain('stopped');
  skep(['stop', 'stopped']);
});

programTest(
  'code that Python writes through a node is executed once the socket is told',
  'python3',
  'python3',
  async () => {
    await start('jumping', JUMPING);
    const said = (): string => skep(['read', 'jumping', '1000', '1', '--raw']).stdout;
    await until(() => said() === '\u0001', 30_000);
    const script = 'import mmap, os, sys; m = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0x3000); m[0x2001] = 2';
    const { stderr } = spawnSync('python3', ['-c', script, join(folder, 'run', 'jumping')], { encoding: 'utf8' });
    expect(stderr).toBe('');
    using client = new MachineClient(join(folder, 'run', 'jumping.sock'));
    await client.codeWritten({ gpa: 0x2000, length: 3 });
    await until(() => said() === '\u0002', 30_000);
    skep(['stop', 'jumping']);
  },
);

describe('screenshot', () => {
  test('writes a picture, or leaves what was there as it was', async () => {
    await start('shown', PICTURE);
    await until(() => skep(['screenshot', 'shown', 'shot.png']).status === 0, 30_000);
    expect(decode(readFileSync(join(folder, 'shot.png')))).toMatchObject({ width: 640, height: 480 });
    const piped = spawnSync(process.execPath, [SKEP, 'screenshot', 'shown', '-'], { env: environment });
    expect(decode(piped.stdout)).toMatchObject({ width: 640, height: 480 });
    for (const [path, complaint] of [
      ['/dev/full', /cannot write '\/dev\/full': no space left on the device/],
      ['none/shot.png', /cannot write 'none\/shot.png': no such file/],
      ['run', /cannot write 'run': it is a directory/],
    ] as const) {
      const { status, stderr } = skep(['screenshot', 'shown', path]);
      expect([status, stderr]).toEqual([2, expect.stringMatching(complaint)]);
    }
    expect(readdirSync(folder).filter((file) => file.endsWith('.part'))).toEqual([]);
  });
});

describe('help', () => {
  test('lists every command, and each command every operand and option', () => {
    const overview = skep(['help']).stdout;
    for (const { name, summary, operands = [], options } of COMMANDS) {
      expect(overview).toContain(`  ${name} `);
      expect(overview).toContain(summary);
      const { stdout } = skep([name, '--help']);
      for (const operand of operands) expect(stdout).toContain(`  ${operand.name} `);
      for (const option of options) expect(stdout).toContain(`  --${option.name} `);
    }
  });
});
