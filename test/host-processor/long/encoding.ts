import {
  FORMS,
  formOf,
  memoryWidth,
  widthInBytes,
  type Form,
  type OperandForm,
} from '../../../src/cpu/x86/assembler/form.ts';
import type { Random } from '../../random.ts';
import { address, FREE, type Address, type Alignment } from './address.ts';
import { little } from '../code.ts';
import { behind, group, type Group } from '../group.ts';

/** What an instruction is made with. */
export interface Setting {
  readonly random: Random;
  /** The sequence's page. */
  readonly page: number;
}

/** What `fill` is not to choose. */
export interface Fixed {
  readonly size?: number;
  readonly immediate?: number | bigint;
  /** Registers that addresses and operands may use. */
  readonly free?: readonly number[];
  readonly memory?: boolean;
  readonly register?: number;
  readonly rm?: number;
  readonly address?: Address;
}

/** Rows without operands whose size a prefix tells. */
const SIZED: ReadonlySet<string> = new Set('cbw cwd pushf popf leave enter iret'.split(' '));

function hasWidth({ operands }: Form, widths: string): boolean {
  return operands.some(({ width }) => width !== '' && widths.includes(width));
}

const SIZES: ReadonlyMap<Form, readonly number[]> = new Map(FORMS.map((form) => [form, possibleSizes(form)]));

/** The operand sizes that the row has in 64-bit mode. */
export const sizesOf = (form: Form): readonly number[] => SIZES.get(form) ?? [];

function possibleSizes(form: Form): readonly number[] {
  const { traits, handler } = form.instruction;
  if (traits.has('default64')) return [2, 8];
  if (traits.has('force64')) return [8];
  if (hasWidth(form, 'vz') || SIZED.has(handler)) return [2, 4, 8];
  return hasWidth(form, 'y') ? [4, 8] : [4];
}

/** An instruction's bytes before they are put in order. */
interface Parts {
  readonly form: Form;
  readonly size: number;
  readonly reg: number;
  readonly rm: number;
  readonly z: number;
  readonly vvvv: number;
  /** REX is needed, or must not be there, for byte registers 4 to 7. */
  readonly address: Address | undefined;
  readonly immediate: readonly number[];
  readonly isLocked: boolean;
}

const isByteRegister = ({ place, width }: OperandForm): boolean => 'GEZ'.includes(place) && width === 'b';

/** General registers that an operand may be: any but RSP, whose low byte may change all the same. */
function general(random: Random, operand: OperandForm, free: readonly number[]): number {
  if (isByteRegister(operand)) return random.once(4) ? random.below(16) : random.pick(free);
  return random.pick(free);
}

const isGeneral = ({ place }: OperandForm): boolean => 'EGRZB'.includes(place);

function registerFor(random: Random, operand: OperandForm | undefined, free: readonly number[]): number {
  if (operand === undefined) return random.below(8);
  return isGeneral(operand) ? general(random, operand, free) : random.below(16);
}

const isRm = ({ place }: OperandForm): boolean => 'EMRWUQN'.includes(place) && place.length === 1;
const isReg = ({ place }: OperandForm): boolean => 'GVP'.includes(place) && place.length === 1;

function takesMemory(random: Random, form: Form): boolean {
  const rm = form.operands.find(isRm);
  if (rm === undefined || form.instruction.traits.has('register')) return false;
  return rm.place === 'M' || ('EWQ'.includes(rm.place) && random.once(2));
}

/** Bytes that a memory operand of the row has. */
export function widthOf(form: Form, size: number): number {
  const rm = form.operands.find(isRm);
  return rm === undefined ? 0 : memoryWidth(form, rm, size) || 16;
}

/** A multiple of 16 mostly for operands that must be one, and always where processors differ: AMD's SHA takes any. */
function alignmentOf({ instruction: { mnemonic } }: Form, { width, place }: OperandForm): Alignment {
  if (!['dq', 'ps', 'pd'].includes(width) || !'WM'.includes(place)) return 'none';
  return mnemonic.startsWith('sha') ? 'always' : 'mostly';
}

