import { isExactRange } from './address.ts';
import type { MappingRecord } from './mapping.ts';
import type { PageStates } from './page-states.ts';
import { copy } from './segment.ts';

/** Mappings by address, as the processor finds them or as a device does. */
export interface MappedSpace {
  mappingAt(gpa: number): MappingRecord | undefined;
  readonly states: PageStates;
}

/** The first address of the range where nothing with this protection flag is mapped; none when all of it is. */
export function firstDenied(space: MappedSpace, gpa: number, length: number, flag: number): number | undefined {
  if (!isExactRange(gpa, 0)) return gpa;
  for (let address = gpa; address < gpa + length;) {
    const mapping = space.mappingAt(address);
    if (mapping === undefined || (mapping.flags & flag) === 0) return address;
    address = mapping.end;
  }
  return undefined;
}

/** Copies bytes out, across mappings. `firstDenied` has found none. */
export function copyOut(space: MappedSpace, gpa: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const mapping = space.mappingAt(gpa + done)!;
    const length = Math.min(target.length - done, mapping.end - gpa - done);
    copy(mapping.segment.bytes, gpa + done - mapping.gpa + mapping.offset, target, done, length);
    done += length;
  }
}

/** Copies bytes in, across mappings; dirty logs and code trackers hear. `firstDenied` has found none. */
export function copyIn(space: MappedSpace, gpa: number, source: Uint8Array): void {
  for (let done = 0; done < source.length;) {
    const mapping = space.mappingAt(gpa + done)!;
    const length = Math.min(source.length - done, mapping.end - gpa - done);
    const offset = gpa + done - mapping.gpa + mapping.offset;
    space.states.beforeWrite(mapping.segment, offset, length);
    copy(source, done, mapping.segment.bytes, offset, length);
    done += length;
  }
}
