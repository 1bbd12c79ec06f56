import { AssemblyError, type Position } from './assembly-error.ts';

export interface Token extends Position {
  readonly kind: 'name' | 'number' | 'string' | 'symbol' | 'end';
  /** As written; a string's without its quotes and with its escapes replaced; empty at the end of the line. */
  readonly text: string;
  readonly value: bigint;
}

const SPACE = /(?:[ \t\r]|;.*)+/y;
const NAME = /[A-Za-z_.?@][\w.?@$#~]*/y;
const NUMBER = /[0-9]\w*/y;
const STRING = /'([^']*)'|"([^"]*)"|`((?:[^`\\]|\\.)*)`/y;
const SYMBOL = /<<|>>|\$\$|[-+*/%&|^~()[\]:,$]/y;

/** Takes one line of source apart. The last token is always of kind `end`. */
export function tokens(line: string, number: number): Token[] {
  const result: Token[] = [];
  let index = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = index;
    const match = pattern.exec(line);
    if (match !== null) index = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(SPACE);
    const at = { line: number, column: index + 1 };
    if (index === line.length) return [...result, { kind: 'end', text: '', value: 0n, ...at }];
    const text = take(NUMBER) ?? take(NAME) ?? take(SYMBOL) ?? take(STRING);
    if (text === null) throw new AssemblyError('SYNTAX', at, describeStray(line[index] ?? ''));
    result.push(token(text, at));
  }
}

const describeStray = (character: string): string =>
  `'"\``.includes(character)
    ? `expected a closing ${character} on the same line`
    : `expected a name, a number, a string or an operator, found ${JSON.stringify(character)}`;

function token(match: RegExpExecArray, at: Position): Token {
  const [text, single, double, escaped] = match;
  const string = single ?? double ?? (escaped === undefined ? undefined : unescape(escaped));
  if (string !== undefined) return { kind: 'string', text: string, value: 0n, ...at };
  if (/^[0-9]/.test(text)) return { kind: 'number', text, value: numberValue(text, at), ...at };
  return { kind: /^[A-Za-z_.?@]/.test(text) ? 'name' : 'symbol', text, value: 0n, ...at };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', 0: '\0', e: '\x1b', a: '\x07', b: '\b' };

/** Only strings in backquotes have escapes, as in NASM. */
const unescape = (text: string): string =>
  text.replace(/\\(?:x([0-9A-Fa-f]{2})|(.))/g, (_, code: string | undefined, letter: string) =>
    code === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16)),
  );

/** The ways to write a number: which text is one, and the digits as BigInt takes them. */
const NUMBER_FORMATS: readonly { readonly pattern: RegExp; readonly prefix: string }[] = [
  { pattern: /^0x([0-9a-f]+)$/, prefix: '0x' },
  { pattern: /^([0-9][0-9a-f]*)h$/, prefix: '0x' },
  { pattern: /^0b([01]+)$/, prefix: '0b' },
  { pattern: /^([01]+)b$/, prefix: '0b' },
  { pattern: /^0o([0-7]+)$/, prefix: '0o' },
  { pattern: /^([0-9]+)d?$/, prefix: '' },
];

function numberValue(text: string, at: Position): bigint {
  const digits = text.toLowerCase().replaceAll('_', '');
  for (const { pattern, prefix } of NUMBER_FORMATS) {
    const match = pattern.exec(digits);
    if (match !== null) return BigInt(prefix + match[1]);
  }
  throw new AssemblyError('SYNTAX', at, `expected a number such as 10, 0x1f, 1fh or 101b, found ${text}`);
}

/** How a message names a token. */
export function describe({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the line';
  return kind === 'string' ? `the string ${JSON.stringify(text)}` : `'${text}'`;
}
