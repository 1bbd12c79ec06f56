import type { Form } from '../../../src/cpu/x86/assembler/form.ts';
import { FREE } from './address.ts';
import { absolute, little, set, setMemory } from '../code.ts';
import { fill, sizesOf, type Setting } from './encoding.ts';
import { ARITHMETIC_FLAGS, behind, bitsOf, group, plain, UNCHANGED, type Group } from '../group.ts';
import { ALIAS, PART } from './layout.ts';

export type Maker = (form: Form, setting: Setting) => Group;

const [RAX, RCX, RDX, RBX, RBP, RSI, RDI] = [0, 1, 2, 3, 5, 6, 7] as const;
const without = (...registers: readonly number[]): number[] => FREE.filter((register) => !registers.includes(register));

/** An address in the data, in either alias. */
const inside = ({ random, page }: Setting, margin = 0x80): bigint =>
  BigInt(page + PART.data + margin + random.below(0x400 - 2 * margin)) + (random.once(2) ? ALIAS : 0n);

/** Flags that a shift or rotate by `count` leaves undefined. */
function shiftFlags(form: Form, count: number, width: number): (before: number) => number {
  const masked = count & (width === 64 ? 63 : 31);
  if (masked === 0) return UNCHANGED;
  const { mnemonic, flags } = form.instruction;
  const overflow = masked === 1 ? 0 : bitsOf('o');
  const carry = (mnemonic === 'shl' || mnemonic === 'shr') && masked >= width ? bitsOf('c') : 0;
  return (before) => (before & ~bitsOf(flags.writes)) | bitsOf(flags.undefined) | overflow | carry;
}

/** Shifts: the count is known, and so is what they leave undefined. CL is set first, so that nothing else may be RCX. */
const shift: Maker = (form, setting) => {
  const { random } = setting;
  const last = form.operands.at(-1);
  const size = random.pick(sizesOf(form));
  const width = form.operands[0]?.width === 'b' ? 8 : size * 8;
  const isDouble = form.operands.length === 3;
  const wanted = random.once(4) ? random.below(256) : random.below(width + 2);
  // A double shift by more than the width has no defined result.
  const count = last?.literal === '1' ? 1 : isDouble && width === 16 ? wanted & 15 : wanted;
  const isByCl = last?.literal === 'CL';
  const made = fill(form, setting, { size, immediate: count, free: isByCl ? without(RCX) : FREE });
  const setUp = isByCl ? set(RCX, (random.bits64() & ~0xffn) | BigInt(count)) : [];
  return { ...behind(setUp, made), undefinedAfter: shiftFlags(form, count, width) };
};

/** A quotient that fits, mostly; else whatever comes, which is often #DE. */
const divide: Maker = (form, setting) => {
  const { random } = setting;
  const size = form.operands[0]?.width === 'b' ? 1 : random.pick([2, 4, 8]);
  if (random.once(40)) return fill(form, setting, size === 1 ? {} : { size });
  const isSigned = form.instruction.mnemonic === 'idiv';
  const top = 1n << BigInt(size * 8 - 1);
  // The divisor's magnitude is above twice that of the dividend's upper half.
  const divisor = top / 2n + (random.bits64() % (top / 2n));
  const upper = random.bits64() % (top / 8n + 1n);
  const high = isSigned && random.once(2) ? -upper - 1n : random.once(2) ? upper : 0n;
  const low = BigInt.asUintN(size * 8, random.value64());
  const dividend = size === 1 ? set(RAX, ((high & 0xffn) << 8n) | low) : [...set(RAX, low), ...set(RDX, high)];
  const rm = random.pick(without(RAX, RDX, 5, 6, 7));
  const value = isSigned && random.once(2) ? -divisor : divisor;
  const made = fill(form, setting, { memory: false, rm, ...(size === 1 ? {} : { size }) });
  return behind([...dividend, ...set(rm, value)], made);
};

/** Bit tests: memory with an offset in a register reaches beyond the operand, and so needs a known offset. */
const bitTest: Maker = (form, setting) => {
  const { random, page } = setting;
  if (form.operands[1]?.place === 'I' || random.once(2))
    return fill(form, setting, form.operands[1]?.place === 'I' ? {} : { memory: false });
  const size = random.pick([2, 4, 8]);
  const register = random.pick(FREE);
  const offset = random.below(3000) - 1500;
  // The offset counts with the operand's size: what lies above is not looked at.
  const whole =
    size === 8 ? BigInt(offset) : BigInt.asUintN(size * 8, BigInt(offset)) | (random.bits64() & ~0xffff_ffffn);
  const target = page + PART.data + 0x1f8;
  const made = fill(form, setting, {
    size,
    register,
    address: { setUp: [], rex: 0, is32: random.once(4), modrm: 0x04, rest: [0x25, ...little(target, 4)] },
  });
  return behind(set(register, whole), made);
};

