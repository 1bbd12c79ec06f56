import { beforeEach, describe, expect, test } from 'vitest';
import { KiB } from '../base/units.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from './index.ts';
import type { Assignment, DmaRange, DmaSpace, IommuTable, Mapping, Prot, Segment } from './index.ts';
import { IS_NIGHT } from '../../test/night.ts';
import { codeOf, refusal } from '../../test/refusal.ts';

class RecordingTable implements IommuTable {
  readonly entries: Set<Mapping> = new Set();
  readonly devices: Set<string> = new Set();
  refusesEntry: (mapping: Mapping) => boolean = () => false;
  refusesDevice: string | undefined;

  attach(device: string): void {
    if (device === this.refusesDevice) throw new Error('no such device');
    this.devices.add(device);
  }

  detach(device: string): void {
    expect(this.devices.delete(device)).toBe(true);
  }

  map(mapping: Mapping): void {
    if (this.refusesEntry(mapping)) throw new MemoryError('ENOMEM', 'no such entry');
    for (const entry of this.entries) expect(entry.end <= mapping.gpa || entry.gpa >= mapping.end).toBe(true);
    this.entries.add(mapping);
  }

  unmap(mapping: Mapping): void {
    expect(this.entries.delete(mapping)).toBe(true);
  }
}

let memory: GuestMemory;
let ram: Segment;
let rom: Segment;
let table: RecordingTable;

beforeEach(() => {
  table = new RecordingTable();
  memory = new GuestMemory({ store: new HeapStore(), addressBits: 32, iommuTable: table });
  ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
  rom = memory.createSegment({ name: 'rom', kind: 'devmem', length: 64 * KiB });
});

function place(segment: Segment, address: number, wired: boolean, prot: Prot = 'rwx'): Mapping {
  return memory.map({ segment, gpa: gpa(address), prot, wired });
}

function opened(space: DmaSpace, address: number, length: number, access: 'read' | 'write'): DmaRange {
  const range = space.dmaRange(address, length, access);
  if ('reason' in range) throw new Error(`${range.reason} at ${range.gpa}`);
  return range;
}

const domain = (): Mapping[] | undefined => memory.iommuDomain && [...memory.iommuDomain];

