import { assert } from '../base/assert.ts';
import { PAGE_SIZE } from '../base/units.ts';
import type { MappingRecord } from './mapping.ts';
import type { Extent, Store } from './store.ts';

/** Guest-physical bytes under one leaf, pages in it, bytes of its table. */
const LEAF_SPAN = 2 ** 21;
const LEAF_PAGES = 512;
const LEAF_BYTES = LEAF_PAGES * 8;

/** The directory reaches this far; addresses above it have leaves too, but only JavaScript finds them. */
const DIRECTORY_BITS = 40;

const NO_PAGES: (MappingRecord | undefined)[] = Array.from({ length: LEAF_PAGES }, () => undefined);

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

/**
 * The map as the data path wants it: per page, where its bytes are and one word of flags. Derived from the mappings, and
 * kept up with each edit at a cost of the pages that the edit moves.
 *
 *     directory  one u32 per 2 MiB below 2^40: store address of a leaf, or 0
 *     leaf       512 times two u32: store address of the page, flags
 *
 * Both lie in the store, so an engine in WebAssembly reads them itself. Beside them JavaScript keeps, per page, the
 * mapping: three dependent loads and no search, however many mappings there are.
 */
export class FlatView implements Disposable {
  readonly #store: Store;
  readonly #directory: Extent;
  readonly #words: Uint32Array;
  /** Leaves by 2 MiB index, as long as the highest index in use asks for. */
  readonly #leaves: (Leaf | undefined)[] = [];
  /** Leaves of indexes that the directory has no word for. */
  readonly #sparse: Map<number, Leaf> = new Map();
  /** Leaves without a place. They are kept for the next move, at most as many as were once in use. */
  readonly #pool: Leaf[] = [];

  /** Throws MemoryError ENOMEM when the store has no room for the directory. */
  constructor(store: Store, addressBits: number) {
    this.#store = store;
    this.#directory = store.allocateTable(4 * 2 ** (Math.min(addressBits, DIRECTORY_BITS) - 21));
    this.#words = words(this.#directory);
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
    const index = Math.floor(gpa / LEAF_SPAN);
    const leaf = index < this.#leaves.length ? this.#leaves[index] : this.#sparse.get(index);
    if (leaf === undefined) return undefined;
    // `>>>` takes the low 32 bits of any address below 2^53, which hold the page's index in its leaf.
    return leaf.whole ?? leaf.pages[(gpa >>> 12) & 511];
  }

  /** The flag word at an address; 0 where nothing is mapped. */
  flagsAt(gpa: number): number {
    return this.#leaf(Math.floor(gpa / LEAF_SPAN))?.words[((gpa >>> 12) & 511) * 2 + 1] ?? 0;
  }

  /** Store address of the byte at an address; 0 where nothing is mapped. */
  addressAt(gpa: number): number {
    if (this.flagsAt(gpa) === 0) return 0;
    const page = this.#leaf(Math.floor(gpa / LEAF_SPAN))?.words[((gpa >>> 12) & 511) * 2] ?? 0;
    return page + (gpa % PAGE_SIZE);
  }

  /** Makes sure that `place` of all of these cannot fail. They ascend. Throws MemoryError ENOMEM. */
  reserve(mappings: readonly MappingRecord[]): void {
    let missing = 0;
    let counted = -1;
    for (const mapping of mappings) {
      const last = lastLeaf(mapping);
      for (let index = Math.max(firstLeaf(mapping), counted + 1); index <= last; index++) {
        if (this.#leaf(index) === undefined) missing++;
      }
      counted = last;
    }
    while (this.#pool.length < missing) this.#pool.push(newLeaf(this.#store));
  }

  /** Shows a mapping where nothing is. */
  place(mapping: MappingRecord): void {
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) {
      const leaf = this.#leaf(index) ?? this.#newLeafAt(index);
      const start = Math.max(0, (mapping.gpa - index * LEAF_SPAN) / PAGE_SIZE);
      const end = Math.min(LEAF_PAGES, (mapping.end - index * LEAF_SPAN) / PAGE_SIZE);
      fillMapping(leaf, mapping, start, end);
      fillWords(leaf, mapping, start, end, index);
    }
  }

  remove(mapping: MappingRecord): void {
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) {
      const leaf = this.#leaf(index);
      assert(leaf !== undefined, 'a mapping has no leaf');
      const start = Math.max(0, (mapping.gpa - index * LEAF_SPAN) / PAGE_SIZE);
      const end = Math.min(LEAF_PAGES, (mapping.end - index * LEAF_SPAN) / PAGE_SIZE);
      clear(leaf, start, end);
      if (leaf.used === 0) this.#releaseLeaf(index, leaf);
    }
  }

