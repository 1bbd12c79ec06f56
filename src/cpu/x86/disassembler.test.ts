import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assemble } from './assembler/index.ts';
import { FORMS, type Form } from './assembler/form.ts';
import { Random } from '../../../test/random.ts';
import { disassemble } from './disassembler.ts';
import { IS_NIGHT } from '../../../test/night.ts';

/** Always the same but at night: binutils has names of its own, and a new one is not to stop somebody else's work. */
const SEED = Number(process.env['SKEP_SEED'] ?? (IS_NIGHT ? Date.now() % 1_000_000 : 1));
/** Bytes that are compared with binutils in each mode. */
const LENGTH = IS_NIGHT ? 2_000_000 : 150_000;
const MODES = [16, 32, 64] as const;

/** Random bytes among which are more of those that lead to other opcodes than chance has. */
function randomCode(seed: number): Uint8Array {
  const random = new Random(seed);
  const next = (): number =>
    random.once(12) ? random.pick([0x0f, 0x0f, 0x0f, 0x66, 0xf2, 0xf3, 0x38, 0x3a]) : random.byte();
  return Uint8Array.from({ length: LENGTH }, next);
}

const PREFIXES: readonly (readonly number[])[] = [
  [],
  [0x66],
  [0x67],
  [0x66, 0x67],
  [0x64],
  [0xf3],
  [0xf0],
  [0x3e, 0x67],
];

/** Encodings of a row: every prefix of the list, every mod and rm, and whatever comes after. */
function* encodings(form: Form, random: Random): Generator<Uint8Array> {
  const opcode = [form.opcode & 0xff];
  for (let rest = form.opcode >> 8; rest > 0; rest >>= 8) opcode.unshift(rest & 0xff);
  for (const prefixes of PREFIXES)
    for (let variant = 0; variant < (form.hasModrm ? 32 : 4); variant++) {
      const reg = form.extension ?? random.below(8);
      const register = form.registerInOpcode ? random.below(8) : 0;
      const modrm = form.hasModrm ? [((variant & 0x18) << 3) | (reg << 3) | (variant & 7)] : [];
      const tail = Array.from({ length: 14 }, () => (random.once(4) ? 0 : random.byte()));
      const mandatory = form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix];
      yield Uint8Array.from([
        ...prefixes,
        ...mandatory,
        ...opcode.slice(0, -1),
        (opcode.at(-1) ?? 0) + register,
        ...modrm,
        ...tail,
      ]);
    }
}

/** Operands of XCHG and TEST mean the same in either order. */
const canonical = (text: string): string =>
  text.replace(/\b(xchg|test) (.*), (.*)$/, (_, name: string, ...operands: string[]) =>
    [name, ...operands.slice(0, 2).sort()].join(' '),
  );

/** A 66 says nothing to a 64-bit branch and is not written: without it a target may be a byte too far for the short form. */
const mayGrow = ({ operands: [first] }: Form, bits: number): boolean => bits === 64 && first?.place === 'J';

describe('what the disassembler writes, the assembler takes', () => {
  const random = new Random(SEED);
  test.each(MODES)(`as the same instruction, for every row in %i-bit code (seed ${SEED})`, (bits) => {
    const failures: string[] = [];
    for (const form of FORMS)
      for (const bytes of encodings(form, random)) {
        const { text, length } = disassemble(bytes, { bits, address: 0x100 });
        let back: string;
        try {
          const again = assemble(text, { bits, origin: 0x100 }).bytes;
          back = disassemble(again, { bits, address: 0x100 }).text;
          if (again.length > length && !mayGrow(form, bits)) back += ` in ${again.length} bytes instead of ${length}`;
        } catch (error) {
          back = String(error);
        }
        if (canonical(back) !== canonical(text))
          failures.push(`${Buffer.from(bytes).toString('hex')} ${text} <> ${back}`);
      }
    expect(failures.slice(0, 20)).toEqual([]);
  });
});

/** Names that binutils gives otherwise, some of them only with a prefix. */
const OBJDUMP_NAMES: Readonly<Record<string, string>> = {
  int1: 'icebp',
  xlatb: 'xlat',
  movabs: 'mov',
  prefetch: 'prefetchw',
  prefetchwt1: 'prefetchw',
  wbnoinvd: 'wbinvd',
  cmpxchg16b: 'cmpxchg8b',
  fxsave64: 'fxsave',
  fxrstor64: 'fxrstor',
};

const PREFIX_WORDS =
  /^(?:(?:lock|repn?z|repne?|repe?|[ecsdfg]s|[ao](?:16|32|64)|data(?:16|32)|addr(?:16|32)|xacquire|xrelease|bnd|notrack) )+/;

/** Names that stand for an instruction and its immediate, by that. */
const PSEUDO_OPERATIONS = new Map<string, readonly [mnemonic: string, immediate: string]>([
  ...['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'].flatMap((predicate, number) =>
    ['ps', 'pd', 'ss', 'sd'].map((type) => [`cmp${predicate}${type}`, [`cmp${type}`, `0x${number}`]] as const),
  ),
  ...['lql', 'hql', 'lqh', 'hqh'].map(
    (halves, index) => [`pclmul${halves}qdq`, ['pclmulqdq', ['0x0', '0x1', '0x10', '0x11'][index] ?? '']] as const,
  ),
]);

