import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '../machine/config-error.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENAMETOOLONG: 'the name is too long',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EFBIG: 'the file is larger than it may be',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the device has failed',
  ELOOP: 'too many symbolic links',
  ENXIO: 'nothing has it open for reading',
};

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (error as Error).message;
}

function attempt<T>(what: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`cannot ${what} '${path}': ${reason(error)}`);
  }
}

/** The whole of an image file. Devices and pipes, which may have no end, are refused; so is what is over `limit`. */
export function readImage(path: string, limit: number): Uint8Array {
  return attempt('read', path, () => {
    const { size, isFile } = describe(path);
    if (!isFile) throw new ConfigError(`cannot read '${path}': it is not a regular file`);
    if (size > limit) throw new ConfigError(`cannot read '${path}': ${size} bytes are more than the ${limit} allowed`);
    return new Uint8Array(readFileSync(path));
  });
}

function describe(path: string): { size: number; isFile: boolean } {
  const status = statSync(path);
  if (status.isDirectory()) throw new ConfigError(`cannot read '${path}': it is a directory`);
  return { size: status.size, isFile: status.isFile() };
}

/** A file that is written piece by piece from its beginning. */
export interface OutputFile extends Disposable {
  write(bytes: Uint8Array): void;
}

/** Failures name the file that was asked for, which may be another than the one that is written at first. */
export function createFile(path: string, asked: string = path): OutputFile {
  const descriptor = attempt('write', asked, () => openSync(path, 'w'));
  return {
    write(bytes) {
      attempt('write', asked, () => {
        for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
      });
    },
    [Symbol.dispose]() {
      closeSync(descriptor);
    },
  };
}

/** What reading this file failed of, in one sentence. */
export function readFailure(path: string, error: unknown): ConfigError {
  return new ConfigError(`cannot read '${path}': ${reason(error)}`);
}

/** The same of writing. */
export function writeFailure(what: string, error: unknown): ConfigError {
  return new ConfigError(`cannot write ${what}: ${reason(error)}`);
}

/**
 * Makes a file of these bytes, or leaves what was there as it was: they are written beside it first. A device or a pipe
 * is written to as it is.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  checkWritable(path);
  if (existsSync(path) && !statSync(path).isFile()) {
    using file = createFile(path);
    file.write(bytes);
    return;
  }
  const beside = besides(path);
  try {
    using file = createFile(beside, path);
    file.write(bytes);
    attempt('write', path, () => renameSync(beside, path));
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/**
 * Gives a file that is there other bytes, in such a way that whatever ends this process or this host, and whenever, one
 * finds either the old bytes or the new. Meanwhile other things can be done.
 */
export async function replaceFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const beside = besides(path);
  try {
    const { mode } = await stat(path);
    await using file = await open(beside, 'w', mode);
    await file.writeFile(bytes);
    await file.sync();
    await rename(beside, path);
    // The rename is in the folder, which has to reach the disk as well.
    await using folder = await open(dirname(path), 'r');
    await folder.sync();
  } catch (error) {
    // What came first is what is told.
    await rm(beside, { force: true }).catch(() => {});
    throw writeFailure(`'${path}'`, error);
  }
}

/** Where a file is written that is to take the place of another. */
const besides = (path: string): string => `${path}.${process.pid}.part`;

/** Removes what processes have left that were killed while they were replacing a file. */
export function removeLeftovers(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    const pid = name.startsWith(basename(path))
      ? /^\.(\d+)\.part$/.exec(name.slice(basename(path).length))?.[1]
      : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Refuses a file that cannot be replaced: the file, and the folder in which another takes its place. */
export function checkReplaceable(path: string): void {
  checkWritable(path);
  attempt('write', path, () => accessSync(dirname(path), constants.W_OK));
}

/** Refuses, before a long run and not after it, a path where no file can be written. Nothing is created. */
export function checkWritable(path: string): void {
  attempt('write', path, () => {
    if (existsSync(path)) {
      if (statSync(path).isDirectory()) throw new ConfigError(`cannot write '${path}': it is a directory`);
      accessSync(path, constants.W_OK);
    } else {
      accessSync(dirname(path), constants.W_OK);
    }
  });
}
