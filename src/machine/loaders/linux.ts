import { E820_TYPE, type E820Range } from '../../devices/fw-cfg.ts';
import { ConfigError } from '../config-error.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { ImageReader } from './image-reader.ts';
import { descriptorTable, identityPageTables, longMode, PAGE_TABLES_LENGTH, protectedMode } from './processor-state.ts';
import { RamSpace } from './ram-space.ts';
import { StructureWriter, zeroTerminated } from '../structure-writer.ts';

/**
 * The setup header (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"): at the same place in the
 * image and in the parameter block, "zero page", that the kernel is handed.
 */
const HEADER = {
  start: 0x1f1,
  setupSectors: 0x1f1,
  size: 0x1f4,
  bootFlag: 0x1fe,
  jump: 0x201,
  magic: 0x202,
  version: 0x206,
  loader: 0x210,
  loadFlags: 0x211,
  entry: 0x214,
  initrd: 0x218,
  initrdSize: 0x21c,
  commandLine: 0x228,
  initrdMax: 0x22c,
  alignment: 0x230,
  isRelocatable: 0x234,
  flags64: 0x236,
  commandLineSize: 0x238,
  setupData: 0x250,
  preferredAddress: 0x258,
  memoryNeeded: 0x260,
} as const;

/** Of the parameter block alone (zero-page.rst). */
const PARAMETERS = { length: 4096, rsdp: 0x070, memoryAboveMiB: 0x1e0, entries: 0x1e8, map: 0x2d0 } as const;
const MAP_ENTRY = 20;
const MAP_ENTRIES_MAX = 128;

const MAGIC = 0x5372_6448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const LOADED_HIGH = 0x01;
const KERNEL_64 = 0x1;
/** Unassigned. */
const LOADER_TYPE = 0xff;
const SETUP_RNG_SEED = 9;
const ENTRY_64 = 0x200;
const SECTOR = 512;

/** What a header that is too old to say so means. */
const OLD_INITRD_MAX = 0x37ff_ffff;
const OLD_COMMAND_LINE_SIZE = 255;
const LOAD_HIGH_ADDRESS = 0x10_0000;
const OLDEST_VERSION = 0x203;

interface Header {
  readonly version: number;
  /** Where the part that is not real-mode code starts in the image. */
  readonly payload: number;
  readonly load: number;
  /** Bytes from `load` on that the kernel uses before it looks at the memory map. */
  readonly extent: number;
  readonly is64: boolean;
  readonly initrdMax: number;
  readonly commandLineSize: number;
  /** One past the header, as its own jump instruction has it. */
  readonly end: number;
}

export function isLinux({ kernel }: Pick<BootRequest, 'kernel'>): boolean {
  const image = new ImageReader(kernel);
  return image.has(HEADER.magic, 4) && image.u32(HEADER.magic) === MAGIC;
}

/** Boots a bzImage by the 64-bit boot protocol when it has an entry for that, else by the 32-bit one. */
export function loadLinux(request: BootRequest): BootPlan {
  const { kernel, modules, commandLine } = request;
  const image = new ImageReader(kernel);
  const header = readHeader(image);
  if (modules.length > 1) throw new ConfigError(`a Linux kernel takes one initrd, not ${modules.length}`);
  const text = zeroTerminated(commandLine);
  if (text.length - 1 > header.commandLineSize) {
    throw new ConfigError(`command line of ${text.length - 1} bytes: this kernel takes ${header.commandLineSize}`);
  }
  const space = new RamSpace(request.map);
  space.claim(`kernel '${kernel.name}'`, header.load, header.extent);
  space.write(header.load, image.slice(header.payload, image.length - header.payload));
  const parameters = new StructureWriter(PARAMETERS.length);
  parameters.copy(HEADER.start, image.slice(HEADER.start, header.end - HEADER.start));
  parameters.u8(HEADER.loader, LOADER_TYPE).u32(HEADER.entry, header.load);
  parameters.u32(HEADER.commandLine, space.putLow('command line', text));
  placeInitrd(request, header, space, parameters);
  writeMap(request, parameters);
  if (request.rsdp !== undefined) parameters.u64(PARAMETERS.rsdp, request.rsdp);
  if (header.version >= 0x209) parameters.u64(HEADER.setupData, writeSeed(request.seed, space));
  const zeroPage = space.putLow('boot parameters', parameters.bytes);
  return header.is64 ? enter64(header, zeroPage, space) : enter32(header, zeroPage, space);
}

