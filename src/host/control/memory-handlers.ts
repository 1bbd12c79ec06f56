import { gpa as gpaOf, MemoryError, type GuestMemory, type Mapping, type Segment } from '../../memory/index.ts';
import { hex } from '../../base/hex.ts';
import { LIMITS } from '../../control/index.ts';
import { answerBytes } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Handlers } from './handler.ts';
import { gapFacts, iommuFacts, mapRows, mappingFacts, placeFacts, segmentFacts } from './memory-facts.ts';
import { badField, ProblemError } from './problem-error.ts';
import { readBytes } from './request.ts';

const PAGE = 4096;

function segmentNamed(memory: GuestMemory, name: string): Segment {
  const segment = memory.segment(name);
  if (segment !== undefined) return segment;
  throw badField('path', 'segment', `there is no segment ${JSON.stringify(name)}`, 'no-such-segment');
}

/** The length of a slice that lies in the segment. */
function checkSlice(segment: Segment, offset: number, length: number | undefined): number {
  const rest = segment.length - offset;
  const within = `segment ${segment.name} has ${hex(segment.length)} bytes`;
  if (rest < 0) throw badField('query', 'offset', `${hex(offset)} is past the end: ${within}`, 'range-not-satisfiable');
  if (length === undefined || length <= rest) return length ?? rest;
  const detail = `${hex(length)} bytes from ${hex(offset)} on pass the end: ${within}`;
  throw badField('query', 'length', detail, 'range-not-satisfiable');
}

/** Walks a range of guest-physical space, mapping by mapping, in the requests' share of time. */
async function checkBacked(
  { share }: Exchange,
  memory: GuestMemory,
  range: { gpa: number; length: number },
  access: 'r' | 'w',
): Promise<void> {
  const { gpa, length } = range;
  const mappings = memory.covering(gpaOf(gpa), length)[Symbol.iterator]();
  let covered = gpa;
  let more = length > 0;
  while (more) {
    more = await share.do(() => {
      for (let count = 0; count < LIMITS.rows; count++) {
        const { value: mapping } = mappings.next();
        if (mapping === undefined || mapping.gpa > covered) throw notBacked(covered, access, undefined);
        if (!mapping.prot.includes(access)) throw notBacked(Math.max(gpa, mapping.gpa), access, mapping);
        covered = mapping.end;
        if (covered >= gpa + length) return false;
      }
      return true;
    });
  }
}

function notBacked(gpa: number, access: 'r' | 'w', mapping: Mapping | undefined): ProblemError {
  const what = mapping === undefined ? 'nothing is mapped' : `${mapping.segment.name} is mapped ${mapping.prot}`;
  const detail = `${what} at ${hex(gpa)}, so it cannot be ${access === 'r' ? 'read' : 'written'} there`;
  return badField('path', 'gpa', detail, 'not-backed');
}

/** Pages that a run of bytes touches. */
function pagesOf(offset: number, length: number): number {
  return length === 0 ? 0 : Math.floor((offset + length - 1) / PAGE) - Math.floor(offset / PAGE) + 1;
}

type MemoryRoute =
  | 'map'
  | 'segments'
  | 'gaps'
  | 'iommu'
  | 'at'
  | 'readSegment'
  | 'writeSegment'
  | 'readGpa'
  | 'writeGpa'
  | 'codeWritten';

