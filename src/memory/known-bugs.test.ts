import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusal.ts';
import { GiB, KiB, MiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { IommuTable, Mapping, Segment } from './index.ts';

/**
 * What went wrong in other monitors' guest memory: FreeBSD's by number, illumos's test cases by name, those of others by
 * the number in the peer study. `docs/specification.md` has the rules, and every other test marked `spec`.
 */

let store: HeapStore;
let memory: GuestMemory;
let ram: Segment;
let rom: Segment;

beforeEach(() => {
  store = new HeapStore();
  memory = new GuestMemory({ store, addressBits: 40 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
  rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 64 * KiB });
});

function fail(): never {
  throw new MemoryError('ENOMEM', 'no entry');
}

// spec 1: FreeBSD-SA-16:38.bhyve, CVE-2016-1889: lib/libvmmapi/vmmapi.c, vm_map_gpa added first and compared then
test('1 (CVE-2016-1889): a huge length at a good address is not backed, whatever the sum wraps to', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  const huge = { length: 2 ** 53 - 4096 };
  expect(memory.read(gpa(4096), new Uint8Array(MiB))).toBe(false);
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(GiB), offset: 4096, ...huge, prot: 'rwx' }))).toBe('EINVAL');
  expect([...memory.covering(gpa(MiB), 2 ** 53)]).toEqual([]);
});

// spec 2: FreeBSD diff 165146, sys/dev/vmm/vmm_mem.c: a mapping was put where there was room near the address
test('2 (diff 165146): an address is a place, not a hint', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0), prot: 'r-x' }))).toBe('ENOMEM');
  expect([...memory]).toHaveLength(1);
});

// spec 3: FreeBSD sys/dev/vmm/vmm_mem.c takes the reference after the insert; 5BSD takes it first
test('3: a failed map holds on to nothing: the segment can be destroyed', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  for (let turn = 0; turn < 10; turn++) codeOf(() => memory.map({ segment: rom, gpa: gpa(0), prot: 'r-x' }));
  expect(codeOf(() => memory.destroySegment(rom))).toBe('accepted');
});

// spec 4: FreeBSD sys/dev/vmm/vmm_mem.c, vm_mmap_memseg: the insert is undone when vm_map_wire fails
test('4: when wiring fails, which is an observer here, neither a mapping nor a flag is left', () => {
  memory.observe({
    changed() {
      throw new MemoryError('ENOMEM', 'cannot wire');
    },
  });
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true }))).toBe('ENOMEM');
  expect([[...memory], memory.flat.flagsAt(0)]).toEqual([[], 0]);
});

// spec 5: FreeBSD D15156, rS333639: a read of /dev/vmm/NAME went on for ever
test('5 (D15156): a read past the end of RAM ends; it is not zeros for ever', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect([memory.read(gpa(MiB), new Uint8Array(1)), memory.read(gpa(MiB - 1), new Uint8Array(2))]).toEqual([
    false,
    false,
  ]);
});

// spec 6: FreeBSD lib/libvmmapi/vmmapi.c, vm_get_memseg: the name of an unallocated id was what the stack had
test('6: a segment that does not exist is undefined, not one with a length of 0 and any name', () => {
  expect([memory.segment('framebuffer'), memory.segmentById(99)]).toEqual([undefined, undefined]);
});

// spec 12: FreeBSD sys/dev/vmm/vmm_dev.c: the name is freed twice when the node cannot be made
test('12: after a creation that failed the same one can succeed, and is there once', () => {
  const small = new GuestMemory({ store: new HeapStore({ capacity: 64 * KiB }), addressBits: 32 });
  const make = (length: number): Segment => small.createSegment({ name: 'ram', kind: 'sysmem', length });
  expect(codeOf(() => make(MiB))).toBe('ENOMEM');
  expect([make(4096).id, [...small.segments()].length]).toEqual([0, 1]);
});