/** The general way to fill a form in: random registers, memory in the page's data, random immediates. */
export function fill(form: Form, { random, page }: Setting, fixed: Fixed = {}): Group {
  const { free = FREE, size = random.pick(sizesOf(form)) } = fixed;
  const operand = (matches: (operand: OperandForm) => boolean): OperandForm | undefined => form.operands.find(matches);
  const rm = operand(isRm);
  const isMemory = fixed.address !== undefined || (fixed.memory ?? takesMemory(random, form));
  const alignment = rm === undefined ? 'none' : alignmentOf(form, rm);
  const place = fixed.address ?? address(random, { page, width: widthOf(form, size), alignment, free });
  const isFixed = form.fixedModrm !== undefined;
  const parts: Parts = {
    form,
    size,
    reg: isFixed ? 0 : (form.extension ?? fixed.register ?? registerFor(random, operand(isReg), free)),
    rm: isFixed ? 0 : (fixed.rm ?? registerFor(random, rm, free)),
    z: form.registerInOpcode
      ? (fixed.register ??
        registerFor(
          random,
          operand((o) => o.place === 'Z'),
          free,
        ))
      : 0,
    vvvv: random.pick(free),
    address: isMemory ? place : undefined,
    immediate: form.operands.flatMap((o) =>
      o.place === 'I' ? little(fixed.immediate ?? random.value64(), immediateSize(o, size)) : [],
    ),
    isLocked: isMemory && form.instruction.traits.has('lock') && isRm(form.operands[0] ?? NONE) && random.once(4),
  };
  return encode(random, parts);
}

const NONE: OperandForm = { place: 'literal', width: '', literal: '' };

const immediateSize = ({ width }: OperandForm, size: number): number => widthInBytes(width, size);

const MAX_LENGTH = 15;

function encode(random: Random, parts: Parts): Group {
  const { form, address: place, immediate } = parts;
  const opcode = opcodeBytes(parts);
  const modrm = form.hasModrm ? [modrmByte(parts, random), ...(place?.rest ?? [])] : [];
  const head = form.vex ? vexHead(parts) : legacyHead(random, parts);
  const room = MAX_LENGTH - head.length - opcode.length - modrm.length - immediate.length;
  const extra = room > 0 && random.once(4) ? redundant(random, parts, room) : [];
  const bytes = [...extra, ...head, ...opcode, ...modrm, ...immediate];
  const relatives =
    place?.relative === undefined
      ? []
      : [{ at: bytes.length - immediate.length - 4, end: bytes.length, target: place.relative }];
  return behind(place?.setUp ?? [], group(form, bytes, { relatives }));
}

function modrmByte({ form, reg, rm, address: place }: Parts, random: Random): number {
  if (form.fixedModrm !== undefined) return form.fixedModrm.first + random.below(form.fixedModrm.count);
  return ((reg & 7) << 3) | (place === undefined ? 0xc0 | (rm & 7) : place.modrm);
}

function opcodeBytes({ form: { opcode, vex, registerInOpcode }, z }: Parts): number[] {
  const all = [opcode >> 16, (opcode >> 8) & 0xff, opcode & 0xff].filter((byte, at) => at === 2 || byte > 0);
  const bytes = vex ? all.slice(-1) : all;
  return [...bytes.slice(0, -1), (bytes.at(-1) ?? 0) + (registerInOpcode ? z & 7 : 0)];
}