  /** Writes the flag words of a mapping's pages anew, after its segment's page flags changed. */
  refresh(mapping: MappingRecord): void {
    const last = lastLeaf(mapping);
    for (let index = firstLeaf(mapping); index <= last; index++) {
      const leaf = this.#leaf(index);
      assert(leaf !== undefined, 'a mapping has no leaf');
      const start = Math.max(0, (mapping.gpa - index * LEAF_SPAN) / PAGE_SIZE);
      const end = Math.min(LEAF_PAGES, (mapping.end - index * LEAF_SPAN) / PAGE_SIZE);
      fillWords(leaf, mapping, start, end, index);
    }
  }

  /** Writes the flag word of one mapped page. */
  setFlags(gpa: number, flags: number): void {
    const leaf = this.#leaf(Math.floor(gpa / LEAF_SPAN));
    assert(leaf !== undefined, 'a mapped page has no leaf');
    leaf.words[((gpa >>> 12) & 511) * 2 + 1] = flags;
  }

  [Symbol.dispose](): void {
    for (const leaf of this.#leaves) if (leaf !== undefined) this.#store.free(leaf.table);
    for (const leaf of this.#sparse.values()) this.#store.free(leaf.table);
    for (const leaf of this.#pool) this.#store.free(leaf.table);
    this.#leaves.length = 0;
    this.#sparse.clear();
    this.#pool.length = 0;
    this.#store.free(this.#directory);
  }

  #leaf(index: number): Leaf | undefined {
    return index < this.#leaves.length ? this.#leaves[index] : this.#sparse.get(index);
  }

  #newLeafAt(index: number): Leaf {
    const leaf = this.#pool.pop() ?? newLeaf(this.#store);
    if (index >= this.#words.length) {
      this.#sparse.set(index, leaf);
      return leaf;
    }
    while (this.#leaves.length <= index) this.#leaves.push(undefined);
    this.#leaves[index] = leaf;
    this.#words[index] = leaf.table.address;
    return leaf;
  }

  #releaseLeaf(index: number, leaf: Leaf): void {
    this.#pool.push(leaf);
    if (index >= this.#words.length) {
      this.#sparse.delete(index);
      return;
    }
    this.#leaves[index] = undefined;
    this.#words[index] = 0;
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

function fillMapping(leaf: Leaf, mapping: MappingRecord, start: number, end: number): void {
  leaf.used += end - start;
  if (end - start === LEAF_PAGES) {
    leaf.whole = mapping;
    return;
  }
  if (leaf.pages === NO_PAGES) leaf.pages = NO_PAGES.slice();
  leaf.pages.fill(mapping, start, end);
}

function fillWords(leaf: Leaf, mapping: MappingRecord, start: number, end: number, index: number): void {
  const { flags, segment } = mapping;
  const { words } = leaf;
  const { pageFlags } = segment;
  const offset = mapping.offset + index * LEAF_SPAN - mapping.gpa;
  for (let page = start; page < end; page++) {
    const pageOffset = offset + page * PAGE_SIZE;
    words[page * 2] = segment.address + pageOffset;
    words[page * 2 + 1] = pageFlags === undefined ? flags : flags | (pageFlags[pageOffset / PAGE_SIZE] as number);
  }
}

function clear(leaf: Leaf, start: number, end: number): void {
  leaf.used -= end - start;
  leaf.whole = undefined;
  if (leaf.pages !== NO_PAGES) leaf.pages.fill(undefined, start, end);
  leaf.words.fill(0, start * 2, end * 2);
}
