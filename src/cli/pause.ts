import type { Command } from './command.ts';
import { lifeCommand } from './life-command.ts';

export const pause: Command = lifeCommand('pause', 'stop executing a guest, and its time', (machine) =>
  machine.pause(),
);
