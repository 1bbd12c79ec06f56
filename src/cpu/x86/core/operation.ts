// Arithmetic with its lazy flags, for the unsigned type of the operand size. What is stored is explained in flags.ts;
// the carries of a sum are the majority of the operands and the inverted result, bit by bit.
import { STATE_LAZY_CARRIES, STATE_LAZY_RESULT, STATE_REGS } from './generated/layout';
import { carryFlag } from './flags';
import { signExtend } from './state';

const TOP: u32 = 0x8000_0000;
const BELOW_TOP: u32 = 0x4000_0000;

// @ts-ignore: decorator
@inline export function get<T>(offset: u32): T {
  return load<T>(STATE_REGS + offset);
}

// @ts-ignore: decorator
@inline export function set<T>(offset: u32, value: T): void {
  if (sizeof<T>() == 4) store<u64>(STATE_REGS + offset, <u64>value);
  else store<T>(STATE_REGS + offset, value);
}

/** Moves the carries of an operand's two top bits to bits 31 and 30, and leaves that of bit 3. */
// @ts-ignore: decorator
@inline function align<T>(carries: T): u32 {
  if (sizeof<T>() == 1) return (<u32>carries << 24) | (<u32>carries & 8);
  if (sizeof<T>() == 2) return (<u32>carries << 16) | (<u32>carries & 8);
  if (sizeof<T>() == 4) return <u32>carries;
  return (<u32>(<u64>carries >> 32) & ~8) | (<u32>carries & 8);
}

// @ts-ignore: decorator
@inline function setResult<T>(result: T): void {
  if (sizeof<T>() == 1) store<i64>(STATE_LAZY_RESULT, <i64>(<i8>result));
  else if (sizeof<T>() == 2) store<i64>(STATE_LAZY_RESULT, <i64>(<i16>result));
  else if (sizeof<T>() == 4) store<i64>(STATE_LAZY_RESULT, <i64>(<i32>result));
  else store<u64>(STATE_LAZY_RESULT, <u64>result);
}

/** Stores the carries; the inversions of SF and PF above them become 0. */
// @ts-ignore: decorator
@inline function setCarries(carries: u32): void {
  store<u64>(STATE_LAZY_CARRIES, carries);
}

// @ts-ignore: decorator
@inline function sum<T>(a: T, b: T, result: T): T {
  setResult<T>(result);
  setCarries(align<T>(<T>((a & b) | ((a | b) & ~result))));
  return result;
}

// @ts-ignore: decorator
@inline function difference<T>(a: T, b: T, result: T): T {
  setResult<T>(result);
  setCarries(align<T>(<T>((~a & b) | (~(a ^ b) & result))));
  return result;
}

// @ts-ignore: decorator
@inline function logic<T>(result: T): T {
  setResult<T>(result);
  setCarries(0);
  return result;
}

// @ts-ignore: decorator
@inline export function add<T>(a: T, b: T): T {
  return sum<T>(a, b, <T>(a + b));
}
// @ts-ignore: decorator
@inline export function adc<T>(a: T, b: T): T {
  return sum<T>(a, b, <T>(a + b + <T>carryFlag()));
}
// @ts-ignore: decorator
@inline export function sub<T>(a: T, b: T): T {
  return difference<T>(a, b, <T>(a - b));
}
// @ts-ignore: decorator
@inline export function sbb<T>(a: T, b: T): T {
  return difference<T>(a, b, <T>(a - b - <T>carryFlag()));
}
// @ts-ignore: decorator
@inline export function compare<T>(a: T, b: T): void {
  difference<T>(a, b, <T>(a - b));
}
// @ts-ignore: decorator
@inline export function and<T>(a: T, b: T): T {
  return logic<T>(a & b);
}
// @ts-ignore: decorator
@inline export function or<T>(a: T, b: T): T {
  return logic<T>(a | b);
}
// @ts-ignore: decorator
@inline export function xor<T>(a: T, b: T): T {
  return logic<T>(a ^ b);
}
// @ts-ignore: decorator
@inline export function test<T>(a: T, b: T): void {
  logic<T>(a & b);
}

/** For INC and DEC: CF stays what it was, OF and AF come from `carries`. */
// @ts-ignore: decorator
@inline function setCarriesBelowTop(carries: u32): void {
  const kept = load<u32>(STATE_LAZY_CARRIES) & TOP;
  const overflow = (carries ^ (carries << 1)) & TOP;
  setCarries(kept | ((kept ^ overflow) >> 1) | (carries & 8));
}
// @ts-ignore: decorator
@inline export function inc<T>(a: T): T {
  const result = <T>(a + 1);
  setCarriesBelowTop(align<T>(<T>(a & ~result)));
  setResult<T>(result);
  return result;
}
// @ts-ignore: decorator
@inline export function dec<T>(a: T): T {
  const result = <T>(a - 1);
  setCarriesBelowTop(align<T>(<T>(~a & result)));
  setResult<T>(result);
  return result;
}

