import { bootOrder, e820, FwCfg, littleEndian } from '../devices/fw-cfg.ts';
import { gpa, type GuestMemory } from '../memory/index.ts';
import { serveTables } from './acpi/table-loader.ts';
import { acpiTables } from './acpi/tables.ts';
import type { MachineConfig } from './config.ts';
import { linuxRom } from './linux-rom.ts';
import { linuxItems } from './loaders/linux-by-firmware.ts';
import type { KernelConfig } from './direct-boot.ts';
import { HIGH_RAM_START, PORTS, type RamLayout } from './layout.ts';

/** As SeaBIOS reads it: never give up, never boot again by yourself. */
const WAIT_FOR_EVER = 0xffff_ffff;

/** What the machine tells its firmware. `pmBase` says where that has put the power-management block. */
export function firmwareConfig(
  config: MachineConfig,
  ram: RamLayout,
  memory: GuestMemory,
  pmBase: () => number | undefined,
): FwCfg {
  const dma = {
    read: (address: number, target: Uint8Array) => memory.read(gpa(address), target),
    write: (address: number, source: Uint8Array) => memory.write(gpa(address), source),
  };
  const fwCfg = new FwCfg({ memory: dma, ramSize: config.memory, noGraphics: config.display === undefined });
  fwCfg.add('etc/e820', e820(ramRanges(ram)));
  fwCfg.add('etc/boot-fail-wait', littleEndian(WAIT_FOR_EVER, 4));
  if (config.firmwareConsole === 'serial') fwCfg.add('etc/sercon-port', littleEndian(PORTS.serial.start, 2));
  serveTables(() => acpiTables({ ram, pmBase: pmBase() }), fwCfg);
  if (config.boot?.startedBy === 'firmware') serveKernel(config.boot, ram, fwCfg);
  return fwCfg;
}

/** SeaBIOS runs the files in this folder as option ROMs, and boots first from what is first in the boot order. */
const KERNEL_ROM = 'genroms/linux.bin';

function serveKernel(boot: KernelConfig, ram: RamLayout, fwCfg: FwCfg): void {
  for (const [item, bytes] of linuxItems({ ...boot, ram })) fwCfg.set(item, bytes);
  fwCfg.add(KERNEL_ROM, linuxRom());
  fwCfg.add('bootorder', bootOrder([`/rom@${KERNEL_ROM}`]));
}

function ramRanges({ below4GiB, above4GiB }: RamLayout): { start: number; length: number; type: 'ram' }[] {
  return [
    { start: 0, length: below4GiB, type: 'ram' as const },
    { start: HIGH_RAM_START, length: above4GiB, type: 'ram' as const },
  ].filter(({ length }) => length > 0);
}
