import { AssemblyError } from './assembly-error.ts';
import { describe, type Token } from './token.ts';

/** The tokens of one line, read from left to right. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next token, or the one `ahead` places after it. Past the end there is only the end. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.#index++;
    return token;
  }

  isSymbol(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'symbol' && token.text === text;
  }

  /** Names that are words of the language are in either case. */
  isWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'name' && token.text.toLowerCase() === word;
  }

  takeSymbol(text: string): boolean {
    const found = this.isSymbol(text);
    if (found) this.#index++;
    return found;
  }

  takeWord(word: string): boolean {
    const found = this.isWord(word);
    if (found) this.#index++;
    return found;
  }

  /** The value of the next word in a table of words, which is then taken; undefined, and nothing is, when it has none. */
  takeOneOf<Value>(table: ReadonlyMap<string, Value>): Value | undefined {
    const token = this.peek();
    const value = token.kind === 'name' ? table.get(token.text.toLowerCase()) : undefined;
    if (value !== undefined) this.#index++;
    return value;
  }

  expectSymbol(text: string, where: string): void {
    if (!this.takeSymbol(text)) this.fail(`'${text}' ${where}`);
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end') this.fail('the end of the line');
  }

  /** Fails at the next token. */
  fail(expected: string): never {
    const token = this.peek();
    throw new AssemblyError('SYNTAX', token, `expected ${expected}, found ${describe(token)}`);
  }
}
