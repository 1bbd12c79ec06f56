import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { GiB, KiB, MiB } from '../../base/units.ts';
import { allOnes, type AccessSize } from '../../bus/io-handler.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { gpa, GuestMemory, HeapStore, MemoryError } from '../../memory/index.ts';
import { BootRom } from '../boot-rom.ts';
import { I440fxHostBridge, PAM_AREAS, PAM_RANGE, type PamArea } from './i440fx-host-bridge.ts';

const SMRAM_START = 0xa_0000;
const RAM_BYTE = 0x11;
const ROM_BYTE = 0x22;
const NEW_BYTE = 0x33;
const SIZES: readonly AccessSize[] = [1, 2, 4];

function board({ romLength = 256 * KiB }: { romLength?: number } = {}) {
  const memory = new GuestMemory({ store: new HeapStore() });
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 2 * MiB });
  memory.map({ segment: ram, gpa: gpa(0), length: SMRAM_START, prot: 'rwx' });
  memory.map({ segment: ram, gpa: gpa(MiB), offset: MiB, length: MiB, prot: 'rwx' });
  const rom = romLength === 0 ? undefined : new BootRom({ memory, image: new Uint8Array(romLength).fill(ROM_BYTE) });
  const bridge = new I440fxHostBridge({ memory, ram, ...(rom === undefined ? {} : { rom: rom.segment }) });
  const mmio = new MmioBus();
  mmio.register(PAM_RANGE, bridge.handler, 'PAM');
  ram.bytes.fill(RAM_BYTE);
  let edits = 0;
  memory.observe({ changed: () => void edits++ }, { replay: false });
  return { memory, ram, rom, bridge, mmio, edits: () => edits };
}
type Board = ReturnType<typeof board>;

function setMode({ bridge: { pci } }: Board, { register, shift }: PamArea, mode: number): void {
  const others = pci.config.read(register, 1) & ~(0xf << shift);
  pci.config.write(register, 1, others | (mode << shift));
}

/** A guest's load and store, as engines route them. */
function load({ memory, mmio }: Board, address: number, size: AccessSize): number {
  const bytes = new Uint8Array(4);
  if (!memory.read(gpa(address), bytes.subarray(0, size))) return mmio.read(address, size);
  return new DataView(bytes.buffer).getUint32(0, true);
}

function store({ memory, mmio }: Board, address: number, size: AccessSize, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  if (!memory.write(gpa(address), bytes.subarray(0, size))) mmio.write(address, size, value);
}

function repeated(byte: number, size: AccessSize): number {
  return Number.parseInt(byte.toString(16).padStart(2, '0').repeat(size), 16);
}

/** The map below 1 MiB and a little, as text: start-end segment+offset prot. */
function table({ memory }: Board): string[] {
  return [...memory.covering(gpa(0), 2 * MiB)].map(
    ({ gpa: start, end, segment, offset, prot }) =>
      `${start.toString(16)}-${(end - 1).toString(16)} ${segment.name}+${offset.toString(16)} ${prot}`,
  );
}

function refuse(): void {
  throw new MemoryError('ENOSPC', 'no slot is free');
}

/** The nibble that rules an address, straight from the manual's figure. */
function nibble({ bridge: { pci } }: Board, address: number): number {
  if (address >= 0xf_0000) return pci.config.peek(0x59, 1) >>> 4;
  const index = (address - PAM_RANGE.start) >>> 14;
  return (pci.config.peek(0x5a + (index >>> 1), 1) >>> (index % 2 === 0 ? 0 : 4)) & 0xf;
}

