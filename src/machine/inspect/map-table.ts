import { humanLength } from './human-length.ts';
import { textTable, upperHex, type Column } from './text-table.ts';

/** A mapping as a table shows it; guest memory's own, or what a control socket tells of one. */
export interface MapRow {
  readonly gpa: number;
  readonly length: number;
  readonly segment: { readonly name: string; readonly kind: string };
  readonly offset: number;
  readonly prot: string;
  readonly wired: boolean;
  readonly iommu: boolean;
}

const COLUMNS: readonly Column<MapRow>[] = [
  { title: 'Address', width: 12, cell: ({ gpa }) => upperHex(gpa) },
  { title: 'Length', width: 12, cell: ({ length }) => humanLength(length) },
  { title: 'Segment', width: 16, cell: ({ segment }) => segment.name },
  { title: 'Kind', width: 8, cell: ({ segment }) => segment.kind },
  { title: 'Offset', width: 12, cell: ({ offset }) => upperHex(offset) },
  { title: 'Prot', width: 6, cell: ({ prot }) => prot.toUpperCase() },
  { title: 'Flags', width: 6, cell: flagNames },
];

/** In bhyvectl's order. */
export function flagNames({ wired, iommu }: Pick<MapRow, 'wired' | 'iommu'>): string {
  return [...(wired ? ['wired'] : []), ...(iommu ? ['iommu'] : [])].join('/');
}

/** The memory map as a table in bhyvectl's columns, with every segment's name and kind. */
export function mapTable(mappings: Iterable<MapRow>): string {
  return textTable(COLUMNS, mappings).join('\n');
}
