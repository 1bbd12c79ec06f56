import { join } from 'node:path';
import { attempt, HostError } from './host-error.ts';
import type { Libc } from './libc.ts';
import { LockFile } from './lock-file.ts';
import { checkMachineName } from './machine-name.ts';

/** The right to a machine's name in a run folder: a lock, since that ends with its holder. */
export class MachineClaim implements Disposable {
  readonly name: string;
  readonly #lock: LockFile;

  /** EEXIST when another machine has the name, in this process or any other; EINVAL for what is no name. */
  constructor(libc: Libc, folder: string, name: string) {
    checkMachineName(name);
    this.name = name;
    // No node has such a name: theirs begin with a machine's, which has no dot.
    const path = join(folder, `.${name}.lock`);
    this.#lock = attempt(
      `claim the name ${name}`,
      () =>
        new LockFile(libc, path, ({ pid, name: holder }) => {
          return new HostError('EEXIST', `a machine ${name} is running already (${holder})`, { machine: name, pid });
        }),
    );
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}