describe('the attribute map', () => {
  test('has 13 areas that cover C0000 to FFFFF without a gap', () => {
    expect(PAM_AREAS).toHaveLength(13);
    let end: number = PAM_RANGE.start;
    for (const area of PAM_AREAS) {
      expect(area.start).toBe(end);
      ({ end } = area);
    }
    expect(end).toBe(PAM_RANGE.end);
  });

  for (const area of PAM_AREAS) {
    for (const mode of [0, 1, 2, 3]) {
      const name = area.start.toString(16).toUpperCase();
      const [readsRam, writesRam] = [(mode & 1) !== 0, (mode & 2) !== 0];
      const behind = area.start >= 0xe_0000 ? 'the boot ROM' : 'nothing';
      const claim = `${name} in mode ${mode} reads ${readsRam ? 'RAM' : behind}, and writes ${writesRam ? 'RAM' : 'nothing'}`;
      test(claim, () => {
        const pc = board();
        setMode(pc, area, mode);
        const before = readsRam ? RAM_BYTE : area.start >= 0xe_0000 ? ROM_BYTE : 0xff;
        for (const size of SIZES) {
          for (const address of [area.start, (area.start + area.end) / 2, area.end - size]) {
            expect(load(pc, address, size)).toBe(repeated(before, size));
            store(pc, address, size, repeated(NEW_BYTE, size));
            const after = readsRam && writesRam ? NEW_BYTE : before;
            expect(load(pc, address, size)).toBe(repeated(after, size));
            for (const at of [address, address + size - 1]) {
              expect(pc.ram.bytes[at]).toBe(writesRam ? NEW_BYTE : RAM_BYTE);
            }
            pc.ram.bytes.fill(RAM_BYTE, address, address + size);
          }
        }
        const [first, last] = [area.start - 1, area.end];
        expect(pc.ram.bytes[first]).toBe(RAM_BYTE);
        expect(pc.ram.bytes[last]).toBe(RAM_BYTE);
        expect(pc.rom?.segment.bytes.every((byte) => byte === ROM_BYTE)).toBe(true);
      });
    }
  }

  test('each area obeys its own nibble only', () => {
    for (const area of PAM_AREAS) {
      const pc = board();
      setMode(pc, area, 1);
      for (const other of PAM_AREAS) expect(pc.bridge.mode(other)).toBe(other === area ? 1 : 0);
    }
  });

  test('after power-on the ROM shows below 1 MiB and nothing at C0000', () => {
    expect(table(board())).toEqual([
      '0-9ffff ram+0 rwx',
      'e0000-fffff bootrom+20000 r-x',
      '100000-1fffff ram+100000 rwx',
    ]);
  });

  test('what SeaBIOS leaves reads as QEMU shows it', () => {
    const pc = board();
    // The dwords that QEMU 7.2 has at 58h and 5Ch after SeaBIOS 1.16.
    pc.bridge.pci.config.write(0x58, 4, 0x1111_1000);
    pc.bridge.pci.config.write(0x5c, 4, 0x3311_1111);
    expect(table(pc)).toEqual([
      '0-9ffff ram+0 rwx',
      'c0000-e7fff ram+c0000 r-x',
      'e8000-effff ram+e8000 rwx',
      'f0000-fffff ram+f0000 r-x',
      '100000-1fffff ram+100000 rwx',
    ]);
    expect(pc.edits()).toBe(2);
  });

  test('a write that sets four registers is one edit, and one that changes no area is none', () => {
    const pc = board();
    const { config } = pc.bridge.pci;
    config.write(0x5c, 4, 0x3333_3333);
    expect(pc.edits()).toBe(1);
    for (const [offset, size, value] of [
      [0x5c, 4, 0x3333_3333],
      [0x5a, 1, 0xcc],
      [0x58, 1, 0xff],
      [0x60, 4, 0xffff_ffff],
      [0x04, 4, 0],
    ] as const) {
      config.write(offset, size, value);
    }
    expect(pc.edits()).toBe(1);
  });

  test('areas of equal mode are one mapping, whatever the order in which they came', () => {
    for (const order of [PAM_AREAS, [...PAM_AREAS].reverse()]) {
      const pc = board();
      for (const area of order) setMode(pc, area, 3);
      expect(table(pc)).toEqual(['0-9ffff ram+0 rwx', 'c0000-fffff ram+c0000 rwx', '100000-1fffff ram+100000 rwx']);
    }
  });

  test('an access across two areas in different modes splits between them', () => {
    const pc = board();
    const [c0, c4] = PAM_AREAS;
    if (c0 === undefined || c4 === undefined) throw new Error('areas');
    setMode(pc, c0, 2);
    setMode(pc, c4, 0);
    store(pc, c0.end - 2, 4, 0x4433_2211);
    expect([...pc.ram.bytes.subarray(c0.end - 2, c0.end + 2)]).toEqual([0x11, 0x22, RAM_BYTE, RAM_BYTE]);
  });

  test('a write to RAM under the ROM tells those who track code', () => {
    const pc = board();
    const area = PAM_AREAS.at(-1);
    if (area === undefined) throw new Error('areas');
    setMode(pc, area, 3);
    const told: number[] = [];
    pc.memory.trackCode({ codeWritten: (address) => told.push(address) });
    pc.memory.markCode(gpa(0xf_0000));
    setMode(pc, area, 2);
    store(pc, 0xf_0010, 4, 1);
    expect(told).toHaveLength(1);
  });

  test('a ROM smaller than 128 KiB sits at the top, and what is below it reads all ones', () => {
    for (const romLength of [4 * KiB, 64 * KiB, 124 * KiB, 128 * KiB, 1 * MiB]) {
      const pc = board({ romLength });
      const start = MiB - Math.min(romLength, 128 * KiB);
      expect(load(pc, start, 1)).toBe(ROM_BYTE);
      expect(load(pc, MiB - 4, 4)).toBe(repeated(ROM_BYTE, 4));
      for (const size of SIZES) expect(load(pc, 0xe_0000 - size, size)).toBe(allOnes(size));
      if (start > 0xe_0000) expect(load(pc, start - 1, 1)).toBe(0xff);
    }
  });

  test('a machine without a ROM has nothing on the PCI side', () => {
    const pc = board({ romLength: 0 });
    expect(table(pc)).toHaveLength(2);
    expect(load(pc, 0xf_fff0, 4)).toBe(0xffff_ffff);
  });

  test('a reset shows the ROM again, whatever the guest had set, and keeps the bytes of RAM', () => {
    const pc = board();
    const before = table(pc);
    for (const area of PAM_AREAS) setMode(pc, area, 3);
    store(pc, 0xf_0000, 1, NEW_BYTE);
    pc.memory.reset();
    pc.bridge.reset();
    expect(table(pc)).toEqual(before);
    expect(load(pc, 0xf_0000, 1)).toBe(ROM_BYTE);
    expect(pc.ram.bytes[0xf_0000]).toBe(NEW_BYTE);
  });

  test('an observer that refuses: the map stays as it was, whole, and the next write catches up', () => {
    const pc = board();
    const before = table(pc);
    const observer = pc.memory.observe({ changed: refuse }, { replay: false });
    pc.bridge.pci.config.write(0x5c, 4, 0x3311_3311);
    expect([table(pc), pc.bridge.refusals]).toEqual([before, 1]);
    observer[Symbol.dispose]();
    pc.bridge.pci.config.write(0x04, 2, 0);
    expect(table(pc)).toContain('e8000-effff ram+e8000 rwx');
  });

  test('something else in the way: nothing changes, it is counted, and the next write catches up', () => {
    const pc = board();
    const foreign = pc.memory.createSegment({ name: 'foreign', kind: 'sysmem', length: 4096 });
    const mapping = pc.memory.map({ segment: foreign, gpa: gpa(0xc_8000), prot: 'rwx' });
    const before = table(pc);
    pc.bridge.pci.config.write(0x5c, 4, 0x3333_3333);
    pc.bridge.pci.config.write(0x5b, 1, 0x33);
    pc.bridge.pci.config.write(0x5a, 1, 0x33);
    expect(pc.bridge.refusals).toBeGreaterThan(0);
    expect(pc.bridge.pci.config.read(0x5a, 2)).toBe(0x3333);
    expect(table(pc)).toContain('c8000-c8fff foreign+0 rwx');
    expect(before).toContain('c8000-c8fff foreign+0 rwx');
    pc.memory.unmap(mapping);
    pc.bridge.pci.config.write(0x59, 1, 0x30);
    expect(table(pc)).toContain('c0000-fffff ram+c0000 rwx');
  });
});

