// x87 instructions on numbers (SDM volume 2; volume 1, chapter 8). Which of a family an instruction is follows from the
// opcode register's bits: `code` is the opcode's low three bits above ModRM.
import { probeWrite, read16, read32, read64, write16, write32, write64 } from './access';
import { fault } from './fault';
import { carryFlag, CF, parityFlag, PF, setArithmetic, ZF, zeroFlag } from './flags';
import {
  add,
  aDenormal,
  aExponent,
  aKind,
  aSign,
  aSignificand,
  beginExtended,
  beyondRange,
  bKind,
  DENORMAL,
  divide,
  FINITE,
  flags,
  giveA,
  giveInvalid,
  giveZero,
  INEXACT,
  INFINITE,
  integer,
  INVALID,
  isDenormalStop,
  isDenormalStopA,
  isNan,
  isNanA,
  multiply,
  narrowToDouble,
  narrowToSingle,
  order,
  out32,
  out64,
  out80,
  outSignificand,
  OVERFLOW,
  QUIET,
  raiseFloat,
  round,
  roundA,
  roundedUp,
  roundToInteger,
  setA32,
  setA64,
  setA80,
  setAInteger,
  setB32,
  setB64,
  setB80,
  setBInteger,
  setRounding,
  SIGNALING,
  squareRoot,
  swapOperands,
  TRUNCATE,
  UNDERFLOW,
  unmasked,
  UNSUPPORTED,
  ZERO,
  ZERO_DIVIDE,
} from './float';
import { operandLinear } from './segment';
import { isMemory, uopSelector } from './uop';
import {
  C0,
  C1,
  C2,
  C3,
  control,
  freeStack,
  INDEFINITE,
  INDEFINITE_HIGH,
  isEmpty,
  mayRun,
  physical,
  pop,
  push,
  remember,
  report,
  setC1,
  setConditions,
  setStack,
  setTop,
  signExponentOf,
  significandOf,
  stackFault,
  status,
  top,
  unmaskedExceptions,
} from './x87-state';

/** Exceptions that come before a result exists: when they are not masked, there is none. */
export const BEFORE: u32 = INVALID | DENORMAL | ZERO_DIVIDE;

/** Bits of significand by the control word's precision field; 1 is reserved. */
function precision(): u32 {
  const field = (control() >> 8) & 3;
  return field == 0 ? 24 : field == 2 ? 53 : 64;
}

export function beginFull(): void {
  beginExtended((control() >> 10) & 3, unmaskedExceptions(), 64);
}

function beginControlled(): void {
  beginExtended((control() >> 10) & 3, unmaskedExceptions(), precision());
}

export function stackToA(i: u32): void {
  setA80(signExponentOf(i), significandOf(i));
}

export function stackToB(i: u32): void {
  setB80(signExponentOf(i), significandOf(i));
}

/** Reports what the operation raised; whether there is a result to store. */
export function reportAll(): bool {
  setC1(roundedUp);
  report(flags);
  return (flags & unmasked & BEFORE) == 0;
}

function commit(destination: u32, popping: bool): void {
  if (!reportAll()) return;
  setStack(destination, out80(), outSignificand);
  if (popping) pop();
}

export function setIndefinite(i: u32): void {
  setStack(i, INDEFINITE_HIGH, INDEFINITE);
}

// ---------------------------------------------------------------------------------------------------------------------
// Arithmetic and comparison

/** The memory operand of D8, DA, DC, DE as B: a single, an int32, a double, an int16. May fault. */
function loadSource(u: usize, kind: u32): void {
  const size: u32 = kind == 4 ? 8 : kind == 6 ? 2 : 4;
  const at = operandLinear(u, size, false);
  if (fault) return;
  if (kind == 4) setB64(read64(at));
  else if (kind == 0) setB32(read32(at));
  else if (kind == 2) setBInteger(<i32>read32(at));
  else setBInteger(<i16>read16(at));
}

