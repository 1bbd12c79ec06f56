import { closeSync, fchmodSync } from 'node:fs';
import { HostError } from './host-error.ts';
import { FALLOCATE, FCNTL, MEMFD, SEAL, type Libc } from './libc.ts';

/** No process, this one included, can change the length any more: whoever has it mapped never meets a hole. */
const SEALS = SEAL.SHRINK | SEAL.GROW | SEAL.SEAL;

/**
 * A file of zeros that exists only in memory, for as long as somebody has it open or mapped. Its length is fixed; pages
 * take memory once they are touched. Only this user may open it.
 */
export class Memfd implements Disposable {
  readonly name: string;
  readonly length: number;
  readonly descriptor: number;
  readonly #libc: Libc;
  #open = true;

  /** `name` is what /proc shows; at most 249 bytes. Throws HostError. */
  constructor(libc: Libc, name: string, length: number) {
    this.name = name;
    this.length = length;
    this.#libc = libc;
    this.descriptor = create(libc, name);
    try {
      libc.ftruncate(this.descriptor, length);
      fchmodSync(this.descriptor, 0o600);
      libc.fcntl(this.descriptor, FCNTL.ADD_SEALS, 'int', SEALS);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Where any process of this user finds it. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.descriptor}`;
  }

  /** Gives a slice's memory back; it reads as zeros then. */
  clear(offset: number, length: number): void {
    this.#libc.fallocate(this.descriptor, FALLOCATE.PUNCH_HOLE | FALLOCATE.KEEP_SIZE, offset, length);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }
}

function create(libc: Libc, name: string): number {
  const flags = MEMFD.CLOEXEC | MEMFD.ALLOW_SEALING;
  try {
    return libc.memfd_create(name, flags | MEMFD.NOEXEC_SEAL);
  } catch (error) {
    // Kernels before 6.3 do not know the flag, by which a file can never be executed as a program.
    if (!(error instanceof HostError && error.code === 'EINVAL')) throw error;
    return libc.memfd_create(name, flags);
  }
}
