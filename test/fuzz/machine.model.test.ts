import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gpa, MemoryError } from '../../src/index.ts';
import { SEED } from '../random.ts';
import { FuzzGuest, procedure, type Order } from './guest.ts';
import { MapModel, type Piece, type SegmentName } from './map-model.ts';
import { IS_NIGHT } from '../night.ts';

/**
 * A machine under random operations of its guest and of its owner, held against a model after each: what the map is,
 * where the BARs are, what was refused, and what the guest reads, writes and executes. A failure prints the shortest
 * sequence that shows it. Replay it with the seed and the path that it prints: SKEP_SEED=… SKEP_PATH=… npx vitest run
 * test/fuzz.
 */
const PATH = process.env['SKEP_PATH'];
const OPERATIONS = IS_NIGHT ? 1_000_000 : 50_000;
/** Most operations in the life of one machine. */
const LIFE = 1000;
/** Machines between two looks at the count. */
const MACHINES = 10;

type Operation =
  | {
      readonly do: 'configure';
      readonly slot: number;
      readonly offset: number;
      readonly size: 1 | 2 | 4;
      readonly value: number;
    }
  | { readonly do: 'load' | 'call'; readonly size: 1 | 2 | 4; readonly address: number }
  | { readonly do: 'store'; readonly size: 1 | 2 | 4; readonly address: number; readonly value: number }
  | { readonly do: 'a20'; readonly on: boolean }
  | { readonly do: 'apic'; readonly start: number }
  | { readonly do: 'reset' }
  | { readonly do: 'create'; readonly index: number; readonly kind: 'sysmem' | 'devmem'; readonly pages: number }
  | { readonly do: 'destroy'; readonly index: number }
  | { readonly do: 'map'; readonly index: number; readonly gpa: number; readonly prot: 'rw-' | 'rwx' | 'r-x' | 'r--' }
  | { readonly do: 'unmap'; readonly nth: number };

/** Places where something begins, ends, or may be put. */
const PLACES = Array.from({ length: 17 }, (_, index) => 0xc_0000 + index * 0x4000).concat(
  [
    0x9_0000, 0xa_0000, 0xb_f000, 0x20_0000, 0x30_0000, 0x100_0000, 0x110_0000, 0xd000_0000, 0xe000_0000, 0xe000_1000,
    0xe0ff_f000,
  ],
  [0xe100_0000, 0xfebf_f000, 0xfe00_0000, 0xfffe_0000, 0xffff_f000, 2 ** 32, 2 ** 33, 2 ** 40 - 4096],
);
const BELOW_4_GIB = PLACES.filter((place) => place < 2 ** 32);

/** Where code is planted and called. */
const code = fc.constantFrom(...BELOW_4_GIB).map((start) => Math.min(start + 0x100, 0xffff_f100));
const procedures = fc.nat({ max: 255 }).map(procedure);
const size = fc.constantFrom(1, 2, 4);
const value = fc.oneof(
  fc.constantFrom(0, 0xffff_ffff, 1, 2, 3, 7, 0x33, 0x11, 0x22, 0x3333_3333, 0x1230_1230),
  fc.constantFrom(...BELOW_4_GIB.flatMap((place) => [place, place + 1])),
  procedures,
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const place = fc.constantFrom(...PLACES);
const address = fc
  .tuple(fc.constantFrom(...BELOW_4_GIB), fc.constantFrom(0x100, -4, -1, 0, 2, 0xffe))
  .map(([start, offset]) => Math.min(start + offset, 0xffff_f000));

/** An access to configuration space stays in one dword. */
const register = (slot: number, offsets: readonly number[]): fc.Arbitrary<Operation> =>
  fc.tuple(fc.constantFrom(...offsets), size, fc.nat({ max: 3 }), value).map(([dword, bytes, at, data]) => {
    return { do: 'configure', slot, offset: dword + (at & (4 - bytes)), size: bytes, value: data % 2 ** (8 * bytes) };
  });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: register(0, [0x58, 0x5c, 0x70, 0x04]) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(0x0a, 0x0a, 0x4a, 0x4a, 0x4a, 0x6a, 0x1a)
      .map((data): Operation => ({ do: 'configure', slot: 0, offset: 0x72, size: 1, value: data })),
  },
  { weight: 6, arbitrary: register(2, [0x10, 0x18, 0x30]) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(0, 2, 2, 2, 7)
      .map((data): Operation => ({ do: 'configure', slot: 2, offset: 4, size: 2, value: data })),
  },
  { weight: 1, arbitrary: register(2, [0x04, 0x0c, 0x14, 0x1c, 0x3c]) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('load' as const), size, address }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('store' as const), size, address, value }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      size: fc.constant(4 as const),
      address: code,
      value: procedures,
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('call' as const), size, address: code }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('a20' as const), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('apic' as const),
      start: fc.constantFrom(0xfee0_0000, 0xfee0_0000, 0xe000_0000, 0xe000_1000, 0xd0ff_f000, 0xfec0_0000, 0xc_8000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reset' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('create' as const),
      index: fc.nat({ max: 3 }),
      kind: fc.constantFrom('sysmem' as const, 'devmem' as const),
      pages: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('destroy' as const), index: fc.nat({ max: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('map' as const),
      index: fc.nat({ max: 3 }),
      gpa: place,
      prot: fc.constantFrom('rw-' as const, 'rwx' as const, 'r-x' as const, 'r--' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('unmap' as const), nth: fc.nat({ max: 7 }) }) },
);

