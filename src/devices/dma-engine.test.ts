import { beforeEach, describe, expect, test } from 'vitest';
import { Random, SEED } from '../../test/random.ts';
import { ManualClock } from '../base/clock.ts';
import { GiB, KiB, MICROSECOND } from '../base/units.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PortBus } from '../bus/port-bus.ts';
import { gpa, GuestMemory, HeapStore, type Assignment, type DmaSpace, type Segment } from '../memory/index.ts';
import { DMA_COMMAND, DMA_STATUS, DmaEngine } from './dma-engine.ts';
import { Placement } from './pci/placement.ts';
import { IS_NIGHT } from '../../test/night.ts';

const ROUNDS = IS_NIGHT ? 10_000 : 300;
const PORTS = 0xc000;
const PAGE = 0xfe00_0000;
const BUFFER = PAGE + 4096;
const RAM = 64 * KiB;
const HIGH = 5 * GiB;
const PIECE = 4096;
const PIECE_TIME = 32 * MICROSECOND;
const { busy, done, readFault, writeFault, mapChanged, notMaster, refused, aborted } = DMA_STATUS;
const { abort, copy, fill, load, store } = DMA_COMMAND;

const OFFSET = {
  identification: 0x00,
  command: 0x04,
  status: 0x08,
  interruptEnable: 0x0c,
  source: 0x10,
  destination: 0x18,
  length: 0x20,
  parameter: 0x24,
  fault: 0x28,
  moved: 0x30,
} as const;
type Name = keyof typeof OFFSET;

/** No page is like another. */
const CONTENTS = Uint8Array.from({ length: 2 * RAM }, (_, at) => at * 7 + (at >>> 8));

/** An engine with RAM at 0 and above 4 GiB, a read-only alias behind the first, and a display's memory. */
class Board {
  readonly memory: GuestMemory = new GuestMemory({ store: new HeapStore(), addressBits: 34, wired: true });
  readonly clock: ManualClock = new ManualClock();
  readonly ports: PortBus = new PortBus();
  readonly mmio: MmioBus = new MmioBus();
  readonly ram: Segment;
  readonly display: Segment;
  readonly engine: DmaEngine;
  assignment: Assignment | undefined;
  interrupt = false;

  constructor(behindIommu: boolean) {
    const { memory } = this;
    this.ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 2 * RAM });
    this.display = memory.createSegment({ name: 'display', kind: 'devmem', length: RAM });
    memory.map({ segment: this.ram, gpa: gpa(0), length: RAM, prot: 'rwx' });
    memory.map({ segment: this.ram, gpa: gpa(RAM), length: RAM, prot: 'r-x' });
    memory.map({ segment: this.ram, gpa: gpa(HIGH), offset: RAM, length: RAM, prot: 'rwx' });
    memory.map({ segment: this.display, gpa: gpa(0xfd00_0000), prot: 'rw-' });
    this.ram.write(0, CONTENTS);
    this.display.write(0, CONTENTS.subarray(0, RAM));
    if (behindIommu) this.assignment = memory.assign('engine');
    const path: DmaSpace = { dmaRange: (...range) => (this.assignment ?? memory).dmaRange(...range) };
    this.engine = new DmaEngine({
      clock: this.clock,
      memory: path,
      interrupt: { set: (asserted) => (this.interrupt = asserted) },
      spaces: {
        memory: new Placement({ bus: this.mmio, windows: [{ start: 0xfe00_0000, end: 0xff00_0000 }] }),
        ports: new Placement({ bus: this.ports, windows: [{ start: 0x1000, end: 0x1_0000 }] }),
      },
    });
    this.decode();
  }

  /** As firmware and a driver leave it: both BARs placed, the bus mastered. */
  decode(command = 7): void {
    const { config } = this.engine.pci;
    config.write(0x10, 4, PAGE);
    config.write(0x14, 4, PORTS);
    config.write(0x04, 2, command);
  }

  get(name: Name): number {
    return this.ports.read(PORTS + OFFSET[name], 4);
  }

  set(name: Name, value: number): void {
    this.ports.write(PORTS + OFFSET[name], 4, value);
  }

  setAddress(name: 'source' | 'destination', address: number): void {
    this.ports.write(PORTS + OFFSET[name], 4, address % 2 ** 32);
    this.ports.write(PORTS + OFFSET[name] + 4, 4, Math.floor(address / 2 ** 32));
  }

  get fault(): number {
    return this.ports.read(PORTS + OFFSET.fault + 4, 4) * 2 ** 32 + this.get('fault');
  }

  start(command: number, what: { source?: number; destination?: number; length?: number; parameter?: number }): void {
    this.setAddress('source', what.source ?? 0);
    this.setAddress('destination', what.destination ?? 0);
    this.set('length', what.length ?? 0);
    this.set('parameter', what.parameter ?? 0);
    this.set('command', command);
  }

  /** Lets as many pieces be moved. */
  pieces(count: number): void {
    this.clock.advance(count * PIECE_TIME);
  }

  finish(): number {
    this.clock.advance(1000 * PIECE_TIME);
    return this.get('status');
  }
}

