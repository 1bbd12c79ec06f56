import { beforeEach, describe, expect, test } from 'vitest';
import { GiB, KiB, MiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { IommuTable, Mapping, Segment } from './index.ts';

/**
 * Bugs that FreeBSD's guest memory had, by their number in the reference, section 7. Those of device nodes, ioctls,
 * jails, passthru devices and libvmmapi's host mappings have no counterpart in this layer.
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

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof MemoryError) return error.code;
    throw error;
  }
  return 'accepted';
}

function fail(): never {
  throw new MemoryError('ENOMEM', 'no entry');
}

/** A host's table that keeps what it is told. */
class TellingTable implements IommuTable {
  readonly told: string[] = [];
  attach = (device: string): void => void this.told.push(`attach ${device}`);
  readonly detach = (device: string): void => void this.told.push(`detach ${device}`);
  map = ({ segment }: Mapping): void => void this.told.push(`map ${segment.name}`);
  readonly unmap = ({ segment }: Mapping): void => void this.told.push(`unmap ${segment.name}`);
}

/** Guest memory anew, with such a table. */
function withTable<Table extends IommuTable>(iommuTable: Table): Table {
  memory = new GuestMemory({ store, addressBits: 40, iommuTable });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: MiB });
  rom = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 64 * KiB });
  return iommuTable;
}

test('1 (CVE-2016-1889): a huge length at a good address is not backed, whatever the sum wraps to', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  const huge = { length: 2 ** 53 - 4096 };
  expect(memory.read(gpa(4096), new Uint8Array(MiB))).toBe(false);
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(GiB), offset: 4096, ...huge, prot: 'rwx' }))).toBe('EINVAL');
  expect([...memory.covering(gpa(MiB), 2 ** 53)]).toEqual([]);
});

test('2 (diff 165146): an address is a place, not a hint', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0), prot: 'r-x' }))).toBe('ENOMEM');
  expect([...memory]).toHaveLength(1);
});

test('3: a failed map holds on to nothing: the segment can be destroyed', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  for (let turn = 0; turn < 10; turn++) codeOf(() => memory.map({ segment: rom, gpa: gpa(0), prot: 'r-x' }));
  expect(codeOf(() => memory.destroySegment(rom))).toBe('accepted');
});

test('4: when wiring fails, which is an observer here, neither a mapping nor a flag is left', () => {
  memory.observe({
    changed() {
      throw new MemoryError('ENOMEM', 'cannot wire');
    },
  });
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true }))).toBe('ENOMEM');
  expect([[...memory], memory.flat.flagsAt(0)]).toEqual([[], 0]);
});

test('5 (D15156): a read past the end of RAM ends; it is not zeros for ever', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect([memory.read(gpa(MiB), new Uint8Array(1)), memory.read(gpa(MiB - 1), new Uint8Array(2))]).toEqual([
    false,
    false,
  ]);
});

test('6: a segment that does not exist is undefined, not one with a length of 0 and any name', () => {
  expect([memory.segment('framebuffer'), memory.segmentById(99)]).toEqual([undefined, undefined]);
});

test('12: after a creation that failed the same one can succeed, and is there once', () => {
  const small = new GuestMemory({ store: new HeapStore({ capacity: 64 * KiB }), addressBits: 32 });
  const make = (length: number): Segment => small.createSegment({ name: 'ram', kind: 'sysmem', length });
  expect(codeOf(() => make(MiB))).toBe('ENOMEM');
  expect([make(4096).id, [...small.segments()].length]).toEqual([0, 1]);
});

describe('13 to 15: the IOMMU flag', () => {
  const wired = (): Mapping => memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });

  // spec 13: illumos usr/src/uts/intel/io/vmm clears the flag at reboot; FreeBSD does as a side effect
  test('13 (illumos): is on no mapping after a reset, and wired stays', () => {
    const mapping = wired();
    memory.assign('nic');
    memory.reset();
    expect([mapping.iommu, mapping.wired, codeOf(() => memory.unmap(mapping))]).toEqual([false, true, 'accepted']);
  });

  // spec 14: FreeBSD sys/amd64/vmm/vmm.c, vm_assign_pptdev: the domain must be NULL, and is not
  test('14: a domain can be made again in one life of a VM', () => {
    wired();
    memory.assign('nic')[Symbol.dispose]();
    expect([memory.iommuDomain, codeOf(() => memory.assign('nic'))]).toEqual([undefined, 'accepted']);
  });

  // spec 15: FreeBSD sys/amd64/vmm/vmm.c, vm_assign_pptdev: domain and flags stay when the device is refused
  test('15: is on no mapping after an assignment that failed', () => {
    for (const failing of ['map', 'attach'] as const) {
      withTable(Object.assign(new TellingTable(), { [failing]: fail }));
      const mapping = wired();
      expect([codeOf(() => memory.assign('nic')), mapping.iommu]).toEqual(['ENOMEM', false]);
      expect(memory.iommuDomain).toBeUndefined();
    }
  });
});

