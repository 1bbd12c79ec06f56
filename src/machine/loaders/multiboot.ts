import { E820_TYPE } from '../../devices/fw-cfg.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { isElf, placeElf, readElf } from './elf.ts';
import { ImageReader } from './image-reader.ts';
import { descriptorTable, protectedMode } from './processor-state.ts';
import { RamSpace } from './ram-space.ts';
import { StructureWriter, zeroTerminated } from '../structure-writer.ts';

/** The header (Multiboot Specification 0.6.96, 3.1), somewhere in the first 8 KiB. */
const HEADER_MAGIC = 0x1bad_b002;
const SEARCHED = 8192;
const HEADER_LENGTH = 12;
const WANTS_VIDEO = 0x4;
const HAS_ADDRESSES = 0x1_0000;
/** Bits 15:0 are requirements: what a loader does not know, it must refuse. Pages, memory and video are known. */
const UNKNOWN_REQUIREMENTS = 0xfff8;

/** What the kernel finds in EAX, and the information structure that EBX points to (3.2, 3.3). */
const BOOT_MAGIC = 0x2bad_b002;
const INFORMATION_LENGTH = 120;
const HAS = { memory: 0x1, commandLine: 0x4, modules: 0x8, map: 0x40, name: 0x200 } as const;
const MODULE_LENGTH = 16;
const MAP_ENTRY = 24;
const NAME = 'skep';

interface Header {
  readonly at: number;
  readonly flags: number;
}

/** Looks for the magic number with flags and a checksum that make zero with it. */
export function findMultiboot(request: Pick<BootRequest, 'kernel'>): Header | undefined {
  const image = new ImageReader(request.kernel);
  const end = Math.min(image.length, SEARCHED) - HEADER_LENGTH;
  for (let at = 0; at <= end; at += 4) {
    if (image.u32(at) !== HEADER_MAGIC) continue;
    const flags = image.u32(at + 4);
    if ((HEADER_MAGIC + flags + image.u32(at + 8)) % 2 ** 32 === 0) return { at, flags };
  }
  return undefined;
}

/** Boots a kernel by the Multiboot specification, version 1, with as many modules as there are. */
export function loadMultiboot(request: BootRequest, header: Header): BootPlan {
  const image = new ImageReader(request.kernel);
  if ((header.flags & UNKNOWN_REQUIREMENTS) !== 0) {
    image.fail(`has multiboot requirements 0x${(header.flags & 0xffff).toString(16)} that are not known here`);
  }
  const space = new RamSpace(request.map);
  const entry = placeKernel(request, header, image, space);
  const information = new StructureWriter(INFORMATION_LENGTH);
  // No display mode is set; a kernel that wants one has to see that it did not get it, from the flags.
  let flags = HAS.memory | HAS.commandLine | HAS.map | HAS.name;
  information.u32(4, lowestLength(request) / 1024).u32(8, Math.max(0, request.ram.below4GiB - 2 ** 20) / 1024);
  information.u32(16, space.putLow('command line', zeroTerminated(commandLine(request))));
  if (request.modules.length > 0) {
    flags |= HAS.modules;
    information.u32(20, request.modules.length).u32(24, placeModules(request, space));
  }
  information.u32(44, request.map.length * MAP_ENTRY).u32(48, placeMap(request, space));
  information.u32(64, space.putLow('name of the loader', zeroTerminated(NAME)));
  const at = space.putLow('multiboot information', information.u32(0, flags).bytes);
  const gdt = space.putLow('descriptor table', descriptorTable(false));
  return {
    protocol: `multiboot 1${(header.flags & WANTS_VIDEO) === 0 ? '' : ', without the display mode it would like'}`,
    writes: space.writes,
    registers: protectedMode(entry, gdt, { rax: BigInt(BOOT_MAGIC), rbx: BigInt(at) }),
  };
}

/** By the addresses in the header when it has them, else as an ELF file. */
function placeKernel({ kernel }: BootRequest, header: Header, image: ImageReader, space: RamSpace): number {
  if ((header.flags & HAS_ADDRESSES) === 0) return placeAsElf(kernel, image, space);
  const field = (index: number): number => image.u32(header.at + HEADER_LENGTH + 4 * index);
  const [at, load, loadEnd, bssEnd, entry] = [field(0), field(1), field(2), field(3), field(4)] as const;
  const offset = header.at - (at - load);
  const length = loadEnd === 0 ? image.length - offset : loadEnd - load;
  const total = bssEnd === 0 ? length : bssEnd - load;
  if (load > at || offset < 0 || length < 0 || total < length) {
    image.fail('has multiboot addresses that contradict each other');
  }
  space.claim(`kernel '${kernel.name}'`, load, total);
  space.write(load, image.slice(offset, length));
  space.clear(load + length, total - length);
  return entry;
}

/** The entry of an ELF kernel may be a virtual address; the part that holds it says which physical one that is. */
function placeAsElf(kernel: BootRequest['kernel'], image: ImageReader, space: RamSpace): number {
  if (!isElf(kernel)) image.fail('has a multiboot header without addresses, but is no ELF file');
  const elf = readElf(kernel);
  placeElf(elf, space);
  const home = elf.parts.find(
    ({ kind, virtual, memoryLength }) => kind === 'load' && elf.entry >= virtual && elf.entry < virtual + memoryLength,
  );
  const entry = home === undefined ? elf.entry : elf.entry - home.virtual + home.physical;
  if (entry >= 2 ** 32) image.fail('has its entry above 4 GiB');
  return entry;
}

function placeModules({ modules }: BootRequest, space: RamSpace): number {
  const list = new StructureWriter(modules.length * MODULE_LENGTH);
  for (const [index, { name, bytes }] of modules.entries()) {
    const at = space.put(`module '${name}'`, bytes);
    const text = space.putLow('name of a module', zeroTerminated(name));
    list
      .u32(index * MODULE_LENGTH, at)
      .u32(index * MODULE_LENGTH + 4, at + bytes.length)
      .u32(index * MODULE_LENGTH + 8, text);
  }
  return space.putLow('list of modules', list.bytes);
}

/** Each entry begins with its length, which does not count itself. */
function placeMap({ map }: BootRequest, space: RamSpace): number {
  const bytes = new StructureWriter(map.length * MAP_ENTRY);
  for (const [index, { start, length, type }] of map.entries()) {
    const at = index * MAP_ENTRY;
    bytes
      .u32(at, MAP_ENTRY - 4)
      .u64(at + 4, start)
      .u64(at + 12, length)
      .u32(at + 20, E820_TYPE[type]);
  }
  return space.putLow('memory map', bytes.bytes);
}

/** By custom a kernel's own name comes first. */
const commandLine = ({ kernel, commandLine }: BootRequest): string => `${kernel.name} ${commandLine}`.trimEnd();

function lowestLength({ map }: BootRequest): number {
  return map.find(({ start, type }) => start === 0 && type === 'ram')?.length ?? 0;
}
