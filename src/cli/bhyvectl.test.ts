import { describe, expect, test } from 'vitest';
import { memmapRow, memsegRow } from './bhyvectl.ts';

const GiB = 2 ** 30;
const ram = { segment: 'ram', kind: 'sysmem', prot: 'rwx', wired: false, iommu: false, end: 0 } as const;

describe("bhyvectl's memory map, of the reference's 4 GiB guest", () => {
  test.each([
    [{ ...ram, gpa: 0, length: 3 * GiB, offset: 0 }, '0           3072MB      sysmem      0           RWX   \n'],
    [
      {
        ...ram,
        segment: 'bootrom',
        kind: 'devmem',
        gpa: 0xffe0_0000,
        length: 2 << 20,
        offset: 0,
        prot: 'r-x',
      } as const,
      'FFE00000    2048KB      bootrom     0           R-X   \n',
    ],
    [
      { ...ram, gpa: 4 * GiB, length: GiB, offset: 4 * GiB },
      '100000000   1024MB      sysmem      100000000   RWX   \n',
    ],
    [
      { ...ram, gpa: 0, length: GiB, offset: 0, wired: true },
      '0           1024MB      sysmem      0           RWX   wired\n',
    ],
    [
      { ...ram, gpa: 0, length: GiB, offset: 0, wired: true, iommu: true },
      '0           1024MB      sysmem      0           RWX   wired/iommu\n',
    ],
    [
      {
        ...ram,
        segment: 'fifteen-letters',
        kind: 'devmem',
        gpa: 0xabcd_ef12_3000,
        length: 4096,
        offset: 0,
        prot: 'rw-',
      } as const,
      'ABCDEF1230004096B       fifteen-letters0           RW-   \n',
    ],
  ])('%j', (row, line) => expect(memmapRow(row)).toBe(line));
});

// spec 35: FreeBSD usr.sbin/bhyvectl/bhyvectl.c: the delimiter before the first flag is a byte of 0
test('no row of the memory map has a byte that is not printed', () => {
  for (const [wired, iommu] of [
    [false, false],
    [true, false],
    [true, true],
  ] as const) {
    expect(memmapRow({ ...ram, gpa: 0, length: GiB, offset: 0, wired, iommu })).toMatch(/^[ -~]*\n$/);
  }
});

describe("bhyvectl's segments", () => {
  test.each([
    [{ id: 0, name: 'ram', kind: 'sysmem', length: 5 * GiB, mappings: 2 } as const, '0   5120MB      sysmem\n'],
    [{ id: 1, name: 'bootrom', kind: 'devmem', length: 2 << 20, mappings: 1 } as const, '1   2048KB      bootrom\n'],
    [{ id: 8, name: 'bootrom', kind: 'devmem', length: 16 << 20, mappings: 1 } as const, '8   16384KB     bootrom\n'],
  ])('%j', (row, line) => expect(memsegRow(row)).toBe(line));
});
