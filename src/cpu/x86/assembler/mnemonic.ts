import { CONDITIONS } from '../table/instructions.ts';
import { FORMS, isString, type Form } from './form.ts';

/** What a written mnemonic means: rows of the table, and what the name itself says about sizes. */
export interface Mnemonic {
  readonly forms: readonly Form[];
  readonly operandSize: number | undefined;
  readonly addressSize: number | undefined;
}

/** One name per size, 2 and 4 bytes, for rows whose name in the table says none. */
const BY_OPERAND_SIZE: Readonly<Record<string, readonly [string, string]>> = {
  cbw: ['cbw', 'cwde'],
  cwd: ['cwd', 'cdq'],
  pusha: ['pushaw', 'pushad'],
  popa: ['popaw', 'popad'],
  pushf: ['pushfw', 'pushfd'],
  popf: ['popfw', 'popfd'],
  iret: ['iretw', 'iretd'],
  ...Object.fromEntries(
    FORMS.filter((form) => isString(form) && form.operands.some(({ width }) => width === 'v' || width === 'z')).map(
      ({ instruction: { mnemonic } }) => [mnemonic, [`${mnemonic}w`, `${mnemonic}d`]],
    ),
  ),
};

/** Rows whose plain name means 16 bits, or nothing: it is not used for the mode's own size. */
const ALWAYS_SIZED = (mnemonic: string): boolean =>
  BY_OPERAND_SIZE[mnemonic]?.[1].startsWith(mnemonic) !== true ||
  FORMS.some((form) => form.instruction.mnemonic === mnemonic && isString(form));

const BY_ADDRESS_SIZE: Readonly<Record<string, readonly [string, string]>> = { jcxz: ['jcxz', 'jecxz'] };

/** Other names of the conditions (SDM volume 1, appendix B). */
const CONDITION_SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  b: ['c', 'nae'],
  ae: ['nc', 'nb'],
  e: ['z'],
  ne: ['nz'],
  be: ['na'],
  a: ['nbe'],
  p: ['pe'],
  np: ['po'],
  l: ['nge'],
  ge: ['nl'],
  le: ['ng'],
  g: ['nle'],
};

const SYNONYMS: Readonly<Record<string, string>> = {
  sal: 'shl',
  retn: 'ret',
  xlatb: 'xlat',
  fwait: 'wait',
  loopz: 'loope',
  loopnz: 'loopne',
  int1: 'icebp',
  setalc: 'salc',
  ...Object.fromEntries(
    CONDITIONS.flatMap(({ name }) =>
      (CONDITION_SYNONYMS[name] ?? []).flatMap((synonym) =>
        ['j', 'set', 'cmov'].map((stem) => [`${stem}${synonym}`, `${stem}${name}`]),
      ),
    ),
  ),
};

const MNEMONICS: ReadonlyMap<string, Mnemonic> = mnemonics();

function mnemonics(): Map<string, Mnemonic> {
  const map = new Map<string, Mnemonic>();
  // MOVSD and CMPSD are string instructions and SSE's; only the former's size is told by the name.
  const add = (name: string, { forms, operandSize, addressSize }: Mnemonic): void => {
    const known = map.get(name);
    map.set(name, {
      forms: [...(known?.forms ?? []), ...forms],
      operandSize: operandSize ?? known?.operandSize,
      addressSize: addressSize ?? known?.addressSize,
    });
  };
  for (const mnemonic of new Set(FORMS.map(({ instruction }) => instruction.mnemonic))) {
    const forms = FORMS.filter(({ instruction }) => instruction.mnemonic === mnemonic);
    if (!(mnemonic in BY_OPERAND_SIZE) || !ALWAYS_SIZED(mnemonic))
      add(mnemonic, { forms, operandSize: undefined, addressSize: undefined });
    for (const [index, name] of (BY_OPERAND_SIZE[mnemonic] ?? []).entries())
      add(name, { forms, operandSize: 2 << index, addressSize: undefined });
    for (const [index, name] of (BY_ADDRESS_SIZE[mnemonic] ?? []).entries())
      add(name, { forms, operandSize: undefined, addressSize: 2 << index });
  }
  for (const [synonym, name] of Object.entries(SYNONYMS)) {
    const known = map.get(name);
    if (known !== undefined) map.set(synonym, known);
  }
  return map;
}

/** What a lower-case mnemonic means, or undefined when it is none. */
export function mnemonic(name: string): Mnemonic | undefined {
  return MNEMONICS.get(name);
}

/** How the mnemonic of a row is written, and which sizes (in bytes) the name tells. */
export interface WrittenMnemonic {
  readonly name: string;
  readonly tellsOperandSize: boolean;
  readonly tellsAddressSize: boolean;
}

/** The name that a row has with these sizes, where `defaultSize` is that of the code segment. */
export function writtenMnemonic(
  row: string,
  operandSize: number,
  addressSize: number,
  defaultSize: number,
): WrittenMnemonic {
  const byOperand = BY_OPERAND_SIZE[row];
  const byAddress = BY_ADDRESS_SIZE[row];
  if (byOperand !== undefined) {
    const sized = ALWAYS_SIZED(row) || operandSize !== defaultSize;
    const name = sized ? byOperand[operandSize === 2 ? 0 : 1] : row;
    return { name, tellsOperandSize: true, tellsAddressSize: false };
  }
  if (byAddress !== undefined)
    return { name: byAddress[addressSize === 2 ? 0 : 1], tellsOperandSize: false, tellsAddressSize: true };
  return { name: row, tellsOperandSize: false, tellsAddressSize: false };
}
