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

const NO_PAGES: (MappingRecord | undefined)[] = Array.from({ length: LEAF_PAGES }, () => undefined);

/** Leaves that one chunk of the JavaScript directory holds: 2 GiB of guest-physical space. */
const CHUNK_BITS = 10;
const CHUNK_LEAVES = 2 ** CHUNK_BITS;

/** 2 MiB of guest-physical space. */
interface Leaf {
  /** The one mapping that covers all of it; otherwise `pages` has the answer. */
  whole: MappingRecord | undefined;
  pages: (MappingRecord | undefined)[];
  /** Mapped pages. At 0 the leaf goes back to the pool. */
  used: number;
  readonly table: Extent;
  /** Two words per page: store address, flags. */
  readonly words: Uint32Array;
}

const NO_LEAVES: (Leaf | undefined)[] = Array.from({ length: CHUNK_LEAVES }, () => undefined);

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
  /** Leaves below 2^40 in chunks, so that a lone mapping far up costs one chunk. An empty chunk is `NO_LEAVES`. */
  readonly #chunks: (Leaf | undefined)[][];
  /** Leaves above, by index. */
  readonly #sparse: Map<number, Leaf> = new Map();
  /** Leaves without a place. They are kept for the next move, at most as many as were once in use. */
  readonly #pool: Leaf[] = [];

  /** Throws MemoryError ENOMEM when the store has no room for the directory. */
  constructor(store: Store, addressBits: number) {
    this.#store = store;
    this.#directory = store.allocateTable(4 * 2 ** (Math.min(addressBits, DIRECTORY_BITS) - LEAF_BITS));
    this.#words = words(this.#directory);
    this.#chunks = Array.from({ length: this.#words.length >>> CHUNK_BITS }, () => NO_LEAVES);
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
    const leaf = this.#leaf(Math.floor(gpa / LEAF_SPAN));
    return leaf === undefined ? undefined : (leaf.whole ?? leaf.pages[pageInLeaf(gpa)]);
  }

  /** The flag word at an address; 0 where nothing is mapped. */
  flagsAt(gpa: number): number {
    return this.#leaf(Math.floor(gpa / LEAF_SPAN))?.words[pageInLeaf(gpa) * 2 + 1] ?? 0;
  }

  /** Store address of the byte at an address; 0 where nothing is mapped. */
  addressAt(gpa: number): number {
    const page = this.#leaf(Math.floor(gpa / LEAF_SPAN))?.words[pageInLeaf(gpa) * 2] ?? 0;
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
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) {
      const leaf = this.#leaf(index) ?? this.#takeLeaf(index);
      fillMapping(leaf, mapping, startIn(index, mapping), endIn(index, mapping));
      fillWords(leaf, mapping, index);
    }
  }

  remove(mapping: MappingRecord): void {
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) {
      const leaf = this.#knownLeaf(index);
      clear(leaf, startIn(index, mapping), endIn(index, mapping));
      if (leaf.used === 0) this.#returnLeaf(index, leaf);
    }
  }

  /** Writes the flag words of a mapping's pages anew, after its segment's page flags changed. */
  refresh(mapping: MappingRecord): void {
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) fillWords(this.#knownLeaf(index), mapping, index);
  }

  /** Writes the flag word of one mapped page. */
  setFlags(gpa: number, flags: number): void {
    this.#knownLeaf(Math.floor(gpa / LEAF_SPAN)).words[pageInLeaf(gpa) * 2 + 1] = flags;
  }

  [Symbol.dispose](): void {
    const leaves = [...this.#chunks.flat(), ...this.#sparse.values(), ...this.#pool];
    for (const leaf of leaves) if (leaf !== undefined) this.#store.free(leaf.table);
    this.#chunks.fill(NO_LEAVES);
    this.#sparse.clear();
    this.#pool.length = 0;
    this.#store.free(this.#directory);
  }

  #leaf(index: number): Leaf | undefined {
    const chunk = this.#chunks[index >>> CHUNK_BITS];
    return index < this.#words.length && chunk !== undefined
      ? chunk[index & (CHUNK_LEAVES - 1)]
      : this.#sparse.get(index);
  }

  #knownLeaf(index: number): Leaf {
    const leaf = this.#leaf(index);
    assert(leaf !== undefined, 'a mapped page has no leaf');
    return leaf;
  }

  #missingLeaves(mappings: readonly MappingRecord[]): number {
    let missing = 0;
    let counted = -1;
    for (const mapping of mappings) {
      const last = lastLeaf(mapping);
      for (let index = Math.max(firstLeaf(mapping), counted + 1); index <= last; index++) {
        if (this.#leaf(index) === undefined) missing++;
      }
      counted = last;
    }
    return missing;
  }

  #takeLeaf(index: number): Leaf {
    const leaf = this.#pool.pop();
    assert(leaf !== undefined, 'the flat view was not reserved');
    this.#setLeaf(index, leaf);
    return leaf;
  }

  #returnLeaf(index: number, leaf: Leaf): void {
    this.#setLeaf(index, undefined);
    this.#pool.push(leaf);
  }

  #setLeaf(index: number, leaf: Leaf | undefined): void {
    if (index < this.#words.length) {
      const chunk = index >>> CHUNK_BITS;
      if (this.#chunks[chunk] === NO_LEAVES) this.#chunks[chunk] = NO_LEAVES.slice();
      this.#chunks[chunk]![index & (CHUNK_LEAVES - 1)] = leaf;
      this.#words[index] = leaf?.table.address ?? 0;
    } else if (leaf === undefined) this.#sparse.delete(index);
    else this.#sparse.set(index, leaf);
  }
}