/** FADD to FDIVR in every form, and the comparisons among them. */
export function x87Arithmetic(u: usize): void {
  if (!mayRun()) return;
  beginControlled();
  const code = uopSelector(u);
  const operation = (code >> 3) & 7;
  const i = code & 7;
  const memory = isMemory(u);
  if (memory) {
    loadSource(u, code >> 8);
    if (fault) return;
  }
  remember(u);
  const popping = !memory && code >> 8 == 6;
  const destination: u32 = !memory && (code & 0x400) != 0 ? i : 0;
  const empty = isEmpty(0) || (!memory && isEmpty(i));
  if (operation >> 1 == 1) {
    if (!memory) stackToB(i);
    return compare(empty, false, u32(operation == 3 || popping));
  }
  if (empty) {
    if (stackFault(false)) return;
    setIndefinite(destination);
    if (popping) pop();
    return;
  }
  stackToA(0);
  if (!memory) stackToB(i);
  calculate(operation);
  commit(destination, popping);
}

function calculate(operation: u32): void {
  if ((operation & 5) == 5) swapOperands(); // FSUBR, FDIVR
  if (operation == 0) add(false);
  else if (operation == 1) multiply();
  else if (operation < 6) add(true);
  else divide();
}

/** What a comparison leaves: -1, 0, 1, or 2 for unordered. */
const CONDITIONS_OF_ORDER: usize = memory.data<u32>([0x100, 0x4000, 0, 0x4500]);

/** Compares A or B that are there with what it is told to; raises INVALID for NaNs, quiet ones only when not `quiet`. */
function orderReporting(quiet: bool): i32 {
  const result = order();
  if (result != 2) isDenormalStop();
  else if (!quiet || isInvalidKind(aKind) || isInvalidKind(bKind)) raiseFloat(INVALID);
  return result;
}

function isInvalidKind(kind: u32): bool {
  return kind == SIGNALING || kind == UNSUPPORTED;
}

/** ST(0) with B, into C3, C2 and C0. These are set, as processors do, also when an exception keeps it from popping. */
function compare(empty: bool, quiet: bool, pops: u32): void {
  let result: i32 = 2;
  let stops = false;
  if (empty) stops = stackFault(false);
  else {
    stackToA(0);
    result = orderReporting(quiet);
    report(flags);
    stops = (flags & unmasked & BEFORE) != 0;
  }
  setConditions(load<u32>(CONDITIONS_OF_ORDER + (<usize>(result + 1) << 2)));
  if (stops) return;
  for (let n: u32 = 0; n < pops; n++) pop();
}

/** FUCOM, FUCOMP, FUCOMPP, FCOMPP. */
export function x87Compare(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  beginFull();
  const code = uopSelector(u);
  const i = code & 7;
  stackToB(i);
  const both = code == 0x2e9 || code == 0x6d9;
  compare(isEmpty(0) || isEmpty(i), code != 0x6d9, both ? 2 : u32((code & 0x38) == 0x28));
}

/** FTST: with zero. */
export function ftst(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  beginFull();
  setBInteger(0);
  compare(isEmpty(0), false, 0);
}

/** FCOMI, FUCOMI and their popping forms: into ZF, PF, CF. */
export function x87CompareFlags(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  beginFull();
  const code = uopSelector(u);
  const i = code & 7;
  let result: i32 = 2;
  let stops = false;
  if (isEmpty(0) || isEmpty(i)) stops = stackFault(false);
  else {
    stackToA(0);
    stackToB(i);
    result = orderReporting((code & 0x38) == 0x28);
    setC1(0);
    report(flags);
    stops = (flags & unmasked & BEFORE) != 0;
  }
  setArithmetic(flagsOfOrder(result));
  if (code >> 8 == 7 && !stops) pop();
}

export function flagsOfOrder(result: i32): u32 {
  if (result == 2) return ZF | PF | CF;
  return result == 0 ? ZF : result < 0 ? CF : 0;
}

export function fxam(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  beginFull();
  stackToA(0);
  const negative = aSign << 9;
  if (isEmpty(0)) setConditions(C3 | C0 | negative);
  else if (aKind == ZERO) setConditions(C3 | negative);
  else if (aKind == FINITE) setConditions(aDenormal ? C3 | C2 | negative : C2 | negative);
  else if (aKind == INFINITE) setConditions(C2 | C0 | negative);
  else setConditions(aKind == UNSUPPORTED ? negative : C0 | negative);
}

// ---------------------------------------------------------------------------------------------------------------------
// One operand

/** Starts an instruction on ST(0) alone; false when it has already ended. */
export function beginUnary(u: usize): bool {
  if (!mayRun()) return false;
  remember(u);
  beginFull();
  if (!isEmpty(0)) return true;
  if (!stackFault(false)) setIndefinite(0);
  return false;
}