let board: Board;

beforeEach(() => {
  board = new Board(true);
});

describe('the registers', () => {
  test.each<[string, number, number, number]>([
    ['identification', 0x00, 0x5045_4b53, 0x5045_4b53],
    ['interrupt enable', 0x0c, 0, 0xfe],
    ['source', 0x10, 0, 0xffff_ffff],
    ['source, upper half', 0x14, 0, 0xf_ffff],
    ['destination', 0x18, 0, 0xffff_ffff],
    ['destination, upper half', 0x1c, 0, 0xf_ffff],
    ['length', 0x20, 0, 0xffff_ffff],
    ['parameter', 0x24, 0, 0xffff_ffff],
    ['fault', 0x28, 0, 0],
    ['fault, upper half', 0x2c, 0, 0],
    ['moved', 0x30, 0, 0],
    ['nothing', 0x34, 0, 0],
  ])('%s: its reset value, what ones leave in it, and the same through both BARs', (_name, offset, reset, ones) => {
    const both = (): number[] => [board.ports.read(PORTS + offset, 4), board.mmio.read(PAGE + offset, 4)];
    expect(both()).toEqual([reset, reset]);
    board.mmio.write(PAGE + offset, 4, 0xffff_ffff);
    expect(both()).toEqual([ones, ones]);
    board.engine.reset();
    board.decode();
    expect(both()).toEqual([reset, reset]);
  });

  test('the low byte of the command begins, at every size that reaches it; the others do not', () => {
    const writes = [
      [0x04, 1],
      [0x04, 2],
      [0x04, 4],
      [0x02, 4],
      [0x03, 2],
      [0x05, 1],
      [0x06, 2],
      [0x08, 4],
    ] as const;
    const begun = writes.map(([offset, size]) => {
      board.ports.write(PORTS + offset, size, 0x0202_0202);
      const isBusy = board.get('status') === busy;
      board.engine.reset();
      board.decode();
      return isBusy;
    });
    expect(begun).toEqual([true, true, true, true, true, false, false, false]);
  });

  test('the function says who it is', () => {
    const { config } = board.engine.pci;
    expect([config.read(0, 4), config.read(8, 4), config.read(0x3d, 1)]).toEqual([0x5ce9_1234, 0x0880_0001, 1]);
  });

  test('the buffer is behind them in BAR 0 alone, at every access size', () => {
    board.mmio.write(BUFFER + 1, 4, 0x0403_0201);
    board.mmio.write(BUFFER + 4094, 2, 0xbeef);
    expect([1, 2, 4].map((size) => board.mmio.read(BUFFER + 2, size as 1 | 2 | 4))).toEqual([2, 0x302, 0x0004_0302]);
    expect([board.mmio.read(BUFFER + 4095, 1), board.mmio.read(PAGE + 4092, 4)]).toEqual([0xbe, 0xffff_ffff]);
  });
});

