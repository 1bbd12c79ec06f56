import { describe, expect, test } from 'vitest';
import { KiB, MiB } from '../../base/units.ts';
import { gpa, GuestMemory, HeapStore } from '../../memory/index.ts';
import { mapStrip } from './map-strip.ts';
import { mapTable } from './map-table.ts';
import { traceLine } from './map-trace.ts';

function memory(): GuestMemory {
  const created = new GuestMemory({ store: new HeapStore() });
  const ram = created.createSegment({ name: 'ram', kind: 'sysmem', length: 2 * MiB });
  const rom = created.createSegment({ name: 'bootrom', kind: 'devmem', length: 64 * KiB });
  created.map({ segment: ram, gpa: gpa(0), length: MiB, prot: 'rwx' });
  created.map({ segment: ram, gpa: gpa(MiB), offset: MiB, prot: 'r-x' });
  created.map({ segment: rom, gpa: gpa(0xffff_0000), prot: 'r-x' });
  return created;
}

describe('the map as a table', () => {
  test('has a row for each mapping, ascending, in columns that line up', () => {
    using shown = memory();
    expect(mapTable(shown)).toBe(
      [
        'Address     Length      Segment         Kind    Offset      Prot  Flags',
        '0           1024KB      ram             sysmem  0           RWX',
        '100000      1024KB      ram             sysmem  100000      R-X',
        'FFFF0000    65536B      bootrom         devmem  0           R-X',
      ].join('\n'),
    );
  });

  test('keeps a blank between columns when a cell is as wide as its column', () => {
    using shown = new GuestMemory({ store: new HeapStore(), addressBits: 52 });
    const segment = shown.createSegment({ name: 'fifteen-letters', kind: 'devmem', length: 4096 });
    shown.map({ segment, gpa: gpa(0xf_ffff_ffff_f000), prot: 'rw-' });
    expect(mapTable(shown).split('\n')[1]).toBe('FFFFFFFFFF000 4096B       fifteen-letters devmem  0           RW-');
  });
});

describe('the map as a strip', () => {
  test('shows neighbours side by side and gaps as gaps', () => {
    using shown = memory();
    expect(mapStrip(shown)).toBe(
      [
        '┌─────────┐┌─────────┐┄┄┌─────────────┐',
        '│ ram rwx ││ ram r-x │  │ bootrom r-x │',
        '└─────────┘└─────────┘┄┄└─────────────┘',
        '0          100000       ffff0000',
      ].join('\n'),
    );
  });

  test('of an empty map is empty', () => {
    using shown = new GuestMemory({ store: new HeapStore() });
    expect(mapStrip(shown).trim()).toBe('');
  });
});

test('a trace line says when, why, what left and what came, ends inclusive', () => {
  using shown = memory();
  const lines: string[] = [];
  using _watching = shown.observe(
    { changed: (change) => lines.push(traceLine(1_500_000, 'pci 02.0 [10] = e0000000', change)) },
    { replay: false },
  );
  shown.edit((edit) => {
    const [, second] = [...shown];
    if (second !== undefined) edit.unmap(second);
    const rom = shown.segment('bootrom');
    if (rom !== undefined) edit.map({ segment: rom, gpa: gpa(0xe000_0000), prot: 'r--' });
  });
  expect(lines).toEqual([
    '0.001500000  pci 02.0 [10] = e0000000:  -ram 100000-1fffff r-x  +bootrom e0000000-e000ffff r--',
  ]);
});
