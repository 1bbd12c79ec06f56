import { GiB, MiB } from '../base/units.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { gpa, type Gpa } from '../memory/address.ts';
import { MemoryError } from '../memory/memory-error.ts';
import type { Segment } from '../memory/segment.ts';
import type { Window } from '../memory/window.ts';
import { byteWide } from './byte-wide.ts';
import type { DeviceMemory } from './device-memory.ts';
import { queryTable } from './flash-query.ts';

/** What is erased at once: a page, since OVMF's variables are laid out so. */
export const FLASH_BLOCK = 4096;
const LARGEST = 16 * MiB;
/** Bytes of the write buffer. */
const BUFFER = 32;
const ERASED = 0xff;
const ERASED_BLOCK: Uint8Array = new Uint8Array(FLASH_BLOCK).fill(ERASED);

/** The first cycle of each command (Intel 28F320J3 data sheet, table of command bus cycles). */
const COMMAND = {
  program: 0x10,
  erase: 0x20,
  programAlternate: 0x40,
  clearStatus: 0x50,
  readStatus: 0x70,
  readIdentity: 0x90,
  readQuery: 0x98,
  confirm: 0xd0,
  bufferedProgram: 0xe8,
  readArray: 0xff,
} as const;

/** Status register. */
const STATUS = { ready: 0x80, eraseError: 0x20, programError: 0x10, locked: 0x02 } as const;
const SEQUENCE_ERROR = STATUS.eraseError | STATUS.programError;

/** Manufacturer (Intel) and device. */
const IDENTITY: readonly number[] = [0x89, 0x18];
/** Offset in each block of the byte that says whether it is locked. */
const BLOCK_LOCK = 2;

/** What reads show. */
const SHOWS = { array: 0, status: 1, identity: 2, query: 3 } as const;

const SHOWN_BY: ReadonlyMap<number, number> = new Map([
  [COMMAND.readArray, SHOWS.array],
  [COMMAND.readStatus, SHOWS.status],
  [COMMAND.readIdentity, SHOWS.identity],
  [COMMAND.readQuery, SHOWS.query],
]);

/** What a write is taken for. */
const CYCLE = { command: 0, program: 1, erase: 2, bufferLength: 3, bufferData: 4, bufferConfirm: 5 } as const;

const FOLLOWS: ReadonlyMap<number, number> = new Map([
  [COMMAND.program, CYCLE.program],
  [COMMAND.programAlternate, CYCLE.program],
  [COMMAND.erase, CYCLE.erase],
  [COMMAND.bufferedProgram, CYCLE.bufferLength],
]);

const NOWHERE = -1;

/** The image cannot be in a flash chip that ends there. */
export class FlashError extends Error {
  override readonly name = 'FlashError';
  readonly code = 'EINVAL';
  readonly facts: { readonly length: number; readonly end: number };

  constructor(name: string, facts: { length: number; end: number }) {
    super(
      `${facts.length} bytes of flash '${name}' are refused: they must be a multiple of ${FLASH_BLOCK}, ` +
        `at least ${FLASH_BLOCK}, and all flash at most ${LARGEST}`,
    );
    this.facts = facts;
  }
}

export interface FlashOptions {
  readonly memory: DeviceMemory;
  /** Of the segment that is the chip's array. */
  readonly name: string;
  readonly image: Uint8Array;
  /** Where the chip ends: at 4 GiB, or where the one above it begins. */
  readonly end: number;
  /** How the array is shown: `r-x` if code is in it. */
  readonly prot: 'r--' | 'r-x';
  /** Whether the write-protect pin makes each command fail that would change the array. */
  readonly writeProtected: boolean;
  /** Told after each command that has changed the array, which it is given. */
  readonly changed?: (array: Uint8Array) => void;
}

/**
 * A parallel flash chip, eight bits wide, with Intel's command set. Its array is a devmem segment. While the chip shows
 * the array the segment is mapped, so that reads and fetches cost what those of RAM cost; writes, which the mapping
 * refuses, arrive at `handler` and are commands. A command that makes the chip show something else takes the mapping
 * out, and reads arrive at `handler`, too, until "read array".
 *
 * Programming only clears bits; erasing sets all those of a block. Neither takes time, so there is nothing to suspend.
 * "Clear status" clears bit 7 too, "ready", until the next command that changes something, as it does in QEMU's chip: by
 * that OVMF tells flash from ROM.
 */
