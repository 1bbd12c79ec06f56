// String instructions (SDM volume 2; volume 1, section 7.3.9). Each iteration commits rSI, rDI and rCX, so that a fault
// leaves them at the iteration that raised it. As long as both sides are plain memory in one page each, many iterations
// are done at once; what is in the way of that (a page border, MMIO, a limit) is left to single iterations.
import {
  REG_RAX,
  REG_RCX,
  REG_RDI,
  REG_RDX,
  REG_RSI,
  SEGMENT_FLAT,
  SEG_ES,
  STATE_DEADLINE,
  STATE_INSTRUCTIONS,
  UOP_TRAIT_REP,
  UOP_TRAIT_REPNE,
} from './generated/layout';
import { probeWrite, readable, readSized, writable, writeSized } from './access';
import { clearFault, fault, pause } from './fault';
import { DF, systemFlag } from './flags';
import { checkPort, readPort, writePort } from './io';
import { subtract } from './operation';
import { linear } from './segment';
import { reg16, register, retire, setRegister, truncate } from './state';
import { uopAddressSize, uopSegment, uopSize, uopTraits } from './uop';

// The instruction being executed.
let size: u32 = 0;
let addressSize: u32 = 0;
let sourceSegment: u32 = 0;
let down: bool = false;
let repeated: bool = false;
/** Iterations still to do, and done so far. */
let left: u64 = 0;
let done: u64 = 0;
/** Iterations that may be done before the main loop has to look at its limit. */
let budget: u64 = 0;

/** Prepares `u`; false when there is nothing to do. */
function begin(u: usize): bool {
  size = uopSize(u);
  addressSize = uopAddressSize(u);
  sourceSegment = uopSegment(u);
  down = systemFlag(DF);
  repeated = isRepeated(u);
  left = repeated ? register(REG_RCX, addressSize) : 1;
  done = 0;
  const now = load<u64>(STATE_INSTRUCTIONS);
  const deadline = load<u64>(STATE_DEADLINE);
  budget = deadline > now ? deadline - now : 1;
  return left != 0;
}

/** Whether another iteration is to follow now. */
function goesOn(): bool {
  return !fault && left != 0 && done < budget && (load<u64>(STATE_DEADLINE) != 0 || done == 0);
}

/**
 * Each iteration counts as an instruction. The last one is counted as the instruction itself, unless the instruction
 * is left before.
 */
function end(): void {
  if (!repeated) return;
  if (fault) retire(done);
  else if (left != 0) {
    retire(done);
    pause();
  } else if (done != 0) retire(done - 1);
}

/** Moves rCX on by `count` iterations. */
function count(iterations: u64): void {
  done += iterations;
  left -= iterations;
  if (repeated) setRegister(REG_RCX, addressSize, left);
}

/** Moves rSI or rDI on. */
function advance(index: u32, iterations: u64): void {
  const bytes = iterations * size;
  const now = register(index, addressSize);
  setRegister(index, addressSize, truncate(down ? now - bytes : now + bytes, addressSize));
}

// @ts-ignore: decorator
@inline function sourceAddress(bytes: u32): u64 {
  return segmentAddress(sourceSegment, REG_RSI, bytes, false);
}

// @ts-ignore: decorator
@inline function targetAddress(bytes: u32, write: bool): u64 {
  return segmentAddress(SEG_ES, REG_RDI, bytes, write);
}

/** The linear address of the element that rSI or rDI points to, checked for `bytes` in the present direction. */
function segmentAddress(segment: u32, index: u32, bytes: u32, write: bool): u64 {
  const offset = register(index, addressSize);
  if (segment == SEGMENT_FLAT) return offset;
  if (!down) return linear(segment, offset, bytes, write);
  const below = bytes - size;
  return linear(segment, offset - below, bytes, write) + below;
}

/** How many elements from rSI or rDI on lie in one page, without the offset wrapping. 0: not even one. */
function room(index: u32, address: u64): u64 {
  const offset = register(index, addressSize);
  const within = <u32>address & 0xfff;
  const last: u64 = (<u64>-1 >> (64 - (addressSize << 3))) - size + 1;
  if (within + size > 0x1000 || offset > last) return 0;
  if (down) return min<u64>(within, offset) / size + 1;
  return min<u64>((0x1000 - within) / size, (last - offset) / size + 1);
}

/**
 * How many iterations can be done at once, at least 2, or 0. `source` and `target` say which sides there are. On
 * success `sourcePlace` and `targetPlace` are the arena addresses of the first elements.
 */