/** Bit scans of something that is not zero. */
const bitScan: Maker = (form, setting) => {
  const { random, page } = setting;
  const size = random.pick([2, 4, 8]);
  const value = BigInt.asUintN(size * 8, random.value64()) || 1n;
  const rm = random.pick(FREE);
  if (random.once(2)) return behind(set(rm, value), fill(form, setting, { size, memory: false, rm }));
  const target = page + PART.data + random.below(0x3f0);
  const word = Number(value & 0xffff_ffffn) | 1;
  const place = { setUp: [], rex: 0, is32: false, modrm: 0x04, rest: [0x25, ...little(target, 4)] };
  return behind(setMemory(target, word), fill(form, setting, { size, address: place }));
};

const SIZES = [2, 4, 8] as const;

/** String instructions in either direction, repeated a few times; now and then into the hole behind the page. */
const string: Maker = (form, setting) => {
  const { random, page } = setting;
  const isByte = form.operands.some(({ width }) => width === 'b');
  const size = isByte ? 4 : random.pick(SIZES);
  const width = isByte ? 1 : size;
  const { traits } = form.instruction;
  const isRepeated = (traits.has('rep') || traits.has('repz')) && random.once(2);
  const is32 = random.once(5);
  const count = random.below(14);
  const end = BigInt(page + PART.data + 0x400 - width * random.below(8));
  const pointer = (): bigint => {
    const at = random.once(60) ? end : inside(setting);
    return is32 ? BigInt.asUintN(32, at) | (BigInt(random.bits()) << 32n) : at;
  };
  const made = group(form, [
    ...set(RSI, pointer()),
    ...set(RDI, pointer()),
    ...(isRepeated ? set(RCX, is32 ? BigInt(count) | (BigInt(random.bits()) << 32n) : count) : []),
    random.once(3) ? 0xfd : 0xfc,
    ...(random.once(6) ? [random.pick([0x26, 0x2e, 0x36, 0x3e, 0x65])] : []),
    ...(isRepeated ? [random.pick([0xf2, 0xf3])] : []),
    ...(is32 ? [0x67] : []),
    ...(size === 2 ? [0x66] : []),
    ...(size === 8 ? [0x48 | random.below(8)] : random.once(6) ? [0x40 | random.below(8)] : []),
    form.opcode,
  ]);
  // An exception in the middle: Intel's processors restore the flags, AMD's have those of the last comparison.
  return {
    ...made,
    undefinedAfter: isRepeated && count === 0 ? UNCHANGED : made.undefinedAfter,
    undefinedInside: traits.has('repz') && isRepeated ? ARITHMETIC_FLAGS : 0,
  };
};

/** CMPXCHG8B and CMPXCHG16B: half the time with what is there. */
const compareExchange: Maker = (form, setting) => {
  const { random, page } = setting;
  const size = random.pick([4, 8]);
  const isAligned = size === 4 || !random.once(20);
  const target = page + PART.data + (random.below(0x3e0) & (isAligned ? ~15 : ~0));
  const load = (register: number, at: number): number[] => [
    ...(size === 8 ? [0x48] : []),
    0x8b,
    ...absolute(register, at),
  ];
  const setUp = random.once(2) ? [...load(RAX, target), ...load(RDX, target + size)] : [];
  const bytes = [...(random.once(2) ? [0xf0] : []), ...(size === 8 ? [0x48] : []), 0x0f, 0xc7, ...absolute(1, target)];
  return group(form, [...setUp, ...bytes]);
};

const byteIndex: Maker = (form, setting) => {
  const { random } = setting;
  const is32 = random.once(4);
  const base = inside(setting, 0x100);
  const rbx = is32 ? BigInt.asUintN(32, base) | (BigInt(random.bits()) << 32n) : base;
  return group(form, [...set(RBX, rbx), ...(is32 ? [0x67] : []), ...(random.once(4) ? [0x48] : []), form.opcode]);
};

/** LEA takes any address. */
const loadAddress: Maker = (form, { random }) => {
  const size = random.pick(SIZES);
  const register = random.pick(FREE);
  const mod = random.below(3);
  const rm = random.below(8);
  const sib = rm === 4 ? [random.below(256)] : [];
  const isBare = mod === 0 && (rm === 5 || (rm === 4 && ((sib[0] ?? 0) & 7) === 5));
  return group(form, [
    ...(random.once(3) ? [0x67] : []),
    ...(size === 2 ? [0x66] : []),
    0x40 | (size === 8 ? 8 : 0) | ((register >> 3) << 2) | random.below(4),
    form.opcode,
    (mod << 6) | ((register & 7) << 3) | rm,
    ...sib,
    ...little(random.bits(), mod === 1 ? 1 : mod === 2 || isBare ? 4 : 0),
  ]);
};

/** Whatever pushes or pops one thing. */
const stack =
  (direction: 1 | -1): Maker =>
  (form, setting) => {
    const size = setting.random.pick([2, 8, 8]);
    return { ...fill(form, setting, { size }), stack: direction * size };
  };

const pushFlags: Maker = (form, setting) => ({ ...stack(-1)(form, setting), reads: ARITHMETIC_FLAGS });

