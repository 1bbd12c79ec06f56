/**
 * Linear to physical (SDM volume 3, chapter 4): no paging, 32-bit paging with 4 MiB pages, PAE paging, four-level paging
 * with pages of 4 KiB, 2 MiB and 1 GiB.
 */
import {
  DEBUG_ARMED_CODE,
  MODE_LONG,
  STATE_ADDRESS_MASK,
  STATE_CR0,
  STATE_CR3,
  STATE_CR4,
  STATE_EFER,
  STATE_MODE_32,
  STATE_PDPTE,
  TLB_ENTRY_ADDEND_32,
  TLB_ENTRY_EXECUTE,
} from './generated/layout';
import { hiddenAccesses, HIDDEN_EXECUTE, isArmed } from './debug';
import { raiseError, raisePageFault, VECTOR_GP } from './fault';
import { markCodePage } from './host';
import {
  FLAT_CODE,
  FLAT_EXECUTE,
  FLAT_READ,
  flatAddress,
  flatEntry,
  flatFlags,
  markTableEntry,
  readPhysical,
  readTableEntry,
  throughA20,
} from './physical';
import { dropWriteTags, fillTlb, RIGHT_EXECUTE, RIGHT_GLOBAL, RIGHT_LARGE, RIGHT_WRITE, tlbEntry } from './tlb';
import { currentUser } from './privilege';
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_NXE } from './control-bits';
import { isCanonical } from './state';

export { dropExecuteTags, flushTlb, flushTlbGlobal, initializeTlb, invalidatePage } from './tlb';

/**
 * What an access is, in the bits of a page-fault error code (SDM volume 3, section 4.7). PEEK asks without consequence:
 * no fault, no accessed or dirty bit.
 */
export const ACCESS_WRITE: u32 = 0x2;
export const ACCESS_USER: u32 = 0x4;
export const ACCESS_FETCH: u32 = 0x10;
export const ACCESS_PEEK: u32 = 0x100;
/** By a supervisor to whom EFLAGS.AC opens user pages that CR4.SMAP closes. */
export const ACCESS_OPEN: u32 = 0x200;
/** What decides about the part of the TLB. */
const ACCESS_WHO: u32 = ACCESS_USER | ACCESS_OPEN;
const ERROR_PRESENT: u32 = 0x1;
const ERROR_RESERVED: u32 = 0x8;

/** Bits of an entry; those of the two sizes of entry agree. */
const ENTRY_PRESENT: u64 = 0x1;
const ENTRY_WRITE: u64 = 0x2;
const ENTRY_USER: u64 = 0x4;
const ENTRY_ACCESSED: u64 = 0x20;
const ENTRY_DIRTY: u64 = 0x40;
const ENTRY_LARGE: u64 = 0x80;
const ENTRY_GLOBAL: u64 = 0x100;
const ENTRY_NO_EXECUTE: u64 = 1 << 63;
/** Where an address may be, however wide: bits 51:0. */
const ENTRY_ADDRESS: u64 = 0xf_ffff_ffff_ffff;

/** In a PDE of a 4 MiB page, 20:13 are bits 39:32 of the address and 21 is reserved; in one of 2 MiB 20:13 are. */
const RESERVED_4M: u64 = 0x20_0000;
const RESERVED_2M: u64 = 0x1f_e000;
/** In a PDPTE of a 1 GiB page 29:13 are reserved. */
const RESERVED_1G: u64 = 0x3fff_e000;
/** Reserved in a PDPTE: 2:1 and 8:5 (SDM volume 3, table 4-8). */
const RESERVED_PDPTE: u64 = 0x1e6;

/** Where the last successful walk led: the guest-physical page, and RIGHT bits. */
let walkedPage: u64 = 0;
let walkedRights: u32 = 0;

/** Addresses of the entries that the walk under way has used, from the top. */
const PATH: usize = memory.data(32, 8);

function paging(): bool {
  return (load<u64>(STATE_CR0) & CR0_PG) != 0;
}

/** Linear addresses have 32 bits outside long mode. */
export function wrapLinear(linear: u64): u64 {
  return isLong() ? linear : linear & 0xffff_ffff;
}

function isLong(): bool {
  return (load<u32>(STATE_MODE_32) & MODE_LONG) != 0;
}

