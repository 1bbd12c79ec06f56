import { assert } from '../base/assert.ts';
import { GiB, KiB, MiB, PAGE_SIZE } from '../base/units.ts';
import type { PortBus } from '../bus/port-bus.ts';
import type { Engine } from '../cpu/index.ts';
import type { E820Range } from '../devices/fw-cfg.ts';
import { gpa, type GuestMemory } from '../memory/index.ts';
import { placeTables } from './acpi/table-set.ts';
import { acpiTables } from './acpi/tables.ts';
import { ConfigError } from './config-error.ts';
import { ADDRESS_BITS, CHIPSET_END, HIGH_RAM_START, IRQ, PM_BASE, PORTS, SLOT, type RamLayout } from './layout.ts';
import type { BootFile, BootPlan, MemoryWrite } from './loaders/boot-plan.ts';
import { planBoot } from './loaders/load.ts';
import { StructureWriter } from './structure-writer.ts';

/** A kernel to start. */
export interface KernelConfig {
  /** Who starts it: the machine when not given, and then the boot ROM is not entered. Firmware starts bzImages only. */
  readonly startedBy?: 'machine' | 'firmware' | undefined;
  readonly kernel: BootFile;
  readonly modules: readonly BootFile[];
  readonly commandLine: string;
  /** Random bytes for a guest that wants some. */
  readonly seed?: Uint8Array | undefined;
}

/**
 * The first megabyte as firmware would have left it. Old kernels look for the root of the ACPI tables in the first KiB
 * of the extended BIOS data area, whose segment is at 40Eh.
 *
 *     0 ── BIOS data at 400h ── free RAM ── 9FC00 extended BIOS data ── A0000 ── … ── F0000 boot ROM's copy ── 100000
 */
const EXTENDED_DATA = { start: 0x9_fc00, end: 0xa_0000 } as const;
const ROM_COPY = { start: 0xf_0000, length: 0x1_0000 } as const;
const BIOS_DATA = { start: 0x400, length: 0x100, serialPort: 0x00, extendedData: 0x0e, kilobytes: 0x13 } as const;

const MEMORY_MIN: number = 2 * MiB;

/** Configuration addresses: of the south bridge, and of its power management. */
const CONFIG_ENABLE = 0x8000_0000;
const SOUTH_BRIDGE = CONFIG_ENABLE | (SLOT.southBridge << 11);
const POWER_MANAGEMENT = SOUTH_BRIDGE | (3 << 8);

/** Registers of configuration space, and what firmware leaves in them: PIRQs A to D lead to 10, 10, 11 and 11. */
const FIRMWARE_SETTINGS: readonly (readonly [address: number, value: number])[] = [
  [SOUTH_BRIDGE | 0x60, 0x0b0b_0a0a],
  [POWER_MANAGEMENT | 0x40, PM_BASE | 1],
  [POWER_MANAGEMENT | 0x80, 1],
];
const PIRQ_IRQS = [10, 10, 11, 11] as const;
/** What a PIRQ leads to is level-triggered, and so is the system control interrupt. */
const LEVEL_IRQS: number = (1 << 9) | (1 << 10) | (1 << 11);

const SLOTS = 32;
const FUNCTIONS = 8;
const INTERRUPT_LINE = 0x3c;

/** What has to be done to a machine that has just been reset so that a kernel runs, in place of its firmware. */
export class DirectBoot {
  readonly plan: BootPlan;
  readonly #writes: readonly MemoryWrite[];
  readonly #memoryTypes: Readonly<Record<string, bigint>>;

  /** Throws ConfigError when the kernel cannot be started in so much memory. */
  constructor(config: KernelConfig, ram: RamLayout) {
    if (ram.below4GiB < MEMORY_MIN) throw new ConfigError('a kernel without firmware needs at least 2 MiB of memory');
    const tables = acpiTables({ ram });
    const tablesLength = Math.ceil(tables.bytes.tables.length / PAGE_SIZE) * PAGE_SIZE;
    const tablesStart = ram.below4GiB - tablesLength;
    const placed = placeTables(tables, { rsdp: EXTENDED_DATA.start, tables: tablesStart });
    this.plan = planBoot({ ...config, ram, map: addressMap(ram, tablesStart), rsdp: EXTENDED_DATA.start });
    this.#memoryTypes = memoryTypes(ram);
    this.#writes = [
      { gpa: BIOS_DATA.start, bytes: biosData() },
      { gpa: EXTENDED_DATA.start, bytes: placed.rsdp },
      { gpa: tablesStart, bytes: placed.tables },
      ...this.plan.writes,
    ];
  }

  apply({ memory, engine, ports }: { memory: GuestMemory; engine: Engine; ports: PortBus }): void {
    for (const { gpa: start, bytes } of this.#writes) {
      assert(memory.write(gpa(start), bytes), 'a loader wrote where no RAM is');
    }
    setUpChipset(ports);
    const registers = { ...this.#memoryTypes, ...this.plan.registers };
    for (const [name, value] of Object.entries(registers)) engine.setRegister(name, value);
  }
}

