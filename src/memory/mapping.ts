import type { Gpa } from './address.ts';
import { PROT_FLAGS } from './prot.ts';
import type { Prot } from './prot.ts';
import type { Segment, SegmentRecord } from './segment.ts';

/** A page-aligned slice of one segment, placed in guest-physical space. It never moves: a move makes another. */
export interface Mapping {
  readonly segment: Segment;
  readonly gpa: Gpa;
  /** Where in the segment the slice begins. */
  readonly offset: number;
  readonly length: number;
  /** The first address behind it. */
  readonly end: number;
  readonly prot: Prot;
  /** The bytes must stay where they are in host memory. */
  readonly wired: boolean;
  /** An IOMMU domain shows it to a device; it cannot be unmapped before the domain lets go. */
  readonly iommu: boolean;
}

/** The mapping as guest memory keeps it. */
export class MappingRecord implements Mapping {
  readonly segment: SegmentRecord;
  readonly gpa: Gpa;
  readonly offset: number;
  readonly length: number;
  readonly end: number;
  readonly prot: Prot;
  readonly wired: boolean;
  iommu = false;

  constructor(segment: SegmentRecord, gpa: Gpa, offset: number, length: number, prot: Prot, wired: boolean) {
    this.segment = segment;
    this.gpa = gpa;
    this.offset = offset;
    this.length = length;
    this.end = gpa + length;
    this.prot = prot;
    this.wired = wired;
  }

  /** The flag word of its pages when no feature adds to it. */
  get flags(): number {
    return PROT_FLAGS[this.prot];
  }

  toJSON(): object {
    const { segment, gpa, offset, length, prot, wired, iommu } = this;
    return { segment: segment.name, gpa, offset, length, prot, wired, iommu };
  }
}
