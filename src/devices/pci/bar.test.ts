import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { GiB, KiB, MiB } from '../../base/units.ts';
import type { AccessSize, IoHandler } from '../../bus/io-handler.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from '../../memory/index.ts';
import type { BarBacking, BarDescription, BarType } from './bar.ts';
import { PciFunction } from './pci-function.ts';
import { Placement, type Waiting } from './placement.ts';
import { TrappedRange } from './trapped-range.ts';

const COMMAND = 0x04;
const IO = 1;
const MEMORY = 2;
const RAM = 16 * MiB;
const ROM_START = 4 * GiB - 256 * KiB;
const HIGH_WINDOW = { start: 64 * GiB, end: 128 * GiB - 512 * KiB };
/** Somewhere free in each space. */
const PLACE = { io: 0xc000, mem32: 0xfd00_0000, mem64: 0x10_fd00_0000, rom: 0xfe00_0000 } as const;
const ALL_ONES = 0xffff_ffff;
const PRETTY_LONG = 1 * MiB;

class Board {
  readonly memory: GuestMemory = new GuestMemory({ store: new HeapStore(), addressBits: 40 });
  readonly mmio: MmioBus = new MmioBus();
  readonly portBus: PortBus = new PortBus();
  readonly spaces = {
    memory: new Placement({
      bus: this.mmio,
      memory: this.memory,
      windows: [{ start: RAM, end: ROM_START }, HIGH_WINDOW],
    }),
    ports: new Placement({ bus: this.portBus, windows: [{ start: 0x100, end: 0x1_0000 }] }),
  };
  #made = 0;

  constructor() {
    const ram = this.memory.createSegment({ name: 'ram', kind: 'sysmem', length: RAM });
    this.memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    const rom = this.memory.createSegment({ name: 'bootrom', kind: 'devmem', length: 256 * KiB });
    this.memory.map({ segment: rom, gpa: gpa(ROM_START), prot: 'r-x' });
  }

  function(bars: readonly BarDescription[]): PciFunction {
    const identity = { vendor: 0x1af4, device: 0x1000, classCode: 0xff0000 };
    return new PciFunction({ name: `f${this.#made++}`, identity, bars, spaces: this.spaces });
  }

  /** One function with one BAR of the kind. */
  bar(kind: Kind, length: number): PciFunction {
    const index = kind.type === 'rom' ? {} : { index: 0 };
    return this.function([{ ...index, type: kind.type, length, backing: this.backing(kind.backing, length) }]);
  }