function words(extent: Extent): Uint32Array {
  return new Uint32Array(extent.bytes.buffer, extent.bytes.byteOffset, extent.bytes.length / 4);
}

function newLeaf(store: Store): Leaf {
  const table = store.allocateTable(LEAF_BYTES);
  return { whole: undefined, pages: NO_PAGES, used: 0, table, words: words(table) };
}

function firstLeaf(mapping: MappingRecord): number {
  return Math.floor(mapping.gpa / LEAF_SPAN);
}

function lastLeaf(mapping: MappingRecord): number {
  return Math.floor((mapping.end - 1) / LEAF_SPAN);
}

/** `>>>` takes the low 32 bits of any number below 2^53; the page's index within its leaf is among them. */
function pageInLeaf(gpa: number): number {
  return (gpa >>> PAGE_SHIFT) & (LEAF_PAGES - 1);
}

/** The first page of leaf `index` that a mapping covers, and the first behind. */
function startIn(index: number, mapping: MappingRecord): number {
  return Math.max(0, (mapping.gpa - index * LEAF_SPAN) / PAGE_SIZE);
}

function endIn(index: number, mapping: MappingRecord): number {
  return Math.min(LEAF_PAGES, (mapping.end - index * LEAF_SPAN) / PAGE_SIZE);
}

function fillMapping(leaf: Leaf, mapping: MappingRecord, start: number, end: number): void {
  leaf.used += end - start;
  if (end - start === LEAF_PAGES) {
    leaf.whole = mapping;
    return;
  }
  if (leaf.pages === NO_PAGES) leaf.pages = NO_PAGES.slice();
  leaf.pages.fill(mapping, start, end);
}

function fillWords(leaf: Leaf, mapping: MappingRecord, index: number): void {
  const { flags, segment } = mapping;
  const { pageFlags } = segment;
  const offset = mapping.offset + index * LEAF_SPAN - mapping.gpa;
  const end = endIn(index, mapping);
  for (let page = startIn(index, mapping); page < end; page++) {
    const pageOffset = offset + page * PAGE_SIZE;
    leaf.words[page * 2] = segment.address + pageOffset;
    leaf.words[page * 2 + 1] = pageFlags === undefined ? flags : flags | pageFlags[pageOffset / PAGE_SIZE]!;
  }
}

function clear(leaf: Leaf, start: number, end: number): void {
  leaf.used -= end - start;
  leaf.whole = undefined;
  if (leaf.pages !== NO_PAGES) leaf.pages.fill(undefined, start, end);
  leaf.words.fill(0, start * 2, end * 2);
}
