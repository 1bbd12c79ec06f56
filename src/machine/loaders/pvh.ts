import { E820_TYPE } from '../../devices/fw-cfg.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { findNote, placeElf, type Elf } from './elf.ts';
import { descriptorTable, protectedMode } from './processor-state.ts';
import { RamSpace } from './ram-space.ts';
import { StructureWriter, zeroTerminated } from '../structure-writer.ts';

/** XEN_ELFNOTE_PHYS32_ENTRY: where a guest is entered in protected mode (Xen, public/elfnote.h). */
const NOTE_NAME = 'Xen';
const NOTE_TYPE = 18;

/** The start information (Xen, public/arch-x86/hvm/start_info.h), version 1. */
const START_MAGIC = 0x336e_c578;
const START_LENGTH = 56;
const MODULE_LENGTH = 32;
const MAP_ENTRY = 24;

export function pvhEntry(elf: Elf): number | undefined {
  const note = findNote(elf, NOTE_NAME, NOTE_TYPE);
  if (note === undefined) return undefined;
  if (note.length !== 4 && note.length !== 8) elf.image.fail(`has a PVH note of ${note.length} bytes: it is damaged`);
  const view = new DataView(note.buffer, note.byteOffset, note.length);
  const high = note.length === 8 ? view.getUint32(4, true) : 0;
  if (high !== 0) elf.image.fail('has a PVH entry above 4 GiB: it is damaged');
  return view.getUint32(0, true);
}

/** Boots an ELF kernel by the PVH protocol (Xen, docs/misc/pvh.pandoc): protected mode, EBX the start information. */
export function loadPvh(request: BootRequest, elf: Elf, entry: number): BootPlan {
  const space = new RamSpace(request.map);
  placeElf(elf, space);
  const modules = request.modules.map(({ name, bytes }) => ({
    at: space.put(`module '${name}'`, bytes),
    length: bytes.length,
    text: space.putLow('name of a module', zeroTerminated(name)),
  }));
  const list = new StructureWriter(modules.length * MODULE_LENGTH);
  for (const [index, { at, length, text }] of modules.entries()) {
    const entryAt = index * MODULE_LENGTH;
    list
      .u64(entryAt, at)
      .u64(entryAt + 8, length)
      .u64(entryAt + 16, text);
  }
  const map = new StructureWriter(request.map.length * MAP_ENTRY);
  for (const [index, { start, length, type }] of request.map.entries()) {
    const entryAt = index * MAP_ENTRY;
    map
      .u64(entryAt, start)
      .u64(entryAt + 8, length)
      .u32(entryAt + 16, E820_TYPE[type]);
  }
  const start = new StructureWriter(START_LENGTH);
  start.u32(0, START_MAGIC).u32(4, 1).u32(12, modules.length);
  start.u64(16, modules.length === 0 ? 0 : space.putLow('list of modules', list.bytes));
  start.u64(24, space.putLow('command line', zeroTerminated(request.commandLine)));
  start.u64(32, request.rsdp ?? 0);
  start.u64(40, space.putLow('memory map', map.bytes)).u32(48, request.map.length);
  const information = space.putLow('start information', start.bytes);
  const gdt = space.putLow('descriptor table', descriptorTable(false));
  return {
    protocol: `PVH, ELF${elf.is64 ? 64 : 32}`,
    writes: space.writes,
    registers: protectedMode(entry, gdt, { rbx: BigInt(information) }),
  };
}