function readHeader(image: ImageReader): Header {
  if (image.u16(HEADER.bootFlag) !== BOOT_FLAG) image.fail('has no boot sector signature: it is damaged');
  const version = image.u16(HEADER.version);
  if (version < OLDEST_VERSION)
    image.fail(`speaks boot protocol ${text(version)}; ${text(OLDEST_VERSION)} is the oldest known`);
  if ((image.u8(HEADER.loadFlags) & LOADED_HIGH) === 0)
    image.fail('is a zImage, which loads below 640 KiB: not supported');
  const payload = ((image.u8(HEADER.setupSectors) || 4) + 1) * SECTOR;
  const end = HEADER.magic + image.u8(HEADER.jump);
  if (end <= HEADER.entry || end > PARAMETERS.map) image.fail(`has a header that ends at byte ${end}: it is damaged`);
  const length = image.length - payload;
  const declared = image.u32(HEADER.size) * 16;
  if (length <= 0) image.fail(`is truncated: it ends at byte ${image.length}, before its code at ${payload}`);
  // The size counts paragraphs; only images of old protocols say it wrong.
  if (version >= 0x204 && declared > roundUp(length, 16)) {
    image.fail(`is truncated: it has ${length} of ${declared} bytes of code`);
  }
  const load = loadAddress(image, version);
  return {
    version,
    payload,
    load,
    extent: Math.max(length, version >= 0x20a ? image.u32(HEADER.memoryNeeded) : 0),
    is64: version >= 0x20c && (image.u16(HEADER.flags64) & KERNEL_64) !== 0,
    initrdMax: image.u32(HEADER.initrdMax) || OLD_INITRD_MAX,
    commandLineSize: (version >= 0x206 ? image.u32(HEADER.commandLineSize) : 0) || OLD_COMMAND_LINE_SIZE,
    end,
  };
}

/** Where the kernel would like to be; it moves itself there anyway when it is put elsewhere. */
function loadAddress(image: ImageReader, version: number): number {
  if (version < 0x20a || image.u8(HEADER.isRelocatable) === 0) return LOAD_HIGH_ADDRESS;
  const preferred = image.u64(HEADER.preferredAddress);
  const alignment = image.u32(HEADER.alignment);
  const isPower = alignment > 0 && Number.isInteger(Math.log2(alignment));
  if (!isPower || preferred < LOAD_HIGH_ADDRESS || preferred % alignment !== 0) {
    image.fail(
      `asks for address 0x${preferred.toString(16)} with alignment 0x${alignment.toString(16)}: it is damaged`,
    );
  }
  return preferred;
}

/** As high as the kernel allows, so that what it unpacks itself to stays free. */
function placeInitrd({ modules }: BootRequest, header: Header, space: RamSpace, parameters: StructureWriter): void {
  const [initrd] = modules;
  if (initrd === undefined) return;
  if (initrd.bytes.length === 0) throw new ConfigError(`initrd '${initrd.name}' is empty`);
  const at = space.put(`initrd '${initrd.name}'`, initrd.bytes, header.initrdMax + 1);
  parameters.u32(HEADER.initrd, at).u32(HEADER.initrdSize, initrd.bytes.length);
}

function writeMap({ map, ram }: BootRequest, parameters: StructureWriter): void {
  const entries: readonly E820Range[] = map.slice(0, MAP_ENTRIES_MAX);
  for (const [index, { start, length, type }] of entries.entries()) {
    const at = PARAMETERS.map + index * MAP_ENTRY;
    parameters
      .u64(at, start)
      .u64(at + 8, length)
      .u32(at + 16, E820_TYPE[type]);
  }
  parameters.u8(PARAMETERS.entries, entries.length);
  parameters.u32(PARAMETERS.memoryAboveMiB, Math.max(0, ram.below4GiB - 2 ** 20) / 1024);
}

/** Next, type and length of a node of setup data, then its bytes. A list of one. */
function writeSeed(seed: Uint8Array | undefined, space: RamSpace): number {
  if (seed === undefined) return 0;
  const node = new StructureWriter(16 + seed.length).u32(8, SETUP_RNG_SEED).u32(12, seed.length).copy(16, seed);
  return space.putLow('random seed', node.bytes);
}

function enter64(header: Header, zeroPage: number, space: RamSpace): BootPlan {
  const pageTables = space.claimLow('page tables', PAGE_TABLES_LENGTH);
  space.write(pageTables, identityPageTables(pageTables));
  const gdt = space.putLow('descriptor table', descriptorTable(true));
  const registers = longMode(header.load + ENTRY_64, gdt, pageTables, { rsi: BigInt(zeroPage), rsp: BigInt(gdt) });
  return { protocol: `Linux ${text(header.version)}, 64-bit`, writes: space.writes, registers };
}

/** EBP, EDI and EBX are 0. */
function enter32(header: Header, zeroPage: number, space: RamSpace): BootPlan {
  const gdt = space.putLow('descriptor table', descriptorTable(false));
  const general = { rsi: BigInt(zeroPage), rbp: 0n, rdi: 0n, rbx: 0n, rsp: BigInt(gdt) };
  const registers = protectedMode(header.load, gdt, general);
  return { protocol: `Linux ${text(header.version)}, 32-bit`, writes: space.writes, registers };
}

const text = (version: number): string => `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
