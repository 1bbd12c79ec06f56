/**
 * The translation look-aside buffer (layout and hit rule: table/layout.ts). Everything that must not go ahead at once
 * is kept out of it when an entry is filled, so a hit needs no other check.
 */
import {
  DEBUG_ARMED_CODE,
  DEBUG_ARMED_DATA,
  TLB,
  TLB_ENTRY_ADDEND_32,
  TLB_ENTRY_EXECUTE,
  TLB_ENTRY_FLAGS_32,
  TLB_ENTRY_READ,
  TLB_ENTRY_SIZE,
  TLB_ENTRY_WRITE,
  TLB_FLAG_GLOBAL,
  TLB_FLAG_LISTED,
  TLB_INVALID,
  TLB_SIZE,
  TLB_USED,
} from './generated/layout';
import { hiddenAccesses, HIDDEN_EXECUTE, HIDDEN_READ, HIDDEN_WRITE, isArmed } from './debug';
import { forgetJumps } from './jump-cache';
import { FLAT_CODE, FLAT_EXECUTE, flatEntry, flatFlags, mayLoad, mayStore } from './physical';

/** What the page tables allow the privilege that asks; WRITE only once the dirty bit is set. */
export const RIGHT_WRITE: u32 = 1;
export const RIGHT_EXECUTE: u32 = 2;
/** Not a right: the translation is global (SDM volume 3, section 4.10.2.4), or a part of a large page. */
export const RIGHT_GLOBAL: u32 = 4;
export const RIGHT_LARGE: u32 = 8;

/** The entry for `linear`; `user` is 0, the user bit of a page-fault error code, 4, or ACCESS_OPEN. */
export function tlbEntry(linear: u64, user: u32): usize {
  const half = user == 0 ? 0 : user == 4 ? TLB_SIZE * TLB_ENTRY_SIZE : 2 * TLB_SIZE * TLB_ENTRY_SIZE;
  return TLB + half + (<u32>(linear >> 12) & (TLB_SIZE - 1)) * TLB_ENTRY_SIZE;
}

function entryNumber(entry: usize): u32 {
  return <u32>(entry - TLB) / TLB_ENTRY_SIZE;
}

function usedCount(): u32 {
  return load<u32>(TLB_USED);
}

/** The entry at place `index` of the list of those in use. */
function usedEntry(index: u32): usize {
  return TLB + <u32>load<u16>(TLB_USED + 8 + ((<u32>index) << 1)) * TLB_ENTRY_SIZE;
}

function list(entry: usize): void {
  const count = usedCount();
  store<u16>(TLB_USED + 8 + ((<u32>count) << 1), <u16>entryNumber(entry));
  store<u32>(TLB_USED, count + 1);
}

/** Enters the page at `linear`, which the page tables place at `gpa`, replacing what the entry held. */
export function fillTlb(linear: u64, user: u32, gpa: u64, rights: u32): void {
  const page = linear & ~(<u64>0xfff);
  const entry = tlbEntry(page, user);
  const flat = flatEntry(gpa);
  const flags = flatFlags(flat);
  const executable = (flags & (FLAT_EXECUTE | FLAT_CODE)) == (FLAT_EXECUTE | FLAT_CODE);
  const hidden = isArmed(DEBUG_ARMED_CODE | DEBUG_ARMED_DATA) ? hiddenAccesses(page) : 0;
  const mayRead = mayLoad(flags) && (hidden & HIDDEN_READ) == 0;
  const mayWrite = (rights & RIGHT_WRITE) != 0 && mayRead && mayStore(flags) && (hidden & HIDDEN_WRITE) == 0;
  const mayExecute = (rights & RIGHT_EXECUTE) != 0 && executable && (hidden & HIDDEN_EXECUTE) == 0;
  if ((load<u32>(entry, TLB_ENTRY_FLAGS_32) & TLB_FLAG_LISTED) == 0) list(entry);
  store<u64>(entry, mayRead ? page : TLB_INVALID, TLB_ENTRY_READ);
  store<u64>(entry, mayWrite ? page : TLB_INVALID, TLB_ENTRY_WRITE);
  store<u64>(entry, mayExecute ? page : TLB_INVALID, TLB_ENTRY_EXECUTE);
  if (flat != 0) store<u32>(entry, load<u32>(flat) - <u32>page, TLB_ENTRY_ADDEND_32);
  store<u32>(entry, TLB_FLAG_LISTED | ((rights & RIGHT_GLOBAL) != 0 ? TLB_FLAG_GLOBAL : 0), TLB_ENTRY_FLAGS_32);
  if ((rights & RIGHT_LARGE) != 0) store<u32>(TLB_USED, 1, 4);
}

