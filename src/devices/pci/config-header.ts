import type { Register } from '../../bus/registers.ts';

/** What a function says of itself. */
export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  /** Base class, subclass, programming interface: 0x060000 is a host bridge. */
  readonly classCode: number;
  readonly revision?: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
}

/** Bits of the command register that software uses. (PCI 3.0, 6.2.2) */
export const COMMAND = { io: 0x1, memory: 0x2, master: 0x4, interruptDisable: 0x400 } as const;

/** Bits of the status register. (PCI 3.0, 6.2.3) */
export const STATUS = { interrupt: 0x08, capabilities: 0x10, mediumSelect: 0x200 } as const;

export const CONFIG = {
  command: 0x04,
  status: 0x06,
  interruptLine: 0x3c,
  /** From here on a function may do as it likes. */
  deviceSpecific: 0x40,
  length: 0x100,
} as const;

/** Command bits that a guest can set: I/O, memory, bus master, SERR, interrupt disable; as QEMU's machines have it. */
const COMMAND_WRITABLE = 0x0507;
/** Status bits that report errors; a 1 written clears them. */
const STATUS_ERRORS = 0xf900;
const MULTIFUNCTION = 0x80;
/** The subsystem of everything on QEMU's machines, by which firmware recognises the platform. */
const SUBSYSTEM = { vendor: 0x1af4, device: 0x1100 } as const;

export interface HeaderOptions {
  readonly identity: PciIdentity;
  readonly multifunction?: boolean;
  /** 1 for INTA# to 4 for INTD#; 0 for none. */
  readonly interruptPin?: number;
  /** Fixed bits of the status register. */
  readonly status?: number;
  /** Offset of the first capability. */
  readonly capabilities?: number;
  readonly commandWritten: (value: number) => void;
}

/**
 * The type 0 header (PCI 3.0, 6.1) without its BARs:
 *
 *     00 device      | vendor         2c subsystem | subsystem vendor
 *     04 status      | command        30 option ROM BAR
 *     08 class code       | revision  34              | capabilities
 *     0c BIST | type | latency | line 3c max lat | min gnt | pin | line
 */
export function headerRegisters(options: HeaderOptions): Register[] {
  const { identity, multifunction = false, interruptPin = 0, status = 0, capabilities = 0, commandWritten } = options;
  const { vendor, device, classCode, revision = 0 } = identity;
  const { subsystemVendor = SUBSYSTEM.vendor, subsystem = SUBSYSTEM.device } = identity;
  return [
    { name: 'vendor', offset: 0x00, size: 2, reset: vendor },
    { name: 'device', offset: 0x02, size: 2, reset: device },
    { name: 'command', offset: CONFIG.command, size: 2, writable: COMMAND_WRITABLE, written: commandWritten },
    {
      name: 'status',
      offset: CONFIG.status,
      size: 2,
      reset: status | (capabilities === 0 ? 0 : STATUS.capabilities),
      clearable: STATUS_ERRORS,
    },
    { name: 'revision and class', offset: 0x08, size: 4, reset: ((classCode << 8) | revision) >>> 0 },
    { name: 'cache line size', offset: 0x0c, size: 1, writable: 0xff },
    { name: 'header type', offset: 0x0e, size: 1, reset: multifunction ? MULTIFUNCTION : 0 },
    { name: 'subsystem vendor', offset: 0x2c, size: 2, reset: subsystemVendor },
    { name: 'subsystem', offset: 0x2e, size: 2, reset: subsystem },
    { name: 'capabilities', offset: 0x34, size: 1, reset: capabilities },
    { name: 'interrupt line', offset: CONFIG.interruptLine, size: 1, writable: 0xff },
    { name: 'interrupt pin', offset: 0x3d, size: 1, reset: interruptPin },
  ];
}
