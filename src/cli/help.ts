import { describeSyntax, describeUsage } from './arguments.ts';
import type { Command } from './command.ts';

/** What `skep help` prints: every command of the table, and what exit statuses mean. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const rows = [...commands, { name: 'help', summary: 'print this, or the options of one command' }];
  return `skep runs a PC whose guest memory is named, visible and movable.

usage: skep COMMAND [OPTION...]

${rows.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`).join('\n')}

exit status: 0 done, or the guest powered off; 1 the guest died; 2 bad input, or no such machine; 3 time limit reached;
130 interrupted
`;
}

/** What `skep help COMMAND` prints. */
export function commandHelp(command: Command): string {
  const { name, summary } = command;
  const syntax = describeSyntax(command);
  return `skep ${name}: ${summary}\n\nusage: ${`skep ${name} ${describeUsage(command)}`.trimEnd()}\n${syntax === '' ? '' : `\n${syntax}\n`}`;
}