/** POPF of an image that user code may load: arithmetic flags and DF. */
const popFlags: Maker = (form, { random }) =>
  plain([0x68, ...little((random.bits() & 0xcd5) | 0x202, 4), form.opcode], { undefinedAfter: () => 0 });

/** ENTER with what undoes it; deeper levels copy pointers from a frame in the data. */
const enter: Maker = (form, setting) => {
  const { random, page } = setting;
  const frame = BigInt(page + PART.data + 0x200) + (random.once(2) ? ALIAS : 0n);
  const size = random.once(4) ? [0x66] : [];
  const level = random.below(5) | (random.once(3) ? 0x40 : 0);
  // Only the low half of RBP is written with 66, and RSP is where it was, so that LEAVE is told.
  const leave = size.length > 0 ? [] : [0xc9];
  return plain([...set(RBP, frame), ...size, form.opcode, ...little(random.below(24), 2), level, ...leave], {
    stack: leave.length > 0 ? 0 : -34,
  });
};

const [CALL, JMP_OVER] = [0xe8, 0xeb];

/** CALL to a RET close by. */
const callReturn: Maker = (_, { random }) =>
  random.once(2)
    ? plain([CALL, 2, 0, 0, 0, JMP_OVER, 1, 0xc3])
    : plain([0x6a, 0x11, CALL, 2, 0, 0, 0, JMP_OVER, 3, 0xc2, 8, 0]);

/** CALL to the next instruction, which pops where it is: the register is an address of code. */
const callNext: Maker = (_, { random }) => plain([CALL, 0, 0, 0, 0, 0x58 + random.pick([0, 1, 2, 3, 5, 6, 7])]);

/** LEA of the place behind, and JMP there through the register or memory. */
const jumpIndirect: Maker = (form, { random, page }) => {
  const target = page + PART.data + random.below(0x3f8);
  const register = random.pick([RAX, RCX, RDX, RBX, RSI, RDI]);
  const isCall = form.instruction.handler === 'call_indirect';
  const reg = form.extension ?? 0;
  const store = [0x48, 0x89, ...absolute(register, target)];
  const jump = random.once(2) ? [0xff, 0xc0 | (reg << 3) | register] : [...store, 0xff, ...absolute(reg, target)];
  const lea = [0x48, 0x8d, 5 | (register << 3), ...little(jump.length + 1, 4)];
  return plain([...lea, ...jump, 0xf4, ...(isCall ? [0x58 + register] : [])]);
};

/** MOV between rAX and memory at an absolute address of 8 bytes. */
export const moveOffset: Maker = (form, setting) => {
  const { random } = setting;
  const isByte = form.operands.some(({ width }) => width === 'b');
  const size = isByte ? 4 : random.pick(SIZES);
  const is32 = random.once(4);
  const at = inside(setting, 8);
  return group(form, [
    ...(is32 ? [0x67] : []),
    ...(size === 2 ? [0x66] : []),
    ...(size === 8 ? [0x48] : []),
    form.opcode,
    ...little(is32 ? BigInt.asUintN(32, at) : at, is32 ? 4 : 8),
  ]);
};

/** A selector into a general register or memory. */
const fromSegment: Maker = (form, setting) => fill(form, setting, { register: setting.random.below(6) });

/** BSWAP of 16 bits has no defined result. */
const swapBytes: Maker = (form, setting) => fill(form, setting, { size: setting.random.pick([4, 8]) });

/** PREFETCHW of a register is nothing to Intel, and #UD to AMD. */
const hint: Maker = (form, setting) => fill(form, setting, form.opcode === 0x0f0d ? { memory: true } : {});

/** Of 16 bits it reads as much memory with Intel, and 4 bytes with AMD. */
const signExtend: Maker = (form, setting) => {
  const size = setting.random.pick(SIZES);
  return fill(form, setting, size === 2 ? { size, memory: false } : { size });
};

const repeated = (handlers: string, maker: Maker): [string, Maker][] =>
  handlers.split(' ').map((handler) => [handler, maker]);

/** How to make groups of integer forms that `fill` does not do, by handler. */
export const INTEGER_MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ...repeated('rol ror rcl rcr shl shr sar shld shrd', shift),
  ...repeated('div idiv', divide),
  ...repeated('bt bts btr btc', bitTest),
  ...repeated('bsf bsr', bitScan),
  ...repeated('movs cmps stos lods scas', string),
  ...repeated('jmp_indirect call_indirect', jumpIndirect),
  ['cmpxchg8b', compareExchange],
  ['xlat', byteIndex],
  ['lea', loadAddress],
  ['push', stack(-1)],
  ['pop', stack(1)],
  ['pushf', pushFlags],
  ['popf', popFlags],
  ['enter', enter],
  ['call', (form, setting) => setting.random.pick([callReturn, callNext])(form, setting)],
  ['mov_from_segment', fromSegment],
  ['bswap', swapBytes],
  ['nop', hint],
  ['movsxd', signExtend],
]);
