import { E820_TYPE, type E820Range } from '../../devices/fw-cfg.ts';
import type { BootFile, BootPlan, BootRequest } from './boot-plan.ts';
import { HEADER, LOADER_TYPE, readLinux, versionText, type LinuxHeader } from './linux-header.ts';
import { descriptorTable, identityPageTables, longMode, PAGE_TABLES_LENGTH, protectedMode } from './processor-state.ts';
import { RamSpace } from './ram-space.ts';
import { StructureWriter } from '../structure-writer.ts';

/** Of the parameter block alone (zero-page.rst). */
const PARAMETERS = { length: 4096, rsdp: 0x070, memoryAboveMiB: 0x1e0, entries: 0x1e8, map: 0x2d0 } as const;
const MAP_ENTRY = 20;
const MAP_ENTRIES_MAX = 128;

const SETUP_RNG_SEED = 9;
const ENTRY_64 = 0x200;

/** Boots a bzImage by the 64-bit boot protocol when it has an entry for that, else by the 32-bit one. */
export function loadLinux(request: BootRequest): BootPlan {
  const { kernel } = request;
  const { image, header, code, commandLine, initrd } = readLinux(request);
  if (!header.isEnteredDirectly) image.fail('calls a BIOS: give one as the boot ROM');
  const space = new RamSpace(request.map);
  space.claim(`kernel '${kernel.name}'`, header.load, header.extent);
  space.write(header.load, code);
  const parameters = new StructureWriter(PARAMETERS.length);
  parameters.copy(HEADER.start, image.slice(HEADER.start, header.end - HEADER.start));
  parameters.u8(HEADER.loader, LOADER_TYPE).u32(HEADER.entry, header.load);
  parameters.u32(HEADER.commandLine, space.putLow('command line', commandLine));
  if (initrd !== undefined) placeInitrd(initrd, header, space, parameters);
  writeMap(request, parameters);
  if (request.rsdp !== undefined) parameters.u64(PARAMETERS.rsdp, request.rsdp);
  if (header.version >= 0x209) parameters.u64(HEADER.setupData, writeSeed(request.seed, space));
  const zeroPage = space.putLow('boot parameters', parameters.bytes);
  return header.is64 ? enter64(header, zeroPage, space) : enter32(header, zeroPage, space);
}

/** As high as the kernel allows, so that what it unpacks itself to stays free. */
function placeInitrd(initrd: BootFile, header: LinuxHeader, space: RamSpace, parameters: StructureWriter): void {
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

function enter64(header: LinuxHeader, zeroPage: number, space: RamSpace): BootPlan {
  const pageTables = space.claimLow('page tables', PAGE_TABLES_LENGTH);
  space.write(pageTables, identityPageTables(pageTables));
  const gdt = space.putLow('descriptor table', descriptorTable(true));
  const registers = longMode(header.load + ENTRY_64, gdt, pageTables, { rsi: BigInt(zeroPage), rsp: BigInt(gdt) });
  return { protocol: `Linux ${versionText(header.version)}, 64-bit`, writes: space.writes, registers };
}

/** EBP, EDI and EBX are 0. */
function enter32(header: LinuxHeader, zeroPage: number, space: RamSpace): BootPlan {
  const gdt = space.putLow('descriptor table', descriptorTable(false));
  const general = { rsi: BigInt(zeroPage), rbp: 0n, rdi: 0n, rbx: 0n, rsp: BigInt(gdt) };
  const registers = protectedMode(header.load, gdt, general);
  return { protocol: `Linux ${versionText(header.version)}, 32-bit`, writes: space.writes, registers };
}