describe('system-management RAM', () => {
  const open = (pc: Board): boolean => table(pc).includes('a0000-bffff ram+a0000 rwx');

  test('is closed after power-on: 02h, where no bit of its base can be changed', () => {
    const pc = board();
    expect([pc.bridge.pci.config.read(0x72, 1), open(pc), load(pc, 0xa_0000, 4)]).toEqual([0x02, false, 0xffff_ffff]);
    pc.bridge.pci.config.write(0x72, 1, 0x85);
    expect(pc.bridge.pci.config.read(0x72, 1)).toBe(0x02);
  });

  // Bit 6 opens, 5 closes, 4 locks, and they count with bit 3 alone.
  test('is RAM while it is enabled and open, and neither closed nor locked, for each value of the register', () => {
    for (let value = 0; value < 0x100; value++) {
      const pc = board();
      pc.bridge.pci.config.write(0x72, 1, value);
      expect([value, open(pc)]).toEqual([value, (value & 0x78) === 0x48]);
      store(pc, 0xb_fffc, 4, 0x0404_0404);
      expect(pc.ram.bytes[0xb_ffff]).toBe(open(pc) ? 0x04 : RAM_BYTE);
    }
  });

  test('once it is locked is closed, and neither opened nor unlocked before a reset', () => {
    const pc = board();
    const { config } = pc.bridge.pci;
    config.write(0x72, 1, 0x4a);
    config.write(0x72, 1, 0x5a);
    expect([config.read(0x72, 1), open(pc)]).toEqual([0x1a, false]);
    for (let value = 0; value < 0x100; value++) {
      config.write(0x72, 1, value);
      expect(config.read(0x72, 1)).toBe((value & 0x28) | 0x12);
      expect(open(pc)).toBe(false);
    }
    pc.memory.reset();
    pc.bridge.reset();
    config.write(0x72, 1, 0x4a);
    expect([config.read(0x72, 1), open(pc)]).toEqual([0x4a, true]);
  });

  test('opens and closes in one edit each, and a reset closes it though RAM keeps its place', () => {
    const pc = board();
    pc.bridge.pci.config.write(0x72, 1, 0x4a);
    pc.bridge.pci.config.write(0x72, 1, 0x4a);
    expect(pc.edits()).toBe(1);
    pc.bridge.pci.config.write(0x72, 1, 0x0a);
    expect([pc.edits(), open(pc)]).toEqual([2, false]);
    pc.bridge.pci.config.write(0x72, 1, 0x4a);
    pc.memory.reset();
    pc.bridge.reset();
    expect([open(pc), pc.bridge.pci.config.read(0x72, 1)]).toEqual([false, 0x02]);
  });

  test('with RAM at C0000 is one mapping', () => {
    const pc = board();
    pc.bridge.pci.config.write(0x72, 1, 0x4a);
    for (const area of PAM_AREAS) setMode(pc, area, 3);
    expect(table(pc)).toEqual(['0-9ffff ram+0 rwx', 'a0000-fffff ram+a0000 rwx', '100000-1fffff ram+100000 rwx']);
  });
});

