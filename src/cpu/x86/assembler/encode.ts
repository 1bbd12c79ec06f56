import { AssemblyError, type Position } from './assembly-error.ts';
import { bytesOf, encodeAddress, fit, sum, type EncodedAddress } from './address.ts';
import { evaluate, type Expression, type Scope } from './expression.ts';
import {
  formOf,
  isVector,
  isEscape,
  isFarTransfer,
  isString,
  memoryWidth,
  widthInBytes,
  type Form,
  type OperandForm,
} from './form.ts';
import type { Mnemonic } from './mnemonic.ts';
import type { Operand } from './operand.ts';
import { SEGMENT_PREFIXES, type Register } from './register.ts';

/** One instruction as it is written, with what it stands in. */
export interface Request {
  readonly name: string;
  readonly mnemonic: Mnemonic;
  readonly operands: readonly Operand[];
  /** Prefix bytes in the order written, without operand and address size. */
  readonly prefixes: readonly number[];
  /** In bytes; from `o16`, `a32` and the like. */
  readonly operandSize: number | undefined;
  readonly addressSize: number | undefined;
  /** 2, 4 or 8: what the code segment is. */
  readonly defaultSize: number;
  readonly at: Position;
  readonly address: bigint;
  readonly scope: Scope;
}

/** A form that takes the operands as they are shaped, in one operand size. */
interface Candidate {
  readonly form: Form;
  readonly operandSize: number;
  readonly operands: readonly Operand[];
}

/** The shortest bytes for an instruction that are not shorter than `floor`, or the longest when all are. */
export function encode(request: Request, floor: number): number[] {
  const candidates = settleSize(request, candidatesOf(request));
  let error: unknown;
  const encodings: number[][] = [];
  for (const candidate of candidates) {
    try {
      const bytes = emit(request, candidate);
      if (bytes !== undefined) encodings.push(bytes);
    } catch (thrown) {
      error ??= thrown;
    }
  }
  encodings.sort((a, b) => a.length - b.length);
  const chosen = encodings.find(({ length }) => length >= floor) ?? encodings.at(-1);
  if (chosen === undefined) throw error ?? new AssemblyError('OPERANDS', request.at, expectation(request));
  return chosen;
}

/** Operands of these may be written in either order. */
const COMMUTATIVE: ReadonlySet<string> = new Set(['test', 'xchg']);

function candidatesOf(request: Request): Candidate[] {
  const { operands } = request;
  const orders = [operands];
  if (COMMUTATIVE.has(request.name) && operands.length === 2) orders.push([...operands].reverse());
  // IMUL with a register and an immediate is short for the form that names the register twice.
  if (request.name === 'imul' && operands.length === 2 && operands[1]?.kind === 'immediate')
    orders.push([operands[0] as Operand, ...operands]);
  if ((request.name === 'aam' || request.name === 'aad') && operands.length === 0) orders.push([TEN(request.at)]);
  return request.mnemonic.forms.flatMap((form) =>
    operandSizes(form, request).flatMap((operandSize) =>
      orders
        .map((order): Candidate => ({ form, operandSize, operands: order }))
        .filter((candidate) => takes(candidate, request)),
    ),
  );
}

const TEN = (at: Position): Operand => ({
  kind: 'immediate',
  value: { kind: 'number', value: 10n, at },
  at,
  words: { size: undefined, strict: false, far: false, distance: undefined },
});

const SIZED_WIDTHS = 'vzpa bs';

/** The operand sizes, in bytes, that a form can have here. */
function operandSizes(form: Form, { operandSize, mnemonic, defaultSize }: Request): number[] {
  const { traits } = form.instruction;
  if (traits.has(defaultSize === 8 ? 'no64' : 'only64')) return [];
  if (defaultSize === 8 && traits.has('force64')) return [8];
  // MOVSD and CMPSD are names of string instructions and of vector ones.
  const said = operandSize ?? (isVector(form) ? undefined : mnemonic.operandSize);
  if (said !== undefined) return [said];
  if (form.operands.some(({ width }) => width === 'y')) return defaultSize === 8 ? [4, 8] : [4];
  const sized = form.operands.some(({ width }) => width !== '' && SIZED_WIDTHS.includes(width));
  if (defaultSize !== 8) return sized ? [defaultSize, 6 - defaultSize] : [defaultSize];
  const natural = traits.has('default64') ? 8 : 4;
  return sized ? [natural, natural === 8 ? 2 : 8, ...(natural === 4 ? [2] : [])] : [natural];
}

