import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runFolderPath } from '../host/run-folder.ts';
import { ControlError } from './control-error.ts';
import { MachineClient } from './machine-client.ts';

const SUFFIX = '.sock';

/** The control socket of a machine of this user, by its name; a path is one already. */
export function socketOf(machine: string): string {
  return machine.includes('/') ? machine : join(runFolderPath(), `${machine}${SUFFIX}`);
}

/** Finds a running machine by its name, or by the path of its control socket, and sees whether it answers. */
export async function connect(machine: string): Promise<MachineClient> {
  const client = new MachineClient(socketOf(machine));
  try {
    await client.facts();
    return client;
  } catch (error) {
    client[Symbol.dispose]();
    if (!(error instanceof ControlError) || machine.includes('/') || error.problem !== undefined) throw error;
    throw new ControlError(error.code, `no machine '${machine}' is running (${error.message})`);
  }
}

/** Names in the run folder that may be those of running machines. */
export function machineNames(): string[] {
  try {
    return readdirSync(runFolderPath())
      .filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'))
      .map((file) => file.slice(0, -SUFFIX.length))
      .sort();
  } catch {
    return [];
  }
}
