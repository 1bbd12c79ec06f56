import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gpa } from '../../src/index.ts';
import { programTest } from '../stock-guest.ts';
import { ControlledMachine, COUNTING, until } from './controlled-machine.ts';

const TYPESCRIPT = 'examples/follow-framebuffer.ts';
const PYTHON = 'examples/follow_framebuffer.py';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-examples-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'skep'));
  // It has no types written in it, so that it is JavaScript as well: Node 20 takes no others.
  writeFileSync(join(folder, 'follow.mjs'), readFileSync(TYPESCRIPT));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs an example beside a machine whose framebuffer moves twice, and gives what it prints. */
async function follow(program: string, script: string): Promise<string> {
  await using controlled = await ControlledMachine.start(COUNTING);
  const { memory } = controlled.machine;
  const segment = memory.segment('framebuffer')!;
  const window = memory.window(segment, { prot: 'rw-' });
  const child = spawn(program, [script, controlled.path]);
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
  try {
    segment.write(
      0,
      Uint8Array.from({ length: 16 }, (_, i) => i),
    );
    window.moveTo(gpa(0xe000_0000));
    await until(() => output.includes('\n'), 30_000);
    segment.write(0, Uint8Array.of(0xff));
    window.moveTo(gpa(0xd000_0000));
    await until(() => output.split('\n').length > 2);
    return output;
  } finally {
    child.kill();
  }
}

const EXPECTED = 'e0000000 000102030405060708090a0b0c0d0e0f\nd0000000 ff0102030405060708090a0b0c0d0e0f\n';

describe('the examples that follow the framebuffer', () => {
  test('run in TypeScript', async () => {
    expect(await follow(process.execPath, join(folder, 'follow.mjs'))).toBe(EXPECTED);
  });

  programTest('run in Python, with its standard library alone', 'python3', 'python3', async () => {
    expect(await follow('python3', resolve(PYTHON))).toBe(EXPECTED);
  });

  test.each([TYPESCRIPT, PYTHON])('%s has fewer than fifteen lines', (file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines.filter((line) => line.trim() !== '' && !/^\s*(\/\/|#)/.test(line)).length).toBeLessThan(15);
  });
});
