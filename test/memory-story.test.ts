import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtInBootRom, gpa, type Machine } from '../src/index.ts';
import { MachineRun } from './machine-run.ts';

/** The section of docs/memory.md that follows one BAR write. */
const [, STORY = ''] = /^## One BAR write\n(.*?)^## /ms.exec(readFileSync('docs/memory.md', 'utf8')) ?? [];

const withoutTime = (line: string): string => line.replace(/^\S+ {2}/, '');

/** What the flat view has at an address, in the story's words. */
function flatAt({ memory }: Machine, address: number): string {
  const segment = memory.at(gpa(address))?.segment;
  const { flat } = memory;
  if (segment === undefined) return `nothing, flags ${flat.flagsAt(address)}`;
  return `${segment.name}+${flat.addressAt(address) - framebufferAddress}, flags ${flat.flagsAt(address)}`;
}

/** Store address of the framebuffer's first byte. */
let framebufferAddress = 0;

test('the story of one BAR write in docs/memory.md is what happens', async () => {
  using run = new MachineRun({ bootRom: builtInBootRom(), display: { width: 640, height: 480 } });
  const { machine } = run;
  const states: string[] = [];
  machine.memory.observe({
    changed() {
      framebufferAddress ||= machine.memory.flat.addressAt(0xe000_0000);
      states.push(`| ${flatAt(machine, 0xe000_0000)} | ${flatAt(machine, 0xc800_0000)} |`);
    },
  });
  expect(await run.run(20)).toBe('power-off');
  const told = [...STORY.matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line);
  expect(told).toEqual(run.trace.map(withoutTime));
  const table = [...STORY.matchAll(/^ +\| (before|after) (\|.*\|)$/gm)].map(([, , state]) => state);
  expect(table).toEqual(states.slice(1, 3));
});
