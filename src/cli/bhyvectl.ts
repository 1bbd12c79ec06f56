import { connect, ControlError, type MachineClient, type MappingFacts, type SegmentFacts } from '../client/index.ts';
import { ConfigError } from '../machine/config-error.ts';
import { humanLength } from '../machine/inspect/human-length.ts';
import { flagNames } from '../machine/inspect/map-table.ts';
import { upperHex } from '../machine/inspect/text-table.ts';
import { STATUS, type Command } from './command.ts';
import { print } from './output.ts';
import { stopAndWait } from './stop.ts';

/** bhyvectl's status for every failure. */
const FAILED = 1;

/** RAM has no name of its own there. */
const nameOf = (name: string, kind: string): string => (kind === 'sysmem' ? 'sysmem' : name);

/** `%-12lX%-12s%-12s%-12lX%s   %s`; a field that is too long runs into the next. Without the NUL before the flags. */
export function memmapRow({ gpa, length, segment, kind, offset, prot, ...flags }: MappingFacts): string {
  const cells = [upperHex(gpa), humanLength(length), nameOf(segment, kind), upperHex(offset)];
  return `${cells.map((cell) => cell.padEnd(12)).join('')}${prot.toUpperCase()}   ${flagNames(flags)}\n`;
}

/** `%-4d%-12s%s`. */
export function memsegRow({ id, length, name, kind }: Pick<SegmentFacts, 'id' | 'length' | 'name' | 'kind'>): string {
  return `${String(id).padEnd(4)}${humanLength(length).padEnd(12)}${nameOf(name, kind)}\n`;
}

const MEMMAP_TITLES = 'Address     Length      Segment     Offset      Prot  Flags\n';
const MEMSEG_TITLES = 'ID  Length      Name\n';

/** In the order in which bhyvectl does them, however they were given. */
const ACTIONS: readonly { option: string; summary: string; run: (machine: MachineClient) => Promise<unknown> }[] = [
  {
    option: 'get-memseg',
    summary: 'print the segments',
    run: async (machine) => print(MEMSEG_TITLES + (await machine.segments()).map(memsegRow).join('')),
  },
  {
    option: 'get-memmap',
    summary: 'print the memory map',
    run: async (machine) => print(MEMMAP_TITLES + (await machine.map()).map(memmapRow).join('')),
  },
  { option: 'force-reset', summary: 'press the reset button', run: (machine) => machine.reset() },
  { option: 'force-poweroff', summary: 'pull the plug', run: stopAndWait },
  { option: 'destroy', summary: 'pull the plug', run: stopAndWait },
];

export const bhyvectl: Command = {
  name: 'bhyvectl',
  summary: "do what scripts ask FreeBSD's bhyvectl for, and print what it prints",
  options: [
    { name: 'vm', value: 'NAME', summary: 'name of a running machine' },
    ...ACTIONS.map(({ option, summary }) => ({ name: option, summary })),
  ],
  async run(given) {
    const name = given.get('vm');
    if (name === undefined) throw new ConfigError("option '--vm' is missing: name of a running machine");
    const wanted = ACTIONS.filter(({ option }) => given.has(option));
    // Both of the last two end the machine: once is enough.
    if (given.has('force-poweroff') && given.has('destroy')) wanted.pop();
    try {
      using machine = await connect(name);
      for (const { run } of wanted) await run(machine);
      return STATUS.DONE;
    } catch (error) {
      if (!(error instanceof ControlError) || error.problem !== undefined) throw error;
      await print(`VM:${name} is not created.\n`);
      return FAILED;
    }
  },
};