describe('any guest', () => {
  const STEPS = 20_000;

  test(`after any configuration writes every byte reads and takes writes as its nibble says (seed ${SEED})`, () => {
    const random = new Random(SEED);
    const pc = board();
    const model = pc.ram.bytes.slice();
    for (let step = 0; step < STEPS; step++) {
      const address = PAM_RANGE.start + random.below(PAM_RANGE.length);
      if (random.below(3) === 0) {
        const size = ([1, 2, 4] as const)[random.below(3)] ?? 1;
        pc.bridge.pci.config.write(0x57 + random.below(9), size, random.bits());
      }
      const mode = nibble(pc, address);
      const value = random.below(0x100);
      store(pc, address, 1, value);
      if ((mode & 2) !== 0) model[address] = value;
      const behind = address >= 0xe_0000 ? ROM_BYTE : 0xff;
      expect(load(pc, address, 1)).toBe((mode & 1) === 0 ? behind : model[address]);
    }
    expect(Buffer.compare(pc.ram.bytes, model)).toBe(0);
    expect(pc.rom?.segment.bytes.every((byte) => byte === ROM_BYTE)).toBe(true);
    expect(table(pc).length).toBeLessThanOrEqual(2 + PAM_AREAS.length);
  });
});

describe('configuration space', () => {
  test('says what firmware recognises the platform by', () => {
    const { config } = board().bridge.pci;
    expect(config.read(0x00, 4)).toBe(0x1237_8086);
    expect(config.read(0x08, 4)).toBe(0x0600_0002);
    expect(config.read(0x2c, 4)).toBe(0x1100_1af4);
  });

  test('the ROM at the top of 4 GiB is not the attribute map’s business', () => {
    const pc = board();
    for (const area of PAM_AREAS) setMode(pc, area, 3);
    expect(pc.memory.at(gpa(4 * GiB - 16))?.segment.name).toBe('bootrom');
  });
});
