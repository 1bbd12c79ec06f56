import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assemble } from '../src/index.ts';
import { MULTIBOOT_KERNEL } from './multiboot-kernel.ts';
import { programTest } from './stock-guest.ts';

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

describe('without a terminal', () => {
  test("what comes through a pipe is the guest's, Ctrl-] with it", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, echo, { input: 'a\x03b\x1dcq', encoding: 'utf8' });
    expect(stdout).toMatch(/ echo\na\x03b\x1dcq$/);
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
    child.stdout.pause();
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    const wait = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));
    await wait(2000);
    const before = resident();
    await wait(3000);
    expect(resident() - before).toBeLessThan(8 * 1024);
    // It goes on when somebody reads, and can be stopped while nobody does.
    let read = 0;
    child.stdout.on('data', (chunk: Buffer) => (read += chunk.length));
    child.stdout.resume();
    while (read < 2 ** 20) await wait(50);
    child.stdout.pause();
    await wait(300);
    child.kill('SIGINT');
    child.stdout.resume();
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(130);
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
    expect(report.output).toMatch(/echo\r?\n\x03\x1a\x13\x11\rq/);
  });

  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    programTest(`the terminal is restored when ${name} ends the run`, 'python3', 'python3', async () => {
      const report = atTerminal(' echo', 'x', constants.signals[name]);
      expect(report).toMatchObject({ raw: true, restored: true, status: 130 });
    });
  }
});
