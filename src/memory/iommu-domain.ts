import { hex, hexRange } from '../base/hex.ts';
import { IntervalMap } from '../base/interval-map.ts';
import { openRange, type DmaAccess, type DmaFault, type DmaMap, type DmaRange, type DmaSpace } from './dma-range.ts';
import { MappingRecord } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { MemoryError } from './memory-error.ts';
import type { Change, MapObserver } from './observers.ts';
import type { PageStates } from './page-states.ts';

/** The host's own translation table, for a domain with devices of the host in it. Taking away never fails. */
export interface IommuTable {
  /** The device's accesses go through this table from now on. What cannot be done throws and leaves nothing. */
  attach(device: string): void;
  /** The device is quiet afterwards: nothing that it began is still under way. */
  detach(device: string): void;
  /** Shows the mapping's bytes to the devices at its GPA. An entry that cannot be made throws and leaves nothing. */
  map(mapping: Mapping): void;
  unmap(mapping: Mapping): void;
}

/** A device in a domain, and its way to memory. Disposing of it takes the device out. */
export interface Assignment extends DmaSpace, Disposable {
  readonly device: string;
  /** False once it was disposed of, or the domain has ended: the device reaches nothing then. */
  readonly active: boolean;
}

/** What a device asked for in vain. */
export interface IommuFault extends DmaFault {
  readonly device: string;
}

/**
 * What assigned devices can reach by DMA: exactly the wired sysmem mappings, each at its GPA with its protection. The
 * domain begins with the first device (`GuestMemory.assign`) and ends with the last, or with a reset. In between it
 * follows the map. A mapping in it has its `iommu` flag set; `unmap` refuses it, and `withdraw` takes it from the devices
 * as well. Sysmem that is not wired cannot be in the map meanwhile: who assigns a device, or maps it later, gets EINVAL.
 * (FreeBSD leaves such memory out without a word, and what is mapped later too.)
 *
 * Iterating gives what the devices see, ascending; it may change meanwhile, as guest memory may.
 */
export interface IommuDomain extends Iterable<Mapping> {
  /** The names of the devices, in the order in which they came. */
  devices(): Iterable<string>;
  /** What a device sees at an address. */
  mappingAt(gpa: number): Mapping | undefined;
  /** Store address of the byte that a device sees at an address; 0 where it sees nothing. */
  addressAt(gpa: number): number;
  /** How often a device of this domain asked for what it cannot have. */
  readonly faults: number;
  /** The latest of these, oldest first. */
  latestFaults(): readonly IommuFault[];
}

/** Faults that are kept for those who ask; all are counted. */
const FAULTS_KEPT = 64;

export interface IommuOptions {
  readonly table: IommuTable | undefined;
  readonly states: PageStates;
  /** Of guest memory; it must replay. */
  readonly observe: (observer: MapObserver) => Disposable;
  readonly ended: () => void;
}

/** The domain as guest memory keeps it. */
export class IommuDomainRecord implements IommuDomain, DmaMap, MapObserver, Disposable {
  readonly states: PageStates;
  readonly #table: IommuTable | undefined;
  readonly #entries: IntervalMap<MappingRecord> = new IntervalMap();
  readonly #devices: Map<string, DeviceInDomain> = new Map();
  readonly #ended: () => void;
  readonly #faults: IommuFault[] = [];
  #subscription: Disposable | undefined;
  #faultCount = 0;
  #removals = 0;

  /** When an entry fails it throws, and nothing is left. */
  constructor({ table, states, observe, ended }: IommuOptions) {
    this.states = states;
    this.#table = table;
    this.#ended = ended;
    this.#subscription = observe(this);
  }

  devices(): Iterable<string> {
    return this.#devices.keys();
  }

