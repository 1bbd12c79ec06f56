import { MiB, PAGE_SIZE } from '../../base/units.ts';
import { FW_CFG_ITEM, littleEndian } from '../../devices/fw-cfg.ts';
import { ConfigError } from '../config-error.ts';
import { StructureWriter } from '../structure-writer.ts';
import type { BootRequest } from './boot-plan.ts';
import { HEADER, HEAP_SLACK, isLinux, LOAD_HIGH_ADDRESS, LOADER_TYPE, readLinux, type Linux } from './linux-header.ts';

/** A numbered item of fw_cfg, and its bytes. */
export type FirmwareItem = readonly [item: number, bytes: Uint8Array];

/**
 * Where a BIOS leaves room for the real-mode part of a kernel (Linux, Documentation/arch/x86/boot.rst, "Sample Boot
 * Configuration"):
 *
 *     10000 ── real-mode code ── 18000 ── heap, and stack from its end down ── 1E000 ── command line ── 20000
 */
const SETUP = { address: 0x1_0000, end: 0x1_8000 } as const;
const HEAP_END = 0xe000;
const COMMAND_LINE = { address: 0x1_e000, end: 0x2_0000 } as const;

const HEAP_IS_USABLE = 0x80;

/** Left at the end of RAM below 4 GiB, where SeaBIOS keeps its tables: at most 256 KiB (its BUILD_MAX_HIGHTABLE). */
const FIRMWARE_LENGTH = MiB;

/** The items that tell of one piece: where it goes, how long it is, and its bytes. */
const PIECES = {
  kernel: [FW_CFG_ITEM.kernelAddress, FW_CFG_ITEM.kernelSize, FW_CFG_ITEM.kernelData],
  initrd: [FW_CFG_ITEM.initrdAddress, FW_CFG_ITEM.initrdSize, FW_CFG_ITEM.initrdData],
  commandLine: [FW_CFG_ITEM.commandLineAddress, FW_CFG_ITEM.commandLineSize, FW_CFG_ITEM.commandLineData],
  setup: [FW_CFG_ITEM.setupAddress, FW_CFG_ITEM.setupSize, FW_CFG_ITEM.setupData],
} as const;

/** What firmware needs to start a bzImage from its real-mode code on, as QEMU hands it over. */
export function linuxItems(request: Pick<BootRequest, 'kernel' | 'modules' | 'commandLine' | 'ram'>): FirmwareItem[] {
  const { name } = request.kernel;
  if (!isLinux(request)) throw new ConfigError(`kernel '${name}' is no bzImage, and firmware starts no other kind`);
  const linux = readLinux(request);
  const { code, commandLine, initrd } = linux;
  if (commandLine.length > COMMAND_LINE.end - COMMAND_LINE.address) {
    throw new ConfigError(`command line of ${commandLine.length - 1} bytes is too long for firmware`);
  }
  const initrdAddress = placeInitrd(linux, request.ram.below4GiB - FIRMWARE_LENGTH);
  return [
    ...piece('kernel', LOAD_HIGH_ADDRESS, code),
    ...piece('initrd', initrdAddress, initrd?.bytes ?? new Uint8Array()),
    ...piece('commandLine', COMMAND_LINE.address, commandLine),
    ...piece('setup', SETUP.address, setupPart(linux, initrdAddress)),
  ];
}

function piece(name: keyof typeof PIECES, address: number, bytes: Uint8Array): FirmwareItem[] {
  const [addressItem, sizeItem, dataItem] = PIECES[name];
  return [
    [addressItem, littleEndian(address, 4)],
    [sizeItem, littleEndian(bytes.length, 4)],
    [dataItem, bytes],
  ];
}

/** As high as kernel and memory allow; firmware has no map yet. */
function placeInitrd({ initrd, header, code, image }: Linux, end: number): number {
  const codeEnd = LOAD_HIGH_ADDRESS + code.length;
  if (codeEnd > end) image.fail(`of ${image.length} bytes does not fit into memory beside its firmware`);
  if (initrd === undefined) return 0;
  const { name, bytes } = initrd;
  const address = Math.floor((Math.min(end, header.initrdMax + 1) - bytes.length) / PAGE_SIZE) * PAGE_SIZE;
  if (address < codeEnd) {
    throw new ConfigError(`initrd '${name}' of ${bytes.length} bytes does not fit into memory beside the rest`);
  }
  return address;
}

/** The real-mode code, with the fields of its header that are a loader's to fill in. */
function setupPart({ image, header, initrd }: Linux, initrdAddress: number): Uint8Array {
  if (header.payload > SETUP.end - SETUP.address) {
    image.fail(`has ${header.payload} bytes of real-mode code: at most ${SETUP.end - SETUP.address} are possible`);
  }
  return new StructureWriter(header.payload)
    .copy(0, image.slice(0, header.payload))
    .u8(HEADER.loader, LOADER_TYPE)
    .u8(HEADER.loadFlags, image.u8(HEADER.loadFlags) | HEAP_IS_USABLE)
    .u32(HEADER.initrd, initrdAddress)
    .u32(HEADER.initrdSize, initrd?.bytes.length ?? 0)
    .u16(HEADER.heapEnd, HEAP_END - HEAP_SLACK)
    .u32(HEADER.commandLine, COMMAND_LINE.address).bytes;
}
