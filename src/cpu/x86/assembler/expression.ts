import { AssemblyError, type Position } from './assembly-error.ts';
import { REGISTERS, type Register } from './register.ts';
import { characters } from './characters.ts';
import type { Token } from './token.ts';
import type { TokenStream } from './token-stream.ts';

/** A parsed expression. Registers may stand only in addresses. */
export type Expression =
  | { readonly kind: 'number'; readonly value: bigint; readonly at: Position }
  | { readonly kind: 'symbol'; readonly name: string; readonly at: Position }
  | { readonly kind: 'register'; readonly register: Register; readonly at: Position }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression; readonly at: Position }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: Position;
    };

/** What the names in an expression stand for. `$` and `$$` are names too. */
export interface Scope {
  /** Undefined while the assembler has not come across the name; a name that is nowhere throws. */
  value(name: string, at: Position): bigint | undefined;
}

/** Binary operators from loosest to tightest. */
const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']];

const BINARY: Readonly<Record<string, (left: bigint, right: bigint) => bigint>> = {
  '|': (left, right) => left | right,
  '^': (left, right) => left ^ right,
  '&': (left, right) => left & right,
  '<<': (left, right) => left << right,
  '>>': (left, right) => left >> right,
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
};

const UNARY: Readonly<Record<string, (operand: bigint) => bigint>> = {
  '+': (operand) => operand,
  '-': (operand) => -operand,
  '~': (operand) => ~operand,
};

/** Parses an expression. `qualify` gives the full name of a symbol: `.local` becomes `global.local`. */
export function parseExpression(stream: TokenStream, qualify: (name: string) => string, level = 0): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return parseUnary(stream, qualify);
  let left = parseExpression(stream, qualify, level + 1);
  for (;;) {
    const { kind, text, line, column } = stream.peek();
    if (kind !== 'symbol' || !operators.includes(text)) return left;
    stream.next();
    const right = parseExpression(stream, qualify, level + 1);
    left = { kind: 'binary', operator: text, left, right, at: { line, column } };
  }
}

function parseUnary(stream: TokenStream, qualify: (name: string) => string): Expression {
  const token = stream.peek();
  if (token.kind === 'symbol' && token.text in UNARY) {
    stream.next();
    return { kind: 'unary', operator: token.text, operand: parseUnary(stream, qualify), at: token };
  }
  if (stream.takeSymbol('(')) {
    const inner = parseExpression(stream, qualify);
    stream.expectSymbol(')', 'to close the parenthesis');
    return inner;
  }
  return parseAtom(stream, qualify);
}

function parseAtom(stream: TokenStream, qualify: (name: string) => string): Expression {
  const token = stream.peek();
  const atom = atomOf(token, qualify);
  if (atom === undefined) stream.fail('a number, a label, a string or an expression in parentheses');
  stream.next();
  return atom;
}

function atomOf(token: Token, qualify: (name: string) => string): Expression | undefined {
  const at = { line: token.line, column: token.column };
  if (token.kind === 'number') return { kind: 'number', value: token.value, at };
  if (token.kind === 'string') return { kind: 'number', value: stringValue(token), at };
  if (token.kind === 'symbol' && token.text.startsWith('$')) return { kind: 'symbol', name: token.text, at };
  if (token.kind !== 'name') return undefined;
  const register = REGISTERS.get(token.text.toLowerCase());
  return register === undefined
    ? { kind: 'symbol', name: qualify(token.text), at }
    : { kind: 'register', register, at };
}

/** A string as a number: its first character is the lowest byte. */
function stringValue(token: Token): bigint {
  const bytes = characters(token.text);
  if (bytes.length > 8) throw new AssemblyError('RANGE', token, 'expected at most 8 characters in a number');
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The value, or undefined when it depends on a name that is not known yet. */
export function evaluate(expression: Expression, scope: Scope): bigint | undefined {
  if (expression.kind === 'number') return expression.value;
  if (expression.kind === 'symbol') return scope.value(expression.name, expression.at);
  if (expression.kind === 'binary') return evaluateBinary(expression, scope);
  if (expression.kind === 'register')
    throw new AssemblyError('SYNTAX', expression.at, `expected a number, found register ${expression.register.name}`);
  const operand = evaluate(expression.operand, scope);
  return operand === undefined ? undefined : UNARY[expression.operator]?.(operand);
}

function evaluateBinary(expression: Expression & { kind: 'binary' }, scope: Scope): bigint | undefined {
  const left = evaluate(expression.left, scope);
  const right = evaluate(expression.right, scope);
  if (left === undefined || right === undefined) return undefined;
  const { operator, at } = expression;
  if ('/%'.includes(operator) && right === 0n) throw new AssemblyError('RANGE', at, 'expected a divisor other than 0');
  if ((operator === '<<' || operator === '>>') && (right < 0n || right > 64n))
    throw new AssemblyError('RANGE', at, 'expected a shift by 0 to 64 bits');
  return BINARY[operator]?.(left, right);
}