/** Whether the operands have the kinds, and where it shows the sizes, that the form wants. */
function takes({ form, operandSize, operands }: Candidate, { scope, mnemonic, defaultSize }: Request): boolean {
  if (defaultSize !== 8 && operands.some(is64BitOnly)) return false;
  if (isString(form)) return operands.length === 0 && (mnemonic.operandSize !== undefined) === !isByteString(form);
  if (isEscape(form)) return operands.length === 2 && takesEscape(form, operands, scope);
  if (operands.length !== form.operands.length) return false;
  return form.operands.every((wanted, index) =>
    TAKES[wanted.place](wanted, operands[index] as Operand, { form, operandSize, scope }),
  );
}

/** Registers that only a REX prefix names. */
const is64BitOnly = (operand: Operand): boolean =>
  operand.kind === 'register' &&
  (operand.register.number > 7 ||
    operand.register.rex === 'needed' ||
    (operand.register.kind === 'general' && operand.register.size === 8));

const isByteString = ({ operands }: Form): boolean =>
  operands.some(({ place, width }) => 'XY'.includes(place) && width === 'b');

interface Context {
  readonly form: Form;
  readonly operandSize: number;
  readonly scope: Scope;
}

type Takes = (wanted: OperandForm, operand: Operand, context: Context) => boolean;

const isGeneral: Takes = ({ width }, operand, { operandSize }) =>
  operand.kind === 'register' &&
  operand.register.kind === 'general' &&
  operand.register.size === (width === 'n' ? Math.max(operandSize, 4) : widthInBytes(width, operandSize));

const isOf =
  (kind: Register['kind']): Takes =>
  (_, operand) =>
    operand.kind === 'register' && operand.register.kind === kind;

const isMemory: Takes = (wanted, operand, { form, operandSize }) => {
  if (operand.kind !== 'memory') return false;
  // Only MOV to and from the accumulator has addresses of 64 bits.
  if (operand.displacementSize === 8 && wanted.place !== 'O') return false;
  const { size, far } = operand.words;
  if (far && !isFarTransfer(form)) return false;
  const width = isFarTransfer(form) ? operandSize : memoryWidth(form, wanted, operandSize);
  return size === undefined || size === width || isEscape(form);
};

const isImmediate: Takes = ({ width }, operand, { operandSize }) => {
  if (operand.kind !== 'immediate' || operand.words.distance !== undefined) return false;
  const { size, strict } = operand.words;
  if (width === 'b' || width === 'bs') {
    const shortened = size === operandSize && !strict && width === 'bs';
    return size === undefined ? !strict || width === 'b' : size === 1 || shortened;
  }
  return size === undefined || size === widthInBytes(width, operandSize) || size === operandSize;
};

const TAKES: Readonly<Record<OperandForm['place'], Takes>> = {
  E: (wanted, operand, context) => isGeneral(wanted, operand, context) || isMemory(wanted, operand, context),
  M: isMemory,
  R: isGeneral,
  G: isGeneral,
  Z: isGeneral,
  B: isGeneral,
  V: isOf('xmm'),
  U: isOf('xmm'),
  W: (wanted, operand, context) => isOf('xmm')(wanted, operand, context) || isMemory(wanted, operand, context),
  P: isOf('mmx'),
  N: isOf('mmx'),
  Q: (wanted, operand, context) => isOf('mmx')(wanted, operand, context) || isMemory(wanted, operand, context),
  ST0: (_, operand) => operand.kind === 'register' && operand.register.name === 'st0',
  STi: isOf('x87'),
  S: isOf('segment'),
  C: isOf('control'),
  D: isOf('debug'),
  I: isImmediate,
  J: ({ width }, operand) =>
    operand.kind === 'immediate' &&
    operand.words.size === undefined &&
    [undefined, width === 'b' ? 'short' : 'near'].includes(operand.words.distance),
  A: (_, operand, { operandSize }) => operand.kind === 'far' && [undefined, operandSize].includes(operand.words.size),
  O: (wanted, operand, context) => {
    if (!isMemory(wanted, operand, context) || operand.kind !== 'memory') return false;
    const { base, index } = sum(operand.address, context.scope);
    return base === undefined && index === undefined && !operand.words.strict;
  },
  X: () => false,
  Y: () => false,
  literal: ({ literal }, operand, { operandSize, scope }) => {
    if (operand.kind === 'immediate')
      return (
        literal === '1' &&
        evaluate(operand.value, scope) === 1n &&
        !operand.words.strict &&
        operand.words.size === undefined
      );
    if (operand.kind !== 'register') return false;
    const { register } = operand;
    if (literal === 'rAX') return register.kind === 'general' && register.number === 0 && register.size === operandSize;
    return register.name === literal.toLowerCase();
  },
};

