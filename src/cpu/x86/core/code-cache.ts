// Decoded code. Blocks are found by the arena address of their first byte and the mode, chained in a hash table, and
// listed by the place in their page where they begin, so that a store to the page finds what it makes wrong.
//
//     CODE_CACHE   pages   u32 for each page of the arena: its record, or 0
//     BUCKETS      heads of the hash chains, u32
//     POOL         page records and blocks, taken in order and never freed; when it is full everything is dropped
//
//     page record (800 bytes)
//       +0 64 u32, the first block of those that begin in each chunk of 64 bytes
//       +256 4096 bits, one for each byte: whether some block was decoded from it
//       +768 u32 blocks
//     block: a header of 32 bytes, then its uops
//       +0 u32 address   +4 u32 mode   +8 u32 next in chain   +12 u32 next of the chunk   +16 u32 bytes   +20 u32 uops
//
// A bit for each byte, since firmware keeps a variable or its stack a few bytes from code: a store that is near and
// misses costs one test.
import { CODE_CACHE, ENGINE_END, STATE_DEADLINE, UOP_LINK_32, UOP_OP_16, UOP_SIZE } from './generated/layout';
import { OP_RESYNC } from './generated/decoder';
import { forgetJumps } from './jump-cache';

const PAGES: usize = CODE_CACHE;
const BUCKET_COUNT: u32 = 0x1_0000;
const BUCKETS: usize = PAGES + (4 << 20);
const POOL: usize = BUCKETS + BUCKET_COUNT * 4;
const POOL_END: usize = ENGINE_END;

const PAGE_DECODED: usize = 256;
const PAGE_BLOCKS: usize = 768;
const PAGE_RECORD: usize = 800;
const CHUNK_SHIFT: usize = 6;
/** No block was decoded from more bytes: 32 instructions of 15. */
const MOST_BYTES: usize = 512;

const BLOCK_ADDRESS: usize = 0;
const BLOCK_MODE: usize = 4;
const BLOCK_CHAIN: usize = 8;
const BLOCK_SIBLING: usize = 12;
const BLOCK_BYTES: usize = 16;
const BLOCK_UOPS: usize = 20;
const HEADER: usize = 32;

let free: usize = POOL;
/** The uop that is being executed, while it does something that may drop code. */
let executing: usize = 0;
/** A dropped uop that is still being executed: it becomes a RESYNC when it has finished. */
let spared: usize = 0;
/** Changes whenever everything is dropped: an address of a uop taken before is worth nothing. */
export let generation: u32 = 0;

// @ts-ignore: decorator
@inline function bucket(address: usize, mode: u32): usize {
  const hash = (<u32>address ^ (mode << 20)) * 0x9e37_79b1;
  return BUCKETS + ((hash >> 16) << 2);
}

/** The first uop of the block that starts at `address` in this mode, or 0. */
export function findBlock(address: usize, mode: u32): usize {
  let block: usize = load<u32>(bucket(address, mode));
  while (block != 0) {
    if (<usize>load<u32>(block, BLOCK_ADDRESS) == address && load<u32>(block, BLOCK_MODE) == mode) return block + HEADER;
    block = load<u32>(block, BLOCK_CHAIN);
  }
  return 0;
}

/** Bytes that the block of this first uop was decoded from. */
// @ts-ignore: decorator
@inline export function blockBytes(first: usize): u32 {
  return load<u32>(first - HEADER, BLOCK_BYTES);
}

/** Room for a block of at most `uops`; its first uop. May drop everything. */
export function openBlock(uops: u32): usize {
  // A page record may be due as well.
  if (free + PAGE_RECORD + HEADER + uops * UOP_SIZE > POOL_END) dropAll();
  return free + HEADER;
}

/** Enters the block that was written to where `openBlock` said. */
export function closeBlock(address: usize, mode: u32, bytes: u32, uops: u32): void {
  const block = free;
  free += HEADER + uops * UOP_SIZE;
  const head = bucket(address, mode);
  const record = pageRecord(address);
  const sibling = firstOfChunk(record, offsetOf(address) >> CHUNK_SHIFT);
  store<u32>(block, <u32>address, BLOCK_ADDRESS);
  store<u32>(block, mode, BLOCK_MODE);
  store<u32>(block, load<u32>(head), BLOCK_CHAIN);
  store<u32>(block, load<u32>(sibling), BLOCK_SIBLING);
  store<u32>(block, bytes, BLOCK_BYTES);
  store<u32>(block, uops, BLOCK_UOPS);
  store<u32>(head, <u32>block);
  store<u32>(sibling, <u32>block);
  store<u32>(record, load<u32>(record, PAGE_BLOCKS) + 1, PAGE_BLOCKS);
  mark(record, offsetOf(address), bytes, true);
}

// @ts-ignore: decorator
@inline function offsetOf(address: usize): usize {
  return address & 0xfff;
}

// @ts-ignore: decorator
@inline function firstOfChunk(record: usize, chunk: usize): usize {
  return record + (chunk << 2);
}

function pageRecord(address: usize): usize {
  const slot = PAGES + ((address >> 12) << 2);
  const known: usize = load<u32>(slot);
  if (known != 0) return known;
  const record = free;
  free += PAGE_RECORD;
  store<u32>(slot, <u32>record);
  memory.fill(record, 0, PAGE_RECORD);
  return record;
}

/** Notes of `bytes` bytes of a page that they have been decoded, or that they have not. */
function mark(record: usize, offset: usize, bytes: usize, decoded: bool): void {
  const end = offset + bytes;
  while (offset < end) {
    const word = record + PAGE_DECODED + ((offset >> 6) << 3);
    const bit = offset & 63;
    const count = min<usize>(64 - bit, end - offset);
    const bits = (<u64>-1 >> <u64>(64 - count)) << <u64>bit;
    store<u64>(word, decoded ? load<u64>(word) | bits : load<u64>(word) & ~bits);
    offset += count;
  }
}