/** What the kernel is told of the address space. */
function addressMap({ below4GiB, above4GiB }: RamLayout, tablesStart: number): E820Range[] {
  const map: E820Range[] = [
    { start: 0, length: EXTENDED_DATA.start, type: 'ram' },
    { start: EXTENDED_DATA.start, length: EXTENDED_DATA.end - EXTENDED_DATA.start, type: 'reserved' },
    { ...ROM_COPY, type: 'reserved' },
    { start: CHIPSET_END, length: tablesStart - CHIPSET_END, type: 'ram' },
    // Not `acpi`, which a guest may use once it has read it: the FACS is written for ever.
    { start: tablesStart, length: below4GiB - tablesStart, type: 'nvs' },
  ];
  if (above4GiB > 0) map.push({ start: HIGH_RAM_START, length: above4GiB, type: 'ram' });
  return map;
}

function biosData(): Uint8Array {
  return new StructureWriter(BIOS_DATA.length)
    .u16(BIOS_DATA.serialPort, PORTS.serial.start)
    .u16(BIOS_DATA.extendedData, EXTENDED_DATA.start >> 4)
    .u16(BIOS_DATA.kilobytes, EXTENDED_DATA.start / KiB).bytes;
}

/** Write-back, eight times: a fixed range register that says so of all its pieces. */
const WRITE_BACK = 6n;
const ALL_WRITE_BACK = 0x0606_0606_0606_0606n;
const MTRR_VALID = 0x800n;
const MTRR_ON = 0xc00n;

/**
 * The MTRRs as PC firmware leaves them (SDM volume 3, section 12.11): write-back, but for A0000h to FFFFFh and for the end of
 * the first 4 GiB, where devices are and which has to be a power of two.
 */
function memoryTypes({ below4GiB }: RamLayout): Record<string, bigint> {
  let length = 2 * GiB;
  while (4 * GiB - length < below4GiB) length /= 2;
  return {
    'mtrr.fixed0': ALL_WRITE_BACK,
    'mtrr.fixed1': ALL_WRITE_BACK,
    'mtrr.base0': BigInt(4 * GiB - length),
    'mtrr.mask0': BigInt(2 ** ADDRESS_BITS - length) | MTRR_VALID,
    'mtrr.default': MTRR_ON | WRITE_BACK,
  };
}

/** What the tables promise and only firmware does: the ports of power management, and where interrupts lead. */
function setUpChipset(ports: PortBus): void {
  for (const [address, value] of FIRMWARE_SETTINGS) {
    select(ports, address);
    ports.write(PORTS.pciConfigData.start, 4, value);
  }
  ports.write(PORTS.elcr.start, 2, LEVEL_IRQS);
  for (let slot = 0; slot < SLOTS; slot++) {
    for (let fn = 0; fn < FUNCTIONS; fn++) noteInterrupt(ports, slot, fn);
  }
  select(ports, 0);
}

/** Guests without ACPI believe the interrupt line register, which nothing but firmware sets. */
function noteInterrupt(ports: PortBus, slot: number, fn: number): void {
  select(ports, CONFIG_ENABLE | (slot << 11) | (fn << 8) | INTERRUPT_LINE);
  const pin = ports.read(PORTS.pciConfigData.start + 1, 1);
  if (pin < 1 || pin > 4) return;
  const isPowerManagement = slot === SLOT.southBridge && fn === 3;
  const line = isPowerManagement ? IRQ.sci : (PIRQ_IRQS[(slot + pin - 1) % 4] ?? 0);
  ports.write(PORTS.pciConfigData.start, 1, line);
}

/** Configuration space answers at its data port for what is at this address. */
function select(ports: PortBus, address: number): void {
  ports.write(PORTS.pciConfigAddress.start, 4, address >>> 0);
}

/** A boot ROM for a machine that boots directly: nothing but a processor that stands still, should it ever get there. */
export function standstillBootRom(): Uint8Array {
  const CLI = 0xfa;
  const HLT = 0xf4;
  const BACK = [0xeb, 0xfd];
  const rom = new Uint8Array(ROM_COPY.length).fill(HLT);
  rom.set([CLI, HLT, ...BACK], rom.length - 16);
  return rom;
}
