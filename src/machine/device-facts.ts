import type { BarType } from '../devices/pci/bar.ts';
import { CONFIG } from '../devices/pci/config-header.ts';
import type { PciBus } from '../devices/pci/pci-bus.ts';
import type { PciFunction } from '../devices/pci/pci-function.ts';
import { PORTS } from './layout.ts';

/** Where the type 0 header has them (PCI 3.0, 6.1). The class code is above the revision. */
const VENDOR = 0x00;
const DEVICE = 0x02;
const REVISION = 0x08;

/** A device, as tools show it. */
export type DeviceFacts =
  | {
      readonly bus: 'isa';
      readonly name: string;
      readonly ports: { readonly start: number; readonly length: number };
    }
  | {
      readonly bus: 'pci';
      readonly name: string;
      readonly slot: number;
      readonly function: number;
      readonly vendor: number;
      readonly device: number;
      readonly classCode: number;
      readonly command: number;
      readonly bars: readonly BarFacts[];
    };

export interface BarFacts {
  readonly name: string;
  readonly type: BarType;
  readonly length: number;
  /** What the guest has written to the register. */
  readonly address: number;
  /** Where the guest sees it; nowhere while it is not decoded, or where it cannot be. */
  readonly place: number | undefined;
}

export function describeIsaDevices(): DeviceFacts[] {
  return Object.entries(PORTS).map(([name, { start, length }]) => ({ bus: 'isa', name, ports: { start, length } }));
}

export function describePciDevices(bus: PciBus): DeviceFacts[] {
  return Array.from(bus.functions(), ({ slot, fn, function: found }) => describePciFunction(slot, fn, found));
}

function describePciFunction(slot: number, fn: number, { name, config, bars }: PciFunction): DeviceFacts {
  return {
    bus: 'pci',
    name,
    slot,
    function: fn,
    vendor: config.peek(VENDOR, 2),
    device: config.peek(DEVICE, 2),
    classCode: config.peek(REVISION, 4) >>> 8,
    command: config.peek(CONFIG.command, 2),
    bars: bars.map(({ name, type, length, address, place }) => ({ name, type, length, address, place })),
  };
}
