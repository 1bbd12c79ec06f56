import { FORMS, isString, isVector, type Form, type OperandForm } from '../../src/cpu/x86/assembler/form.ts';
import { EXTENSION_INSTRUCTIONS } from '../../src/cpu/x86/table/extension-instructions.ts';
import type { Random } from '../random.ts';
import { little } from './code.ts';
import { ARITHMETIC_FLAGS, behind, bitsOf, group, HINTS, plain, UNCHANGED, type Group } from './group.ts';

/** Where a sequence may read and write. */
export interface Area {
  /** 512 bytes of data. */
  readonly data: number;
}

const [EAX, ECX, EDX, EBX, EBP, ESI, EDI] = [0, 1, 2, 3, 5, 6, 7] as const;

/** Registers that a sequence may do anything with: all but ESP. */
const FREE: readonly number[] = [EAX, ECX, EDX, EBX, EBP, ESI, EDI];

/** MOV register, immediate: sets an operand up without touching a flag. */
const set = (register: number, value: number): number[] => [0xb8 + register, ...little(value, 4)];
const setByte = (register: number, value: number): number[] => [0xb0 + register, value & 0xff];
/** MOV dword [address], immediate. */
const setMemory = (address: number, value: number): number[] => [
  0xc7,
  0x05,
  ...little(address, 4),
  ...little(value, 4),
];

const opcodeBytes = (form: Form, register = 0): number[] => [
  ...(form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix]),
  ...(form.opcode > 0xff ? [form.opcode >> 8] : []),
  (form.opcode & 0xff) + register,
];

/** A memory operand: what sets its registers up, and ModRM (without reg), SIB and displacement. */
interface Address {
  readonly setUp: readonly number[];
  readonly modrm: number;
  readonly rest: readonly number[];
}

/** An address within the area's data, with room for 8 bytes on either side. */
function address(random: Random, area: Area, free = FREE): Address {
  const target = area.data + 0x40 + random.below(0x138);
  return random.pick(ADDRESSINGS)(random, target, free);
}

type Addressing = (random: Random, target: number, free: readonly number[]) => Address;

const SIGNED_BYTE = (value: number): number => (value << 24) >> 24;

const absolute: Addressing = (_, target) => ({ setUp: [], modrm: 0x05, rest: little(target, 4) });

const based: Addressing = (random, target, free) => {
  const base = random.pick(free);
  const displacement =
    random.once(3) && base !== EBP ? 0 : random.once(2) ? SIGNED_BYTE(random.bits()) : random.bits() | 0;
  const isShort = displacement === SIGNED_BYTE(displacement);
  const mod = displacement === 0 && base !== EBP ? 0 : isShort ? 0x40 : 0x80;
  return {
    setUp: set(base, target - displacement),
    modrm: mod | base,
    rest: mod === 0 ? [] : little(displacement, isShort ? 1 : 4),
  };
};

const indexed: Addressing = (random, target, free) => {
  const base = random.pick(free);
  const index = random.pick(free.filter((register) => register !== base));
  const scale = random.below(4);
  const offset = random.once(3) ? random.bits() : random.below(16);
  const displacement = SIGNED_BYTE(random.bits());
  return {
    setUp: [...set(base, target - displacement - offset * 2 ** scale), ...set(index, offset)],
    modrm: 0x44,
    rest: [(scale << 6) | (index << 3) | base, displacement & 0xff],
  };
};

const scaled: Addressing = (random, target, free) => {
  const index = random.pick(free);
  const scale = random.below(4);
  const offset = random.bits();
  return {
    setUp: set(index, offset),
    modrm: 0x04,
    rest: [(scale << 6) | (index << 3) | 5, ...little(target - offset * 2 ** scale, 4)],
  };
};

const ADDRESSINGS: readonly Addressing[] = [absolute, based, based, indexed, indexed, scaled];

/** What comes before the opcode, for an operand size in bytes. */
const sizePrefix = (size: number): number[] => (size === 2 ? [0x66] : []);

const isWide = ({ operands }: Form): boolean => operands.some(({ width }) => 'vz'.includes(width) && width !== '');

const chooseSize = (random: Random, form: Form): number => (isWide(form) && random.once(3) ? 2 : 4);

const registerFor = (random: Random, { width }: OperandForm): number =>
  width === 'b' ? random.below(8) : random.pick(FREE);

