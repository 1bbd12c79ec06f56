import type { GapFacts, MappingFacts, PlaceFacts, SegmentFacts } from '../../control/index.ts';
import type { Gpa, GuestMemory, Mapping, Range, Segment } from '../../memory/index.ts';

export function mappingFacts({ gpa, end, length, segment, offset, prot, wired, iommu }: Mapping): MappingFacts {
  return { gpa, end, length, segment: segment.name, kind: segment.kind, offset, prot, wired, iommu };
}

export function segmentFacts(memory: GuestMemory, segment: Segment): SegmentFacts {
  const { id, name, kind, length } = segment;
  let mappings = 0;
  for (const _ of memory.mappingsOf(segment)) mappings++;
  return { id, name, kind, length, mappings };
}

export function gapFacts({ start, end, length }: Range): GapFacts {
  return { start, end, length };
}

export function placeFacts(memory: GuestMemory, gpa: Gpa): PlaceFacts {
  const mapping = memory.at(gpa);
  if (mapping === undefined) return { gpa, mapping: null, offset: null, gap: gapAround(memory, gpa) };
  return { gpa, mapping: mappingFacts(mapping), offset: gpa - mapping.gpa + mapping.offset, gap: null };
}

/** Beyond the end of the address space there is no gap either. */
function gapAround(memory: GuestMemory, gpa: Gpa): GapFacts | null {
  for (const gap of memory.gaps()) {
    if (gap.end > gpa) return gap.start <= gpa ? gapFacts(gap) : null;
  }
  return null;
}

export function* mapRows<T, Row>(items: Iterable<T>, row: (item: T) => Row): Generator<Row, void, void> {
  for (const item of items) yield row(item);
}
