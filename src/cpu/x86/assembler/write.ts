import { truncate, type Decoded } from './decode.ts';
import { isFarTransfer, isString, isVector, memoryWidth, widthInBytes, type Form, type OperandForm } from './form.ts';
import { writtenMnemonic, type WrittenMnemonic } from './mnemonic.ts';
import { generalName, segmentName } from './register.ts';

/** Where an instruction stands. */
export interface Place {
  /** 2 or 4: the operand and address size that need no prefix. */
  readonly defaultSize: number;
  /** Address of the byte after the instruction. */
  readonly end: number;
}

/** An instruction as the assembler would take it. */
export function write(decoded: Decoded, place: Place): string {
  const { form, prefixes } = decoded;
  const { mnemonic } = form.instruction;
  const written = writtenMnemonic(mnemonic, prefixes.operandSize, prefixes.addressSize, place.defaultSize);
  const name = isFarTransfer(form) ? mnemonic.slice(0, -1) : written.name;
  const operands = isString(form) ? '' : writeOperands(decoded, place).join(', ');
  return [...writePrefixes(decoded, place, written), name, operands].filter((word) => word !== '').join(' ');
}

/** The prefixes that neither the mnemonic nor an operand tells. */
function writePrefixes(decoded: Decoded, { defaultSize }: Place, written: WrittenMnemonic): string[] {
  const { form, prefixes, memory } = decoded;
  const addressTold = written.tellsAddressSize || memory !== undefined;
  const operandTold =
    written.tellsOperandSize ||
    form.mandatoryPrefix === 0x66 ||
    form.operands.some((operand) => tellsOperandSize(decoded, operand));
  const natural = form.operands.some(({ width }) => width === 'y') && !isVector(form) ? 4 : defaultSize;
  return [
    prefixes.lock ? 'lock' : '',
    prefixes.repeat === form.mandatoryPrefix ? '' : repeatName(form, prefixes.repeat),
    memory === undefined ? segmentName(prefixes.segment) : '',
    addressTold || prefixes.addressSize === defaultSize ? '' : `a${prefixes.addressSize * 8}`,
    operandTold || prefixes.operandSize === natural ? '' : `o${prefixes.operandSize * 8}`,
  ];
}

function repeatName({ instruction }: Form, repeat: number): string {
  if (repeat === 0) return '';
  if (repeat === 0xf2) return 'repne';
  return instruction.traits.has('repz') ? 'repe' : 'rep';
}

/** Whether the operand as it is written has another text in another operand size. */
function tellsOperandSize({ form, memory }: Decoded, operand: OperandForm): boolean {
  if (isString(form)) return false;
  if (isFarTransfer(form) || (operand.place === 'I' && isPush(form))) return true;
  if (operand.place === 'E' && memory !== undefined)
    return memoryWidth(form, operand, 2) !== memoryWidth(form, operand, 4);
  return 'EGZliteral'.includes(operand.place) && (operand.width === 'v' || operand.width === 'z');
}

const isPush = ({ instruction }: Form): boolean => instruction.mnemonic === 'push';

function writeOperands(decoded: Decoded, place: Place): string[] {
  return decoded.form.operands.map((_, index) => writeOperand(decoded, index, place));
}

const reg = (modrm: number): number => (modrm >> 3) & 7;

function writeOperand(decoded: Decoded, index: number, place: Place): string {
  const operand = decoded.form.operands[index] as OperandForm;
  return WRITERS[operand.place](decoded, operand, place, decoded.values[index] ?? 0);
}

type Writer = (decoded: Decoded, operand: OperandForm, place: Place, value: number) => string;

const writeRm: Writer = (decoded, operand, place, value) => {
  if (decoded.memory !== undefined) return writeMemory(decoded, operand, place, value);
  return generalName(decoded.modrm & 7, widthInBytes(operand.width, decoded.prefixes.operandSize));
};

