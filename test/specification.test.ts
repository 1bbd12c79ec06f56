import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What has to be in the table: FreeBSD's bugs by number, illumos's tests by name, what users of other monitors reported. */
const ITEMS: readonly string[] = [
  ...Array.from({ length: 49 }, (_, index) => String(index + 1)),
  ...['mem_devmem', 'mem_seg_map', 'mem_partial', 'mem_high'].map((name) => `illumos ${name}`),
  ...['legacy_destruct', 'self_destruct', 'auto_destruct'].map((name) => `illumos ${name}`),
  ...[4, 5, 6, 7, 8, 9, 15, 16, 17].map((number) => `peers ${number}`),
];

interface Row {
  readonly item: string;
  readonly cells: readonly string[];
}

function rows(): Row[] {
  const page = readFileSync('docs/specification.md', 'utf8');
  return [...page.matchAll(/^\| (?!item \|)(.+) \|$/gm)].map(([, line = '']) => {
    const [item = '', ...cells] = line.split(' | ');
    return { item, cells };
  });
}

/** `ITEM: name (file)` for each test that the table names. */
function named(): string[] {
  return rows().flatMap(({ item, cells: [, tests = ''] }) =>
    [...tests.matchAll(/`([^`]+)` \(\[[^\]]+\]\(\.\.\/([^)]+)\)\)/g)].map(
      ([, name, file]) => `${item}: ${name} (${file})`,
    ),
  );
}

/** The same for each test that is marked. The marks stand directly above the test, and its name is one piece of text. */
function marked(): string[] {
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  );
  return files.filter((file) => file.endsWith('.test.ts')).flatMap(marksOf);
}

const MARKED = /((?:^ *\/\/ spec [^\n]+\n)+)(?: *\w+\(\s*(?:'([^'\n]+)'|"([^"\n]+)"))?/gm;

function marksOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(MARKED)].flatMap(([, marks = '', single, double]) =>
    [...marks.matchAll(/\/\/ spec ([^:\n]+): \S/g)].map(([, item]) => `${item}: ${single ?? double} (${file})`),
  );
}

test('the table has every item, once, and in order', () => {
  expect(rows().map(({ item }) => item)).toEqual(ITEMS);
});

test('every row has a rule, a test, and a word on FreeBSD', () => {
  const incomplete = rows().filter(({ cells }) => cells.length !== 3 || cells.some((cell) => !/\w/.test(cell)));
  const tested = new Set(named().map((mark) => mark.split(': ')[0]));
  expect([incomplete, ITEMS.filter((item) => !tested.has(item))]).toEqual([[], []]);
});

test('the tests in the table are those that are marked in the sources, by name and file', () => {
  expect(named().sort()).toEqual(marked().sort());
});
