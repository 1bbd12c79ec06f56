import { readdirSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { failingLibc, type FailingLibc } from '../../test/nodes/failing-libc.ts';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import {
  countDescriptors,
  mappedAddressSpace,
  mappedMemfds,
  openMemfds,
  temporaryFolder,
} from '../../test/nodes/process-facts.ts';
import { MiB, PAGE_SIZE } from '../base/units.ts';
import type { ExtentUse } from '../memory/index.ts';
import { openLibc } from './libc.ts';
import { MachineNodes } from './machine-nodes.ts';
import type { SharedStore } from './shared-store.ts';

const folder = temporaryFolder();
const ram: ExtentUse = { name: 'ram', kind: 'sysmem' };
const LENGTH = 2 * PAGE_SIZE;

/** Further sysmem comes into a file that is there already; a devmem segment has one of its own, and so a node. */
const uses: Readonly<Record<string, ExtentUse>> = {
  sysmem: {
    name: 'more',
    kind: 'sysmem',
    layout: [
      { offset: 0, length: PAGE_SIZE, gpa: MiB },
      { offset: PAGE_SIZE, length: PAGE_SIZE, gpa: 3 * MiB },
    ],
  },
  devmem: { name: 'rom', kind: 'devmem' },
};

interface Case {
  readonly name: string;
  readonly make: (nodes: MachineNodes) => SharedStore;
  readonly calls: Readonly<Record<string, readonly string[]>>;
}

/** Which calls a segment takes, and so which ones can be refused, in their order. */
const NEW_FILE = ['memfd_create', 'ftruncate', 'fcntl'];
const POLICY = ['madvise', 'mlock'];
const GUARDS = ['mmap', 'mmap'];
const cases: readonly Case[] = [
  {
    name: 'memfd arena',
    make: (nodes) => nodes.arenaStore({ capacity: 64 * MiB, sysmemEnd: 4 * MiB }),
    calls: {
      sysmem: [...GUARDS, 'fallocate', 'fallocate', 'mmap', 'mmap', ...POLICY],
      devmem: [...GUARDS, ...NEW_FILE, 'mmap', ...POLICY],
    },
  },
  {
    name: 'mmap',
    make: (nodes) => nodes.mmapStore({ sysmemEnd: 4 * MiB }),
    calls: {
      sysmem: ['fallocate', 'fallocate', 'mmap', 'mmap', 'mmap', ...POLICY, 'view'],
      devmem: [...NEW_FILE, 'mmap', 'mmap', ...POLICY, 'view'],
    },
  },
];

/** Lets one call of a deed fail after the other; gives the calls that have failed, up to the time when all go through. */
function failEach(failing: FailingLibc, deed: () => void, afterwards: (call: string) => void): string[] {
  const calls: string[] = [];
  for (;;) {
    failing.failAfter(calls.length);
    try {
      deed();
      failing.failAfter(Infinity);
      return calls;
    } catch (error) {
      failing.failAfter(Infinity);
      expect(error).toMatchObject({ code: 'ENOMEM', message: expect.stringContaining('failed: injected') });
      calls.push(failing.failed ?? 'none');
      afterwards(failing.failed ?? 'none');
    }
  }
}

describe.each(cases)('a $name store', ({ make, calls }) => {
  for (const [kind, use] of Object.entries(uses)) {
    nodesTest(`takes nothing for ${kind}, whichever call is refused, and can do it afterwards`, () => {
      const failing = failingLibc(openLibc());
      using nodes = new MachineNodes({ name: 'vm', folder, libc: failing.libc });
      using store = make(nodes);
      const kept = store.allocate(MiB, ram);
      kept.bytes.fill(1);
      store.pages.wire();
      const observe = (): unknown => [
        store.used,
        readdirSync(folder),
        openMemfds(),
        mappedMemfds(),
        countDescriptors(),
      ];
      const before = observe();
      const space = mappedAddressSpace();
      const failed = failEach(
        failing,
        () => store.allocate(LENGTH, use),
        (call) => expect([call, observe()]).toEqual([call, before]),
      );
      // Root may lock what it likes, and does not ask for its limit.
      expect(failed.filter((call) => call !== 'getrlimit')).toEqual(calls[kind]);
      expect(mappedAddressSpace() - space).toBeLessThan(20 * MiB);
      expect(kept.bytes.every((byte) => byte === 1)).toBe(true);
    });
  }

  nodesTest('keeps what it cannot end, and ends it later', () => {
    const failing = failingLibc(openLibc());
    using nodes = new MachineNodes({ name: 'vm', folder, libc: failing.libc });
    const store = make(nodes);
    const extent = store.allocate(LENGTH, uses.devmem);
    const calls = failEach(
      failing,
      () => store.free(extent),
      () =>
        expect([store.used, readdirSync(folder), mappedMemfds().length]).toEqual([LENGTH, ['.vm.lock', 'vm.rom'], 1]),
    );
    expect(calls.at(-1)).toBe('mmap');
    expect([store.used, readdirSync(folder), mappedMemfds()]).toEqual([0, ['.vm.lock'], []]);
    store[Symbol.dispose]();
  });
});

nodesTest('a claim that the kernel refuses leaves nothing open', () => {
  const failing = failingLibc(openLibc());
  const before = countDescriptors();
  const make = (): void => new MachineNodes({ name: 'vm', folder, libc: failing.libc })[Symbol.dispose]();
  expect(failEach(failing, make, () => expect(countDescriptors()).toBe(before))).toEqual(['flock']);
  expect([countDescriptors(), readdirSync(folder)]).toEqual([before, []]);
});