describe('13 to 17: IOMMU domains', () => {
  const wired = (): Mapping => memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });

  // spec 13: illumos usr/src/uts/intel/io/vmm clears the flag at reboot; FreeBSD does as a side effect
  test('13 (illumos): the IOMMU flag is on no mapping after a reset, and wired stays', () => {
    const mapping = wired();
    memory.assign('nic');
    memory.reset();
    expect([mapping.iommu, mapping.wired, codeOf(() => memory.unmap(mapping))]).toEqual([false, true, 'accepted']);
  });

  // spec 14: FreeBSD sys/amd64/vmm/vmm.c, vm_assign_pptdev: the domain must be NULL, and is not
  test('14: devices can be assigned again in one life of a VM', () => {
    wired();
    memory.assign('nic')[Symbol.dispose]();
    expect([memory.iommuDomain, codeOf(() => memory.assign('nic'))]).toEqual([undefined, 'accepted']);
  });

  // spec 15: FreeBSD sys/amd64/vmm/vmm.c, vm_assign_pptdev: domain and flags stay when the device is refused
  test('15: after a first assignment that failed neither flag nor domain is left', () => {
    for (const failing of [{ map: fail }, { attach: fail }] satisfies Partial<IommuTable>[]) {
      const iommuTable = { attach() {}, detach() {}, map() {}, unmap() {}, ...failing };
      memory = new GuestMemory({ store, addressBits: 40, iommuTable });
      ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
      const mapping = wired();
      expect(codeOf(() => memory.assign('nic'))).toBe('ENOMEM');
      expect([mapping.iommu, memory.iommuDomain]).toEqual([false, undefined]);
    }
  });

  // spec 16: FreeBSD PR 260178, D34607: guest pages were taken out of the host's own domain, and its DMA failed
  test('16 (PR 260178): a domain takes away only what it has given, and who has no IOMMU reaches memory all the time', () => {
    const entries = new Set<unknown>();
    const foreign: unknown[] = [];
    const iommuTable = {
      attach() {},
      detach() {},
      map: (mapping: Mapping) => void entries.add(mapping),
      unmap: (mapping: Mapping) => void (entries.delete(mapping) || foreign.push(mapping)),
    };
    memory = new GuestMemory({ store, addressBits: 40, iommuTable });
    ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
    wired();
    const nic = memory.assign('nic');
    expect(memory.dmaRange(0, MiB, 'write')).not.toHaveProperty('reason');
    nic[Symbol.dispose]();
    expect([entries.size, foreign]).toEqual([0, []]);
    expect(memory.dmaRange(0, MiB, 'write')).not.toHaveProperty('reason');
  });

  // spec 17: FreeBSD PR 222937: entries were taken away under a device that still mastered the bus
  test('17 (PR 222937): a device is quiet before its entries go, at the end of a VM too', () => {
    const told: string[] = [];
    const iommuTable = {
      attach: () => void told.push('attach'),
      detach: () => void told.push('detach'),
      map: () => void told.push('map'),
      unmap: () => void told.push('unmap'),
    };
    memory = new GuestMemory({ store, addressBits: 40, iommuTable });
    ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
    wired();
    memory.assign('nic');
    memory.reset();
    const nic = memory.assign('nic');
    memory[Symbol.dispose]();
    expect(told).toEqual(['map', 'attach', 'detach', 'unmap', 'map', 'attach', 'detach', 'unmap']);
    expect(nic.dmaRange(0, 1, 'read')).toMatchObject({ reason: 'unassigned' });
  });
});

// spec 21: FreeBSD D24066, f8a6ec2d5727: vm_munmap_memseg finds a free slot, whose address and length are 0
test('21: unmapping no bytes at 0 is EINVAL, on an empty map too', () => {
  expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: 0 }))).toBe('EINVAL');
});

// spec 22: FreeBSD sys/dev/vmm/vmm_mem.c, vm_munmap_memseg skips mappings with VM_MEMMAP_F_IOMMU
test('22: unmapping memory of an IOMMU domain is EINVAL', () => {
  const mapping = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });
  memory.assign('nic');
  expect(codeOf(() => memory.unmap(mapping))).toBe('EINVAL');
});

// spec 23: SmartOS OS-6988: the segment had a hidden gigabyte behind the hole
test('23 (OS-6988): memory around the hole below 4 GiB costs its size, not its span', () => {
  const before = store.used;
  memory.map({ segment: ram, gpa: gpa(3 * GiB - 512 * KiB), length: 512 * KiB, prot: 'rwx' });
  memory.map({ segment: ram, gpa: gpa(4 * GiB), offset: 512 * KiB, prot: 'rwx' });
  expect(store.used - before).toBeLessThanOrEqual(2 * 4096); // A leaf of the flat view for each piece.
});

