import { readFileSync } from 'node:fs';
import { RLIMIT, type Libc } from './libc.ts';

/** What this process may lock in memory, and what it has locked. Bytes. */
export interface LockedMemory {
  /** Infinity when there is no limit. */
  readonly limit: number;
  readonly used: number;
}

/** The right to lock memory beyond the limit: capabilities(7), CAP_IPC_LOCK. */
const IPC_LOCK = 1n << 14n;
const NO_LIMIT = 2n ** 64n - 1n;

export function lockedMemory(libc: Libc): LockedMemory {
  const status = readFileSync('/proc/self/status', 'latin1');
  const used = Number(field(status, 'VmLck').replace(' kB', '')) * 1024;
  const mayExceed = (BigInt(`0x${field(status, 'CapEff')}`) & IPC_LOCK) !== 0n;
  return { limit: mayExceed ? Infinity : softLimit(libc), used };
}

function softLimit(libc: Libc): number {
  const limits = new BigUint64Array(2);
  libc.getrlimit(RLIMIT.MEMLOCK, limits);
  const [soft = 0n] = limits;
  return soft === NO_LIMIT ? Infinity : Number(soft);
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '0';
}
