import { AssemblyError, type Position } from './assembly-error.ts';
import { parseExpression, type Expression } from './expression.ts';
import type { Register } from './register.ts';
import type { TokenStream } from './token-stream.ts';

/** Words before an operand: its size in bytes, and how it is to be encoded. */
export interface Words {
  readonly size: number | undefined;
  /** Not to be shortened. */
  readonly strict: boolean;
  readonly far: boolean;
  readonly distance: 'short' | 'near' | undefined;
}

/** An operand as it is written. */
export type Operand = { readonly at: Position; readonly words: Words } & (
  | { readonly kind: 'register'; readonly register: Register }
  | { readonly kind: 'immediate'; readonly value: Expression }
  | {
      readonly kind: 'memory';
      readonly segment: Register | undefined;
      readonly displacementSize: number | undefined;
      readonly address: Expression;
    }
  | { readonly kind: 'far'; readonly selector: Expression; readonly offset: Expression }
);

/** Size words and the bytes that they stand for. */
const SIZES: ReadonlyMap<string, number> = new Map([
  ['byte', 1],
  ['word', 2],
  ['dword', 4],
  ['qword', 8],
  ['tword', 10],
  ['oword', 16],
]);

const WORDS: ReadonlyMap<string, Partial<Words>> = new Map<string, Partial<Words>>([
  ...[...SIZES].map(([word, size]): [string, Partial<Words>] => [word, { size }]),
  ['strict', { strict: true }],
  ['far', { far: true }],
  ['short', { distance: 'short' }],
  ['near', { distance: 'near' }],
]);

export function parseOperand(stream: TokenStream, qualify: (name: string) => string): Operand {
  const { line, column } = stream.peek();
  const base = { at: { line, column }, words: parseWords(stream) };
  if (stream.takeSymbol('[')) return { ...base, ...parseMemory(stream, qualify) };
  const value = parseExpression(stream, qualify);
  if (value.kind === 'register') return { ...base, kind: 'register', register: value.register };
  if (!stream.takeSymbol(':')) return { ...base, kind: 'immediate', value };
  return { ...base, kind: 'far', selector: value, offset: parseExpression(stream, qualify) };
}

function parseWords(stream: TokenStream): Words {
  let words: Words = { size: undefined, strict: false, far: false, distance: undefined };
  for (;;) {
    const word = stream.takeOneOf(WORDS);
    if (word === undefined) return words;
    words = { ...words, ...word };
  }
}

/** What stands between the brackets: `[segment:] [size of the displacement] address`. */
function parseMemory(
  stream: TokenStream,
  qualify: (name: string) => string,
): Omit<Operand & { kind: 'memory' }, 'at' | 'words'> {
  const first = parseWords(stream).size;
  let address = parseExpression(stream, qualify);
  let segment: Register | undefined;
  if (stream.takeSymbol(':')) {
    segment = segmentRegister(address);
    const size = parseWords(stream).size;
    address = parseExpression(stream, qualify);
    stream.expectSymbol(']', 'to close the address');
    return { kind: 'memory', segment, displacementSize: size ?? first, address };
  }
  stream.expectSymbol(']', 'to close the address');
  return { kind: 'memory', segment, displacementSize: first, address };
}

function segmentRegister(expression: Expression): Register {
  if (expression.kind === 'register' && expression.register.kind === 'segment') return expression.register;
  throw new AssemblyError('SYNTAX', expression.at, 'expected a segment register before the colon');
}
