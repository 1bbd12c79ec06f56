import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../test/random.ts';
import { MiB, PAGE_SIZE } from '../base/units.ts';
import { ArenaStore, gpa, GuestMemory, HeapStore, MemoryError, PAGE_FLAG, PROTS } from './index.ts';
import type { Assignment, Change, DirtyLog, Edit, Extent, Mapping, Prot, Segment, Store, Window } from './index.ts';

/**
 * Random operations on guest memory and on a stupid model of it, compared after every single one, together with the
 * nine invariants of the reference (section 10). The model keeps one record per page of a small universe of addresses:
 * who owns it, or nobody.
 *
 * Replay a failure with the seed and the episode that it prints:
 *
 *     SKEP_SEED=… SKEP_EPISODE=… npx vitest run src/memory/model
 */
const OPERATIONS = 100_000;
const EPISODES = 400;
const STEPS = OPERATIONS / EPISODES;

/** Pages around each place where something changes: a leaf's end, 4 GiB, the directory's end, the space's end. */
const ADDRESS_BITS = 41;
const CENTRES = [0, 2 ** 21, 2 ** 32, 2 ** 40, 2 ** ADDRESS_BITS];
const REACH = 5;

const UNIVERSE: number[] = CENTRES.flatMap((centre) =>
  Array.from({ length: 2 * REACH }, (_, index) => centre + (index - REACH) * PAGE_SIZE),
).filter((address) => address >= 0 && address < 2 ** ADDRESS_BITS);

interface Owner {
  readonly mapping: Mapping;
  readonly segment: ModelSegment;
  /** Page of the segment. */
  readonly page: number;
}

interface ModelSegment {
  readonly real: Segment;
  /** Store address of its first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly code: Set<number>;
  /** Dirty pages by running log. */
  readonly logs: Map<DirtyLog, Set<number>>;
}

/** Counts what it gives out, so that the model can say what must be given out. */
class CountingStore implements Store {
  readonly segments: Set<Extent> = new Set();
  readonly #inner: Store;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  get used(): number {
    return this.#inner.used;
  }

  allocate(length: number): Extent {
    const extent = this.#inner.allocate(length);
    this.segments.add(extent);
    return extent;
  }

  allocateTable(length: number): Extent {
    return this.#inner.allocateTable(length);
  }

  free(extent: Extent): void {
    this.segments.delete(extent);
    this.#inner.free(extent);
  }

  [Symbol.dispose](): void {}
}

class Refusal extends Error {}