// spec 16: FreeBSD PR 260178, D34607: pages in a guest's domain were taken from the host's
test('16 (PR 260178): a domain takes away only what it has given, and the host reaches guest memory all the time', () => {
  const table = withTable(new TellingTable());
  memory.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'rwx', wired: true });
  memory.map({ segment: rom, gpa: gpa(8192), length: 4096, prot: 'r-x', wired: true });
  const device = memory.assign('nic');
  expect([memory.write(gpa(0), Uint8Array.of(1)), memory.dmaRange(0, 4096, 'write')]).not.toContain(false);
  device[Symbol.dispose]();
  expect(memory.write(gpa(1), Uint8Array.of(2))).toBe(true);
  expect([table.told, [...ram.bytes.subarray(0, 2)]]).toEqual([
    ['map ram', 'attach nic', 'detach nic', 'unmap ram'],
    [1, 2],
  ]);
});

test('17 (PR 222937): a device is quiet before its entries go, at a reset and at the end of a VM', () => {
  const table = withTable(new TellingTable());
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });
  memory.assign('nic');
  memory.reset();
  const nic = memory.assign('nic');
  memory[Symbol.dispose]();
  const life = ['map ram', 'attach nic', 'detach nic', 'unmap ram'];
  expect(table.told).toEqual([...life, ...life]);
  expect(nic.dmaRange(0, 1, 'read')).toMatchObject({ reason: 'unassigned' });
});

test('21: unmapping no bytes at 0 is EINVAL, on an empty map too', () => {
  expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: 0 }))).toBe('EINVAL');
});

// spec 22: FreeBSD sys/dev/vmm/vmm_mem.c, vm_munmap_memseg skips mappings with VM_MEMMAP_F_IOMMU
test('22: unmapping memory of an IOMMU domain is EINVAL', () => {
  const mapping = memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });
  memory.assign('nic');
  expect(codeOf(() => memory.unmap(mapping))).toBe('EINVAL');
});

test('23 (OS-6988): memory around the hole below 4 GiB costs its size, not its span', () => {
  const before = store.used;
  memory.map({ segment: ram, gpa: gpa(3 * GiB - 512 * KiB), length: 512 * KiB, prot: 'rwx' });
  memory.map({ segment: ram, gpa: gpa(4 * GiB), offset: 512 * KiB, prot: 'rwx' });
  expect(store.used - before).toBeLessThanOrEqual(2 * 4096); // A leaf of the flat view for each piece.
});

test('24 (illumos #13008): a part of devmem can be read and written without asking for all of it', () => {
  rom.write(12_345, Uint8Array.of(7));
  const byte = new Uint8Array(1);
  rom.read(12_345, byte);
  expect(byte[0]).toBe(7);
});

test('25 (illumos): there is no partial unmap', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: MiB / 2 }))).toBe('EINVAL');
});

test('26: a guest write to ROM is refused as a value, and the ROM keeps its bytes', () => {
  rom.write(0, Uint8Array.of(1));
  memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
  expect([memory.write(gpa(0xffff_0000), Uint8Array.of(2)), rom.bytes[0]]).toEqual([false, 1]);
});

test('27: over a reset devmem keeps bytes and id, loses its mapping, and can be mapped again', () => {
  rom.write(0, Uint8Array.of(9));
  memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
  memory.reset();
  expect([memory.segment('bootrom')?.id, rom.bytes[0], memory.at(gpa(0xffff_0000))]).toEqual([1, 9, undefined]);
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' }))).toBe('accepted');
});

test('29: the address at which memory ends is not in it', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect([memory.at(gpa(MiB - 1))?.segment, memory.at(gpa(MiB))]).toEqual([ram, undefined]);
});

test('30: the same mapping with another length is not taken for the same', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  expect(codeOf(() => memory.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'rwx' }))).toBe('ENOMEM');
});

test('36: a window that could not move does not remember where to', () => {
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  const window = memory.window(rom, { prot: 'rw-' });
  expect(codeOf(() => window.moveTo(gpa(0)))).toBe('ENOMEM');
  expect([window.gpa, codeOf(() => window.hide())]).toEqual([undefined, 'accepted']);
});

test('38 and 40: a BAR sized with ~0, or put above the address width, is refused as an error with facts', () => {
  const window = memory.window(rom, { prot: 'rw-' });
  expect(codeOf(() => window.moveTo(gpa(0xffff_fff0)))).toBe('EINVAL');
  expect(codeOf(() => window.moveTo(gpa(2 ** 40)))).toBe('ENOMEM');
  expect(codeOf(() => gpa(0xffff_ffff_ffff_fff0n))).toBe('EINVAL');
});

test('41 (D52013): less than a page cannot be mapped; such a BAR is trapped', () => {
  expect(codeOf(() => memory.map({ segment: rom, gpa: gpa(0), length: 128, prot: 'rw-' }))).toBe('EINVAL');
});

test('42: a mapping in two pieces leaves the page between them to a trap', () => {
  memory.edit((edit) => {
    edit.map({ segment: rom, gpa: gpa(0xe000_0000), length: 4096, prot: 'rw-' });
    edit.map({ segment: rom, gpa: gpa(0xe000_2000), offset: 8192, prot: 'rw-' });
  });
  expect([memory.at(gpa(0xe000_1000)), memory.at(gpa(0xe000_2000))?.offset]).toEqual([undefined, 8192]);
});

test('49: two segments of one name, and names of 15 and 16 bytes', () => {
  const make = (name: string): string => codeOf(() => memory.createSegment({ name, kind: 'devmem', length: 4096 }));
  expect([make('bootrom'), make('x'.repeat(15)), make('x'.repeat(16))]).toEqual(['EEXIST', 'accepted', 'EINVAL']);
  expect([...memory.segments()]).toHaveLength(3);
});