const immediateSize = ({ width }: OperandForm, size: number): number =>
  width === 'b' || width === 'bs' ? 1 : width === 'w' ? 2 : size;

/** What `fill` is not to choose. */
interface Fixed {
  readonly size?: number;
  readonly immediate?: number;
  /** Registers that addresses may use. */
  readonly free?: readonly number[];
}

/** The general way to fill a form in: random registers, memory in the area, random immediates. */
function fill(random: Random, form: Form, area: Area, fixed: Fixed = {}): Group {
  const { size = chooseSize(random, form), immediate, free } = fixed;
  const rm = form.operands.find(({ place }) => place === 'E' || place === 'M');
  const reg = form.operands.find(({ place }) => place === 'G');
  const z = form.operands.find(({ place }) => place === 'Z');
  const isMemory = rm !== undefined && (rm.place === 'M' || random.once(2));
  const place = isMemory ? address(random, area, free) : undefined;
  const middle = (form.extension ?? (reg === undefined ? 0 : registerFor(random, reg))) << 3;
  const modrm = place === undefined ? 0xc0 | (rm === undefined ? 0 : registerFor(random, rm)) : place.modrm;
  const immediates = form.operands.flatMap((operand) => {
    if (operand.place === 'I') return little(immediate ?? random.value(), immediateSize(operand, size));
    return operand.place === 'O' ? little(area.data + random.below(0x100), 4) : [];
  });
  const isLocked = isMemory && form.instruction.traits.has('lock') && rm === form.operands[0] && random.once(3);
  return group(form, [
    ...(place?.setUp ?? []),
    ...(isLocked ? [0xf0] : []),
    ...(isMemory && random.once(8) ? [random.pick([0x26, 0x36, 0x3e])] : []),
    ...sizePrefix(size),
    ...opcodeBytes(form, z === undefined ? 0 : registerFor(random, z)),
    ...(form.hasModrm ? [middle | modrm, ...(place?.rest ?? [])] : []),
    ...immediates,
  ]);
}

type Maker = (random: Random, form: Form, area: Area) => Group;

/** Flags that a shift or rotate by `count` leaves undefined. */
function shiftFlags(form: Form, count: number, width: number): (before: number) => number {
  const masked = count & 31;
  if (masked === 0) return UNCHANGED;
  const { mnemonic, flags } = form.instruction;
  const overflow = masked === 1 ? 0 : bitsOf('o');
  const carry = (mnemonic === 'shl' || mnemonic === 'shr') && masked >= width ? bitsOf('c') : 0;
  return (before) => (before & ~bitsOf(flags.writes)) | bitsOf(flags.undefined) | overflow | carry;
}

/** Shifts: the count is known, and so is what they leave undefined. CL is set first, so no address may use ECX. */
const shift: Maker = (random, form, area) => {
  const last = form.operands.at(-1);
  const size = chooseSize(random, form);
  const width = form.operands[0]?.width === 'b' ? 8 : size * 8;
  const isDouble = form.operands.length === 3;
  const wanted = random.once(4) ? random.below(256) : random.below(34);
  // A double shift by more than the width has no defined result.
  const count = last?.literal === '1' ? 1 : isDouble && (wanted & 31) > width ? wanted & 15 : wanted;
  const filled = fill(random, form, area, {
    size,
    immediate: count,
    free: FREE.filter((register) => register !== ECX),
  });
  const setUp = last?.literal === 'CL' ? setByte(ECX, count) : [];
  return { ...filled, bytes: [...setUp, ...filled.bytes], undefinedAfter: shiftFlags(form, count, width) };
};

/** A dividend and divisor whose quotient fits. */
const divide: Maker = (random, form) => {
  const isSigned = form.instruction.mnemonic === 'idiv';
  const width = form.operands[0]?.width === 'b' ? 1 : random.once(2) ? 2 : 4;
  const bits = width * 8;
  const top = 2 ** (bits - 1);
  // The divisor's magnitude is above twice that of the dividend's upper half.
  const divisor = Math.floor(top / 2 + (random.below(2 ** 31) % (top / 2)));
  const upper = random.below(2 ** 31) % Math.floor(top / 8 + 1);
  const isNegative = isSigned && random.once(2);
  const high = isNegative ? -upper - 1 : random.once(2) ? upper : 0;
  const low = random.value();
  const value = isSigned && random.once(2) ? -divisor : divisor;
  const register = random.pick([ECX, EBX]);
  const dividend = width === 1 ? set(EAX, ((high & 0xff) << 8) | (low & 0xff)) : [...set(EAX, low), ...set(EDX, high)];
  return group(form, [
    ...dividend,
    ...set(register, value),
    ...(width === 2 ? [0x66] : []),
    ...opcodeBytes(form),
    0xc0 | ((form.extension ?? 0) << 3) | register,
  ]);
};