class Episode {
  readonly #random: Random;
  readonly #store: CountingStore;
  readonly #memory: GuestMemory;
  readonly #segments: ModelSegment[] = [];
  readonly #owners: Map<number, Owner> = new Map();
  readonly #windows: { window: Window; segment: ModelSegment }[] = [];
  readonly #mirror: Set<Mapping> = new Set();
  readonly #codeWritten: number[] = [];
  readonly #assignments: Map<string, Assignment> = new Map();
  /** How often a mapping is wired: what is not shuts devices out of an IOMMU domain. */
  readonly #wiring: number;
  readonly #table: Set<Mapping> = new Set();
  #refusing = false;
  /** The operation under way, for the message of a failure. */
  operation = '';
  refused = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const inner = seed % 2 === 0 ? new HeapStore() : new ArenaStore({ capacity: 8 * MiB, reserved: 100_000 });
    this.#store = new CountingStore(inner);
    this.#wiring = seed % 3 === 0 ? 0.5 : 0.98;
    const iommuTable = {
      attach() {},
      detach() {},
      map: (mapping: Mapping) => void this.#table.add(mapping),
      unmap: (mapping: Mapping) => void this.#table.delete(mapping),
    };
    this.#memory = new GuestMemory({
      store: this.#store,
      addressBits: ADDRESS_BITS,
      wired: seed % 3 !== 0,
      iommuTable,
    });
    this.#memory.trackCode({ codeWritten: (address) => this.#codeWritten.push(address) });
    this.#memory.observe({ changed: (change) => this.#follow(change) });
    this.#memory.observe({
      changed: () => {
        if (this.#refusing) throw new Refusal('an observer refuses');
      },
    });
  }

  step(): void {
    const before = this.#listing();
    try {
      this.#operate();
    } catch (error) {
      if (!(error instanceof MemoryError || error instanceof Refusal)) throw error;
      this.refused++;
      // Invariant 5: a call that fails leaves everything as it was.
      const after = this.#listing();
      if (after.length !== before.length || after.some((item, index) => item !== before[index])) {
        expect.fail('a call that failed has changed something');
      }
    }
    this.#check();
  }

  end(): void {
    this.#memory[Symbol.dispose]();
    expect([this.#store.used, this.#mirror.size, this.#table.size]).toEqual([0, 0, 0]);
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  #segment(): ModelSegment | undefined {
    return this.#pick(this.#segments);
  }

  /** Names an operation and does it. Weights are the number of times that one stands in the list. */
  #operate(): void {
    const operations: [string, () => void][] = [
      ['create', () => this.#create()],
      ['destroy', () => this.#destroySegment()],
      ['map', () => this.#map(this.#memory)],
      ['map', () => this.#map(this.#memory)],
      ['map', () => this.#map(this.#memory)],
      ['unmap', () => this.#unmap(this.#memory)],
      ['unmap', () => this.#unmap(this.#memory)],
      ['edit', () => this.#edit()],
      ['edit', () => this.#edit()],
      ['refused edit', () => this.#refusedEdit()],
      ['move window', () => this.#moveWindow()],
      ['move window', () => this.#moveWindow()],
      ['write', () => this.#write()],
      ['write', () => this.#write()],
      ['write', () => this.#write()],
      ['write segment', () => this.#writeSegment()],
      ['mark code', () => this.#markCode()],
      ['mark code', () => this.#markCode()],
      ['dirty log', () => this.#dirtyLog()],
      ['take', () => this.#take()],
      ['iommu', () => this.#iommu()],
      ['reset', () => this.#reset()],
    ];
    const [name, operation] = this.#pick(operations)!;
    this.operation = name;
    operation();
  }

  #create(): void {
    if (this.#segments.length >= 5) return;
    const length =
      this.#random.fraction() < 0.1 ? this.#pick([0, 1, 4095, 2 ** 50])! : (1 + this.#below(6)) * PAGE_SIZE;
    const name = this.#pick(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'a/b'])!;
    const kind = this.#random.once(2) ? 'sysmem' : 'devmem';
    this.operation += ` ${name} ${kind} ${length}`;
    const taken = this.#segments.some(({ real }) => real.name === name);
    const real = this.#memory.createSegment({ name, kind, length });
    expect([taken, name === 'a/b', length % PAGE_SIZE, length > 0]).toEqual([false, false, 0, true]);
    const address = this.#addressOf(real);
    const segment = { real, address, bytes: new Uint8Array(length), code: new Set<number>(), logs: new Map() };
    this.#segments.push(segment);
    this.#windows.push({ segment, window: this.#memory.window(real, { prot: 'rw-' }) });
  }

  #destroySegment(): void {
    const segment = this.#segment();
    if (segment === undefined || this.#random.once(2)) return;
    this.operation += ` ${segment.real.name}`;
    this.#memory.destroySegment(segment.real);
    expect([...this.#owners.values()].some((owner) => owner.segment === segment)).toBe(false);
    expect(this.#codeWritten.splice(0)).toHaveLength(segment.code.size);
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    const gone = this.#windows.findIndex((held) => held.segment === segment);
    this.#windows.splice(gone, 1);
  }

  /** A place, mostly a good one. */
  #place(): number {
    return this.#random.fraction() < 0.03
      ? this.#pick([1, 2 ** ADDRESS_BITS, 2 ** 52 - PAGE_SIZE, 4095])!
      : this.#pick(UNIVERSE)!;
  }

  #map(target: Pick<Edit, 'map'>, owners: Map<number, Owner> = this.#owners): void {
    const segment = this.#segment();
    if (segment === undefined) return;
    const pages = segment.bytes.length / PAGE_SIZE;
    const first = this.#below(pages + 1);
    const count = 1 + this.#below(pages - first + (this.#random.fraction() < 0.1 ? 3 : 0));
    const start = this.#place();
    const prot: Prot = this.#pick(PROTS)!;
    const wired = this.#random.fraction() < this.#wiring;
    const [offset, length] = [first * PAGE_SIZE, count * PAGE_SIZE];
    this.operation += ` ${segment.real.name}+${first}..${count} at ${start.toString(16)} ${prot}`;
    const mapping = target.map({ segment: segment.real, gpa: gpa(start), offset, length, prot, wired });
    // It was accepted, so the model must agree that it can be.
    expect([first + count <= pages, start % PAGE_SIZE, start + length <= 2 ** ADDRESS_BITS]).toEqual([true, 0, true]);
    for (let index = 0; index < count; index++) {
      if (owners.has(start + index * PAGE_SIZE)) expect.fail('mapped over a mapping');
      owners.set(start + index * PAGE_SIZE, { mapping, segment, page: first + index });
    }
  }

  #unmap(target: Pick<Edit, 'unmap'> & Partial<Edit>, owners: Map<number, Owner> = this.#owners): void {
    const mapping = this.#pick([...owners.values()])?.mapping;
    if (mapping === undefined) return;
    const exact = this.#random.fraction() < 0.8;
    const length = exact ? mapping.length : mapping.length + (this.#below(3) - 1) * PAGE_SIZE;
    this.operation += ` ${mapping.segment.name} at ${mapping.gpa.toString(16)} ${length}`;
    const what = this.#random.once(2) && exact ? mapping : { gpa: mapping.gpa, length };
    if (target.withdraw !== undefined && this.#random.once(2)) {
      target.withdraw(what);
    } else {
      target.unmap(what);
      expect(mapping.iommu).toBe(false);
    }
    expect(length).toBe(mapping.length);
    disown(owners, mapping);
  }

  /** Several maps and unmaps on a copy of the owners, which is kept when the edit was. */
  #edit(): void {
    const owners = new Map(this.#owners);
    this.#memory.edit((edit) => {
      for (let count = this.#below(5); count >= 0; count--) {
        if (this.#random.once(2)) this.#map(edit, owners);
        else this.#unmap(edit, owners);
        if (this.#random.fraction() < 0.05) throw new Refusal('the body gives up');
      }
    });
    this.#adopt(owners);
  }

  /** An observer refuses: unless the edit changes nothing, nothing of it may be left. */
  #refusedEdit(): void {
    this.#refusing = true;
    try {
      this.#edit();
    } finally {
      this.#refusing = false;
    }
  }

  #adopt(owners: Map<number, Owner>): void {
    this.#owners.clear();
    for (const [address, owner] of owners) this.#owners.set(address, owner);
  }

  #moveWindow(): void {
    const held = this.#pick(this.#windows);
    if (held === undefined) return;
    const { window, segment } = held;
    const shown = window.gpa;
    this.operation += ` of ${segment.real.name} from ${shown?.toString(16)}`;
    if (this.#random.fraction() < 0.2) {
      const old = shown === undefined ? undefined : this.#memory.at(shown);
      window.hide();
      if (old !== undefined) disown(this.#owners, old);
      return;
    }
    const start = this.#place();
    this.operation += ` to ${start.toString(16)}`;
    const old = shown === undefined ? undefined : this.#memory.at(shown);
    window.moveTo(gpa(start));
    if (old !== undefined) disown(this.#owners, old);
    const mapping = this.#memory.at(gpa(start))!;
    for (let page = 0; page < segment.bytes.length / PAGE_SIZE; page++) {
      if (this.#owners.has(start + page * PAGE_SIZE)) expect.fail('moved over a mapping');
      this.#owners.set(start + page * PAGE_SIZE, { mapping, segment, page });
    }
  }

  #write(): void {
    const start = this.#pick(UNIVERSE)! + this.#below(PAGE_SIZE);
    const source = Uint8Array.from({ length: this.#below(this.#random.fraction() < 0.3 ? 9000 : 20) }, () =>
      this.#below(256),
    );
    this.operation += ` ${source.length} bytes at ${start.toString(16)}`;
    const addresses = [...source.keys()].map((index) => start + index);
    const allowed = addresses.every((address) => this.#ownerOf(address)?.mapping.prot.includes('w') === true);
    expect(this.#memory.write(gpa(start), source)).toBe(allowed);
    if (!allowed) return;
    const touched = new Map<ModelSegment, Set<number>>();
    for (const [index, address] of addresses.entries()) {
      const { segment, page } = this.#ownerOf(address)!;
      segment.bytes[page * PAGE_SIZE + (address % PAGE_SIZE)] = source[index]!;
      if (!touched.has(segment)) touched.set(segment, new Set());
      touched.get(segment)!.add(page);
    }
    for (const [segment, pages] of touched) this.#written(segment, pages);
    expect(this.#codeWritten).toEqual([]);
  }

  #writeSegment(): void {
    const segment = this.#segment();
    if (segment === undefined) return;
    const offset = this.#below(segment.bytes.length);
    const source = Uint8Array.from({ length: this.#below(6000) }, () => this.#below(256));
    this.operation += ` ${segment.real.name}+${offset}, ${source.length} bytes`;
    segment.real.write(offset, source);
    segment.bytes.set(source, offset);
    const last = Math.floor((offset + source.length - 1) / PAGE_SIZE);
    const pages = new Set<number>();
    if (source.length > 0) for (let page = Math.floor(offset / PAGE_SIZE); page <= last; page++) pages.add(page);
    this.#written(segment, pages);
    expect(this.#codeWritten).toEqual([]);
  }

  /** The model of the write hooks; takes what was told out of the list of what code listeners heard. */
  #written(segment: ModelSegment, pages: Set<number>): void {
    for (const page of pages) {
      for (const dirty of segment.logs.values()) dirty.add(page);
      if (!segment.code.delete(page)) continue;
      const told = this.#codeWritten.findIndex((address) => address === segment.address + page * PAGE_SIZE);
      expect(told).toBeGreaterThanOrEqual(0);
      this.#codeWritten.splice(told, 1);
    }
  }

  #addressOf(segment: Segment): number {
    const extent = [...this.#store.segments].find(({ bytes }) => bytes === segment.bytes);
    return extent?.address ?? expect.fail('a segment has no extent');
  }

  #markCode(): void {
    const address = this.#pick(UNIVERSE)!;
    this.operation += ` at ${address.toString(16)}`;
    this.#memory.markCode(gpa(address));
    const owner = this.#owners.get(address);
    if (owner !== undefined) owner.segment.code.add(owner.page);
  }

  #dirtyLog(): void {
    const segment = this.#segment();
    if (segment === undefined) return;
    this.operation += ` of ${segment.real.name}`;
    const running = this.#pick([...segment.logs.keys()]);
    if (running !== undefined && this.#random.fraction() < 0.6) {
      running.stop();
      segment.logs.delete(running);
      return;
    }
    const log = this.#memory.dirtyLog(segment.real);
    log.start();
    segment.logs.set(log, new Set());
  }

  #take(): void {
    const segment = this.#segment();
    const log = this.#pick([...(segment?.logs.keys() ?? [])]);
    if (segment === undefined || log === undefined) return;
    const dirty = segment.logs.get(log)!;
    expect(log.take().pages).toEqual([...dirty].sort((a, b) => a - b));
    dirty.clear();
  }

  /** Assigns a device, or takes it out. It is refused while sysmem is mapped that is not wired, and only then. */
  #iommu(): void {
    const device = this.#pick(['a', 'b'])!;
    this.operation += ` ${device}`;
    const assignment = this.#assignments.get(device);
    if (assignment !== undefined) {
      assignment[Symbol.dispose]();
      this.#assignments.delete(device);
      return;
    }
    if (this.#random.once(2)) return;
    const mayBe = [...this.#memory].every(({ segment, wired }) => segment.kind === 'devmem' || wired);
    try {
      this.#assignments.set(device, this.#memory.assign(device));
    } finally {
      expect(this.#assignments.has(device)).toBe(mayBe);
    }
  }

  /** Invariant 6: the list is the old one without devmem, no IOMMU flag is left, no segment has changed. */
  #reset(): void {
    if (this.#random.fraction() < 0.7) return;
    this.#memory.reset();
    this.#assignments.clear();
    for (const { mapping } of this.#owners.values()) {
      expect(mapping.iommu).toBe(false);
      if (mapping.segment.kind === 'devmem') disown(this.#owners, mapping);
    }
  }

  #ownerOf(address: number): Owner | undefined {
    return this.#owners.get(address - (address % PAGE_SIZE));
  }

  #follow({ removed, added }: Change): void {
    for (const mapping of removed) if (!this.#mirror.delete(mapping)) expect.fail('told of an unknown mapping');
    for (const mapping of added) this.#mirror.add(mapping);
  }

  /** All that a caller can see of the map and the segments; identity is enough, since their facts never change. */
  #listing(): unknown[] {
    const mappings = [...this.#memory];
    const flags = mappings.map((mapping) => mapping.iommu);
    return [...mappings, ...flags, ...this.#memory.segments(), this.#store.segments.size, this.#table.size];
  }

  #check(): void {
    const mappings = [...this.#memory];
    this.#checkEach(mappings);
    this.#checkOrder(mappings);
    this.#checkSegments();
    this.#checkPages();
    // An observer that knows nothing but changes has the same map.
    if (!sameMembers(mappings, this.#mirror)) expect.fail('an observer has other mappings');
  }

  /** Invariant 1, and which mappings an IOMMU domain has. */
  #checkEach(mappings: readonly Mapping[]): void {
    for (const { segment, gpa: start, offset, length, end, prot, wired, iommu } of mappings) {
      const good =
        length > 0 &&
        start % PAGE_SIZE === 0 &&
        length % PAGE_SIZE === 0 &&
        offset % PAGE_SIZE === 0 &&
        offset + length <= segment.length &&
        end === start + length &&
        this.#memory.segmentById(segment.id) === segment &&
        PROTS.includes(prot) &&
        (segment.kind === 'devmem' || this.#assignments.size === 0 ? !iommu : iommu && wired);
      if (!good) expect.fail(`a bad mapping: ${segment.name} at ${start}`);
    }
    if (
      !sameMembers(
        mappings.filter((mapping) => mapping.iommu),
        this.#table,
      )
    )
      expect.fail('the IOMMU has others');
  }

  /** Invariants 2, 7 and 8. */
  #checkOrder(mappings: readonly Mapping[]): void {
    let end = 0;
    let sysmemEnd = 0;
    for (const mapping of mappings) {
      if (mapping.gpa < end) expect.fail('mappings overlap or descend');
      end = mapping.end;
      if (mapping.segment.kind === 'sysmem') sysmemEnd = end;
    }
    if (end > 2 ** ADDRESS_BITS) expect.fail('a mapping reaches past the address space');
    if (this.#memory.sysmemEnd !== sysmemEnd) expect.fail('sysmem ends elsewhere');
    const owned = new Set([...this.#owners.values()].map((owner) => owner.mapping));
    if (!sameMembers(mappings, owned)) expect.fail('the model has other mappings');
  }

  /** Invariants 3 and 4 (bytes are held by segments and tables, names are unique), and every byte. */
  #checkSegments(): void {
    const listed = [...this.#memory.segments()];
    if (!sameMembers(listed, new Set(this.#segments.map(({ real }) => real)))) expect.fail('other segments are listed');
    if (this.#store.segments.size !== listed.length) expect.fail('the store holds bytes of no segment');
    for (const { real, bytes } of this.#segments) {
      if (this.#memory.segment(real.name) !== real) expect.fail(`segment ${real.name} is not found by its name`);
      if (Buffer.compare(real.bytes, bytes) !== 0) expect.fail(`bytes of ${real.name} differ`);
    }
  }

  /** Invariant 9, and the flat view: what each page of the universe shows. */
  #checkPages(): void {
    const { flat } = this.#memory;
    const seen = new Uint8Array(PAGE_SIZE);
    for (const address of UNIVERSE) {
      const owner = this.#owners.get(address);
      const good =
        this.#memory.at(gpa(address + 17)) === owner?.mapping &&
        flat.flagsAt(address) === (owner === undefined ? 0 : flagsOf(owner)) &&
        flat.addressAt(address) === (owner === undefined ? 0 : owner.segment.address + owner.page * PAGE_SIZE);
      if (!good) expect.fail(`page ${address.toString(16)} is wrong`);
      const readable = owner?.mapping.prot.includes('r') === true;
      if (this.#memory.read(gpa(address), seen) !== readable) expect.fail(`page ${address.toString(16)}: readable?`);
      if (!readable) continue;
      const { segment, page } = owner;
      const bytes = segment.bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
      if (Buffer.compare(seen, bytes) !== 0) expect.fail(`page ${address.toString(16)} shows other bytes`);
    }
  }
}

function sameMembers<T>(list: readonly T[], set: ReadonlySet<T>): boolean {
  return list.length === set.size && list.every((member) => set.has(member));
}

function disown(owners: Map<number, Owner>, mapping: Mapping): void {
  for (let address: number = mapping.gpa; address < mapping.end; address += PAGE_SIZE) owners.delete(address);
}

function flagsOf({ mapping, segment, page }: Owner): number {
  const { READ, WRITE, EXECUTE, LOGGED, CODE } = PAGE_FLAG;
  let flags = 0;
  if (mapping.prot.includes('r')) flags |= READ;
  if (mapping.prot.includes('w')) flags |= WRITE;
  if (mapping.prot.includes('x')) flags |= EXECUTE;
  if (segment.code.has(page)) flags |= CODE;
  for (const dirty of segment.logs.values()) if (!dirty.has(page)) flags |= LOGGED;
  return flags;
}

function play(number: number): Episode {
  const episode = new Episode(SEED + number);
  let step = 0;
  try {
    for (; step < STEPS; step++) episode.step();
    episode.end();
  } catch (error) {
    const place = `SKEP_SEED=${SEED} SKEP_EPISODE=${number}, step ${step}: ${episode.operation}`;
    throw new Error(`${place}\n${String(error)}`, { cause: error });
  }
  return episode;
}

const only = process.env['SKEP_EPISODE'];
const PARTS = 10;

describe(`${OPERATIONS} random operations, seed ${SEED}, agree with a model that keeps an owner for each page`, () => {
  if (only !== undefined) {
    test(`episode ${only}`, () => void play(Number(only)));
  } else {
    test.each(Array.from({ length: PARTS }, (_, part) => part))(`part %d of ${PARTS}`, (part) => {
      let refused = 0;
      for (let number = part; number < EPISODES; number += PARTS) refused += play(number).refused;
      // The test is worth something only if calls are refused as well as accepted.
      expect(refused).toBeGreaterThan(STEPS);
    });
  }
});
