import type { GapFacts, IommuFacts, MappingFacts, PlaceFacts, SegmentFacts } from '../../control/index.ts';
import {
  gpa as gpaOf,
  type Gpa,
  type GuestMemory,
  type Mapping,
  type Range,
  type Segment,
} from '../../memory/index.ts';

export function mappingFacts({ gpa, end, length, segment, offset, prot, wired, iommu }: Mapping): MappingFacts {
  return { gpa, end, length, segment: segment.name, kind: segment.kind, offset, prot, wired, iommu };
}

/** What the host's kernel does with the pages of all segments. */
export interface PageFacts {
  readonly wired: boolean;
  readonly core: boolean;
}

export function segmentFacts(memory: GuestMemory, segment: Segment, { wired, core }: PageFacts): SegmentFacts {
  const { id, name, kind, length } = segment;
  let mappings = 0;
  for (const _ of memory.mappingsOf(segment)) mappings++;
  return { id, name, kind, length, mappings, wired, core };
}

export function gapFacts({ start, end, length }: Range): GapFacts {
  return { start, end, length };
}

export function iommuFacts({ iommuDomain: domain }: GuestMemory): IommuFacts {
  if (domain === undefined) return { devices: [], faults: 0, latest: [] };
  return { devices: [...domain.devices()], faults: domain.faults, latest: [...domain.latestFaults()] };
}

export function placeFacts(memory: GuestMemory, gpa: Gpa): PlaceFacts {
  const mapping = memory.at(gpa);
  if (mapping === undefined) return { gpa, mapping: null, offset: null, gap: gapAround(memory, gpa) };
  return { gpa, mapping: mappingFacts(mapping), offset: gpa - mapping.gpa + mapping.offset, gap: null };
}

/**
 * Beyond the end of the address space there is no gap either. Where the gap begins is searched by halves, so that the cost
 * does not grow with the number of mappings.
 */
function gapAround(memory: GuestMemory, gpa: Gpa): GapFacts | null {
  const limit = 2 ** memory.addressBits;
  if (gpa >= limit) return null;
  let start: number = gpa;
  for (let taken = -1; start - taken > 1;) {
    const middle = Math.floor((start + taken) / 2);
    const isFree = first(memory.covering(gpaOf(middle), gpa - middle)) === undefined;
    if (isFree) start = middle;
    else taken = middle;
  }
  const end = first(memory.covering(gpa, limit - gpa))?.gpa ?? limit;
  return { start, end, length: end - start };
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}

export function* mapRows<T, Row>(items: Iterable<T>, row: (item: T) => Row): Generator<Row, void, void> {
  for (const item of items) yield row(item);
}
