import { describe, expect, test } from 'vitest';
import { GiB, MiB, PAGE_SIZE } from '../base/units.ts';
import { checkConfig, type MachineConfig } from './config.ts';
import { HIGH_RAM_START, LOW_RAM_LIMIT, pciWindows, ramLayout } from './layout.ts';

const GOOD: MachineConfig = { name: 'vm', memory: MiB, bootRom: new Uint8Array(PAGE_SIZE) };

describe('a configuration', () => {
  test.each<[string, Partial<MachineConfig>]>([
    ['the least memory', { memory: MiB }],
    ['a page more', { memory: MiB + PAGE_SIZE }],
    ['a long name', { name: 'a'.repeat(31) }],
    ['a name of every allowed kind of character', { name: 'aZ09-_' }],
    ['the least display', { display: { width: 320, height: 200 } }],
    ['a DMA engine', { dmaEngine: { iommu: false } }],
    ['a DMA engine behind the IOMMU', { dmaEngine: { iommu: true }, wired: true }],
    ['a display that fills its memory', { display: { width: 2048, height: 2048 } }],
  ])('may have %s', (_what, part) => {
    expect(() => checkConfig({ ...GOOD, ...part })).not.toThrow();
  });

  test.each<[string, Partial<MachineConfig>, string]>([
    ['too little memory', { memory: MiB - PAGE_SIZE }, 'less than the least'],
    ['a part of a page', { memory: MiB + 1 }, 'not a multiple of 4096'],
    ['no name', { name: '' }, 'has 0 characters'],
    ['a long name', { name: 'a'.repeat(32) }, 'has 32 characters'],
    ['a dot in its name', { name: 'a.b' }, 'other than letters'],
    ['a slash in its name', { name: 'a/b' }, 'other than letters'],
    ['a DMA engine behind the IOMMU, and memory that is not wired', { dmaEngine: { iommu: true } }, 'to be wired'],
    ['a narrow display', { display: { width: 312, height: 200 } }, 'at least 320x200'],
    ['a low display', { display: { width: 320, height: 199 } }, 'at least 320x200'],
    ['an uneven display', { display: { width: 1021, height: 768 } }, 'a multiple of 8'],
    ['a display beyond its memory', { display: { width: 2056, height: 2048 } }, 'more than'],
  ])('may not have %s', (_what, part, complaint) => {
    expect(() => checkConfig({ ...GOOD, ...part })).toThrow(complaint);
  });
});

describe('the layout', () => {
  test.each([
    [MiB, MiB, 0],
    [LOW_RAM_LIMIT - PAGE_SIZE, LOW_RAM_LIMIT - PAGE_SIZE, 0],
    [LOW_RAM_LIMIT, LOW_RAM_LIMIT, 0],
    [LOW_RAM_LIMIT + PAGE_SIZE, LOW_RAM_LIMIT, PAGE_SIZE],
    [8 * GiB, LOW_RAM_LIMIT, 5 * GiB],
  ])('puts %s bytes of RAM below and above 4 GiB', (memory, below4GiB, above4GiB) => {
    expect(ramLayout(memory)).toEqual({ below4GiB, above4GiB });
  });

  test.each([MiB, 128 * MiB, LOW_RAM_LIMIT, 8 * GiB])('leaves PCI windows that touch no RAM of %s bytes', (memory) => {
    const ram = ramLayout(memory);
    for (const { start, end } of pciWindows(ram)) {
      expect(start).toBeLessThan(end);
      expect(start >= ram.below4GiB || end <= 0).toBe(true);
      expect(end <= HIGH_RAM_START || start >= HIGH_RAM_START + ram.above4GiB).toBe(true);
    }
  });
});