/** Whether anything was decoded from `size` bytes of a page, 8 at most. */
// @ts-ignore: decorator
@inline function isDecoded(record: usize, offset: usize, size: u32): bool {
  const bits: u32 = load<u16>(record + (offset >> 3), PAGE_DECODED);
  return ((bits >> (<u32>offset & 7)) & ((1 << size) - 1)) != 0;
}

/**
 * The guest stores `size` bytes at arena address `address`, all in one page, whose only flag against it is CODE. Called
 * by the slow path of a store instead of the host's `before_write`, just before the store: what was decoded from these
 * bytes is dropped, the page stays flagged. Firmware mixes code, data and stack in one page all the time. False:
 * nothing is decoded from the page any more, so that it may as well lose its flag.
 */
export function codeStored(address: usize, size: u32): bool {
  const record: usize = load<u32>(PAGES + ((address >> 12) << 2));
  if (record == 0 || load<u32>(record, PAGE_BLOCKS) == 0) return false;
  if (isDecoded(record, offsetOf(address), size)) dropRange(record, address, address + size);
  return true;
}

/** Drops the blocks of a page that overlap [start, end). */
function dropRange(record: usize, start: usize, end: usize): void {
  let low = end;
  let high = start;
  const last = offsetOf(end - 1) >> CHUNK_SHIFT;
  for (let chunk = firstChunk(start); chunk <= last; chunk++) {
    let link = firstOfChunk(record, chunk);
    let block: usize = load<u32>(link);
    while (block != 0) {
      if (overlaps(block, start, end)) {
        low = min(low, <usize>load<u32>(block, BLOCK_ADDRESS));
        high = max(high, blockEnd(block));
        dropBlock(block);
        store<u32>(link, load<u32>(block, BLOCK_SIBLING));
        store<u32>(record, load<u32>(record, PAGE_BLOCKS) - 1, PAGE_BLOCKS);
      } else link = block + BLOCK_SIBLING;
      block = load<u32>(link);
    }
  }
  if (low < high) markAnew(record, low, high);
}

/** The first chunk of a page in which a block may begin that reaches `address`. */
// @ts-ignore: decorator
@inline function firstChunk(address: usize): usize {
  return (max(offsetOf(address), MOST_BYTES) - MOST_BYTES) >> CHUNK_SHIFT;
}

// @ts-ignore: decorator
@inline function blockEnd(block: usize): usize {
  return load<u32>(block, BLOCK_ADDRESS) + load<u32>(block, BLOCK_BYTES);
}

// @ts-ignore: decorator
@inline function overlaps(block: usize, start: usize, end: usize): bool {
  return <usize>load<u32>(block, BLOCK_ADDRESS) < end && start < blockEnd(block);
}

/** Blocks that covered [low, high) have been dropped: what others were decoded from remains marked. */
function markAnew(record: usize, low: usize, high: usize): void {
  mark(record, offsetOf(low), high - low, false);
  const last = offsetOf(high - 1) >> CHUNK_SHIFT;
  for (let chunk = firstChunk(low); chunk <= last; chunk++) {
    let block: usize = load<u32>(firstOfChunk(record, chunk));
    while (block != 0) {
      const address: usize = load<u32>(block, BLOCK_ADDRESS);
      if (overlaps(block, low, high)) mark(record, offsetOf(address), load<u32>(block, BLOCK_BYTES), true);
      block = load<u32>(block, BLOCK_SIBLING);
    }
  }
}

/**
 * Takes a block out of its chain and makes each of its uops one that looks everything up again: it may be executing
 * now, and others link to it.
 */
function dropBlock(block: usize): void {
  let link = bucket(load<u32>(block, BLOCK_ADDRESS), load<u32>(block, BLOCK_MODE));
  while (<usize>load<u32>(link) != block) link = <usize>load<u32>(link) + BLOCK_CHAIN;
  store<u32>(link, load<u32>(block, BLOCK_CHAIN));
  const count = load<u32>(block, BLOCK_UOPS);
  for (let index: u32 = 0; index < count; index++) {
    const u = block + HEADER + index * UOP_SIZE;
    if (u == executing) spared = u;
    else store<u16>(u, <u16>OP_RESYNC, UOP_OP_16);
    // Without a link, a branch comes to `leave`, which calls `finishDropping`.
    store<u32>(u, 0, UOP_LINK_32);
  }
}

// @ts-ignore: decorator
@inline export function setExecuting(u: usize): void {
  executing = u;
}

/** Whether the uop being executed has been dropped, and is still to become a RESYNC. */
// @ts-ignore: decorator
@inline export function isSparing(): bool {
  return spared != 0;
}

/** Drops what had to be spared, now that it has been executed. */
export function finishDropping(): void {
  if (spared != 0) store<u16>(spared, <u16>OP_RESYNC, UOP_OP_16);
  spared = 0;
}

/** Drops what was decoded from the page at arena address `page`. */
export function dropPage(page: usize): void {
  const start = page & ~0xfff;
  const record: usize = load<u32>(PAGES + ((start >> 12) << 2));
  if (record != 0 && load<u32>(record, PAGE_BLOCKS) != 0) dropRange(record, start, start + 0x1000);
}

/** Page numbers and chains start empty. */
export function initializeCodeCache(): void {
  dropAll();
}

/** Drops everything. Nothing may be executing. */
export function dropAll(): void {
  memory.fill(PAGES, 0, POOL - PAGES);
  free = POOL;
  generation++;
  forgetJumps();
  store<u64>(STATE_DEADLINE, 0);
}
