import { assert } from '../base/assert.ts';
import { hex, hexRange } from '../base/hex.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { isExactRange, isPageAligned } from './address.ts';
import type { Gpa } from './address.ts';
import { MappingRecord } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { MemoryError } from './memory-error.ts';
import { isProt, PROTS } from './prot.ts';
import type { Prot } from './prot.ts';
import type { Segment, SegmentRecord } from './segment.ts';

/** Where to show which part of a segment. */
export interface MapRequest {
  readonly segment: Segment;
  readonly gpa: Gpa;
  /** Bytes from the segment's start; 0 when absent. */
  readonly offset?: number;
  /** Bytes; the rest of the segment when absent. */
  readonly length?: number;
  readonly prot: Prot;
  readonly wired?: boolean;
}

/** A mapping, or exactly its range. */
export type UnmapRequest = Mapping | { readonly gpa: Gpa; readonly length: number };

/** What the body of `GuestMemory.edit` works with. Good until the body returns. */
export interface Edit {
  map(request: MapRequest): Mapping;
  /** EINVAL for what an IOMMU domain shows to devices. */
  unmap(what: UnmapRequest): void;
  /**
   * Unmaps it from the reach of devices too. For what rules memory over everybody's head, as a chipset's registers do; a
   * transfer that is under way there ends.
   */
  withdraw(what: UnmapRequest): void;
}

/** What a transaction needs to know of the guest memory that it is about. */
export interface EditedMemory {
  readonly mappings: IntervalMap<MappingRecord>;
  readonly limit: number;
  /** What a mapping is that does not say whether it is wired. */
  readonly wired: boolean;
  ownSegment(segment: Segment | undefined): SegmentRecord | undefined;
}

/** One edit of the map: the difference a commit is going to make. Nothing that can be observed changes before. */
export class Transaction implements Edit {
  readonly #memory: EditedMemory;
  readonly #removed: Set<MappingRecord> = new Set();
  readonly #added: IntervalMap<MappingRecord> = new IntervalMap();
  #open = true;

  constructor(memory: EditedMemory) {
    this.#memory = memory;
  }

