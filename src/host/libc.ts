import { createRequire } from 'node:module';
import { PAGE_SIZE } from '../base/units.ts';
import { HostError, kernelError } from './host-error.ts';

type Koffi = typeof import('koffi');

/**
 * The functions of the C library that skep calls: result, then arguments, in koffi's words. An address is an integer
 * here, never a pointer, and fits a double: user space ends at 2^47. All of them say -1 when they fail.
 */
const FUNCTIONS = {
  fallocate: ['int', ['int', 'int', 'int64_t', 'int64_t']],
  fcntl: ['int', ['int', 'int', '...']],
  flock: ['int', ['int', 'int']],
  ftruncate: ['int', ['int', 'int64_t']],
  getpagesize: ['int', []],
  getrlimit: ['int', ['int', 'void *']],
  madvise: ['int', ['uintptr_t', 'size_t', 'int']],
  memfd_create: ['int', ['str', 'uint']],
  mlock: ['int', ['uintptr_t', 'size_t']],
  mmap: ['intptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']],
  munlock: ['int', ['uintptr_t', 'size_t']],
  munmap: ['int', ['uintptr_t', 'size_t']],
} as const satisfies Record<string, readonly [string, readonly string[]]>;

/** Numbers of the kernel's interface, as <linux/fcntl.h>, <linux/memfd.h> and <asm-generic/mman-common.h> have them. */
export const FCNTL = { ADD_SEALS: 1033, GET_SEALS: 1034 } as const;
export const FALLOCATE = { KEEP_SIZE: 1, PUNCH_HOLE: 2 } as const;
export const LOCK = { EXCLUSIVE: 2, NON_BLOCKING: 4 } as const;
export const MADVISE = { DONTDUMP: 16, DODUMP: 17 } as const;
export const MAP = { SHARED: 0x01, PRIVATE: 0x02, FIXED: 0x10, ANONYMOUS: 0x20, NORESERVE: 0x4000 } as const;
export const MEMFD = { CLOEXEC: 1, ALLOW_SEALING: 2, NOEXEC_SEAL: 8 } as const;
export const PROT = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const RLIMIT = { MEMLOCK: 8 } as const;
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4 } as const;

/** Processors whose kernel has exactly the numbers above, and 64-bit addresses. */
const PROCESSORS: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

/** The calls, by name. Each throws HostError with the kernel's errno instead of returning -1. */
export interface Libc {
  fallocate(descriptor: number, mode: number, offset: number, length: number): number;
  fcntl(descriptor: number, command: number, type: 'int', argument: number): number;
  flock(descriptor: number, operation: number): number;
  ftruncate(descriptor: number, length: number): number;
  getpagesize(): number;
  getrlimit(resource: number, limits: BigUint64Array): number;
  madvise(address: number, length: number, advice: number): number;
  memfd_create(name: string, flags: number): number;
  mlock(address: number, length: number): number;
  mmap(address: number, length: number, prot: number, flags: number, descriptor: number, offset: number): number;
  munlock(address: number, length: number): number;
  munmap(address: number, length: number): number;
  /** Where the first byte of a buffer is in this process. True for as long as the buffer exists. */
  addressOf(buffer: ArrayBuffer): number;
  /** Memory that was mapped by hand, as a buffer. It must stay mapped until the buffer is collected. */
  view(address: number, length: number): ArrayBuffer;
}

/** What binding the C library depends on. Tests take it away. */
export interface LibcHost {
  readonly platform: string;
  readonly processor: string;
  /** Throws when there is no koffi, or none for this platform. */
  readonly loadKoffi: () => Koffi;
}

const THIS_HOST: LibcHost = {
  platform: process.platform,
  processor: process.arch,
  loadKoffi: () => createRequire(import.meta.url)('koffi') as Koffi,
};

let bound: Libc | undefined;

/** The C library of this process. Throws HostError ENOTSUP, with a sentence that says what is missing. */
export function openLibc(): Libc {
  bound ??= bindLibc(THIS_HOST);
  return bound;
}

export function bindLibc({ platform, processor, loadKoffi }: LibcHost): Libc {
  if (platform !== 'linux') throw unsupported(`they need Linux, and this is ${platform}`, { platform });
  if (!PROCESSORS.includes(processor)) throw unsupported(`${processor} has other system calls`, { processor });
  const libc = bind(load(loadKoffi));
  const pageSize = libc.getpagesize();
  if (pageSize !== PAGE_SIZE) {
    throw unsupported(`the host's pages have ${pageSize} bytes and the guest's ${PAGE_SIZE}`, { pageSize });
  }
  return libc;
}

function load(loadKoffi: () => Koffi): Koffi {
  try {
    return loadKoffi();
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw unsupported(`koffi, an optional dependency, cannot be loaded (${reason})`, { reason });
  }
}

function unsupported(why: string, facts: Record<string, string | number | undefined>): HostError {
  return new HostError('ENOTSUP', `no device nodes on this host: ${why}`, facts);
}

function bind(koffi: Koffi): Libc {
  // Node itself has the C library loaded, whichever it is.
  const library = koffi.load(null);
  const calls: Record<string, unknown> = {};
  for (const [name, [result, parameters]] of Object.entries(FUNCTIONS)) {
    calls[name] = checked(koffi, name, library.func(name, result, [...parameters]));
  }
  calls.addressOf = (buffer: ArrayBuffer): number => Number(koffi.address(buffer));
  calls.view = (address: number, length: number): ArrayBuffer => koffi.view(BigInt(address), length);
  return calls as unknown as Libc;
}

type Call = (...given: readonly unknown[]) => number;

function checked(koffi: Koffi, name: string, call: Call): Call {
  return (...given) => {
    for (;;) {
      const result = call(...given);
      if (result !== -1) return result;
      const errno = koffi.errno();
      if (errno !== koffi.os.errno.EINTR) throw kernelError(name, errno);
    }
  };
}
