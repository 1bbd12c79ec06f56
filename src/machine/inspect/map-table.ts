import type { GuestMemory, Mapping } from '../../memory/index.ts';
import { humanLength } from './human-length.ts';

const COLUMNS: readonly {
  readonly title: string;
  readonly width: number;
  readonly cell: (mapping: Mapping) => string;
}[] = [
  { title: 'Address', width: 12, cell: ({ gpa }) => upperHex(gpa) },
  { title: 'Length', width: 12, cell: ({ length }) => humanLength(length) },
  { title: 'Segment', width: 16, cell: ({ segment }) => segment.name },
  { title: 'Kind', width: 8, cell: ({ segment }) => segment.kind },
  { title: 'Offset', width: 12, cell: ({ offset }) => upperHex(offset) },
  { title: 'Prot', width: 4, cell: ({ prot }) => prot.toUpperCase() },
];

const upperHex = (value: number): string => value.toString(16).toUpperCase();

function row(cell: (column: (typeof COLUMNS)[number]) => string): string {
  return COLUMNS.map((column) => cell(column).padEnd(column.width - 1) + ' ')
    .join('')
    .trimEnd();
}

/** The memory map as a table in bhyvectl's columns, with every segment's name and kind. */
export function mapTable(memory: GuestMemory): string {
  return [row(({ title }) => title), ...Array.from(memory, (mapping) => row(({ cell }) => cell(mapping)))].join('\n');
}
