import { AssemblyError } from './assembly-error.ts';
import { Output } from './output.ts';
import { countOf, Parser, type Statement } from './statement.ts';

export interface AssembleOptions {
  /** The address of the first byte, unless the source says `org`. 0 by default. */
  readonly origin?: number;
  /** What the code is until the source says `bits`. 16 by default. */
  readonly bits?: 16 | 32 | 64;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  readonly origin: number;
  /** Labels and constants; local labels with the global label that they belong to: `main.loop`. */
  readonly labels: ReadonlyMap<string, number>;
}

/** Sources that need more passes than this chase their own tail. */
const MAX_PASSES = 64;

/**
 * Assembles source text in NASM's syntax. Every instruction comes from the opcode table. Branches and immediates are as
 * short as they can be: passes begin with everything short, and what turns out too long grows, until nothing moves.
 *
 * @throws AssemblyError with line and column, and what was expected there
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  const parser = new Parser();
  const statements = parser.parse(source);
  const start = { origin: BigInt(options.origin ?? 0), defaultSize: (options.bits ?? 16) / 8, names: parser.names };
  const floors = new Map<Statement, number>();
  let output: Output | undefined;
  let error: unknown;
  for (let count = 0; count < MAX_PASSES; count++) {
    output = new Output(start, output);
    error = pass(statements, output, floors);
    if (!output.isSettled) continue;
    if (error !== undefined) throw error;
    return finished(output);
  }
  throw error ?? new AssemblyError('RANGE', { line: 1, column: 1 }, 'expected sizes that do not depend on themselves');
}

/** Assembles everything once. An error may be due to guesses, so it is only returned, and counts in the last pass. */
function pass(statements: readonly Statement[], output: Output, floors: Map<Statement, number>): unknown {
  let error: unknown;
  for (const statement of statements) {
    try {
      repeat(statement, output, floors);
    } catch (thrown) {
      error ??= thrown;
    }
  }
  return error;
}

/** Puts a statement out as often as it says, and remembers how long it was: it may grow from pass to pass, not shrink. */
function repeat(statement: Statement, output: Output, floors: Map<Statement, number>): void {
  output.here = output.address;
  const count = countOf(statement, output);
  for (let index = 0; index < count; index++) {
    output.here = output.address;
    const length = output.bytes.length;
    statement.action(output, floors.get(statement) ?? 0);
    floors.set(statement, Math.max(floors.get(statement) ?? 0, output.bytes.length - length));
  }
}

function finished(output: Output): Assembled {
  return {
    bytes: Uint8Array.from(output.bytes),
    origin: Number(output.origin),
    labels: new Map([...output.symbols].map(([name, value]) => [name, Number(value)])),
  };
}