/** REX.W, R, X and B that the operands need. */
function rexBits({ form, size, reg, rm, z, address: place }: Parts): number {
  const { traits, handler } = form.instruction;
  const isWide = size === 8 && !traits.has('default64') && !traits.has('force64');
  const w = isWide && (hasWidth(form, 'vyz') || SIZED.has(handler)) ? 8 : 0;
  const isX87 = form.opcode >= 0xd8 && form.opcode <= 0xdf;
  const r = form.extension === undefined && !isX87 ? (reg >> 3) << 2 : 0;
  const b = place === undefined ? (form.registerInOpcode ? z >> 3 : rm >> 3) : place.rex;
  return w | r | b;
}

/** Whether a byte register is one of 4 to 7, which REX makes SPL to DIL instead of AH to BH. */
function isHalf({ form, reg, rm, z, address: place }: Parts): boolean {
  const number = { G: reg, E: place === undefined ? rm : 0, Z: z } as Readonly<Record<string, number>>;
  return form.operands.some((operand) => isByteRegister(operand) && ((number[operand.place] ?? 0) & ~3) === 4);
}

/** Prefixes that the operands need, in a random order, REX at the end. */
function legacyHead(random: Random, parts: Parts): number[] {
  const { form, size, address: place, isLocked } = parts;
  const prefixes = [
    ...(isLocked ? [0xf0] : []),
    ...(place?.is32 ? [0x67] : []),
    ...(size === 2 ? [0x66] : []),
    ...(form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix]),
  ];
  if (prefixes.length > 1 && random.once(2)) prefixes.reverse();
  const bits = rexBits(parts);
  const isNeeded = bits !== 0 || (random.once(4) && (isHalf(parts) || random.once(2)));
  // A REX before another prefix says nothing.
  const lost = prefixes.length > 0 && random.once(12) ? [0x40 | random.below(16)] : [];
  return [...lost, ...prefixes, ...(isNeeded ? [0x40 | bits] : [])];
}

const VEX_MAPS: Readonly<Record<number, number>> = { 0x38: 2, 0x3a: 3 };
const VEX_PREFIXES: Readonly<Record<number, number>> = { 0: 0, 0x66: 1, 0xf3: 2, 0xf2: 3 };

/** SDM volume 2, figure 2-9. Registers are stored inverted. */
function vexHead(parts: Parts): number[] {
  const { form, size, address: place, vvvv } = parts;
  const bits = rexBits(parts);
  const map = VEX_MAPS[(form.opcode >> 8) & 0xff] ?? 1;
  const pp = VEX_PREFIXES[form.mandatoryPrefix] ?? 0;
  const hasVvvv = form.operands.some(({ place: where }) => where === 'B');
  return [
    ...(place?.is32 ? [0x67] : []),
    0xc4,
    (((bits & 7) << 5) ^ 0xe0) | map,
    (size === 8 ? 0x80 : 0) | (((hasVvvv ? vvvv : 0) ^ 15) << 3) | pp,
  ];
}

const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x65];

/** Prefixes that say nothing here. */
function redundant(random: Random, { form, size, reg, rm, address: place, isLocked }: Parts, room: number): number[] {
  const modrm = form.hasModrm ? (form.fixedModrm?.first ?? ((reg & 7) << 3) | (place?.modrm ?? 0xc0 | (rm & 7))) : 0;
  const means = (prefix: number): boolean =>
    formOf(form.opcode, { prefix, modrm, is64: true, vex: false, rex: 0 }) === form;
  const repeats = [0xf2, 0xf3].filter(
    (prefix) => form.mandatoryPrefix === 0 && !isLocked && !form.instruction.traits.has('lock') && means(prefix),
  );
  const isWide = size === 8 && !form.instruction.traits.has('default64');
  const sizes = [0x66].filter(
    (prefix) =>
      !form.vex && isWide && (form.mandatoryPrefix === 0xf2 || form.mandatoryPrefix === 0xf3 || means(prefix)),
  );
  const choices = [...SEGMENTS, ...(form.vex || form.noPrefix ? [] : [...repeats, ...sizes])];
  return Array.from({ length: 1 + random.below(Math.min(room, 3)) }, () => random.pick(choices));
}