/** FCHS, FABS: any bit pattern, no exception. */
export function x87Sign(u: usize): void {
  if (!beginUnary(u)) return;
  setC1(0);
  const old = signExponentOf(0);
  setStack(0, (uopSelector(u) & 1) != 0 ? old & 0x7fff : old ^ 0x8000, significandOf(0));
}

export function fsqrt(u: usize): void {
  if (!beginUnary(u)) return;
  beginControlled();
  stackToA(0);
  squareRoot();
  commit(0, false);
}

export function frndint(u: usize): void {
  if (!beginUnary(u)) return;
  stackToA(0);
  if (!isNanA() && !isDenormalStopA()) roundToInteger();
  commit(0, false);
}

/** ST(0) becomes the exponent, and the significand is pushed. */
export function fxtract(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  beginFull();
  if (isEmpty(0) || !isEmpty(7)) {
    if (stackFault(!isEmpty(0))) return;
    setIndefinite(0);
    return push(INDEFINITE_HIGH, INDEFINITE);
  }
  stackToA(0);
  const negative = aSign;
  const exponent = aExponent;
  const significand = aSignificand;
  let second: u32 = 0;
  if (isNanA()) second = out80();
  else if (aKind == INFINITE) {
    giveA();
    second = out80();
    setStack(0, 0x7fff, outSignificand);
    setC1(0);
    return push(second, outSignificand);
  } else if (aKind == ZERO) {
    raiseFloat(ZERO_DIVIDE);
    if (!reportAll()) return;
    setStack(0, 0xffff, 0x8000_0000_0000_0000);
    return push(negative << 15, 0);
  } else {
    isDenormalStopA();
    if (!reportAll()) return;
    setAInteger(exponent);
    giveA();
    setStack(0, out80(), outSignificand);
    return push((negative << 15) | 0x3fff, significand);
  }
  if (!reportAll()) return;
  setStack(0, second, outSignificand);
  push(second, outSignificand);
}

// ---------------------------------------------------------------------------------------------------------------------
// ST(0) and ST(1)

/** Starts an instruction on ST(0) and ST(1) (A and B); false when it has already ended. */
export function beginBinary(u: usize, popping: bool): bool {
  if (!mayRun()) return false;
  remember(u);
  beginFull();
  if (!isEmpty(0) && !isEmpty(1)) {
    stackToA(0);
    stackToB(1);
    return true;
  }
  if (stackFault(false)) return false;
  if (popping) pop();
  setIndefinite(0);
  return false;
}

/** ST(0) * 2^ST(1), with ST(1) truncated. */
export function fscale(u: usize): void {
  if (!beginBinary(u, false)) return;
  scale();
  commit(0, false);
}

/** Exponents beyond this overflow or underflow whatever they are added to. */
const FAR: i32 = 0x1_0000;

function scale(): void {
  if (isNan()) return;
  if (bKind == INFINITE) {
    swapOperands();
    const positive = aSign == 0;
    swapOperands();
    if (aKind == (positive ? ZERO : INFINITE)) return giveInvalid();
    if (isDenormalStop()) return;
    if (!positive) return giveZero(aSign);
    raiseFloat(0);
    return giveInfinitySigned(aSign);
  }
  if (isDenormalStop()) return;
  if (aKind != FINITE) return giveA();
  const sign = aSign;
  const exponent = aExponent;
  const significand = aSignificand;
  swapOperands();
  setRounding(TRUNCATE);
  const raised = flags;
  let by = integer(32);
  if (beyondRange) by = aSign != 0 ? -FAR : FAR;
  beginFull();
  raiseFloat(raised);
  round(sign, exponent + <i32>max<i64>(min<i64>(by, FAR), -FAR), significand, 0);
}

function giveInfinitySigned(negative: u32): void {
  setA80((negative << 15) | 0x7fff, 0x8000_0000_0000_0000);
  giveA();
}

export function fprem(u: usize): void {
  if (beginBinary(u, false)) remainder(false);
  else clearC2();
}

/** IEEE 754's remainder: the quotient is rounded to nearest. */
export function fprem1(u: usize): void {
  if (beginBinary(u, false)) remainder(true);
  else clearC2();
}

/** Without a result the reduction counts as complete. */
function clearC2(): void {
  if (!fault) setConditions(status() & (C0 | C1 | C3));
}

let quotient: u64 = 0;

