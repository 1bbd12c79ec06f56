import type { MachineClient, MachineFacts } from '../client/index.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION, NAME, withMachine } from './machine-operand.ts';
import { printJson } from './output.ts';

/** A command that does one thing to a machine, and is silent unless asked how the machine is then. */
export function lifeCommand(
  name: string,
  summary: string,
  action: (machine: MachineClient) => Promise<MachineFacts>,
): Command {
  return {
    name,
    summary,
    operands: [NAME],
    options: [JSON_OPTION],
    async run(given) {
      const facts = await withMachine(given, action);
      if (given.has('json')) await printJson(facts);
      return STATUS.DONE;
    },
  };
}