describe('a domain', () => {
  test('exists while a device is assigned, and holds wired sysmem, not devmem', () => {
    const wired = place(ram, 0, true);
    const others = [place(rom, 0x20_0000, true), place(rom, 0x30_0000, false)];
    expect(domain()).toBeUndefined();
    const first = memory.assign('a');
    const second = memory.assign('b');
    expect([domain(), [...table.entries], wired.iommu]).toEqual([[wired], [wired], true]);
    expect([[...memory.iommuDomain!.devices()], [...table.devices]]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(others.map((mapping) => mapping.iommu)).toEqual([false, false]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect([domain(), first.active, second.active]).toEqual([[wired], false, true]);
    second[Symbol.dispose]();
    expect([domain(), wired.iommu, wired.wired, table.entries.size, table.devices.size]).toEqual([
      undefined,
      false,
      true,
      0,
      0,
    ]);
  });

  test('of memory that is not wired does not come to be: EINVAL with the mapping (FreeBSD skips it)', () => {
    place(ram, 0, true);
    const inTheWay = place(ram, 0x10_0000, false);
    expect(refusal(() => memory.assign('a'))).toMatchObject({ code: 'EINVAL', facts: { inTheWay } });
    expect([domain(), table.entries.size, [...memory].some((mapping) => mapping.iommu)]).toEqual([undefined, 0, false]);
    memory.unmap(inTheWay);
    expect(codeOf(() => memory.assign('a'))).toBe('accepted');
  });

  test('follows the map: sysmem mapped later is in it if wired, and refused if not', () => {
    memory.assign('a');
    const wired = place(ram, 0, true);
    place(rom, 0x10_0000, true);
    expect(codeOf(() => place(ram, 0x20_0000, false))).toBe('EINVAL');
    expect([domain(), [...table.entries], wired.iommu, [...memory].length]).toEqual([[wired], [wired], true, 2]);
  });

  test('knows each device once: EEXIST', () => {
    memory.assign('a');
    expect(codeOf(() => memory.assign('a'))).toBe('EEXIST');
    expect([...memory.iommuDomain!.devices()]).toEqual(['a']);
  });

  test('says where in the store a device finds the byte at an address', () => {
    place(ram, 0, true);
    memory.map({ segment: ram, gpa: gpa(0x8_0000), offset: 0x3000, prot: 'r--', wired: true });
    place(rom, 0x10_0000, true);
    memory.assign('a');
    for (const address of [0, 1, 0xffff, 0x8_0000, 0x8_1234]) {
      expect(memory.iommuDomain!.addressAt(address)).toBe(memory.flat.addressAt(address));
    }
    expect([0x1_0000, 0x10_0000, 2 ** 52].map((at) => memory.iommuDomain!.addressAt(at))).toEqual([0, 0, 0]);
  });

  test('ends with a reset: no flag is left on kept RAM, and a device can be assigned again', () => {
    const wired = place(ram, 0, true);
    const before = memory.assign('a');
    place(rom, 0x10_0000, false);
    memory.reset();
    expect([[...memory], wired.iommu, wired.wired, before.active, domain()]).toEqual([
      [wired],
      false,
      true,
      false,
      undefined,
    ]);
    expect([table.entries.size, table.devices.size]).toEqual([0, 0]);
    memory.assign('a');
    before[Symbol.dispose]();
    expect([domain(), table.devices.size]).toEqual([[wired], 1]);
  });

  test('does not reach devmem, so that RAM above a hole decides how wide it must be', () => {
    place(ram, 0, true);
    place(rom, 0xffff_0000, false);
    expect(memory.sysmemEnd).toBe(64 * KiB);
  });
});

describe('memory in a domain', () => {
  test('cannot be unmapped, alone, by range or in an edit: EINVAL with the mapping', () => {
    const wired = place(ram, 0, true);
    memory.assign('a');
    expect(codeOf(() => memory.unmap(wired))).toBe('EINVAL');
    expect(codeOf(() => memory.unmap({ gpa: gpa(0), length: 64 * KiB }))).toBe('EINVAL');
    expect([[...memory], wired.iommu]).toEqual([[wired], true]);
  });

  test('can be withdrawn, and something else mapped there in the same edit', () => {
    const old = place(ram, 0, true);
    memory.assign('a');
    const [fresh] = memory.edit((edit) => {
      edit.withdraw(old);
      return [edit.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'r--', wired: true })];
    });
    expect([domain(), [...table.entries], old.iommu]).toEqual([[fresh], [fresh], false]);
    memory.edit((edit) => edit.withdraw({ gpa: gpa(0), length: 4096 }));
    expect([domain(), table.entries.size, [...memory]]).toEqual([[], 0, []]);
  });
});

describe('when the host’s table refuses', () => {
  test('an entry of the first assignment, no flag, no entry and no domain is left (FreeBSD leaves them)', () => {
    const mappings = [place(ram, 0, true), place(ram, 0x10_0000, true), place(ram, 0x20_0000, true)];
    table.refusesEntry = (mapping) => mapping.gpa === 0x10_0000;
    expect(() => memory.assign('a')).toThrow('no such entry');
    expect([mappings.map((mapping) => mapping.iommu), table.entries.size, domain()]).toEqual([
      [false, false, false],
      0,
      undefined,
    ]);
    table.refusesEntry = () => false;
    memory.assign('a');
    expect(domain()).toEqual(mappings);
  });

  test('the first device, nothing is left; a later one, the domain stays as it was', () => {
    const mapping = place(ram, 0, true);
    table.refusesDevice = 'b';
    expect(() => memory.assign('b')).toThrow('no such device');
    expect([domain(), mapping.iommu, table.entries.size]).toEqual([undefined, false, 0]);
    memory.assign('a');
    expect(() => memory.assign('b')).toThrow('no such device');
    expect([domain(), [...memory.iommuDomain!.devices()]]).toEqual([[mapping], ['a']]);
  });

  test('an entry of an edit, the edit is undone, and what it withdrew is back', () => {
    const kept = place(ram, 0, true);
    memory.assign('a');
    table.refusesEntry = (mapping) => mapping.gpa === 0x10_0000;
    const edit = (): void =>
      memory.edit((inner) => {
        inner.withdraw(kept);
        inner.map({ segment: ram, gpa: gpa(0), prot: 'r--', wired: true });
        inner.map({ segment: ram, gpa: gpa(0x10_0000), prot: 'rwx', wired: true });
      });
    expect(edit).toThrow('no such entry');
    expect([[...memory], [...table.entries], domain(), kept.iommu]).toEqual([[kept], [kept], [kept], true]);
  });
});

