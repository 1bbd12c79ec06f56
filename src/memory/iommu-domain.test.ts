import { beforeEach, expect, test } from 'vitest';
import { KiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { IommuTable, Mapping, Segment } from './index.ts';

let memory: GuestMemory;
let ram: Segment;
let rom: Segment;

class RecordingTable implements IommuTable {
  readonly entries: Set<Mapping> = new Set();
  failAt: number | undefined;

  map(mapping: Mapping): void {
    if (mapping.gpa === this.failAt) throw new Error('no such entry');
    this.entries.add(mapping);
  }

  unmap(mapping: Mapping): void {
    expect(this.entries.delete(mapping)).toBe(true);
  }
}

let table: RecordingTable;

beforeEach(() => {
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 32 });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
  rom = memory.createSegment({ name: 'rom', kind: 'devmem', length: 64 * KiB });
  table = new RecordingTable();
});

function place(segment: Segment, address: number, wired: boolean): Mapping {
  return memory.map({ segment, gpa: gpa(address), prot: 'rwx', wired });
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof MemoryError) return error.code;
    throw error;
  }
  return 'accepted';
}

test('it claims wired sysmem, and neither devmem nor sysmem that is not wired', () => {
  const wired = place(ram, 0, true);
  const others = [place(ram, 0x10_0000, false), place(rom, 0x20_0000, true), place(rom, 0x30_0000, false)];
  const domain = memory.iommuDomain(table);
  expect([[...domain.claimed()], [...table.entries], wired.iommu]).toEqual([[wired], [wired], true]);
  expect(others.map((mapping) => mapping.iommu)).toEqual([false, false, false]);
});

test('it follows the map: sysmem that is mapped later is claimed too', () => {
  memory.iommuDomain(table);
  const wired = place(ram, 0, true);
  place(rom, 0x10_0000, true);
  expect([[...table.entries], wired.iommu]).toEqual([[wired], true]);
});

test('what it claims cannot be unmapped, alone, by range or in an edit: EINVAL with the mapping', () => {
  const wired = place(ram, 0, true);
  memory.iommuDomain(table);
  expect(codeOf(() => memory.unmap(wired))).toBe('EINVAL');
  expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: 64 * KiB }))).toBe('EINVAL');
  expect([[...memory], wired.iommu]).toEqual([[wired], true]);
});

test('when it ends, flags and entries go, wiring stays, and unmap works', () => {
  const wired = place(ram, 0, true);
  const domain = memory.iommuDomain(table);
  domain[Symbol.dispose]();
  domain[Symbol.dispose]();
  expect([table.entries.size, wired.iommu, wired.wired]).toEqual([0, false, true]);
  memory.unmap(wired);
  place(ram, 0, true);
  expect(table.entries.size).toBe(0);
});

test('a second one is EBUSY, but not after the first has ended (FreeBSD asserts there)', () => {
  const domain = memory.iommuDomain(table);
  expect(codeOf(() => memory.iommuDomain(new RecordingTable()))).toBe('EBUSY');
  domain[Symbol.dispose]();
  expect(codeOf(() => memory.iommuDomain(table))).toBe('accepted');
});

test('when an entry fails at first assignment, no flag, no entry and no domain is left (FreeBSD leaves them)', () => {
  const mappings = [place(ram, 0, true), place(ram, 0x10_0000, true), place(ram, 0x20_0000, true)];
  table.failAt = 0x10_0000;
  expect(() => memory.iommuDomain(table)).toThrow('no such entry');
  expect([mappings.map((mapping) => mapping.iommu), table.entries.size]).toEqual([[false, false, false], 0]);
  table.failAt = undefined;
  expect([...memory.iommuDomain(table).claimed()]).toEqual(mappings);
});

test('when an entry fails later, the edit that asked for it is undone', () => {
  memory.iommuDomain(table);
  table.failAt = 0x10_0000;
  const edit = (): void =>
    memory.edit((inner) => {
      inner.map({ segment: ram, gpa: gpa(0), prot: 'rwx', wired: true });
      inner.map({ segment: ram, gpa: gpa(0x10_0000), prot: 'rwx', wired: true });
    });
  expect(edit).toThrow('no such entry');
  expect([[...memory], table.entries.size]).toEqual([[], 0]);
});

test('an edit that another observer refuses leaves the domain as it was', () => {
  const kept = place(ram, 0, true);
  const domain = memory.iommuDomain(table);
  memory.observe(
    {
      changed() {
        throw new Error('refused');
      },
    },
    { replay: false },
  );
  expect(() => place(ram, 0x10_0000, true)).toThrow('refused');
  expect([[...domain.claimed()], [...table.entries]]).toEqual([[kept], [kept]]);
});

test('a reset ends it: no flag is left on kept RAM, and a new assignment works', () => {
  const wired = place(ram, 0, true);
  memory.iommuDomain(table);
  place(rom, 0x10_0000, false);
  memory.reset();
  expect([[...memory], wired.iommu, wired.wired, table.entries.size]).toEqual([[wired], false, true, 0]);
  expect([...memory.iommuDomain(table).claimed()]).toEqual([wired]);
});

test('the end of guest memory takes its entries away', () => {
  place(ram, 0, true);
  memory.iommuDomain(table);
  memory[Symbol.dispose]();
  expect(table.entries.size).toBe(0);
});

test('RAM above a hole and device memory below 4 GiB do not widen what it must reach', () => {
  place(ram, 0, true);
  place(rom, 0xffff_0000, false);
  expect(memory.sysmemEnd).toBe(64 * KiB);
});
