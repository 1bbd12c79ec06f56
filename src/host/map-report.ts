import { Lifetimes } from '../base/disposable.ts';
import { KiB, MiB } from '../base/units.ts';
import { mapStrip } from '../machine/inspect/map-strip.ts';
import { mapTable } from '../machine/inspect/map-table.ts';
import { refusalLine, traceLine } from '../machine/inspect/map-trace.ts';
import type { Machine } from '../machine/machine.ts';
import type { GuestMemory } from '../memory/index.ts';
import type { GuestOutput } from './guest-output.ts';

/** One line on standard error for each edit of the map, the initial map first, and for each edit that cannot be made. */
export function traceMap(machine: Machine, output: GuestOutput): Disposable {
  const { action, memory, refusals } = machine;
  const lifetimes = new Lifetimes();
  const say = (line: string): void => {
    output.flush();
    process.stderr.write(`${line}\n`);
  };
  lifetimes.own(memory.observe({ changed: (change) => say(traceLine(machine.now(), action.describe(), change)) }));
  lifetimes.own(refusals.on((waiting) => say(refusalLine(machine.now(), action.describe(), waiting))));
  return lifetimes;
}

/** For the built-in guest: the whole map, as a table and as a strip, at the start and whenever the framebuffer moves. */
export function showMap(machine: Machine, output: GuestOutput): Disposable {
  const { memory } = machine;
  print(`${describeMachine(machine)}\n\n`, memory);
  return memory.observe(
    {
      changed({ removed, added }) {
        if (![...removed, ...added].some(({ segment }) => segment.name === 'framebuffer')) return;
        output.flush();
        print('\n', memory);
      },
    },
    { replay: false },
  );
}

function print(before: string, memory: GuestMemory): void {
  process.stdout.write(`${before}${mapTable(memory)}\n\n${mapStrip(memory)}\n\n`);
}

function describeMachine({ name, memory }: Machine): string {
  const segments = Array.from(memory.segments(), (segment) => {
    const { length } = segment;
    const size = length % MiB === 0 ? `${length / MiB} MiB` : `${length / KiB} KiB`;
    return `${segment.name} (${segment.kind}, ${size})`;
  });
  return `machine '${name}' with ${segments.join(', ')}`;
}