/** `esc number, operand`: the number's bits 5:3 belong to the opcode, 2:0 are ModRM.reg, as Intel wrote it for the 8086. */
function takesEscape(form: Form, operands: readonly Operand[], scope: Scope): boolean {
  const [number, operand] = operands;
  const general = operand?.kind === 'register' && operand.register.kind === 'general' && operand.register.size === 4;
  return (
    number?.kind === 'immediate' &&
    Number((evaluate(number.value, scope) ?? 0n) >> 3n) === (form.opcode & 7) &&
    (general || operand?.kind === 'memory')
  );
}

/** Leaves candidates of one operand size: what an operand tells, else the mode's own. */
function settleSize(request: Request, candidates: readonly Candidate[]): readonly Candidate[] {
  const unsized = request.operands.find(
    (operand) => operand.kind === 'memory' && operand.words.size === undefined && !operand.words.far,
  );
  if (unsized !== undefined && isAmbiguous(candidates))
    throw new AssemblyError('OPERANDS', unsized.at, 'expected byte, word or dword before an operand of unknown size');
  const preferred = candidates.filter(({ form, operandSize }) => operandSize === naturalSize(form, request));
  return preferred.length > 0 ? preferred : candidates;
}

/** The operand size that needs no prefix. */
function naturalSize({ instruction: { traits } }: Form, { defaultSize }: Request): number {
  if (defaultSize !== 8) return defaultSize;
  return traits.has('default64') || traits.has('force64') ? 8 : 4;
}

/** Pushes, pops and near transfers have the mode's operand size unless something else is said. */
function isAmbiguous(candidates: readonly Candidate[]): boolean {
  const widths = new Set(
    candidates
      .filter(
        ({ form }) =>
          !form.instruction.traits.has('default64') && !form.instruction.traits.has('force64') && !isEscape(form),
      )
      .map((candidate) => widthOfMemory(candidate)),
  );
  return widths.size > 1;
}

function widthOfMemory({ form, operandSize }: Candidate): number {
  const wanted = form.operands.find(({ place }) => 'EMOWQ'.includes(place));
  return wanted === undefined ? 0 : memoryWidth(form, wanted, operandSize);
}

/** The bytes of a candidate, or undefined when a shorter field than its form's would have to be stretched. */
function emit(request: Request, { form, operandSize, operands }: Candidate): number[] | undefined {
  const memory = operands.find((operand) => operand.kind === 'memory');
  const said = request.addressSize ?? request.mnemonic.addressSize;
  const address =
    memory === undefined
      ? undefined
      : encodeAddress(
          memory,
          request.scope,
          said ?? request.defaultSize,
          form.operands.some(({ place }) => place === 'O'),
        );
  if (address !== undefined && said !== undefined && address.addressSize !== said)
    throw new AssemblyError('OPERANDS', request.at, `expected an address of ${said * 8} bits`);
  const addressSize = address?.addressSize ?? said ?? request.defaultSize;
  const wide = operandSize === 8 && naturalSize(form, request) !== 8;
  const rex = rexOf({ form, operandSize, operands }, address, wide);
  if (rex === undefined) return undefined;
  const head = [
    ...request.prefixes,
    ...(memory?.segment === undefined ? [] : [SEGMENT_PREFIXES[memory.segment.number] ?? 0]),
    ...(addressSize === request.defaultSize ? [] : [0x67]),
    ...(needs66({ form, operandSize, operands }, request) ? [0x66] : []),
    ...(form.vex
      ? vexBytes(form, operands, rex)
      : [
          ...(form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix]),
          ...(rex === 0 ? [] : [rex]),
          ...opcodeBytes(form, operands),
        ]),
  ];
  const places = form.operands.map(({ place }) => place);
  if (places.includes('O'))
    return address && [...head, ...absoluteOffset(memory as Operand & { kind: 'memory' }, request.scope, address)];
  const body = form.hasModrm ? modrmBytes(form, operands, address, request.scope) : [];
  const prefix =
    form.mandatoryPrefix || (head.includes(0x66) && needs66({ form, operandSize, operands }, request) ? 0x66 : 0);
  const selection = { prefix, modrm: body[0] ?? 0, is64: request.defaultSize === 8, vex: form.vex, rex };
  if (formOf(form.opcode + (registerInOpcode(form, operands) & 7), selection) !== form) return undefined;
  const tail = immediateBytes(request, { form, operandSize, operands }, head.length + body.length);
  if (tail === undefined) return undefined;
  const length = head.length + body.length + tail.length;
  if (address?.relative !== undefined)
    body.splice(-4, 4, ...bytesOf(fit(address.relative - request.address - BigInt(length), 4, request.at), 4));
  return [...head, ...body, ...tail];
}

