import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Bytes of a node, by way of its own open file as any program would have it. */
export function readNode(path: string, offset: number, length: number): number[] {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(length);
    return [...bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset))];
  } finally {
    closeSync(descriptor);
  }
}

export function writeNode(path: string, offset: number, bytes: Iterable<number>): void {
  const descriptor = openSync(path, 'r+');
  try {
    writeSync(descriptor, Uint8Array.from(bytes), 0, undefined, offset);
  } finally {
    closeSync(descriptor);
  }
}
