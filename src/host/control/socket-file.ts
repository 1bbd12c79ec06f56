import { chmodSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { attempt, HostError } from '../host-error.ts';

/** `sun_path` of sockaddr_un, less its final 0. (unix(7)) */
const LONGEST_PATH = 107;

let attempts = 0;

/** Where a machine's control socket is. */
export function socketPath(folder: string, name: string): string {
  return join(folder, `${name}.sock`);
}

/**
 * Lets a server listen at a path, with mode 0600 from the first moment. A socket that a dead process has left there is
 * replaced; one that answers is not. The result takes it away again, unless another has taken its place.
 */
export async function listenAt(server: Server, path: string): Promise<Disposable> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${attempts++}`);
  const { length } = Buffer.from(temporary);
  if (length > LONGEST_PATH) {
    const sentence = `the path of the control socket, ${path}, is too long: its folder may have ${LONGEST_PATH - length + Buffer.byteLength(dirname(path))} bytes`;
    throw new HostError('ENAMETOOLONG', sentence, { path });
  }
  const stale = await staleAt(path);
  await listening(server, temporary);
  const inode = attempt(`make the control socket ${path}`, () => {
    chmodSync(temporary, 0o600);
    if (stale !== undefined) removeOwn(path, stale);
    publish(temporary, path);
    return lstatSync(path).ino;
  });
  return { [Symbol.dispose]: () => removeOwn(path, inode) };
}

/** Whether a process listens at a path. */
export function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', done(true)).once('error', done(false));
  });
}

/** The inode of a socket that nobody listens at any longer, if there is one. */
async function staleAt(path: string): Promise<number | undefined> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  if (!status.isSocket()) throw new HostError('EEXIST', `${path} is there, and it is not a socket`, { path });
  if (await isAnswering(path)) throw taken(path);
  return status.ino;
}

/** Of two who come here at the same moment one is refused: unlike a rename, a link never replaces. */
function publish(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(path) : error;
  } finally {
    unlinkSync(temporary);
  }
}

function taken(path: string): HostError {
  const machine = basename(path, '.sock');
  return new HostError('EEXIST', `a machine is running with the control socket ${path}`, { path, machine });
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(new HostError(error.code ?? 'EIO', `cannot make the control socket ${path}: ${error.message}`, { path }));
    };
    server.once('error', fail).listen(path, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function removeOwn(path: string, inode: number): void {
  try {
    if (lstatSync(path).ino === inode) unlinkSync(path);
  } catch {
    // The folder was removed underneath, or somebody else was quicker.
  }
}
