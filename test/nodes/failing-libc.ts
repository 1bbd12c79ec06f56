import { HostError } from '../../src/host/host-error.ts';
import type { Libc } from '../../src/host/libc.ts';

/** A C library of which one call fails, as if the kernel had no more memory. (To ask for an address is no call of the kernel.) */
export interface FailingLibc {
  readonly libc: Libc;
  /** Lets the n-th call from now on fail, counting from 0; the later ones go through again. */
  failAfter(calls: number): void;
  /** The call that has failed last. */
  readonly failed: string | undefined;
}

export function failingLibc(libc: Libc): FailingLibc {
  let left = Infinity;
  let failed: string | undefined;
  const wrapped = Object.entries(libc).map(([name, call]) => [
    name,
    (...given: unknown[]): unknown => {
      if (name !== 'addressOf' && left-- === 0) {
        failed = name;
        throw new HostError('ENOMEM', `${name} failed: injected (ENOMEM)`, { call: name });
      }
      return (call as (...given: unknown[]) => unknown)(...given);
    },
  ]);
  return {
    libc: Object.fromEntries(wrapped),
    failAfter(calls) {
      left = calls;
    },
    get failed() {
      return failed;
    },
  };
}
