import { AssemblyError, type Position } from './assembly-error.ts';
import { bytesOf, fit } from './address.ts';
import { characters } from './characters.ts';
import { encode } from './encode.ts';
import { evaluate, parseExpression, type Expression } from './expression.ts';
import { mnemonic, type Mnemonic } from './mnemonic.ts';
import { parseOperand, type Operand } from './operand.ts';
import type { Output } from './output.ts';
import { REGISTERS, SEGMENT_PREFIXES } from './register.ts';
import { tokens, type Token } from './token.ts';
import { TokenStream } from './token-stream.ts';

/** Puts out what a statement stands for, at least `floor` bytes of it if it is an instruction. */
export type Action = (output: Output, floor: number) => void;

/** One line of source. */
export interface Statement {
  readonly at: Position;
  readonly action: Action;
  /** How often: the operand of `times`. */
  readonly count: Expression | undefined;
}

/** Parses source text, keeping the last global label, which local labels belong to. */
export class Parser {
  /** Every name that the source defines, known before any has a value. */
  readonly names: Set<string> = new Set<string>();
  #global = '';

  parse(source: string): Statement[] {
    return source.split('\n').flatMap((line, index) => this.#line(new TokenStream(tokens(line, index + 1))));
  }

  #qualify = (name: string): string => (name.startsWith('.') ? this.#global + name : name);

  #line(stream: TokenStream): Statement[] {
    const at = stream.peek();
    const statements: Statement[] = [];
    const label = this.#label(stream);
    if (label !== undefined && stream.isWord('equ')) return [this.#equ(stream, label)];
    if (label !== undefined) {
      const name = this.#qualify(label.text);
      if (!label.text.startsWith('.')) this.#global = name;
      this.names.add(name);
      statements.push({ at, count: undefined, action: (output) => output.define(name, output.here, label) });
    }
    if (stream.peek().kind !== 'end') statements.push(this.#statement(stream));
    return statements;
  }

  /** A name before a colon, before `equ`, or before a word of the language while it is none itself. */
  #label(stream: TokenStream): Token | undefined {
    const token = stream.peek();
    if (token.kind !== 'name') return undefined;
    const colon = stream.isSymbol(':', 1);
    if (!colon && !stream.isWord('equ', 1) && (isWord(token) || !isWord(stream.peek(1)))) return undefined;
    if (REGISTERS.has(token.text.toLowerCase()) || isReserved(token))
      throw new AssemblyError('SYMBOL', token, `expected a label, ${token.text} is a word of the language`);
    stream.next();
    if (colon) stream.next();
    return token;
  }

  #equ(stream: TokenStream, label: Token): Statement {
    stream.next();
    const value = this.#expression(stream);
    stream.expectEnd();
    const name = this.#qualify(label.text);
    this.names.add(name);
    return {
      at: label,
      count: undefined,
      action: (output) => {
        const known = evaluate(value, output);
        if (known !== undefined) output.define(name, known, label);
      },
    };
  }

  #statement(stream: TokenStream): Statement {
    const { line, column } = stream.peek();
    const count = stream.takeWord('times') ? this.#expression(stream) : undefined;
    const bracketed = stream.isSymbol('[') && stream.takeSymbol('[');
    const word = stream.peek();
    const directive = stream.takeOneOf(DIRECTIVES);
    const action = directive?.(stream, this.#qualify, word) ?? parseInstruction(stream, this.#qualify);
    if (bracketed) stream.expectSymbol(']', 'to close the directive');
    stream.expectEnd();
    return { at: { line, column }, count, action };
  }

  #expression(stream: TokenStream): Expression {
    return parseExpression(stream, this.#qualify);
  }
}

const isReserved = ({ text }: Token): boolean => DIRECTIVES.has(text.toLowerCase()) || text.toLowerCase() === 'times';

const isWord = (token: Token): boolean =>
  token.kind === 'name' &&
  (isReserved(token) || PREFIXES.has(token.text.toLowerCase()) || mnemonic(token.text.toLowerCase()) !== undefined);

type Directive = (stream: TokenStream, qualify: (name: string) => string, word: Token) => Action;

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ['db', data(1)],
  ['dw', data(2)],
  ['dd', data(4)],
  ['dq', data(8)],
  ['resb', reserve(1)],
  ['resw', reserve(2)],
  ['resd', reserve(4)],
  ['align', align],
  ['org', org],
  ['bits', bits],
  ['use16', () => (output) => void (output.defaultSize = 2)],
  ['use32', () => (output) => void (output.defaultSize = 4)],
  ['use64', () => (output) => void (output.defaultSize = 8)],
]);

/** `db 1, 'text', label`: numbers of one size, and strings filled up to a multiple of it. */
function data(size: number): Directive {
  return (stream, qualify) => {
    const items: ((output: Output) => number[])[] = [];
    do items.push(dataItem(stream, qualify, size));
    while (stream.takeSymbol(','));
    return (output) => {
      for (const item of items) output.put(item(output), { line: 0, column: 0 });
    };
  };
}

function dataItem(stream: TokenStream, qualify: (name: string) => string, size: number): (output: Output) => number[] {
  const token = stream.peek();
  const isAlone = stream.isSymbol(',', 1) || stream.peek(1).kind === 'end';
  if (token.kind === 'string' && isAlone) {
    stream.next();
    const bytes = characters(token.text);
    while (bytes.length % size !== 0) bytes.push(0);
    return () => bytes;
  }
  const value = parseExpression(stream, qualify);
  return (output) => bytesOf(fit(evaluate(value, output) ?? 0n, size, value.at), size);
}

