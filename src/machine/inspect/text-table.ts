/** A column of a table of text. A cell that is too long runs into the next one, after a blank. */
export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row) => string;
}

/** The lines of a table, the titles first. */
export function textTable<Row>(columns: readonly Column<Row>[], rows: Iterable<Row>): string[] {
  const line = (cell: (column: Column<Row>) => string): string =>
    columns
      .map((column) => cell(column).padEnd(column.width - 1) + ' ')
      .join('')
      .trimEnd();
  return [line(({ title }) => title), ...Array.from(rows, (row) => line(({ cell }) => cell(row)))];
}

/** As addresses and offsets stand in tables. */
export const upperHex = (value: number): string => value.toString(16).toUpperCase();
