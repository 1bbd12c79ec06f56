import { truncate, type Decoded, type Value } from './decode.ts';
import { isEscape, isFarTransfer, isString, memoryWidth, widthInBytes, type Form, type OperandForm } from './form.ts';
import { writtenMnemonic, type WrittenMnemonic } from './mnemonic.ts';
import { generalName, segmentName } from './register.ts';

/** Where an instruction stands. */
export interface Place {
  /** 2, 4 or 8: what the code segment is. */
  readonly defaultSize: number;
  /** Address of the byte after the instruction. */
  readonly end: number;
}

/** An instruction as the assembler would take it. */
export function write(decoded: Decoded, place: Place): string {
  const { form, prefixes } = decoded;
  const { mnemonic } = form.instruction;
  const written = writtenMnemonic(
    mnemonic,
    prefixes.operandSize,
    prefixes.addressSize,
    naturalSize(form, place.defaultSize),
  );
  const name = isFarTransfer(form) ? mnemonic.slice(0, -1) : written.name;
  const operands = isString(form) ? '' : writeOperands(decoded, place).join(', ');
  return [...writePrefixes(decoded, place, written), name, operands].filter((word) => word !== '').join(' ');
}

/** The prefixes that neither the mnemonic nor an operand tells. */
function writePrefixes(decoded: Decoded, { defaultSize }: Place, written: WrittenMnemonic): string[] {
  const { form, prefixes, memory } = decoded;
  const addressTold = written.tellsAddressSize || memory !== undefined;
  const operandTold = written.tellsOperandSize || form.operands.some((operand) => tellsOperandSize(decoded, operand));
  const natural = form.operands.some(({ width }) => width === 'y') ? 4 : naturalSize(form, defaultSize);
  return [
    prefixes.lock ? 'lock' : '',
    prefixes.repeat === form.mandatoryPrefix ? '' : repeatName(form, prefixes.repeat),
    memory === undefined ? segmentName(prefixes.segment) : '',
    addressTold || prefixes.addressSize === defaultSize ? '' : `a${prefixes.addressSize * 8}`,
    operandTold || prefixes.operandSize === natural ? '' : `o${prefixes.operandSize * 8}`,
  ];
}

/** The operand size that needs no prefix. */
function naturalSize({ instruction: { traits } }: Form, defaultSize: number): number {
  if (defaultSize !== 8) return defaultSize;
  return traits.has('default64') || traits.has('force64') ? 8 : 4;
}

function repeatName({ instruction }: Form, repeat: number): string {
  if (repeat === 0) return '';
  if (repeat === 0xf2) return 'repne';
  return instruction.traits.has('repz') ? 'repe' : 'rep';
}

/** Whether the operand as it is written has another text in another operand size. */
function tellsOperandSize({ form, memory }: Decoded, operand: OperandForm): boolean {
  if (isString(form) || isEscape(form)) return false;
  if (isFarTransfer(form) || (operand.place === 'I' && isPush(form))) return true;
  if (operand.place === 'E' && memory !== undefined)
    return memoryWidth(form, operand, 2) !== memoryWidth(form, operand, 4);
  return 'EGZliteral'.includes(operand.place) && (operand.width === 'v' || operand.width === 'z');
}

const isPush = ({ instruction }: Form): boolean => instruction.mnemonic === 'push';

function writeOperands(decoded: Decoded, place: Place): string[] {
  const { form, modrm } = decoded;
  const operands = form.operands.map((_, index) => writeOperand(decoded, index, place));
  return isEscape(form) ? [hex(((form.opcode & 7) << 3) | reg(modrm)), ...operands] : operands;
}

const reg = (modrm: number): number => (modrm >> 3) & 7;

function writeOperand(decoded: Decoded, index: number, place: Place): string {
  const operand = decoded.form.operands[index] as OperandForm;
  return WRITERS[operand.place](decoded, operand, place, decoded.values[index] ?? 0);
}

type Writer = (decoded: Decoded, operand: OperandForm, place: Place, value: Value) => string;

const writeRm: Writer = (decoded, operand, place, value) => {
  if (decoded.memory !== undefined) return writeMemory(decoded, operand, place, value);
  const size = isEscape(decoded.form) ? 4 : widthInBytes(operand.width, decoded.prefixes.operandSize);
  const { rex } = decoded.prefixes;
  return generalName((decoded.modrm & 7) | ((rex & 1) << 3), size, rex !== 0);
};

