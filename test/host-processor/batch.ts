import { assemble } from '../../src/cpu/x86/assembler/index.ts';
import { Random } from '../random.ts';
import type { Difference } from './comparison.ts';
import { ARITHMETIC_FLAGS, undefinedFlagsAfter, type Group } from './group.ts';
import { randomSequence, type Area } from './sequence.ts';

/** Where both processors have a batch: below 2 GiB, above where the heap of a process may begin. */
export const BATCH_START = 0x7200_0000;
/** Sequences in a batch. */
export const BATCH_SIZE = 1024;

/*
 *     +0         code, a jump over the rest of the batch at its end
 *     RECORDS    64 bytes for each sequence: registers and flags before
 *     RESULTS    64 bytes for each: registers and flags after
 *     AREAS      1024 bytes for each: 512 of data, 512 of stack
 */
export const RECORDS: number = BATCH_START + 0x8_0000;
const RESULTS = RECORDS + 64 * BATCH_SIZE;
const AREAS = RESULTS + 64 * BATCH_SIZE;
export const BATCH_LENGTH: number = AREAS + 1024 * BATCH_SIZE - BATCH_START;

/** In the order that PUSHAD leaves them in memory, then flags and ESP. */
const RECORD = ['edi', 'esi', 'ebp', 'pushed esp', 'ebx', 'edx', 'ecx', 'eax', 'flags', 'esp'] as const;

const areaOf = (index: number): Area => ({ data: AREAS + 1024 * index });

const mix = (seed: number, number: number): number => Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number, 0x85eb_ca6b);

/** The sequence of a seed with this number, at a place of a batch. */
export function sequenceOf(seed: number, number: number, index: number): Group[] {
  return randomSequence(new Random(mix(seed, number)), areaOf(index));
}

/** Code and data of many sequences, ready to be copied to both processors. */
export class Batch {
  readonly bytes: Uint8Array = new Uint8Array(BATCH_LENGTH);
  readonly #view: DataView = new DataView(this.bytes.buffer);
  readonly #undefined: number[] = [];
  #end = 0;

  /** The sequences, with registers and memory that follow from the seed and each one's number. */
  constructor(sequences: readonly (readonly Group[])[], seed: number, first: number) {
    for (const [index, sequence] of sequences.entries()) {
      this.#undefined.push(undefinedFlagsAfter(sequence) ?? ARITHMETIC_FLAGS);
      this.#fillRecord(new Random(mix(seed + 1, first + index)), index);
      this.#put(frameOf(index).prologue);
      for (const { bytes } of sequence) this.#put(bytes);
      this.#put(frameOf(index).epilogue);
    }
  }

  /** Where the code ends, and what ends the run is to stand. */
  get end(): number {
    return BATCH_START + this.#end;
  }

  /** Compares what two processors made of the batch. */
  differences(ours: Uint8Array, theirs: Uint8Array): Difference[] {
    const found: Difference[] = [];
    for (const index of this.#undefined.keys()) {
      const what = this.#registers(index, ours, theirs) ?? memoryDifference(index, ours, theirs);
      if (what !== undefined) found.push({ index, what });
    }
    return found;
  }

  #put(bytes: readonly number[] | Uint8Array): void {
    this.bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #fillRecord(random: Random, index: number): void {
    const at = RECORDS - BATCH_START + 64 * index;
    for (let register = 0; register < 8; register++) this.#view.setUint32(at + 4 * register, random.value(), true);
    this.#view.setUint32(at + 32, (random.bits() & 0xcd5) | 0x202, true);
    this.#view.setUint32(at + 36, areaOf(index).data + 0x300, true);
    const area = areaOf(index).data - BATCH_START;
    for (let offset = 0; offset < 1024; offset += 4) this.#view.setUint32(area + offset, random.value(), true);
  }

  #registers(index: number, ours: Uint8Array, theirs: Uint8Array): string | undefined {
    const at = RESULTS - BATCH_START + 64 * index;
    const [a, b] = [viewOf(ours), viewOf(theirs)];
    for (const [field, name] of RECORD.entries()) {
      const mask = name === 'flags' ? 0xcd5 & ~(this.#undefined[index] ?? 0) : 0xffff_ffff;
      const [our, their] = [a.getUint32(at + 4 * field, true) & mask, b.getUint32(at + 4 * field, true) & mask];
      if (our !== their) return `${name} ${hex(our)} instead of ${hex(their)}`;
    }
    return undefined;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

function memoryDifference(index: number, ours: Uint8Array, theirs: Uint8Array): string | undefined {
  const start = areaOf(index).data - BATCH_START;
  for (let at = start; at < start + 1024; at++)
    if (ours[at] !== theirs[at])
      return `byte at area+${hex(at - start)} ${hex(ours[at] ?? 0)} instead of ${hex(theirs[at] ?? 0)}`;
  return undefined;
}

/** What stands around a sequence: loads its registers and flags, and stores them. */
interface SequenceFrame {
  readonly prologue: Uint8Array;
  readonly epilogue: Uint8Array;
}

const FRAMES: SequenceFrame[] = [];

function frameOf(index: number): SequenceFrame {
  const record = RECORDS + 64 * index;
  const result = RESULTS + 64 * index;
  const code = (source: string): Uint8Array => assemble(source, { bits: 32 }).bytes;
  return (FRAMES[index] ??= {
    prologue: code(`mov esp, ${record}\npopad\npopfd\nmov esp, [${record + 36}]`),
    epilogue: code(`mov [${result + 36}], esp\nmov esp, ${result + 36}\npushfd\npushad`),
  });
}
