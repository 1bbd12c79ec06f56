import type { Command } from './command.ts';
import { lifeCommand } from './life-command.ts';

export const reset: Command = lifeCommand('reset', 'press the reset button', (machine) => machine.reset());
