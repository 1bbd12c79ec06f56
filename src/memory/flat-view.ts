import { assert } from '../base/assert.ts';
import { PAGE_SHIFT, PAGE_SIZE } from '../base/units.ts';
import type { MappingRecord } from './mapping.ts';
import type { Extent, Store } from './store.ts';

/** Guest-physical bytes under one leaf, pages in it, bytes of its table. */
const LEAF_BITS = 21;
const LEAF_SPAN = 2 ** LEAF_BITS;
const LEAF_PAGES = 512;
const LEAF_BYTES = LEAF_PAGES * 8;

/** The directory reaches this far; addresses above it have leaves too, but only JavaScript finds them. */
const DIRECTORY_BITS = 40;

type Pages = (MappingRecord | undefined)[];

/** The table that engines read for 2 MiB of guest-physical space. */
interface Leaf {
  /** Mapped pages. At 0 the leaf goes back to the pool. */
  used: number;
  /** What its chunk shows as `pages` while no single mapping covers it; made when that first happens. */
  pages: Pages;
  readonly table: Extent;
  /** Two words per page: store address, flags. */
  readonly words: Uint32Array;
}

/** 2 GiB of guest-physical space; each array has an element per leaf. A look-up touches the first two and no more. */
interface Chunk {
  /** The one mapping that covers all of the leaf; otherwise `pages` has the answer. */
  readonly whole: (MappingRecord | undefined)[];
  readonly pages: Pages[];
  readonly leaves: (Leaf | undefined)[];
  /** Leaves in it. */
  used: number;
}

const CHUNK_LEAVES = 1024;
const CHUNK_SPAN = CHUNK_LEAVES * LEAF_SPAN;

/** What all places share that show nothing. */
const NO_PAGES: Pages = filled(LEAF_PAGES, undefined);
const NO_CHUNK: Chunk = newChunk();

/**
 * The map as the data path wants it: per page, where its bytes are and one word of flags. Derived from the mappings,
 * and kept up with each edit at a cost of the pages that the edit moves.
 *
 *     directory  one u32 per 2 MiB below 2^40: store address of a leaf, or 0
 *     leaf       512 times two u32: store address of the page, flags
 *
 * Both lie in the store, so an engine in WebAssembly reads them itself. Beside them JavaScript keeps, per page, the
 * mapping: a few dependent loads and no search, however many mappings there are.
 */
export class FlatView implements Disposable {
  readonly #store: Store;
  readonly #directory: Extent;
  readonly #words: Uint32Array;
  /** Chunks below 2^40. */
  readonly #chunks: Chunk[];
  /** Chunks above, as long as they are in use: a guest may try very many places. */
  readonly #sparse: Map<number, Chunk> = new Map();
  /** Leaves without a place. They are kept for the next move, at most as many as were once in use. */
  readonly #pool: Leaf[] = [];
  #removals = 0;

  /** Throws MemoryError ENOMEM when the store has no room for the directory. */
  constructor(store: Store, addressBits: number) {
    this.#store = store;
    const reach = 2 ** Math.min(addressBits, DIRECTORY_BITS);
    this.#directory = store.allocateTable((4 * reach) / LEAF_SPAN);
    this.#words = words(this.#directory);
    this.#chunks = filled(reach / CHUNK_SPAN, NO_CHUNK);
  }

  /** How many mappings have been removed. */
  get removals(): number {
    return this.#removals;
  }

  /** Store address of the directory. */
  get address(): number {
    return this.#directory.address;
  }

  /** Words of the directory. */
  get length(): number {
    return this.#words.length;
  }

  /** The mapping at an address. The hottest question of all: it neither allocates nor searches. */
  mappingAt(gpa: number): MappingRecord | undefined {
    const chunk = this.#chunkAt(gpa);
    const leaf = leafInChunk(gpa);
    return chunk.whole[leaf] ?? chunk.pages[leaf]![pageInLeaf(gpa)];
  }

  /** The flag word at an address; 0 where nothing is mapped. */
  flagsAt(gpa: number): number {
    return this.#leafAt(gpa)?.words[pageInLeaf(gpa) * 2 + 1] ?? 0;
  }