/** Raises #PF unless the access is a peek. Always false, for `return pageFault(...)`. */
function pageFault(linear: u64, access: u32, cause: u32): bool {
  if ((access & ACCESS_PEEK) != 0) return false;
  const cr4 = load<u64>(STATE_CR4);
  const noExecute = (cr4 & CR4_SMEP) != 0 || ((cr4 & CR4_PAE) != 0 && (load<u64>(STATE_EFER) & EFER_NXE) != 0);
  const reported = access & (ACCESS_WRITE | ACCESS_USER | (noExecute ? ACCESS_FETCH : 0));
  raisePageFault(linear, cause | reported);
  return false;
}

/**
 * Whether entries whose common W and U bits are `combined` allow the access (SDM volume 3, section 4.6.1).
 */
function permits(combined: u64, access: u32): bool {
  if ((access & ACCESS_USER) != 0 ? (combined & ENTRY_USER) == 0 : isPrevented(combined, access)) return false;
  if ((access & ACCESS_FETCH) != 0 && (combined & ENTRY_NO_EXECUTE) != 0) return false;
  return (access & ACCESS_WRITE) == 0 || mayWrite(combined, access);
}

/** A supervisor's fetch from a user page under SMEP, or its access to one under SMAP (SDM volume 3, section 4.6). */
function isPrevented(combined: u64, access: u32): bool {
  const cr4 = load<u64>(STATE_CR4);
  if ((combined & ENTRY_USER) == 0 || (cr4 & (CR4_SMEP | CR4_SMAP)) == 0 || (access & ACCESS_PEEK) != 0) return false;
  if ((access & ACCESS_FETCH) != 0) return (cr4 & CR4_SMEP) != 0;
  return (cr4 & CR4_SMAP) != 0 && (access & ACCESS_OPEN) == 0;
}

function mayWrite(combined: u64, access: u32): bool {
  if ((combined & ENTRY_WRITE) != 0) return true;
  return (access & ACCESS_USER) == 0 && (load<u64>(STATE_CR0) & CR0_WP) == 0;
}

function markPath(index: usize, entry: u64, bits: u64): void {
  if ((entry & bits) != bits) markTableEntry(load<u64>(PATH + (index << 3)), <u32>bits);
}

/**
 * The end of every walk with paging: `leaf` is the entry that maps the page at `frame`, `depth` the number of entries
 * used, `combined` their rights together. Checks the rights, sets accessed and dirty bits, notes the result.
 */
function arrive(linear: u64, access: u32, frame: u64, combined: u64, leaf: u64, depth: usize, large: bool): bool {
  if (!permits(combined, access)) return pageFault(linear, access, ERROR_PRESENT);
  const bits = (access & ACCESS_WRITE) != 0 ? ENTRY_ACCESSED | ENTRY_DIRTY : ENTRY_ACCESSED;
  if ((access & ACCESS_PEEK) == 0) markPath(depth - 1, leaf, bits);
  const dirty = ((leaf | bits) & ENTRY_DIRTY) != 0;
  const global = (leaf & ENTRY_GLOBAL) != 0 && (load<u64>(STATE_CR4) & CR4_PGE) != 0;
  walkedPage = throughA20(frame & ~(<u64>0xfff));
  const user = (access & ACCESS_USER) != 0;
  walkedRights =
    (dirty && mayWrite(combined, access) ? RIGHT_WRITE : 0) |
    ((combined & ENTRY_NO_EXECUTE) == 0 && (user || !isPrevented(combined, ACCESS_FETCH)) ? RIGHT_EXECUTE : 0) |
    (global ? RIGHT_GLOBAL : 0) |
    (large ? RIGHT_LARGE : 0);
  return true;
}

/** 32-bit paging (SDM volume 3, section 4.3). */
function walk32(linear: u64, access: u32): bool {
  const directory = (load<u64>(STATE_CR3) & 0xffff_f000) + (((linear >> 22) & 0x3ff) << 2);
  const pde = readTableEntry(directory, 4);
  store<u64>(PATH, directory);
  if ((pde & ENTRY_PRESENT) == 0) return pageFault(linear, access, 0);
  if ((pde & ENTRY_LARGE) != 0 && (load<u64>(STATE_CR4) & CR4_PSE) != 0) return walk4M(linear, access, pde);
  const table = (pde & 0xffff_f000) + (((linear >> 12) & 0x3ff) << 2);
  const pte = readTableEntry(table, 4);
  store<u64>(PATH, table, 8);
  if ((pte & ENTRY_PRESENT) == 0) return pageFault(linear, access, 0);
  if (!arrive(linear, access, pte & 0xffff_f000, pde & pte & 7, pte, 2, false)) return false;
  if ((access & ACCESS_PEEK) == 0) markPath(0, pde, ENTRY_ACCESSED);
  return true;
}

