import { MAP, PROT, type Libc } from './libc.ts';
import type { FileSlice } from './segment-files.ts';

const READ_WRITE = PROT.READ | PROT.WRITE;
/** Addresses only, until somebody touches them. */
const NO_MEMORY = MAP.PRIVATE | MAP.ANONYMOUS | MAP.NORESERVE;

/** bhyve's guard on each side of guest memory: 4 MiB that nothing may touch. */
export const GUARD_LENGTH: number = 4 * 1024 * 1024;

/** Makes a range that is this process's already show slices of files, which other processes may show too. */
export function showFile(libc: Libc, address: number, slices: readonly FileSlice[]): void {
  for (const { offset, length, file, fileOffset } of slices) {
    libc.mmap(address + offset, length, READ_WRITE, MAP.SHARED | MAP.FIXED, file.descriptor, fileOffset);
  }
}

/** Makes a range that is this process's already show zeros of its own, which take no memory until they are touched. */
export function showZeros(libc: Libc, address: number, length: number): void {
  libc.mmap(address, length, READ_WRITE, NO_MEMORY | MAP.FIXED, -1, 0);
}

/** Makes a range that is this process's already one that nothing may touch. */
export function forbid(libc: Libc, address: number, length: number): void {
  libc.mmap(address, length, PROT.NONE, NO_MEMORY | MAP.FIXED, -1, 0);
}

/** Reserves a range with a guard on each side. Nothing of it can be touched until something is shown there. */
export function reserveGuarded(libc: Libc, length: number): number {
  return libc.mmap(0, length + 2 * GUARD_LENGTH, PROT.NONE, NO_MEMORY, -1, 0) + GUARD_LENGTH;
}

export function releaseGuarded(libc: Libc, address: number, length: number): void {
  libc.munmap(address - GUARD_LENGTH, length + 2 * GUARD_LENGTH);
}
