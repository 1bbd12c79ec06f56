import { hex } from '../base/hex.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { gpa as gpaOf, isExactRange, isPageAligned, LEAST_ADDRESS_BITS, MOST_ADDRESS_BITS } from './address.ts';
import type { Gpa, Range } from './address.ts';
import { CodeTracker } from './code-tracker.ts';
import type { CodeListener } from './code-tracker.ts';
import { DirtyLogs } from './dirty-log.ts';
import type { DirtyLog } from './dirty-log.ts';
import { openRange } from './dma-range.ts';
import type { DmaAccess, DmaFault, DmaMap, DmaRange, DmaSpace } from './dma-range.ts';
import { FlatView } from './flat-view.ts';
import { IommuDomainRecord } from './iommu-domain.ts';
import type { Assignment, IommuDomain, IommuTable } from './iommu-domain.ts';
import { copyIn, copyOut, firstDenied } from './mapped-space.ts';
import type { Mapping, MappingRecord } from './mapping.ts';
import { MemoryError } from './memory-error.ts';
import { Observers } from './observers.ts';
import type { MapObserver } from './observers.ts';
import { PAGE_FLAG } from './page-flag.ts';
import { pageOf, PageStates } from './page-states.ts';
import { SEGMENT_KINDS, SegmentRecord } from './segment.ts';
import type { Segment, SegmentKind } from './segment.ts';
import { checkSegmentName } from './segment-name.ts';
import type { Extent, Store, SysmemSlice } from './store.ts';
import { checkFlags, checkProt, checkSegment, checkSlice, Transaction } from './transaction.ts';
import type { Edit, EditedMemory, MapRequest, UnmapRequest } from './transaction.ts';
import { WindowOnSegment } from './window.ts';
import type { Window, WindowOptions } from './window.ts';

export interface GuestMemoryOptions {
  readonly store: Store;
  /** Width of a guest-physical address, 32 to 52; 40 when absent. */
  readonly addressBits?: number;
  /** Whether mappings that do not say are wired; false when absent. */
  readonly wired?: boolean;
  /** The host's own IOMMU; absent while all devices that are ever assigned are emulated. */
  readonly iommuTable?: IommuTable;
}

export interface SegmentOptions {
  readonly name: string;
  readonly kind: SegmentKind;
  /** Bytes, a multiple of the page size. */
  readonly length: number;
  /** Passed on to the store: see `ExtentUse`. */
  readonly layout?: readonly SysmemSlice[];
}

/**
 * The segments and the mappings of one virtual machine: two tables, and the only place where either fact is stored.
 * Every edit is a transaction. There is no I/O, no clock and no logger in here.
 */
export class GuestMemory implements DmaSpace, Disposable {
  readonly addressBits: number;
  /** The map as the data path reads it. */
  readonly flat: FlatView;
  readonly #store: Store;
  readonly #limit: number;
  /** What transactions may see. */
  readonly #edited: EditedMemory;
  readonly #segments: Map<string, SegmentRecord> = new Map();
  readonly #segmentsById: Map<number, SegmentRecord> = new Map();
  readonly #mappings: IntervalMap<MappingRecord> = new IntervalMap();
  readonly #observers: Observers = new Observers();
  readonly #states: PageStates;
  readonly #code: CodeTracker;
  readonly #dirtyLogs: DirtyLogs;
  readonly #iommuTable: IommuTable | undefined;
  /** The map as bus masters without an IOMMU see it. */
  readonly #dmaMap: DmaMap;
  #iommu: IommuDomainRecord | undefined;
  #nextSegmentId = 0;
  /** What is under way, in the words of the error that another edit gets meanwhile. */
  #busy: string | undefined;
  #destroyed = false;

