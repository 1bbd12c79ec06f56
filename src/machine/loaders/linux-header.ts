import { ConfigError } from '../config-error.ts';
import { zeroTerminated } from '../structure-writer.ts';
import type { BootFile, BootRequest } from './boot-plan.ts';
import { ImageReader } from './image-reader.ts';

/**
 * The setup header (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"): at the same place in the
 * image and in the parameter block, "zero page", that the kernel is handed.
 */
export const HEADER = {
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
  heapEnd: 0x224,
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

/** Of the loader, in the header: unassigned. */
export const LOADER_TYPE = 0xff;

/** The header has the end of the heap less this. */
export const HEAP_SLACK = 0x200;

const MAGIC = 0x5372_6448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const LOADED_HIGH = 0x01;
const KERNEL_64 = 0x1;
const SECTOR = 512;

/** What a header that is too old to say so means. */
const OLD_INITRD_MAX = 0x37ff_ffff;
const OLD_COMMAND_LINE_SIZE = 255;
export const LOAD_HIGH_ADDRESS = 0x10_0000;
/** The header ends before the parameter block goes on with the memory map. */
const HEADER_END_MAX = 0x2d0;
const OLDEST_VERSION = 0x203;

export interface LinuxHeader {
  readonly version: number;
  /** Where the part that is not real-mode code starts in the image. */
  readonly payload: number;
  readonly load: number;
  /** Bytes from `load` on that the kernel uses before it looks at the memory map. */
  readonly extent: number;
  readonly is64: boolean;
  /** Whether it can be entered in protected mode; what cannot calls its BIOS. */
  readonly isEnteredDirectly: boolean;
  readonly initrdMax: number;
  readonly commandLineSize: number;
  /** One past the header, as its own jump instruction has it. */
  readonly end: number;
}

export function isLinux({ kernel }: Pick<BootRequest, 'kernel'>): boolean {
  const image = new ImageReader(kernel);
  return image.has(HEADER.magic, 4) && image.u32(HEADER.magic) === MAGIC;
}

type BootFiles = Pick<BootRequest, 'kernel' | 'modules' | 'commandLine'>;

/** A bzImage and what it is to be given, as far as every way to start it asks for the same. */
export interface Linux {
  readonly header: LinuxHeader;
  readonly image: ImageReader;
  /** What is not real-mode code. */
  readonly code: Uint8Array;
  /** With a zero byte at its end. */
  readonly commandLine: Uint8Array;
  readonly initrd: BootFile | undefined;
}

export function readLinux({ kernel, modules, commandLine }: BootFiles): Linux {
  const image = new ImageReader(kernel);
  const header = readHeader(image);
  if (modules.length > 1) throw new ConfigError(`a Linux kernel takes one initrd, not ${modules.length}`);
  const [initrd] = modules;
  if (initrd?.bytes.length === 0) throw new ConfigError(`initrd '${initrd.name}' is empty`);
  const text = zeroTerminated(commandLine);
  if (text.length - 1 > header.commandLineSize) {
    throw new ConfigError(`command line of ${text.length - 1} bytes: this kernel takes ${header.commandLineSize}`);
  }
  const code = image.slice(header.payload, image.length - header.payload);
  return { header, image, code, commandLine: text, initrd };
}

function readHeader(image: ImageReader): LinuxHeader {
  if (image.u16(HEADER.bootFlag) !== BOOT_FLAG) image.fail('has no boot sector signature: it is damaged');
  const version = image.u16(HEADER.version);
  if (version < OLDEST_VERSION)
    image.fail(`speaks boot protocol ${versionText(version)}; ${versionText(OLDEST_VERSION)} is the oldest known`);
  if ((image.u8(HEADER.loadFlags) & LOADED_HIGH) === 0)
    image.fail('is a zImage, which loads below 640 KiB: not supported');
  const payload = ((image.u8(HEADER.setupSectors) || 4) + 1) * SECTOR;
  const end = HEADER.magic + image.u8(HEADER.jump);
  if (end <= HEADER.entry || end > HEADER_END_MAX) image.fail(`has a header that ends at byte ${end}: it is damaged`);
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
    isEnteredDirectly: image.u32(HEADER.entry) !== 0,
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

export const versionText = (version: number): string => `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
