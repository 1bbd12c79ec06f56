import { existsSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { attempt, HostError } from './host-error.ts';

/** Linux keeps shared memory here, and so loses it when it stops. Elsewhere sockets are among the temporary files. */
const SHARED_MEMORY = '/dev/shm';

/** RUNDIR: where the nodes and sockets of this user's machines are. */
export function runFolderPath(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const chosen = environment.SKEP_RUNDIR ?? '';
  if (chosen !== '') return resolve(chosen);
  return join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), `skep-${userId()}`);
}

/**
 * Makes the folder when it is not there, and refuses one that is not this user's alone: whoever else can write there
 * could pass off files of their own as a machine's memory, and whoever can read there could find it. Throws HostError.
 */
export function openRunFolder(path: string): void {
  attempt(`make the run folder ${path}`, () => makeFolder(path));
  const status = attempt(`look at the run folder ${path}`, () => lstatSync(path));
  const fault = faultOf(status, userId());
  if (fault === undefined) return;
  throw new HostError(fault.code, `${path} cannot be the run folder: ${fault.sentence}`, { path });
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

interface Fault {
  readonly code: string;
  readonly sentence: string;
}

/** What is wrong with the status of a run folder, in the eyes of `user`. */
export function faultOf(
  status: Pick<Stats, 'uid' | 'mode' | 'isDirectory' | 'isSymbolicLink'>,
  user: number,
): Fault | undefined {
  const { uid, mode } = status;
  if (status.isSymbolicLink()) return { code: 'EACCES', sentence: 'it is a symbolic link' };
  if (!status.isDirectory()) return { code: 'ENOTDIR', sentence: 'it is not a directory' };
  if (uid !== user) return { code: 'EACCES', sentence: `it belongs to user ${uid}, and this is user ${user}` };
  if ((mode & 0o077) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return { code: 'EACCES', sentence: `its mode is ${shown}, and others than its owner may use it (chmod 0700)` };
}

function userId(): number {
  const { geteuid } = process;
  if (geteuid === undefined) throw new HostError('ENOTSUP', 'no run folder on this host: it has no user numbers');
  return geteuid();
}
