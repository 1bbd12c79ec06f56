import { assert } from './assert.ts';

/** One range of an `IntervalMap`, half-open: `end` is the first number behind it. */
export interface Interval<Value> {
  readonly start: number;
  readonly end: number;
  readonly value: Value;
}

/**
 * Most entries of one node. 32 keeps a node's keys within a few cache lines, and a tree of 100,000 ranges four levels
 * high. From 16 to 128 the difference is within the noise of a busy machine.
 */
const FANOUT = 32;

/**
 * A node of the B+-tree. `starts[i]` is exactly the lowest start below `items[i]`, so that a search needs to look
 * into one child only.
 */
interface Leaf<Value> {
  readonly leaf: true;
  readonly starts: number[];
  readonly items: Interval<Value>[];
}

interface Branch<Value> {
  readonly leaf: false;
  readonly starts: number[];
  readonly items: Node<Value>[];
}

type Node<Value> = Leaf<Value> | Branch<Value>;

function emptyLeaf<Value>(): Node<Value> {
  return { leaf: true, starts: [], items: [] };
}

/** Index of the last start that is not above `address`, or -1. */
function floorIndex(starts: readonly number[], address: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function lowest<Value>(node: Node<Value>): Interval<Value> | undefined {
  let below = node;
  while (!below.leaf) below = below.items[0]!;
  return below.items[0];
}

/** The entry with the highest start that is not above `address`. */
function floor<Value>(root: Node<Value>, address: number): Interval<Value> | undefined {
  let node = root;
  while (!node.leaf) {
    const index = floorIndex(node.starts, address);
    if (index < 0) return undefined;
    node = node.items[index]!;
  }
  return node.items[floorIndex(node.starts, address)];
}

/** The entry with the lowest start that is not below `address`. */
function ceiling<Value>(node: Node<Value>, address: number): Interval<Value> | undefined {
  const index = floorIndex(node.starts, address);
  if (node.leaf) return node.starts[index] === address ? node.items[index] : node.items[index + 1];
  const found = index < 0 ? undefined : ceiling(node.items[index]!, address);
  const next = node.items[index + 1];
  return found ?? (next === undefined ? undefined : lowest(next));
}

/** Cuts the upper half off a node that has grown too large. */
function split<Value>(node: Node<Value>): Node<Value> | undefined {
  if (node.starts.length <= FANOUT) return undefined;
  const half = node.starts.length >>> 1;
  const starts = node.starts.splice(half);
  return node.leaf
    ? { leaf: true, starts, items: node.items.splice(half) }
    : { leaf: false, starts, items: node.items.splice(half) };
}

/** Adds below `node`; returns the new right neighbour that `node` had to split off, if any. */
function insertBelow<Value>(node: Node<Value>, entry: Interval<Value>): Node<Value> | undefined {
  const index = floorIndex(node.starts, entry.start);
  if (node.leaf) {
    node.starts.splice(index + 1, 0, entry.start);
    node.items.splice(index + 1, 0, entry);
    return split(node);
  }
  const at = Math.max(index, 0);
  const child = node.items[at]!;
  const sibling = insertBelow(child, entry);
  node.starts[at] = child.starts[0]!;
  if (sibling !== undefined) {
    node.starts.splice(at + 1, 0, sibling.starts[0]!);
    node.items.splice(at + 1, 0, sibling);
  }
  return split(node);
}

/** Joins child `index` with its right neighbour when both fit into three quarters of a node: room to grow stays. */
function joinWithNext<Value>(branch: Branch<Value>, index: number): void {
  const left = branch.items[index];
  const right = branch.items[index + 1];
  if (left === undefined || right === undefined) return;
  if (left.starts.length + right.starts.length > FANOUT * 0.75) return;
  left.starts.push(...right.starts);
  if (left.leaf && right.leaf) left.items.push(...right.items);
  if (!left.leaf && !right.leaf) left.items.push(...right.items);
  branch.starts.splice(index + 1, 1);
  branch.items.splice(index + 1, 1);
}

/** Removes the entry that starts at `start` below `node`; it is known to be there. */
function removeBelow<Value>(node: Node<Value>, start: number): void {
  const index = floorIndex(node.starts, start);
  if (node.leaf) {
    node.starts.splice(index, 1);
    node.items.splice(index, 1);
    return;
  }
  const child = node.items[index]!;
  removeBelow(child, start);
  if (child.starts.length === 0) {
    node.starts.splice(index, 1);
    node.items.splice(index, 1);
    return;
  }
  node.starts[index] = child.starts[0]!;
  joinWithNext(node, index);
  if (index > 0) joinWithNext(node, index - 1);
}

/**
 * Disjoint half-open ranges of numbers, in order, each with a value: mappings by address, windows of a bus, I/O
 * ports, registers of a device. A B+-tree: finding, inserting and removing take O(log n).
 */
export class IntervalMap<Value> {
  #root: Node<Value> = emptyLeaf();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds `[start, start + length)`. When a range is in the way, nothing changes and the lowest such is returned. */
  insert(start: number, length: number, value: Value): Interval<Value> | undefined {
    const end = start + length;
    assert(length > 0 && Number.isSafeInteger(start) && Number.isSafeInteger(end), 'a range must hold an integer');
    const inTheWay = this.firstOverlapping(start, length);
    if (inTheWay !== undefined) return inTheWay;
    const sibling = insertBelow(this.#root, { start, end, value });
    if (sibling !== undefined) this.#grow(sibling);
    this.#size++;
    return undefined;
  }

  /** Removes the range that starts exactly at `start` and returns it. */
  remove(start: number): Interval<Value> | undefined {
    const entry = floor(this.#root, start);
    if (entry?.start !== start) return undefined;
    removeBelow(this.#root, start);
    this.#shrink();
    this.#size--;
    return entry;
  }

  clear(): void {
    this.#root = emptyLeaf();
    this.#size = 0;
  }

  /** The range that contains `address`. */
  at(address: number): Interval<Value> | undefined {
    const entry = floor(this.#root, address);
    return entry !== undefined && address < entry.end ? entry : undefined;
  }

  /** The first range that starts at `address` or above it. */
  from(address: number): Interval<Value> | undefined {
    return ceiling(this.#root, address);
  }

  /** The lowest range that has a number in common with `[start, start + length)`. */
  firstOverlapping(start: number, length: number): Interval<Value> | undefined {
    const entry = this.at(start) ?? this.from(start);
    return entry !== undefined && entry.start < start + length ? entry : undefined;
  }

  /** Every range that has a number in common with `[start, start + length)`, ascending; see the iterator. */
  *overlapping(start: number, length: number): Generator<Interval<Value>, void, void> {
    const end = start + length;
    let entry = this.firstOverlapping(start, length);
    while (entry !== undefined && entry.start < end) {
      yield entry;
      entry = this.from(entry.end);
    }
  }

  /**
   * All ranges, ascending. The map may change between steps: the walk goes on behind the range it gave last, so that
   * it neither repeats one nor runs for ever.
   */
  *[Symbol.iterator](): Generator<Interval<Value>, void, void> {
    let entry = lowest(this.#root);
    while (entry !== undefined) {
      yield entry;
      entry = this.from(entry.end);
    }
  }

  #grow(sibling: Node<Value>): void {
    const left = this.#root;
    this.#root = { leaf: false, starts: [left.starts[0]!, sibling.starts[0]!], items: [left, sibling] };
  }

  #shrink(): void {
    while (!this.#root.leaf && this.#root.items.length === 1) this.#root = this.#root.items[0]!;
    if (this.#root.items.length === 0) this.#root = emptyLeaf();
  }
}