// spec 24: illumos 13008: mmap of devmem wanted its whole length
test('24 (illumos #13008): a part of devmem can be read and written without asking for all of it', () => {
  rom.write(12_345, Uint8Array.of(7));
  const byte = new Uint8Array(1);
  rom.read(12_345, byte);
  expect(byte[0]).toBe(7);
});

// spec 25: illumos usr/src/test/bhyve-tests/tests/vmm/mem_partial.c: a part can be unmapped there
test('25 (illumos): there is no partial unmap', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: MiB / 2 }))).toBe('EINVAL');
});

// spec 26: FreeBSD sys/amd64/vmm/vmm.c: a store to the ROM ends the run with EFAULT
test('26: a guest write to ROM is refused as a value, and the ROM keeps its bytes', () => {
  rom.write(0, Uint8Array.of(1));
  memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
  expect([memory.write(gpa(0xffff_0000), Uint8Array.of(2)), rom.bytes[0]]).toEqual([false, 1]);
});

// spec 27: FreeBSD sys/dev/vmm/vmm_mem.c, vm_mem_cleanup: reinit keeps segments and nodes
test('27: over a reset devmem keeps bytes and id, loses its mapping, and can be mapped again', () => {
  rom.write(0, Uint8Array.of(9));
  memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
  memory.reset();
  expect([memory.segment('bootrom')?.id, rom.bytes[0], memory.at(gpa(0xffff_0000))]).toEqual([1, 9, undefined]);
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' }))).toBe('accepted');
});

// spec 29: FreeBSD lib/libvmmapi/vmmapi.c, vm_rev_map_gpa: <= instead of <
test('29: the address at which memory ends is not in it', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect([memory.at(gpa(MiB - 1))?.segment, memory.at(gpa(MiB))]).toEqual([ram, undefined]);
});

// spec 30: FreeBSD lib/libvmmapi/vmmapi.c, vm_mmap_memseg compares everything but the length
test('30: the same mapping with another length is not taken for the same', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'rwx' }))).toBe('ENOMEM');
});

// spec 36: FreeBSD usr.sbin/bhyve/pci_fbuf.c: the address was remembered even when mapping failed
test('36: a window that could not move does not remember where to', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  const window = memory.window(rom, { prot: 'rw-' });
  expect(codeOf(() => window.moveTo(gpa(0)))).toBe('ENOMEM');
  expect([window.gpa, codeOf(() => window.hide())]).toEqual([undefined, 'accepted']);
});

// spec 38: FreeBSD usr.sbin/bhyve/pci_emul.c: half-written and sizing addresses are registered
// spec 40: FreeBSD D27095, rS367606: a BAR above the guest's address width
test('38 and 40: a BAR sized with ~0, or put above the address width, is refused as an error with facts', () => {
  const window = memory.window(rom, { prot: 'rw-' });
  expect(codeOf(() => window.moveTo(gpa(0xffff_fff0)))).toBe('EINVAL');
  expect(codeOf(() => window.moveTo(gpa(2 ** 40)))).toBe('ENOMEM');
  expect(codeOf(() => gpa(0xffff_ffff_ffff_fff0n))).toBe('EINVAL');
});

// spec 41: FreeBSD D52013: a BAR below a page was mapped with its neighbours
test('41 (D52013): less than a page cannot be mapped; such a BAR is trapped', () => {
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0), length: 128, prot: 'rw-' }))).toBe('EINVAL');
});

// spec 42: FreeBSD rS348694 (D20523), D32359: the MSI-X table's page must stay trapped
test('42: a mapping in two pieces leaves the page between them to a trap', () => {
  memory.edit((edit) => {
    edit.map({ segment: rom, gpa: gpa(0xe000_0000), length: 4096, prot: 'rw-' });
    edit.map({ segment: rom, gpa: gpa(0xe000_2000), offset: 8192, prot: 'rw-' });
  });
  expect([memory.at(gpa(0xe000_1000)), memory.at(gpa(0xe000_2000))?.offset]).toEqual([undefined, 8192]);
});

// spec 49: FreeBSD sys/dev/vmm/vmm_dev.c, VM_MAX_SUFFIXLEN: the second node of a name is EEXIST, its segment is undone
test('49: two segments of one name, and names of 15 and 16 bytes', () => {
  const make = (name: string): string => codeOf(() => memory.createSegment({ name, kind: 'devmem', length: 4096 }));
  expect([make('bootrom'), make('x'.repeat(15)), make('x'.repeat(16))]).toEqual(['EEXIST', 'accepted', 'EINVAL']);
  expect([...memory.segments()]).toHaveLength(3);
});

