import { AssemblyError, type Position } from './assembly-error.ts';
import type { Scope } from './expression.ts';

/** More is taken for a mistake in a `times` or an `org`. */
const MAX_LENGTH = 1 << 24;

/** What every pass begins with. */
export interface Start {
  readonly origin: bigint;
  readonly defaultSize: number;
  /** Every name that the source defines somewhere. */
  readonly names: ReadonlySet<string>;
}

/**
 * What one pass over the source has put out. Names that are defined further down have the values that they had in the
 * pass before, so passes are repeated until two agree.
 */
export class Output implements Scope {
  readonly bytes: number[] = [];
  readonly symbols: Map<string, bigint> = new Map<string, bigint>();
  /** 2, 4 or 8: what the code segment is. */
  defaultSize: number;
  origin: bigint;
  /** What `$` is: the address of the statement that is being assembled. */
  here: bigint;
  /** Some name was not known in this pass. */
  guessed = false;
  readonly #names: ReadonlySet<string>;
  readonly #before: Output | undefined;

  constructor({ origin, defaultSize, names }: Start, before: Output | undefined) {
    this.origin = origin;
    this.here = origin;
    this.defaultSize = defaultSize;
    this.#names = names;
    this.#before = before;
  }

  get address(): bigint {
    return this.origin + BigInt(this.bytes.length);
  }

  /** Whether this pass ended where the one before did, so that nothing can change any more. */
  get isSettled(): boolean {
    const before = this.#before;
    return (
      before !== undefined &&
      !this.guessed &&
      this.bytes.length === before.bytes.length &&
      [...this.symbols].every(([name, value]) => before.symbols.get(name) === value)
    );
  }

  define(name: string, value: bigint, at: Position): void {
    if (this.symbols.has(name))
      throw new AssemblyError('SYMBOL', at, `expected a new name, ${name} is defined already`);
    this.symbols.set(name, value);
  }

  value(name: string, at: Position): bigint | undefined {
    if (name === '$') return this.here;
    if (name === '$$') return this.origin;
    const value = this.symbols.get(name) ?? this.#before?.symbols.get(name);
    if (value === undefined && !this.#names.has(name))
      throw new AssemblyError('SYMBOL', at, `expected a label or constant, ${name} is not defined`);
    this.guessed ||= value === undefined;
    return value;
  }

  put(bytes: readonly number[], at: Position): void {
    if (this.bytes.length + bytes.length > MAX_LENGTH)
      throw new AssemblyError('RANGE', at, `expected at most ${MAX_LENGTH} bytes in all`);
    for (const byte of bytes) this.bytes.push(byte);
  }

  fill(length: bigint, byte: number, at: Position): void {
    if (length + BigInt(this.bytes.length) > BigInt(MAX_LENGTH))
      throw new AssemblyError('RANGE', at, `expected at most ${MAX_LENGTH} bytes in all`);
    for (let index = 0n; index < length; index++) this.bytes.push(byte);
  }
}