export class Flash {
  readonly segment: Segment;
  readonly start: Gpa;
  /** Belongs on the MMIO bus from `start` to the chip's end. */
  readonly handler: IoHandler;
  readonly #window: Window;
  readonly #writeProtected: boolean;
  readonly #changed: (array: Uint8Array) => void;
  readonly #query: Uint8Array;
  readonly #byte: Uint8Array = new Uint8Array(1);
  /** What the buffer was not given it leaves as it is: programming a 1 changes nothing. */
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER);
  /** Bytes that are still to come, and where the buffer goes. */
  #bufferLeft = 0;
  #bufferStart = NOWHERE;
  #shows: number = SHOWS.array;
  #status: number = STATUS.ready;
  /** What the next write is taken for. */
  #cycle: number = CYCLE.command;

  constructor(options: FlashOptions) {
    const { memory, name, image, end, prot, writeProtected, changed = () => {} } = options;
    const { length } = image;
    if (length === 0 || length % FLASH_BLOCK !== 0 || length > LARGEST - (4 * GiB - end)) {
      throw new FlashError(name, { length, end });
    }
    this.segment = memory.createSegment({ name, kind: 'devmem', length });
    this.segment.write(0, image);
    this.start = gpa(end - length);
    this.#window = memory.window(this.segment, { prot });
    this.#writeProtected = writeProtected;
    this.#changed = changed;
    this.#query = queryTable({ length, block: FLASH_BLOCK, buffer: BUFFER });
    this.handler = byteWide({
      readByte: (offset) => this.#read(offset),
      writeByte: (offset, value) => this.#write(offset, value),
    });
    this.reset();
  }

  /** As after power-on: ready, and the array is shown, which a reset of guest memory has taken out. */
  reset(): void {
    this.#cycle = CYCLE.command;
    this.#status = STATUS.ready;
    this.#show(SHOWS.array);
  }

  #read(offset: number): number {
    switch (this.#shows) {
      case SHOWS.status:
        return this.#status;
      case SHOWS.identity:
        return this.#identity(offset % FLASH_BLOCK);
      case SHOWS.query:
        return this.#query[offset] ?? 0;
      default:
        return this.segment.bytes[offset] ?? ERASED;
    }
  }

  #identity(offset: number): number {
    return offset === BLOCK_LOCK ? Number(this.#writeProtected) : (IDENTITY[offset] ?? 0);
  }

  #write(offset: number, value: number): void {
    switch (this.#cycle) {
      case CYCLE.command:
        return this.#command(value);
      case CYCLE.program:
        return this.#program(offset, value);
      case CYCLE.erase:
        return this.#erase(offset, value);
      case CYCLE.bufferLength:
        return this.#takeLength(value);
      case CYCLE.bufferData:
        return this.#fillBuffer(offset, value);
      default:
        return this.#programBuffer(value);
    }
  }

  /** The first cycle of a command. Those that do not exist do nothing. */
  #command(value: number): void {
    const shown = SHOWN_BY.get(value);
    if (shown !== undefined) return this.#show(shown);
    if (value === COMMAND.clearStatus) this.#status = 0;
    const cycle = FOLLOWS.get(value);
    if (cycle === undefined) return;
    // Of the buffer this says that it is free.
    if (cycle === CYCLE.bufferLength) this.#status |= STATUS.ready;
    this.#cycle = cycle;
    this.#show(SHOWS.status);
  }

  #program(offset: number, value: number): void {
    this.#byte[0] = (this.segment.bytes[offset] ?? ERASED) & value;
    this.#change(offset, this.#byte, STATUS.programError);
  }

  #erase(offset: number, value: number): void {
    if (value !== COMMAND.confirm) return this.#end(SEQUENCE_ERROR);
    this.#change(offset - (offset % FLASH_BLOCK), ERASED_BLOCK, STATUS.eraseError);
  }

  /** The number of bytes less one, which has to fit. */
  #takeLength(value: number): void {
    if (value >= BUFFER) return this.#end(SEQUENCE_ERROR);
    this.#bufferLeft = value + 1;
    this.#bufferStart = NOWHERE;
    this.#buffer.fill(ERASED);
    this.#cycle = CYCLE.bufferData;
  }

  /** The buffer goes to one aligned piece of the array; a byte for another ends the command. */
  #fillBuffer(offset: number, value: number): void {
    const start = offset - (offset % BUFFER);
    if (this.#bufferStart === NOWHERE) this.#bufferStart = start;
    if (this.#bufferStart !== start) return this.#end(SEQUENCE_ERROR);
    this.#buffer[offset % BUFFER] = value;
    this.#bufferLeft--;
    if (this.#bufferLeft === 0) this.#cycle = CYCLE.bufferConfirm;
  }

  #programBuffer(value: number): void {
    if (value !== COMMAND.confirm) return this.#end(SEQUENCE_ERROR);
    const start = this.#bufferStart;
    for (let i = 0; i < BUFFER; i++) this.#buffer[i]! &= this.segment.bytes[start + i]!;
    this.#change(start, this.#buffer, STATUS.programError);
  }

  /** Carries out the last cycle of a command. */
  #change(start: number, bytes: Uint8Array, errorWhenProtected: number): void {
    if (this.#writeProtected) return this.#end(STATUS.locked | errorWhenProtected);
    this.segment.write(start, bytes);
    this.#end(0);
    this.#changed(this.segment.bytes);
  }

  #end(errors: number): void {
    this.#status |= STATUS.ready | errors;
    this.#cycle = CYCLE.command;
  }

  /** Where the map cannot follow, the array is read through `handler`: slow, and right. */
  #show(what: number): void {
    this.#shows = what;
    try {
      if (what === SHOWS.array) this.#window.moveTo(this.start);
      else this.#window.hide();
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
    }
  }
}