  /** Store address of the byte at an address; 0 where nothing is mapped. */
  addressAt(gpa: number): number {
    const page = this.#leafAt(gpa)?.words[pageInLeaf(gpa) * 2] ?? 0;
    return page === 0 ? 0 : page + (gpa % PAGE_SIZE);
  }

  /** Makes sure that `place` of these, which ascend, cannot fail. Throws MemoryError ENOMEM, and has taken nothing. */
  reserve(mappings: readonly MappingRecord[]): void {
    const missing = this.#missingLeaves(mappings);
    const before = this.#pool.length;
    try {
      while (this.#pool.length < missing) this.#pool.push(newLeaf(this.#store));
    } catch (error) {
      for (const leaf of this.#pool.splice(before)) this.#store.free(leaf.table);
      throw error;
    }
  }

  /** Shows a mapping where nothing is. `reserve` has made room. */
  place(mapping: MappingRecord): void {
    for (let start: number = mapping.gpa; start < mapping.end; start = endInLeaf(start, mapping)) {
      const leaf = this.#leafAt(start) ?? this.#takeLeaf(start);
      leaf.used += (endInLeaf(start, mapping) - start) / PAGE_SIZE;
      fillPages(this.#chunkAt(start), leaf, start, endInLeaf(start, mapping), mapping);
      fillWords(leaf, mapping, start);
    }
  }

  remove(mapping: MappingRecord): void {
    this.#removals++;
    for (let start: number = mapping.gpa; start < mapping.end; start = endInLeaf(start, mapping)) {
      const leaf = this.#knownLeafAt(start);
      const pages = (endInLeaf(start, mapping) - start) / PAGE_SIZE;
      leaf.used -= pages;
      fillPages(this.#chunkAt(start), leaf, start, endInLeaf(start, mapping), undefined);
      leaf.words.fill(0, pageInLeaf(start) * 2, (pageInLeaf(start) + pages) * 2);
      if (leaf.used === 0) this.#returnLeaf(start, leaf);
    }
  }

  /** Writes the flag words of a mapping's pages anew, after its segment's page flags changed. */
  refresh(mapping: MappingRecord): void {
    for (let start: number = mapping.gpa; start < mapping.end; start = endInLeaf(start, mapping)) {
      fillWords(this.#knownLeafAt(start), mapping, start);
    }
  }

  /** Writes the flag word of one mapped page. */
  setFlags(gpa: number, flags: number): void {
    this.#knownLeafAt(gpa).words[pageInLeaf(gpa) * 2 + 1] = flags;
  }

  [Symbol.dispose](): void {
    const chunks = [...this.#chunks.filter((chunk) => chunk !== NO_CHUNK), ...this.#sparse.values()];
    for (const leaf of [...chunks.flatMap((chunk) => chunk.leaves), ...this.#pool]) {
      if (leaf !== undefined) this.#store.free(leaf.table);
    }
    this.#chunks.fill(NO_CHUNK);
    this.#sparse.clear();
    this.#pool.length = 0;
    this.#store.free(this.#directory);
  }

  #chunkAt(gpa: number): Chunk {
    const index = Math.floor(gpa / CHUNK_SPAN);
    return (index < this.#chunks.length ? this.#chunks[index] : this.#sparse.get(index)) ?? NO_CHUNK;
  }

  #leafAt(gpa: number): Leaf | undefined {
    return this.#chunkAt(gpa).leaves[leafInChunk(gpa)];
  }

  #knownLeafAt(gpa: number): Leaf {
    const leaf = this.#leafAt(gpa);
    assert(leaf !== undefined, 'a mapped page has no leaf');
    return leaf;
  }

  #missingLeaves(mappings: readonly MappingRecord[]): number {
    let missing = 0;
    let counted = -1;
    for (const mapping of mappings) {
      for (let start: number = mapping.gpa; start < mapping.end; start = endInLeaf(start, mapping)) {
        const index = Math.floor(start / LEAF_SPAN);
        if (index > counted && this.#leafAt(start) === undefined) missing++;
        counted = index;
      }
    }
    return missing;
  }

  #takeLeaf(gpa: number): Leaf {
    const leaf = this.#pool.pop();
    assert(leaf !== undefined, 'the flat view was not reserved');
    const chunk = this.#ownChunkAt(gpa);
    chunk.used++;
    this.#setLeaf(chunk, gpa, leaf);
    return leaf;
  }

  #returnLeaf(gpa: number, leaf: Leaf): void {
    const chunk = this.#chunkAt(gpa);
    chunk.pages[leafInChunk(gpa)] = NO_PAGES;
    this.#setLeaf(chunk, gpa, undefined);
    this.#pool.push(leaf);
    if (--chunk.used === 0) this.#sparse.delete(Math.floor(gpa / CHUNK_SPAN));
  }

  #setLeaf(chunk: Chunk, gpa: number, leaf: Leaf | undefined): void {
    chunk.leaves[leafInChunk(gpa)] = leaf;
    const index = Math.floor(gpa / LEAF_SPAN);
    if (index < this.#words.length) this.#words[index] = leaf?.table.address ?? 0;
  }

  #ownChunkAt(gpa: number): Chunk {
    const chunk = this.#chunkAt(gpa);
    if (chunk !== NO_CHUNK) return chunk;
    const own = newChunk();
    const index = Math.floor(gpa / CHUNK_SPAN);
    if (index < this.#chunks.length) this.#chunks[index] = own;
    else this.#sparse.set(index, own);
    return own;
  }
}

function filled<T>(length: number, value: T): T[] {
  return Array.from({ length }, () => value);
}

function newChunk(): Chunk {
  return {
    whole: filled(CHUNK_LEAVES, undefined),
    pages: filled(CHUNK_LEAVES, NO_PAGES),
    leaves: filled(CHUNK_LEAVES, undefined),
    used: 0,
  };
}

function words(extent: Extent): Uint32Array {
  return new Uint32Array(extent.bytes.buffer, extent.bytes.byteOffset, extent.bytes.length / 4);
}

function newLeaf(store: Store): Leaf {
  const table = store.allocateTable(LEAF_BYTES);
  return { used: 0, pages: NO_PAGES, table, words: words(table) };
}

/** `>>>` takes the low 32 bits of any number below 2^53; all that these ask for is among them. */
function leafInChunk(gpa: number): number {
  return (gpa >>> LEAF_BITS) & (CHUNK_LEAVES - 1);
}

function pageInLeaf(gpa: number): number {
  return (gpa >>> PAGE_SHIFT) & (LEAF_PAGES - 1);
}

/** Where the piece of a mapping that begins at `start` ends: with the leaf, or with the mapping. */
function endInLeaf(start: number, mapping: MappingRecord): number {
  return Math.min(mapping.end, (Math.floor(start / LEAF_SPAN) + 1) * LEAF_SPAN);
}

/** Writes who shows these pages of one leaf; `undefined` takes back what the same mapping wrote. */
function fillPages(chunk: Chunk, leaf: Leaf, start: number, end: number, mapping: MappingRecord | undefined): void {
  const index = leafInChunk(start);
  if (end - start === LEAF_SPAN) {
    chunk.whole[index] = mapping;
    return;
  }
  if (leaf.pages === NO_PAGES) leaf.pages = NO_PAGES.slice();
  chunk.pages[index] = leaf.pages;
  const first = pageInLeaf(start);
  leaf.pages.fill(mapping, first, first + (end - start) / PAGE_SIZE);
}

function fillWords(leaf: Leaf, mapping: MappingRecord, start: number): void {
  const { flags, segment } = mapping;
  const { pageFlags } = segment;
  const end = endInLeaf(start, mapping);
  let offset = mapping.offset + start - mapping.gpa;
  let word = pageInLeaf(start) * 2;
  for (let gpa = start; gpa < end; gpa += PAGE_SIZE) {
    leaf.words[word++] = segment.address + offset;
    leaf.words[word++] = pageFlags === undefined ? flags : flags | pageFlags[offset / PAGE_SIZE]!;
    offset += PAGE_SIZE;
  }
}