test('an edit that another observer refuses leaves the domain as it was', () => {
  const kept = place(ram, 0, true);
  memory.assign('a');
  const refuse = (): never => {
    throw new Error('refused');
  };
  memory.observe({ changed: refuse }, { replay: false });
  const edit = (): void =>
    memory.edit((inner) => {
      inner.withdraw(kept);
      inner.map({ segment: ram, gpa: gpa(0), length: 4096, prot: 'rwx', wired: true });
    });
  expect(edit).toThrow('refused');
  expect([domain(), [...table.entries], kept.iommu]).toEqual([[kept], [kept], true]);
});

describe('a device', () => {
  let device: Assignment;

  beforeEach(() => {
    place(ram, 0x1_0000, true);
    memory.map({ segment: ram, gpa: gpa(0x2_0000), length: 8 * KiB, prot: 'r-x', wired: true });
    place(rom, 0x3_0000, false);
    device = memory.assign('nic');
  });

  test.each<[string, number, number, 'read' | 'write', { gpa: number; reason: string } | 'all of it']>([
    ['RAM', 0x1_0000, 0x1_0000, 'write', 'all of it'],
    ['RAM and read-only RAM behind it', 0x1_ff00, 0x200, 'read', 'all of it'],
    ['writable and read-only RAM', 0x1_ff00, 0x200, 'write', { gpa: 0x2_0000, reason: 'protected' }],
    ['RAM and the hole behind', 0x2_1ff0, 0x20, 'read', { gpa: 0x2_2000, reason: 'unmapped' }],
    ['device memory', 0x3_0000, 4, 'read', { gpa: 0x3_0000, reason: 'unmapped' }],
    ['nothing at a hole', 0, 0, 'read', 'all of it'],
    ['an address of no x86', 2 ** 53, 4, 'read', { gpa: 2 ** 53, reason: 'unmapped' }],
    ['all there is', 0x1_0000, 2 ** 53, 'read', { gpa: 0x2_2000, reason: 'unmapped' }],
  ])('that asks for %s', (_what, address, length, access, expected) => {
    const answer = device.dmaRange(address, length, access);
    if (expected === 'all of it') expect('reason' in answer).toBe(false);
    else expect(answer).toEqual({ access, ...expected });
    expect(memory.iommuDomain!.faults).toBe(expected === 'all of it' ? 0 : 1);
    const faults = expected === 'all of it' ? [] : [{ device: 'nic', access, ...expected }];
    expect(memory.iommuDomain!.latestFaults()).toEqual(faults);
  });

  test('reads and writes across mappings; dirty logs and code trackers hear', () => {
    const log = memory.dirtyLog(ram);
    const written: number[] = [];
    memory.trackCode({ codeWritten: (address) => written.push(address) });
    memory.markCode(gpa(0x1_1000));
    log.start();
    opened(device, 0x1_0ffe, 4, 'write').write(1, Uint8Array.of(7, 8));
    expect([log.take().pages, written]).toEqual([[0, 1], [memory.flat.addressAt(0x1_1000)]]);
    ram.write(0, Uint8Array.of(9));
    const target = new Uint8Array(2);
    opened(device, 0x1_ffff, 2, 'read').read(0, target);
    expect([...target]).toEqual([0, 9]);
  });

  test('without an IOMMU reaches device memory too, and leaves no record', () => {
    opened(memory, 0x3_0000, 4, 'write').write(0, Uint8Array.of(1, 2, 3, 4));
    expect([rom.bytes[3], memory.iommuDomain!.faults]).toEqual([4, 0]);
    expect(memory.dmaRange(0, 1, 'read')).toEqual({ gpa: 0, access: 'read', reason: 'unmapped' });
  });

  test('that asks for what it cannot have again and again is counted, and its latest 64 faults are kept', () => {
    for (let address = 0; address < 100; address++) device.dmaRange(address, 1, 'read');
    const { faults } = memory.iommuDomain!;
    expect([faults, memory.iommuDomain!.latestFaults().map((fault) => fault.gpa)]).toEqual([
      100,
      Array.from({ length: 64 }, (_, index) => index + 36),
    ]);
  });

  test('that is out reaches nothing', () => {
    const range = opened(device, 0x1_0000, 4, 'write');
    device[Symbol.dispose]();
    expect([range.current, device.dmaRange(0x1_0000, 4, 'write')]).toEqual([
      false,
      { gpa: 0x1_0000, access: 'write', reason: 'unassigned' },
    ]);
  });
});