function clearEntry(entry: usize): void {
  store<u64>(entry, TLB_INVALID, TLB_ENTRY_READ);
  store<u64>(entry, TLB_INVALID, TLB_ENTRY_WRITE);
  store<u64>(entry, TLB_INVALID, TLB_ENTRY_EXECUTE);
  store<u32>(entry, 0, TLB_ENTRY_FLAGS_32);
}

/** Makes every entry invalid, whatever it held: memory starts as zeroes, which would be tags of page 0. */
export function initializeTlb(): void {
  forgetJumps();
  for (let number: u32 = 0; number < 3 * TLB_SIZE; number++) clearEntry(TLB + <u32>number * TLB_ENTRY_SIZE);
  store<u64>(TLB_USED, 0);
}

/** Drops every translation, global ones too. */
export function flushTlbGlobal(): void {
  forgetJumps();
  const count = usedCount();
  for (let index: u32 = 0; index < count; index++) clearEntry(usedEntry(index));
  store<u64>(TLB_USED, 0);
}

/** Drops every translation but the global ones, as a load of CR3 does. */
export function flushTlb(): void {
  forgetJumps();
  const count = usedCount();
  store<u32>(TLB_USED, 0);
  for (let index: u32 = 0; index < count; index++) {
    const entry = usedEntry(index);
    if ((load<u32>(entry, TLB_ENTRY_FLAGS_32) & TLB_FLAG_GLOBAL) != 0) list(entry);
    else clearEntry(entry);
  }
}

/** Entries are 4 KiB each, so one page of a large page is dropped by dropping everything (INVLPG drops it whole). */
export function invalidatePage(linear: u64): void {
  if (load<u32>(TLB_USED, 4) != 0) return flushTlbGlobal();
  forgetJumps();
  invalidateEntry(tlbEntry(linear, 0));
  invalidateEntry(tlbEntry(linear, 4));
  invalidateEntry(tlbEntry(linear, 8));
}

/** The entry stays in the list, so that it is listed once. */
function invalidateEntry(entry: usize): void {
  const flags = load<u32>(entry, TLB_ENTRY_FLAGS_32);
  clearEntry(entry);
  store<u32>(entry, flags & TLB_FLAG_LISTED, TLB_ENTRY_FLAGS_32);
}

/** Makes stores to the page at arena address `page` miss, through whatever linear address they come. */
export function dropWriteTags(page: u32): void {
  const count = usedCount();
  for (let index: u32 = 0; index < count; index++) {
    const entry = usedEntry(index);
    const tag = load<u64>(entry, TLB_ENTRY_WRITE);
    if (tag == TLB_INVALID || <u32>tag + load<u32>(entry, TLB_ENTRY_ADDEND_32) != page) continue;
    store<u64>(entry, TLB_INVALID, TLB_ENTRY_WRITE);
  }
}

/** The page at arena address `page` is no longer marked as code: a fetch from it must miss and mark it again. */
export function dropExecuteTags(page: u32): void {
  const count = usedCount();
  for (let index: u32 = 0; index < count; index++) {
    const entry = usedEntry(index);
    const tag = load<u64>(entry, TLB_ENTRY_EXECUTE);
    if (tag == TLB_INVALID || <u32>tag + load<u32>(entry, TLB_ENTRY_ADDEND_32) != page) continue;
    store<u64>(entry, TLB_INVALID, TLB_ENTRY_EXECUTE);
  }
}
