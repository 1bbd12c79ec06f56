import { decode } from './assembler/decode.ts';
import { write } from './assembler/write.ts';
import type { Instruction } from './table/instruction.ts';

export interface DisassembleOptions {
  /** Where the first byte lies, for the targets of branches. 0 by default. */
  readonly address?: number;
  /** What the code segment is. 32 by default. */
  readonly bits?: 16 | 32 | 64;
}

export interface Disassembled {
  /** In the assembler's syntax; `db` where the bytes are no instruction. */
  readonly text: string;
  /** 1 where there is no instruction. */
  readonly length: number;
  /** The row of the opcode table, or undefined where there is no instruction. */
  readonly instruction: Instruction | undefined;
}

/** Disassembles the instruction at the start of `bytes`. */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): Disassembled {
  const defaultSize = (options.bits ?? 32) / 8;
  const decoded = decode(bytes, defaultSize);
  if (decoded === undefined) return { text: `db 0x${(bytes[0] ?? 0).toString(16)}`, length: 1, instruction: undefined };
  const text = write(decoded, { defaultSize, end: (options.address ?? 0) + decoded.length });
  return { text, length: decoded.length, instruction: decoded.form.instruction };
}