/** A 4 MiB page, above 4 GiB too (PSE-36, SDM volume 3, table 4-4). */
function walk4M(linear: u64, access: u32, pde: u64): bool {
  const high = ((pde >> 13) & 0xff) << 32;
  if ((pde & RESERVED_4M) != 0 || (high & ~load<u64>(STATE_ADDRESS_MASK)) != 0) {
    return pageFault(linear, access, ERROR_PRESENT | ERROR_RESERVED);
  }
  const frame = high | (pde & 0xffc0_0000) | (linear & 0x3f_f000);
  return arrive(linear, access, frame, pde & 7, pde, 1, true);
}

/**
 * Bits that must be 0 in every 64-bit entry below a PDPTE of PAE paging: those above the physical width, of which long
 * mode leaves 62:52 to software (SDM volume 3, tables 4-11 and 4-20).
 */
function reserved64(): u64 {
  const tooHigh = ~load<u64>(STATE_ADDRESS_MASK) & (isLong() ? ENTRY_ADDRESS : ~ENTRY_NO_EXECUTE);
  return (load<u64>(STATE_EFER) & EFER_NXE) != 0 ? tooHigh : tooHigh | ENTRY_NO_EXECUTE;
}

/** PAE paging (SDM volume 3, section 4.4): the PDPTEs were read and checked when CR3 was loaded. */
function walkPae(linear: u64, access: u32): bool {
  const pdpte = load<u64>(STATE_PDPTE + ((<u32>((linear >> 30) & 3)) << 3));
  if ((pdpte & ENTRY_PRESENT) == 0) return pageFault(linear, access, 0);
  return walk64(linear, access, pdpte, 2, ENTRY_WRITE | ENTRY_USER);
}

/**
 * Follows 64-bit entries down from the table that `parent` points to; `level` is that table's (1 holds PTEs, 2 PDEs).
 * `combined` is W and U of everything above, and no-execute of anything above.
 */
function walk64(linear: u64, access: u32, parent: u64, level: u32, combined: u64): bool {
  const reserved = reserved64();
  const mask = load<u64>(STATE_ADDRESS_MASK) & ~(<u64>0xfff);
  let entry = parent;
  let depth: usize = 0;
  while (true) {
    const shift = 12 + <u64>(level - 1) * 9;
    const address = (entry & mask) + (((linear >> shift) & 511) << 3);
    entry = readTableEntry(address, 8);
    store<u64>(PATH + (depth++ << 3), address);
    if ((entry & ENTRY_PRESENT) == 0) return pageFault(linear, access, 0);
    const large = level > 1 && (entry & ENTRY_LARGE) != 0;
    if ((entry & (large ? reserved | reservedInLarge(level) : reserved)) != 0) {
      return pageFault(linear, access, ERROR_PRESENT | ERROR_RESERVED);
    }
    combined = (combined & entry & (ENTRY_WRITE | ENTRY_USER)) | ((combined | entry) & ENTRY_NO_EXECUTE);
    if (level > 1 && !large) {
      level--;
      continue;
    }
    const within = (((<u64>1) << shift) - 1) & ~(<u64>0xfff);
    const frame = (entry & mask & ~within) | (linear & within);
    if (!arrive(linear, access, frame, combined, entry, depth, large)) return false;
    if ((access & ACCESS_PEEK) == 0) markUpper(depth - 1);
    return true;
  }
}

/** Reserved bits of an entry with PS; at the top level PS itself is. */
function reservedInLarge(level: u32): u64 {
  return level == 2 ? RESERVED_2M : level == 3 ? RESERVED_1G : ENTRY_LARGE;
}

/** Sets the accessed bit of the `count` entries above the one that maps the page. */
function markUpper(count: usize): void {
  for (let index: usize = 0; index < count; index++) {
    const entry = readTableEntry(load<u64>(PATH + (index << 3)), 8);
    markPath(index, entry, ENTRY_ACCESSED);
  }
}