  map(request: MapRequest): Mapping {
    this.#checkOpen();
    const mapping = checkRequest(request, this.#memory);
    this.#checkFree(mapping);
    const inTheWay = this.#added.insert(mapping.gpa, mapping.length, mapping);
    assert(inTheWay === undefined, 'a free place turned out to be taken');
    return mapping;
  }

  unmap(what: UnmapRequest): void {
    this.#checkOpen();
    const mapping = this.#exactly(what);
    if (mapping.iommu) throw held(mapping);
    this.#remove(mapping);
  }

  withdraw(what: UnmapRequest): void {
    this.#checkOpen();
    this.#remove(this.#exactly(what));
  }

  /** No more requests. A body that kept the edit for later finds it closed. */
  close(): void {
    this.#open = false;
  }

  #remove(mapping: MappingRecord): void {
    if (this.#added.at(mapping.gpa)?.value === mapping) this.#added.remove(mapping.gpa);
    else this.#removed.add(mapping);
  }

  /** What was asked for, by ascending GPA. */
  get removed(): MappingRecord[] {
    return [...this.#removed].sort((a, b) => a.gpa - b.gpa);
  }

  get added(): MappingRecord[] {
    return [...this.#added].map((entry) => entry.value);
  }

  #checkOpen(): void {
    if (!this.#open) throw new MemoryError('EINVAL', 'this edit is over; start another with GuestMemory.edit');
  }

  /** Reference 1.5, row 8: a fixed place, never a hint. */
  #checkFree(mapping: MappingRecord): void {
    const { gpa, length } = mapping;
    let inTheWay = this.#added.firstOverlapping(gpa, length)?.value;
    for (const entry of this.#memory.mappings.overlapping(gpa, length)) {
      if (inTheWay !== undefined) break;
      if (!this.#removed.has(entry.value)) inTheWay = entry.value;
    }
    if (inTheWay !== undefined) throw occupied(mapping, inTheWay);
  }

  /** Reference 1.6: what is unmapped must be a mapping, neither a part nor more. */
  #exactly(what: UnmapRequest): MappingRecord {
    const base = this.#memory.mappings.at(what.gpa)?.value;
    const standing = base !== undefined && !this.#removed.has(base) ? base : undefined;
    const found = this.#added.at(what.gpa)?.value ?? standing;
    if (found === undefined || !('segment' in what ? found === what : sameRange(found, what))) {
      throw notMapped(what, found);
    }
    return found;
  }
}

function sameRange(mapping: Mapping, range: { gpa: number; length: number }): boolean {
  return mapping.gpa === range.gpa && mapping.length === range.length;
}

/** The checks that concern the request alone, in the order of reference 1.5 [main]. */
function checkRequest(request: MapRequest, memory: EditedMemory): MappingRecord {
  const { segment, gpa, offset = 0, prot, wired = memory.wired } = request;
  checkProt(prot);
  checkFlags(request);
  const own = checkSegment(segment, memory);
  const { length = own.length - offset } = request;
  checkSlice(own, offset, length);
  checkPlace(own, gpa, length, memory.limit);
  return new MappingRecord(own, gpa, offset, length, prot, wired);
}

export function checkProt(prot: unknown): void {
  if (isProt(prot)) return;
  const given = String(prot);
  throw new MemoryError('EINVAL', `protection '${given}' is none of ${PROTS.join(', ')}`, { prot: given });
}

export function checkFlags(request: { wired?: boolean }): void {
  const { wired = false } = request;
  if (typeof wired === 'boolean' && !('iommu' in request)) return;
  throw new MemoryError('EINVAL', 'the only flag a mapping can be asked for is `wired`, true or false', {});
}

export function checkSegment(segment: Segment | undefined, memory: Pick<EditedMemory, 'ownSegment'>): SegmentRecord {
  const own = memory.ownSegment(segment);
  if (own !== undefined) return own;
  const name = String(segment?.name);
  throw new MemoryError('EINVAL', `segment ${name} is not one of this guest memory, or no longer`, { segment: name });
}

/** Rows 4a, 5 and, for the segment's side, 6. Nothing is added up before it is known to fit. */
export function checkSlice(segment: SegmentRecord, offset: number, length: number): void {
  const facts = { segment: segment.name, offset: hex(offset), length: hex(length), limit: hex(segment.length) };
  if (!isExactRange(offset, length) || length === 0 || offset > segment.length - length) {
    const sentence = `${hex(length)} bytes at offset ${hex(offset)} are no slice of segment ${segment.name}`;
    throw new MemoryError('EINVAL', `${sentence}, which has ${hex(segment.length)} bytes`, facts);
  }
  if (isPageAligned(offset) && isPageAligned(length)) return;
  throw new MemoryError(
    'EINVAL',
    `offset ${hex(offset)} and length ${hex(length)} must be multiples of the page size, 4096`,
    facts,
  );
}

function checkPlace(segment: SegmentRecord, gpa: number, length: number, limit: number): void {
  const facts = { segment: segment.name, gpa: hex(gpa), length: hex(length), limit: hex(limit) };
  if (!isExactRange(gpa, length)) {
    throw new MemoryError('EINVAL', `${hex(length)} bytes from ${hex(gpa)} do not make a range of addresses`, facts);
  }
  if (!isPageAligned(gpa)) {
    throw new MemoryError('EINVAL', `address ${hex(gpa)} is not a multiple of the page size, 4096`, facts);
  }
  if (gpa + length <= limit) return;
  const range = hexRange(gpa, gpa + length);
  throw new MemoryError(
    'ENOMEM',
    `${segment.name} at ${range} would reach past the address space's end, ${hex(limit)}`,
    facts,
  );
}

function occupied(wanted: Mapping, inTheWay: Mapping): MemoryError {
  const facts = { segment: wanted.segment.name, gpa: hex(wanted.gpa), length: hex(wanted.length), inTheWay };
  const there = `${inTheWay.segment.name} is mapped at ${hexRange(inTheWay.gpa, inTheWay.end)}`;
  return new MemoryError(
    'ENOMEM',
    `no room for ${wanted.segment.name} at ${hexRange(wanted.gpa, wanted.end)}: ${there}`,
    facts,
  );
}

function held(mapping: Mapping): MemoryError {
  const range = hexRange(mapping.gpa, mapping.end);
  return new MemoryError('EINVAL', `${mapping.segment.name} at ${range} is in an IOMMU domain and stays mapped`, {
    segment: mapping.segment.name,
    gpa: hex(mapping.gpa),
    length: hex(mapping.length),
    inTheWay: mapping,
  });
}

function notMapped(what: UnmapRequest, found: Mapping | undefined): MemoryError {
  const range = `${hex(what.length)} bytes at ${hex(what.gpa)}`;
  const facts = { gpa: hex(what.gpa), length: hex(what.length) };
  if (found === undefined) return new MemoryError('EINVAL', `nothing is mapped as ${range}`, facts);
  const there = `${found.segment.name} is mapped at ${hexRange(found.gpa, found.end)}`;
  return new MemoryError('EINVAL', `${range} are not exactly one mapping: ${there}`, { ...facts, inTheWay: found });
}
