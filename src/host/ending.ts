import { SECOND } from '../base/units.ts';
import { mapTable } from '../machine/inspect/map-table.ts';
import { registerDump } from '../machine/inspect/register-dump.ts';
import type { Machine } from '../machine/machine.ts';
import type { Stop } from '../machine/run-loop.ts';

/** How a run ended, and what the guest told the exit device if that was how. */
export interface Ending {
  readonly stop: Stop;
  readonly exitStatus: number | undefined;
}

/** For standard error: how long it ran, and after a triple fault what the guest leaves behind. */
export function describeEnd(machine: Machine, stop: Stop): string {
  const time = `${(machine.now() / SECOND).toFixed(3)} s, ${machine.engine.instructions} instructions`;
  switch (stop) {
    case 'power-off':
      return `skep: the guest powered off after ${time}\n`;
    case 'time-limit':
      return `skep: time limit reached after ${time}\n`;
    case 'debug-exit':
      return `skep: the guest ended the run with status ${machine.exitStatus} after ${time}\n`;
    case 'interrupted':
      return `skep: interrupted after ${time}\n`;
    case 'stopped':
      return `skep: stopped after ${time}\n`;
    case 'shutdown':
      return `skep: the guest died of a triple fault after ${time}\n\n${registerDump(machine.engine)}\n\n${mapTable(machine.memory)}\n`;
  }
}
