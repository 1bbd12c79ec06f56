/**
 * One row of the opcode table. The table is the single source of every fact about the instruction set: the decoder's
 * data, the assembler, the disassembler, the flag model of the tests and the documentation are all made from it.
 *
 * `encoding` is Intel's notation (SDM volume 2, section 3.1.1.1): opcode bytes in hexadecimal, `/r` or `/0`-`/7` for a
 * ModRM byte, `+r` for a register in the low three bits of the opcode, `+cc` for a condition there. A leading `66`,
 * `F3` or `F2` is a mandatory prefix, and `NP` says that there must be none of the three. A byte after the opcode is the
 * whole ModRM byte, with `+i` for an x87 stack register in its low three bits; it goes before a row with `/`, whose
 * operand is then memory. `VEX` before all says that the rest stands behind a VEX prefix, which implies prefix and map.
 * Immediates are implied by the operands.
 *
 * Operands are Intel's codes (SDM volume 2, appendix A.2). The letter says where it is:
 *
 *     E  register or memory by ModRM       M  memory only       R  register only (ModRM.rm)
 *     G  register by ModRM.reg             Z  register in the opcode byte (`+r`)
 *     S  segment register by ModRM.reg     C  control register  D  debug register
 *     I  immediate                         J  relative branch   A  far pointer in the instruction
 *     O  memory at an absolute offset      X  DS:rSI            Y  ES:rDI
 *     B  register by VEX.vvvv
 *     P  MMX register by ModRM.reg         Q  MMX or memory     N  MMX register by ModRM.rm
 *     V  XMM register by ModRM.reg         W  XMM or memory     U  XMM register by ModRM.rm
 *
 * and the second letter how wide it is:
 *
 *     b  1 byte       w  2 bytes       d  4 bytes       q  8 bytes
 *     v  operand size (2, 4, 8)        z  2, or 4 for operand sizes 4 and 8     y  4, or 8 in 64-bit operand size
 *     p  far pointer: 2 + operand size                  a  pair for BOUND       s  6- or 10-byte table register
 *     bs a byte, sign-extended to the operand size      n  natural width (4, or 8 in 64-bit mode)
 *     t  10 bytes                                       ss, sd  the lowest single (4) or double (8)
 *     dq, ps, pd  16 bytes, which must be aligned       u  16 bytes at any address
 *
 * Anything else is literal: `AL`, `CL`, `DX`, `1`, `ES`, `ST0`, `STi`; `rAX` is AX, EAX or RAX by operand size.
 */
export interface Instruction {
  readonly encoding: string;
  readonly mnemonic: string;
  readonly operands: readonly string[];
  /** The routine that executes it. Rows with one handler differ only in their operands. */
  readonly handler: string;
  readonly flags: FlagEffects;
  readonly traits: ReadonlySet<Trait>;
}

/** Each a set of letters of `oszapc` (the arithmetic flags) and `d`, `i`, `t`, `n` (DF, IF, TF, NT and the like). */
export interface FlagEffects {
  readonly reads: string;
  readonly writes: string;
  /** Left undefined by the manual: a comparison with a real processor ignores them. */
  readonly undefined: string;
}

export type Trait =
  /** LOCK is allowed when the destination is memory; elsewhere it raises #UD. */
  | 'lock'
  /** Raises #UD in real and virtual-8086 mode. */
  | 'protected'
  /** Raises #GP(0) unless CPL is 0. */
  | 'privileged'
  /** The last instruction of a block: transfers control, or changes what the next instruction means. */
  | 'end'
  /** F3 and F2 repeat it while rCX is not zero. */
  | 'rep'
  /** F3 and F2 repeat it while also ZF is 1 or 0. */
  | 'repz'
  /** Does not exist in 64-bit mode. */
  | 'no64'
  /** Exists in 64-bit mode only. */
  | 'only64'
  /** Its operand size is 64 in 64-bit mode without REX.W. */
  | 'default64'
  /** Its operand size is 64 in 64-bit mode, whatever the prefixes say. */
  | 'force64'
  /** Raises #UD when ModRM names memory. */
  | 'register';

/**
 * Builds a row. `syntax` is the mnemonic and its operands, `effects` a list of `r=cz` (reads), `w=oszapc` (writes) and
 * `u=a` (undefined) words mixed with traits, and `handler=NAME` where it is not the mnemonic.
 */
export function instruction(encoding: string, syntax: string, effects = ''): Instruction {
  const [mnemonic = '', operands = ''] = syntax.split(' ');
  const words = effects.split(' ').filter((word) => word !== '');
  const valueOf = (key: string): string =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  return {
    encoding,
    mnemonic,
    operands: operands === '' ? [] : operands.split(','),
    handler: valueOf('handler') || mnemonic,
    flags: { reads: valueOf('r'), writes: valueOf('w'), undefined: valueOf('u') },
    traits: new Set(words.filter((word) => !word.includes('=')) as Trait[]),
  };
}
