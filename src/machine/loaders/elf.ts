import type { BootFile } from './boot-plan.ts';
import { ImageReader } from './image-reader.ts';
import type { RamSpace } from './ram-space.ts';

const MAGIC = 0x464c_457f;
const CLASS = 4;
const DATA_LITTLE = 1;
const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const LOAD = 1;
const NOTE = 4;
const HEADERS_MAX = 1024;

/** Where a file of 32 and of 64 bits has its fields (System V ABI, chapter 4 and 5). */
const LAYOUTS: readonly (Layout | undefined)[] = [
  undefined,
  {
    entry: 24,
    table: 28,
    entrySize: 42,
    count: 44,
    program: 32,
    offset: 4,
    virtual: 8,
    physical: 12,
    file: 16,
    memory: 20,
  },
  {
    entry: 24,
    table: 32,
    entrySize: 54,
    count: 56,
    program: 56,
    offset: 8,
    virtual: 16,
    physical: 24,
    file: 32,
    memory: 40,
  },
];

type Layout = Readonly<
  Record<
    'entry' | 'table' | 'entrySize' | 'count' | 'program' | 'offset' | 'virtual' | 'physical' | 'file' | 'memory',
    number
  >
>;

/** A program header. */
export interface ElfPart {
  readonly kind: 'load' | 'note' | 'other';
  readonly offset: number;
  readonly virtual: number;
  readonly physical: number;
  readonly fileLength: number;
  readonly memoryLength: number;
}

export interface Elf {
  readonly is64: boolean;
  readonly entry: number;
  readonly parts: readonly ElfPart[];
  readonly image: ImageReader;
}

export function isElf({ bytes }: BootFile): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Reads the headers of an executable for x86, of 32 or 64 bits. */
export function readElf(file: BootFile): Elf {
  const image = new ImageReader(file);
  if (image.u32(0) !== MAGIC) image.fail('is no ELF file');
  const kind = image.u8(CLASS);
  const layout = LAYOUTS[kind];
  if (layout === undefined || image.u8(5) !== DATA_LITTLE) {
    return image.fail('is no little-endian ELF file of 32 or 64 bits');
  }
  const type = image.u16(16);
  if (type !== TYPE_EXECUTABLE && type !== TYPE_SHARED) image.fail('is an ELF file, but no executable');
  const machine = image.u16(18);
  if (machine !== MACHINE_386 && machine !== MACHINE_X86_64)
    image.fail(`is an ELF file for machine ${machine}, not for x86`);
  const number = (at: number): number => (kind === 1 ? image.u32(at) : image.u64(at));
  const table = number(layout.table);
  const size = image.u16(layout.entrySize);
  const count = image.u16(layout.count);
  if (count === 0 || count > HEADERS_MAX || size < layout.program)
    image.fail('is an ELF file without a usable program header');
  const parts = Array.from({ length: count }, (_, index): ElfPart => {
    const at = table + index * size;
    const partType = image.u32(at);
    return {
      kind: partType === LOAD ? 'load' : partType === NOTE ? 'note' : 'other',
      offset: number(at + layout.offset),
      virtual: number(at + layout.virtual),
      physical: number(at + layout.physical),
      fileLength: number(at + layout.file),
      memoryLength: number(at + layout.memory),
    };
  });
  return { is64: kind === 2, entry: number(layout.entry), parts, image };
}

/** Puts what is to be loaded at its physical addresses, with zeros where the file has no bytes for it. */
export function placeElf({ parts, image }: Elf, space: RamSpace): void {
  const loaded = parts.filter(({ kind, memoryLength }) => kind === 'load' && memoryLength > 0);
  if (loaded.length === 0) image.fail('is an ELF file with nothing to load');
  for (const { physical, offset, fileLength, memoryLength } of loaded) {
    if (fileLength > memoryLength) image.fail('has a segment that is longer in the file than in memory: it is damaged');
    const bytes = image.slice(offset, fileLength);
    space.claim('a segment of the kernel', physical, memoryLength);
    space.write(physical, bytes);
    space.clear(physical + fileLength, memoryLength - fileLength);
  }
}

/** The descriptor of the first note of this name and type. */
export function findNote({ parts, image }: Elf, name: string, type: number): Uint8Array | undefined {
  for (const part of parts) {
    if (part.kind !== 'note') continue;
    const end = part.offset + part.fileLength;
    for (let at = part.offset; at + 12 <= end;) {
      const nameLength = image.u32(at);
      const length = image.u32(at + 4);
      const descriptor = at + 12 + align(nameLength);
      if (
        image.u32(at + 8) === type &&
        nameLength === name.length + 1 &&
        textAt(image, at + 12, name.length) === name
      ) {
        return image.slice(descriptor, length);
      }
      at = descriptor + align(length);
    }
  }
  return undefined;
}

function textAt(image: ImageReader, at: number, length: number): string {
  return String.fromCharCode(...image.slice(at, length));
}

/** Notes are padded to four bytes. */
const align = (length: number): number => Math.ceil(length / 4) * 4;