describe('a transfer', () => {
  test.each([0, 1, 3, 4095, 4096, 4097, 10_001])('copies %i bytes, across mappings and from above 4 GiB', (length) => {
    const expected = board.ram.bytes.slice(RAM + 5, RAM + 5 + length);
    board.start(copy, { source: HIGH + 5, destination: 3, length });
    expect([board.finish(), board.get('moved')]).toEqual([done, length]);
    expect(isSame(board.ram.bytes.subarray(3, 3 + length), expected)).toBe(true);
    const across = board.ram.bytes.slice(RAM - 100, RAM).slice(0, length);
    board.set('status', done);
    board.start(copy, { source: RAM - 100, destination: HIGH + 0x8000, length: across.length });
    expect(board.finish()).toBe(done);
    expect(isSame(board.ram.bytes.subarray(RAM + 0x8000, RAM + 0x8000 + across.length), across)).toBe(true);
  });

  test.each([1, 4096, 9999])('fills %i bytes with a pattern, and nothing beside them', (length) => {
    const before = board.ram.bytes.slice();
    board.start(fill, { destination: 0x1001, length, parameter: 0x4433_2211 });
    expect(board.finish()).toBe(done);
    for (let at = 0; at < length; at++) before[0x1001 + at] = [0x11, 0x22, 0x33, 0x44][at % 4]!;
    expect(isSame(board.ram.bytes, before)).toBe(true);
  });

  test('loads the buffer and stores it elsewhere', () => {
    board.start(load, { source: 0x123, length: 1000, parameter: 96 });
    expect(board.finish()).toBe(done);
    expect(board.mmio.read(BUFFER + 96, 1)).toBe(board.ram.bytes[0x123]);
    board.set('status', done);
    board.start(store, { destination: HIGH, length: 1000, parameter: 96 });
    expect(board.finish()).toBe(done);
    expect(isSame(board.ram.bytes.subarray(RAM, RAM + 1000), board.ram.bytes.subarray(0x123, 0x123 + 1000))).toBe(true);
  });

  test('takes its time: a page every 32 microseconds, and tells how far it is', () => {
    board.start(copy, { source: 0, destination: 0x8000, length: 2 * PIECE + 1 });
    const seen = [0, 1, 1, 1, 1].map((count) => {
      board.pieces(count);
      return [board.get('status'), board.get('moved')];
    });
    const end = [done, 2 * PIECE + 1];
    expect(seen).toEqual([[busy, 0], [busy, PIECE], [busy, 2 * PIECE], end, end]);
  });

  test('goes by the registers as they were when it began', () => {
    board.start(fill, { destination: 0, length: 2 * PIECE, parameter: 1 });
    board.setAddress('destination', HIGH);
    board.set('length', 1);
    board.set('parameter', 2);
    const before = board.ram.bytes.slice(RAM);
    expect([board.finish(), board.get('moved')]).toEqual([done, 2 * PIECE]);
    expect(isSame(board.ram.bytes.subarray(RAM), before)).toBe(true);
    expect([board.ram.bytes[0], board.ram.bytes[2 * PIECE - 4]]).toEqual([1, 1]);
  });

  test('writes as the guest would: dirty logs and code trackers hear', () => {
    const written: number[] = [];
    const { memory } = board;
    memory.trackCode({ codeWritten: (address) => written.push(address) });
    memory.markCode(gpa(0x3000));
    const log = memory.dirtyLog(board.ram);
    log.start();
    board.start(fill, { destination: 0x2ffe, length: 4 });
    expect([board.finish(), log.take().pages, written]).toEqual([done, [2, 3], [memory.flat.addressAt(0x3000)]]);
  });
});