const writeMemory: Writer = (decoded, operand, { defaultSize }) => {
  const { memory, prefixes } = decoded;
  const { registers = [], displacement = 0 } = memory ?? {};
  const segment = prefixes.segment < 0 ? '' : `${segmentName(prefixes.segment)}:`;
  const isWide = registers.length === 0 && prefixes.addressSize !== defaultSize;
  const size = isWide ? `${SIZE_NAMES[prefixes.addressSize]} ` : '';
  return `${sizeWords(decoded, operand, defaultSize)}[${segment}${size}${sum(registers, displacement)}]`;
};

const writeVector =
  (name: string): Writer =>
  (decoded, operand, place, value) =>
    decoded.memory === undefined ? `${name}${decoded.modrm & 7}` : writeMemory(decoded, operand, place, value);

const SIZE_NAMES: Readonly<Record<number, string>> = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword', 10: 'tword' };

function sum(registers: readonly string[], displacement: number): string {
  if (registers.length === 0) return hex(displacement);
  const sign = displacement < 0 ? '-' : '+';
  return registers.join('+') + (displacement === 0 ? '' : sign + hex(Math.abs(displacement)));
}

/** The words before a memory operand: none where a register beside it has its size. */
function sizeWords({ form, prefixes }: Decoded, operand: OperandForm, defaultSize: number): string {
  if (isFarTransfer(form)) return `${sizeUnlessDefault(prefixes.operandSize, defaultSize)}far `;
  const width = isVector(form) ? 0 : memoryWidth(form, operand, prefixes.operandSize);
  const isTold = form.operands.some(
    (other) => other !== operand && 'GZSliteral'.includes(other.place) && other.width === operand.width,
  );
  return width === 0 || isTold || isMoveOfSegment(form) ? '' : `${SIZE_NAMES[width]} `;
}

const isMoveOfSegment = ({ operands }: Form): boolean => operands.some(({ place }) => place === 'S');

const sizeUnlessDefault = (size: number, defaultSize: number): string =>
  size === defaultSize ? '' : `${SIZE_NAMES[size]} `;

const hex = (value: number): string => `0x${value.toString(16)}`;

const WRITERS: Readonly<Record<OperandForm['place'], Writer>> = {
  E: writeRm,
  M: writeMemory,
  O: writeMemory,
  F: ({ modrm }) => `st${modrm & 7}`,
  P: ({ modrm }) => `mm${reg(modrm)}`,
  V: ({ modrm }) => `xmm${reg(modrm)}`,
  N: ({ modrm }) => `mm${modrm & 7}`,
  U: ({ modrm }) => `xmm${modrm & 7}`,
  Q: writeVector('mm'),
  W: writeVector('xmm'),
  R: writeRm,
  G: ({ modrm, prefixes }, { width }) => generalName(reg(modrm), widthInBytes(width, prefixes.operandSize)),
  Z: ({ registerInOpcode, prefixes }, { width }) =>
    generalName(registerInOpcode, widthInBytes(width, prefixes.operandSize)),
  S: ({ modrm }) => segmentName(reg(modrm)),
  C: ({ modrm }) => `cr${reg(modrm)}`,
  D: ({ modrm }) => `dr${reg(modrm)}`,
  I: ({ form, prefixes }, _, { defaultSize }, value) =>
    (isPush(form) ? sizeUnlessDefault(prefixes.operandSize, defaultSize) : '') + hex(value),
  J: ({ prefixes }, _, { end }, value) => hex(truncate(end + value, prefixes.operandSize)),
  A: ({ prefixes, selector }, _, { defaultSize }, value) =>
    `${sizeUnlessDefault(prefixes.operandSize, defaultSize)}${hex(selector)}:${hex(value)}`,
  X: () => '',
  Y: () => '',
  literal: ({ prefixes }, { literal }) => LITERALS[literal]?.(prefixes.operandSize) ?? literal.toLowerCase(),
};

const LITERALS: Readonly<Record<string, (operandSize: number) => string>> = {
  rAX: (operandSize) => generalName(0, operandSize),
  1: () => '0x1',
};
