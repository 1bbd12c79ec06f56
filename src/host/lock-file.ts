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
import { HostError } from './host-error.ts';
import { LOCK, type Libc } from './libc.ts';

/**
 * A lock that the kernel keeps on a file, and takes back whatever way its holder ends; so the lock says who is alive, and
 * the file, which SIGKILL leaves behind, says nothing.
 */
export class LockFile implements Disposable {
  readonly #path: string;
  readonly #descriptor: number;
  #held = true;

  /** `taken` makes the error that is thrown when somebody has the lock: in this process or another, of which it is told. */
  constructor(libc: Libc, path: string, taken: (holder: Holder) => HostError) {
    this.#path = path;
    this.#descriptor = lock(libc, path, taken);
    try {
      sign(this.#descriptor);
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

/** Who has a lock. */
export interface Holder {
  /** Empty when it has not said yet who it is. */
  readonly pid: string;
  /** The same in words. */
  readonly name: string;
}

/** A descriptor of the lock file that is at the path at the moment when the lock is had. */
function lock(libc: Libc, path: string, taken: (holder: Holder) => HostError): number {
  for (;;) {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      libc.flock(descriptor, LOCK.EXCLUSIVE | LOCK.NON_BLOCKING);
      if (isAt(descriptor, path)) return descriptor;
    } catch (error) {
      const isTaken = error instanceof HostError && error.code === 'EAGAIN';
      const refusal = isTaken ? taken(holderOf(descriptor)) : error;
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

function holderOf(descriptor: number): Holder {
  const pid = readFileSync(descriptor, 'latin1').trim();
  return { pid, name: pid === '' ? 'another process' : `process ${pid}` };
}

function isAt(descriptor: number, path: string): boolean {
  const ours = fstatSync(descriptor, { bigint: true });
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}