describe('what cannot be', () => {
  const length = 3 * PIECE;

  test.each<[string, number, { source?: number; destination?: number }, number, number]>([
    ['a source in a hole', copy, { source: 2 * RAM, destination: 0 }, readFault, 2 * RAM],
    ['a source that runs into a hole', copy, { source: 2 * RAM - 5000, destination: 0 }, readFault, 2 * RAM],
    ['a destination in a hole', copy, { source: 0, destination: 4 * GiB }, writeFault, 4 * GiB],
    ['a destination past the end of RAM', fill, { destination: HIGH + RAM - 1 }, writeFault, HIGH + RAM],
    ['a read-only destination', copy, { source: 0, destination: RAM - 1 }, writeFault, RAM],
    ['both', copy, { source: 2 * RAM, destination: 2 * RAM }, readFault, 2 * RAM],
    ['the last address of an x86', fill, { destination: 2 ** 52 - 1 }, writeFault, 2 ** 52 - 1],
    ['device memory, behind the IOMMU', copy, { source: 0, destination: 0xfd00_0000 }, writeFault, 0xfd00_0000],
    ['device memory as a source', copy, { source: 0xfd00_0004, destination: 0 }, readFault, 0xfd00_0004],
  ])('%s is an error with its address, and nothing is moved', (_what, command, where, status, fault) => {
    const before = [board.ram.bytes.slice(), board.display.bytes.slice()];
    board.start(command, { ...where, length });
    expect([board.get('status'), board.fault, board.finish(), board.get('moved')]).toEqual([status, fault, status, 0]);
    expect([isSame(board.ram.bytes, before[0]), isSame(board.display.bytes, before[1])]).toEqual([true, true]);
    expect(board.memory.iommuDomain?.latestFaults()).toMatchObject([{ device: 'engine', gpa: fault }]);
  });

  test('a command that cannot be carried out has moved nothing, whatever the last one moved', () => {
    board.start(fill, { destination: 0, length });
    expect([board.finish(), board.get('moved')]).toEqual([done, length]);
    board.start(fill, { destination: 4 * GiB, length });
    expect([board.finish(), board.get('moved')]).toEqual([done | writeFault, 0]);
  });

  test('device memory is in reach without an IOMMU', () => {
    board = new Board(false);
    board.start(copy, { source: 0, destination: 0xfd00_0004, length: 100 });
    expect(board.finish()).toBe(done);
    expect(isSame(board.display.bytes.subarray(4, 104), board.ram.bytes.subarray(0, 100))).toBe(true);
  });

  test.each<[string, number, { length: number; parameter: number }]>([
    ['no command', 5, { length: 0, parameter: 0 }],
    ['no command', 0xff, { length: 1, parameter: 0 }],
    ['a load past the buffer', load, { length: 2, parameter: 4095 }],
    ['a store past the buffer', store, { length: 4097, parameter: 0 }],
    ['a load whose sum wraps in 32 bits', load, { length: 2, parameter: 0xffff_ffff }],
  ])('%s (%i) is refused', (_what, command, parameters) => {
    board.start(command, parameters);
    expect([board.get('status'), board.finish()]).toEqual([refused, refused]);
  });

  test('the whole buffer is not too much', () => {
    board.start(load, { length: 4096, parameter: 0 });
    expect(board.finish()).toBe(done);
  });

  test('a second command is refused, and the first goes on', () => {
    board.start(fill, { destination: 0, length, parameter: 0x0101_0101 });
    board.pieces(1);
    board.set('command', copy);
    expect([board.get('status'), board.finish(), board.get('moved')]).toEqual([busy | refused, done | refused, length]);
  });

  test('without bus mastering nothing begins, and nothing goes on when it is taken away', () => {
    const { config } = board.engine.pci;
    config.write(0x04, 2, 3);
    board.start(fill, { destination: 0, length });
    expect(board.finish()).toBe(notMaster);
    board.set('status', notMaster);
    config.write(0x04, 2, 7);
    board.set('command', fill);
    board.pieces(1);
    config.write(0x04, 2, 3);
    expect([board.finish(), board.get('moved')]).toEqual([notMaster, PIECE]);
  });
});