/** An operand size of 2 in code of 4 and 8, or of 4 in code of 2; what no operand shows needs nothing. */
function needs66({ form, operandSize }: Candidate, request: Request): boolean {
  if (form.mandatoryPrefix === 0x66) return false;
  return operandSize !== naturalSize(form, request) && operandSize !== 8;
}

/** The REX prefix: 0 when none is due, undefined when one is but a register forbids it. */
function rexOf({ form, operands }: Candidate, address: EncodedAddress | undefined, wide: boolean): number | undefined {
  const registers = operands.flatMap((operand) => (operand.kind === 'register' ? [operand.register] : []));
  const bits =
    (wide ? 8 : 0) |
    (registerAt(form, operands, 'GCDVP') > 7 ? 4 : 0) |
    (address?.rex ?? 0) |
    (address === undefined && registerAt(form, operands, 'ERMWUQNZ') > 7 ? 1 : 0);
  const needed = bits !== 0 || registers.some(({ rex }) => rex === 'needed');
  if (!needed) return 0;
  return registers.some(({ rex }) => rex === 'forbidden') && !form.vex ? undefined : 0x40 | bits;
}

const VEX_PREFIXES: readonly number[] = [0, 0x66, 0xf3, 0xf2];
const VEX_MAPS: readonly number[] = [0, 0x0f, 0x0f38, 0x0f3a];

/** The VEX prefix, in two bytes where that is enough, and the opcode. */
function vexBytes(form: Form, operands: readonly Operand[], rex: number): number[] {
  const map = VEX_MAPS.indexOf(form.opcode >> 8);
  const vvvv = (registerAt(form, operands, 'B') ^ 15) << 3;
  const last = vvvv | VEX_PREFIXES.indexOf(form.mandatoryPrefix);
  const inverted = (~rex & 7) << 5;
  if (map === 1 && (rex & 11) === 0) return [0xc5, (inverted & 0x80) | last, form.opcode & 0xff];
  return [0xc4, inverted | map, ((rex & 8) << 4) | last, form.opcode & 0xff];
}

const opcodeBytes = (form: Form, operands: readonly Operand[]): number[] => {
  const opcode = form.opcode + (registerInOpcode(form, operands) & 7);
  const bytes = [opcode & 0xff];
  for (let rest = opcode >> 8; rest > 0; rest >>= 8) bytes.unshift(rest & 0xff);
  return bytes;
};

function registerInOpcode(form: Form, operands: readonly Operand[]): number {
  return form.registerInOpcode ? registerAt(form, operands, 'Z') : 0;
}

function registerAt(form: Form, operands: readonly Operand[], places: string): number {
  const operand = operands[form.operands.findIndex(({ place }) => place.length === 1 && places.includes(place))];
  return operand?.kind === 'register' ? operand.register.number : 0;
}

function modrmBytes(
  form: Form,
  operands: readonly Operand[],
  address: EncodedAddress | undefined,
  scope: Scope,
): number[] {
  const reg = form.extension ?? (isEscape(form) ? escapeReg(operands, scope) : registerAt(form, operands, 'GSCDVP'));
  if (form.fixedModrm !== undefined) return [form.fixedModrm.first + stackRegister(form, operands)];
  if (address !== undefined) return [address.modrm | ((reg & 7) << 3), ...address.rest];
  const rm = isEscape(form) ? registerNumber(operands[1]) : registerAt(form, operands, 'ERMWUQN');
  return [0xc0 | ((reg & 7) << 3) | (rm & 7)];
}

const stackRegister = (form: Form, operands: readonly Operand[]): number => {
  const index = form.operands.findIndex(({ place }) => place === 'STi');
  return index < 0 ? 0 : registerNumber(operands[index]);
};

const escapeReg = ([number]: readonly Operand[], scope: Scope): number =>
  number?.kind === 'immediate' ? Number(evaluate(number.value, scope) ?? 0n) & 7 : 0;

const registerNumber = (operand: Operand | undefined): number =>
  operand?.kind === 'register' ? operand.register.number : 0;

/** The address that MOV between memory and the accumulator has in place of a ModRM byte. */
function absoluteOffset(memory: Operand & { kind: 'memory' }, scope: Scope, { addressSize }: EncodedAddress): number[] {
  return bytesOf(fit(evaluate(memory.address, scope) ?? 0n, addressSize, memory.at), addressSize);
}

