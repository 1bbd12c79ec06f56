import { ControlError, MachineClient, machineNames, socketOf, type MachineFacts } from '../client/index.ts';
import { humanLength } from '../machine/inspect/human-length.ts';
import { textTable, type Column } from '../machine/inspect/text-table.ts';
import { paintTable } from './colour.ts';
import { STATUS, type Command } from './command.ts';
import { JSON_OPTION } from './machine-operand.ts';
import { printJson, printLine } from './output.ts';

const COLUMNS: readonly Column<MachineFacts>[] = [
  { title: 'Name', width: 24, cell: ({ name }) => name },
  { title: 'State', width: 10, cell: ({ state }) => state },
  { title: 'Memory', width: 10, cell: ({ memory }) => humanLength(memory) },
  { title: 'PID', width: 9, cell: ({ pid }) => String(pid) },
  { title: 'Time', width: 12, cell: ({ time }) => `${(time / 1e9).toFixed(1)} s` },
];

/** Milliseconds after which a machine, stopped by a signal perhaps, counts as one that does not answer. */
const PATIENCE = 2000;

/** What a machine says of itself; nothing when nobody answers at its socket. */
async function ask(name: string): Promise<MachineFacts | undefined> {
  using machine = new MachineClient(socketOf(name), { patience: PATIENCE });
  try {
    return await machine.facts();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

async function running(): Promise<MachineFacts[]> {
  const answers = await Promise.all(machineNames().map(ask));
  return answers.filter((facts) => facts !== undefined);
}

export const list: Command = {
  name: 'list',
  summary: 'list the machines that are running',
  options: [JSON_OPTION, { name: 'names', summary: 'print names alone' }],
  async run(given) {
    const machines = await running();
    if (given.has('json')) await printJson(machines);
    else if (given.has('names')) for (const { name } of machines) await printLine(name);
    else await printLine(paintTable(textTable(COLUMNS, machines)));
    return STATUS.DONE;
  },
};