describe('while an edit is under way', () => {
  // spec 7: FreeBSD D37172, 67b69e76e8ee: freezing the last vCPU locked nothing once vCPUs were made late
  test('7 (D37172): table and flat view tell one story, and nobody else edits', () => {
    const seen: unknown[] = [];
    memory.observe({
      changed() {
        for (const mapping of memory)
          seen.push(memory.at(mapping.gpa) === mapping, memory.flat.flagsAt(mapping.gpa) > 0);
        seen.push(codeOf(() => memory.unmap({ gpa: gpa(0), length: MiB })));
      },
    });
    memory.edit((edit) => {
      edit.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      edit.map({ segment: rom, gpa: gpa(GiB), prot: 'r-x' });
      seen.push([...memory].length, memory.at(gpa(0)), memory.flat.flagsAt(0));
    });
    expect(seen).toEqual([0, undefined, 0, true, true, true, true, 'EBUSY']);
    expect([...memory]).toHaveLength(2);
  });

  // spec 8: FreeBSD D52968: who holds the lock waited for a vCPU that waited for him in a rendezvous
  test('8 (D52968): an observer that edits is refused at once, and does not wait for the edit that it is part of', () => {
    const answers: string[] = [];
    memory.observe({
      changed: () => answers.push(codeOf(() => memory.map({ segment: rom, gpa: gpa(GiB), prot: 'r-x' }))),
    });
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    expect(answers).toEqual(['EBUSY']);
  });
});

describe('at the end', () => {
  // spec 9: FreeBSD D37174: a vCPU could be created while its VM was torn down
  test('9 (D37174): what is made while guest memory ends goes with it, and nothing is mapped any more', () => {
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    const answers: string[] = [];
    memory.observe(
      {
        changed() {
          answers.push(codeOf(() => memory.createSegment({ name: 'late', kind: 'devmem', length: 4096 })));
          answers.push(codeOf(() => memory.map({ segment: rom, gpa: gpa(GiB), prot: 'r-x' })));
        },
      },
      { replay: false },
    );
    memory[Symbol.dispose]();
    expect([answers, store.used]).toEqual([['accepted', 'EBUSY'], 0]);
  });

  // spec 11: FreeBSD sys/amd64/vmm/vmm_dev.c, devmem_create_cdev: ENODEV, and the segment is freed
  test('11: a segment that comes after it is refused, and leaves nothing behind', () => {
    memory[Symbol.dispose]();
    expect(codeOf(() => memory.createSegment({ name: 'late', kind: 'devmem', length: 4096 }))).toBe('ENOENT');
    expect(store.used).toBe(0);
  });

  // spec 48: FreeBSD sys/dev/vmm/vmm_dev.c: destroy on close and destroy by name at once
  test('48: ended by two at once, guest memory ends once', () => {
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    let ends = 0;
    memory.observe(
      {
        changed() {
          ends++;
          expect(codeOf(() => memory[Symbol.dispose]())).toBe('EBUSY');
        },
      },
      { replay: false },
    );
    memory[Symbol.dispose]();
    memory[Symbol.dispose]();
    expect([ends, store.used]).toEqual([1, 0]);
  });
});

// spec 18: FreeBSD D36238, c94f30ea85b7: any host-physical page could be mapped as if it were a BAR
test('18 (D36238): a device shows bytes of its own segment and no others, however the slice is given', () => {
  for (const [offset, length] of [
    [0, 68 * KiB],
    [60 * KiB, 8 * KiB],
    [64 * KiB, 4096],
    [-4096, 4096],
    [4096, -4096],
    [2 ** 53 - 4096, 8192],
  ] as const) {
    expect(codeOf(() => memory.window(rom, { prot: 'rw-', offset, length }))).toBe('EINVAL');
    expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(GiB), prot: 'rw-', offset, length }))).toBe('EINVAL');
  }
});

// spec 19: FreeBSD sys/dev/vmm/vmm_dev.c: ids were renumbered, and old programs mapped other segments than they made
test('19: an id means one segment for ever, whoever comes and goes', () => {
  const make = (name: string): Segment => memory.createSegment({ name, kind: 'devmem', length: 4096 });
  const first = make('first');
  memory.destroySegment(first);
  const second = make('second');
  expect([ram.id, rom.id, first.id, second.id]).toEqual([0, 1, 2, 3]);
  expect([memory.segmentById(1), memory.segmentById(2), memory.segmentById(3)]).toEqual([rom, undefined, second]);
  expect(codeOf(() => memory.map({ segment: first, gpa: gpa(0), prot: 'rw-' }))).toBe('EINVAL');
});

