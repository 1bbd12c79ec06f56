import { expect, test } from 'vitest';
import { Random, SEED } from '../../../test/random.ts';
import { ManualClock } from '../../base/clock.ts';
import { GiB, KiB, MiB, MILLISECOND } from '../../base/units.ts';
import { allOnes, type AccessSize } from '../../bus/io-handler.ts';
import { MmioBus } from '../../bus/mmio-bus.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { SharedLine } from '../../bus/shared-line.ts';
import { gpa, GuestMemory, HeapStore } from '../../memory/index.ts';
import { BootRom } from '../boot-rom.ts';
import { Framebuffer } from '../framebuffer.ts';
import { ConfigMechanism } from '../pci/config-mechanism.ts';
import { InterruptRouter } from '../pci/interrupt-router.ts';
import { PciBus } from '../pci/pci-bus.ts';
import { Placement } from '../pci/placement.ts';
import { Apm } from './apm.ts';
import { I440fxHostBridge, PAM_RANGE } from './i440fx-host-bridge.ts';
import { Piix3IsaBridge } from './piix3-isa-bridge.ts';
import { Piix4PowerManagement } from './piix4-power-management.ts';
import { Port92 } from './port-92.ts';
import { ResetControl } from './reset-control.ts';

const RAM = 32 * MiB;
const ROM = 256 * KiB;
const SCI = 9;

/** The chipset as a machine wires it. */
class Board {
  readonly memory: GuestMemory = new GuestMemory({ store: new HeapStore() });
  readonly mmio: MmioBus = new MmioBus();
  readonly ports: PortBus = new PortBus();
  readonly clock: ManualClock = new ManualClock();
  readonly pci: PciBus = new PciBus();
  readonly levels: boolean[] = Array.from({ length: 16 }, () => false);
  readonly spaces = {
    memory: new Placement({ bus: this.mmio, memory: this.memory, windows: [{ start: RAM, end: 4 * GiB - ROM }] }),
    ports: new Placement({ bus: this.ports, windows: [{ start: 0x100, end: 0x1_0000 }] }),
  };
  readonly #devices: { reset(): void }[] = [];
  resets = 0;

  constructor() {
    const ram = this.memory.createSegment({ name: 'ram', kind: 'sysmem', length: RAM });
    this.memory.map({ segment: ram, gpa: gpa(0), length: 0xa_0000, prot: 'rwx' });
    this.memory.map({ segment: ram, gpa: gpa(MiB), offset: MiB, prot: 'rwx' });
    const rom = this.#own(new BootRom({ memory: this.memory, image: new Uint8Array(ROM) }));
    const host = this.#own(new I440fxHostBridge({ memory: this.memory, ram, rom: rom.segment }));
    this.mmio.register(PAM_RANGE, host.handler, 'PAM');
    this.pci.attach({ slot: 0 }, host.pci);
    this.#southBridge();
    const display = this.#own(
      new Framebuffer({ memory: this.memory, spaces: this.spaces, optionRom: new Uint8Array(28 * KiB) }),
    );
    this.pci.attach({ slot: 2 }, display.pci);
  }

  reset(): void {
    this.memory.reset();
    for (const device of this.#devices) device.reset();
  }

  map(): string[] {
    return [...this.memory].map(
      ({ gpa: start, end, segment, prot }) => `${start.toString(16)}-${(end - 1).toString(16)} ${segment.name} ${prot}`,
    );
  }

  config(slot: number, fn: number, register: number, size: AccessSize, value: number): void {
    this.ports.write(0xcf8, 4, (0x8000_0000 | (slot << 11) | (fn << 8) | (register & 0xfc)) >>> 0);
    this.ports.write(0xcfc + (register & 3), size, value);
  }

  #southBridge(): void {
    const irqs = this.levels.map((_, irq) => new SharedLine({ set: (level) => void (this.levels[irq] = level) }));
    const router = new InterruptRouter({ irqs: irqs.map((irq) => irq.input()) });
    this.pci.attach({ slot: 1 }, this.#own(new Piix3IsaBridge({ router })).pci);
    const sci = irqs[SCI]?.input() ?? { set: () => {} };
    const options = { clock: this.clock, ports: this.spaces.ports, sci, powerOff: () => {} };
    const power = this.#own(new Piix4PowerManagement(options));
    this.pci.attach({ slot: 1, fn: 3 }, power.pci);
    const requestReset = (): void => void this.resets++;
    const resetControl = this.#own(new ResetControl({ requestReset }));
    const mechanism = this.#own(new ConfigMechanism({ bus: this.pci, resetControl }));
    const port92 = this.#own(new Port92({ setA20: () => {}, requestReset }));
    const apm = this.#own(new Apm({ command: (value) => power.apmCommand(value) }));
    this.ports.register({ start: 0x92, length: 1 }, port92, 'port 92');
    this.ports.register({ start: 0xb2, length: 2 }, apm, 'APM');
    this.ports.register({ start: 0xcf8, length: 4 }, mechanism.address, 'PCI address');
    this.ports.register({ start: 0xcfc, length: 4 }, mechanism.data, 'PCI data');
    this.ports.register({ start: 0xafe0, length: 4 }, power.gpe, 'GPE');
  }

  #own<T extends { reset(): void }>(device: T): T {
    this.#devices.push(device);
    return device;
  }
}