describe('a range', () => {
  /** Another mapping, device memory and RAM beside the range; then the range's own. */
  const edits: readonly [string, () => void, boolean][] = [
    ['other RAM is mapped', () => void place(ram, 0x10_0000, true), true],
    ['device memory appears', () => void place(rom, 0x20_0000, false), true],
    ['an edit of its own mapping is refused', () => void codeOf(() => place(rom, 0x1000, false)), true],
    ['an edit there is undone', () => refusedMove(), true],
    ['its mapping is replaced', () => swap(memory.at(gpa(0))!), false],
    ['its mapping is withdrawn', () => memory.edit((edit) => edit.withdraw(memory.at(gpa(0))!)), false],
  ];

  function swap(old: Mapping): void {
    memory.edit((edit) => {
      edit.withdraw(old);
      edit.map({ segment: ram, gpa: old.gpa, prot: 'rwx', wired: true });
    });
  }

  function refusedMove(): void {
    const observer = {
      changed(): never {
        throw new Error('refused');
      },
    };
    using _ = memory.observe(observer, { replay: false });
    expect(() => swap(memory.at(gpa(0))!)).toThrow('refused');
  }

  describe.each<[string, () => DmaSpace]>([
    ['through a domain', () => memory.assign('a')],
    ['without one', () => memory],
  ])('%s', (_name, space) => {
    test('of no bytes is current for ever, since it needs no memory', () => {
      place(ram, 0, true);
      const range = opened(space(), 0x800, 0, 'write');
      memory.edit((edit) => edit.withdraw({ gpa: gpa(0), length: ram.length }));
      expect(range.current).toBe(true);
    });

    test.each(edits)('after %s', (_what, edit, current) => {
      place(ram, 0, true);
      const range = opened(space(), 0x800, 0x1000, 'write');
      edit();
      expect([range.current, range.current]).toEqual([current, current]);
      if (!current) expect(() => range.write(0, new Uint8Array(1))).toThrow('map has changed');
      else expect(codeOf(() => range.write(0, new Uint8Array(1)))).toBe('accepted');
    });
  });
});

/** Two devices, memory that comes and goes, failures: everything that can be done to a domain. */
const STEPS = [
  'assign a',
  'assign b',
  'unassign a',
  'unassign b',
  'map',
  'map unwired',
  'map devmem',
  'unmap',
  'withdraw',
  'reset',
  'entries fail',
] as const;
type Step = (typeof STEPS)[number];

const DEPTH = IS_NIGHT ? 5 : 4;

/** What there ought to be: which places show what, and which devices are in. */
class NaiveDomain {
  readonly places: ('wired' | 'unwired' | 'devmem')[] = [];
  readonly devices: Set<string> = new Set();
  failing = false;

  /** Carries the step out if it is possible, and says whether. */
  step(step: Step): boolean {
    const [verb, what = ''] = step.split(' ');
    if (verb === 'assign') return this.#assign(what);
    if (verb === 'unassign') return this.devices.delete(what) || true;
    if (verb === 'map') return this.#map(what);
    if (verb === 'unmap' || verb === 'withdraw') return this.#unmap(verb);
    if (verb === 'reset') return this.#reset();
    return (this.failing = true);
  }

  get held(): number {
    return this.devices.size === 0 ? 0 : this.places.filter((place) => place === 'wired').length;
  }

  #assign(device: string): boolean {
    if (this.devices.has(device)) return false;
    if (this.devices.size === 0 && this.places.includes('unwired')) return false;
    if (this.devices.size === 0 && this.failing && this.places.includes('wired')) return false;
    this.devices.add(device);
    return true;
  }

  #map(what: string): boolean {
    if (this.devices.size > 0 && (what === 'unwired' || (what === '' && this.failing))) return false;
    this.places.push(what === '' ? 'wired' : what === 'unwired' ? 'unwired' : 'devmem');
    return true;
  }

  #unmap(verb: 'unmap' | 'withdraw'): boolean {
    if (this.places.length === 0) return false;
    if (verb === 'unmap' && this.devices.size > 0 && this.places.at(-1) !== 'devmem') return false;
    this.places.pop();
    return true;
  }

  #reset(): boolean {
    this.places.splice(0, this.places.length, ...this.places.filter((place) => place !== 'devmem'));
    this.devices.clear();
    return true;
  }
}