  /** Throws EINVAL for address bits out of range, ENOMEM when the store has no room for the flat view's directory. */
  constructor(options: GuestMemoryOptions) {
    const { store, addressBits = 40, wired = false, iommuTable } = options;
    checkAddressBits(addressBits);
    this.addressBits = addressBits;
    this.#limit = 2 ** addressBits;
    this.#edited = {
      mappings: this.#mappings,
      limit: this.#limit,
      wired,
      ownSegment: (segment) => this.#ownSegment(segment),
    };
    this.#store = store;
    this.flat = new FlatView(store, addressBits);
    this.#states = new PageStates(this.flat);
    this.#code = new CodeTracker(this.#states);
    this.#dirtyLogs = new DirtyLogs(this.#states);
    this.#iommuTable = iommuTable;
    this.#dmaMap = this.#asDmaMap();
  }

  // Segments

  /** Checks, in order: name and kind (EINVAL), length (EINVAL), name taken (EEXIST), room in the store (ENOMEM). */
  createSegment(options: SegmentOptions): Segment {
    this.#checkAlive();
    const { name, kind, length, layout } = options;
    checkSegmentName(name);
    checkKind(kind);
    checkLength(name, length);
    this.#checkNameFree(name);
    const extent = this.#store.allocate(length, layout === undefined ? { name, kind } : { name, kind, layout });
    const segment = new SegmentRecord({ id: this.#nextSegmentId++, name, kind }, extent, this.#states);
    this.#segments.set(name, segment);
    this.#segmentsById.set(segment.id, segment);
    return segment;
  }

  /** Gives the bytes back to the store. EINVAL for a segment that is not here, EBUSY while it is mapped. */
  destroySegment(segment: Segment): void {
    this.#checkIdle();
    const own = checkSegment(segment, this.#edited);
    const [mapping] = own.placements.all();
    if (mapping !== undefined) {
      const facts = { segment: own.name, inTheWay: mapping };
      throw new MemoryError('EBUSY', `segment ${own.name} is mapped at ${hex(mapping.gpa)}`, facts);
    }
    this.#store.free(this.#detach(own));
  }

  segment(name: string): Segment | undefined {
    this.#checkAlive();
    return this.#segments.get(name);
  }

  segmentById(id: number): Segment | undefined {
    this.#checkAlive();
    return this.#segmentsById.get(id);
  }

  /** In the order of their ids. */
  segments(): Iterable<Segment> {
    this.#checkAlive();
    return this.#segmentsById.values();
  }

  // Edits

  map(request: MapRequest): Mapping {
    return this.edit((edit) => edit.map(request));
  }

  unmap(what: UnmapRequest): void {
    this.edit((edit) => edit.unmap(what));
  }

  /**
   * Applies all that `body` asks for, or nothing of it. Until it returns, questions are answered from the old map.
   * Whatever `body` or an observer throws comes out as it is. EBUSY from within another edit or an observer.
   */
  edit<T>(body: (edit: Edit) => T): T {
    this.#checkIdle();
    return this.#during('an edit is being made', () => {
      const transaction = new Transaction(this.#edited);
      try {
        const result = body(transaction);
        this.#commit(transaction.removed, transaction.added);
        return result;
      } finally {
        transaction.close();
      }
    });
  }

  /** A movable view of a segment for the device that owns it; hidden at first. EINVAL as for `map`. */
  window(segment: Segment, options: WindowOptions): Window {
    this.#checkAlive();
    const { prot, offset = 0, wired = this.#edited.wired } = options;
    checkProt(prot);
    checkFlags(options);
    const own = checkSegment(segment, this.#edited);
    const { length = own.length - offset } = options;
    checkSlice(own, offset, length);
    return new WindowOnSegment(this, { segment, prot, offset, length, wired });
  }

  /**
   * Calls `changed` after every edit, in the order of registration. Mappings that are there already come first, as one
   * change, unless `replay` is false. EBUSY from within an edit or an observer.
   */
  observe(observer: MapObserver, options: { replay?: boolean } = {}): Disposable {
    this.#checkIdle();
    const { replay = true } = options;
    if (replay && this.#mappings.size > 0) {
      this.#during('an observer is being told', () => observer.changed({ removed: [], added: [...this] }));
    }
    return this.#observers.add(observer);
  }

  // Questions

  /** The mapping at an address. Its cost does not depend on how many there are. */
  at(gpa: Gpa): Mapping | undefined {
    return this.flat.mappingAt(gpa) ?? this.#nothing();
  }

  /** Whether this very mapping, not just one like it, is in the map. False for all once guest memory has ended. */
  isMapped(mapping: Mapping): boolean {
    return this.#mappings.at(mapping.gpa)?.value === mapping;
  }

  /** The first address behind all sysmem; 0 when none is mapped. Devmem, such as a ROM below 4 GiB, does not count. */
  get sysmemEnd(): number {
    let end = 0;
    for (const mapping of this) if (mapping.segment.kind === 'sysmem') end = mapping.end;
    return end;
  }

  /** Every mapping that has a byte in common with the range, ascending; like the iterator in every other way. */
  *covering(gpa: Gpa, length: number): Generator<Mapping, void, void> {
    this.#checkAlive();
    yield* this.#overlapping(gpa, length);
  }

  /** Where nothing is mapped, ascending, up to the end of the address space. */
  *gaps(): Generator<Range, void, void> {
    this.#checkAlive();
    let start = 0;
    for (const entry of this.#mappings) {
      if (entry.start > start) yield rangeOf(start, entry.start);
      start = entry.end;
    }
    if (start < this.#limit) yield rangeOf(start, this.#limit);
  }

  /** Where a segment can be seen, ascending. Those unmapped while one iterates are left out. */
  *mappingsOf(segment: Segment): Generator<Mapping, void, void> {
    this.#checkAlive();
    for (const mapping of checkSegment(segment, this.#edited).placements.all()) {
      if (this.isMapped(mapping)) yield mapping;
    }
  }

  /** All mappings, ascending. The map may change meanwhile: the walk goes on behind what it gave last. */
  *[Symbol.iterator](): Generator<Mapping, void, void> {
    this.#checkAlive();
    for (const entry of this.#mappings) yield entry.value;
  }

  // The VMM's own access

  /** Copies guest memory out, across mappings. False, and nothing is copied, when some byte is not readable. */
  read(gpa: Gpa, target: Uint8Array): boolean {
    if (!this.#allows(gpa, target.length, PAGE_FLAG.READ)) return false;
    copyOut(this.#dmaMap, gpa, target);
    return true;
  }

  /** Copies in as the guest's stores would, across mappings. False, and no change, when some byte is not writable. */
  write(gpa: Gpa, source: Uint8Array): boolean {
    if (!this.#allows(gpa, source.length, PAGE_FLAG.WRITE)) return false;
    copyIn(this.#dmaMap, gpa, source);
    return true;
  }

  // Page flags

  /** The slow path of a store to a page whose flags say "tell someone first". Afterwards the store may go ahead. */
  beforeWrite(gpa: Gpa): void {
    const mapping = this.flat.mappingAt(gpa) ?? this.#nothing();
    if (mapping !== undefined) this.#states.beforeWrite(mapping.segment, gpa - mapping.gpa + mapping.offset, 1);
  }

  /** An engine has decoded code from this page: the next write to it, through any alias, is told to code listeners. */
  markCode(gpa: Gpa): void {
    const mapping = this.flat.mappingAt(gpa) ?? this.#nothing();
    if (mapping !== undefined) this.#code.mark(mapping.segment, pageOf(gpa - mapping.gpa + mapping.offset));
  }

  /**
   * Somebody who does not go through guest memory, such as another process that has a segment's bytes mapped, has written
   * these bytes: tells the dirty log and code trackers. EINVAL for a segment that is not here, and past its end.
   */
  written(segment: Segment, range: { offset: number; length: number }): void {
    this.#checkAlive();
    const own = checkSegment(segment, this.#edited);
    const { offset, length } = range;
    if (!isExactRange(offset, length) || length > own.length - offset) {
      const sentence = `${length} bytes at offset ${hex(offset)} do not lie in segment ${own.name}`;
      throw new MemoryError('EINVAL', sentence, { segment: own.name, offset: hex(offset), length: hex(length) });
    }
    this.#states.beforeWrite(own, offset, length);
  }

  trackCode(listener: CodeListener): Disposable {
    this.#checkAlive();
    return this.#code.track(listener);
  }

  /**
   * Calls `listener` after pages have got flags that stores must obey (a dirty log was started or taken). Whoever has
   * cached what the flat view said, as a TLB does, forgets it now.
   */
  onPagesGuarded(listener: () => void): Disposable {
    this.#checkAlive();
    return this.#states.onGuarded(listener);
  }

  /** A dirty log for a segment, not yet started. */
  dirtyLog(segment: Segment): DirtyLog {
    this.#checkAlive();
    return this.#dirtyLogs.log(checkSegment(segment, this.#edited));
  }

  // Devices that master the bus

  /** For a device without an IOMMU: it reaches all that is mapped, device memory too, as protection allows. */
  dmaRange(gpa: number, length: number, access: DmaAccess): DmaRange | DmaFault {
    this.#checkAlive();
    return openRange(this.#dmaMap, gpa, length, access);
  }

  /**
   * Puts a device behind the IOMMU: through the assignment it reaches wired sysmem and nothing else; see `IommuDomain`. EEXIST
   * when it is assigned already, EINVAL while sysmem is mapped that is not wired. What the host's table throws comes out as
   * it is. Nothing has changed then.
   */
  assign(device: string): Assignment {
    this.#checkIdle();
    this.#iommu ??= new IommuDomainRecord({
      table: this.#iommuTable,
      states: this.#states,
      observe: (observer) => this.observe(observer),
      ended: () => (this.#iommu = undefined),
    });
    return this.#iommu.assign(device);
  }

  /** What assigned devices reach; there is one while there are any. */
  get iommuDomain(): IommuDomain | undefined {
    return this.#iommu;
  }

  // Lifecycle

  /** As the machine's reset: devmem leaves the map, sysmem stays, the IOMMU domain ends. Segments keep their bytes. */
  reset(): void {
    this.edit((edit) => {
      for (const mapping of this) if (mapping.segment.kind === 'devmem') edit.unmap(mapping);
    });
    this.#iommu?.[Symbol.dispose]();
  }

  /** Ends everything. Observers are told of all that goes; what they throw comes out after the end. */
  [Symbol.dispose](): void {
    if (this.#destroyed) return;
    this.#checkIdle();
    this.#iommu?.[Symbol.dispose]();
    const removed = [...this.#mappings].map((entry) => entry.value);
    for (const mapping of removed) this.#takeOut(mapping);
    const errors = this.#during('guest memory is being destroyed', () =>
      removed.length > 0 ? this.#observers.tellEnd({ removed, added: [] }) : [],
    );
    for (const segment of this.#segmentsById.values()) this.#store.free(this.#detach(segment));
    this.flat[Symbol.dispose]();
    this.#destroyed = true;
    if (errors.length > 0) throw new AggregateError(errors, 'observers failed while guest memory was destroyed');
  }

  // How it works

  #ownSegment(segment: Segment | undefined): SegmentRecord | undefined {
    const own = segment === undefined ? undefined : this.#segmentsById.get(segment.id);
    return own === segment ? own : undefined;
  }

  #commit(removed: readonly MappingRecord[], added: readonly MappingRecord[]): void {
    if (removed.length === 0 && added.length === 0) return;
    this.flat.reserve(added);
    this.#apply(removed, added);
    this.#observers.tell({ removed, added }, () => this.#apply(added, removed));
  }

  /** Cannot fail: everything was checked, and the flat view has room. */
  #apply(removed: readonly MappingRecord[], added: readonly MappingRecord[]): void {
    for (const mapping of removed) this.#takeOut(mapping);
    for (const mapping of added) {
      this.#mappings.insert(mapping.gpa, mapping.length, mapping);
      this.flat.place(mapping);
      mapping.segment.placements.add(mapping);
    }
  }

  #takeOut(mapping: MappingRecord): void {
    this.#mappings.remove(mapping.gpa);
    mapping.segment.placements.remove(mapping);
    this.flat.remove(mapping);
  }

  #detach(segment: SegmentRecord): Extent {
    this.#dirtyLogs.forget(segment);
    this.#code.forget(segment);
    this.#segments.delete(segment.name);
    this.#segmentsById.delete(segment.id);
    return segment.detach();
  }

  #asDmaMap(): DmaMap {
    const { flat } = this;
    return {
      states: this.#states,
      mappingAt: (gpa) => flat.mappingAt(gpa),
      overlapping: (gpa, length) => this.#overlapping(gpa, length),
      get removals() {
        return flat.removals;
      },
    };
  }

  *#overlapping(gpa: number, length: number): Generator<MappingRecord, void, void> {
    if (length <= 0) return;
    for (const entry of this.#mappings.overlapping(gpa, length)) yield entry.value;
  }

  #allows(gpa: number, length: number, flag: number): boolean {
    if (firstDenied(this.#dmaMap, gpa, length, flag) === undefined) return true;
    this.#nothing();
    return false;
  }

  /** On the way of every miss, so that a hit need not ask whether guest memory still exists. */
  #nothing(): undefined {
    if (this.#destroyed) this.#checkAlive();
    return undefined;
  }

  #during<T>(what: string, body: () => T): T {
    this.#busy = what;
    try {
      return body();
    } finally {
      this.#busy = undefined;
    }
  }

  #checkIdle(): void {
    this.#checkAlive();
    if (this.#busy !== undefined) throw new MemoryError('EBUSY', `${this.#busy}: the map cannot be edited meanwhile`);
  }

  #checkAlive(): void {
    if (this.#destroyed) throw new MemoryError('ENOENT', 'this guest memory has been destroyed');
  }

  #checkNameFree(name: string): void {
    const taken = this.#segments.get(name);
    if (taken === undefined) return;
    const facts = { segment: name, kind: taken.kind, length: hex(taken.length) };
    throw new MemoryError(
      'EEXIST',
      `there is a segment ${name} already (${taken.kind}, ${hex(taken.length)} bytes)`,
      facts,
    );
  }
}

function rangeOf(start: number, end: number): Range {
  return { start: gpaOf(start), end, length: end - start };
}

function checkAddressBits(bits: number): void {
  if (Number.isInteger(bits) && bits >= LEAST_ADDRESS_BITS && bits <= MOST_ADDRESS_BITS) return;
  throw new MemoryError('EINVAL', `guest-physical addresses have 32 to 52 bits, not ${bits}`, { addressBits: bits });
}

function checkKind(kind: string): void {
  if (SEGMENT_KINDS.includes(kind)) return;
  throw new MemoryError('EINVAL', `segments are of kind ${SEGMENT_KINDS.join(' or ')}, not ${kind}`, {
    kind,
  });
}

function checkLength(name: string, length: number): void {
  if (Number.isSafeInteger(length) && length > 0 && isPageAligned(length)) return;
  const facts = { segment: name, length: hex(length) };
  throw new MemoryError(
    'EINVAL',
    `segment ${name} cannot have ${hex(length)} bytes: a multiple of 4096, at least 4096`,
    facts,
  );
}