/** Bit tests: memory with an offset in a register reaches beyond the operand, and so needs a known offset. */
const bitTest: Maker = (random, form, area) => {
  if (form.operands[1]?.place === 'I') return fill(random, form, area);
  const size = chooseSize(random, form);
  const register = random.pick(FREE);
  const isLocked = form.instruction.traits.has('lock') && random.once(3);
  if (random.once(2))
    return group(form, [...sizePrefix(size), ...opcodeBytes(form), 0xc0 | (register << 3) | random.pick(FREE)]);
  return group(form, [
    ...set(register, random.below(2000) - 1000),
    ...(isLocked ? [0xf0] : []),
    ...sizePrefix(size),
    ...opcodeBytes(form),
    (register << 3) | 5,
    ...little(area.data + 0xff, 4),
  ]);
};

/** Bit scans of something that is not zero. */
const bitScan: Maker = (random, form, area) => {
  const size = chooseSize(random, form);
  const value = (size === 2 ? random.value() & 0xffff : random.value()) || 1;
  const target = area.data + random.below(0x180);
  const [register, other] = [random.pick(FREE), random.pick(FREE)];
  const operand = random.once(2)
    ? { setUp: set(other, value), modrm: [0xc0 | (register << 3) | other] }
    : { setUp: setMemory(target, value), modrm: [(register << 3) | 5, ...little(target, 4)] };
  return group(form, [...operand.setUp, ...sizePrefix(size), ...opcodeBytes(form), ...operand.modrm]);
};

/** String instructions in either direction, repeated a few times. */
const string: Maker = (random, form, area) => {
  const size = chooseSize(random, form);
  const inside = (): number => area.data + 0x80 + random.below(0x100);
  const canRepeat = form.instruction.traits.has('rep') || form.instruction.traits.has('repz');
  const isRepeated = canRepeat && random.once(2);
  const count = random.below(12);
  const filled = group(form, [
    ...set(ESI, inside()),
    ...set(EDI, inside()),
    ...(isRepeated ? set(ECX, count) : []),
    random.pick([0xfc, 0xfd]),
    ...(isRepeated ? [random.pick([0xf2, 0xf3])] : []),
    ...sizePrefix(size),
    ...opcodeBytes(form),
  ]);
  return { ...filled, undefinedAfter: isRepeated && count === 0 ? UNCHANGED : filled.undefinedAfter };
};

/** XCHG, CMPXCHG8B and others that compare: half the time with what is there. */
const compareExchange8: Maker = (random, form, area) => {
  const target = area.data + random.below(0x180);
  const load = random.once(2) ? [0xa1, ...little(target, 4), 0x8b, 0x15, ...little(target + 4, 4)] : [];
  return group(form, [...load, ...(random.once(2) ? [0xf0] : []), ...opcodeBytes(form), 0x0d, ...little(target, 4)]);
};

const byteIndex: Maker = (random, form, area) =>
  group(form, [...set(EBX, area.data + random.below(0x80)), ...opcodeBytes(form)]);

/** LEA takes any address, in 16-bit addressing too. */
const loadAddress: Maker = (random, form) => {
  const size = chooseSize(random, form);
  const register = random.pick(FREE);
  const prefix = [...sizePrefix(size), ...(random.once(3) ? [0x67] : [])];
  const mod = random.below(3);
  const rm = random.below(8);
  const is16 = prefix.includes(0x67);
  const sib = !is16 && rm === 4 ? [random.below(256)] : [];
  const isBare = mod === 0 && (is16 ? rm === 6 : rm === 5 || (rm === 4 && ((sib[0] ?? 0) & 7) === 5));
  const length = mod === 1 ? 1 : mod === 2 || isBare ? (is16 ? 2 : 4) : 0;
  return group(form, [
    ...prefix,
    ...opcodeBytes(form),
    (mod << 6) | (register << 3) | rm,
    ...sib,
    ...little(random.bits(), length),
  ]);
};

