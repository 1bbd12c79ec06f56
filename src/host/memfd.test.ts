import { closeSync, fstatSync, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { expect } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { countDescriptors, openMemfds } from '../../test/nodes/process-facts.ts';
import { MiB } from '../base/units.ts';
import { FALLOCATE, FCNTL, openLibc, SEAL } from './libc.ts';
import { Memfd } from './memfd.ts';

nodesTest('a memfd is of fixed length, for ever, for everybody', () => {
  const libc = openLibc();
  using file = new Memfd(libc, 'fixed', MiB);
  const seals = SEAL.SHRINK | SEAL.GROW | SEAL.SEAL;
  expect(libc.fcntl(file.descriptor, FCNTL.GET_SEALS, 'int', 0) & seals).toBe(seals);
  const other = openSync(file.path, 'r+');
  for (const length of [0, MiB - 4096, MiB + 4096]) {
    expect(() => libc.ftruncate(other, length)).toThrow(expect.objectContaining({ code: 'EPERM' }));
  }
  expect(() => openSync(file.path, 'w')).toThrow(expect.objectContaining({ code: 'EPERM' }));
  expect(() => libc.fallocate(other, 0, 0, MiB + 1)).toThrow(expect.objectContaining({ code: 'EPERM' }));
  expect(() => libc.fcntl(other, FCNTL.ADD_SEALS, 'int', 8)).toThrow(expect.objectContaining({ code: 'EPERM' }));
  closeSync(other);
  expect(fstatSync(file.descriptor).size).toBe(MiB);
});

nodesTest('a memfd is for its user alone, and no program', () => {
  using file = new Memfd(openLibc(), 'private', 4096);
  expect(fstatSync(file.descriptor).mode & 0o777).toBe(0o600);
});

nodesTest('a memfd has its name in /proc, up to the longest that a node can have', () => {
  const name = `${'m'.repeat(229)}.${'s'.repeat(15)}`;
  using file = new Memfd(openLibc(), name, 4096);
  expect(readlinkSync(file.path)).toBe(`/memfd:${name} (deleted)`);
});

nodesTest('what is cleared reads as zeros and takes no memory', () => {
  using file = new Memfd(openLibc(), 'cleared', MiB);
  writeSync(file.descriptor, new Uint8Array(MiB).fill(1), 0, MiB, 0);
  const before = fstatSync(file.descriptor).blocks;
  file.clear(4096, MiB - 8192);
  const bytes = readFileSync(file.path);
  expect([bytes[4095], bytes[4096], bytes[MiB - 4097], bytes[MiB - 4096]]).toEqual([1, 0, 0, 1]);
  expect(fstatSync(file.descriptor).blocks).toBeLessThan(before / 10);
});

nodesTest('a memfd that cannot be made leaves no descriptor', () => {
  const before = countDescriptors();
  expect(() => new Memfd(openLibc(), 'impossible', -1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect([countDescriptors(), openMemfds()]).toEqual([before, []]);
});

nodesTest("ended twice, a memfd closes no other file's descriptor", () => {
  const file = new Memfd(openLibc(), 'once', 4096);
  file[Symbol.dispose]();
  using next = new Memfd(openLibc(), 'next', 4096);
  expect(next.descriptor).toBe(file.descriptor);
  file[Symbol.dispose]();
  expect(fstatSync(next.descriptor).size).toBe(4096);
});

nodesTest('a kernel that does not know the newest flag gets the others', () => {
  const libc = openLibc();
  const flags: number[] = [];
  const old = {
    ...libc,
    memfd_create: (name: string, wanted: number) => {
      flags.push(wanted);
      // As kernels before 6.3 answer to MFD_NOEXEC_SEAL: with EINVAL, as they do to any flag that they do not know.
      return libc.memfd_create(name, (wanted & 8) === 0 ? wanted : 0x4000_0000);
    },
  };
  using file = new Memfd(old, 'old', 4096);
  expect([flags, file.length]).toEqual([[11, 3], 4096]);
  expect(() => libc.fallocate(file.descriptor, FALLOCATE.KEEP_SIZE, 0, 4096)).not.toThrow();
});
