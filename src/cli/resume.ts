import type { Command } from './command.ts';
import { lifeCommand } from './life-command.ts';

export const resume: Command = lifeCommand('resume', 'go on executing a guest', (machine) => machine.resume());