/** The same steps on the real one. */
class RealDomain {
  readonly table: RecordingTable = new RecordingTable();
  readonly memory: GuestMemory;
  readonly assignments: Map<string, Assignment> = new Map();
  readonly #segments: Record<'sysmem' | 'devmem', Segment>;
  #next = 0;

  constructor() {
    this.memory = new GuestMemory({ store: new HeapStore(), addressBits: 32, iommuTable: this.table });
    const make = (kind: 'sysmem' | 'devmem'): Segment => this.memory.createSegment({ name: kind, kind, length: 4096 });
    this.#segments = { sysmem: make('sysmem'), devmem: make('devmem') };
  }

  step(step: Step): void {
    const [verb, what = ''] = step.split(' ');
    const last = [...this.memory].at(-1) ?? { gpa: gpa(0), length: 4096 };
    if (verb === 'assign') this.assignments.set(what, this.memory.assign(what));
    else if (verb === 'unassign') this.assignments.get(what)?.[Symbol.dispose]();
    else if (verb === 'map') this.#map(what);
    else if (verb === 'unmap') this.memory.unmap(last);
    else if (verb === 'withdraw') this.memory.edit((edit) => edit.withdraw(last));
    else if (verb === 'reset') this.memory.reset();
    else this.table.refusesEntry = () => true;
  }

  #map(what: string): void {
    const segment = this.#segments[what === 'devmem' ? 'devmem' : 'sysmem'];
    this.#next += 4096;
    this.memory.map({ segment, gpa: gpa(this.#next), prot: 'rw-', wired: what !== 'unwired' });
  }
}

function stateOf({ memory: real, table: entries, assignments }: RealDomain): object {
  const flags = [...real].map(({ iommu, wired, segment }) => iommu === (wired && segment.kind === 'sysmem'));
  return {
    mappings: flags.length,
    devices: [...(real.iommuDomain?.devices() ?? [])].sort(),
    attached: [...entries.devices].sort(),
    active: [...assignments.values()].filter(({ active }) => active).length,
    held: [...real].filter(({ iommu }) => iommu),
    inDomain: [...(real.iommuDomain ?? [])],
    entries: [...entries.entries].sort((a, b) => a.gpa - b.gpa),
  };
}

function expectedState(naive: NaiveDomain, { memory: real }: RealDomain): object {
  const held = naive.devices.size === 0 ? [] : [...real].filter(({ segment }) => segment.kind === 'sysmem');
  const devices = [...naive.devices].sort();
  const sets = { held, inDomain: held, entries: held };
  return { mappings: naive.places.length, devices, attached: devices, active: devices.length, ...sets };
}

/** Cheap comparison first: there are thousands. */
function isSame(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function play(steps: readonly Step[]): void {
  const naive = new NaiveDomain();
  const real = new RealDomain();
  for (const [index, step] of steps.entries()) {
    const accepted = codeOf(() => real.step(step)) === 'accepted';
    const wanted = naive.step(step);
    const last = index === steps.length - 1;
    if (accepted === wanted && (!last || isSame(stateOf(real), expectedState(naive, real)))) continue;
    const path = steps.slice(0, index + 1).join(', ');
    expect({ path, accepted, ...stateOf(real) }).toEqual({ path, accepted: wanted, ...expectedState(naive, real) });
  }
}

/** Every sequence of at most so many steps in which device b, who is like a, does not come first. */
function* sequences(depth: number, before: readonly Step[] = []): Generator<readonly Step[]> {
  if (before.length > 0) yield before;
  if (before.length === depth) return;
  const known = before.includes('assign a') ? STEPS : STEPS.filter((step) => !step.endsWith(' b'));
  for (const step of known) yield* sequences(depth, [...before, step]);
}

test(`every order of up to ${DEPTH} assignments, edits, resets and failures ends as a naive model says`, () => {
  let played = 0;
  for (const steps of sequences(DEPTH)) {
    play(steps);
    played++;
  }
  expect(played).toBeGreaterThan((STEPS.length - 2) ** DEPTH);
}, 600_000);
