import { AssemblyError, type Position } from './assembly-error.ts';
import { bytesOf, encodeAddress, fit, sum, type EncodedAddress } from './address.ts';
import { evaluate, type Expression, type Scope } from './expression.ts';
import {
  formOf,
  isFarTransfer,
  isString,
  isVector,
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
  /** 2 or 4: what the code segment makes both sizes without a prefix. */
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
  const said = operandSize ?? (isVector(form) ? undefined : mnemonic.operandSize);
  if (said !== undefined) return [said];
  if (form.operands.some(({ width }) => width === 'y')) return [isVector(form) ? defaultSize : 4];
  const sized = form.operands.some(({ width }) => width !== '' && SIZED_WIDTHS.includes(width));
  return sized ? [defaultSize, 6 - defaultSize] : [defaultSize];
}

/** Whether the operands have the kinds, and where it shows the sizes, that the form wants. */
function takes({ form, operandSize, operands }: Candidate, { scope, mnemonic }: Request): boolean {
  if (isString(form)) return operands.length === 0 && (mnemonic.operandSize !== undefined) === !isByteString(form);
  if (operands.length !== form.operands.length) return false;
  return form.operands.every((wanted, index) =>
    TAKES[wanted.place](wanted, operands[index] as Operand, { form, operandSize, scope }),
  );
}

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
  operand.register.size === widthInBytes(width, operandSize);

const isOf =
  (kind: Register['kind']): Takes =>
  (_, operand) =>
    operand.kind === 'register' && operand.register.kind === kind;

const isMemory: Takes = (wanted, operand, { form, operandSize }) => {
  if (operand.kind !== 'memory') return false;
  const { size, far } = operand.words;
  if (far && !isFarTransfer(form)) return false;
  const width = isFarTransfer(form) ? operandSize : memoryWidth(form, wanted, operandSize);
  return size === undefined || size === width || width === 0;
};

const isImmediate: Takes = ({ width }, operand, { operandSize }) => {
  if (operand.kind !== 'immediate' || operand.words.distance !== undefined) return false;
  const { size, strict } = operand.words;
  if (width === 'b' || width === 'bs') {
    const shortened = size === operandSize && !strict && width === 'bs';
    return size === undefined ? !strict || width === 'b' : size === 1 || shortened;
  }
  return size === undefined || size === widthInBytes(width, operandSize);
};

const TAKES: Readonly<Record<OperandForm['place'], Takes>> = {
  E: (wanted, operand, context) => isGeneral(wanted, operand, context) || isMemory(wanted, operand, context),
  M: isMemory,
  R: isGeneral,
  G: isGeneral,
  Z: isGeneral,
  S: isOf('segment'),
  C: isOf('control'),
  D: isOf('debug'),
  F: isOf('float'),
  P: isOf('mmx'),
  N: isOf('mmx'),
  V: isOf('xmm'),
  U: isOf('xmm'),
  Q: (wanted, operand, context) => isOf('mmx')(wanted, operand, context) || isMemory(wanted, operand, context),
  W: (wanted, operand, context) => isOf('xmm')(wanted, operand, context) || isMemory(wanted, operand, context),
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

/** Leaves candidates of one operand size: what an operand tells, else the mode's own. */
function settleSize(request: Request, candidates: readonly Candidate[]): readonly Candidate[] {
  const unsized = request.operands.find(
    (operand) => operand.kind === 'memory' && operand.words.size === undefined && !operand.words.far,
  );
  if (unsized !== undefined && isAmbiguous(candidates))
    throw new AssemblyError('OPERANDS', unsized.at, 'expected byte, word or dword before an operand of unknown size');
  const preferred = candidates.filter(({ operandSize }) => operandSize === request.defaultSize);
  return preferred.length > 0 ? preferred : candidates;
}

/** Pushes, pops and near transfers have the mode's operand size unless something else is said. */
function isAmbiguous(candidates: readonly Candidate[]): boolean {
  const widths = new Set(
    candidates
      .filter(({ form }) => !form.instruction.traits.has('default64'))
      .map((candidate) => widthOfMemory(candidate)),
  );
  return widths.size > 1;
}

function widthOfMemory({ form, operandSize }: Candidate): number {
  const wanted = form.operands.find(({ place }) => 'EMOQW'.includes(place));
  return wanted === undefined ? 0 : memoryWidth(form, wanted, operandSize);
}

/** The bytes of a candidate, or undefined when a shorter field than its form's would have to be stretched. */
function emit(request: Request, { form, operandSize, operands }: Candidate): number[] | undefined {
  const memory = operands.find((operand) => operand.kind === 'memory');
  const said = request.addressSize ?? request.mnemonic.addressSize;
  const address = memory === undefined ? undefined : encodeAddress(memory, request.scope, said ?? request.defaultSize);
  if (address !== undefined && said !== undefined && address.addressSize !== said)
    throw new AssemblyError('OPERANDS', request.at, `expected an address of ${said * 8} bits`);
  const addressSize = address?.addressSize ?? said ?? request.defaultSize;
  const head = [
    ...request.prefixes,
    ...(memory?.segment === undefined ? [] : [SEGMENT_PREFIXES[memory.segment.number] ?? 0]),
    ...(addressSize === request.defaultSize ? [] : [0x67]),
    ...(operandSize === request.defaultSize ? [] : [0x66]),
    ...(form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix]),
    ...opcodeBytes(form, operands),
  ];
  const places = form.operands.map(({ place }) => place);
  if (places.includes('O'))
    return address && [...head, ...absoluteOffset(memory as Operand & { kind: 'memory' }, request.scope, address)];
  const body = form.hasModrm ? modrmBytes(form, operands, address) : [];
  if (formOf(form.opcode + registerInOpcode(form, operands), form.mandatoryPrefix, body[0] ?? 0) !== form)
    return undefined;
  const tail = immediateBytes(request, { form, operandSize, operands }, head.length + body.length);
  return tail && [...head, ...body, ...tail];
}

const opcodeBytes = (form: Form, operands: readonly Operand[]): number[] => {
  const opcode = form.opcode + registerInOpcode(form, operands);
  return [opcode >> 16, opcode >> 8, opcode]
    .map((byte) => byte & 0xff)
    .slice(form.opcode > 0xffff ? 0 : form.opcode > 0xff ? 1 : 2);
};

function registerInOpcode(form: Form, operands: readonly Operand[]): number {
  return form.registerInOpcode ? registerAt(form, operands, 'Z') : 0;
}

function registerAt(form: Form, operands: readonly Operand[], places: string): number {
  const operand = operands[form.operands.findIndex(({ place }) => places.includes(place))];
  return operand?.kind === 'register' ? operand.register.number : 0;
}

function modrmBytes(form: Form, operands: readonly Operand[], address: EncodedAddress | undefined): number[] {
  if (form.modrm !== undefined) return [form.modrm.first + registerAt(form, operands, 'F')];
  const reg = form.extension ?? registerAt(form, operands, 'GSCDPV');
  if (address !== undefined) return [address.modrm | (reg << 3), ...address.rest];
  const rm = registerAt(form, operands, 'ERMQWNU');
  return [0xc0 | (reg << 3) | rm];
}

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
  if (width !== 'bs') return bytesOf(fit(value, size, operand.at), size);
  const extended = BigInt.asIntN(operandSize * 8, fit(value, operandSize, operand.at));
  return byteThatFits(extended, operand.words.size === 1, operand.at);
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
  F: 'x87 register',
  P: 'MMX register',
  N: 'MMX register',
  Q: 'MMX register or memory',
  V: 'XMM register',
  U: 'XMM register',
  W: 'XMM register or memory',
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
