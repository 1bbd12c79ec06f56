import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostTest } from '../../test/nodes/host-needs.ts';
import { temporaryFolder } from '../../test/nodes/process-facts.ts';
import { faultOf, openRunFolder, runFolderPath } from './run-folder.ts';

const folder = temporaryFolder();

test.each<[string, Record<string, string>, string]>([
  ['/dev/shm/skep-UID, when nothing is said', {}, `/dev/shm/skep-${process.geteuid?.()}`],
  ['/dev/shm/skep-UID, when nothing is said at length', { SKEP_RUNDIR: '' }, `/dev/shm/skep-${process.geteuid?.()}`],
  ['what SKEP_RUNDIR says', { SKEP_RUNDIR: '/run/mine' }, '/run/mine'],
  ['what SKEP_RUNDIR says, from here', { SKEP_RUNDIR: 'mine' }, resolve('mine')],
])('the run folder is %s', (_case, environment, path) => {
  expect(runFolderPath(environment)).toBe(path);
});

test('a run folder is made for its user alone, whatever the umask', () => {
  const path = join(folder, 'made');
  const mask = process.umask(0);
  try {
    openRunFolder(path);
  } finally {
    process.umask(mask);
  }
  expect(statSync(path).mode & 0o7777).toBe(0o700);
  openRunFolder(path); // And it is used again.
});

const refuses = (path: string, code: string, message: RegExp): void =>
  expect(() => openRunFolder(path)).toThrow(
    expect.objectContaining({ name: 'HostError', code, message: expect.stringMatching(message) }),
  );

describe('refused as a run folder is', () => {
  test('a symbolic link, even to a good folder', () => {
    mkdirSync(join(folder, 'good'), { mode: 0o700 });
    symlinkSync(join(folder, 'good'), join(folder, 'link'));
    refuses(join(folder, 'link'), 'EACCES', /link cannot be the run folder: it is a symbolic link/);
  });

  test('a link that leads nowhere', () => {
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    refuses(join(folder, 'dangling'), 'EACCES', /symbolic link/);
    expect(lstatSync(join(folder, 'nowhere'), { throwIfNoEntry: false })).toBe(undefined);
  });

  test('a file', () => {
    writeFileSync(join(folder, 'file'), '');
    refuses(join(folder, 'file'), 'ENOTDIR', /it is not a directory/);
  });

  test('a folder in no folder', () => {
    refuses(join(folder, 'none', 'inner'), 'ENOENT', /^cannot make the run folder .*no such file or directory/);
  });

  test.each([0o701, 0o702, 0o704, 0o710, 0o720, 0o740, 0o777])('a folder of mode %o', (mode) => {
    const path = join(folder, `mode-${mode}`);
    mkdirSync(path);
    chmodSync(path, mode);
    refuses(path, 'EACCES', new RegExp(`its mode is 0${mode.toString(8)}, and others than its owner may use it`));
  });

  hostTest("another user's folder, even by root", ['root'], () => {
    const path = join(folder, 'theirs');
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, 65534, 65534);
    refuses(path, 'EACCES', /it belongs to user 65534, and this is user 0/);
  });

  test("another user's folder, whoever asks", () => {
    const status = { uid: 1000, mode: 0o40700, isDirectory: () => true, isSymbolicLink: () => false };
    expect(faultOf(status, 1001)).toEqual({
      code: 'EACCES',
      sentence: 'it belongs to user 1000, and this is user 1001',
    });
    expect(faultOf(status, 1000)).toBe(undefined);
  });
});