/** What is asked of guest memory. */
export const MEMORY_HANDLERS: Pick<Handlers, MemoryRoute> = {
  map: ({ machine: { memory } }) => mapRows(memory, mappingFacts),
  segments: ({ machine: { memory }, pages }) =>
    mapRows(memory.segments(), (segment) => segmentFacts(memory, segment, pages)),
  gaps: ({ machine: { memory } }) => mapRows(memory.gaps(), gapFacts),
  iommu: ({ machine: { memory } }) => iommuFacts(memory),
  at: ({ machine: { memory } }, { gpa }) => placeFacts(memory, gpaOf(gpa)),

  async readSegment({ machine: { memory } }, { segment: name, offset, length, format }, exchange) {
    const segment = segmentNamed(memory, name);
    const source = {
      length: checkSlice(segment, offset, length),
      read: (at: number, target: Uint8Array) => segment.read(offset + at, target),
    };
    await answerBytes(exchange, source, format);
  },

  async writeSegment({ machine: { memory } }, { segment: name, offset }, exchange) {
    const segment = segmentNamed(memory, name);
    checkSlice(segment, offset, undefined);
    let written = 0;
    const check = (length: number): void => void checkSlice(segment, offset + written, length);
    await readBytes(exchange, check, (bytes) => {
      check(bytes.length);
      segment.write(offset + written, bytes);
      written += bytes.length;
    });
    return { written };
  },

  async readGpa({ machine: { memory } }, { gpa, length, format }, exchange) {
    await checkBacked(exchange, memory, { gpa, length }, 'r');
    const read = (at: number, target: Uint8Array): void => {
      // The map may have changed since: the connection ends then, short of its Content-Length.
      if (!memory.read(gpaOf(gpa + at), target)) throw notBacked(gpa + at, 'r', memory.at(gpaOf(gpa + at)));
    };
    await answerBytes(exchange, { length, read }, format);
  },

  async writeGpa({ machine: { memory } }, { gpa }, exchange) {
    let written = 0;
    const check = (length: number): Promise<void> => checkBacked(exchange, memory, { gpa, length }, 'w');
    await readBytes(exchange, check, (bytes) => {
      const at = gpaOf(gpa + written);
      if (!memory.write(at, bytes)) throw notBacked(at, 'w', memory.at(at));
      written += bytes.length;
    });
    return { written };
  },

  async codeWritten({ machine: { memory } }, { body }, exchange) {
    const ranges = 'segment' in body ? [sliceWritten(memory, body)] : await slicesUnder(exchange, memory, body);
    let pages = 0;
    for (const { segment, offset, length } of ranges) {
      pages += pagesOf(offset, length);
      for (let done = 0; done < length && !exchange.response.destroyed; done += LIMITS.chunk) {
        const piece = { offset: offset + done, length: Math.min(LIMITS.chunk, length - done) };
        await exchange.share.do(() => memory.written(segment, piece));
      }
    }
    return { pages };
  },
};

interface Slice {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

function sliceWritten(
  memory: GuestMemory,
  { segment: name, offset, length }: { segment: string; offset: number; length: number },
): Slice {
  const segment = memory.segment(name);
  if (segment === undefined) {
    throw badField('body', 'segment', `there is no segment ${JSON.stringify(name)}`, 'no-such-segment');
  }
  const rest = segment.length - offset;
  if (length <= rest) return { segment, offset, length };
  const detail = `${hex(length)} bytes from ${hex(offset)} on pass the end of ${hex(segment.length)} bytes`;
  throw badField('body', rest < 0 ? 'offset' : 'length', detail, 'range-not-satisfiable');
}

/** The slices that the guest sees in a range. What is not mapped there is nobody's code. */
async function slicesUnder(
  { share }: Exchange,
  memory: GuestMemory,
  { gpa, length }: { gpa: number; length: number },
): Promise<Slice[]> {
  const end = gpa + length;
  const slices: Slice[] = [];
  const mappings = addressed(() => memory.covering(gpaOf(gpa), length))[Symbol.iterator]();
  for (let more = true; more;) {
    more = await share.do(() => {
      for (let count = 0; count < LIMITS.rows; count++) {
        const { value: mapping } = mappings.next();
        if (mapping === undefined) return false;
        const start = Math.max(gpa, mapping.gpa);
        const { segment } = mapping;
        slices.push({
          segment,
          offset: start - mapping.gpa + mapping.offset,
          length: Math.min(end, mapping.end) - start,
        });
      }
      return true;
    });
  }
  return slices;
}

/** An address in a body has no schema that knows how wide addresses are. */
function addressed<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof MemoryError) throw badField('body', 'gpa', error.message);
    throw error;
  }
}
