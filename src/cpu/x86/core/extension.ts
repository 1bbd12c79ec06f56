// Extensions of the integer instructions: LZCNT, BMI1, BMI2, ADX, MOVBE (SDM volume 2).
import { REG_RDX } from './generated/layout';
import { fault } from './fault';
import { arithmetic, CF, carryFlag, OF, overflowFlag, setArithmetic, SF, ZF } from './flags';
import { readOperand, registerOperand, setRegisterOperand, writeOperand } from './operand';
import { multiplyHigh } from './operation';
import { register, setRegister, signExtend, truncate } from './state';
import { uopImmediate, uopSelector, uopSize } from './uop';

// @ts-ignore: decorator
@inline function bits(u: usize): u32 {
  return uopSize(u) << 3;
}

/** The register that VEX.vvvv names. */
function third(u: usize): u64 {
  return register(uopSelector(u), uopSize(u));
}

function setThird(u: usize, value: u64): void {
  setRegister(uopSelector(u), uopSize(u), value);
}

/** LZCNT and TZCNT: CF says that there is no bit, ZF that the count is 0. */
function setCounted(u: usize, value: u64, count: u64): void {
  setArithmetic((value == 0 ? CF : 0) | (count == 0 ? ZF : 0));
  setRegisterOperand(u, count);
}

export function lzcnt(u: usize): void {
  const value = readOperand(u);
  if (!fault) setCounted(u, value, clz<u64>(value) - (64 - bits(u)));
}

export function tzcnt(u: usize): void {
  const value = readOperand(u);
  if (!fault) setCounted(u, value, min<u64>(ctz<u64>(value), bits(u)));
}

/** SF and ZF of a result and CF; the others are 0. */
function setResultFlags(u: usize, result: u64, carry: bool): void {
  const negative = (result >> (bits(u) - 1)) != 0;
  setArithmetic((carry ? CF : 0) | (result == 0 ? ZF : 0) | (negative ? SF : 0));
}

export function andn(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const result = ~third(u) & value;
  setRegisterOperand(u, result);
  setResultFlags(u, result, false);
}

/** Bits from `start` on, `length` of them, that the third operand names. */
export function bextr(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const start = <u32>third(u) & 0xff;
  const length = <u32>(third(u) >> 8) & 0xff;
  const moved = start > 63 ? 0 : value >> start;
  const result = length > 63 ? moved : moved & (((<u64>1) << length) - 1);
  setRegisterOperand(u, result);
  setArithmetic(result == 0 ? ZF : 0);
}

export function blsr(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const result = value & (value - 1);
  setThird(u, result);
  setResultFlags(u, result, value == 0);
}

export function blsmsk(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const result = truncate(value ^ (value - 1), uopSize(u));
  setThird(u, result);
  setResultFlags(u, result, value == 0);
}

export function blsi(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const result = value & (0 - value);
  setThird(u, result);
  setResultFlags(u, result, value != 0);
}

/** Clears the bits from a position on. */
export function bzhi(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const position = <u32>third(u) & 0xff;
  const beyond = position >= bits(u);
  const result = beyond ? value : value & (((<u64>1) << position) - 1);
  setRegisterOperand(u, result);
  setResultFlags(u, result, beyond);
}

/** Spreads the low bits of the source over the bits of a mask. */
export function pdep(u: usize): void {
  let mask = readOperand(u);
  if (fault) return;
  let source = third(u);
  let result: u64 = 0;
  for (; mask != 0; mask &= mask - 1) {
    if ((source & 1) != 0) result |= mask & (0 - mask);
    source >>= 1;
  }
  setRegisterOperand(u, result);
}

/** Collects the bits of the source that a mask names. */
export function pext(u: usize): void {
  let mask = readOperand(u);
  if (fault) return;
  const source = third(u);
  let result: u64 = 0;
  for (let at: u64 = 0; mask != 0; mask &= mask - 1) {
    if ((source & mask & (0 - mask)) != 0) result |= (<u64>1) << at;
    at++;
  }
  setRegisterOperand(u, result);
}

/** RDX times the source; when both destinations are one register the upper half stays. */
export function mulx(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const size = uopSize(u);
  const other = register(REG_RDX, size);
  setThird(u, value * other);
  setRegisterOperand(u, size == 8 ? multiplyHigh(value, other) : (value * other) >> 32);
}

export function rorx(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const count = uopImmediate(u);
  setRegisterOperand(u, uopSize(u) == 8 ? rotr<u64>(value, count) : <u64>rotr<u32>(<u32>value, <u32>count));
}

/** The count of SARX, SHLX and SHRX. */
function count(u: usize): u64 {
  return third(u) & (bits(u) - 1);
}

export function sarx(u: usize): void {
  const value = readOperand(u);
  if (!fault) setRegisterOperand(u, signExtend(value, uopSize(u)) >> count(u));
}
export function shlx(u: usize): void {
  const value = readOperand(u);
  if (!fault) setRegisterOperand(u, value << count(u));
}
export function shrx(u: usize): void {
  const value = readOperand(u);
  if (!fault) setRegisterOperand(u, value >> count(u));
}

/** The sum of the two operands and a carry; the carry out. */
function addCarry(u: usize, value: u64, carry: u32): u32 {
  const other = registerOperand(u);
  const sum = truncate(value + other + carry, uopSize(u));
  setRegisterOperand(u, sum);
  return u32(sum < value || (carry != 0 && sum == value));
}

/** ADCX adds with CF alone, ADOX with OF alone. */
export function adcx(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const flags = arithmetic() & ~CF;
  setArithmetic(flags | addCarry(u, value, carryFlag()));
}
export function adox(u: usize): void {
  const value = readOperand(u);
  if (fault) return;
  const flags = arithmetic() & ~OF;
  setArithmetic(flags | (addCarry(u, value, overflowFlag()) << 11));
}

function reversed(value: u64, size: u32): u64 {
  let result: u64 = 0;
  for (let index: u32 = 0; index < size; index++) result = (result << 8) | ((value >> (index << 3)) & 0xff);
  return result;
}

export function movbeLoad(u: usize): void {
  const value = readOperand(u);
  if (!fault) setRegisterOperand(u, reversed(value, uopSize(u)));
}
export function movbeStore(u: usize): void {
  writeOperand(u, reversed(registerOperand(u), uopSize(u)));
}
