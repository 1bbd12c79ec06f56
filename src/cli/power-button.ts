import type { Command } from './command.ts';
import { lifeCommand } from './life-command.ts';

export const powerButton: Command = lifeCommand(
  'power-button',
  'press the power button: a guest with ACPI shuts itself down',
  (machine) => machine.pressPowerButton(),
);