describe('the end of a transfer', () => {
  const length = 3 * PIECE;

  test('comes with the abort command, which is nothing otherwise', () => {
    board.set('command', abort);
    expect(board.get('status')).toBe(0);
    board.start(fill, { destination: 0, length });
    board.pieces(2);
    board.set('command', abort);
    expect([board.get('status'), board.finish(), board.get('moved')]).toEqual([aborted, aborted, 2 * PIECE]);
  });

  test('comes with a reset of the device, and leaves no trace', () => {
    board.set('interruptEnable', 0xfe);
    board.mmio.write(BUFFER, 4, 0x1234_5678);
    board.start(fill, { destination: 0, length, parameter: 0x0101_0101 });
    board.pieces(1);
    board.engine.reset();
    const before = board.ram.bytes.slice();
    board.decode();
    expect(board.mmio.read(BUFFER, 4)).toBe(0);
    expect([board.get('status'), board.finish(), board.get('moved'), board.interrupt]).toEqual([0, 0, 0, false]);
    expect(isSame(board.ram.bytes, before)).toBe(true);
    board.start(fill, { destination: 0, length });
    expect(board.finish()).toBe(done);
  });

  test('comes with the end of its assignment: the next transfer faults, until it is assigned again', () => {
    board.start(fill, { destination: 0, length });
    board.pieces(1);
    board.memory.reset();
    expect([board.finish(), board.get('moved')]).toEqual([mapChanged, PIECE]);
    board.set('status', 0xff);
    board.start(fill, { destination: 0x10, length });
    expect([board.finish(), board.fault]).toEqual([writeFault, 0x10]);
    board.assignment = board.memory.assign('engine');
    board.set('status', 0xff);
    board.set('command', fill);
    expect(board.finish()).toBe(done);
  });
});

describe('the interrupt', () => {
  const events: readonly [string, () => void, number][] = [
    ['the end', () => board.start(fill, { length: 4 }), done],
    ['a read fault', () => board.start(copy, { source: 4 * GiB, length: 4 }), readFault],
    ['a write fault', () => board.start(fill, { destination: 4 * GiB, length: 4 }), writeFault],
    ['a refusal', () => board.start(9, {}), refused],
  ];

  test.each(events)('of %s is a level while enabled and pending', (_what, cause, bit) => {
    board.set('interruptEnable', 0xfe & ~bit);
    cause();
    expect([board.finish(), board.interrupt]).toEqual([bit, false]);
    board.set('interruptEnable', bit);
    expect(board.interrupt).toBe(true);
    board.set('status', 0xff & ~bit);
    expect([board.get('status'), board.interrupt]).toEqual([bit, true]);
    board.set('status', bit);
    expect([board.get('status'), board.interrupt]).toEqual([0, false]);
  });

  test('does not come of being busy', () => {
    board.set('interruptEnable', 0xffff_ffff);
    board.start(fill, { length: 4 });
    expect([board.get('status'), board.interrupt]).toEqual([busy, false]);
  });
});

