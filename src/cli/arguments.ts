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

/** The options that were given, by name, with the defaults of those that were not. A flag that is set is `'true'`. */
export type Given = ReadonlyMap<string, string>;

/**
 * Reads a command line by its table of options. Unknown options, missing values, repeated options and words that are
 * no option are errors of one line.
 */
export function parseOptions(args: readonly string[], options: readonly Option[]): Given {
  const known = new Map(options.map((option) => [option.name, option]));
  const given = new Map<string, string>();
  for (const token of tokenize(args, options)) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') throw new ConfigError(`unexpected argument '${token.value}'`);
    const option = known.get(token.name);
    if (option === undefined || token.rawName === `-${token.name}`) {
      throw new ConfigError(`unknown option '${token.rawName}'`);
    }
    if (given.has(token.name)) throw new ConfigError(`option '${token.rawName}' is given twice`);
    given.set(token.name, optionValue(option, token.value));
  }
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

/** The help lines of a table of options, in two columns. */
export function describeOptions(options: readonly Option[]): string {
  const rows = options.map((option) => ({
    left: `  --${option.name}${option.value === undefined ? '' : ` ${option.value}`}`,
    right: option.summary + (option.default === undefined ? '' : ` (default ${option.default})`),
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, right }) => left.padEnd(width) + right).join('\n');
}
