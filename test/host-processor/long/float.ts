import { isVector, type Form } from '../../../src/cpu/x86/assembler/form.ts';
import { absolute, little, set, setMemory } from '../code.ts';
import { POINTERS_ALIKE } from './features.ts';
import { fill, type Setting } from './encoding.ts';
import { behind, group, plain, type Group } from '../group.ts';
import type { Maker } from './integer.ts';
import { ALIAS, PART } from './layout.ts';

/** Results of these are not the same on all processors: they have a comparison of their own, within bounds. */
export const TRANSCENDENTAL: RegExp = /^(fsin|fcos|fsincos|fptan|fpatan|f2xm1|fyl2x|fyl2xp1)$/;
export const APPROXIMATE: RegExp = /^(rcp|rsqrt)/;
/** Intel's processors clear C1, AMD's leave it: FCOMI and its family, where the manual says 0, FFREE, where it is undefined. */
export const C1_DIFFERS: RegExp = /^(fu?comip?|ffreep?|fcmov)/;

export const isX87 = ({ opcode }: Form): boolean => (opcode >= 0xd8 && opcode <= 0xdf) || opcode === 0x9b;
const isStateOf = ({ instruction: { mnemonic } }: Form): boolean => /^(fx(save|rstor)|(ld|st)mxcsr)$/.test(mnemonic);
/** MMX, SSE and what belongs to them. */
export const isSse = (form: Form): boolean => isVector(form) || isStateOf(form) || form.instruction.mnemonic === 'emms';
export const isExact = ({ instruction: { mnemonic } }: Form): boolean =>
  !TRANSCENDENTAL.test(mnemonic) && !APPROXIMATE.test(mnemonic);

const [FINCSTP, FDECSTP] = [
  [0xd9, 0xf7],
  [0xd9, 0xf6],
] as const;

/** Somewhere in the data with room for `width` bytes behind it, a multiple of 16. */
const room = ({ random, page }: Setting, width: number): number =>
  page + PART.data + (random.below(0x400 - width + 1) & ~15);

/** Where C1 is clear, which FINCSTP sees to. */
const clearing: Maker = (form, setting) => behind([...FINCSTP, ...FDECSTP], fill(form, setting));

/** What is at RDI, in either alias. */
const maskedMove: Maker = (form, setting) =>
  behind(
    set(7, BigInt(room(setting, 0x20) + setting.random.below(16)) + (setting.random.once(2) ? ALIAS : 0n)),
    fill(form, setting),
  );

const loadMxcsr: Maker = (form, setting) => {
  const at = room(setting, 4);
  const { random } = setting;
  const value = random.once(50) ? random.bits() : random.bits() & 0xffff;
  const masked = random.once(3) ? value : value | 0x1f80;
  return group(form, [...setMemory(at, masked), 0x0f, 0xae, ...absolute(2, at)]);
};

const loadControl: Maker = (form, setting) => {
  const at = room(setting, 4);
  const { random } = setting;
  const value = random.once(3) ? random.bits() : random.bits() | 0x3f;
  return group(form, [...setMemory(at, value & 0x1f7f), 0xd9, ...absolute(5, at)]);
};

const OPERAND_66 = 0x66;

/** MOV byte, 0 for each byte from `start` to `end`. */
const setBytes = (start: number, end: number): number[] =>
  Array.from({ length: end - start }, (_, index) => [0xc6, 0x04, 0x25, ...little(start + index, 4), 0]).flat();

/** Stores the environment or all, changes what is stored a little, and loads it again. */
const roundTrip =
  (store: readonly [opcode: number, reg: number], load: readonly [opcode: number, reg: number], width: number): Maker =>
  (_, setting) => {
    const { random } = setting;
    const at = room(setting, width);
    const size = random.once(4) ? [OPERAND_66] : [];
    const tags = at + (size.length > 0 ? 4 : 8);
    const change = random.once(2)
      ? [OPERAND_66, 0xc7, 0x04, 0x25, ...little(tags, 4), ...little(random.bits(), 2)]
      : [];
    const [first, end] = size.length > 0 ? [6, 14] : [12, 28];
    const pointers = POINTERS_ALIKE ? [] : setBytes(at + first, at + end);
    const reload = random.once(4) ? [] : [...size, load[0], ...absolute(load[1], at)];
    return plain([...size, store[0], ...absolute(store[1], at), ...change, ...pointers, ...reload]);
  };

/** FXSAVE, whose pointers and word of MXCSR's bits are not the same on all processors and are cleared, and FXRSTOR. */
const extendedState: Maker = (_, setting) => {
  const { random } = setting;
  const at = room(setting, 512);
  const rex = random.once(2) ? [0x48] : [];
  const reload = random.once(3) ? [] : [...rex, 0x0f, 0xae, ...absolute(1, at)];
  const cleared = [4, 8, 12, 16, 20, 28].flatMap((field) => setMemory(at + field, field === 4 ? random.byte() : 0));
  return plain([...rex, 0x0f, 0xae, ...absolute(0, at), ...cleared, ...reload]);
};

/** Lengths in RAX and RDX that matter. */
const explicitLengths: Maker = (form, setting) => {
  const { random } = setting;
  const length = (register: number): number[] => (random.once(3) ? [] : set(register, random.below(40) - 20));
  return behind([...length(0), ...length(2)], fill(form, setting, { free: [1, 3, 5, 6, 7] }));
};

export const FLOAT_MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['maskmov', maskedMove],
  ['ldmxcsr', loadMxcsr],
  ['fldcw', loadControl],
  ...['fnstenv', 'fldenv'].map((name): [string, Maker] => [name, roundTrip([0xd9, 6], [0xd9, 4], 28)]),
  ...['fnsave', 'frstor'].map((name): [string, Maker] => [name, roundTrip([0xdd, 6], [0xdd, 4], 108)]),
  ...['fxsave', 'fxrstor'].map((name): [string, Maker] => [name, extendedState]),
  ...['pcmpestri', 'pcmpestrm'].map((name): [string, Maker] => [name, explicitLengths]),
]);

/** A group of an instruction of x87, MMX or SSE. */
export function floatGroup(form: Form, setting: Setting): Group {
  const maker = FLOAT_MAKERS.get(form.instruction.handler);
  if (maker !== undefined) return maker(form, setting);
  return C1_DIFFERS.test(form.instruction.mnemonic) ? clearing(form, setting) : fill(form, setting);
}