const writeMemory: Writer = (decoded, operand, { defaultSize }) => {
  const { memory, prefixes } = decoded;
  const { registers = [], displacement = 0 } = memory ?? {};
  const segment = prefixes.segment < 0 ? '' : `${segmentName(prefixes.segment)}:`;
  const isOffset = decoded.form.operands.some(({ place }) => place === 'O');
  const isWide = registers.length === 0 && (prefixes.addressSize !== defaultSize || (isOffset && defaultSize === 8));
  const size = isWide ? `${SIZE_NAMES[prefixes.addressSize]} ` : '';
  return `${sizeWords(decoded, operand, defaultSize)}[${segment}${size}${sum(registers, displacement)}]`;
};

const SIZE_NAMES: Readonly<Record<number, string>> = {
  1: 'byte',
  2: 'word',
  4: 'dword',
  8: 'qword',
  10: 'tword',
  16: 'oword',
};

function sum(registers: readonly string[], displacement: Value): string {
  if (registers.length === 0) return displacement < 0 ? `-${hex(-displacement)}` : hex(displacement);
  const sign = displacement < 0 ? '-' : '+';
  return registers.join('+') + (Number(displacement) === 0 ? '' : sign + hex(Math.abs(Number(displacement))));
}

/** The words before a memory operand: none where a register beside it has its size. */
function sizeWords({ form, prefixes }: Decoded, operand: OperandForm, defaultSize: number): string {
  if (isFarTransfer(form)) return `${sizeUnlessDefault(prefixes.operandSize, defaultSize)}far `;
  const width = isEscape(form) ? 0 : memoryWidth(form, operand, prefixes.operandSize);
  const isTold = form.operands.some(
    (other) => other !== operand && 'GZSliteral'.includes(other.place) && other.width === operand.width,
  );
  return width === 0 || isTold || isMoveOfSegment(form) ? '' : `${SIZE_NAMES[width]} `;
}

const isMoveOfSegment = ({ operands }: Form): boolean => operands.some(({ place }) => place === 'S');

const sizeUnlessDefault = (size: number, defaultSize: number): string =>
  size === defaultSize ? '' : `${SIZE_NAMES[size]} `;

const hex = (value: Value): string => `0x${value.toString(16)}`;

const WRITERS: Readonly<Record<OperandForm['place'], Writer>> = {
  E: writeRm,
  M: writeMemory,
  O: writeMemory,
  R: writeRm,
  G: ({ modrm, prefixes: { rex, operandSize } }, { width }) =>
    generalName(reg(modrm) | ((rex & 4) << 1), widthInBytes(width, operandSize), rex !== 0),
  B: ({ prefixes: { vvvv, operandSize } }, { width }) =>
    generalName(Math.max(vvvv, 0), widthInBytes(width, operandSize)),
  V: ({ modrm, prefixes: { rex } }) => `xmm${reg(modrm) | ((rex & 4) << 1)}`,
  P: ({ modrm }) => `mm${reg(modrm)}`,
  W: (decoded, operand, place, value) =>
    decoded.memory ? writeMemory(decoded, operand, place, value) : xmmOf(decoded),
  U: (decoded) => xmmOf(decoded),
  Q: (decoded, operand, place, value) =>
    decoded.memory ? writeMemory(decoded, operand, place, value) : mmxOf(decoded),
  N: (decoded) => mmxOf(decoded),
  ST0: () => 'st0',
  STi: ({ modrm }) => `st${modrm & 7}`,
  Z: ({ registerInOpcode, prefixes }, { width }) =>
    generalName(registerInOpcode, widthInBytes(width, prefixes.operandSize), prefixes.rex !== 0),
  S: ({ modrm }) => segmentName(reg(modrm)),
  C: ({ modrm, prefixes: { rex } }) => `cr${reg(modrm) | ((rex & 4) << 1)}`,
  D: ({ modrm, prefixes: { rex } }) => `dr${reg(modrm) | ((rex & 4) << 1)}`,
  I: ({ form, prefixes }, _, { defaultSize }, value) =>
    (isPush(form) ? sizeUnlessDefault(prefixes.operandSize, defaultSize) : '') + hex(value),
  J: ({ prefixes }, _, { end }, value) => hex(truncate(end + Number(value), prefixes.operandSize)),
  A: ({ prefixes, selector }, _, { defaultSize }, value) =>
    `${sizeUnlessDefault(prefixes.operandSize, defaultSize)}${hex(selector)}:${hex(value)}`,
  X: () => '',
  Y: () => '',
  literal: ({ prefixes }, { literal }) => LITERALS[literal]?.(prefixes.operandSize) ?? literal.toLowerCase(),
};

const xmmOf = ({ modrm, prefixes: { rex } }: Decoded): string => `xmm${(modrm & 7) | ((rex & 1) << 3)}`;
const mmxOf = ({ modrm }: Decoded): string => `mm${modrm & 7}`;

const LITERALS: Readonly<Record<string, (operandSize: number) => string>> = {
  rAX: (operandSize) => generalName(0, operandSize),
  1: () => '0x1',
};