function remainder(nearest: bool): void {
  if (isNan() || isRemainderInvalid()) {
    if (reportAll()) setStack(0, out80(), outSignificand);
    return clearC2();
  }
  quotient = 0;
  const stop = isDenormalStop();
  let partial = false;
  if (!stop) {
    if (aKind == ZERO || bKind == INFINITE) roundA();
    else partial = reduce(nearest);
  }
  report(flags);
  if (stop) {
    setC1(0);
    return clearC2();
  }
  setStack(0, out80(), outSignificand);
  const q = <u32>quotient;
  const bits = ((q & 4) << 6) | ((q & 2) << 13) | ((q & 1) << 9);
  setConditions(partial ? C2 : bits);
}

function isRemainderInvalid(): bool {
  if (aKind != INFINITE && bKind != ZERO) return false;
  giveInvalid();
  return true;
}

/** OUT = A modulo B, or after at most 63 bits of quotient (true) what is left for the next time. */
function reduce(nearest: bool): bool {
  swapOperands();
  const divisor = aSignificand;
  const divisorExponent = aExponent;
  swapOperands();
  const distance = aExponent - divisorExponent;
  if (distance < -1 || (distance < 0 && !nearest)) {
    roundA();
    return false;
  }
  const partial = distance > 63;
  const steps = (partial ? (distance & 31) | 32 : distance) + 1;
  let rest = aSignificand;
  let carry: u64 = 0;
  let exponent = aExponent;
  if (steps == 0) exponent++; // A is less than B but may be more than half of it
  for (let step = 0; step < steps; step++) {
    if (step != 0) {
      carry = rest >> 63;
      rest <<= 1;
      exponent--;
    }
    quotient <<= 1;
    if (carry != 0 || rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
  }
  if (partial) return giveRest(aSign, exponent, rest, true);
  if (nearest) return nearestRest(divisor, exponent, rest, steps == 0);
  return giveRest(aSign, exponent, rest, false);
}

/** Rounds the quotient to nearest: the rest may become negative. `halved`: rest is in units of half of the divisor's. */
function nearestRest(divisor: u64, exponent: i32, rest: u64, halved: bool): bool {
  if (halved) {
    // A = rest / 2 in the divisor's units: more than half of it is rest > divisor.
    if (rest <= divisor) return giveRest(aSign, exponent - 1, rest, false);
    quotient = 1;
    // 2 * divisor - rest, which is less than the divisor.
    return giveRest(aSign ^ 1, exponent - 1, divisor - (rest - divisor), false);
  }
  const other = divisor - rest;
  if (rest > other || (rest == other && (quotient & 1) != 0)) {
    quotient++;
    return giveRest(aSign ^ 1, exponent, other, false);
  }
  return giveRest(aSign, exponent, rest, false);
}

function giveRest(negative: u32, exponent: i32, rest: u64, partial: bool): bool {
  if (rest == 0) giveZero(aSign);
  else {
    const shift = clz(rest);
    round(negative, exponent - <i32>shift, rest << shift, 0);
  }
  return partial;
}

// ---------------------------------------------------------------------------------------------------------------------
// Loads and stores

/** Pushes OUT; a denormal one also when its exception is not masked. */
function pushOut(): void {
  setC1(0);
  report(flags);
  if ((flags & unmasked & INVALID) == 0) push(out80(), outSignificand);
}

/** Whether a push would overflow the stack; if so, all that follows from it is done. */
export function isFull(): bool {
  if (isEmpty(7)) return false;
  if (!stackFault(true)) push(INDEFINITE_HIGH, INDEFINITE);
  return true;
}

/** FLD and FILD from memory, FBLD. */
export function x87Load(u: usize): void {
  if (!mayRun()) return;
  beginFull();
  const code = uopSelector(u);
  const kind = (code >> 8 << 3) | ((code >> 3) & 7);
  const size = loadSize(kind);
  const at = operandLinear(u, size, false);
  if (fault) return;
  if (size == 10) return loadTen(u, at, kind);
  loadNumber(at, kind);
  if (fault) return;
  remember(u);
  if (isFull()) return;
  if (!isNanA()) {
    isDenormalStopA();
    giveA();
  }
  pushOut();
}

/** Bytes of the operand by opcode and ModRM.reg: D9 /0, DB /0, DD /0 and DF /0, DF /5 and the ones of ten. */
function loadSize(kind: u32): u32 {
  if (kind == 0x08 || kind == 0x18) return 4;
  if (kind == 0x28 || kind == 0x3d) return 8;
  return kind == 0x38 ? 2 : 10;
}

function loadNumber(at: u64, kind: u32): void {
  if (kind == 0x08) setA32(read32(at));
  else if (kind == 0x28) setA64(read64(at));
  else if (kind == 0x18) setAInteger(<i32>read32(at));
  else if (kind == 0x38) setAInteger(<i16>read16(at));
  else setAInteger(<i64>read64(at));
}

/** FLD m80 takes any pattern as it is; FBLD eighteen decimal digits and a sign. */
function loadTen(u: usize, at: u64, kind: u32): void {
  const low = read64(at);
  if (fault) return;
  const high = read16(at + 8);
  if (fault) return;
  remember(u);
  if (isFull()) return;
  setC1(0);
  if (kind == 0x1d) return push(high, low);
  setAInteger(<i64>fromDecimal(low, high));
  giveA();
  push(out80() | (high & 0x8000), outSignificand);
}

function fromDecimal(low: u64, high: u32): u64 {
  let value: u64 = ((high >> 4) & 15) * 10 + (high & 15);
  for (let digit = 15; digit >= 0; digit--) value = value * 10 + ((low >> (digit << 2)) & 15);
  return value;
}

export function x87LoadRegister(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  const i = uopSelector(u) & 7;
  if (isEmpty(i)) {
    if (!stackFault(false)) push(INDEFINITE_HIGH, INDEFINITE);
    return;
  }
  if (isFull()) return;
  setC1(0);
  push(signExponentOf(i), significandOf(i));
}

/** The constants of D9 E8 to EE: exponent, significand rounded down, and the modes (a bit each) that round it up. */
const CONSTANTS: usize = memory.data<u64>([
  0x3fff, 0x8000000000000000, 0,
  0x4000, 0xd49a784bcd1b8afe, 4,
  0x3fff, 0xb8aa3b295c17f0bb, 5,
  0x4000, 0xc90fdaa22168c234, 5,
  0x3ffd, 0x9a209a84fbcff798, 5,
  0x3ffe, 0xb17217f7d1cf79ab, 5,
  0, 0, 0,
]);

export function x87Constant(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  if (isFull()) return;
  setC1(0);
  const at = CONSTANTS + (uopSelector(u) & 7) * 24;
  const mode = (control() >> 10) & 3;
  push(<u32>load<u64>(at), load<u64>(at + 8) + ((load<u64>(at + 16) >> mode) & 1));
}

/** FST and FSTP to memory. */
export function x87Store(u: usize): void {
  if (!mayRun()) return;
  beginFull();
  const code = uopSelector(u);
  const single = code >> 8 == 1;
  const size: u32 = single ? 4 : code >> 8 == 5 ? 8 : 10;
  const at = operandLinear(u, size, true);
  if (fault) return;
  probeWrite(at, size);
  if (fault) return;
  remember(u);
  const popping = (code & 8) != 0;
  if (isEmpty(0)) {
    if (stackFault(false)) return;
    giveInvalid();
  } else if (size == 10) {
    setC1(0);
    storeTen(at, significandOf(0), signExponentOf(0));
    return pop();
  } else if (!narrow(single)) return;
  if (size == 4) write32(at, out32());
  else if (size == 8) write64(at, out64());
  else storeTen(at, outSignificand, out80());
  if (popping) pop();
}

/** OUT = ST(0) in a narrower format; false when an exception stops the store. */
function narrow(single: bool): bool {
  stackToA(0);
  if (single) narrowToSingle();
  else narrowToDouble();
  if (!isNanA()) {
    if (aKind == INFINITE) giveA();
    else roundA();
  }
  const stops = (flags & unmasked & (INVALID | OVERFLOW | UNDERFLOW)) != 0;
  setC1(stops ? 0 : roundedUp);
  report(stops ? flags & ~INEXACT : flags);
  return !stops;
}

function storeTen(at: u64, low: u64, high: u32): void {
  write64(at, low);
  write16(at + 8, high);
}

/** FIST, FISTP, FISTTP. */
export function x87StoreInteger(u: usize): void {
  if (!mayRun()) return;
  beginFull();
  const code = uopSelector(u);
  const reg = (code >> 3) & 7;
  const truncates = reg == 1;
  const size: u32 = code >> 8 == 3 ? 4 : code >> 8 == 5 || reg == 7 ? 8 : 2;
  const at = operandLinear(u, size, true);
  if (fault) return;
  probeWrite(at, size);
  if (fault) return;
  remember(u);
  if (truncates) setRounding(TRUNCATE);
  const value = toInteger(size << 3);
  if ((flags & unmasked & INVALID) != 0) return;
  if (size == 2) write16(at, <u32>value & 0xffff);
  else if (size == 4) write32(at, <u32>value);
  else write64(at, value);
  if (reg != 2) pop();
}

/** ST(0) as an integer, the "integer indefinite" when that is invalid. */
function toInteger(bits: u32): u64 {
  const indefinite: u64 = (<u64>1) << (bits - 1);
  if (isEmpty(0)) {
    raiseFloat(INVALID);
    stackFault(false);
    return indefinite;
  }
  stackToA(0);
  const value = integer(bits);
  if (beyondRange) raiseFloat(INVALID);
  setC1(roundedUp);
  report(flags);
  return beyondRange ? indefinite : value;
}

const DECIMAL_LIMIT: i64 = 1_000_000_000_000_000_000;

export function fbstp(u: usize): void {
  if (!mayRun()) return;
  beginFull();
  const at = operandLinear(u, 10, true);
  if (fault) return;
  probeWrite(at, 10);
  if (fault) return;
  remember(u);
  stackToA(0);
  let value: i64 = 0;
  let invalid = isEmpty(0);
  if (invalid) stackFault(false);
  else {
    value = integer(64);
    invalid = beyondRange || value >= DECIMAL_LIMIT || value <= -DECIMAL_LIMIT;
    setC1(invalid ? 0 : roundedUp);
    report(invalid ? INVALID : flags);
  }
  if (invalid) {
    if ((unmasked & INVALID) != 0) return;
    storeTen(at, INDEFINITE, INDEFINITE_HIGH);
  } else storeDecimal(at, value, aSign);
  pop();
}

function storeDecimal(at: u64, value: i64, negative: u32): void {
  let left: u64 = value < 0 ? -value : value;
  let low: u64 = 0;
  for (let digit = 0; digit < 16; digit++) {
    low |= (left % 10) << (digit << 2);
    left /= 10;
  }
  storeTen(at, low, (negative << 15) | (<u32>(left / 10) << 4) | <u32>(left % 10));
}

/** FST and FSTP to a register: any pattern. D9 D8 does not mind an empty ST(0), and moves nothing then. */
export function x87StoreRegister(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  const code = uopSelector(u);
  if (isEmpty(0) && code >> 8 == 1) setC1(0);
  else if (isEmpty(0)) {
    if (stackFault(false)) return;
    setIndefinite(code & 7);
  } else {
    setC1(0);
    setStack(code & 7, signExponentOf(0), significandOf(0));
  }
  if ((code & 0x738) != 0x510) pop();
}

export function fxch(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  const i = uopSelector(u) & 7;
  if (isEmpty(0) || isEmpty(i)) {
    if (stackFault(false)) return;
    if (isEmpty(0)) setIndefinite(0);
    if (isEmpty(i)) setIndefinite(i);
  } else setC1(0);
  const high = signExponentOf(0);
  const low = significandOf(0);
  setStack(0, signExponentOf(i), significandOf(i));
  setStack(i, high, low);
}

export function fcmov(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  const code = uopSelector(u);
  const i = code & 7;
  if (isEmpty(0) || isEmpty(i)) {
    if (!stackFault(false)) setIndefinite(0);
    return;
  }
  if (moves((code >> 3) & 3) != (code >> 8 == 3)) setStack(0, signExponentOf(i), significandOf(i));
}

/** Below, equal, below or equal, unordered. */
function moves(condition: u32): bool {
  if (condition == 0) return carryFlag() != 0;
  if (condition == 1) return zeroFlag() != 0;
  return condition == 2 ? (carryFlag() | zeroFlag()) != 0 : parityFlag() != 0;
}

/** FFREE, FFREEP. */
export function ffree(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  setC1(0);
  freeStack(uopSelector(u) & 7);
  if (uopSelector(u) >> 8 == 7) pop();
}

/** FDECSTP, FINCSTP. */
export function x87Rotate(u: usize): void {
  if (!mayRun()) return;
  remember(u);
  setC1(0);
  setTop((uopSelector(u) & 1) != 0 ? top() + 1 : top() - 1);
}

export function fnop(u: usize): void {
  if (mayRun()) remember(u);
}