function walk(linear: u64, access: u32): bool {
  if (paging()) {
    if (isLong()) return walk64(linear, access, load<u64>(STATE_CR3), 4, ENTRY_WRITE | ENTRY_USER);
    return (load<u64>(STATE_CR4) & CR4_PAE) != 0 ? walkPae(linear, access) : walk32(linear, access);
  }
  walkedPage = throughA20(linear & ~(<u64>0xfff));
  walkedRights = RIGHT_WRITE | RIGHT_EXECUTE;
  return true;
}

/**
 * Where `linear` (already wrapped) leads for an access of this kind; enters the page in the TLB. `fault` is set when it
 * leads nowhere.
 */
export function translate(linear: u64, access: u32): u64 {
  if (!isCanonical(linear)) {
    raiseError(VECTOR_GP, 0);
    return 0;
  }
  if (!walk(linear, access)) return 0;
  fillTlb(linear, access & ACCESS_WHO, walkedPage, walkedRights);
  return walkedPage | (linear & 0xfff);
}

/** Where `linear` leads for a supervisor's read, or -1; nothing changes. */
export function peek(linear: u64): i64 {
  if (!isCanonical(linear) || !walk(wrapLinear(linear), ACCESS_PEEK)) return -1;
  return <i64>(walkedPage | (linear & 0xfff));
}

/**
 * The arena address of the instruction byte at `linear`: 0 when the fetch faulted, 1 when it leads to something that is
 * not executable memory, or holds a breakpoint (`fetchByte` reads that). The page is marked as code.
 */
export function codePage(linear: u64): usize {
  const entry = tlbEntry(linear, currentUser());
  if (load<u64>(entry, TLB_ENTRY_EXECUTE) == (linear & ~(<u64>0xfff))) {
    return <u32>(<u32>linear + load<u32>(entry, TLB_ENTRY_ADDEND_32));
  }
  return codePageSlow(wrapLinear(linear));
}

function codePageSlow(linear: u64): usize {
  // Before the walk: a breakpoint comes before the page fault.
  if (isArmed(DEBUG_ARMED_CODE) && (hiddenAccesses(linear & ~(<u64>0xfff)) & HIDDEN_EXECUTE) != 0) return 1;
  if (!isCanonical(linear)) {
    raiseError(VECTOR_GP, 0);
    return 0;
  }
  const access = ACCESS_FETCH | currentUser();
  if (!walk(linear, access)) return 0;
  const gpa = walkedPage;
  const rights = walkedRights;
  const flags = flatFlags(flatEntry(gpa));
  if ((flags & (FLAT_READ | FLAT_EXECUTE)) != (FLAT_READ | FLAT_EXECUTE)) return 1;
  if ((flags & FLAT_CODE) == 0) markCodePage(<f64>gpa);
  const flat = flatEntry(gpa);
  if (flat == 0) return 1;
  if ((flags & FLAT_CODE) == 0) dropWriteTags(load<u32>(flat));
  fillTlb(linear, currentUser(), gpa, rights);
  return flatAddress(flat, linear);
}

/** The instruction byte at `linear` where `codePage` found no executable memory. */
export function fetchByte(linear: u64): u32 {
  const wrapped = wrapLinear(linear);
  if (!walk(wrapped, ACCESS_FETCH | currentUser())) return 0;
  return <u32>readPhysical(walkedPage | (wrapped & 0xfff), 1);
}

/**
 * Reads and checks the four PDPTEs that a CR3 of `cr3` points to (SDM volume 3, section 4.4.1), and takes them over
 * only when all are good. False: #GP is due.
 */
export function loadPdptes(cr3: u64): bool {
  const base = cr3 & 0xffff_ffe0;
  const reserved = RESERVED_PDPTE | ~load<u64>(STATE_ADDRESS_MASK);
  for (let index: u64 = 0; index < 4; index++) {
    const pdpte = readTableEntry(base + (index << 3), 8);
    if ((pdpte & ENTRY_PRESENT) != 0 && (pdpte & reserved) != 0) return false;
  }
  for (let index: u64 = 0; index < 4; index++) {
    store<u64>(STATE_PDPTE + ((<u32>index) << 3), readTableEntry(base + (index << 3), 8));
  }
  return true;
}
