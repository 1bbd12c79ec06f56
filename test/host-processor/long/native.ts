import koffi from 'koffi';
import { frame } from './frame.ts';
import { ALIAS, BATCH_LENGTH, BATCH_SIZE, LOW, PAGE, PAGES, pageOf, STRIDE, WORD } from './layout.ts';
import type { LongBatch } from './batch.ts';

const libc = koffi.load('libc.so.6');
type Mmap = (at: bigint, length: number, protection: number, flags: number, file: number, from: number) => unknown;
const mmap = libc.func('uint64_t mmap(uint64_t, size_t, int, int, int, int64_t)') as Mmap;
const memfdCreate = libc.func('int memfd_create(const char *, int)') as (name: string, flags: number) => number;
const ftruncate = libc.func('int ftruncate(int, int64_t)') as (file: number, length: number) => number;
const sigaction = libc.func('int sigaction(int, void *, void *)') as (
  signal: number,
  action: Uint8Array,
  old: Uint8Array,
) => number;
const sigaltstack = libc.func('int sigaltstack(void *, void *)') as (
  stack: Uint8Array,
  old: Uint8Array | null,
) => number;

const ENTRY = koffi.proto('int SkepLongEntry()');
const NONE = 0;
const ALL = 7;
const SHARED_FIXED = 0x11;
const SHARED = 0x01;
/** Private, anonymous, and nothing may be there yet. */
const RESERVE = 0x10_0022;

/** ILL, TRAP, BUS, FPE, SEGV. */
const SIGNALS = [4, 5, 7, 8, 11];
/** SA_SIGINFO, SA_ONSTACK, SA_NODEFER. */
const ACTION_FLAGS = 0x4800_0004;
/** sizeof(struct sigaction) with glibc: handler, 128 bytes of mask, flags, restorer. */
const ACTION_LENGTH = 152;
const SIGNAL_STACK = 0x4_0000;

function map(at: bigint, length: number, protection: number, flags: number, file = -1, from = 0): bigint {
  const mapped = BigInt(mmap(at, length, protection, flags, file, from) as number | bigint);
  if (at !== 0n && mapped !== at) throw new Error(`cannot map ${length} bytes at 0x${at.toString(16)}`);
  return mapped;
}

/** Maps the batch of a file at `start`, a hole behind each sequence's page. */
function mapBatch(file: number, start: bigint): void {
  map(start, PAGES + STRIDE * BATCH_SIZE, NONE, RESERVE);
  map(start, PAGES, ALL, SHARED_FIXED, file, 0);
  for (let index = 0; index < BATCH_SIZE; index++)
    map(start + BigInt(pageOf(index) - LOW), PAGE, ALL, SHARED_FIXED, file, PAGES + PAGE * index);
}

/** This machine's processor in 64-bit mode, with memory where a batch lies and signals caught while it runs. */
export class NativeLong {
  readonly #bytes: Uint8Array;
  readonly #enter: bigint;
  readonly #done: number;
  readonly #action: Uint8Array;

  constructor() {
    const file = memfdCreate('skep-batch', 0);
    ftruncate(file, BATCH_LENGTH);
    mapBatch(file, BigInt(LOW));
    mapBatch(file, BigInt(LOW) + ALIAS);
    this.#bytes = new Uint8Array(koffi.view(map(0n, BATCH_LENGTH, 3, SHARED, file), BATCH_LENGTH));
    const { at } = frame('native');
    this.#enter = BigInt(at('enter'));
    this.#done = at('done');
    this.#action = new Uint8Array(ACTION_LENGTH);
    const view = new DataView(this.#action.buffer);
    view.setBigUint64(0, BigInt(at('signal')), true);
    view.setInt32(136, ACTION_FLAGS, true);
    const stack = new DataView(new ArrayBuffer(24));
    stack.setBigUint64(0, map(0n, SIGNAL_STACK, 3, 0x22), true);
    stack.setBigUint64(16, BigInt(SIGNAL_STACK), true);
    sigaltstack(new Uint8Array(stack.buffer), null);
  }

  /** What memory holds after the batch has run. */
  run(batch: LongBatch): Uint8Array {
    this.#bytes.set(batch.bytes);
    this.#bytes.set(frame('native').bytes);
    const words = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    words.setBigUint64(WORD.done - LOW, BigInt(this.#done), true);
    const old = SIGNALS.map((signal) => {
      const before = new Uint8Array(ACTION_LENGTH);
      sigaction(signal, this.#action, before);
      return before;
    });
    try {
      koffi.call(this.#enter, ENTRY);
    } finally {
      for (const [index, signal] of SIGNALS.entries())
        sigaction(signal, old[index] ?? this.#action, new Uint8Array(ACTION_LENGTH));
    }
    return this.#bytes;
  }
}
