import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../test/random.ts';
import { GiB, MiB } from '../base/units.ts';
import { allOnes, type AccessSize } from '../bus/io-handler.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from '../memory/index.ts';
import { Flash, FLASH_BLOCK, FlashError, type FlashOptions } from './flash.ts';

const BLOCKS = 4;
const LENGTH = BLOCKS * FLASH_BLOCK;
const START = 4 * GiB - LENGTH;
const SIZES: readonly AccessSize[] = [1, 2, 4];

/** A guest's access goes as engines route it: to the map, then to the bus. */
class Board {
  readonly memory: GuestMemory = new GuestMemory({ store: new HeapStore() });
  readonly mmio: MmioBus = new MmioBus();
  readonly flash: Flash;
  edits = 0;
  changes = 0;

  constructor(options: Partial<FlashOptions> = {}) {
    const image = new Uint8Array(LENGTH).map((_, i) => (i * 7) & 0xff);
    this.flash = new Flash({
      memory: this.memory,
      name: 'vars',
      image,
      end: 4 * GiB,
      prot: 'r--',
      writeProtected: false,
      changed: () => this.changes++,
      ...options,
    });
    const { start, segment, handler } = this.flash;
    this.mmio.register({ start, length: segment.length }, handler, 'flash');
    this.memory.observe({ changed: () => this.edits++ }, { replay: false });
  }

