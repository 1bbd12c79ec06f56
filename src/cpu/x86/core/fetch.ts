// From CS:RIP to the uops to execute: a block in the cache, a new one, or a single instruction decoded for this one
// time where the cache cannot help.
import { FUSIONS, OP_FIRST_HANDLER, OP_FIRST_JCC, OP_NEXT, OP_RESYNC } from './generated/decoder';
import {
  DEBUG_ARMED_CODE,
  MODE_CODE64,
  MODE_PAGING,
  MODE_USER,
  MODE_WATCHED,
  MODE_WHOLE,
  SEG_CS,
  STATE_RIP_BASE,
  TLB_ENTRY_ADDEND_32,
  TLB_ENTRY_EXECUTE,
  TLB_SIZE,
  STATE_TLB_BASE_32,
  UOP_DISPLACEMENT_32,
  UOP_OFFSET_16,
  UOP_OP_16,
  UOP_SIZE,
} from './generated/layout';
import { blockBytes, closeBlock, findBlock, openBlock } from './code-cache';
import { breakAt, isArmed } from './debug';
import { decode, endsBlock, isRelative } from './decode';
import { fault, raiseError, VECTOR_GP } from './fault';
import { enterJump } from './jump-cache';
import { codePage, fetchByte } from './paging';
import { uopOp } from './uop';
import { isCanonical, mode, rip, segmentBase, segmentLimit } from './state';

/** Uops of a block before it goes on in another one. */
const MAX_UOPS: u32 = 32;
/** What a block's decoding does not depend on. */
const MODE_KEY: u32 = ~(MODE_PAGING | MODE_USER | MODE_WHOLE);
/** With the mode in the key of a block: its page does not lie in the code segment as a whole. */
const EDGE: u32 = 0x8000_0000;
/** Whether the last look-up was at the edge of the code segment, where blocks must not be linked. */
export let atEdge: bool = false;

/** Two uops that belong to no block: an instruction and what comes after it. */
const SINGLE: usize = memory.data(2 * 32, 16);
const BYTES: usize = memory.data(16);

// @ts-ignore: decorator
@inline export function isSingle(u: usize): bool {
  return u - SINGLE < 64;
}

/** The arena address of the instruction byte at `linear`, as codePage says. */
// @ts-ignore: decorator
@inline function codeAddress(linear: u64): usize {
  const entry: usize = load<u32>(STATE_TLB_BASE_32) + ((u32(linear >> 12) & (TLB_SIZE - 1)) << 5);
  if (load<u64>(entry, TLB_ENTRY_EXECUTE) == (linear & ~(<u64>0xfff))) {
    return u32(linear) + load<u32>(entry, TLB_ENTRY_ADDEND_32);
  }
  return codePage(linear);
}

/**
 * The uops at CS:RIP, or 0 when the fetch faulted. Sets RIP_BASE.
 *
 * In a page that lies in the code segment as a whole no limit is reached and no instruction pointer wraps, whichever CS
 * it is executed with; only there are blocks linked. At the edge of the segment each block is looked up, and executed
 * instruction by instruction when it would reach the limit. In 64-bit mode there is no segment: every page is whole.
 */
export function lookup(): usize {
  if ((mode() & MODE_CODE64) != 0) return lookup64();
  const ip = rip();
  const linear: u64 = <u32>(segmentBase(SEG_CS) + ip);
  const base = ip - (linear & 0xfff);
  store<u64>(STATE_RIP_BASE, base);
  const limit: u64 = segmentLimit(SEG_CS);
  atEdge = base > limit || base + 0xfff > limit;
  if (ip > limit) return single();
  const address = codeAddress(linear);
  if (address <= 1) return address == 0 ? 0 : single();
  const key = atEdge ? (mode() & MODE_KEY) | EDGE : mode() & MODE_KEY;
  let first = findBlock(address, key);
  if (first == 0) first = decodeBlock(address, key);
  if (atEdge && !isSingle(first) && ip + blockBytes(first) - 1 > limit) return single();
  if (!isSingle(first)) enterJump(linear, first);
  return first;
}

