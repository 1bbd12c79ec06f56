/**
 * Loads and stores at linear addresses. The TLB hit is short enough to be inlined into whoever calls; everything else
 * (page walks, accesses that cross a page, MMIO, flagged pages) is out of line. On #PF `fault` is set and nothing has
 * been stored.
 */
import {
  DEBUG_ARMED_DATA,
  STATE_TLB_BASE_32,
  TLB_ENTRY_ADDEND_32,
  TLB_ENTRY_READ,
  TLB_ENTRY_SIZE,
  TLB_ENTRY_WRITE,
  TLB_SIZE,
} from './generated/layout';
import { isArmed, watchData } from './debug';
import { fault } from './fault';
import { ACCESS_WRITE, translate, wrapLinear } from './paging';
import { loadSized, readPhysical, storeSized, writePhysical } from './physical';
import { currentUser } from './privilege';
import { tlbEntry } from './tlb';

const PAGE_MASK: u64 = ~(<u64>0xfff);

/** The entry of the present privilege's half of the TLB for `linear`. */
function entryOf(linear: u64): usize {
  return <u32>load<u32>(STATE_TLB_BASE_32) + (<u32>(linear >> 12) & (TLB_SIZE - 1)) * TLB_ENTRY_SIZE;
}

function hits(entry: usize, linear: u64, size: u32, tag: usize): bool {
  return load<u64>(entry + tag) == ((linear + size - 1) & PAGE_MASK);
}

/** The arena address that a hit in `entry` gives. */
function place(entry: usize, linear: u64): usize {
  return <u32>(<u32>linear + load<u32>(entry, TLB_ENTRY_ADDEND_32));
}

export function read8(linear: u64): u32 {
  const entry = entryOf(linear);
  if (hits(entry, linear, 1, TLB_ENTRY_READ)) return load<u8>(place(entry, linear));
  return <u32>readSlow(linear, 1, currentUser());
}

export function read16(linear: u64): u32 {
  const entry = entryOf(linear);
  if (hits(entry, linear, 2, TLB_ENTRY_READ)) return load<u16>(place(entry, linear));
  return <u32>readSlow(linear, 2, currentUser());
}

export function read32(linear: u64): u32 {
  const entry = entryOf(linear);
  if (hits(entry, linear, 4, TLB_ENTRY_READ)) return load<u32>(place(entry, linear));
  return <u32>readSlow(linear, 4, currentUser());
}

export function read64(linear: u64): u64 {
  const entry = entryOf(linear);
  if (hits(entry, linear, 8, TLB_ENTRY_READ)) return load<u64>(place(entry, linear));
  return readSlow(linear, 8, currentUser());
}

export function write8(linear: u64, value: u32): void {
  const entry = entryOf(linear);
  if (hits(entry, linear, 1, TLB_ENTRY_WRITE)) store<u8>(place(entry, linear), value);
  else writeSlow(linear, 1, value, currentUser());
}

export function write16(linear: u64, value: u32): void {
  const entry = entryOf(linear);
  if (hits(entry, linear, 2, TLB_ENTRY_WRITE)) store<u16>(place(entry, linear), value);
  else writeSlow(linear, 2, value, currentUser());
}

export function write32(linear: u64, value: u32): void {
  const entry = entryOf(linear);
  if (hits(entry, linear, 4, TLB_ENTRY_WRITE)) store<u32>(place(entry, linear), value);
  else writeSlow(linear, 4, value, currentUser());
}

export function write64(linear: u64, value: u64): void {
  const entry = entryOf(linear);
  if (hits(entry, linear, 8, TLB_ENTRY_WRITE)) store<u64>(place(entry, linear), value);
  else writeSlow(linear, 8, value, currentUser());
}

/** A value of 1, 2, 4 or 8 bytes by the code that is running. */
export function readSized(linear: u64, size: u32): u64 {
  const entry = entryOf(linear);
  if (hits(entry, linear, size, TLB_ENTRY_READ)) return loadSized(place(entry, linear), size);
  return readSlow(linear, size, currentUser());
}

export function writeSized(linear: u64, size: u32, value: u64): void {
  const entry = entryOf(linear);
  if (hits(entry, linear, size, TLB_ENTRY_WRITE)) storeSized(place(entry, linear), size, value);
  else writeSlow(linear, size, value, currentUser());
}

/** Implicit accesses to descriptor tables and task-state segments are a supervisor's (SDM volume 3, section 4.6). */
export function systemRead(linear: u64, size: u32): u64 {
  return readAs(linear, size, 0);
}

export function systemWrite(linear: u64, size: u32, value: u64): void {
  writeAs(linear, size, value, 0);
}

export function systemRead32(linear: u64): u32 {
  return <u32>readAs(linear, 4, 0);
}

export function systemRead16(linear: u64): u32 {
  return <u32>readAs(linear, 2, 0);
}

function crosses(linear: u64, size: u32): bool {
  return (<u32>linear & 0xfff) + size > 0x1000;
}

/** A read for a user (4) or a supervisor (0), whoever is running. */
export function readAs(linear: u64, size: u32, user: u32): u64 {
  const entry = tlbEntry(linear, user);
  if (hits(entry, linear, size, TLB_ENTRY_READ)) return loadSized(place(entry, linear), size);
  return readSlow(linear, size, user);
}