  *[Symbol.iterator](): Generator<Mapping, void, void> {
    for (const entry of this.#entries) yield entry.value;
  }

  mappingAt(gpa: number): MappingRecord | undefined {
    return this.#entries.at(gpa)?.value;
  }

  addressAt(gpa: number): number {
    const mapping = this.mappingAt(gpa);
    return mapping === undefined ? 0 : mapping.segment.address + mapping.offset + gpa - mapping.gpa;
  }

  *overlapping(gpa: number, length: number): Generator<MappingRecord, void, void> {
    if (length <= 0) return;
    for (const entry of this.#entries.overlapping(gpa, length)) yield entry.value;
  }

  get removals(): number {
    return this.#removals;
  }

  get faults(): number {
    return this.#faultCount;
  }

  latestFaults(): readonly IommuFault[] {
    return this.#faults;
  }

  /** For `GuestMemory.assign`. A domain whose first device cannot be attached ends. */
  assign(device: string): Assignment {
    if (this.#devices.has(device)) {
      throw new MemoryError('EEXIST', `device ${device} is assigned already`, { device });
    }
    try {
      this.#table?.attach(device);
    } catch (error) {
      this.#endWithLast();
      throw error;
    }
    const assignment = new DeviceInDomain(device, this);
    this.#devices.set(device, assignment);
    return assignment;
  }

  /** Takes a device out: quiet first, so that nothing it began can hit memory that has become another's. */
  unassign(assignment: DeviceInDomain): void {
    this.#detach(assignment);
    this.#endWithLast();
  }

  fault(fault: IommuFault): void {
    this.#faultCount++;
    this.#faults.push(fault);
    if (this.#faults.length > FAULTS_KEPT) this.#faults.shift();
  }

  changed({ removed, added }: Change): void {
    for (const mapping of added) checkWired(mapping);
    const released: MappingRecord[] = [];
    const claimed: MappingRecord[] = [];
    try {
      for (const mapping of removed) if (this.#release(mapping)) released.push(mapping);
      for (const mapping of added) if (this.#claim(mapping)) claimed.push(mapping);
    } catch (error) {
      for (const mapping of claimed.reverse()) this.#release(mapping);
      for (const mapping of released.reverse()) this.#claim(mapping);
      throw error;
    }
  }

  /** Ends it: every device is out, every entry gone. */
  [Symbol.dispose](): void {
    if (this.#subscription === undefined) return;
    for (const assignment of this.#devices.values()) this.#detach(assignment);
    this.#subscription[Symbol.dispose]();
    this.#subscription = undefined;
    for (const mapping of this.#entries) this.#release(mapping.value);
    this.#ended();
  }

  #detach(assignment: DeviceInDomain): void {
    assignment.domain = undefined;
    this.#devices.delete(assignment.device);
    this.#table?.detach(assignment.device);
  }

  #endWithLast(): void {
    if (this.#devices.size === 0) this[Symbol.dispose]();
  }

  #claim(mapping: Mapping): mapping is MappingRecord {
    if (!(mapping instanceof MappingRecord) || mapping.segment.kind !== 'sysmem') return false;
    this.#table?.map(mapping);
    this.#entries.insert(mapping.gpa, mapping.length, mapping);
    mapping.iommu = true;
    return true;
  }

  #release(mapping: Mapping): mapping is MappingRecord {
    if (!(mapping instanceof MappingRecord) || !mapping.iommu) return false;
    mapping.iommu = false;
    this.#removals++;
    this.#entries.remove(mapping.gpa);
    this.#table?.unmap(mapping);
    return true;
  }
}

class DeviceInDomain implements Assignment {
  readonly device: string;
  domain: IommuDomainRecord | undefined;

  constructor(device: string, domain: IommuDomainRecord) {
    this.device = device;
    this.domain = domain;
  }

  get active(): boolean {
    return this.domain !== undefined;
  }

  dmaRange(gpa: number, length: number, access: DmaAccess): DmaRange | DmaFault {
    const { device, domain } = this;
    if (domain === undefined) return { gpa, access, reason: 'unassigned' };
    const answer = openRange(domain, gpa, length, access);
    if ('reason' in answer) domain.fault({ device, ...answer });
    return answer;
  }

  [Symbol.dispose](): void {
    this.domain?.unassign(this);
  }
}

function checkWired(mapping: Mapping): void {
  const { segment, gpa, length, end, wired } = mapping;
  if (segment.kind !== 'sysmem' || wired) return;
  const sentence = `${segment.name} at ${hexRange(gpa, end)} is not wired, and assigned devices must reach all sysmem`;
  throw new MemoryError('EINVAL', sentence, {
    segment: segment.name,
    gpa: hex(gpa),
    length: hex(length),
    inTheWay: mapping,
  });
}