/** `resb 16`: zeroes. */
function reserve(size: number): Directive {
  return (stream, qualify, word) => {
    const count = parseExpression(stream, qualify);
    return (output) => output.fill(natural(count, output, 'a number of items') * BigInt(size), 0, word);
  };
}

/** The byte after a comma, else the usual one. */
function optionalFill(
  stream: TokenStream,
  qualify: (name: string) => string,
  usual: number,
): (output: Output) => number {
  if (!stream.takeSymbol(',')) return () => usual;
  stream.takeWord('db');
  const value = parseExpression(stream, qualify);
  return (output) => bytesOf(fit(evaluate(value, output) ?? 0n, 1, value.at), 1)[0] ?? 0;
}

const NOP = 0x90;

/** `align 16`, `align 16, 0`: up to the next multiple, with NOPs unless another byte is given. */
function align(stream: TokenStream, qualify: (name: string) => string, word: Token): Action {
  const multiple = parseExpression(stream, qualify);
  const fill = optionalFill(stream, qualify, NOP);
  return (output) => {
    const size = natural(multiple, output, 'an alignment') || 1n;
    output.fill((size - (output.address % size)) % size, fill(output), word);
  };
}

/** `org 0x7c00` says where the bytes will be; a later one goes on at a higher address: `org 0xfff0`, `org 0xfff0, 0xff`. */
function org(stream: TokenStream, qualify: (name: string) => string, word: Token): Action {
  const target = parseExpression(stream, qualify);
  const fill = optionalFill(stream, qualify, 0);
  return (output) => {
    const address = natural(target, output, 'an address');
    if (output.bytes.length === 0) output.origin = address;
    if (address < output.address && !output.guessed)
      throw new AssemblyError('RANGE', target.at, `expected an address from 0x${output.address.toString(16)} on`);
    output.fill(address - output.address, fill(output), word);
  };
}

/** `bits 16`, `bits 32`, `bits 64`. */
function bits(stream: TokenStream): Action {
  const size = { 16: 2, 32: 4, 64: 8 }[stream.peek().text];
  if (size === undefined) stream.fail('16, 32 or 64');
  stream.next();
  return (output) => void (output.defaultSize = size);
}

/** A value that must not be negative once everything is known. */
function natural(expression: Expression, output: Output, what: string): bigint {
  const value = evaluate(expression, output) ?? 0n;
  if (value < 0n)
    throw new AssemblyError('RANGE', expression.at, `expected ${what} that is not negative, found ${value}`);
  return value;
}

/** How often a statement is put out. */
export function countOf({ count }: Statement, output: Output): number {
  return count === undefined ? 1 : Number(natural(count, output, 'a number of times'));
}

interface Prefix {
  readonly byte?: number;
  readonly operandSize?: number;
  readonly addressSize?: number;
}

const PREFIXES: ReadonlyMap<string, Prefix> = new Map<string, Prefix>([
  ['lock', { byte: 0xf0 }],
  ['rep', { byte: 0xf3 }],
  ['repe', { byte: 0xf3 }],
  ['repz', { byte: 0xf3 }],
  ['repne', { byte: 0xf2 }],
  ['repnz', { byte: 0xf2 }],
  ...SEGMENT_PREFIXES.map((byte, number): [string, Prefix] => [
    [...REGISTERS.values()].find((r) => r.kind === 'segment' && r.number === number)?.name ?? '',
    { byte },
  ]),
  ['o16', { operandSize: 2 }],
  ['o32', { operandSize: 4 }],
  ['o64', { operandSize: 8 }],
  ['a16', { addressSize: 2 }],
  ['a32', { addressSize: 4 }],
  ['a64', { addressSize: 8 }],
]);

/** Prefixes, a mnemonic and operands. Prefixes alone are put out as they are. */
function parseInstruction(stream: TokenStream, qualify: (name: string) => string): Action {
  const start = stream.peek();
  const prefixes: Prefix[] = [];
  for (let prefix = stream.takeOneOf(PREFIXES); prefix !== undefined; prefix = stream.takeOneOf(PREFIXES))
    prefixes.push(prefix);
  const bytes = prefixes.flatMap(({ byte }) => byte ?? []);
  if (bytes.length > 0 && stream.peek().kind === 'end') return (output) => output.put(bytes, start);
  const at = stream.peek();
  const name = at.text.toLowerCase();
  const known = at.kind === 'name' ? mnemonic(name) : undefined;
  if (known === undefined) stream.fail('an instruction or directive');
  stream.next();
  const operands = parseOperands(stream, qualify);
  const sizes = Object.assign({}, ...prefixes) as Prefix;
  const meant = farForm(name, known, operands);
  return (output, floor) =>
    output.put(
      encode(
        {
          name,
          mnemonic: meant,
          operands,
          prefixes: bytes,
          operandSize: sizes.operandSize,
          addressSize: sizes.addressSize,
          defaultSize: output.defaultSize,
          at,
          address: output.address,
          scope: output,
        },
        floor,
      ),
      at,
    );
}

function parseOperands(stream: TokenStream, qualify: (name: string) => string): Operand[] {
  if (stream.peek().kind === 'end') return [];
  const operands = [parseOperand(stream, qualify)];
  while (stream.takeSymbol(',')) operands.push(parseOperand(stream, qualify));
  return operands;
}

/** `jmp far [x]` and `jmp 8:x` are the far rows, which have names of their own in the table. */
function farForm(name: string, known: Mnemonic, [operand]: readonly Operand[]): Mnemonic {
  const isFar = operand?.kind === 'far' || operand?.words.far === true;
  return (isFar ? mnemonic(`${name}f`) : undefined) ?? known;
}
