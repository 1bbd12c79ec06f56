import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { programTest } from '../stock-guest.ts';

const SKEP = resolve('dist/cli/main.js');
const SHELLS = ['bash', 'zsh', 'fish'] as const;
let folder = '';
let environment: NodeJS.ProcessEnv = {};

/** The scripts, and a skep on the path that knows two machines. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-completion-'));
  mkdirSync(join(folder, 'bin'));
  for (const shell of SHELLS) {
    writeFileSync(join(folder, shell), execFileSync(process.execPath, [SKEP, 'completion', shell]));
  }
  writeFileSync(join(folder, 'bin', 'skep'), '#!/bin/sh\n[ "$*" = "list --names" ] && printf "first\\nsecond\\n"\n');
  chmodSync(join(folder, 'bin', 'skep'), 0o755);
  environment = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`, HOME: folder };
});
afterAll(() => rmSync(folder, { recursive: true }));

function inShell(shell: string, args: string[], script: string): string {
  const { stdout, stderr } = spawnSync(shell, [...args, script], { encoding: 'utf8', env: environment, cwd: folder });
  expect(stderr).toBe('');
  return stdout;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** What is typed, and what a shell offers for the last word of it. */
const OFFERS: readonly [string, string[]][] = [
  ['skep mem', ['memmap', 'memseg']],
  ['skep memmap ', ['first', 'second']],
  ['skep pause --json s', ['second']],
  ['skep read first --of', ['--offset']],
  ['skep completion z', ['zsh']],
  ['skep help wa', ['watch-map']],
];

describe('completion in bash', () => {
  for (const [typed, offered] of OFFERS) {
    programTest(`of '${typed}' offers ${offered.join(', ')}`, 'bash', 'bash', async () => {
      const parts = typed.split(' ');
      const script = `source ./bash; COMP_WORDS=(${parts.map((part) => `'${part}'`).join(' ')}); COMP_CWORD=${parts.length - 1}; _skep; printf '%s\\n' "\${COMPREPLY[@]}"`;
      expect(words(inShell('bash', ['--norc', '-c'], script))).toEqual(offered);
      await Promise.resolve();
    });
  }
});

describe('completion in fish', () => {
  for (const [typed, offered] of OFFERS) {
    programTest(`of '${typed}' offers ${offered.join(', ')}`, 'fish', 'fish', async () => {
      const output = inShell(
        'fish',
        ['--no-config', '-c'],
        `source ./fish; complete -C '${typed}' | string split -f1 \\t`,
      );
      expect(words(output).sort()).toEqual(offered);
      await Promise.resolve();
    });
  }
});

describe('completion in zsh', () => {
  programTest('is a script without mistakes that zsh takes for skep', 'zsh', 'zsh', async () => {
    expect(inShell('zsh', ['-f', '-n'], './zsh')).toBe('');
    const script = 'autoload -Uz compinit; compinit -D -u; source ./zsh; print -r -- $_comps[skep]';
    expect(inShell('zsh', ['-f', '-c'], script)).toBe('_skep\n');
    await Promise.resolve();
  });
});

test.each(SHELLS)('the script for %s knows every command and every option', (shell) => {
  const script = execFileSync(process.execPath, [SKEP, 'completion', shell], { encoding: 'utf8' });
  for (const { name, options } of COMMANDS) {
    expect(script).toContain(name);
    for (const option of options) expect(script).toMatch(new RegExp(`(--|-l )${option.name}\\b`));
  }
});
