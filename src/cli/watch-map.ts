import type { MachineEvent, MappingFacts } from '../client/index.ts';
import { paint } from './colour.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { printLine } from './output.ts';

/** `+framebuffer e0000000-e0ffffff rw-`, as `skep run --trace-map` has it. */
function piece(sign: '+' | '-', { segment, gpa, end, prot }: MappingFacts): string {
  const text = `${sign}${segment} ${gpa.toString(16)}-${(end - 1).toString(16)} ${prot}`;
  return paint(text, sign === '+' ? 'green' : 'red');
}

function line(event: MachineEvent): string {
  const time = (event.time / 1e9).toFixed(9);
  switch (event.kind) {
    case 'map': {
      const pieces = [...event.removed.map((row) => piece('-', row)), ...event.added.map((row) => piece('+', row))];
      return `${time}  ${event.cause}:  ${pieces.join('  ')}`;
    }
    case 'reset':
      return `${time}  reset ${event.resets}`;
    case 'state':
      return `${time}  ${event.state}${event.reason === undefined ? '' : ` (${event.reason})`}`;
  }
}

export const watchMap: Command = {
  name: 'watch-map',
  summary: 'print each edit of the memory map, each reset and each pause, until the machine ends',
  operands: [NAME],
  options: [{ ...JSON_OPTION, summary: 'print JSON, a line for each' }],
  run: (given) =>
    withMachine(given, async (machine) => {
      for await (const event of machine.events())
        await printLine(given.has('json') ? JSON.stringify(event) : line(event));
      return STATUS.DONE;
    }),
};
