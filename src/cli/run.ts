import type { Given, Option } from './arguments.ts';
import { STATUS, type Command } from './command.ts';
import { machineOptions } from './run-options.ts';
import { HostError } from '../host/host-error.ts';
import type { Ending } from '../host/ending.ts';
import type { RunOptions } from '../host/run-options.ts';
import type { Stop } from '../machine/run-loop.ts';

const OPTIONS: readonly Option[] = [
  {
    name: 'name',
    value: 'NAME',
    summary: 'name of the machine; otherwise the first of skep, skep-2, skep-3 … that is free',
  },
  { name: 'memory', value: 'SIZE', default: '128M', summary: 'RAM; a number below 1048576 counts MiB' },
  {
    name: 'bootrom',
    value: 'FILE[,vars=FILE]',
    summary: "boot ROM image, and flash for UEFI's variables; without it the built-in guest runs",
  },
  {
    name: 'kernel',
    value: 'FILE',
    summary: 'kernel to start: bzImage, ELF with PVH note, multiboot; with a boot ROM, by its firmware',
  },
  { name: 'initrd', value: 'FILE[,FILE]', summary: 'its initrd, or its modules' },
  { name: 'append', value: 'TEXT', summary: 'its command line' },
  { name: 'option-rom', value: 'FILE', summary: 'option ROM image of the display' },
  { name: 'framebuffer', value: 'WxH|off', default: '1024x768', summary: 'resolution that the display prefers' },
  { name: 'serial', value: 'stdio|file:PATH|off', default: 'stdio', summary: 'where the serial port leads' },
  {
    name: 'debugcon',
    value: 'stderr|file:PATH|off',
    default: 'off',
    summary: "where the firmware's debug console leads",
  },
  { name: 'firmware-console', value: 'display|serial', default: 'display', summary: 'where SeaBIOS speaks' },
  {
    name: 'device',
    value: 'dma-engine[,iommu]',
    summary: 'a PCI device that masters the bus; needs --wire with iommu',
  },
  { name: 'no-control', summary: 'do not listen on a control socket' },
  { name: 'trace-map', summary: 'print each edit of the memory map on standard error' },
  { name: 'debug-exit', value: 'PORT', summary: 'exit device: a write of v ends the run with status (v << 1) | 1' },
  { name: 'screenshot', value: 'FILE.png', summary: 'at the end, write what the display shows' },
  { name: 'time-limit', value: 'SECONDS', summary: 'end with status 3 after this much machine time' },
  { name: 'wire', summary: "lock the guest's memory in RAM" },
  { name: 'core', summary: "put the guest's memory into core dumps of skep" },
  { name: 'no-core', summary: 'keep it out of them, as is done without either' },
  { name: 'deterministic', summary: 'let time be the number of instructions: a run repeats byte for byte' },
];

const STATUS_OF: Readonly<Record<Exclude<Stop, 'debug-exit'>, number>> = {
  'power-off': STATUS.DONE,
  shutdown: STATUS.GUEST_DIED,
  'time-limit': STATUS.TIME_LIMIT,
  interrupted: STATUS.INTERRUPTED,
  stopped: STATUS.DONE,
};

export const run: Command = {
  name: 'run',
  summary: 'run a machine until it powers off',
  operands: [],
  options: OPTIONS,
  run: async (given: Given) => {
    const { stop, exitStatus = STATUS.DONE } = await runUnderFreeName(machineOptions(given), given.get('name'));
    return stop === 'debug-exit' ? exitStatus & 0xff : STATUS_OF[stop];
  },
};

async function runUnderFreeName(options: Omit<RunOptions, 'name'>, wanted: string | undefined): Promise<Ending> {
  // Most verbs need no machine of their own.
  const { runMachine } = await import('../host/run-machine.ts');
  if (wanted !== undefined) return runMachine({ ...options, name: wanted });
  for (let count = 1; ; count++) {
    const name = count === 1 ? 'skep' : `skep-${count}`;
    try {
      return await runMachine({ ...options, name });
    } catch (error) {
      if (!(error instanceof HostError && error.code === 'EEXIST' && error.facts.machine === name)) throw error;
    }
  }
}
