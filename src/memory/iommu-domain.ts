import { MappingRecord } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import type { Change, MapObserver } from './observers.ts';

/** The host's translation table for a passed-through device. */
export interface IommuTable {
  /** Shows the mapping's bytes to the device at its GPA. An entry that cannot be made throws and leaves nothing. */
  map(mapping: Mapping): void;
  unmap(mapping: Mapping): void;
}

/**
 * What a passed-through device can reach by DMA: exactly the wired sysmem mappings. It claims those that are there when
 * it is made, follows the map from then on, and lets go when it is disposed of. A claimed mapping has its `iommu` flag
 * set and cannot be unmapped.
 *
 * Missing still: attaching devices, a real table, and marking pages dirty that a device writes.
 */
export class IommuDomain implements MapObserver, Disposable {
  readonly #table: IommuTable;
  readonly #claimed: Set<MappingRecord> = new Set();
  readonly #ended: () => void;
  #subscription: Disposable | undefined;

  /** Made by `GuestMemory.iommuDomain` only. `observe` must replay; when an entry fails, nothing stays claimed. */
  constructor(table: IommuTable, observe: (observer: MapObserver) => Disposable, ended: () => void) {
    this.#table = table;
    this.#ended = ended;
    this.#subscription = observe(this);
  }

  /** What the device sees, in the order in which it came. */
  claimed(): Iterable<Mapping> {
    return this.#claimed.values();
  }

  changed({ removed, added }: Change): void {
    for (const mapping of removed) if (mapping instanceof MappingRecord) this.#release(mapping);
    const claimed: MappingRecord[] = [];
    try {
      for (const mapping of added) if (this.#claim(mapping)) claimed.push(mapping);
    } catch (error) {
      for (const mapping of claimed.reverse()) this.#release(mapping);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#subscription === undefined) return;
    this.#subscription[Symbol.dispose]();
    this.#subscription = undefined;
    for (const mapping of this.#claimed) this.#release(mapping);
    this.#ended();
  }

  #claim(mapping: Mapping): mapping is MappingRecord {
    if (!(mapping instanceof MappingRecord) || !mapping.wired || mapping.segment.kind !== 'sysmem') return false;
    this.#table.map(mapping);
    this.#claimed.add(mapping);
    mapping.iommu = true;
    return true;
  }

  #release(mapping: MappingRecord): void {
    if (!this.#claimed.delete(mapping)) return;
    mapping.iommu = false;
    this.#table.unmap(mapping);
  }
}
