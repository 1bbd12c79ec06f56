#!/usr/bin/env node
import { describeOptions, parseOptions } from './arguments.ts';
import { STATUS, type Command } from './command.ts';
import { isInputError } from './input-error.ts';
import { run } from './run.ts';

const COMMANDS: readonly Command[] = [run];

const OVERVIEW = `skep runs a PC whose guest memory is named, visible and movable.

usage: skep COMMAND [OPTION...]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(8)}${summary}`).join('\n')}
  help    print this, or the options of one command

exit status: 0 the guest powered off, 1 the guest died, 2 bad input, 3 time limit reached, 130 interrupted;
with --debug-exit what the guest wrote there
`;

function help(name: string | undefined): number {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (name !== undefined && command === undefined) return complain(`unknown command '${name}'`);
  process.stdout.write(
    command === undefined
      ? OVERVIEW
      : `skep ${command.name}: ${command.summary}\n\nusage: skep ${command.name} [OPTION...]\n\n${describeOptions(command.options)}\n`,
  );
  return STATUS.DONE;
}

function complain(sentence: string): number {
  process.stderr.write(`skep: ${sentence}\n`);
  return STATUS.BAD_INPUT;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return help(args[0]);
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) return complain(`unknown command '${name}' ('skep help' lists them)`);
  if (args.includes('--help') || args.includes('-h')) return help(name);
  try {
    return await command.run(parseOptions(args, command.options));
  } catch (error) {
    if (isInputError(error)) return complain(error.message);
    throw error;
  }
}

process.exitCode = await main(process.argv.slice(2));
