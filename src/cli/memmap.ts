import type { MappingFacts } from '../client/index.ts';
import { mapTable, type MapRow } from '../machine/inspect/map-table.ts';
import { paintTable } from './colour.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { printJson, printLine } from './output.ts';

/** What a control socket tells of a mapping, as tables want it. */
export function mapRow({ segment, kind, ...rest }: MappingFacts): MapRow {
  return { ...rest, segment: { name: segment, kind } };
}

export const memmap: Command = {
  name: 'memmap',
  summary: 'print the memory map: what the guest sees where',
  operands: [NAME],
  options: [JSON_OPTION],
  async run(given) {
    const map = await withMachine(given, (machine) => machine.map());
    if (given.has('json')) await printJson(map);
    else await printLine(paintTable(mapTable(map.map(mapRow)).split('\n')));
    return STATUS.DONE;
  },
};