function lookup64(): usize {
  const ip = rip();
  store<u64>(STATE_RIP_BASE, ip & ~(<u64>0xfff));
  atEdge = false;
  const address = codeAddress(ip);
  if (address <= 1) return address == 0 ? 0 : single();
  const key = mode() & MODE_KEY;
  let first = findBlock(address, key);
  if (first == 0) first = decodeBlock(address, key);
  if (!isSingle(first)) enterJump(ip, first);
  return first;
}

/** Decodes up to a branch without condition, the end of the page or MAX_UOPS. */
function decodeBlock(address: usize, key: u32): usize {
  const bits = mode();
  const pageEnd = (address & ~0xfff) + 0x1000;
  const most: u32 = (bits & MODE_WATCHED) != 0 ? 1 : MAX_UOPS;
  const first = openBlock(most + 1);
  let u = first;
  let at = address;
  for (let count: u32 = 0; count < most && at < pageEnd; count++) {
    const length = decode(at, <u32>(pageEnd - at), u, bits);
    if (length == 0) break;
    setOffset(u, <u32>(at & 0xfff), length);
    if (u != first) fuse(u - UOP_SIZE, u);
    u += UOP_SIZE;
    at += length;
    if (endsBlock) {
      close(address, at, first, u, key);
      return first;
    }
  }
  // The first instruction crosses into the next page.
  if (u == first) return single();
  // After the last byte of the page the offset is 1000h.
  place(u, OP_NEXT, <u32>(at - (address & ~0xfff)));
  close(address, at, first, u + UOP_SIZE, key);
  return first;
}

/** Says where in its page an instruction lies; what is relative to RIP is then relative to RIP_BASE. */
// @ts-ignore: decorator
@inline function setOffset(u: usize, offset: u32, length: u32): void {
  store<u16>(u, <u16>offset, UOP_OFFSET_16);
  if (isRelative) store<u32>(u, load<u32>(u, UOP_DISPLACEMENT_32) + offset + length, UOP_DISPLACEMENT_32);
}

/** Lets a comparison before a conditional jump do both. */
function fuse(comparison: usize, jump: usize): void {
  const condition = uopOp(jump) - OP_FIRST_JCC;
  const op = uopOp(comparison);
  if (condition > 15 || op >= OP_FIRST_HANDLER) return;
  const both = load<u16>(FUSIONS + (((op << 4) + condition) << 1));
  if (both != 0) store<u16>(comparison, both, UOP_OP_16);
}

function place(u: usize, op: u32, offset: u32): void {
  memory.fill(u, 0, UOP_SIZE);
  store<u16>(u, <u16>op, UOP_OP_16);
  store<u16>(u, <u16>offset, UOP_OFFSET_16);
}

function close(address: usize, end: usize, first: usize, last: usize, key: u32): void {
  closeBlock(address, key, <u32>(end - address), <u32>(last - first) / UOP_SIZE);
}

/** Decodes one instruction, byte by byte, with everything that may be in the way. 0: the fetch faulted, or a breakpoint. */
export function single(): usize {
  const ip = rip();
  const wide = (mode() & MODE_CODE64) != 0;
  const limit: u64 = wide ? <u64>-1 : segmentLimit(SEG_CS);
  const linear: u64 = wide ? ip : <u64>(<u32>(segmentBase(SEG_CS) + ip));
  store<u64>(STATE_RIP_BASE, ip - (linear & 0xfff));
  if (isArmed(DEBUG_ARMED_CODE) && breakAt(linear)) return 0;
  let count: u32 = 0;
  let length: u32 = 0;
  while (length == 0) {
    if (ip + count > limit || (wide && !isCanonical(ip + count))) {
      raiseError(VECTOR_GP, 0);
      return 0;
    }
    store<u8>(BYTES + count, <u8>byteAt(wide ? linear + count : <u64>(<u32>(linear + count))));
    if (fault) return 0;
    length = decode(BYTES, ++count, SINGLE, mode());
  }
  const offset = <u32>linear & 0xfff;
  setOffset(SINGLE, offset, length);
  place(SINGLE + UOP_SIZE, OP_RESYNC, offset + length);
  return SINGLE;
}

function byteAt(linear: u64): u32 {
  const address = codeAddress(linear);
  if (address == 0) return 0;
  return address == 1 ? fetchByte(linear) : load<u8>(address);
}