const text = ({ segment, gpa: start, offset, length, prot }: Piece): string =>
  `${segment}+${offset.toString(16)} ${start.toString(16)}-${(start + length - 1).toString(16)} ${prot}`;

/** One machine, its model, and what they are told. */
class Life implements Disposable {
  readonly #guest: FuzzGuest = new FuzzGuest();
  readonly #model: MapModel = new MapModel();
  /** How often something happened that is worth it. */
  readonly seen: { executed: number; waited: number } = { executed: 0, waited: 0 };

  boot(): Promise<void> {
    return this.#guest.boot();
  }

  async do(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'configure': {
        const { slot, offset, size: bytes, value: data } = operation;
        await this.#order(`config${bytes}`, 0x8000_0000 + slot * 0x800 + offset, data);
        this.#model.configure(slot, offset, bytes, data);
        break;
      }
      case 'load':
        await this.#load(operation.address, operation.size);
        break;
      case 'store': {
        const { address: start, size: bytes, value: data } = operation;
        await this.#order(`store${bytes}`, start, data);
        for (let i = 0; i < bytes; i++) this.#model.store(start + i, data >>> (8 * i));
        break;
      }
      case 'call':
        await this.#call(operation.address);
        break;
      case 'a20':
        await this.#order('a20', 0, operation.on ? 2 : 0);
        this.#model.setA20(operation.on);
        break;
      case 'apic':
        await this.#order('apic', 0, operation.start + 0x900);
        this.#model.moveApic(operation.start);
        // The order ends in a later slice.
        this.#model.slice();
        break;
      case 'reset':
        this.#guest.machine.reset();
        this.#model.reset();
        this.check();
        await this.#guest.boot();
        this.#model.slice();
        break;
      default:
        this.#own(operation);
    }
    this.check();
  }

  check(): void {
    const { machine, refusals } = this.#guest;
    const { memory } = machine;
    const pieces = this.#model.mappings();
    const found = Array.from(memory, ({ segment, gpa: start, offset, length, prot }) =>
      text({ segment: segment.name as SegmentName, gpa: start, offset, length, prot }),
    );
    same(found.join('\n'), pieces.map(text).join('\n'), 'the map');
    for (const { segment, gpa: start, length } of pieces) {
      const ends = [memory.at(gpa(start)), memory.at(gpa(start + length - 1))];
      if (!ends.every((mapping) => mapping?.segment.name === segment))
        throw new Error(`${segment} is not found at ${start}`);
    }
    same(refusals, this.#model.refusals, 'refusals');
    const display = machine.devices().find((device) => device.bus === 'pci' && device.slot === 2);
    if (display?.bus !== 'pci') throw new Error('the display has gone');
    for (const bar of this.#model.bars) {
      const facts = display.bars.find(({ name }) => name === `Bochs display ${bar.name}`);
      if (facts?.place === undefined && this.#model.wants(bar)) this.seen.waited++;
      same(facts?.address, this.#model.address(bar), `${bar.name} says`);
      same(facts?.place, this.#model.place(bar), `${bar.name} is`);
    }
  }

  /** What the machine's owner does. */
  #own(operation: Extract<Operation, { do: 'create' | 'destroy' | 'map' | 'unmap' }>): void {
    const { memory } = this.#guest.machine;
    if (operation.do === 'unmap') {
      const piece = this.#model.pieces[operation.nth];
      if (piece === undefined) return;
      memory.unmap({ gpa: gpa(piece.gpa), length: piece.length });
      this.#model.unmap(piece.gpa);
      return;
    }
    const name: SegmentName = `foreign${operation.index}`;
    const segment = memory.segment(name);
    same(segment?.length, this.#model.foreign.get(name)?.length, name);
    if (operation.do === 'create') {
      const { kind, pages } = operation;
      const accepted = !this.#model.foreign.has(name);
      const length = pages * 4096;
      same(
        isAccepted(() => memory.createSegment({ name, kind, length })),
        accepted,
        `creating ${name}`,
      );
      if (accepted) this.#model.foreign.set(name, { kind, length });
    } else if (segment !== undefined && operation.do === 'destroy') {
      same(
        isAccepted(() => memory.destroySegment(segment)),
        this.#model.destroy(name),
        `destroying ${name}`,
      );
    } else if (segment !== undefined && operation.do === 'map') {
      const { gpa: start, prot } = operation;
      const accepted = this.#model.map({ segment: name, gpa: start, offset: 0, length: segment.length, prot });
      same(
        isAccepted(() => memory.map({ segment, gpa: gpa(start), prot })),
        accepted,
        `mapping ${name}`,
      );
    }
  }

  /** The guest gets its turn; what waited for that is in the model first. */
  #order(order: Order, place: number, value: number): Promise<number> {
    this.#model.slice();
    return this.#guest.order(order, place, value);
  }

  async #load(start: number, bytes: 1 | 2 | 4): Promise<void> {
    const loaded = await this.#order(`load${bytes}`, start, 0);
    for (let i = 0; i < bytes; i++) {
      const expected = this.#model.load(start + i);
      if (expected !== undefined) same((loaded >>> (8 * i)) & 0xff, expected, `byte ${i} at ${start.toString(16)}`);
    }
  }

  /** Executes what is there when it is a procedure; elsewhere reads it. */
  async #call(start: number): Promise<void> {
    this.#model.slice();
    const [first, number = 0, last] = [0, 1, 2].map((at) => this.#model.load(start + at));
    const isProcedure = first === 0xb0 && last === 0xc3 && [0, 2].every((at) => this.#model.isExecutable(start + at));
    if (!isProcedure) return this.#load(start, 4);
    this.seen.executed++;
    same(await this.#order('call', start, 0), number, `the procedure at ${start.toString(16)}`);
  }

  [Symbol.dispose](): void {
    this.#guest[Symbol.dispose]();
  }
}

/** Only an error of guest memory is an answer. */
function isAccepted(call: () => unknown): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}

function same(found: unknown, expected: unknown, what: string): void {
  if (found !== expected) throw new Error(`${what}:\n${String(found)}\nand should be:\n${String(expected)}`);
}

const life = (seen: { operations: number; executed: number; waited: number }) =>
  fc.asyncProperty(fc.array(operation, { maxLength: LIFE, size: 'max' }), async (sequence) => {
    using machine = new Life();
    await machine.boot();
    machine.check();
    for (const operation of sequence) await machine.do(operation);
    seen.operations += sequence.length;
    seen.executed += machine.seen.executed;
    seen.waited += machine.seen.waited;
  });

const CLAIM = `${OPERATIONS} random operations on a machine agree with a model that looks at everything (seed ${SEED})`;

test(CLAIM, { timeout: 3_600_000 }, async () => {
  const seen = { operations: 0, executed: 0, waited: 0 };
  if (PATH !== undefined) return fc.assert(life(seen), { seed: SEED, path: PATH });
  for (let seed = SEED; seen.operations < OPERATIONS; seed++) {
    await fc.assert(life(seen), { seed, numRuns: MACHINES });
  }
  // The test is worth something only if BARs wait often, and code is executed where the map has changed.
  expect(seen.executed).toBeGreaterThan(OPERATIONS / 50);
  expect(seen.waited).toBeGreaterThan(OPERATIONS / 100);
});
