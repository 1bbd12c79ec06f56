import { parseArgs } from 'node:util';
import { ConfigError } from '../machine/config-error.ts';

/** One option of a command: the same row parses it and prints its line of help. */
export interface Option {
  readonly name: string;
  /** What stands for its value in help; a flag has none. */
  readonly value?: string;
  readonly default?: string;
  readonly summary: string;
}

/** A word of a command that is no option, by its place. */
export interface Operand {
  /** In capitals, as help shows it; also the name by which its value is asked for. */
  readonly name: string;
  readonly optional?: boolean;
  readonly summary: string;
  /** What a shell offers for it. */
  readonly offers?: 'machines' | 'files' | readonly string[];
}

/** What a command takes. */
export interface Syntax {
  readonly operands?: readonly Operand[];
  readonly options: readonly Option[];
}

/**
 * The options and operands that were given, by name, with the defaults of options that were not. A flag that is set is
 * `'true'`.
 */
export type Given = ReadonlyMap<string, string>;

/**
 * Reads a command line by the syntax of its command. Unknown options, missing values, repeated options, missing words
 * and words too many are errors of one line.
 */
export function parseArguments(args: readonly string[], { operands = [], options }: Syntax): Given {
  const known = new Map(options.map((option) => [option.name, option]));
  const given = new Map<string, string>();
  const expected = [...operands];
  for (const token of tokenize(args, options)) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      const operand = expected.shift();
      if (operand === undefined) throw new ConfigError(`unexpected argument '${token.value}'`);
      given.set(operand.name, token.value);
      continue;
    }
    const option = known.get(token.name);
    if (option === undefined || token.rawName === `-${token.name}`) {
      throw new ConfigError(`unknown option '${token.rawName}'`);
    }
    if (given.has(token.name)) throw new ConfigError(`option '${token.rawName}' is given twice`);
    given.set(token.name, optionValue(option, token.value));
  }
  const missing = expected.find(({ optional }) => optional !== true);
  if (missing !== undefined) throw new ConfigError(`${missing.name} is missing: ${missing.summary}`);
  for (const option of options) {
    if (option.default !== undefined && !given.has(option.name)) given.set(option.name, option.default);
  }
  return given;
}

function tokenize(args: readonly string[], options: readonly Option[]) {
  return parseArgs({
    args: [...args],
    options: Object.fromEntries(
      options.map(({ name, value }) => [name, { type: value === undefined ? 'boolean' : 'string' } as const]),
    ),
    strict: false,
    tokens: true,
  }).tokens;
}

function optionValue(option: Option, value: string | undefined): string {
  if (option.value === undefined) {
    if (value !== undefined) throw new ConfigError(`option '--${option.name}' takes no value`);
    return 'true';
  }
  if (value === undefined || value === '')
    throw new ConfigError(`option '--${option.name}' needs a value: ${option.value}`);
  return value;
}

/** How a command is called: `NAME [LENGTH] [OPTION...]`. */
export function describeUsage({ operands = [], options }: Syntax): string {
  const words = operands.map(({ name, optional }) => (optional === true ? `[${name}]` : name));
  return [...words, ...(options.length > 0 ? ['[OPTION...]'] : [])].join(' ');
}

/** The help lines of a command's operands and options, in two columns. */
export function describeSyntax({ operands = [], options }: Syntax): string {
  const rows = [
    ...operands.map(({ name, summary }) => ({ left: `  ${name}`, right: summary })),
    ...options.map((option) => ({
      left: `  --${option.name}${option.value === undefined ? '' : ` ${option.value}`}`,
      right: option.summary + (option.default === undefined ? '' : ` (default ${option.default})`),
    })),
  ];
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, right }) => left.padEnd(width) + right).join('\n');
}