/** PUSH and POP of a register or immediate. */
const sized =
  (direction: 1 | -1): Maker =>
  (random, form) => {
    const size = random.once(3) ? 2 : 4;
    const register = random.pick(FREE);
    const rm = form.hasModrm ? [0xc0 | ((form.extension ?? 0) << 3) | register] : [];
    const immediate = form.operands.flatMap((operand) =>
      operand.place === 'I' ? little(random.value(), immediateSize(operand, size)) : [],
    );
    const bytes = [
      ...sizePrefix(size),
      ...opcodeBytes(form, form.registerInOpcode ? register : 0),
      ...rm,
      ...immediate,
    ];
    return group(form, bytes, { stack: direction * size });
  };

const memoryStack =
  (direction: 1 | -1): Maker =>
  (random, form, area) => {
    const size = random.once(3) ? 2 : 4;
    const place = address(random, area);
    const bytes = [
      ...place.setUp,
      ...sizePrefix(size),
      ...opcodeBytes(form),
      place.modrm | ((form.extension ?? 0) << 3),
      ...place.rest,
    ];
    return group(form, bytes, { stack: direction * size });
  };

const either =
  (...makers: readonly Maker[]): Maker =>
  (random, form, area) =>
    random.pick(makers)(random, form, area);

const all =
  (direction: 1 | -1): Maker =>
  (random, form) => {
    const size = random.once(2) ? 2 : 4;
    return group(form, [...sizePrefix(size), ...opcodeBytes(form)], { stack: direction * 8 * size });
  };

const pushFlags: Maker = (random, form) => {
  const size = random.once(2) ? 2 : 4;
  return group(form, [...sizePrefix(size), ...opcodeBytes(form)], { stack: -size, reads: ARITHMETIC_FLAGS });
};

/** POPF of an image that user code may load: arithmetic flags and DF. */
const popFlags: Maker = (random, form) => {
  const image = (random.bits() & 0xcd5) | 0x202;
  return group(form, [0x68, ...little(image, 4), ...opcodeBytes(form)], { undefinedAfter: () => 0 });
};

/** ENTER with what undoes it; deeper levels copy pointers from a frame in the area. */
const enter: Maker = (random, form, area) => {
  const level = random.below(4);
  return group(form, [
    ...set(EBP, area.data + 0x100),
    ...opcodeBytes(form),
    ...little(random.below(32), 2),
    level,
    0xc9,
  ]);
};

const bound: Maker = (random, form, area) => {
  const target = area.data + random.below(0x180);
  const register = random.pick(FREE);
  const low = random.bits() | 0;
  const high = Math.min(low + random.below(1000), 0x7fff_ffff);
  const value = low + random.below(high - low + 1);
  return group(form, [
    ...setMemory(target, low),
    ...setMemory(target + 4, high),
    ...set(register, value),
    ...opcodeBytes(form),
    (register << 3) | 5,
    ...little(target, 4),
  ]);
};

/** INTO where OF is clear, which TEST sees to. */
const overflowTrap: Maker = (_, form) =>
  group(form, [0x85, 0xc0, ...opcodeBytes(form)], { reads: 0, undefinedAfter: () => bitsOf('a') });

const CALL_OVER: readonly number[] = [0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3];

/** CALL to a RET close by. */
const callReturn: Maker = (_, form) => group(form, CALL_OVER);

/** CALL to the next instruction, which pops where it is. */
const callNext: Maker = (random, form) => group(form, [0xe8, 0, 0, 0, 0, 0x58 + random.pick(FREE)]);

/** Rows without operands whose size a prefix tells. */
const convert: Maker = (random, form) => group(form, [...sizePrefix(random.pick([2, 4])), ...opcodeBytes(form)]);

const adjustMultiply: Maker = (random, form) => group(form, [...opcodeBytes(form), 1 + random.below(255)]);

const repeated = (handlers: string, maker: Maker): [string, Maker][] =>
  handlers.split(' ').map((handler) => [handler, maker]);

/** How to make groups of forms that `fill` does not do, by handler. */
const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ...repeated('rol ror rcl rcr shl shr sar shld shrd', shift),
  ...repeated('div idiv', divide),
  ...repeated('bt bts btr btc', bitTest),
  ...repeated('bsf bsr', bitScan),
  ...repeated('movs cmps stos lods scas', string),
  ['cmpxchg8b', compareExchange8],
  ['xlat', byteIndex],
  ['lea', loadAddress],
  ['pusha', all(-1)],
  ['popa', all(1)],
  ['pushf', pushFlags],
  ['popf', popFlags],
  ['enter', enter],
  ['bound', bound],
  ['into', overflowTrap],
  ['call', either(callReturn, callNext)],
  ['aam', adjustMultiply],
  ...repeated('cbw cwd', convert),
]);

