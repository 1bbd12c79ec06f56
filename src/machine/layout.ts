import { GiB, MiB } from '../base/units.ts';

/**
 * Where everything is, in one table per space.
 *
 *     0 ──────────────── low RAM ──────────────── A0000 ── chipset (SMRAM, PAM) ── 100000 ── low RAM ── LOW_RAM_LIMIT at most
 *     end of low RAM ─── PCI memory: BARs go here ─── FEC00000 ── I/O APIC … ── 4 GiB - ROM ── boot ROM ── 4 GiB
 *     4 GiB ── high RAM ── … ── PCI memory above 4 GiB, to the end of the address space
 */
export const LOW_RAM_LIMIT: number = 3 * GiB;
export const HIGH_RAM_START: number = 4 * GiB;

/** The piece of the first megabyte that the host bridge maps: its SMRAM and PAM registers say what is there. */
export const CHIPSET_START = 0xa_0000;
export const CHIPSET_END = 0x10_0000;

/** End of the 32-bit addresses that BARs may have: interrupt controllers and the boot ROM are above. */
export const PCI_HOLE_END = 0xfec0_0000;

/** A machine's address width, and so the end of everything: 1 TiB. */
export const ADDRESS_BITS = 40;

export const MEMORY_MIN: number = MiB;

/** I/O ports (source: 82371SB/AB datasheets; QEMU's fw_cfg specification for 510h). */
export const PORTS = {
  dmaController1: { start: 0x00, length: 0x10 },
  pic1: { start: 0x20, length: 2 },
  pit: { start: 0x40, length: 4 },
  keyboardData: { start: 0x60, length: 1 },
  systemControlB: { start: 0x61, length: 1 },
  keyboardCommand: { start: 0x64, length: 1 },
  rtc: { start: 0x70, length: 2 },
  postCode: { start: 0x80, length: 1 },
  dmaPages: { start: 0x81, length: 0xf },
  systemControlA: { start: 0x92, length: 1 },
  pic2: { start: 0xa0, length: 2 },
  apm: { start: 0xb2, length: 2 },
  dmaController2: { start: 0xc0, length: 0x20 },
  coprocessorError: { start: 0xf0, length: 1 },
  serial: { start: 0x3f8, length: 8 },
  debugConsole: { start: 0x402, length: 1 },
  elcr: { start: 0x4d0, length: 2 },
  firmwareConfig: { start: 0x510, length: 2 },
  firmwareConfigDma: { start: 0x514, length: 8 },
  gpe: { start: 0xafe0, length: 4 },
  pciConfigAddress: { start: 0xcf8, length: 4 },
  pciConfigData: { start: 0xcfc, length: 4 },
} as const;

/** Both mechanisms' ports of PCI configuration, which belong to the host bridge. */
export const CONFIG_PORTS = { start: 0xcf8, length: 8 } as const;

/** Reset control, which lies amid the address register. */
export const RESET_PORT = 0xcf9;

/** Where firmware puts the power-management block, and the ACPI tables say it is. */
export const PM_BASE = 0x600;

export type PortName = keyof typeof PORTS;

/** Where PCI functions may show their ports: above those of the board's own devices. */
export const PCI_PORTS = { start: 0x100, end: 0x1_0000 } as const;

export const IRQS = 16;
export const CASCADE_IRQ = 2;

/** ISA interrupt lines. */
export const IRQ = { timer: 0, keyboard: 1, serial: 4, rtc: 8, sci: 9, mouse: 12, coprocessor: 13 } as const;

/** Interrupts that PIRQs may be led to, as the ACPI tables offer them. */
export const PCI_IRQS: readonly number[] = [5, 10, 11];

/** Slots of PCI bus 0. Firmware counts on the first two. */
export const SLOT = { hostBridge: 0, southBridge: 1, display: 2, dmaEngine: 3 } as const;

/** Page tables of the flat view, and guards of up to eight segments, beside what the engine and the segments take. */
export const ARENA_SLACK: number = (16 + 8 * 8) * MiB;
export const ARENA_LIMIT: number = 4 * GiB;

export const DISPLAY_MEMORY: number = 16 * MiB;

/** Where PCI functions may show their memory, given how much RAM there is. */
export function pciWindows(ram: RamLayout): { start: number; end: number }[] {
  return [
    { start: ram.below4GiB, end: PCI_HOLE_END },
    { start: HIGH_RAM_START + ram.above4GiB, end: 2 ** ADDRESS_BITS },
  ];
}

export interface RamLayout {
  readonly below4GiB: number;
  readonly above4GiB: number;
}

/** RAM beyond the limit continues at 4 GiB. */
export function ramLayout(memory: number): RamLayout {
  const below4GiB = Math.min(memory, LOW_RAM_LIMIT);
  return { below4GiB, above4GiB: memory - below4GiB };
}

/** Where RAM's bytes are in guest-physical space, for those who look at it from outside. */
export function sysmemLayout(memory: number): { offset: number; length: number; gpa: number }[] {
  const { below4GiB, above4GiB } = ramLayout(memory);
  const low = { offset: 0, length: below4GiB, gpa: 0 };
  return above4GiB === 0 ? [low] : [low, { offset: below4GiB, length: above4GiB, gpa: HIGH_RAM_START }];
}
