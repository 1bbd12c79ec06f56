import { constants } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../test/nodes/garbage.ts';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { mappedMemfds, mappingAt, temporaryFolder } from '../../test/nodes/process-facts.ts';
import { GiB, MiB, PAGE_SIZE } from '../base/units.ts';
import type { Extent } from '../memory/index.ts';
import { GUARD_LENGTH } from './address-range.ts';
import { openLibc } from './libc.ts';
import { MachineNodes } from './machine-nodes.ts';
import { MmapStore } from './mmap-store.ts';
import { SegmentFiles } from './segment-files.ts';

const folder = temporaryFolder();

function makeStore(capacity?: number): MmapStore {
  const libc = openLibc();
  const options = { libc, files: new SegmentFiles({ libc }) };
  return new MmapStore(capacity === undefined ? options : { ...options, capacity });
}

test('a guard is as wide as in bhyve', () => expect(GUARD_LENGTH).toBe(4 * MiB));

describe('a segment in an mmap store', () => {
  nodesTest('lies between two guards that nothing may touch', () => {
    using store = makeStore();
    const extent = store.allocate(MiB);
    const start = store.hostAddress(extent);
    expect(mappingAt(start)).toEqual({ flags: 'rw-s', start, end: start + MiB });
    for (const guarded of [start - GUARD_LENGTH, start - 1, start + MiB, start + MiB + GUARD_LENGTH - 1]) {
      expect(mappingAt(guarded)?.flags).toBe('---p');
    }
  });

  nodesTest('has its bytes at its host address', () => {
    using store = makeStore();
    const extent = store.allocate(MiB);
    extent.bytes[MiB - 1] = 9;
    expect(new Uint8Array(openLibc().view(store.hostAddress(extent), MiB))[MiB - 1]).toBe(9);
  });

  nodesTest(
    'shows the slices of its file one behind the other, so that a GPA of high RAM has a host address too',
    () => {
      using nodes = new MachineNodes({ name: 'vm', folder });
      using store = nodes.mmapStore();
      const layout = [
        { offset: 0, length: MiB, gpa: 0 },
        { offset: MiB, length: MiB, gpa: 4 * GiB },
      ];
      const { bytes } = store.allocate(2 * MiB, { name: 'ram', kind: 'sysmem', layout });
      bytes.fill(1, 0, MiB).fill(2, MiB);
      const lines = mappedMemfds().map((line) => line.split(/\s+/)[2]);
      expect(lines).toEqual(['00000000', '100000000']);
    },
  );

  nodesTest('keeps its addresses for itself until the last view of it is gone', async () => {
    const freed: { start: number; extent: Extent | undefined } = (() => {
      using store = makeStore();
      const extent = store.allocate(MiB);
      return { start: store.hostAddress(extent), extent };
    })();
    await collectGarbage();
    expect(mappingAt(freed.start)?.flags).toBe('rw-p');
    expect(freed.extent?.bytes.every((byte) => byte === 0)).toBe(true);
    freed.extent = undefined;
    await collectGarbage();
    for (const address of [freed.start - GUARD_LENGTH, freed.start, freed.start + MiB]) {
      expect(mappingAt(address)?.flags ?? 'nothing').not.toBe('rw-p');
    }
  });

  nodesTest('has a host address only while it lives, and only if it is one', () => {
    using store = makeStore();
    const extent = store.allocate(PAGE_SIZE);
    store.free(extent);
    expect(() => store.hostAddress(extent)).toThrow(/have a host address/);
    expect(() => store.hostAddress(store.allocateTable(PAGE_SIZE))).toThrow(/have a host address/);
  });

  nodesTest('cannot be longer than Node can show', () => {
    using store = makeStore(2 ** 53 - 1);
    const length = constants.MAX_LENGTH + PAGE_SIZE;
    expect(() => store.allocate(length)).toThrow(expect.objectContaining({ name: 'MemoryError', code: 'ENOMEM' }));
    expect(store.used).toBe(0);
  });
});