/** The flags of a shift: result, and CF and OF as bits. AF is undefined; it becomes 0. */
// @ts-ignore: decorator
@inline export function setShifted<T>(result: T, carry: u32, overflow: u32): void {
  setResult<T>(result);
  setCarries((carry << 31) | ((carry ^ overflow) << 30));
}

// Shifts by 0 to 31. Counts above the width shift everything out. OF is the manual's for a count of 1, and by the same
// rule, as processors do it, for others.
// @ts-ignore: decorator
@inline export function shl<T>(a: T, count: u32): T {
  if (count == 0) return a;
  const wide = <u64>a << count;
  const result = <T>wide;
  const carry = <u32>(wide >> (sizeof<T>() * 8)) & 1;
  setShifted<T>(result, carry, carry ^ (<u32>(<u64>result >> (sizeof<T>() * 8 - 1)) & 1));
  return result;
}
// @ts-ignore: decorator
@inline export function shr<T>(a: T, count: u32): T {
  if (count == 0) return a;
  const result = <T>(<u64>a >> count);
  setShifted<T>(result, <u32>(<u64>a >> (count - 1)) & 1, <u32>((<u64>a >> (sizeof<T>() * 8 - 1)) & 1));
  return result;
}
// @ts-ignore: decorator
@inline export function sar<T>(a: T, count: u32): T {
  if (count == 0) return a;
  const wide = sizeof<T>() == 1 ? <i64>(<i8>a) : sizeof<T>() == 2 ? <i64>(<i16>a) : sizeof<T>() == 4 ? <i64>(<i32>a) : <i64>a;
  const result = <T>(wide >> count);
  setShifted<T>(result, <u32>(wide >> (count - 1)) & 1, 0);
  return result;
}

/** Sets CF and OF and leaves the rest, as rotates and multiplications do. */
export function setCarryOverflow(carry: u32, overflow: u32): void {
  const rest = load<u32>(STATE_LAZY_CARRIES) & ~(TOP | BELOW_TOP);
  store<u32>(STATE_LAZY_CARRIES, rest | (carry << 31) | ((carry ^ overflow) << 30));
}

// @ts-ignore: decorator
@inline export function rol<T>(a: T, count: u32): T {
  if (count == 0) return a;
  const result = rotl<T>(a, <T>count);
  setCarryOverflow(<u32>result & 1, (<u32>result & 1) ^ (<u32>(<u64>result >> (sizeof<T>() * 8 - 1)) & 1));
  return result;
}
// @ts-ignore: decorator
@inline export function ror<T>(a: T, count: u32): T {
  if (count == 0) return a;
  const result = rotr<T>(a, <T>count);
  const top = <u32>(<u64>result >> (sizeof<T>() * 8 - 1)) & 1;
  setCarryOverflow(top, top ^ (<u32>(<u64>result >> (sizeof<T>() * 8 - 2)) & 1));
  return result;
}

/** The two- and three-operand IMUL of 32 bits: CF and OF say that the product does not fit, the rest is undefined. */
export function multiply(a: u32, b: u32): u32 {
  const product = <i64>(<i32>a) * <i64>(<i32>b);
  const significant = u32(product != <i64>(<i32>product));
  setShifted<u32>(<u32>product, significant, significant);
  return <u32>product;
}

// The same for an operand size that is known only when the instruction is executed.

/** The flags of a result and of the carries of the operand's top bits, as `setShifted` does. */
export function setShiftedOf(result: u64, size: u32, carry: u32, overflow: u32): void {
  store<i64>(STATE_LAZY_RESULT, signExtend(result, size));
  setCarries((carry << 31) | ((carry ^ overflow) << 30));
}

/** SUB and CMP. */
export function subtract(a: u64, b: u64, size: u32): u64 {
  if (size == 1) return sub<u8>(<u8>a, <u8>b);
  if (size == 2) return sub<u16>(<u16>a, <u16>b);
  if (size == 4) return sub<u32>(<u32>a, <u32>b);
  return sub<u64>(a, b);
}

export function addition(a: u64, b: u64, size: u32): u64 {
  if (size == 1) return add<u8>(<u8>a, <u8>b);
  if (size == 2) return add<u16>(<u16>a, <u16>b);
  if (size == 4) return add<u32>(<u32>a, <u32>b);
  return add<u64>(a, b);
}