/** Not for a user program, not alike on every processor, or done as part of another group. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  [
    'mov_from_segment mov_to_segment mov_from_control mov_to_control mov_from_debug mov_to_debug',
    'load_far_pointer push_segment pop_segment cli sti ins outs in out hlt jmp_indirect call_indirect jmpf',
    'callf ret retf int3 int icebp iret leave sldt str lldt ltr verr verw sgdt sidt lgdt lidt smsw lmsw invlpg',
    'lar lsl clts invd wbinvd ud wrmsr rdmsr rdtsc rdpmc sysenter sysexit cpuid rsm wait esc jcc jmp loop',
    'loope loopne jcxz',
  ].flatMap((names) => names.split(' ')),
);

/** x87, MMX and SSE have sequences of their own (float.test.ts). */
const isFloating = (form: Form): boolean =>
  isVector(form) || (form.opcode >= 0xd8 && form.opcode <= 0xdf) || form.noPrefix || form.opcode > 0xffff;

/** 64-bit code, and what came after 2008 (long.test.ts). */
const isLater = ({ instruction }: Form): boolean =>
  instruction.traits.has('only64') || EXTENSION_INSTRUCTIONS.includes(instruction);

/** The rows that sequences are made of. */
export const SEQUENCE_FORMS: readonly Form[] = FORMS.filter(
  (form) =>
    !isFloating(form) &&
    !isLater(form) &&
    !LEFT_OUT.has(form.instruction.handler) &&
    !LEFT_OUT.has(form.instruction.mnemonic) &&
    !HINTS.has(form.opcode),
);

/** Branches forward, over other groups. */
const BRANCHES: readonly Form[] = FORMS.filter(({ instruction: { handler } }) =>
  ['jcc', 'jmp', 'loop', 'loope', 'loopne', 'jcxz'].includes(handler),
);

function make(random: Random, area: Area): Group {
  const form = random.pick(SEQUENCE_FORMS);
  const { handler } = form.instruction;
  const maker = MAKERS.get(handler);
  if (maker !== undefined) return maker(random, form, area);
  if (handler === 'push') return (form.hasModrm && random.once(2) ? memoryStack(-1) : sized(-1))(random, form, area);
  if (handler === 'pop') return (form.hasModrm && random.once(2) ? memoryStack(1) : sized(1))(random, form, area);
  if (isString(form)) return string(random, form, area);
  return fill(random, form, area);
}

/** A branch over a group: what either way leaves undefined stays so. */
function branchOver(random: Random, body: Group): Group {
  const form = random.pick(BRANCHES);
  const isShort = form.operands[0]?.width === 'b';
  const length = body.bytes.length;
  const address =
    form.instruction.handler === 'jcxz' || form.instruction.handler.startsWith('loop') ? random.pick([[], [0x67]]) : [];
  return {
    ...behind([...address, ...opcodeBytes(form), ...little(length, isShort ? 1 : 4)], body),
    reads: bitsOf(form.instruction.flags.reads) | body.reads,
    undefinedAfter: (before) => before | body.undefinedAfter(before),
  };
}

/** CMP EBX, immediate: defines every arithmetic flag. */
const define = (random: Random): Group =>
  plain([0x81, 0xfb, ...little(random.value(), 4)], { undefinedAfter: () => 0 });

/** How far a sequence may move ESP either way. */
const STACK_ROOM = 0x60;

/** A sequence of 4 to 12 groups that reads no undefined flag and stays within its area. */
export function randomSequence(random: Random, area: Area): Group[] {
  const groups: Group[] = [];
  const length = 4 + random.below(9);
  let undefinedFlags = 0;
  let depth = 0;
  while (groups.length < length) {
    const made = make(random, area);
    const next = made.stack === 0 && random.once(8) ? branchOver(random, made) : made;
    if (Math.abs(depth + next.stack) > STACK_ROOM) continue;
    if ((undefinedFlags & next.reads) !== 0) {
      groups.push(define(random));
      undefinedFlags = 0;
    }
    groups.push(next);
    undefinedFlags = next.undefinedAfter(undefinedFlags);
    depth += next.stack;
  }
  return groups;
}
