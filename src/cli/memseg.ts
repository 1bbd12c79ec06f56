import type { SegmentFacts } from '../client/index.ts';
import { humanLength } from '../machine/inspect/human-length.ts';
import { textTable, type Column } from '../machine/inspect/text-table.ts';
import { paintTable } from './colour.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { printJson, printLine } from './output.ts';

/** bhyvectl's columns, and the kind. */
const COLUMNS: readonly Column<SegmentFacts>[] = [
  { title: 'ID', width: 4, cell: ({ id }) => String(id) },
  { title: 'Length', width: 12, cell: ({ length }) => humanLength(length) },
  { title: 'Name', width: 16, cell: ({ name }) => name },
  { title: 'Kind', width: 8, cell: ({ kind }) => kind },
];

export const memseg: Command = {
  name: 'memseg',
  summary: 'print the segments, mapped or not',
  operands: [NAME],
  options: [JSON_OPTION],
  async run(given) {
    const segments = await withMachine(given, (machine) => machine.segments());
    if (given.has('json')) await printJson(segments);
    else await printLine(paintTable(textTable(COLUMNS, segments)));
    return STATUS.DONE;
  },
};
