// Decoded code. Blocks are found by the arena address of their first byte and the mode, chained in a hash table, and
// listed by the page they lie in, so that a store to the page finds what it makes wrong.
//
//     CODE_CACHE   pages   u32 for each page of the arena: its record, or 0
//     BUCKETS      heads of the hash chains, u32
//     POOL         page records and blocks, taken in order and never freed; when it is full everything is dropped
//
//     page record (32 bytes)   +0 u32 first block   +8 u64 bit i: bytes 64*i to 64*i+63 have been decoded
//     block                    a header of 32 bytes, then its uops
//       +0 u32 address   +4 u32 mode   +8 u32 next in chain   +12 u32 next of the page   +16 u32 bytes   +20 u32 uops
import { CODE_CACHE, ENGINE_END, STATE_DEADLINE, UOP_LINK_32, UOP_OP_16, UOP_SIZE } from './generated/layout';
import { OP_RESYNC } from './generated/decoder';
import { forgetJumps } from './jump-cache';

const PAGES: usize = CODE_CACHE;
const BUCKET_COUNT: u32 = 0x1_0000;
const BUCKETS: usize = PAGES + (4 << 20);
const POOL: usize = BUCKETS + BUCKET_COUNT * 4;
const POOL_END: usize = ENGINE_END;

const PAGE_BLOCKS: usize = 0;
const PAGE_CHUNKS: usize = 8;
const CHUNK_SHIFT: u32 = 6;

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
  if (free + 2 * HEADER + uops * UOP_SIZE > POOL_END) dropAll();
  return free + HEADER;
}

/** Enters the block that was written to where `openBlock` said. */
export function closeBlock(address: usize, mode: u32, bytes: u32, uops: u32): void {
  const block = free;
  free += HEADER + uops * UOP_SIZE;
  const head = bucket(address, mode);
  const record = pageRecord(address);
  store<u32>(block, <u32>address, BLOCK_ADDRESS);
  store<u32>(block, mode, BLOCK_MODE);
  store<u32>(block, load<u32>(head), BLOCK_CHAIN);
  store<u32>(block, load<u32>(record, PAGE_BLOCKS), BLOCK_SIBLING);
  store<u32>(block, bytes, BLOCK_BYTES);
  store<u32>(block, uops, BLOCK_UOPS);
  store<u32>(head, <u32>block);
  store<u32>(record, <u32>block, PAGE_BLOCKS);
  store<u64>(record, load<u64>(record, PAGE_CHUNKS) | chunks(address, bytes), PAGE_CHUNKS);
}

function pageRecord(address: usize): usize {
  const slot = PAGES + ((address >> 12) << 2);
  const known: usize = load<u32>(slot);
  if (known != 0) return known;
  const record = free;
  free += 32;
  store<u32>(slot, <u32>record);
  store<u64>(record, 0, PAGE_BLOCKS);
  store<u64>(record, 0, PAGE_CHUNKS);
  return record;
}

/** The chunks of a page that `bytes` bytes from `address` lie in. */
function chunks(address: usize, bytes: u32): u64 {
  const first = (<u32>address & 0xfff) >> CHUNK_SHIFT;
  const last = min<u32>((<u32>address & 0xfff) + max<u32>(bytes, 1) - 1, 0xfff) >> CHUNK_SHIFT;
  return (<u64>-1 >> (63 - <u64>(last - first))) << <u64>first;
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
  if ((load<u64>(record, PAGE_CHUNKS) & chunks(address, size)) != 0) dropRange(record, address, address + size);
  return true;
}

/** Drops the blocks of a page that overlap [start, end). */
function dropRange(record: usize, start: usize, end: usize): void {
  let kept: u64 = 0;
  let link = record + PAGE_BLOCKS;
  let block: usize = load<u32>(link);
  while (block != 0) {
    const address: usize = load<u32>(block, BLOCK_ADDRESS);
    const bytes = load<u32>(block, BLOCK_BYTES);
    const next: usize = load<u32>(block, BLOCK_SIBLING);
    if (address < end && start < address + bytes) {
      dropBlock(block);
      store<u32>(link, <u32>next);
    } else {
      kept |= chunks(address, bytes);
      link = block + BLOCK_SIBLING;
    }
    block = next;
  }
  store<u64>(record, kept, PAGE_CHUNKS);
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
  if (record != 0) dropRange(record, start, start + 0x1000);
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
