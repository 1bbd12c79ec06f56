/**
 * Physical memory as the guest sees it: the flat view of guest memory (a directory of one u32 for each 2 MiB below
 * 2^40, leaves of 512 pairs of store address and flags), address line 20, and what lies outside: MMIO.
 */
import { STATE_A20_MASK_32, STATE_FLAT_DIRECTORY_32 } from './generated/layout';
import { codeStored } from './code-cache';
import { beforeWrite, mmioRead, mmioWrite } from './host';
import { truncate } from './state';

/** Flags of a page in the flat view. */
export const FLAT_READ: u32 = 0x1;
export const FLAT_WRITE: u32 = 0x2;
export const FLAT_EXECUTE: u32 = 0x4;
export const FLAT_LOGGED: u32 = 0x10;
export const FLAT_WATCH_READ: u32 = 0x20;
export const FLAT_WATCH_WRITE: u32 = 0x40;
export const FLAT_COPY_ON_WRITE: u32 = 0x80;
export const FLAT_CODE: u32 = 0x100;

/** A load may go ahead when these bits of the flags are READ alone, a store when those are WRITE alone. */
const LOAD_BITS: u32 = FLAT_READ | FLAT_WATCH_READ;
const STORE_BITS: u32 = FLAT_WRITE | FLAT_LOGGED | FLAT_WATCH_WRITE | FLAT_COPY_ON_WRITE | FLAT_CODE;

/** The flat view reaches so far; what is above is MMIO. */
const FLAT_ADDRESS_BITS: u64 = 40;

export function mayLoad(flags: u32): bool {
  return (flags & LOAD_BITS) == FLAT_READ;
}

export function mayStore(flags: u32): bool {
  return (flags & STORE_BITS) == FLAT_WRITE;
}

/** What an address becomes on the bus: bit 20 is forced to 0 while the A20 gate is closed. */
export function throughA20(address: u64): u64 {
  return address & (0xffff_ffff_0000_0000 | <u64>load<u32>(STATE_A20_MASK_32));
}

/** Where the flat view's pair for the page of `gpa` is, or 0 when there is none. */
export function flatEntry(gpa: u64): usize {
  if (gpa >> FLAT_ADDRESS_BITS != 0) return 0;
  const directory = <u32>load<u32>(STATE_FLAT_DIRECTORY_32);
  const leaf = <u32>load<u32>(directory + ((<u32>(gpa >> 21)) << 2));
  return leaf == 0 ? 0 : leaf + ((<u32>((gpa >> 12) & 511)) << 3);
}

export function flatFlags(entry: usize): u32 {
  return entry == 0 ? 0 : load<u32>(entry, 4);
}

/** The arena address of `gpa`, whose pair in the flat view is `entry`. */
export function flatAddress(entry: usize, gpa: u64): usize {
  return <u32>load<u32>(entry) + <u32>(gpa & 0xfff);
}

export function loadSized(address: usize, size: u32): u64 {
  if (size == 4) return load<u32>(address);
  if (size == 2) return load<u16>(address);
  if (size == 1) return load<u8>(address);
  return load<u64>(address);
}

export function storeSized(address: usize, size: u32, value: u64): void {
  if (size == 4) store<u32>(address, <u32>value);
  else if (size == 2) store<u16>(address, <u16>value);
  else if (size == 1) store<u8>(address, <u8>value);
  else store<u64>(address, value);
}

/** Reads `size` bytes (1, 2, 4, 8) within one page. */
export function readPhysical(gpa: u64, size: u32): u64 {
  const entry = flatEntry(gpa);
  if (mayLoad(flatFlags(entry))) return loadSized(flatAddress(entry, gpa), size);
  if (size < 8) return truncate(mmioRead(<f64>gpa, size), size);
  const low = <u64>mmioRead(<f64>gpa, 4);
  return low | ((<u64>mmioRead(<f64>(gpa + 4), 4)) << 32);
}

/**
 * Where `size` bytes at `gpa` may be stored now, everyone who must know having been told, or 0 when this is not
 * writable memory.
 */
function storePlace(gpa: u64, size: u32): usize {
  const entry = flatEntry(gpa);
  const flags = flatFlags(entry) & STORE_BITS;
  if ((flags & FLAT_WRITE) == 0) return 0;
  if (flags == FLAT_WRITE) return flatAddress(entry, gpa);
  if (flags == (FLAT_WRITE | FLAT_CODE)) {
    if (codeStored(flatAddress(entry, gpa), size)) return flatAddress(entry, gpa);
  }
  beforeWrite(<f64>gpa);
  const now = flatEntry(gpa);
  return (flatFlags(now) & FLAT_WRITE) == 0 ? 0 : flatAddress(now, gpa);
}

/** Writes `size` bytes (1, 2, 4, 8) within one page. */
export function writePhysical(gpa: u64, size: u32, value: u64): void {
  const place = storePlace(gpa, size);
  if (place != 0) return storeSized(place, size, value);
  mmioWrite(<f64>gpa, min(size, 4), <u32>truncate(value, min(size, 4)));
  if (size == 8) mmioWrite(<f64>(gpa + 4), 4, <u32>(value >> 32));
}

/** Reads an entry of a paging structure. A structure that is not in memory reads as all-ones. */
export function readTableEntry(address: u64, size: u32): u64 {
  const gpa = throughA20(address);
  const entry = flatEntry(gpa);
  if ((flatFlags(entry) & FLAT_READ) == 0) return size == 4 ? 0xffff_ffff : <u64>-1;
  return loadSized(flatAddress(entry, gpa), size);
}

/** Sets bits in the low half of an entry of a paging structure; one in read-only memory stays as it is. */
export function markTableEntry(address: u64, bits: u32): void {
  const place = storePlace(throughA20(address), 4);
  if (place != 0) store<u32>(place, load<u32>(place) | bits);
}
