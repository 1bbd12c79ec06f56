import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { ConfigError } from '../machine/config-error.ts';
import { FlashFile } from './flash-file.ts';

const temporary = mkdtempSync(join(tmpdir(), 'skep-flash-'));
afterAll(() => rmSync(temporary, { recursive: true }));

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(temporary, 'each-'));
  path = join(folder, 'vars');
  writeFileSync(path, 'old');
});

const open = (failures: string[] = [], at = path): FlashFile =>
  new FlashFile(at, { limit: 4096, failed: (error) => failures.push(error.message) });

/** What is done with the file, and its end. */
async function whileOpen(body: (file: FlashFile) => void | Promise<void>, at = path): Promise<void> {
  const file = open([], at);
  await body(file);
  await file[Symbol.asyncDispose]();
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const content = (): string => readFileSync(path, 'utf8');

test('without a change the file is read and not touched', async () => {
  const before = statSync(path, { bigint: true });
  await whileOpen(({ image }) => expect(Buffer.from(image).toString()).toBe('old'));
  const after = statSync(path, { bigint: true });
  expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
});

test('all changes are in the file at its end, and nothing lies beside it', async () => {
  await whileOpen(async (file) => {
    const array = bytes('000');
    for (let i = 1; i < 100; i++) {
      array.fill(0x30 + (i % 10));
      file.changed(array);
      if (i % 9 === 0) await new Promise((resume) => setTimeout(resume, 1));
    }
    array.set(bytes('new'));
    file.changed(array);
  });
  expect([content(), readdirSync(folder)]).toEqual(['new', ['vars']]);
});

test('the file changes while the machine runs, not at the end alone', async () => {
  await whileOpen(async (file) => {
    file.changed(bytes('new'));
    expect(content()).toBe('old');
    while (content() === 'old') await new Promise((resume) => setTimeout(resume, 1));
    expect(content()).toBe('new');
  });
});

test('it keeps its mode, and a link to it stays a link', async () => {
  const link = join(folder, 'link');
  symlinkSync('vars', link);
  chmodSync(path, 0o640);
  await whileOpen((file) => file.changed(bytes('new')), link);
  expect([content(), readlinkSync(link), statSync(path).mode & 0o777]).toEqual(['new', 'vars', 0o640]);
});

test('what killed processes have left beside it is removed, and nothing else', async () => {
  // No process has such a number (Linux: at most 2^22).
  const names = ['vars.9999999.part', `vars.${process.pid}.part`, 'vars.9999999', 'vars.x.part', 'xvars.9999999.part'];
  for (const name of names) writeFileSync(join(folder, name), '');
  await whileOpen(() => {});
  expect(readdirSync(folder).sort()).toEqual([...names.slice(1), 'vars'].sort());
});

test('a failure is told once while it lasts, leaves the old bytes, and is what the end throws', async () => {
  const failures: string[] = [];
  const file = open(failures);
  // A folder where the new file is to be written.
  const inTheWay = `${path}.${process.pid}.part`;
  mkdirSync(join(inTheWay, 'x'), { recursive: true });
  for (let i = 0; i < 3; i++) {
    file.changed(bytes('new'));
    await new Promise((resume) => setTimeout(resume, 20));
  }
  const sentence = `cannot write '${path}': it is a directory`;
  expect([failures, content()]).toEqual([[sentence], 'old']);
  await expect(file[Symbol.asyncDispose]()).rejects.toThrow(new ConfigError(sentence));
  rmSync(inTheWay, { recursive: true });
  await file[Symbol.asyncDispose]();
  expect(content()).toBe('new');
});

test('two machines cannot have the same file, and the next one can when the first has ended', async () => {
  await whileOpen(() => {
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'EEXIST',
        message: `'${path}' is the flash of another machine (process ${process.pid})`,
      }),
    );
  });
  await whileOpen((file) => file.changed(bytes('new')));
  expect([content(), readdirSync(folder)]).toEqual(['new', ['vars']]);
});

test.each([
  ['that is not there', 'none', /no such file/],
  ['that is a directory', '.', /it is a directory/],
  ['that is too long', 'long', /more than the 4096 allowed/],
])('a file %s is refused', (_, name, sentence) => {
  writeFileSync(join(folder, 'long'), new Uint8Array(4097));
  expect(() => open([], join(folder, name))).toThrow(sentence);
});