// spec 31: FreeBSD lib/libvmmapi/vmmapi.c, vm_setup_memory and vm_create_devmem leak what they reserved
test('31: what fails half-way gives back all that it has reserved', () => {
  const capacity = 4 * MiB;
  const tight = new HeapStore({ capacity });
  const small = new GuestMemory({ store: tight, addressBits: 40 });
  const page = small.createSegment({ name: 'page', kind: 'devmem', length: 4096 });
  const rest = small.createSegment({ name: 'rest', kind: 'devmem', length: capacity - tight.used - 4096 });
  const before = tight.used;
  expect(codeOf(() => small.createSegment({ name: 'more', kind: 'devmem', length: 4096 }))).toBe('ENOMEM');
  expect(codeOf(() => small.map({ segment: page, gpa: gpa(0), prot: 'rw-' }))).toBe('ENOMEM');
  expect([tight.used, [...small]]).toEqual([before, []]);
  small.destroySegment(rest);
  expect(codeOf(() => small.map({ segment: page, gpa: gpa(0), prot: 'rw-' }))).toBe('accepted');
});

// spec 33: GitHub freebsd-src pull request 1262: GVT-d set-up unmapped another length than it had mapped
test('33 (pull request 1262): an unmap of another length says so, and the mapping stays whole', () => {
  const mapping = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  for (const length of [4096, MiB - 4096, MiB + 4096]) {
    expect(codeOf(() => memory.unmap({ gpa: gpa(0), length }))).toBe('EINVAL');
  }
  expect([...memory]).toEqual([mapping]);
});

describe("illumos's test cases", () => {
  // spec illumos mem_devmem: usr/src/test/bhyve-tests/tests/vmm/mem_devmem.c
  test('mem_devmem: the segment and the guest see device memory alike, whoever writes', () => {
    memory.map({ segment: rom, gpa: gpa(GiB), prot: 'rw-' });
    const seen = new Uint8Array(2);
    rom.write(4095, Uint8Array.of(1, 2));
    expect([memory.read(gpa(GiB + 4095), seen), [...seen]]).toEqual([true, [1, 2]]);
    expect(memory.write(gpa(GiB + 4095), Uint8Array.of(3, 4))).toBe(true);
    rom.read(4095, seen);
    expect([...seen]).toEqual([3, 4]);
  });

  // spec illumos mem_seg_map: usr/src/test/bhyve-tests/tests/vmm/mem_seg_map.c
  test('mem_seg_map: 1,024 pages written through the segment are read by the guest, and back', () => {
    const big = memory.createSegment({ name: 'big', kind: 'sysmem', length: 4 * MiB });
    memory.map({ segment: big, gpa: gpa(GiB), prot: 'rwx' });
    const word = new Uint8Array(4);
    for (let page = 0; page < 1024; page++) {
      big.write(page * 4096, Uint8Array.of(page, page >> 8, 1, 0));
      expect([memory.read(gpa(GiB + page * 4096), word), [...word]]).toEqual([true, [page & 255, page >> 8, 1, 0]]);
      expect(memory.write(gpa(GiB + page * 4096), Uint8Array.of(page, page >> 8, 2, 0))).toBe(true);
      big.read(page * 4096, word);
      expect([...word]).toEqual([page & 255, page >> 8, 2, 0]);
    }
  });

  // spec illumos mem_partial: usr/src/test/bhyve-tests/tests/vmm/mem_partial.c
  test('mem_partial: without its lower half, the upper one is intact and the lower one is gone', () => {
    const whole = memory.map({ segment: ram, gpa: gpa(GiB), prot: 'rwx' });
    ram.bytes.fill(7);
    memory.edit((edit) => {
      edit.unmap(whole);
      edit.map({ segment: ram, gpa: gpa(GiB + MiB / 2), offset: MiB / 2, prot: 'rwx' });
    });
    const byte = new Uint8Array(1);
    expect([memory.read(gpa(GiB + MiB / 2 - 1), byte), memory.write(gpa(GiB), byte)]).toEqual([false, false]);
    expect([memory.read(gpa(GiB + MiB / 2), byte), byte[0], memory.read(gpa(GiB + MiB - 1), byte)]).toEqual([
      true,
      7,
      true,
    ]);
  });

  // spec illumos mem_high: usr/src/test/bhyve-tests/tests/vmm/mem_high.c
  test('mem_high: 4 MiB across 512 GiB, where a page table of the host changes, are whole', () => {
    const big = memory.createSegment({ name: 'big', kind: 'sysmem', length: 4 * MiB });
    const start = 512 * GiB - 4096;
    memory.map({ segment: big, gpa: gpa(start), prot: 'rwx' });
    for (const offset of [0, 4095, 4096, 4 * MiB - 1]) {
      expect(memory.write(gpa(start + offset), Uint8Array.of(offset & 255 || 9))).toBe(true);
      expect(big.bytes[offset]).toBe(offset & 255 || 9);
    }
    expect([memory.at(gpa(start - 1)), memory.at(gpa(start + 4 * MiB))]).toEqual([undefined, undefined]);
  });

  // spec illumos legacy_destruct: usr/src/test/bhyve-tests/tests/vmm/legacy_destruct.c
  // spec illumos self_destruct: usr/src/test/bhyve-tests/tests/vmm/self_destruct.c
  test('legacy_destruct, self_destruct: memory that ends takes segments, mappings and names along, and all can be made anew', () => {
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    memory[Symbol.dispose]();
    expect([codeOf(() => memory.segment('ram')), codeOf(() => [...memory]), store.used]).toEqual([
      'ENOENT',
      'ENOENT',
      0,
    ]);
    const next = new GuestMemory({ store, addressBits: 40 });
    expect([
      next.createSegment({ name: 'ram', kind: 'sysmem', length: MiB }).bytes.every((byte) => byte === 0),
    ]).toEqual([true]);
  });
});

