import { GiB } from '../base/units.ts';
import { unconnectedLine, type InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import type { MmioBus } from '../bus/mmio-bus.ts';
import type { PortBus } from '../bus/port-bus.ts';
import { BootRom } from '../devices/boot-rom.ts';
import { Apm } from '../devices/chipset/apm.ts';
import { I440fxHostBridge, PAM_RANGE } from '../devices/chipset/i440fx-host-bridge.ts';
import { Piix3IsaBridge } from '../devices/chipset/piix3-isa-bridge.ts';
import { Piix4PowerManagement } from '../devices/chipset/piix4-power-management.ts';
import { ResetControl } from '../devices/chipset/reset-control.ts';
import { DmaEngine } from '../devices/dma-engine.ts';
import { Flash } from '../devices/flash.ts';
import { Framebuffer } from '../devices/framebuffer.ts';
import type { BarSpaces } from '../devices/pci/bar.ts';
import { ConfigMechanism } from '../devices/pci/config-mechanism.ts';
import { InterruptRouter } from '../devices/pci/interrupt-router.ts';
import { PciBus } from '../devices/pci/pci-bus.ts';
import { Placement, type Waiting } from '../devices/pci/placement.ts';
import { gpa, type GuestMemory, type Segment } from '../memory/index.ts';
import type { DisplayConfig, MachineConfig } from './config.ts';
import type { Connections } from './connections.ts';
import { DmaPath } from './dma-path.ts';
import type { Interrupts } from './interrupts.ts';
import { CASCADE_IRQ, IRQ, IRQS, PCI_PORTS, pciWindows, PORTS, SLOT, type PortName, type RamLayout } from './layout.ts';

export interface PciOptions {
  readonly config: MachineConfig;
  readonly memory: GuestMemory;
  readonly ram: Segment;
  readonly ramLayout: RamLayout;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly interrupts: Interrupts;
  readonly connections: Connections;
  /** Told of each address that a guest gives a device and that cannot be had. */
  readonly refused: (waiting: Waiting) => void;
}

/** The chipset, and what hangs on PCI bus 0: devices whose memory and ports the guest moves. */
export class PciDevices {
  readonly bus: PciBus = new PciBus();
  readonly powerManagement: Piix4PowerManagement;
  readonly display: Framebuffer | undefined;
  readonly #resettable: { reset(): void }[];

  constructor(options: PciOptions) {
    const { config, memory, ram, ports, mmio, interrupts, connections } = options;
    const spaces = barSpaces(options);
    const firmware = createFirmware(options);
    const hostBridge = new I440fxHostBridge({ memory, ram, rom: firmware[0].segment });
    const router = new InterruptRouter({ irqs: routableLines(interrupts) });
    const isaBridge = new Piix3IsaBridge({ router });
    this.powerManagement = new Piix4PowerManagement({
      clock: connections.clock,
      ports: spaces.ports,
      sci: interrupts.line(IRQ.sci),
      powerOff: connections.powerOff,
    });
    this.display = config.display === undefined ? undefined : createDisplay(config.display, memory, spaces);
    const apm = new Apm({ command: (value) => this.powerManagement.apmCommand(value) });
    const resetControl = new ResetControl({ requestReset: connections.requestReset });
    const configMechanism = new ConfigMechanism({ bus: this.bus, resetControl });
    this.bus.attach({ slot: SLOT.hostBridge }, hostBridge.pci);
    this.bus.attach({ slot: SLOT.southBridge }, isaBridge.pci);
    this.bus.attach({ slot: SLOT.southBridge, fn: 3 }, this.powerManagement.pci);
    if (this.display !== undefined) this.bus.attach({ slot: SLOT.display }, this.display.pci);
    const places: readonly (readonly [PortName, IoHandler])[] = [
      ['apm', apm],
      ['gpe', this.powerManagement.gpe],
      ['pciConfigAddress', configMechanism.address],
      ['pciConfigData', configMechanism.data],
    ];
    for (const [name, handler] of places) ports.register(PORTS[name], handler, name);
    mmio.register(PAM_RANGE, hostBridge.handler, 'host bridge');
    catchUpWhenThereIsRoom(options, spaces, hostBridge);
    // The firmware first: the host bridge shows a copy of it.
    this.#resettable = [...firmware, hostBridge, isaBridge, this.powerManagement, apm, resetControl, configMechanism];
    if (this.display !== undefined) this.#resettable.push(this.display);
    if (config.dmaEngine !== undefined) this.#attachDmaEngine(options, spaces, router);
  }

  reset(): void {
    for (const device of this.#resettable) device.reset();
  }

  #attachDmaEngine({ config, connections, memory }: PciOptions, spaces: BarSpaces, router: InterruptRouter): void {
    const path = new DmaPath(memory, config.dmaEngine?.iommu === true ? 'dma-engine' : undefined);
    const interrupt = router.line(SLOT.dmaEngine, 1);
    const engine = new DmaEngine({ clock: connections.clock, memory: path, spaces, interrupt });
    this.bus.attach({ slot: SLOT.dmaEngine }, engine.pci);
    // What it has under way goes by the old path.
    this.#resettable.push(engine, path);
  }
}

/** The boot ROM; or two flash chips, code at the top and the variables below it. */
function createFirmware({ config, memory, mmio, connections }: PciOptions): [BootRom | Flash, ...Flash[]] {
  const { bootRom, variables } = config;
  if (variables === undefined) return [new BootRom({ memory, image: bootRom })];
  const code = new Flash({
    memory,
    name: 'bootrom',
    image: bootRom,
    end: 4 * GiB,
    prot: 'r-x',
    writeProtected: true,
  });
  const vars = new Flash({
    memory,
    name: 'vars',
    image: variables,
    end: code.start,
    prot: 'r--',
    writeProtected: false,
    changed: connections.variablesChanged,
  });
  for (const { start, segment, handler } of [code, vars]) {
    mmio.register({ start, length: segment.length }, handler, `flash ${segment.name}`);
  }
  return [code, vars];
}

/**
 * Room for what waits is made by guests, which the placement sees itself, but also by whoever edits the map from
 * outside, and by a local APIC that moves its page. Nobody may edit the map while he is told of an edit, so what waits
 * is placed before the next slice.
 */
function catchUpWhenThereIsRoom(
  { memory, mmio, connections: { clock } }: PciOptions,
  spaces: BarSpaces,
  hostBridge: I440fxHostBridge,
): void {
  const soon = clock.timer(() => {
    hostBridge.catchUp();
    spaces.memory.retry();
  });
  const roomMade = (): void => {
    if (hostBridge.isBehind || spaces.memory.waiting.length > 0) soon.arm(clock.now());
  };
  memory.observe({ changed: ({ removed }) => removed.length > 0 && roomMade() }, { replay: false });
  mmio.released.on(roomMade);
}

function barSpaces({ memory, mmio, ports, ramLayout, refused }: PciOptions): BarSpaces {
  return {
    memory: new Placement({
      bus: mmio,
      windows: pciWindows(ramLayout),
      memory: { covering: (start, length) => memory.covering(gpa(start), length) },
      refused,
    }),
    ports: new Placement({ bus: ports, windows: [PCI_PORTS], refused }),
  };
}

/** By IRQ. The controllers' own cascade is no line that a PIRQ can be led to. */
function routableLines(interrupts: Interrupts): InterruptLine[] {
  return Array.from({ length: IRQS }, (_, irq) => (irq === CASCADE_IRQ ? unconnectedLine : interrupts.line(irq)));
}

function createDisplay(display: DisplayConfig, memory: GuestMemory, spaces: BarSpaces): Framebuffer {
  const { width, height, optionRom } = display;
  return new Framebuffer({ memory, spaces, width, height, ...(optionRom === undefined ? {} : { optionRom }) });
}
