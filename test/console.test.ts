import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assemble } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { LINUX_INIT, LinuxGuest } from './linux-guest.ts';
import { MULTIBOOT_KERNEL } from './multiboot-kernel.ts';
import { nightlyTest, programTest, stockPath, stockTest } from './stock-guest.ts';

const SKEP = resolve('dist/cli/main.js');
let folder = '';
let echo: string[] = [];
let flood: string[] = [];

/** A boot ROM that fills the serial port for ever. */
const FLOOD = `
        org 0xf0000
        bits 16
start:  mov dx, 0x3f8
        mov al, 'x'
.more:  out dx, al
        jmp .more
        times 0xfff0 - ($ - $$) db 0x90
        jmp 0xf000:0
        times 0x10000 - ($ - $$) db 0`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-console-'));
  writeFileSync(join(folder, 'kernel'), MULTIBOOT_KERNEL);
  writeFileSync(join(folder, 'flood'), assemble(FLOOD).bytes);
  echo = [SKEP, 'run', '--kernel', join(folder, 'kernel'), '--append', 'echo', '--debug-exit', '0xf4'];
  flood = [SKEP, 'run', '--bootrom', join(folder, 'flood'), '--framebuffer', 'off'];
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const wait = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

/** KiB of memory that a process has. */
const resident = ({ pid }: { pid?: number | undefined }): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Waits until a process waits: in half a second it has not had a hundredth of one on a processor. */
async function untilStill({ pid }: { pid?: number | undefined }): Promise<void> {
  const waits = (): boolean => / S /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const used = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).join(' ');
  for (let before = ''; before !== used() || !waits(); await wait(500)) before = used();
}

describe('without a terminal', () => {
  test("what comes through a pipe is the guest's, Ctrl-] with it", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, echo, { input: 'a\x03b\x1dcq', encoding: 'utf8' });
    expect(stdout.endsWith(' echo\na\x03b\x1dcq')).toBe(true);
    expect(stderr).not.toContain('Ctrl-]');
    expect(stderr).toContain('the guest ended the run with status 1');
    expect(status).toBe(1);
  });

  test("what stands in a file is the guest's, byte for byte", () => {
    const bytes = Buffer.from(Array.from({ length: 40_000 }, (_, i) => (i % 113 === 0 ? 10 : i % 113)));
    const file = join(folder, 'input');
    writeFileSync(file, Buffer.concat([bytes, Buffer.from('q')]));
    const stdin = openSync(file, 'r');
    const { stdout } = spawnSync(process.execPath, echo, { stdio: [stdin, 'pipe', 'pipe'], maxBuffer: 2 ** 24 });
    closeSync(stdin);
    expect(stdout.subarray(stdout.indexOf('\n') + 1).equals(readFileSync(file))).toBe(true);
  });

  test('a guest that floods a reader who does not read waits, and memory does not grow', async () => {
    const child = spawn(process.execPath, flood, { stdio: ['ignore', 'pipe', 'pipe'] });
    const reader = { read: 0 };
    child.stdout.on('data', (chunk: Buffer) => (reader.read += chunk.length));
    while (reader.read < 2 ** 20) await wait(50);
    child.stdout.pause();
    const before = resident(child);
    await untilStill(child);
    expect(resident(child) - before).toBeLessThan(8 * 1024);
    // It goes on when somebody reads, and can be stopped while nobody does.
    child.stdout.resume();
    while (reader.read < 2 ** 21) await wait(50);
    child.stdout.pause();
    await untilStill(child);
    child.kill('SIGINT');
    child.stdout.resume();
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(130);
  });
});

describe("Linux's shell", () => {
  const needs = ['vmlinuz-amd64', 'busybox-amd64'] as const;
  const MEBIBYTE = 2 ** 20;

  function shell(): string[] {
    const initrd = join(folder, 'initrd');
    writeFileSync(initrd, busyboxInitrd('busybox-amd64', LINUX_INIT));
    return [SKEP, 'run', '--kernel', stockPath('vmlinuz-amd64'), '--initrd', initrd, '--append', 'console=ttyS0 quiet'];
  }

  stockTest('does what comes through a pipe', needs, () => {
    const input = 'echo $((6 * 7)) of $(uname -m)\npoweroff -f\n';
    const { status, stdout } = spawnSync(process.execPath, shell(), { input, encoding: 'utf8' });
    expect(stdout).toContain('\n42 of x86_64\r\n');
    expect(status).toBe(0);
  });

  stockTest('has its programs interrupted by Ctrl-C', needs, async () => {
    using guest = new LinuxGuest({ kernel: 'vmlinuz-amd64', busybox: 'busybox-amd64', commandLine: 'quiet' });
    await guest.boot();
    guest.type('sleep 1000\n');
    await guest.run.run(2);
    guest.type('\x03');
    await guest.boot();
    expect(guest.run.machine.now()).toBeLessThan(100e9);
    expect(await guest.command('echo $?')).toEqual(['130']);
  });

  nightlyTest('floods 50 MB to a slow reader, and memory does not grow', needs, async () => {
    const child = spawn(process.execPath, shell(), { stdio: ['pipe', 'pipe', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    child.stdin.write('mount -t devtmpfs none /dev\ntr "\\0" x < /dev/zero | head -c 52428800\npoweroff -f\n');
    let length = 0;
    const residents: number[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      if (Math.floor(length / MEBIBYTE) !== Math.floor((length + chunk.length) / MEBIBYTE)) {
        residents.push(resident(child));
        child.stdout.pause();
        setTimeout(() => child.stdout.resume(), 100);
      }
      length += chunk.length;
    });
    const [status] = (await once(child, 'exit')) as [number];
    expect(status, complaint).toBe(0);
    expect(length).toBeGreaterThan(50 * MEBIBYTE);
    const [, , early = 0] = residents;
    expect(Math.max(...residents) - early).toBeLessThan(24 * 1024);
  });
});

interface Report {
  raw: boolean;
  restored: boolean;
  output: string;
  status: number;
}

function atTerminal(ready: string, keys: string, signal = 0): Report {
  const program = [resolve('test/pseudo-terminal.py'), ready, keys, String(signal), process.execPath, ...echo];
  const { stdout, stderr } = spawnSync('python3', program, { encoding: 'utf8', timeout: 60_000 });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}

describe('at a terminal', () => {
  programTest("keys are the guest's, Ctrl-C and Ctrl-Z too, and Ctrl-] quits", 'python3', 'python3', async () => {
    const report = atTerminal('kernel echo', 'ab\\x03\\x1ac\\x1d');
    expect(report).toMatchObject({ raw: true, restored: true, status: 130 });
    expect(report.output).toContain("the keyboard is the guest's; Ctrl-] quits");
  });

  programTest('what is typed reaches the guest as it is', 'python3', 'python3', async () => {
    const report = atTerminal(' echo', '\\x03\\x1a\\x13\\x11\\rq');
    expect(report).toMatchObject({ raw: true, restored: true, status: 1 });
    expect(report.output.replaceAll('\r\n', '\n')).toContain(' echo\n\x03\x1a\x13\x11\rq');
  });

  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    programTest(`the terminal is restored when ${name} ends the run`, 'python3', 'python3', async () => {
      const report = atTerminal(' echo', 'x', constants.signals[name]);
      expect(report).toMatchObject({ raw: true, restored: true, status: 130 });
    });
  }
});