  backing(kind: Kind['backing'], length: number): BarBacking {
    if (kind === 'handler') return { handler: new Answer(this.#made) };
    const segmentLength = Math.max(4096, length);
    const name = `devmem${this.#made}`;
    const segment = this.memory.createSegment({ name, kind: 'devmem', length: segmentLength });
    segment.bytes.fill(this.#made + 1);
    return { window: this.memory.window(segment, { prot: 'rw-' }), writable: true };
  }

  /** Devmem mappings but the boot ROM's, as text. */
  map(): string[] {
    return [...this.memory]
      .filter(({ segment }) => segment.kind === 'devmem' && segment.name !== 'bootrom')
      .map(({ segment, gpa: start }) => `${segment.name}@${start.toString(16)}`);
  }

  claims(): string[] {
    return [...this.mmio.claims(), ...this.portBus.claims()].map(
      ({ start, value }) => `${value.name}@${start.toString(16)}`,
    );
  }

  /** A guest's load, as engines route it. */
  load(address: number, size: AccessSize): number {
    const bytes = new Uint8Array(4);
    if (!this.memory.read(gpa(address), bytes.subarray(0, size))) return this.mmio.read(address, size);
    return new DataView(bytes.buffer).getUint32(0, true);
  }
}

/** Answers with who it is, plus one. */
class Answer implements IoHandler {
  readonly #value: number;
  constructor(value: number) {
    this.#value = value + 1;
  }
  read(): number {
    return this.#value;
  }
  write(): void {}
}

interface Kind {
  readonly type: BarType;
  readonly backing: 'window' | 'handler';
}

const KINDS: readonly Kind[] = (['io', 'mem32', 'mem64', 'rom'] as const).flatMap((type): Kind[] =>
  (type === 'io' ? (['handler'] as const) : (['window', 'handler'] as const)).map((backing) => ({ type, backing })),
);
const MEMORY_KINDS = KINDS.filter(({ type }) => type !== 'io');

function registerOf(type: BarType): number {
  return type === 'rom' ? 0x30 : 0x10;
}

/** Programs a BAR as firmware does, with decode as it is. */
function program({ config }: PciFunction, type: BarType, address: number, register = registerOf(type)): void {
  const enable = type === 'rom' ? 1 : 0;
  config.write(register, 4, (address % (4 * GiB)) + enable);
  if (type === 'mem64') config.write(register + 4, 4, Math.floor(address / (4 * GiB)));
}

function decode({ config }: PciFunction, on = true): void {
  config.write(COMMAND, 2, on ? IO | MEMORY : 0);
}

function placeOf(what: PciFunction, index = 0): number | undefined {
  return what.bars[index]?.place;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}

function pair<A, B>([first, second]: readonly [A, A], make: (from: A) => B): readonly [B, B] {
  return [make(first), make(second)];
}

function couldBePlaced(board: Board, type: BarType, start: number, length: number): boolean {
  const space = type === 'io' ? board.spaces.ports : board.spaces.memory;
  const legal = space.windows.some((window) => start >= window.start && start + length <= window.end);
  return legal && space.isFree(start, length);
}

function checkPlaces(board: Board, functions: readonly PciFunction[]): void {
  for (const { config, bars } of functions) {
    for (const bar of bars) {
      const decoded = (config.peek(COMMAND, 2) & (bar.type === 'io' ? IO : MEMORY)) !== 0;
      const enabled = decoded && (bar.type !== 'rom' || (config.peek(0x30, 1) & 1) !== 0);
      if (bar.place !== undefined) expect([enabled, bar.place]).toEqual([true, bar.address]);
      else if (enabled) expect(couldBePlaced(board, bar.type, bar.address, bar.length)).toBe(false);
    }
  }
  const placed = functions.flatMap(({ bars }) => bars.filter((bar) => bar.place !== undefined));
  expect(board.map().length + board.claims().length).toBe(placed.length);
}

function text(mappings: readonly { gpa: number }[]): string {
  return mappings.map((mapping) => mapping.gpa.toString(16)).join();
}

/** A window that has a legal place, and everything that observers of guest memory are told. */
function mapped(type: 'mem32' | 'mem64' = 'mem32') {
  const board = new Board();
  const bar = board.bar({ type, backing: 'window' }, 64 * KiB);
  decode(bar);
  program(bar, type, PLACE[type]);
  const changes: string[] = [];
  const changed = (change: Parameters<Parameters<GuestMemory['observe']>[0]['changed']>[0]): void =>
    void changes.push(`${text(change.removed)}>${text(change.added)}`);
  board.memory.observe({ changed }, { replay: false });
  return { board, bar, changes };
}

/** An observer whose table is full. */
function refuseMore(change: { added: readonly unknown[] }): void {
  if (change.added.length > 0) throw new MemoryError('ENOSPC', 'no slot is free');
}

describe('sizing', () => {
  test('a write of all ones reads back the size and the type, for every type and length', () => {
    const cases = [
      { type: 'io', fixed: 1, lengths: [4, 16, 256] },
      { type: 'mem32', fixed: 0, lengths: [16, 2048, 4096, PRETTY_LONG, 2 ** 31] },
      { type: 'mem64', fixed: 4, lengths: [16, 2048, 4096, PRETTY_LONG, 2 ** 31, 2 ** 32, 2 ** 34] },
      { type: 'rom', fixed: 1, lengths: [2048, 4096, PRETTY_LONG] },
    ] as const;
    for (const { type, fixed, lengths } of cases) {
      for (const length of lengths) {
        const { config } = new Board().bar({ type, backing: 'handler' }, length);
        config.write(registerOf(type), 4, ALL_ONES);
        const expected = 2n ** 64n - BigInt(length);
        const low = Number(expected & 0xffff_ffffn) + fixed;
        expect(config.read(registerOf(type), 4), `${type} ${length}`).toBe(low);
        if (type !== 'mem64') continue;
        config.write(registerOf(type) + 4, 4, ALL_ONES);
        expect(config.read(registerOf(type) + 4, 4)).toBe(Number(expected >> 32n));
      }
    }
  });

  test('before anybody writes it a BAR reads as its type, at address 0', () => {
    for (const [type, value] of [
      ['io', 1],
      ['mem32', 0],
      ['mem64', 4],
      ['rom', 0],
    ] as const) {
      const { config, bars } = new Board().bar({ type, backing: 'handler' }, 4096);
      expect([config.read(registerOf(type), 4), bars[0]?.address]).toEqual([value, 0]);
    }
  });

  test('a prefetchable BAR says so, and a guest cannot change the type bits', () => {
    const board = new Board();
    const backing: BarBacking = { handler: new Answer(0) };
    const { config } = board.function([{ index: 0, type: 'mem64', prefetchable: true, length: 4096, backing }]);
    config.write(0x10, 4, 0x0000_0000);
    expect(config.read(0x10, 4)).toBe(0xc);
    config.write(0x10, 1, 0xff);
    expect(config.read(0x10, 4)).toBe(0xc);
  });

  // spec 38: FreeBSD usr.sbin/bhyve/pci_emul.c: a sizing write with decoding on registers the range at ~0
  test('sizing while decoding hides the memory, maps nothing at an absurd address, and comes back with the address', () => {
    for (const kind of MEMORY_KINDS) {
      const board = new Board();
      const bar = board.bar(kind, 64 * KiB);
      decode(bar);
      program(bar, kind.type, PLACE[kind.type]);
      const before = [board.map(), board.claims()];
      const saved = bar.config.read(registerOf(kind.type), 4);
      bar.config.write(registerOf(kind.type), 4, ALL_ONES);
      if (kind.type !== 'mem64') expect([board.map(), board.claims()]).toEqual([[], []]);
      bar.config.write(registerOf(kind.type), 4, saved);
      expect([board.map(), board.claims()]).toEqual(before);
      expect(placeOf(bar)).toBe(PLACE[kind.type]);
    }
  });

  test('a 64-bit BAR sized in both halves while decoding, in either order, leaves nothing behind', () => {
    for (const order of [
      [0x10, 0x14],
      [0x14, 0x10],
    ]) {
      const board = new Board();
      const bar = board.bar({ type: 'mem64', backing: 'window' }, 64 * KiB);
      decode(bar);
      program(bar, 'mem64', PLACE.mem64);
      for (const register of order) bar.config.write(register, 4, ALL_ONES);
      expect(board.map()).toEqual([]);
      expect(board.spaces.memory.waiting).toHaveLength(1);
    }
  });
});

describe('placing', () => {
  test('a BAR appears when it has an address and is decoded, in either order, and the option ROM once it is enabled', () => {
    for (const kind of KINDS) {
      for (const decodeFirst of [false, true]) {
        const board = new Board();
        const bar = board.bar(kind, kind.type === 'io' ? 16 : 64 * KiB);
        if (decodeFirst) decode(bar);
        program(bar, kind.type, PLACE[kind.type]);
        if (!decodeFirst) {
          expect(placeOf(bar)).toBeUndefined();
          decode(bar);
        }
        expect(placeOf(bar), JSON.stringify(kind)).toBe(PLACE[kind.type]);
        const shown = kind.type === 'io' ? board.portBus.read(PLACE.io, 1) : board.load(PLACE[kind.type], 1);
        expect(shown).toBe(1);
        if (kind.type === 'rom') {
          bar.config.write(0x30, 1, 0);
          expect(placeOf(bar)).toBeUndefined();
        }
        decode(bar, false);
        expect([board.map(), board.claims()]).toEqual([[], []]);
      }
    }
  });

  test('each kind of decode bit controls its own kind of BAR', () => {
    for (const [command, memory, port] of [
      [0, undefined, undefined],
      [IO, undefined, PLACE.io],
      [MEMORY, PLACE.mem32, undefined],
      [IO | MEMORY, PLACE.mem32, PLACE.io],
    ] as const) {
      const board = new Board();
      const bars = board.function([
        { index: 0, type: 'mem32', length: 4096, backing: board.backing('handler', 4096) },
        { index: 1, type: 'io', length: 16, backing: board.backing('handler', 16) },
      ]);
      program(bars, 'mem32', PLACE.mem32);
      program(bars, 'io', PLACE.io, 0x14);
      bars.config.write(COMMAND, 2, command);
      expect([placeOf(bars, 0), placeOf(bars, 1)]).toEqual([memory, port]);
    }
  });

  test('a move while decoding follows the register and leaves the old place free', () => {
    for (const kind of KINDS) {
      const board = new Board();
      const bar = board.bar(kind, kind.type === 'io' ? 16 : 64 * KiB);
      decode(bar);
      for (const offset of [0, 0x10_0000, 0x20_0000, 0]) {
        const address = PLACE[kind.type] + (kind.type === 'io' ? offset / 0x1000 : offset);
        program(bar, kind.type, address);
        expect(placeOf(bar)).toBe(address);
        expect(board.map().length + board.claims().length).toBe(1);
      }
    }
  });

  test('a move with decode disabled changes nothing until decode comes back, and then all of it', () => {
    for (const kind of MEMORY_KINDS) {
      const board = new Board();
      const bar = board.bar(kind, 64 * KiB);
      decode(bar);
      program(bar, kind.type, PLACE[kind.type]);
      decode(bar, false);
      program(bar, kind.type, PLACE[kind.type] + MiB);
      expect([board.map(), board.claims(), placeOf(bar)]).toEqual([[], [], undefined]);
      decode(bar);
      expect(placeOf(bar)).toBe(PLACE[kind.type] + MiB);
    }
  });

  // spec 38: FreeBSD usr.sbin/bhyve/pci_emul.c: the address between the halves is really registered
  test('a 64-bit BAR written in halves arrives, whichever half comes first and whatever legal place lies between', () => {
    for (const lowFirst of [true, false]) {
      for (const from of [PLACE.mem32, PLACE.mem64]) {
        const board = new Board();
        const bar = board.bar({ type: 'mem64', backing: 'window' }, 64 * KiB);
        decode(bar);
        program(bar, 'mem64', from);
        const target = 0x11_8000_0000;
        const halves: [number, number][] = [
          [0x10, target % (4 * GiB)],
          [0x14, Math.floor(target / (4 * GiB))],
        ];
        for (const [register, value] of lowFirst ? halves : [...halves].reverse()) bar.config.write(register, 4, value);
        expect(board.map()).toEqual([`devmem0@${target.toString(16)}`]);
      }
    }
  });

  test('an address written byte by byte arrives', () => {
    const board = new Board();
    const bar = board.bar({ type: 'mem32', backing: 'window' }, 64 * KiB);
    decode(bar);
    for (let i = 0; i < 4; i++) bar.config.write(0x10 + i, 1, (PLACE.mem32 >>> (8 * i)) & 0xff);
    expect(placeOf(bar)).toBe(PLACE.mem32);
  });

  test('a reset of guest memory and of the function, in either order, forgets the address, and the BAR works again', () => {
    for (const memoryFirst of [true, false]) {
      for (const kind of MEMORY_KINDS) {
        const board = new Board();
        const bar = board.bar(kind, 64 * KiB);
        decode(bar);
        program(bar, kind.type, PLACE[kind.type]);
        if (memoryFirst) board.memory.reset();
        bar.reset();
        if (!memoryFirst) board.memory.reset();
        expect([board.map(), board.claims(), placeOf(bar)]).toEqual([[], [], undefined]);
        decode(bar);
        program(bar, kind.type, PLACE[kind.type]);
        expect(board.load(PLACE[kind.type], 1)).toBe(1);
      }
    }
  });
});

describe('an address that cannot be had', () => {
  const cases: readonly [string, Kind['type'], number][] = [
    ['in RAM', 'mem32', 1 * MiB],
    ['at 0', 'mem32', 0],
    ['partly in the boot ROM', 'mem32', 0xfff0_0000],
    ['in the gap between the windows', 'mem64', 32 * GiB],
    ['across the end of a window', 'mem64', 128 * GiB - 1 * MiB],
    ['beyond the width of guest-physical addresses', 'mem64', 2 ** 41],
    ['at the very top of 64 bits', 'mem64', 2 ** 64 - 2 ** 32],
    ['for an option ROM in RAM', 'rom', 8 * MiB],
    ['past the last port', 'io', 0x1_0000],
    ['in the ports of the board', 'io', 0x60],
  ];
  for (const [where, type, address] of cases) {
    test(`${where}: the register keeps it, nothing appears, and the next address works`, () => {
      const board = new Board();
      const length = type === 'io' ? 16 : 1 * MiB;
      const bar = board.bar({ type, backing: 'handler' }, length);
      decode(bar);
      program(bar, type, address);
      expect(bar.bars[0]?.address).toBe(address - (address % length));
      expect([placeOf(bar), board.claims()]).toEqual([undefined, []]);
      const space = type === 'io' ? board.spaces.ports : board.spaces.memory;
      expect(space.refusals).toBeGreaterThan(0);
      expect(space.waiting.map(({ what }) => what.name)).toEqual([bar.bars[0]?.name]);
      program(bar, type, PLACE[type]);
      expect(placeOf(bar)).toBe(PLACE[type]);
      expect(space.waiting).toEqual([]);
    });
  }

  test('a window that guest memory itself refuses stays hidden, and is placed once it can be', () => {
    const board = new Board();
    const foreign = board.memory.createSegment({ name: 'foreign', kind: 'sysmem', length: 4096 });
    const mapping = board.memory.map({ segment: foreign, gpa: gpa(PLACE.mem32 + 0x1000), prot: 'rwx' });
    for (const backing of ['window', 'handler'] as const) {
      const bar = board.bar({ type: 'mem32', backing }, 64 * KiB);
      decode(bar);
      program(bar, 'mem32', PLACE.mem32);
      expect(placeOf(bar)).toBeUndefined();
    }
    board.memory.unmap(mapping);
    board.spaces.memory.retry();
    expect(board.map()).toEqual([`devmem0@${PLACE.mem32.toString(16)}`]);
  });

  test('an observer without room for one more mapping keeps the BAR waiting, at first and on a move', () => {
    for (const placedBefore of [false, true]) {
      const board = new Board();
      const bar = board.bar({ type: 'mem32', backing: 'window' }, 64 * KiB);
      decode(bar);
      if (placedBefore) program(bar, 'mem32', PLACE.mem32 + MiB);
      const observer = board.memory.observe({ changed: refuseMore }, { replay: false });
      program(bar, 'mem32', PLACE.mem32);
      expect([board.map(), placeOf(bar), board.spaces.memory.waiting.length]).toEqual([[], undefined, 1]);
      observer[Symbol.dispose]();
      board.spaces.memory.retry();
      expect(board.map()).toEqual(['devmem0@fd000000']);
    }
  });

  test('a fixed device keeps its place: a BAR over it waits, whole', () => {
    for (const kind of MEMORY_KINDS) {
      const board = new Board();
      const ioapic = board.mmio.register({ start: 0xfec0_0000, length: 4096 }, new Answer(0x76), 'ioapic');
      const bar = board.bar(kind, 64 * KiB);
      decode(bar);
      program(bar, kind.type, 0xfec0_0000);
      expect(board.load(0xfec0_0000, 1)).toBe(0x77);
      expect(placeOf(bar)).toBeUndefined();
      ioapic[Symbol.dispose]();
      board.spaces.memory.retry();
      expect(placeOf(bar)).toBe(0xfec0_0000);
    }
  });
});

describe('two BARs at one address', () => {
  /** Ways in which a winner leaves. */
  const departures: readonly [string, (what: PciFunction, type: BarType) => void][] = [
    ['moves', (what, type) => program(what, type, PLACE[type] + 16 * MiB)],
    ['is switched off', (what) => decode(what, false)],
    ['is reset', (what) => what.reset()],
    ['is sized', (what, type) => what.config.write(registerOf(type), 4, ALL_ONES)],
  ];
  for (const [how, leave] of departures) {
    test(`who came first stays, and the other appears when the first ${how}`, () => {
      for (const first of MEMORY_KINDS) {
        for (const second of MEMORY_KINDS) {
          const board = new Board();
          const [winner, loser] = [board.bar(first, 64 * KiB), board.bar(second, 64 * KiB)];
          for (const [bar, { type }] of [
            [winner, first],
            [loser, second],
          ] as const) {
            decode(bar);
            program(bar, type, PLACE.mem32);
          }
          expect([placeOf(winner), placeOf(loser)]).toEqual([PLACE.mem32, undefined]);
          expect(board.load(PLACE.mem32, 1)).toBe(1);
          leave(winner, first.type);
          expect(placeOf(loser), JSON.stringify([first, second])).toBe(PLACE.mem32);
          expect(board.load(PLACE.mem32, 1)).toBe(2);
        }
      }
    });
  }

  // spec 37: FreeBSD usr.sbin/bhyve/mem.c: the second range is not registered, and unregister_mem asserts that it is
  test('the loser may leave first, and the winner never notices', () => {
    const board = new Board();
    const bars = [0, 1].map(() => board.bar({ type: 'mem32', backing: 'window' }, 64 * KiB));
    for (const bar of bars) {
      decode(bar);
      program(bar, 'mem32', PLACE.mem32);
    }
    program(at(bars, 1), 'mem32', PLACE.mem32 + MiB);
    expect(board.map()).toEqual(['devmem0@fd000000', 'devmem1@fd100000']);
    expect(board.spaces.memory.waiting).toEqual([]);
  });

  // spec peers 8: cloud-hypervisor 8572, pull request 8695: the BAR that moves was looked up by its address
  test('two BARs of one function at one address are told apart by index', () => {
    const board = new Board();
    const both = board.function(
      [0, 1].map((index) => ({ index, type: 'mem32', length: 4096, backing: board.backing('handler', 4096) })),
    );
    decode(both);
    for (const register of [0x10, 0x14]) program(both, 'mem32', PLACE.mem32, register);
    expect([placeOf(both, 0), placeOf(both, 1)]).toEqual([PLACE.mem32, undefined]);
    program(both, 'mem32', PLACE.mem32 + 4096, 0x10);
    expect([placeOf(both, 0), placeOf(both, 1)]).toEqual([PLACE.mem32 + 4096, PLACE.mem32]);
  });

  test('partial overlap counts: a small BAR inside a large one, and the large one over a small one', () => {
    for (const [first, second] of [
      [4 * KiB, 1 * MiB],
      [1 * MiB, 4 * KiB],
    ] as const) {
      const board = new Board();
      const [one, two] = pair([first, second], (length) => board.bar({ type: 'mem32', backing: 'window' }, length));
      for (const bar of [one, two]) {
        decode(bar);
        program(bar, 'mem32', PLACE.mem32);
      }
      expect([placeOf(one), placeOf(two)]).toEqual([PLACE.mem32, undefined]);
      decode(one, false);
      expect(placeOf(two)).toBe(PLACE.mem32);
    }
  });

  test('who has waited longest is served first, and swapping two BARs through each other works', () => {
    const board = new Board();
    const bars = [0, 1, 2].map(() => board.bar({ type: 'mem32', backing: 'window' }, 64 * KiB));
    for (const bar of bars) {
      decode(bar);
      program(bar, 'mem32', PLACE.mem32);
    }
    decode(at(bars, 0), false);
    expect(bars.map((bar) => placeOf(bar))).toEqual([undefined, PLACE.mem32, undefined]);
    program(at(bars, 2), 'mem32', PLACE.mem32 + MiB);
    program(at(bars, 1), 'mem32', PLACE.mem32 + MiB);
    program(at(bars, 2), 'mem32', PLACE.mem32);
    expect(bars.map((bar) => placeOf(bar))).toEqual([undefined, PLACE.mem32 + MiB, PLACE.mem32]);
  });
});

describe('what the placement says', () => {
  test('a refusal is told once, with who and where, and not again when the register is written with the same', () => {
    const bus = new MmioBus();
    const told: string[] = [];
    const refused = ({ what, start }: Waiting): void => void told.push(`${what.name} ${start.toString(16)}`);
    const memory = new Placement({ bus, windows: [{ start: 0x1000, end: 0x3000 }], refused });
    const [first, second] = pair(
      [0x1000, 0x2000],
      (length) => new TrappedRange(bus, length, new Answer(0), `r${length}`),
    );
    memory.want(first, 0x2000);
    memory.want(first, 0x2000);
    memory.want(second, 0x2000);
    memory.want(second, 0x2000);
    memory.want(first, 0x3000);
    expect(told).toEqual(['r8192 2000', 'r4096 3000']);
    expect([memory.refusals, memory.placeOf(first), memory.placeOf(second)]).toEqual([2, undefined, undefined]);
    memory.want(second, 0x1000);
    expect([memory.placeOf(second), memory.waiting.map(({ what }) => what.name)]).toEqual([0x1000, ['r4096']]);
  });

  test('the last byte of a window can be had, and the one behind it cannot', () => {
    const bus = new MmioBus();
    const memory = new Placement({ bus, windows: [{ start: 0x1000, end: 0x3000 }] });
    const range = new TrappedRange(bus, 0x1000, new Answer(0), 'range');
    for (const [start, place] of [
      [0x0fff, undefined],
      [0x1000, 0x1000],
      [0x2000, 0x2000],
      [0x2001, undefined],
    ] as const) {
      memory.want(range, start);
      expect(memory.placeOf(range)).toBe(place);
    }
  });
});

describe('a BAR that no device can have', () => {
  test.each<[string, Omit<BarDescription, 'backing'>]>([
    ['of no power of two', { index: 0, type: 'mem32', length: 48 }],
    ['of too few bytes', { index: 0, type: 'mem32', length: 8 }],
    ['of too few ports', { index: 0, type: 'io', length: 2 }],
    ['of 4 GiB in 32 bits', { index: 0, type: 'mem32', length: 2 ** 32 }],
    ['seventh of six', { index: 6, type: 'mem32', length: 4096 }],
    ['of 64 bits at the end', { index: 5, type: 'mem64', length: 4096 }],
    ['before the first', { index: -1, type: 'mem32', length: 4096 }],
    ['that is none of the six', { type: 'mem32', length: 4096 }],
    ['for a ROM that has its own', { index: 0, type: 'rom', length: 4096 }],
  ])('%s is a mistake of ours', (_what, description) => {
    const board = new Board();
    expect(() => board.function([{ ...description, backing: { handler: new Answer(0) } }])).toThrow(/f0/);
  });
});

describe('a BAR smaller than a page', () => {
  // spec 41: FreeBSD D52013: a BAR below a page was mapped, and its neighbours with it
  test('is trapped, never mapped, shows the segment, and shares its page with a neighbour', () => {
    const board = new Board();
    const bars = [0, 1].map(() => board.bar({ type: 'mem32', backing: 'window' }, 2048));
    for (const [i, bar] of bars.entries()) {
      decode(bar);
      program(bar, 'mem32', PLACE.mem32 + 2048 * i);
    }
    expect(board.map()).toEqual([]);
    expect(bars.map((bar) => placeOf(bar))).toEqual([PLACE.mem32, PLACE.mem32 + 2048]);
    expect(board.load(PLACE.mem32 + 2046, 4)).toBe(0x0202_0101);
    board.mmio.write(PLACE.mem32 + 2048, 4, 0x8877_6655);
    expect(board.load(PLACE.mem32 + 2049, 2)).toBe(0x7766);
  });

  // spec 42: FreeBSD rS348694 (D20523), D32359: a trapped table in a page that was mapped
  test('does not get a page that a mapped BAR has', () => {
    const board = new Board();
    const page = board.bar({ type: 'mem32', backing: 'window' }, 4096);
    const part = board.bar({ type: 'mem32', backing: 'window' }, 2048);
    for (const bar of [page, part]) {
      decode(bar);
      program(bar, 'mem32', PLACE.mem32);
    }
    expect([placeOf(page), placeOf(part)]).toEqual([PLACE.mem32, undefined]);
  });
});

describe('what went wrong in other monitors', () => {
  // spec peers 4: cloud-hypervisor 72, 326: BARs could not be reprogrammed
  test('a guest kernel that picks another address than the firmware gets the device there (cloud-hypervisor 72, 326)', () => {
    const { board, bar } = mapped();
    decode(bar, false);
    program(bar, 'mem32', ALL_ONES);
    program(bar, 'mem32', 0xd000_0000);
    decode(bar);
    expect([board.map(), board.load(0xd000_0000, 1)]).toEqual([['devmem0@d0000000'], 1]);
  });

  // spec peers 5: cloud-hypervisor pull request 2508, 1797, 1798: the move of a 64-bit BAR was detected wrongly
  test('a 64-bit BAR whose upper half alone changes moves (cloud-hypervisor 2508)', () => {
    const { board, bar } = mapped('mem64');
    bar.config.write(0x14, 4, 0x12);
    expect(board.map()).toEqual(['devmem0@12fd000000']);
  });

  // spec peers 6: cloud-hypervisor 7027, pull request 7053: VFIO's IOMMU mappings stayed at the old address
  test('those who follow the map, such as an IOMMU domain, are told a move once (cloud-hypervisor 7027)', () => {
    const { bar, changes } = mapped();
    program(bar, 'mem32', 0xd000_0000);
    expect(changes).toEqual(['fd000000>d0000000']);
  });

  // spec peers 7: cloud-hypervisor 7938, pull request 7950: move_bar failed after configuration space had changed
  test('an address outside the windows neither fails nor leaves register and map telling two stories (cloud-hypervisor 7938)', () => {
    const { board, bar, changes } = mapped();
    program(bar, 'mem32', 0x10_0000);
    expect([bar.config.read(0x10, 4), board.map(), changes]).toEqual([0x10_0000, [], ['fd000000>']]);
    program(bar, 'mem32', PLACE.mem32);
    expect(board.map()).toEqual(['devmem0@fd000000']);
  });

  // spec peers 9: firecracker pull requests 6069 to 6156: writes to BARs were dropped until August 2026
  test('a move is not dropped silently (firecracker 6069)', () => {
    const { board, bar } = mapped();
    const old = board.load(PLACE.mem32, 1);
    program(bar, 'mem32', PLACE.mem32 + MiB);
    expect([old, board.load(PLACE.mem32, 1), board.load(PLACE.mem32 + MiB, 1)]).toEqual([1, 0xff, 1]);
  });

  // spec 36: FreeBSD usr.sbin/bhyve/pci_fbuf.c: an address that could not be mapped was remembered and unmapped later
  test('a map that failed is not remembered as made: hiding it afterwards is harmless (bhyve fbuf)', () => {
    const { board, bar } = mapped();
    const other = board.bar({ type: 'mem32', backing: 'window' }, 64 * KiB);
    decode(other);
    program(other, 'mem32', PLACE.mem32);
    decode(other, false);
    decode(bar, false);
    expect([board.map(), board.spaces.memory.waiting]).toEqual([[], []]);
  });

  // spec peers 17: unicorn.js 21: the wrapper cut 48-bit addresses to 32
  test('an address above 4 GiB is not cut to 32 bits (unicorn.js 21)', () => {
    const { board } = mapped('mem64');
    expect([...board.memory].map((mapping) => Number(mapping.gpa))).toContain(PLACE.mem64);
    expect(board.load(PLACE.mem64 % (4 * GiB), 1)).toBe(0xff);
  });

  // spec 40: FreeBSD D27095, rS367606: the 64-bit window lay above what the guest's addresses can be
  test('a BAR above the width of guest-physical addresses waits, and every address below it works (bhyve 367606)', () => {
    const { board, bar } = mapped('mem64');
    for (const address of [2 ** 40, 2 ** 52, 2 ** 63]) program(bar, 'mem64', address);
    expect([board.map(), bar.bars[0]?.address, board.spaces.memory.waiting.length]).toEqual([[], 2 ** 63, 1]);
    program(bar, 'mem64', HIGH_WINDOW.end - 64 * KiB);
    expect(board.map()).toEqual([`devmem0@${(HIGH_WINDOW.end - 64 * KiB).toString(16)}`]);
  });

  // spec 39: FreeBSD usr.sbin/bhyve/mem.c, MEM_F_IMMUTABLE: a write to ECFG took the lock that moving the BAR needs
  test('a device that moves itself within an access to itself neither waits for itself nor answers twice (bhyve ECFG)', () => {
    const board = new Board();
    const moves: number[] = [];
    const self: IoHandler = {
      read: () => 0x5e,
      write(_offset, _size, value) {
        moves.push(value);
        program(own, 'mem32', value);
        board.mmio.write(value, 4, 0);
      },
    };
    const own = board.function([{ index: 0, type: 'mem32', length: 4096, backing: { handler: self } }]);
    decode(own);
    program(own, 'mem32', PLACE.mem32);
    board.mmio.write(PLACE.mem32, 4, PLACE.mem32 + MiB);
    expect([moves, placeOf(own)]).toEqual([[PLACE.mem32 + MiB, 0], undefined]);
    program(own, 'mem32', PLACE.mem32);
    expect([board.load(PLACE.mem32, 1), board.load(PLACE.mem32 + MiB, 1)]).toEqual([0x5e, 0xff]);
  });

  test('moving many times uses nothing up (cloud-hypervisor 6842)', () => {
    const { board, bar, changes } = mapped();
    for (let i = 0; i < 5000; i++) program(bar, 'mem32', PLACE.mem32 + (i % 7) * MiB);
    expect([board.map().length, board.claims(), board.spaces.memory.waiting]).toEqual([1, [], []]);
    expect(changes.length).toBeLessThanOrEqual(5000);
  });
});

describe('any guest', () => {
  const STEPS = 20_000;

  test(`after any writes, what appears is what the registers say, disjoint, legal and as much as fits (seed ${SEED})`, () => {
    const random = new Random(SEED);
    const board = new Board();
    const functions = [
      ...MEMORY_KINDS.map((kind) => board.bar(kind, 64 * KiB)),
      ...KINDS.map((kind) => board.bar(kind, 2048)),
    ];
    const values = [
      0,
      1,
      ALL_ONES,
      PLACE.mem32,
      PLACE.rom,
      PLACE.mem32 + 64 * KiB,
      PLACE.mem32 + 2049,
      0x10,
      0x20,
      0xc001,
    ];
    let contested = 0;
    for (let step = 0; step < STEPS; step++) {
      const { config } = at(functions, random.below(functions.length));
      const size = at([1, 2, 4] as const, random.below(3));
      const offset = at([0x10, 0x14, 0x30], random.below(3)) + random.below(5 - size);
      const value = random.below(4) === 0 ? random.bits() : at(values, random.below(values.length));
      if (random.below(500) === 0) at(functions, random.below(functions.length)).reset();
      else if (random.below(8) === 0) config.write(COMMAND, size, at([0, IO, MEMORY, IO | MEMORY], random.below(4)));
      else config.write(offset, size, value);
      if (step % 10 !== 0) continue;
      checkPlaces(board, functions);
      if (board.claims().length + board.map().length > 0 && board.spaces.memory.waiting.length > 0) contested++;
    }
    expect(contested).toBeGreaterThan(STEPS / 100);
  });
});
