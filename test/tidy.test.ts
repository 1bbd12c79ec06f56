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

/** The headings of a page, as links to them are written. */
const headings = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );

describe('the documents hold:', () => {
  test.each(PAGES)('every link of %s leads to a file, and to a heading that is there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)];
    const dead = links.filter(([, target = '', heading]) => {
      const file = target === '' ? page : join(dirname(page), target);
      return !existsSync(file) || (heading !== undefined && !headings(file).includes(heading));
    });
    expect(dead.map(([link]) => link)).toEqual([]);
  });

  test('decisions are numbered, each by its own number, and have one form', () => {
    const decisions = PAGES.filter((page) => page.startsWith('docs/adr/'));
    const numbers = decisions.map((page) => /^docs\/adr\/(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1]);
    expect(new Set(numbers).size).toBe(decisions.length);
    const form = (number = ''): RegExp =>
      new RegExp(`^# ${Number(number)}\\. \\S.*\\n\\nStatus: \\S.*\\n\\n## Context\\n[^]*\\n## Decision\\n`);
    expect(decisions.filter((page, index) => !form(numbers[index]).test(read(page)))).toEqual([]);
  });

  test('the architecture names every folder of the sources', () => {
    const folders = new Set(
      SOURCES.map((file) => /^src\/\w+(?=\/)/.exec(file)?.[0]).filter((folder) => folder !== undefined),
    );
    const page = read('docs/ARCHITECTURE.md');
    expect([...folders].filter((folder) => !page.includes(`| \`${folder}\` |`))).toEqual([]);
  });

  test('the glossary is in order and has each word once', () => {
    const words = [...read('docs/GLOSSARY.md').matchAll(/^\| (.+?) \|/gm)]
      .slice(1)
      .map(([, word = '']) => word.toLowerCase());
    expect(words).toEqual([...new Set(words)].sort());
  });

  test('every npm script that a page names exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = PAGES.flatMap((page) => [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