function bulk(source: bool, target: bool, write: bool): u64 {
  if (!repeated) return 0;
  let iterations = min<u64>(left, budget - done);
  let from: u64 = 0;
  let to: u64 = 0;
  if (source) {
    from = sourceAddress(size);
    if (fault) return 0;
    iterations = min<u64>(iterations, room(REG_RSI, from));
  }
  if (target) {
    to = targetAddress(size, write);
    if (fault) return 0;
    iterations = min<u64>(iterations, room(REG_RDI, to));
  }
  if (iterations < 2 || !spanAllowed(source, target, write, <u32>iterations * size)) return 0;
  if (source) {
    sourcePlace = readable(from);
    if (sourcePlace == 0) return 0;
  }
  if (target) {
    targetPlace = write ? writable(to, size) : readable(to);
    if (targetPlace == 0) return 0;
  }
  return iterations;
}

let sourcePlace: usize = 0;
let targetPlace: usize = 0;

/** Whether the segments allow all of `bytes`. When not, the iteration that goes too far will say so by itself. */
function spanAllowed(source: bool, target: bool, write: bool, bytes: u32): bool {
  if (source) sourceAddress(bytes);
  if (target && !fault) targetAddress(bytes, write);
  const allowed = fault == 0;
  if (!allowed) clearFault();
  return allowed;
}

// @ts-ignore: decorator
@inline function loadElement(address: usize): u64 {
  if (size == 1) return load<u8>(address);
  if (size == 2) return load<u16>(address);
  return size == 4 ? load<u32>(address) : load<u64>(address);
}

// @ts-ignore: decorator
@inline function storeElement(address: usize, value: u64): void {
  if (size == 1) store<u8>(address, <u8>value);
  else if (size == 2) store<u16>(address, <u16>value);
  else if (size == 4) store<u32>(address, <u32>value);
  else store<u64>(address, value);
}

/** Copies elements in the present direction; where the sides overlap, as one after the other does. */
function copyElements(iterations: u32): void {
  const bytes = iterations * size;
  const below = down ? bytes - size : 0;
  const from = sourcePlace - below;
  const to = targetPlace - below;
  const replicates = down ? to < from && from < to + bytes : from < to && to < from + bytes;
  if (!replicates) return memory.copy(to, from, bytes);
  const step: usize = down ? 0 - size : size;
  for (let index: u32 = 0; index < iterations; index++) {
    storeElement(targetPlace, loadElement(sourcePlace));
    sourcePlace += step;
    targetPlace += step;
  }
}

function fillElements(iterations: u32, value: u64): void {
  const bytes = iterations * size;
  const to = down ? targetPlace - (bytes - size) : targetPlace;
  if (size == 1 || value == truncate((value & 0xff) * 0x0101_0101_0101_0101, size)) {
    return memory.fill(to, <u8>value, bytes);
  }
  for (let at = to; at < to + bytes; at += size) storeElement(at, value);
}

/** Whether `u` has a repeat prefix. */
// @ts-ignore: decorator
@inline function isRepeated(u: usize): bool {
  return (uopTraits(u) & (UOP_TRAIT_REP | UOP_TRAIT_REPNE)) != 0;
}

// Without a prefix there is one iteration and nothing to prepare.

// @ts-ignore: decorator
@inline function addressOnce(u: usize, segment: u32, index: u32, write: bool): u64 {
  const offset = register(index, uopAddressSize(u));
  return segment == SEGMENT_FLAT ? offset : linear(segment, offset, uopSize(u), write);
}

function advanceOnce(u: usize, index: u32): void {
  const width = uopAddressSize(u);
  const now = register(index, width);
  setRegister(index, width, truncate(systemFlag(DF) ? now - uopSize(u) : now + uopSize(u), width));
}

function movsOnce(u: usize): void {
  const from = addressOnce(u, uopSegment(u), REG_RSI, false);
  if (fault) return;
  const value = readSized(from, uopSize(u));
  if (fault) return;
  const to = addressOnce(u, SEG_ES, REG_RDI, true);
  if (fault) return;
  writeSized(to, uopSize(u), value);
  if (fault) return;
  advanceOnce(u, REG_RSI);
  advanceOnce(u, REG_RDI);
}

function stosOnce(u: usize): void {
  const to = addressOnce(u, SEG_ES, REG_RDI, true);
  if (fault) return;
  writeSized(to, uopSize(u), register(REG_RAX, uopSize(u)));
  if (!fault) advanceOnce(u, REG_RDI);
}

function lodsOnce(u: usize): void {
  const from = addressOnce(u, uopSegment(u), REG_RSI, false);
  if (fault) return;
  const value = readSized(from, uopSize(u));
  if (fault) return;
  setRegister(REG_RAX, uopSize(u), value);
  advanceOnce(u, REG_RSI);
}