function immediateBytes(
  request: Request,
  { form, operandSize, operands }: Candidate,
  length: number,
): number[] | undefined {
  const result: number[] = [];
  if (isEscape(form)) return result;
  for (const [index, wanted] of form.operands.entries()) {
    const operand = operands[index];
    const bytes =
      operand?.kind === 'immediate' && wanted.place !== 'literal'
        ? immediate(request, wanted, operand, operandSize, length)
        : operand?.kind === 'far'
          ? farPointer(request.scope, operand, operandSize)
          : [];
    if (bytes === undefined) return undefined;
    result.push(...bytes);
  }
  return result;
}

const farPointer = (scope: Scope, { selector, offset }: Operand & { kind: 'far' }, size: number): number[] => [
  ...valueBytes(offset, scope, size),
  ...valueBytes(selector, scope, 2),
];

const valueBytes = (expression: Expression, scope: Scope, size: number): number[] =>
  bytesOf(fit(evaluate(expression, scope) ?? 0n, size, expression.at), size);

function immediate(
  request: Request,
  { place, width }: OperandForm,
  operand: Operand & { kind: 'immediate' },
  operandSize: number,
  length: number,
): number[] | undefined {
  const size = widthInBytes(width, operandSize);
  if (place === 'J') return displacement(request, operand, size, operandSize, length);
  const value = evaluate(operand.value, request.scope) ?? 0n;
  if (width === 'z' && operandSize === 8) return sign32(value, operand);
  if (width !== 'bs') return bytesOf(fit(value, size, operand.at), size);
  const extended = BigInt.asIntN(operandSize * 8, fit(value, operandSize, operand.at));
  return byteThatFits(extended, operand.words.size === 1, operand.at);
}

/** 32 bits that are sign-extended to 64. */
function sign32(value: bigint, { at }: Operand): number[] | undefined {
  const signed = BigInt.asIntN(64, fit(value, 8, at));
  if (signed !== BigInt.asIntN(32, signed))
    throw new AssemblyError('RANGE', at, 'expected a value of 32 bits, sign-extended to 64');
  return bytesOf(signed, 4);
}

/** A branch's displacement, counted from the end of the instruction, modulo the operand size. */
function displacement(
  { address, scope }: Request,
  operand: Operand & { kind: 'immediate' },
  size: number,
  operandSize: number,
  length: number,
): number[] | undefined {
  const next = address + BigInt(length + size);
  const distance = BigInt.asIntN(operandSize * 8, (evaluate(operand.value, scope) ?? next) - next);
  if (size > 1) return bytesOf(distance, size);
  if (distance === BigInt.asIntN(8, distance)) return bytesOf(distance, 1);
  throw new AssemblyError(
    'RANGE',
    operand.at,
    `expected a target within -128 and 127 bytes, found one ${distance} away`,
  );
}

function byteThatFits(value: bigint, required: boolean, at: Position): number[] | undefined {
  if (value === BigInt.asIntN(8, value)) return bytesOf(value, 1);
  if (!required) return undefined;
  throw new AssemblyError('RANGE', at, 'expected a value between -128 and 127');
}

const PLACE_NAMES: Readonly<Record<string, string>> = {
  E: 'register or memory',
  M: 'memory',
  R: 'register',
  G: 'register',
  Z: 'register',
  S: 'segment register',
  C: 'control register',
  D: 'debug register',
  I: 'immediate',
  J: 'label',
  A: 'selector:offset',
  O: 'memory',
  B: 'register',
  V: 'xmm register',
  W: 'xmm register or memory',
  U: 'xmm register',
  P: 'mm register',
  Q: 'mm register or memory',
  N: 'mm register',
  ST0: 'st0',
  STi: 'x87 register',
};

const describeOperand = ({ place, width, literal }: OperandForm): string => {
  if (place === 'literal') return literal === 'rAX' ? 'ax or eax' : literal.toLowerCase();
  const bits = { b: ' of 8 bits', bs: ' of 8 bits', w: ' of 16 bits' }[width as string] ?? '';
  return `${PLACE_NAMES[place]}${place === 'J' ? '' : bits}`;
};

/** What the instruction would have taken. */
function expectation({ name, mnemonic }: Request): string {
  const lists = mnemonic.forms.map((form) => (isString(form) ? '' : form.operands.map(describeOperand).join(', ')));
  const distinct = [...new Set(lists)].map((list) => (list === '' ? 'nothing' : list));
  return `expected after ${name}: ${distinct.join('; or ')}`;
}
