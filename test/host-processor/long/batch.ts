import { Random } from '../../random.ts';
import type { Difference } from '../comparison.ts';
import { LEAVE } from './frame.ts';
import { placed, plain, type Group } from '../group.ts';
import { ALIAS, BATCH_LENGTH, CODE, IMAGE, LOW, PAGE, PAGES, pageOf, PART, SAVED, STRIDE, WORD } from './layout.ts';
import { randomSequence } from './sequence.ts';
import { fillPage } from './state.ts';

const mix = (seed: number, number: number): number => Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number, 0x85eb_ca6b);

/** The sequence of a seed with this number, at a place of a batch. */
export const sequenceOf = (seed: number, number: number, index: number): Group[] =>
  randomSequence({ random: new Random(mix(seed, number)), page: pageOf(index) });

const JUMP_TO_LEAVE = plain([0xe9, 0, 0, 0, 0], { relatives: [{ at: 1, end: 5, target: LEAVE }] });

/** Where a sequence's groups stand, and what becomes undefined. */
interface Laid {
  readonly ends: readonly number[];
  readonly groups: readonly Group[];
}

/** Code and data of many sequences, ready to be copied to both processors. */
export class LongBatch {
  readonly bytes: Uint8Array = new Uint8Array(BATCH_LENGTH);
  readonly #laid: Laid[] = [];
  #end = LOW + CODE;

  /** The sequences, with registers and memory that follow from the seed and each one's number. */
  constructor(sequences: readonly (readonly Group[])[], seed: number, first: number) {
    const view = new DataView(this.bytes.buffer);
    for (const [index, groups] of sequences.entries()) {
      const random = new Random(mix(seed + 1, first + index));
      const page = new DataView(this.bytes.buffer, PAGES + PAGE * index, PAGE);
      fillPage(page, random, { x87: random.once(2), rsp: pageOf(index) + PART.stack + 0x200 });
      page.setBigUint64(PART.entry, BigInt(this.#end) + (random.once(2) ? ALIAS : 0n), true);
      this.#laid.push(this.#lay(groups));
    }
    view.setBigUint64(WORD.current - LOW, BigInt(pageOf(0)), true);
    view.setBigUint64(WORD.end - LOW, BigInt(pageOf(0) + STRIDE * sequences.length), true);
    view.setUint32(WORD.mxcsr - LOW, 0x1f80, true);
  }

  #lay(groups: readonly Group[]): Laid {
    const ends = groups.map((group) => this.#put(placed(group, this.#end)));
    this.#put(placed(JUMP_TO_LEAVE, this.#end));
    return { ends, groups };
  }

  #put(bytes: Uint8Array): number {
    this.bytes.set(bytes, this.#end - LOW);
    return (this.#end += bytes.length);
  }

  /** Compares what two processors made of the batch. */
  differences(ours: Uint8Array, theirs: Uint8Array): Difference[] {
    const found: Difference[] = [];
    for (const [index, laid] of this.#laid.entries()) {
      const page = (bytes: Uint8Array): DataView =>
        new DataView(bytes.buffer, bytes.byteOffset + PAGES + PAGE * index, PAGE);
      const what = difference(laid, page(ours), page(theirs));
      if (what !== undefined) found.push({ index, what });
    }
    return found;
  }

  /** Whether a sequence ended with an exception, by what memory holds after the batch. */
  static exceptionOf(bytes: Uint8Array, index: number): number | undefined {
    const vector = bytes[PAGES + PAGE * index + PART.exception] ?? 0;
    return vector === 0 ? undefined : vector - 1;
  }
}

/** Flags that are undefined where a sequence ended: at its end, or in the group that raised an exception. */
function undefinedAt({ ends, groups }: Laid, exception: number, rip: number): number {
  let flags = 0;
  for (const [index, { undefinedAfter, undefinedInside }] of groups.entries()) {
    const after = undefinedAfter(flags);
    // An exception may leave the flags of the instruction that raises it as before or after.
    if (exception !== 0 && rip < (ends[index] ?? 0)) return flags | after | undefinedInside;
    flags = after;
  }
  return flags;
}

const [FLAGS, FSW, FOP] = [PART.after + PART.saved, PART.after + IMAGE.fsw, PART.after + IMAGE.fop];
const ALL_FLAGS = 0xcd5;
const PAGE_FAULT = 15;
/** In the status word: an exception that is not masked waits. */
const WAITING = 0x80;

/** Bits of each word of a page that are compared after a sequence, but for what `difference` decides. */
function comparedBits(): Uint32Array {
  const mask = new Uint32Array(PAGE / 4).fill(~0);
  mask.fill(0, 0, PART.after / 4);
  mask.fill(0, (PART.exception + 24) / 4, PART.stack / 4);
  mask[(PART.after + IMAGE.mask) / 4] = 0xffff;
  return mask;
}

const COMPARED: Uint32Array = comparedBits();
const scratch = new Uint32Array(PAGE / 4);

/** The same with what this sequence leaves undefined left out. */
function compared(laid: Laid, theirs: DataView): Uint32Array {
  const mask = scratch;
  mask.set(COMPARED);
  const exception = theirs.getUint32(PART.exception, true);
  mask[FLAGS / 4] = ALL_FLAGS & ~undefinedAt(laid, exception, theirs.getUint32(PART.exception + 16, true));
  if (exception === PAGE_FAULT) mask.fill(~0, (PART.exception + 24) / 4, (PART.exception + 32) / 4);
  // AMD's processors say where the last x87 instruction and its operand were only while an exception waits.
  if ((theirs.getUint16(FSW, true) & WAITING) !== 0) return mask;
  mask[(FOP - 2) / 4] = 0xffff;
  return mask.fill(0, (PART.after + IMAGE.fip) / 4, (PART.after + IMAGE.mxcsr) / 4);
}

/** What lies at an offset of a page. */
const NAMES: readonly (readonly [start: number, name: string])[] = [
  ...Object.entries(IMAGE).map(([name, at]) => [PART.after + at, name] as const),
  ...Array.from({ length: 8 }, (_, index) => [PART.after + IMAGE.st + 16 * index, `st${index}`] as const),
  ...Array.from({ length: 16 }, (_, index) => [PART.after + IMAGE.xmm + 16 * index, `xmm${index}`] as const),
  ...['flags', ...SAVED].map((name, index) => [FLAGS + 8 * index, name] as const),
  ...['exception', 'error code', 'rip', 'cr2'].map((name, index) => [PART.exception + 8 * index, name] as const),
  [PART.stack, 'stack'],
  [PART.data, 'data'],
];

function nameOf(offset: number): string {
  const [start, name] = NAMES.reduce((best, next) => (next[0] <= offset && next[0] >= best[0] ? next : best));
  return start === offset ? name : `${name}+0x${(offset - start).toString(16)}`;
}

function difference(laid: Laid, ours: DataView, theirs: DataView): string | undefined {
  const mask = compared(laid, theirs);
  // What exception there was says most.
  for (const start of [PART.exception, PART.after])
    for (let at = start; at < PAGE; at += 4) {
      const bits = mask[at / 4] ?? 0;
      const [our, their] = [ours.getUint32(at, true) & bits, theirs.getUint32(at, true) & bits];
      if (our !== their)
        return `${nameOf(at)} 0x${(our >>> 0).toString(16)} instead of 0x${(their >>> 0).toString(16)}`;
    }
  return undefined;
}
