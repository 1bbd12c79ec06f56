import type { GuestMemory, Mapping } from '../../memory/index.ts';

const GAP = '┄┄';

interface Box {
  readonly label: string;
  readonly address: string;
  readonly width: number;
}

function box({ segment, prot, gpa }: Mapping): Box {
  const label = `${segment.name} ${prot}`;
  const address = gpa.toString(16);
  return { label, address, width: Math.max(label.length + 2, address.length) };
}

/**
 * The memory map as a strip of named boxes in ascending order, with the address at which each begins below it. It shows
 * order and neighbourhood; widths mean nothing.
 *
 *     ┌─────────┐┄┄┌─────────────────┐┄┄┌─────────────┐
 *     │ ram rwx │  │ framebuffer rw- │  │ bootrom r-x │
 *     └─────────┘┄┄└─────────────────┘┄┄└─────────────┘
 *     0            e0000000             ffff0000
 */
export function mapStrip(memory: GuestMemory): string {
  const lines = ['', '', '', ''];
  let end: number | undefined;
  for (const mapping of memory) {
    const { label, address, width } = box(mapping);
    const gap = end === undefined || end === mapping.gpa ? '' : GAP;
    const bar = '─'.repeat(width);
    lines[0] += `${gap}┌${bar}┐`;
    lines[1] += `${' '.repeat(gap.length)}│ ${label.padEnd(width - 1)}│`;
    lines[2] += `${gap}└${bar}┘`;
    lines[3] += `${' '.repeat(gap.length)}${address.padEnd(width + 2)}`;
    end = mapping.end;
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}
