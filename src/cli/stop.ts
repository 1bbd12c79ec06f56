import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { MachineClient, MachineFacts } from '../client/index.ts';
import type { Command } from './command.ts';
import { lifeCommand } from './life-command.ts';

/** Milliseconds for which an end is waited for, and between two looks. */
const PATIENCE = 10_000;
const STEP = 20;

/** Pulls the plug, and waits until the name can be used again. */
export async function stopAndWait(machine: MachineClient): Promise<MachineFacts> {
  const facts = await machine.stop();
  for (let waited = 0; existsSync(machine.path) && waited < PATIENCE; waited += STEP) await wait(STEP);
  return facts;
}

export const stop: Command = lifeCommand('stop', 'pull the plug: the machine ends', stopAndWait);