/** The configuration writes of SeaBIOS 1.16 that change what is where: slot, function, register, size, value. */
const SEABIOS: readonly (readonly [number, number, number, AccessSize, number])[] = [
  // RAM over the ROM's copy, writable.
  [0, 0, 0x5a, 1, 0x33],
  [0, 0, 0x5b, 1, 0x33],
  [0, 0, 0x5c, 1, 0x33],
  [0, 0, 0x5d, 1, 0x33],
  [0, 0, 0x5e, 1, 0x33],
  [0, 0, 0x5f, 1, 0x33],
  [0, 0, 0x59, 1, 0x30],
  // Sizes, then addresses, then decode.
  [2, 0, 0x10, 4, 0xffff_ffff],
  [2, 0, 0x18, 4, 0xffff_ffff],
  [2, 0, 0x30, 4, 0xffff_fffe],
  [2, 0, 0x10, 4, 0xfd00_0000],
  [2, 0, 0x18, 4, 0xfebf_8000],
  [2, 0, 0x30, 4, 0xfebf_0000],
  [2, 0, 0x04, 2, 0x0103],
  [1, 0, 0x60, 4, 0x0b0b_0a0a],
  [1, 3, 0x40, 4, 0x601],
  [1, 3, 0x80, 1, 0x01],
  // The option ROM is shown while it is copied.
  [2, 0, 0x30, 4, 0xfebf_0001],
  [2, 0, 0x30, 4, 0xfebf_0000],
  // Firmware write-protected.
  [0, 0, 0x5a, 2, 0x1111],
  [0, 0, 0x5c, 4, 0x3311_1111],
  [0, 0, 0x59, 1, 0x10],
];

const POWER_ON = [
  '0-9ffff ram rwx',
  'e0000-fffff bootrom r-x',
  '100000-1ffffff ram rwx',
  'fffc0000-ffffffff bootrom r-x',
];

test('after power-on the map is RAM and the ROM at both its places', () => {
  expect(new Board().map()).toEqual(POWER_ON);
});

test('after SeaBIOS’s configuration writes the map is the one that QEMU shows', () => {
  const board = new Board();
  for (const write of SEABIOS) board.config(...write);
  expect(board.map()).toEqual([
    '0-9ffff ram rwx',
    'c0000-e7fff ram r-x',
    'e8000-effff ram rwx',
    'f0000-fffff ram r-x',
    '100000-1ffffff ram rwx',
    'fd000000-fdffffff framebuffer rw-',
    'fffc0000-ffffffff bootrom r-x',
  ]);
  const claims = [...board.mmio.claims(), ...board.ports.claims()].map(
    ({ start, value }) => `${start.toString(16)} ${value.name}`,
  );
  expect(claims).toContain('febf8000 Bochs display BAR 2');
  expect(claims).toContain('600 PIIX4 power management');
});

test('a reset gives the power-on map again, and the firmware can start over', () => {
  const board = new Board();
  const claimed = (): number => [...board.mmio.claims(), ...board.ports.claims()].length;
  const claims = claimed();
  for (const write of SEABIOS) board.config(...write);
  const booted = board.map();
  for (let round = 0; round < 3; round++) {
    board.reset();
    expect([board.map(), claimed()]).toEqual([POWER_ON, claims]);
    for (const write of SEABIOS) board.config(...write);
    expect(board.map()).toEqual(booted);
  }
});

test(`no access to any port, register or address throws, and every answer fits its size (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const board = new Board();
  const sizes: readonly AccessSize[] = [1, 2, 4];
  const ports = [0x92, 0xb2, 0x600, 0x608, 0xcf8, 0xcf9, 0xcfc, 0xafe0, 0xfffe];
  const addresses = [0xc_0000, 0xf_fffe, RAM - 1, 0xfd00_0000, 0xfebf_8500, 0xfebf_8000, 4 * GiB - 2, 2 ** 40];
  const functions = [
    [0, 0],
    [1, 0],
    [1, 3],
    [2, 0],
  ] as const;
  for (let step = 0; step < 50_000; step++) {
    const size = sizes[random.below(3)] ?? 1;
    const [slot, fn] = functions[random.below(4)] ?? [0, 0];
    const port = (ports[random.below(ports.length)] ?? 0) + random.below(4);
    const address = (addresses[random.below(addresses.length)] ?? 0) + random.below(8);
    const known = SEABIOS[random.below(SEABIOS.length)];
    if (random.below(4) === 0 && known !== undefined) board.config(...known);
    else board.config(slot, fn, random.below(0x100), size, random.bits());
    board.ports.write(port, size, random.bits());
    board.mmio.write(address, size, random.bits());
    for (const value of [board.ports.read(port, size), board.mmio.read(address, size)]) {
      if (!Number.isInteger(value) || value < 0 || value > allOnes(size)) throw new Error(`${value} at step ${step}`);
    }
    board.clock.advance(random.below(50) * MILLISECOND);
    if (random.below(1000) === 0) board.reset();
  }
  board.reset();
  expect(board.map()).toEqual(POWER_ON);
  expect(board.resets).toBeGreaterThan(0);
});