  read(offset: number, size: AccessSize = 1): number {
    const bytes = new Uint8Array(4);
    if (!this.memory.read(gpa(START + offset), bytes.subarray(0, size))) return this.mmio.read(START + offset, size);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  /** Each value a bus cycle of one byte. */
  write(offset: number, ...values: number[]): void {
    for (const value of values) {
      expect(this.memory.write(gpa(START + offset), Uint8Array.of(value))).toBe(false);
      this.mmio.write(START + offset, 1, value);
    }
  }

  /** What the status register says, and no more than that changes. */
  status(): number {
    this.write(0, 0x70);
    return this.read(LENGTH - 1);
  }

  get isMapped(): boolean {
    return this.memory.at(gpa(START)) !== undefined;
  }

  get array(): Uint8Array {
    return this.flash.segment.bytes;
  }
}

const byteAt = (offset: number): number => (offset * 7) & 0xff;

describe('after power-on', () => {
  test('the array is mapped where it ends at the place it was given, and reads are no accesses of the chip', () => {
    const board = new Board();
    expect([...board.memory]).toEqual([
      expect.objectContaining({ gpa: START, length: LENGTH, end: 4 * GiB, prot: 'r--', segment: board.flash.segment }),
    ]);
    for (const offset of [0, 1, FLASH_BLOCK, LENGTH - 1]) expect(board.read(offset)).toBe(byteAt(offset));
  });

  for (const length of [0, 1, FLASH_BLOCK - 1, FLASH_BLOCK + 1, 16 * MiB + FLASH_BLOCK]) {
    test(`an image of ${length} bytes is refused, and leaves no segment behind`, () => {
      const memory = new GuestMemory({ store: new HeapStore() });
      const image = new Uint8Array(length);
      const make = (): Flash =>
        new Flash({ memory, name: 'x', image, end: 4 * GiB, prot: 'r--', writeProtected: false });
      expect(make).toThrow(FlashError);
      expect([...memory.segments(), ...memory]).toEqual([]);
    });
  }

  test('a second chip may begin 16 MiB below 4 GiB and not below that', () => {
    const memory = new GuestMemory({ store: new HeapStore() });
    const end = 4 * GiB - 15 * MiB;
    const make = (length: number): Flash =>
      new Flash({ memory, name: 'x', image: new Uint8Array(length), end, prot: 'r--', writeProtected: false });
    expect(() => make(MiB + FLASH_BLOCK)).toThrow(FlashError);
    expect(make(MiB).start).toBe(4 * GiB - 16 * MiB);
  });
});

describe('a command that makes the chip show', () => {
  const SHOWN: readonly [string, number, (offset: number) => number][] = [
    ['its status', 0x70, () => 0x80],
    ['who it is', 0x90, (offset) => [0x89, 0x18, 0][offset % FLASH_BLOCK] ?? 0],
    [
      'the query table',
      0x98,
      (offset) => (offset === 0x10 ? 0x51 : offset === 0x11 ? 0x52 : offset === 0x12 ? 0x59 : -1),
    ],
  ];
  for (const [what, command, expected] of SHOWN) {
    test(`${what} takes the array out of the map in one edit, and "read array" puts it back in another`, () => {
      const board = new Board();
      board.write(FLASH_BLOCK + 5, command);
      expect([board.isMapped, board.edits]).toEqual([false, 1]);
      board.write(7, command);
      expect(board.edits).toBe(1);
      for (const offset of [0, 1, 2, 0x10, 0x11, 0x12, FLASH_BLOCK, LENGTH - 1]) {
        const value = expected(offset);
        if (value >= 0) expect(board.read(offset)).toBe(value);
      }
      board.write(9, 0xff);
      expect([board.isMapped, board.edits, board.read(3)]).toEqual([true, 2, byteAt(3)]);
      board.write(9, 0xff);
      expect([board.edits, board.changes]).toEqual([2, 0]);
    });
  }

  test('status shows it in each byte of a wider read, at any offset', () => {
    const board = new Board();
    board.write(0, 0x70);
    expect([board.read(1, 1), board.read(2, 2), board.read(LENGTH - 4, 4)]).toEqual([0x80, 0x8080, 0x8080_8080]);
  });

  test('the query table says what the chip is by JEDEC’s standard', () => {
    const board = new Board();
    board.write(0x55, 0x98);
    const word = (offset: number): number => board.read(offset) | (board.read(offset + 1) << 8);
    expect(String.fromCharCode(board.read(0x10), board.read(0x11), board.read(0x12))).toBe('QRY');
    expect(word(0x13)).toBe(1);
    expect(2 ** board.read(0x27)).toBe(LENGTH);
    expect(word(0x28)).toBe(0);
    expect(2 ** word(0x2a)).toBe(32);
    expect([board.read(0x2c), word(0x2d), word(0x2f) * 256]).toEqual([1, BLOCKS - 1, FLASH_BLOCK]);
    const extension = word(0x15);
    expect(String.fromCharCode(...[0, 1, 2].map((i) => board.read(extension + i)))).toBe('PRI');
    expect([board.read(0), board.read(0x100), board.read(LENGTH - 1)]).toEqual([0, 0, 0]);
  });
});

describe('a command that does not exist', () => {
  test('does nothing, be it any of the others, and wide writes are bytes one by one', () => {
    const known = new Set([0x10, 0x20, 0x40, 0x70, 0x90, 0x98, 0xe8]);
    const board = new Board();
    for (let value = 0; value < 0x100; value++) if (!known.has(value)) board.write(value, value);
    expect([board.edits, board.changes, board.read(5)]).toEqual([0, 0, byteAt(5)]);
    // "Program" at 0 and its data at 1.
    board.mmio.write(START, 2, 0x0010);
    expect([board.array[0], board.array[1], board.changes]).toEqual([byteAt(0), 0, 1]);
  });
});

describe('programming', () => {
  for (const command of [0x10, 0x40]) {
    test(`a byte by ${command.toString(16)}h clears bits and sets none, for every old and new byte`, () => {
      const board = new Board();
      for (let old = 0; old < 0x100; old++) {
        for (let value = 0; value < 0x100; value++) {
          board.array[old] = old;
          board.mmio.write(START + value, 1, command);
          board.mmio.write(START + old, 1, value);
          if (board.array[old] !== (old & value)) throw new Error(`${old} became ${board.array[old]} by ${value}`);
        }
      }
      expect([board.changes, board.status()]).toEqual([0x1_0000, 0x80]);
    });
  }

  test('is told after each byte, shows the status, and is one edit for a row of bytes', () => {
    const board = new Board();
    for (let offset = 0; offset < 100; offset++) board.write(offset, 0x10, 0);
    expect([board.edits, board.changes, board.read(0)]).toEqual([1, 100, 0x80]);
    board.write(99, 0xff);
    expect([board.edits, board.read(99), board.read(100)]).toEqual([2, 0, byteAt(100)]);
  });

  test('is seen by a dirty log of the array', () => {
    const board = new Board();
    const log = board.memory.dirtyLog(board.flash.segment);
    log.start();
    board.write(2 * FLASH_BLOCK, 0x10, 0);
    expect([...log.take().pages]).toEqual([2]);
  });
});

describe('erasing', () => {
  test('sets every bit of the block and none beside it', () => {
    for (const offset of [FLASH_BLOCK, FLASH_BLOCK + 1, 2 * FLASH_BLOCK - 1]) {
      const board = new Board();
      board.write(offset, 0x20, 0xd0);
      expect(board.array.subarray(FLASH_BLOCK, 2 * FLASH_BLOCK).every((byte) => byte === 0xff)).toBe(true);
      expect([board.array[FLASH_BLOCK - 1], board.array[2 * FLASH_BLOCK]]).toEqual([byteAt(-1), byteAt(0)]);
      expect([board.changes, board.read(0)]).toEqual([1, 0x80]);
    }
  });

  test('needs its confirmation: any other byte is a command sequence error, which stays until it is cleared', () => {
    for (let value = 0; value < 0x100; value++) {
      if (value === 0xd0) continue;
      const board = new Board();
      board.write(0, 0x20, value);
      expect([board.changes, board.read(0)]).toEqual([0, 0xb0]);
      board.write(0, 0x10, byteAt(0));
      expect(board.status()).toBe(0xb0);
      board.write(0, 0x50);
      expect(board.status()).toBe(0);
      board.write(0, 0x10, byteAt(0));
      expect(board.status()).toBe(0x80);
    }
  });
});

describe('a buffered program', () => {
  const send = (board: Board, at: number, bytes: readonly number[]): void => {
    board.write(at, 0xe8);
    expect(board.read(at)).toBe(0x80);
    board.write(at, bytes.length - 1);
    bytes.forEach((byte, i) => board.write(at + i, byte));
  };

  for (const length of [1, 2, 31, 32]) {
    test(`of ${length} bytes changes nothing before its confirmation, then all of them at once`, () => {
      const board = new Board();
      const before = board.array.slice();
      const at = 64 + 32 - length;
      send(board, at, Array<number>(length).fill(0x0f));
      expect([board.changes, Buffer.compare(board.array, before)]).toEqual([0, 0]);
      board.write(at, 0xd0);
      const after = before.map((byte, i) => (i >= at && i < at + length ? byte & 0x0f : byte));
      expect(Buffer.compare(board.array, after)).toBe(0);
      expect([board.changes, board.status()]).toEqual([1, 0x80]);
    });
  }

  const WRONG: readonly [string, (board: Board) => void][] = [
    ['of 33 bytes', (board) => board.write(0, 0xe8, 32)],
    ['that leaves its aligned piece', (board) => send(board, 31, [0, 0])],
    ['without confirmation', (board) => (send(board, 0, [0]), board.write(0, 0xff))],
  ];
  for (const [what, wrong] of WRONG) {
    test(`${what} is a command sequence error and changes nothing`, () => {
      const board = new Board();
      const before = board.array.slice();
      wrong(board);
      expect([board.changes, board.read(0), Buffer.compare(board.array, before)]).toEqual([0, 0xb0, 0]);
      board.write(0, 0xff);
      expect(board.read(1)).toBe(byteAt(1));
    });
  }
});

describe('a write-protected chip', () => {
  const REFUSED: readonly [string, readonly number[], number][] = [
    ['program', [0x10, 0], 0x92],
    ['erase', [0x20, 0xd0], 0xa2],
    ['buffered program', [0xe8, 0, 0, 0xd0], 0x92],
  ];
  for (const [what, cycles, status] of REFUSED) {
    test(`answers ${what} with an error and "locked", and keeps its array`, () => {
      const board = new Board({ writeProtected: true });
      const before = board.array.slice();
      board.write(0, ...cycles);
      expect([board.changes, board.read(0), Buffer.compare(board.array, before)]).toEqual([0, status, 0]);
    });
  }

  test('says of each block that it is locked', () => {
    const board = new Board({ writeProtected: true });
    board.write(0, 0x90);
    for (let block = 0; block < BLOCKS; block++) expect(board.read(block * FLASH_BLOCK + 2)).toBe(1);
  });
});

describe('a reset', () => {
  test('in the middle of any command shows the array again, keeps its bytes, and the chip is ready', () => {
    for (const cycles of [[0x70], [0x10], [0x20], [0xe8], [0xe8, 3], [0xe8, 0, 1], [0x20, 0], [0x50]]) {
      const board = new Board();
      const before = board.array.slice();
      board.write(0, ...cycles);
      board.memory.reset();
      board.flash.reset();
      expect([board.isMapped, board.read(5), Buffer.compare(board.array, before)]).toEqual([true, byteAt(5), 0]);
      expect(board.status()).toBe(0x80);
    }
  });
});

test('where the map cannot follow, the array is read over the bus', () => {
  const board = new Board();
  const refuse = board.memory.observe(
    {
      changed() {
        throw new MemoryError('ENOSPC', 'no slot is free');
      },
    },
    { replay: false },
  );
  board.write(0, 0x70);
  // Reads find the array while it cannot be taken out, and are answered when it is out and cannot come back.
  expect(board.read(4)).toBe(byteAt(4));
  board.write(0, 0xff);
  refuse[Symbol.dispose]();
  board.write(0, 0x70);
  using _again = board.memory.observe(
    {
      changed() {
        throw new MemoryError('ENOSPC', 'no slot is free');
      },
    },
    { replay: false },
  );
  board.write(0, 0xff);
  expect([board.isMapped, board.read(4), board.read(4, 4)]).toEqual([false, byteAt(4), 0x312a_231c]);
});

test(`no access throws, and bits are set in whole blocks alone, by whatever is written (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const board = new Board();
  const usual = [0x10, 0x20, 0x40, 0x50, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff, 0, 1, 31];
  let before = board.array.slice();
  for (let step = 0; step < 50_000; step++) {
    const size = SIZES[random.below(3)] ?? 1;
    const offset = random.below(2) === 0 ? random.below(64) : random.below(LENGTH);
    const value = random.below(4) === 0 ? random.bits() : (usual[random.below(usual.length)] ?? 0);
    board.mmio.write(START + offset, size, value);
    const answer = board.read(random.below(LENGTH - 4), size);
    if (!Number.isInteger(answer) || answer < 0 || answer > allOnes(size)) throw new Error(`${answer} at step ${step}`);
    if (step % 50 === 0) {
      for (let block = 0; block < BLOCKS; block++) {
        const range = [block * FLASH_BLOCK, (block + 1) * FLASH_BLOCK] as const;
        const now = board.array.subarray(...range);
        const then = before.subarray(...range);
        const wasErased =
          now.every((byte, i) => (byte & ~(then[i] ?? 0)) === 0) || now.filter((byte) => byte === 0xff).length > 3500;
        if (!wasErased) throw new Error(`block ${block} got bits by step ${step}`);
      }
      before = board.array.slice();
    }
  }
  expect(board.changes).toBeGreaterThan(0);
});