/** A write for a user (4) or a supervisor (0), whoever is running. */
export function writeAs(linear: u64, size: u32, value: u64, user: u32): void {
  const entry = tlbEntry(linear, user);
  if (hits(entry, linear, size, TLB_ENTRY_WRITE)) storeSized(place(entry, linear), size, value);
  else writeSlow(linear, size, value, user);
}

function readSlow(linear: u64, size: u32, user: u32): u64 {
  const at = wrapLinear(linear);
  if (isArmed(DEBUG_ARMED_DATA)) watchData(at, size, false);
  if (crosses(at, size)) return readAcross(at, size, user);
  const gpa = translate(at, user);
  return fault ? 0 : readPhysical(gpa, size);
}

function writeSlow(linear: u64, size: u32, value: u64, user: u32): void {
  const at = wrapLinear(linear);
  if (isArmed(DEBUG_ARMED_DATA)) watchData(at, size, true);
  if (crosses(at, size)) return writeAcross(at, size, value, user);
  const gpa = translate(at, user | ACCESS_WRITE);
  if (!fault) writePhysical(gpa, size, value);
}

/** Both pages are checked before the first byte moves; then it goes byte by byte, MMIO too. */
function readAcross(linear: u64, size: u32, user: u32): u64 {
  const rest: u32 = 0x1000 - (<u32>linear & 0xfff);
  const next = wrapLinear(linear + rest);
  const low = tlbEntry(linear, user);
  const high = tlbEntry(next, user);
  if (hits(low, linear, 1, TLB_ENTRY_READ) && hits(high, next, 1, TLB_ENTRY_READ)) {
    return loadAcross(place(low, linear), place(high, next), rest, size);
  }
  const first = translate(linear, user);
  if (fault) return 0;
  const second = translate(next, user);
  if (fault) return 0;
  let value: u64 = 0;
  for (let index: u32 = 0; index < size; index++) {
    const gpa = index < rest ? first + index : second + (index - rest);
    value |= readPhysical(gpa, 1) << (index << 3);
  }
  return value;
}

function writeAcross(linear: u64, size: u32, value: u64, user: u32): void {
  const rest: u32 = 0x1000 - (<u32>linear & 0xfff);
  const next = wrapLinear(linear + rest);
  const low = tlbEntry(linear, user);
  const high = tlbEntry(next, user);
  if (hits(low, linear, 1, TLB_ENTRY_WRITE) && hits(high, next, 1, TLB_ENTRY_WRITE)) {
    return storeAcross(place(low, linear), place(high, next), rest, size, value);
  }
  const first = translate(linear, user | ACCESS_WRITE);
  if (fault) return;
  const second = translate(next, user | ACCESS_WRITE);
  if (fault) return;
  for (let index: u32 = 0; index < size; index++) {
    const gpa = index < rest ? first + index : second + (index - rest);
    writePhysical(gpa, 1, value >> (index << 3));
  }
}

/** `rest` bytes at arena address `low`, the others of `size` at `high`. */
function loadAcross(low: usize, high: usize, rest: u32, size: u32): u64 {
  let value: u64 = 0;
  for (let index: u32 = 0; index < size; index++) {
    const byte = load<u8>(index < rest ? low + index : high + (index - rest));
    value |= <u64>byte << (index << 3);
  }
  return value;
}

function storeAcross(low: usize, high: usize, rest: u32, size: u32, value: u64): void {
  for (let index: u32 = 0; index < size; index++) {
    store<u8>(index < rest ? low + index : high + (index - rest), <u8>(value >> (index << 3)));
  }
}

/** Raises what an access of this kind to `size` bytes (at most a page) would raise, and does nothing else. */
export function probeAs(linear: u64, size: u32, access: u32): void {
  const at = wrapLinear(linear);
  translate(at, access);
  if (!fault && crosses(at, size)) translate(wrapLinear((at & PAGE_MASK) + 0x1000), access);
}

export function probeWrite(linear: u64, size: u32): void {
  if (hits(entryOf(linear), linear, size, TLB_ENTRY_WRITE)) return;
  probeAs(linear, size, ACCESS_WRITE | currentUser());
}

/** Whether an entry lets through this access, after a walk at most. */
function enter(entry: usize, linear: u64, size: u32, tag: usize, access: u32): bool {
  if (hits(entry, linear, size, tag)) return true;
  if (crosses(linear, size)) return false;
  translate(wrapLinear(linear), access);
  return !fault && hits(entry, linear, size, tag);
}

/**
 * The arena address of `size` bytes at `linear` that may be both read and written at once, or 0: they cross a page, are
 * not plain memory, or the access faulted (as a write).
 */
export function writable(linear: u64, size: u32): usize {
  const entry = entryOf(linear);
  if (!enter(entry, linear, size, TLB_ENTRY_WRITE, ACCESS_WRITE | currentUser())) return 0;
  return hits(entry, linear, size, TLB_ENTRY_READ) ? place(entry, linear) : 0;
}

/** The arena address of the byte at `linear` when the page can be read at once, or 0 (not plain memory, or a fault). */
export function readable(linear: u64): usize {
  const entry = entryOf(linear);
  return enter(entry, linear, 1, TLB_ENTRY_READ, currentUser()) ? place(entry, linear) : 0;
}