const nameOf = (text: string): string => text.replace(PREFIX_WORDS, '').split(/[\s,(]/)[0] ?? '';

const mnemonicOf = (text: string): string => {
  const name = nameOf(text);
  return OBJDUMP_NAMES[name] ?? PSEUDO_OPERATIONS.get(name)?.[0] ?? name;
};

/**
 * Not an instruction to objdump; a WAIT, which it joins with what follows; names that later processors gave to NOPs; CR8
 * by LOCK, which is AMD's.
 */
const NOT_COMPARED = /\(bad\)|\?|wait|bnd[lsmc]|\brex\b|\bcr1\d/;
/** In 64-bit code 66 before a near branch makes it another one to AMD, and nothing to Intel; 90 with REX.W is a NOP. */
const NOT_COMPARED_64 = /^(?:(?:[c-gs]s|data16|addr32|repn?z|bnd) )*(?:j\w+w? |callw |retw|retfq|loop)|xchg +rax,rax/;

/** Whether two names differ at most in a letter for the size. Later processors gave names to some NOPs. */
const isSameName = (ours: string, theirs: string): boolean =>
  ours === theirs ||
  ours === 'nop' ||
  ours.replace(/d$/, 'q') === theirs ||
  theirs.replace(/[bwdq]$/, '') === ours ||
  ours.replace(/[bwdq]$/, '') === theirs;

/** The operands without what the two write differently: sizes, spaces, where a segment stands, index registers that are none. */
const operandsOf = (text: string): string =>
  [writtenOperands(text), PSEUDO_OPERATIONS.get(nameOf(text))?.[1] ?? []].flat().join(',');

const writtenOperands = (text: string): string =>
  (text.replace(PREFIX_WORDS, '').split(/ (.*)/)[1] ?? '')
    .replace(/ *[<#].*| *\(.*only\)/, '')
    .replace(/\bst\((\d)\)/g, 'st$1')
    .replace(/\bst\b/g, 'st0')
    .replace(/\b(?:[A-Z]+ PTR|byte|[dqto]?word|far) /gi, '')
    .replace(/\b([c-gs]s):\[/g, '[$1:')
    .replace(/(?<!\[)\b([c-gs]s):(0x[0-9a-f]+)/g, '[$1:$2]')
    .replace(/\[ds:(?=0x)/g, '[')
    .replace(/\+eiz\*\d|eiz\*\d\+?|\+0x0\b/g, '')
    .replaceAll(' ', '')
    .replace(/,1$/, ',0x1')
    // What SHA256RNDS2 has besides its operands.
    .replace(/^([^,]*,[^,]*),xmm0$/, '$1');

/** Operands that one of the two does not write, or that stand for a register that objdump knows better. */
const WITHOUT_OPERANDS =
  /^(?:fcomp?\b|fn(?:eni|disi|setpm)|movs[bwd]?$|cmps|stos|lods|scas|ins|outs|xlat|nop|aa[md]|lar|lsl|xchg|test|icebp|bswap|loop|j|call)|^mov\b.*\b[c-gs]s\b(?!:)/;

interface Line {
  readonly offset: number;
  readonly length: number;
  readonly text: string;
}

/** What objdump makes of the bytes, an entry for each instruction. */
function objdump(bytes: Uint8Array, bits: 16 | 32 | 64): Line[] {
  const directory = mkdtempSync(join(tmpdir(), 'skep-objdump-'));
  try {
    const file = join(directory, 'code.bin');
    writeFileSync(file, bytes);
    const machine = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' }[bits];
    const { stdout } = spawnSync(
      'objdump',
      ['-D', '-b', 'binary', '-m', machine, '-M', 'intel', '--insn-width=16', file],
      { encoding: 'latin1', maxBuffer: 1 << 28 },
    );
    return stdout.split('\n').flatMap((line) => {
      const [offset, hex, text] = line.split('\t');
      if (offset === undefined || hex === undefined || text === undefined) return [];
      return [{ offset: Number.parseInt(offset, 16), length: hex.trim().split(' ').length, text: text.trim() }];
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** In continuous integration a missing objdump is a failure. */
const hasObjdump = spawnSync('objdump', ['--version']).status === 0 || process.env['SKEP_TEST_EVERYTHING'] === '1';

if (hasObjdump) {
  describe('binutils and the disassembler agree', () => {
    test.each(MODES)(
      `on name, operands and length of random instructions in %i-bit code (seed ${SEED})`,
      (bits) => {
        const bytes = randomCode(SEED + bits);
        const differences: string[] = [];
        let compared = 0;
        for (const { offset, length, text } of objdump(bytes, bits)) {
          const ours = disassemble(bytes.subarray(offset, offset + 16), { bits, address: offset });
          if (ours.instruction === undefined || NOT_COMPARED.test(text) || ours.instruction.mnemonic === 'wait')
            continue;
          if (bits === 64 && NOT_COMPARED_64.test(text)) continue;
          compared++;
          // In 64-bit code the two write too much differently.
          const isWritten =
            bits !== 64 && !text.includes('[eiz') && !WITHOUT_OPERANDS.test(ours.text.replace(PREFIX_WORDS, ''));
          if (isWritten && operandsOf(ours.text) !== operandsOf(text)) differences.push(`${ours.text} <> ${text}`);
          if (ours.length !== length || !isSameName(mnemonicOf(ours.text), mnemonicOf(text)))
            differences.push(
              `${Buffer.from(bytes.subarray(offset, offset + length)).toString('hex')} ${ours.text} (${ours.length}) <> ${text} (${length})`,
            );
        }
        expect(compared).toBeGreaterThan(LENGTH / (bits === 64 ? 8 : 5));
        expect(differences.slice(0, 40)).toEqual([]);
      },
      600_000,
    );
  });
} else {
  test.skip("binutils and the disassembler agree [skipped: no objdump; 'apt-get install binutils' brings it]");
}
