import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { attempt, HostError } from './host-error.ts';
import { openLibc } from './libc.ts';
import { LockFile } from './lock-file.ts';
import { checkReplaceable, readImage, removeLeftovers, replaceFileDurably } from './files.ts';

/**
 * The file that keeps a flash chip's array while there is no machine. After changes it is replaced as a whole, so that it
 * always has the array as it was at one moment: what a chip would have whose power had failed then. Changes that are made
 * while the file is being written wait for that to end, and are written together.
 */
export class FlashFile implements AsyncDisposable {
  /** As it was when the machine was built. */
  readonly image: Uint8Array;
  readonly #path: string;
  readonly #lock: Disposable | undefined;
  readonly #failed: (error: Error) => void;
  /** Set while the file is older than it. */
  #array: Uint8Array | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;

  /**
   * Throws ConfigError for a file that cannot be read or cannot be replaced, EEXIST when another machine has it. `failed` is
   * told when writes begin to fail.
   */
  constructor(path: string, { limit, failed }: { limit: number; failed: (error: Error) => void }) {
    const image = readImage(path, limit);
    // What a link leads to is replaced, not the link.
    this.#path = realpathSync(path);
    this.#failed = failed;
    checkReplaceable(this.#path);
    this.#lock = lockBeside(this.#path);
    removeLeftovers(this.#path);
    // Once more: whoever had it until now has replaced it.
    this.image = this.#lock === undefined ? image : readImage(path, limit);
  }

  /** The array has changed. It is read again when the file is written. */
  changed(array: Uint8Array): void {
    this.#array = array;
    this.#writing ??= this.#writeAll();
  }

  /** Waits until all changes are in the file. Throws what keeps the last of them out. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    try {
      if (this.#array !== undefined) await replaceFileDurably(this.#path, this.#array);
    } finally {
      this.#lock?.[Symbol.dispose]();
    }
  }

  async #writeAll(): Promise<void> {
    // Not amid the guest's instruction.
    await setImmediate();
    while (this.#array !== undefined && (await this.#write(this.#array)));
    this.#writing = undefined;
  }

  /** Whether it succeeded. After a failure the next change tries again. */
  async #write(array: Uint8Array): Promise<boolean> {
    this.#array = undefined;
    try {
      await replaceFileDurably(this.#path, array.slice());
      this.#failing = false;
    } catch (error) {
      this.#array = array;
      if (!this.#failing) this.#failed(error as Error);
      this.#failing = true;
    }
    return !this.#failing;
  }
}

/** Keeps other machines from the file. Where the host has no such locks, that is for people to see to. */
function lockBeside(path: string): Disposable | undefined {
  const beside = join(dirname(path), `.${basename(path)}.lock`);
  try {
    return attempt(
      `lock '${path}'`,
      () =>
        new LockFile(openLibc(), beside, ({ name, pid }) => {
          return new HostError('EEXIST', `'${path}' is the flash of another machine (${name})`, { path, pid });
        }),
    );
  } catch (error) {
    if (error instanceof HostError && error.code === 'ENOTSUP') return undefined;
    throw error;
  }
}
