import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Everything that is part of the project: tracked files, and new ones that are not ignored. */
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));

const SOURCES = FILES.filter((file) => /\.(ts|mjs)$/.test(file));
const PAGES = FILES.filter((file) => file.endsWith('.md'));

const read = (file: string): string => readFileSync(file, 'utf8');

/** Words that have a better one in the glossary, and file names that name nothing. */
const BANNED_WORDS: readonly { readonly word: RegExp; readonly instead: string }[] = [
  { word: /\bmemory regions?\b/i, instead: 'segment or mapping' },
  { word: /\bmemslots?\b/i, instead: 'mapping' },
  { word: /\bTODO\b|\bFIXME\b|\bXXX\b/, instead: 'an issue' },
  { word: /\bwhitelist|\bblacklist/i, instead: 'allowed, refused' },
];
const EMPTY_NAMES = /(^|\/)(utils?|helpers?|types|manager|common|misc)\.(ts|mjs)$/;

describe('the tree is tidy:', () => {
  test.each(BANNED_WORDS)('no source says $word ($instead)', ({ word }) => {
    expect(SOURCES.filter((file) => !file.endsWith('tidy.test.ts') && word.test(read(file)))).toEqual([]);
  });

  test('every file is named for a noun', () => {
    expect(SOURCES.filter((file) => EMPTY_NAMES.test(file))).toEqual([]);
  });

  test('no test is skipped, focused or left for later', () => {
    const tests = FILES.filter((file) => file.endsWith('.test.ts') && !file.endsWith('tidy.test.ts'));
    expect(tests.filter((file) => /\b(test|describe|it)\.(only|todo|fails)\b/.test(read(file)))).toEqual([]);
  });

  test('no tracked file is larger than a source file should be', () => {
    expect(FILES.filter((file) => read(file).length > 256 * 1024)).toEqual([]);
  });
});

describe('the documents hold:', () => {
  test.each(PAGES)('every link of %s leads to a file', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    expect(links.filter((link) => !existsSync(join(dirname(page), link)))).toEqual([]);
  });

  test('every npm script that a page names exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = PAGES.flatMap((page) => [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
