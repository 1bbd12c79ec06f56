import { connect, type MachineClient } from '../client/index.ts';
import type { Given, Operand, Option } from './arguments.ts';

/** The machine that most commands are about. */
export const NAME: Operand = {
  name: 'NAME',
  summary: "name of a running machine, or a path of its control socket with a '/' in it",
  offers: 'machines',
};

export const JSON_OPTION: Option = { name: 'json', summary: 'print JSON' };

/** Does something with the machine that was named. ControlError when it is not there. */
export async function withMachine<T>(given: Given, use: (machine: MachineClient) => Promise<T>): Promise<T> {
  using machine = await connect(given.get(NAME.name) ?? '');
  return await use(machine);
}
