// Lazy arithmetic flags. What an operation leaves behind is enough to compute each flag without knowing which
// operation it was (the idea is Bochs's):
//
//     LAZY_RESULT   the result, sign-extended to 64 bits:  ZF = it is 0,  SF = bit 63,  PF = parity of the low byte
//     LAZY_CARRIES  bit 31  carry out of the operand: CF
//                   bit 30  carry into its sign bit: OF = bit 31 ^ bit 30
//                   bit 3   carry out of bit 3: AF
//                   bit 32  inverts SF   } both 0 after an operation; they let POPF, SAHF and the like set
//                   bit 33  inverts PF   } combinations that no result has
//
// So the carries of a 32-bit addition are stored as they are, and INC keeps CF by keeping a bit.
import { STATE_FLAGS_32, STATE_LAZY_CARRIES, STATE_LAZY_RESULT } from './generated/layout';

export const CF: u32 = 0x1;
export const PF: u32 = 0x4;
export const AF: u32 = 0x10;
export const ZF: u32 = 0x40;
export const SF: u32 = 0x80;
export const TF: u32 = 0x100;
export const IF: u32 = 0x200;
export const DF: u32 = 0x400;
export const OF: u32 = 0x800;
export const IOPL: u32 = 0x3000;
export const NT: u32 = 0x4000;
export const RF: u32 = 0x1_0000;
export const VM: u32 = 0x2_0000;
export const AC: u32 = 0x4_0000;
export const VIF: u32 = 0x8_0000;
export const VIP: u32 = 0x10_0000;
export const ID: u32 = 0x20_0000;
/** The flags that are kept lazily. */
export const ARITHMETIC: u32 = CF | PF | AF | ZF | SF | OF;

// @ts-ignore: decorator
@inline function result(): i64 {
  return load<i64>(STATE_LAZY_RESULT);
}
// @ts-ignore: decorator
@inline function carries(): u32 {
  return load<u32>(STATE_LAZY_CARRIES);
}
// @ts-ignore: decorator
@inline function inversions(): u32 {
  return load<u32>(STATE_LAZY_CARRIES + 4);
}

// Each flag as 0 or 1.
// @ts-ignore: decorator
@inline export function carryFlag(): u32 {
  return carries() >> 31;
}
// @ts-ignore: decorator
@inline export function zeroFlag(): u32 {
  return u32(result() == 0);
}
// @ts-ignore: decorator
@inline export function signFlag(): u32 {
  return u32(load<u32>(STATE_LAZY_RESULT + 4) >> 31) ^ (inversions() & 1);
}
// @ts-ignore: decorator
@inline export function overflowFlag(): u32 {
  const bits = carries();
  return (bits ^ (bits << 1)) >> 31;
}
// @ts-ignore: decorator
@inline export function adjustFlag(): u32 {
  return (carries() >> 3) & 1;
}
// @ts-ignore: decorator
@inline export function parityFlag(): u32 {
  return (popcnt(load<u8>(STATE_LAZY_RESULT)) & 1) ^ 1 ^ ((inversions() >> 1) & 1);
}

/** Sets the arithmetic flags from the bits of `flags`. */
export function setArithmetic(flags: u32): void {
  // A result that has ZF right and everything else as an inversion: 0 has PF, 1 has neither PF nor SF.
  const zero = (flags >> 6) & 1;
  const parity = (flags >> 2) & 1;
  const carry = flags & CF;
  const overflow = (flags >> 11) & 1;
  store<u64>(STATE_LAZY_RESULT, zero ^ 1);
  store<u32>(STATE_LAZY_CARRIES, (carry << 31) | ((carry ^ overflow) << 30) | ((flags & AF) >> 1));
  store<u32>(STATE_LAZY_CARRIES + 4, ((flags >> 7) & 1) | ((parity ^ zero) << 1));
}

/** The arithmetic flags in their places in EFLAGS. */
export function arithmetic(): u32 {
  return (
    carryFlag() |
    (parityFlag() << 2) |
    (adjustFlag() << 4) |
    (zeroFlag() << 6) |
    (signFlag() << 7) |
    (overflowFlag() << 11)
  );
}

/** All of EFLAGS. */
export function materialize(): u32 {
  return (load<u32>(STATE_FLAGS_32) & ~ARITHMETIC) | arithmetic() | 2;
}

/** Sets all of EFLAGS. No check, no side effect: whoever changes VM, IOPL, IF or TF looks after the mode. */
export function setFlags(flags: u32): void {
  store<u32>(STATE_FLAGS_32, (flags & ~ARITHMETIC) | 2);
  setArithmetic(flags);
}

/** Sets ZF alone (VERR, LAR, CMPXCHG8B …). */
export function setZero(zero: bool): void {
  setArithmetic((arithmetic() & ~ZF) | (zero ? ZF : 0));
}

/** Sets CF alone. */
export function setCarry(carry: u32): void {
  const overflow = overflowFlag();
  const rest = carries() & 0x3fff_ffff;
  store<u32>(STATE_LAZY_CARRIES, rest | (carry << 31) | ((carry ^ overflow) << 30));
}

// Flags outside the lazy ones, where no materialising is needed.
// @ts-ignore: decorator
@inline export function systemFlag(mask: u32): bool {
  return (load<u32>(STATE_FLAGS_32) & mask) != 0;
}
// @ts-ignore: decorator
@inline export function setSystemFlag(mask: u32, on: bool): void {
  const flags = load<u32>(STATE_FLAGS_32);
  store<u32>(STATE_FLAGS_32, on ? flags | mask : flags & ~mask);
}

/** Whether a condition holds, numbered as in the opcode (SDM volume 1, appendix B). */
export function condition(number: u32): bool {
  let holds: u32 = 0;
  switch (number >> 1) {
    case 0: holds = overflowFlag(); break;
    case 1: holds = carryFlag(); break;
    case 2: holds = zeroFlag(); break;
    case 3: holds = carryFlag() | zeroFlag(); break;
    case 4: holds = signFlag(); break;
    case 5: holds = parityFlag(); break;
    case 6: holds = signFlag() ^ overflowFlag(); break;
    default: holds = (signFlag() ^ overflowFlag()) | zeroFlag(); break;
  }
  return (holds ^ (number & 1)) != 0;
}
