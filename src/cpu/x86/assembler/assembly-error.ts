/** A place in the source text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type AssemblyErrorCode =
  /** The text is not of the assembler's grammar. */
  | 'SYNTAX'
  /** A name that is not defined, is defined twice, or cannot be. */
  | 'SYMBOL'
  /** No form of the instruction takes these operands. */
  | 'OPERANDS'
  /** A value that does not fit where it is to go. */
  | 'RANGE';

/** What is wrong with the source, where, and what was expected instead. */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
  readonly code: AssemblyErrorCode;
  readonly line: number;
  readonly column: number;

  constructor(code: AssemblyErrorCode, at: Position, sentence: string) {
    super(`line ${at.line}, column ${at.column}: ${sentence}`);
    this.code = code;
    this.line = at.line;
    this.column = at.column;
  }
}
