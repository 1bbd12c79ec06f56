import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { STATUS } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { programTest } from '../stock-guest.ts';

const FOLDER = 'docs/man';
const PAGES = readdirSync(FOLDER);
const page = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

/** What mdoc's macros of a kind are given, one word at a time. */
function given(text: string, macro: string): string[] {
  return [...text.matchAll(new RegExp(`(?:^\\.|\\b)${macro} (\\S+)`, 'gm'))].map(([, word = '']) => word);
}

describe('skep(1)', () => {
  const text = page('skep.1');
  const synopsis = text.slice(text.indexOf('.Sh SYNOPSIS'), text.indexOf('.Sh DESCRIPTION'));
  const description = text.slice(text.indexOf('.Sh DESCRIPTION'), text.indexOf('.Sh ENVIRONMENT'));

  test.each(COMMANDS.map(({ name }) => name))('has %s in its synopsis and in its description', (name) => {
    const word = new RegExp(`\\b${name}\\b`);
    expect(synopsis).toMatch(word);
    expect([...description.matchAll(/^\.It Cm (.+)$/gm)].some(([, names = '']) => word.test(names))).toBe(true);
  });

  test('has no command that is not there', () => {
    const known = new Set([...COMMANDS.map(({ name }) => name), 'help', 'Cm', ',', '|']);
    const named = [...description.matchAll(/^\.It Cm (.+)$/gm)].flatMap(([, names = '']) => names.split(' '));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('has every option of every command but run, and no other', () => {
    const known = new Set(
      COMMANDS.filter(({ name }) => name !== 'run').flatMap(({ options }) => options.map(({ name }) => `-${name}`)),
    );
    const named = new Set(given(synopsis, 'Fl'));
    expect([...named].sort()).toEqual([...known].sort());
    expect(given(description, 'Fl').filter((name) => !known.has(name))).toEqual([]);
  });

  test('has every exit status', () => {
    const statuses = text.slice(text.indexOf('.Sh EXIT STATUS'), text.indexOf('.Sh EXAMPLES'));
    expect([...statuses.matchAll(/^\.It (\d+)/gm)].map(([, status]) => Number(status))).toEqual(Object.values(STATUS));
  });
});

describe('skep-run(1)', () => {
  const rows = [...page('skep-run.1').matchAll(/^\.It Fl -(\S+)(?: Ar (.+))?$/gm)];

  test('has the options of the table, in its order, with their values', () => {
    const run = COMMANDS.find(({ name }) => name === 'run');
    expect(rows.map(([, name, value]) => [name, value])).toEqual(run?.options.map(({ name, value }) => [name, value]));
  });

  test('has their defaults', () => {
    const text = page('skep-run.1');
    for (const { name, default: fallback } of COMMANDS.find((command) => command.name === 'run')?.options ?? []) {
      if (fallback === undefined) continue;
      const entry = text.slice(text.indexOf(`.It Fl -${name}`)).split('\n.It')[0];
      expect(entry).toContain(fallback);
    }
  });
});

describe('the manual pages', () => {
  programTest('are clean under mandoc -Tlint', 'mandoc', 'mandoc', async () => {
    // There they find each other.
    for (const name of PAGES) {
      const { stdout, stderr, status } = spawnSync('mandoc', ['-Tlint', name], { encoding: 'utf8', cwd: FOLDER });
      expect([name, stdout, stderr, status]).toEqual([name, '', '', 0]);
    }
    await Promise.resolve();
  });

  test('are those that the package installs', () => {
    const { man } = JSON.parse(readFileSync('package.json', 'utf8')) as { man: string[] };
    expect(man.sort()).toEqual(PAGES.map((name) => `./${FOLDER}/${name}`).sort());
  });
});
