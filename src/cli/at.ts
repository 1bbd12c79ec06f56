import type { PlaceFacts } from '../client/index.ts';
import { upperHex } from '../machine/inspect/text-table.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { parseAddress } from './number.ts';
import { printJson, printLine } from './output.ts';

/** Both ends inclusive, as maps are usually read. */
const span = (start: number, end: number): string => `${upperHex(start)}-${upperHex(end - 1)}`;

/** `FFFFFFF0: bootrom+FFF0 (devmem), mapped r-x at FFFF0000-FFFFFFFF`. */
function sentence({ gpa, mapping, offset, gap }: PlaceFacts): string {
  if (mapping !== null) {
    const { segment, kind, prot, end } = mapping;
    const place = `${segment}+${upperHex(offset ?? 0)} (${kind})`;
    return `${upperHex(gpa)}: ${place}, mapped ${prot} at ${span(mapping.gpa, end)}`;
  }
  if (gap === null) return `${upperHex(gpa)}: behind the end of the address space`;
  return `${upperHex(gpa)}: nothing is mapped from ${upperHex(gap.start)} to ${upperHex(gap.end - 1)}`;
}

export const at: Command = {
  name: 'at',
  summary: 'say what is mapped at an address',
  operands: [NAME, { name: 'GPA', summary: 'guest-physical address in hexadecimal' }],
  options: [JSON_OPTION],
  async run(given) {
    const gpa = parseAddress(given.get('GPA') ?? '');
    const place = await withMachine(given, (machine) => machine.at(gpa));
    if (given.has('json')) await printJson(place);
    else await printLine(sentence(place));
    return STATUS.DONE;
  },
};