describe('a map that changes under a transfer', () => {
  const LENGTH = 4 * PIECE;
  const TARGET = 0x10_0000;
  let other: Segment;

  /** RAM of its own at the destination, so that whole mappings can be exchanged there. */
  function prepare(behindIommu: boolean): void {
    board = new Board(behindIommu);
    const { memory } = board;
    const target = memory.createSegment({ name: 'target', kind: 'sysmem', length: LENGTH });
    other = memory.createSegment({ name: 'other', kind: 'sysmem', length: RAM });
    memory.map({ segment: target, gpa: gpa(TARGET), prot: 'rw-' });
  }

  const at = (address: number) => board.memory.at(gpa(address)) ?? expect.fail('nothing is mapped');
  const withdraw = (address: number): void => board.memory.edit((edit) => edit.withdraw(at(address)));
  const exchange = (address: number, segment: Segment): void =>
    board.memory.edit((edit) => {
      const { length } = at(address);
      edit.withdraw(at(address));
      edit.map({ segment, gpa: gpa(address), length, prot: 'rw-' });
    });
  const window = (): void => board.memory.window(board.display, { prot: 'rw-' }).moveTo(gpa(0xfc00_0000));

  const edits: readonly [string, () => void, boolean][] = [
    ['its destination is withdrawn', () => withdraw(TARGET), true],
    ['its destination becomes other RAM', () => exchange(TARGET, other), true],
    ['its source is withdrawn', () => withdraw(0), true],
    ['its source becomes other RAM', () => exchange(0, board.ram), true],
    ['a BAR moves', window, false],
    ['other RAM is withdrawn', () => withdraw(HIGH), false],
    ['other RAM appears', () => void board.memory.map({ segment: other, gpa: gpa(0x20_0000), prot: 'rw-' }), false],
  ];

  describe.each([true, false])('(behind the IOMMU: %s)', (behindIommu) => {
    test.each(
      edits.flatMap(([what, edit, stops]) => [0, 1, 2, 3].map((pieces) => [what, pieces, edit, stops] as const)),
    )('%s after %i pieces: it ends there, or does not notice', (_what, pieces, edit, stops) => {
      prepare(behindIommu);
      const target = board.memory.segment('target') ?? expect.fail('there is no target');
      const expected = board.ram.bytes.slice(0, LENGTH);
      board.start(copy, { source: 0, destination: TARGET, length: LENGTH });
      board.pieces(pieces);
      edit();
      const moved = stops ? pieces * PIECE : LENGTH;
      expect([board.finish(), board.get('moved')]).toEqual([stops ? mapChanged : done, moved]);
      expect(isSame(target.bytes.subarray(0, moved), expected.subarray(0, moved))).toBe(true);
      expect([isZero(target.bytes.subarray(moved)), isZero(other.bytes)]).toEqual([true, true]);
    });
  });

  test('and back again between two pieces ends it, since nobody says what happened between', () => {
    prepare(true);
    const target = board.memory.segment('target') ?? expect.fail('there is no target');
    board.start(copy, { source: 0, destination: TARGET, length: LENGTH });
    board.pieces(1);
    exchange(TARGET, other);
    exchange(TARGET, target);
    expect([board.finish(), board.get('moved')]).toEqual([mapChanged, PIECE]);
  });

  test(`random edits between pieces, seed ${SEED}: all bytes went by the map of the beginning`, () => {
    const random = new Random(SEED);
    let whole = 0;
    for (let round = 0; round < ROUNDS; round++) {
      prepare(random.once(2));
      const { memory } = board;
      const [target, spare] = [
        memory.segment('target'),
        memory.createSegment({ name: 's', kind: 'devmem', length: 8192 }),
      ];
      const places = [0, RAM, TARGET, HIGH, 0x20_0000];
      const expected = board.ram.bytes.slice(0, LENGTH);
      board.start(copy, { source: 0, destination: TARGET, length: LENGTH });
      for (let piece = 0; piece < 6; piece++) {
        const place = random.pick(places);
        const mapping = memory.at(gpa(place));
        if (random.fraction() < 0.6) memory.window(spare, { prot: 'rw-' }).moveTo(gpa(0xc000_0000 + 8192 * piece));
        else if (mapping === undefined) memory.map({ segment: other, gpa: gpa(place), prot: 'rw-' });
        else if (random.once(2)) memory.edit((edit) => edit.withdraw(mapping));
        else exchange(place, other);
        board.pieces(1);
      }
      const [status, moved] = [board.finish(), board.get('moved')];
      expect(status).toBe(moved === LENGTH ? done : mapChanged);
      expect(isSame(target?.bytes.subarray(0, moved), expected.subarray(0, moved))).toBe(true);
      expect([isZero(target?.bytes.subarray(moved)), isZero(other.bytes)]).toEqual([true, true]);
      if (status === done) whole++;
    }
    expect(whole > 0 && whole < ROUNDS).toBe(true);
  });
});

/** Much faster than comparing arrays element by element. */
function isSame(actual: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  return actual !== undefined && expected !== undefined && Buffer.compare(actual, expected) === 0;
}

function isZero(bytes: Uint8Array | undefined): boolean {
  return bytes?.every((byte) => byte === 0) === true;
}
