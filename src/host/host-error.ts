import { getSystemErrorMap } from 'node:util';

/** What the sentence is about, for programs. */
export type HostFacts = Readonly<Record<string, string | number | undefined>>;

/**
 * The host refused, or cannot do, what was asked of it. The code is an errno name: the kernel's own where the kernel said
 * no; EEXIST, EACCES or EINVAL where skep did; ENOTSUP where the host has no such thing at all.
 */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly code: string;
  readonly facts: HostFacts;

  constructor(code: string, sentence: string, facts: HostFacts = {}) {
    super(sentence);
    this.code = code;
    this.facts = facts;
  }
}

/** The kernel's answer to a call of the C library. */
export function kernelError(call: string, errno: number): HostError {
  const [code, meaning] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'the kernel said no'];
  return new HostError(code, `${call} failed: ${meaning} (${code})`, { call, errno });
}

/** Does what may fail with Node's own errors, and says in one sentence what could not be done. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof HostError || code === undefined || errno === undefined) throw error;
    const meaning = getSystemErrorMap().get(errno)?.[1] ?? 'the kernel said no';
    throw new HostError(code, `cannot ${what}: ${meaning} (${code})`, { call: syscall, errno: -errno });
  }
}