describe('what went wrong in yet other monitors', () => {
  // spec peers 15: QEMU pull request 278: Windows Hypervisor Platform skipped read-only device memory, and OVMF did not start
  test('read-only device memory is told to everybody who follows the map, with its protection (qemu 278)', () => {
    const told: string[] = [];
    memory.observe({
      changed: ({ added }) => told.push(...added.map(({ segment, prot }) => `${segment.name} ${prot}`)),
    });
    memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
    const byte = new Uint8Array(1);
    expect([told, memory.read(gpa(0xffff_0000), byte)]).toEqual([['bootrom r-x'], true]);
    expect(memory.flat.flagsAt(0xffff_0000) & 7).toBe(5);
  });

  // spec peers 16: unicorn 1028, 1549: mem_protect on a part of a mapping duplicated the data, or changed it
  test('another protection for a part of a mapping leaves every byte where it was, and there once (unicorn 1028)', () => {
    const whole = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    for (let page = 0; page < 256; page++) ram.bytes.fill(page, page * 4096, (page + 1) * 4096);
    const before = store.used;
    memory.edit((edit) => {
      edit.unmap(whole);
      edit.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'rwx' });
      edit.map({ segment: ram, gpa: gpa(4096), offset: 4096, length: 4096, prot: 'r--' });
      edit.map({ segment: ram, gpa: gpa(8192), offset: 8192, prot: 'rwx' });
    });
    const seen = new Uint8Array(MiB);
    expect([memory.read(gpa(0), seen), Buffer.compare(seen, ram.bytes)]).toEqual([true, 0]);
    expect([0, 4096, 8192].map((address) => memory.write(gpa(address), Uint8Array.of(1)))).toEqual([true, false, true]);
    expect(store.used).toBe(before);
  });

  // spec peers 17: unicorn 1877: mem_regions() said something else than was mapped; unicorn.js 21: 48 bits cut to 32
  test('the list of mappings is what was mapped, above 4 GiB too (unicorn 1877, unicorn.js 21)', () => {
    const wanted = [0, 0x8000_0000, 0xffff_f000, 2 ** 32, 0x7f_ffff_f000].map((start) => {
      memory.map({ segment: ram, gpa: gpa(start), length: 4096, prot: 'rw-' });
      return start;
    });
    expect(Array.from(memory, ({ gpa: start }) => Number(start))).toEqual(wanted);
    expect(memory.at(gpa(0x7f_ffff_f000 % 2 ** 32))?.gpa).toBe(0xffff_f000);
  });
});
