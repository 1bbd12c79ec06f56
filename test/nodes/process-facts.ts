import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Descriptors of memfds that this process has open. */
export function openMemfds(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      return target.startsWith('/memfd:') ? [target] : [];
    } catch {
      return []; // The descriptor by which the folder itself was read.
    }
  });
}

/** All descriptors that this process has open. */
export function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Mappings of memfds in this process. */
export function mappedMemfds(): string[] {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.includes('/memfd:'));
}

/** The kernel's flags (proc(5), VmFlags) of the mapping that starts at an address. */
export function kernelFlags(address: number): string[] {
  const smaps = readFileSync('/proc/self/smaps', 'latin1');
  const start = smaps.search(new RegExp(`^0*${address.toString(16)}-`, 'm'));
  return /VmFlags: (.*)/.exec(smaps.slice(start))?.[1]?.trim().split(' ') ?? [];
}

/** A folder for this test file; it is gone afterwards. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-nodes-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes of address space that this process has in use, whatever for. */
export function mappedAddressSpace(): number {
  return Number(/VmSize:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
}

/** What the kernel has at an address: `rw-s`, `---p`, or nothing; and how far it goes. */
export function mappingAt(address: number): { flags: string; start: number; end: number } | undefined {
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from = '', to = '', flags = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
    const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
    if (start <= address && address < end) return { flags, start, end };
  }
  return undefined;
}