export function movs(u: usize): void {
  if (!isRepeated(u)) return movsOnce(u);
  if (!begin(u)) return;
  do {
    const iterations = bulk(true, true, true);
    if (fault) break;
    if (iterations != 0) {
      copyElements(<u32>iterations);
      advance(REG_RSI, iterations);
      advance(REG_RDI, iterations);
      count(iterations);
    } else moveOne();
  } while (goesOn());
  end();
}

function moveOne(): void {
  const from = sourceAddress(size);
  if (fault) return;
  const value = readSized(from, size);
  if (fault) return;
  const to = targetAddress(size, true);
  if (fault) return;
  writeSized(to, size, value);
  if (fault) return;
  advance(REG_RSI, 1);
  advance(REG_RDI, 1);
  count(1);
}

export function stos(u: usize): void {
  if (!isRepeated(u)) return stosOnce(u);
  if (!begin(u)) return;
  const value = register(REG_RAX, size);
  do {
    let iterations = bulk(false, true, true);
    if (fault) break;
    if (iterations != 0) fillElements(<u32>iterations, value);
    else {
      const to = targetAddress(size, true);
      if (!fault) writeSized(to, size, value);
      if (fault) break;
      iterations = 1;
    }
    advance(REG_RDI, iterations);
    count(iterations);
  } while (goesOn());
  end();
}

export function lods(u: usize): void {
  if (!isRepeated(u)) return lodsOnce(u);
  if (!begin(u)) return;
  do {
    const from = sourceAddress(size);
    const value = fault ? 0 : readSized(from, size);
    if (fault) break;
    setRegister(REG_RAX, size, value);
    advance(REG_RSI, 1);
    count(1);
  } while (goesOn());
  end();
}

/** Whether REPE or REPNE ends with an iteration that has found the operands equal or not. */
let whileEqual: bool = false;

/** The operands of the last comparison. */
let lastLeft: u64 = 0;
let lastRight: u64 = 0;

/** Compares up to `iterations` elements, of which one side may be the accumulator; how many were compared. */
function compareElements(iterations: u64, withSource: bool): u64 {
  const step: usize = down ? 0 - size : size;
  let compared: u64 = 0;
  while (compared < iterations) {
    if (withSource) {
      lastLeft = loadElement(sourcePlace);
      sourcePlace += step;
    }
    lastRight = loadElement(targetPlace);
    targetPlace += step;
    compared++;
    if ((lastLeft == lastRight) != whileEqual) break;
  }
  return compared;
}

/** CMPS with the source side, SCAS without it. */
function compareStrings(u: usize, withSource: bool): void {
  if (!begin(u)) return;
  whileEqual = (uopTraits(u) & UOP_TRAIT_REP) != 0;
  if (!withSource) lastLeft = register(REG_RAX, size);
  do {
    let iterations = bulk(withSource, true, false);
    if (fault) break;
    if (iterations != 0) iterations = compareElements(iterations, withSource);
    else {
      readOne(withSource);
      if (fault) break;
      iterations = 1;
    }
    if (withSource) advance(REG_RSI, iterations);
    advance(REG_RDI, iterations);
    count(iterations);
    if (repeated && (lastLeft == lastRight) != whileEqual) {
      left = 0;
      break;
    }
  } while (goesOn());
  if (done != 0 && !fault) subtract(lastLeft, lastRight, size);
  end();
}

function readOne(withSource: bool): void {
  if (withSource) {
    const from = sourceAddress(size);
    if (!fault) lastLeft = readSized(from, size);
    if (fault) return;
  }
  const to = targetAddress(size, false);
  if (!fault) lastRight = readSized(to, size);
}

export function cmps(u: usize): void {
  compareStrings(u, true);
}
export function scas(u: usize): void {
  compareStrings(u, false);
}

/** The target is known to be writable before the port is read: reading may have consequences. */
export function ins(u: usize): void {
  const port = reg16(REG_RDX);
  if (!begin(u) || !checkPort(port, size)) return;
  do {
    const to = targetAddress(size, true);
    if (!fault) probeWrite(to, size);
    if (fault) break;
    writeSized(to, size, readPort(port, size));
    advance(REG_RDI, 1);
    count(1);
  } while (goesOn());
  end();
}

export function outs(u: usize): void {
  const port = reg16(REG_RDX);
  if (!begin(u) || !checkPort(port, size)) return;
  do {
    const from = sourceAddress(size);
    const value = fault ? 0 : readSized(from, size);
    if (fault) break;
    writePort(port, size, <u32>value);
    advance(REG_RSI, 1);
    count(1);
  } while (goesOn());
  end();
}
