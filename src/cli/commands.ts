import { at } from './at.ts';
import { bhyvectl } from './bhyvectl.ts';
import type { Command } from './command.ts';
import { completion } from './completion.ts';
import { consoleCommand } from './console.ts';
import { list } from './list.ts';
import { memmap } from './memmap.ts';
import { memseg } from './memseg.ts';
import { pause } from './pause.ts';
import { powerButton } from './power-button.ts';
import { read } from './read.ts';
import { reset } from './reset.ts';
import { resume } from './resume.ts';
import { run } from './run.ts';
import { screenshot } from './screenshot.ts';
import { stop } from './stop.ts';
import { watchMap } from './watch-map.ts';
import { write } from './write.ts';

/** Every verb, in the order in which `skep help` lists them. Help, completion and the test of the man pages read it too. */
export const COMMANDS: readonly Command[] = [
  run,
  list,
  memmap,
  memseg,
  at,
  read,
  write,
  watchMap,
  screenshot,
  consoleCommand,
  pause,
  resume,
  reset,
  powerButton,
  stop,
  bhyvectl,
  completion(() => COMMANDS),
];
