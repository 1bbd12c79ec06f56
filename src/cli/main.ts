#!/usr/bin/env node
import { parseArguments } from './arguments.ts';
import { STATUS, type Command } from './command.ts';
import { commandHelp, overview } from './help.ts';
import { isInputError } from './input-error.ts';
import { endWithReader } from './output.ts';
import { run } from './run.ts';

/** A machine does not wait for the other verbs to load. */
async function commandCalled(name: string | undefined): Promise<Command | undefined> {
  if (name === run.name) return run;
  const { COMMANDS } = await import('./commands.ts');
  return COMMANDS.find((candidate) => candidate.name === name);
}

async function help(name: string | undefined): Promise<number> {
  const command = await commandCalled(name);
  if (name !== undefined && command === undefined) return complain(`unknown command '${name}'`);
  const { COMMANDS } = await import('./commands.ts');
  process.stdout.write(command === undefined ? overview(COMMANDS) : commandHelp(command));
  return STATUS.DONE;
}

function complain(sentence: string): number {
  process.stderr.write(`skep: ${sentence}\n`);
  return STATUS.BAD_INPUT;
}

async function carryOut(command: Command, args: readonly string[]): Promise<number> {
  // A machine ends by itself when nobody reads its output any longer.
  if (command.name !== 'run') endWithReader();
  try {
    return await command.run(parseArguments(args, command));
  } catch (error) {
    if (isInputError(error)) return complain(error.message);
    throw error;
  }
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return help(args[0]);
  const command = await commandCalled(name);
  if (command === undefined) return complain(`unknown command '${name}' ('skep help' lists them)`);
  const asked = args.slice(0, args.includes('--') ? args.indexOf('--') : args.length);
  if (asked.includes('--help') || asked.includes('-h')) return help(name);
  return carryOut(command, args);
}

// What cannot be told is not told; the status still says how it went.
process.stderr.on('error', () => undefined);
process.exitCode = await main(process.argv.slice(2));
