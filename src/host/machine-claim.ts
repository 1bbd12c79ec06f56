import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { attempt, HostError } from './host-error.ts';
import { LOCK, type Libc } from './libc.ts';
import { checkMachineName } from './machine-name.ts';

/**
 * The right to a machine's name in a run folder. The kernel keeps it, as a lock on a file, and takes it back whatever way
 * its holder ends; so the lock says who is alive, and the file, which SIGKILL leaves behind, says nothing.
 */
export class MachineClaim implements Disposable {
  readonly name: string;
  readonly #path: string;
  readonly #descriptor: number;
  #held = true;

  /** EEXIST when another machine has the name, in this process or any other; EINVAL for what is no name. */
  constructor(libc: Libc, folder: string, name: string) {
    checkMachineName(name);
    this.name = name;
    // No node has such a name: theirs begin with a machine's, which has no dot.
    this.#path = join(folder, `.${name}.lock`);
    this.#descriptor = attempt(`claim the name ${name}`, () => lock(libc, this.#path, name));
    try {
      attempt(`claim the name ${name}`, () => sign(this.#descriptor));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    try {
      // While the lock is held: whoever opened the file before this finds, once it has the lock, that it is no longer there.
      if (isAt(this.#descriptor, this.#path)) unlinkSync(this.#path);
    } finally {
      closeSync(this.#descriptor);
    }
  }
}

/** A descriptor of the lock file that is at the path at the moment when the lock is had. */
function lock(libc: Libc, path: string, name: string): number {
  for (;;) {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      libc.flock(descriptor, LOCK.EXCLUSIVE | LOCK.NON_BLOCKING);
      if (isAt(descriptor, path)) return descriptor;
    } catch (error) {
      const taken = error instanceof HostError && error.code === 'EAGAIN';
      const refusal = taken ? alreadyRunning(name, descriptor) : error;
      closeSync(descriptor);
      throw refusal;
    }
    closeSync(descriptor);
  }
}

/** For those who come too late. */
function sign(descriptor: number): void {
  ftruncateSync(descriptor);
  writeSync(descriptor, `${process.pid}\n`);
}

function isAt(descriptor: number, path: string): boolean {
  const ours = fstatSync(descriptor, { bigint: true });
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

function alreadyRunning(name: string, descriptor: number): HostError {
  // Empty when the winner has the lock and has not said yet who it is.
  const pid = readFileSync(descriptor, 'latin1').trim();
  const holder = pid === '' ? 'another process' : `process ${pid}`;
  return new HostError('EEXIST', `a machine ${name} is running already (${holder})`, { machine: name, pid });
}
