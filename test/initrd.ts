import { stockFile, type StockFile } from './stock-guest.ts';

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly bytes?: Uint8Array;
  /** Of a device node. */
  readonly device?: readonly [major: number, minor: number];
}

const DIRECTORY = 0o040755;
const EXECUTABLE = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/**
 * An initrd with Busybox and a script as its first program: an archive as `cpio -H newc` writes it (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst), not compressed. Further programs are by name, in /bin.
 */
export function busyboxInitrd(
  busybox: StockFile,
  script: string,
  programs: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  const text = new TextEncoder().encode(`#!/bin/busybox sh\n${script}\n`);
  return archive([
    ...['bin', 'dev', 'proc', 'sys', 'tmp'].map((name) => ({ name, mode: DIRECTORY })),
    { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: 'dev/ttyS0', mode: CHARACTER_DEVICE, device: [4, 64] },
    { name: 'bin/busybox', mode: EXECUTABLE, bytes: stockFile(busybox) },
    ...Object.entries(programs).map(([name, bytes]) => ({ name: `bin/${name}`, mode: EXECUTABLE, bytes })),
    { name: 'init', mode: EXECUTABLE, bytes: text },
  ]);
}

function archive(entries: readonly Entry[]): Uint8Array {
  const pieces = [...entries, { name: 'TRAILER!!!', mode: 0 }].flatMap((entry, index) => record(entry, index + 1));
  return new Uint8Array(Buffer.concat(pieces));
}

/** Thirteen numbers of eight hexadecimal digits, the name, the bytes; name and bytes are padded to four. */
function record({ name, mode, bytes = new Uint8Array(0), device = [0, 0] }: Entry, inode: number): Uint8Array[] {
  const numbers = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, name.length + 1, 0];
  const head = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return [padded(new TextEncoder().encode(head)), padded(bytes)];
}

function padded(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  result.set(bytes);
  return result;
}
