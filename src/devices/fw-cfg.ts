import { KiB, MiB } from '../base/units.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide } from './byte-wide.ts';

/** Numbered items, after QEMU's "Firmware Configuration (fw_cfg) Device". All numbers are little-endian. */
export const FW_CFG_ITEM = {
  signature: 0x00,
  features: 0x01,
  uuid: 0x02,
  ramSize: 0x03,
  noGraphics: 0x04,
  processors: 0x05,
  machine: 0x06,
  kernelAddress: 0x07,
  kernelSize: 0x08,
  commandLine: 0x09,
  initrdAddress: 0x0a,
  initrdSize: 0x0b,
  bootDevice: 0x0c,
  numa: 0x0d,
  bootMenu: 0x0e,
  maxProcessors: 0x0f,
  kernelEntry: 0x10,
  kernelData: 0x11,
  initrdData: 0x12,
  commandLineAddress: 0x13,
  commandLineSize: 0x14,
  commandLineData: 0x15,
  setupAddress: 0x16,
  setupSize: 0x17,
  setupData: 0x18,
  directory: 0x19,
} as const;

const FIRST_FILE = 0x20;
/** Bit 14 asked for write access once and is ignored; bit 15 is a space of its own for each architecture. */
const SELECTOR_MASK = 0xbfff;
const LAST_FILE = 0x3fff;

const FEATURE_TRADITIONAL = 1;
const FEATURE_DMA = 2;

/** Bits of a control structure's first word; a selector stands in its upper half. */
const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;
/** control, length, and the address in two halves. */
const DMA_STRUCTURE_LENGTH = 16;

/** "QEMU CFG", at the port of the DMA address. */
const DMA_SIGNATURE = ascii('QEMU CFG');

const DIRECTORY_ENTRY_LENGTH = 64;
const NAME_LENGTH = 56;

/** Past an item's end there are zeros without end; a guest gets no more of them in one go, so that it cannot stall us. */
const MOST_ZEROS = 64 * MiB;
const ZEROS = new Uint8Array(64 * KiB);

/** Above this no memory is, and a double no longer holds every address. */
const ADDRESS_END = 2 ** 52;

export class FwCfgError extends Error {
  override readonly name = 'FwCfgError';
  readonly code: 'EEXIST' | 'EINVAL' | 'ENOSPC';
  readonly facts: { readonly item: string | number };

  constructor(code: FwCfgError['code'], message: string, facts: FwCfgError['facts']) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/** The guest's memory, as a device that masters the bus reaches it. False when some byte of it is not there. */
export interface DmaMemory {
  read(gpa: number, target: Uint8Array): boolean;
  write(gpa: number, source: Uint8Array): boolean;
}

interface Item {
  readonly bytes: Uint8Array;
  readonly onSelect?: (() => void) | undefined;
  readonly onWrite: ((offset: number, length: number) => void) | undefined;
}

const NO_ITEM: Item = { bytes: new Uint8Array(0), onWrite: undefined };

export interface FwCfgFileOptions {
  /** Makes the file writable through DMA; called after each write, with what has changed of the bytes given to `add`. */
  readonly onWrite?: (offset: number, length: number) => void;
  /** Called whenever the guest is about to read the file from its beginning: the moment to bring its bytes up to date. */
  readonly onSelect?: () => void;
}

export interface FwCfgOptions {
  readonly memory: DmaMemory;
  /** Bytes. */
  readonly ramSize: number;
  readonly processors?: number;
  /** How many there may come to be; the number of processors if not given. */
  readonly maxProcessors?: number;
  readonly bootMenu?: boolean;
  /** Whether the guest should do without a display. */
  readonly noGraphics?: boolean;
}

/**
 * QEMU's way to hand data to firmware: numbered items and named files. Ports: `ports` 510h-511h (16-bit selector
 * and, at any of the two, 8-bit data), `dma` 514h-51Bh (big-endian address of a control structure; writing its low
 * half starts the transfer).
 *
 * All files should be there before the guest runs: it reads the directory when it likes. Files keep their selectors
 * when more are added; the directory lists them by name.
 *
 * Power-on and reset: item 0 selected, at its beginning, DMA address 0. Items and their bytes stay.
 */
export class FwCfg {
  readonly ports: IoHandler;
  readonly dma: IoHandler;

  readonly #memory: DmaMemory;
  readonly #items: Map<number, Item> = new Map();
  readonly #files: Map<string, number> = new Map();
  #selected: Item = NO_ITEM;
  #offset = 0;
  #addressHigh = 0;
  readonly #structure: Uint8Array = new Uint8Array(DMA_STRUCTURE_LENGTH);
  readonly #result: Uint8Array = new Uint8Array(4);

  constructor(options: FwCfgOptions) {
    this.#memory = options.memory;
    const processors = options.processors ?? 1;
    this.set(FW_CFG_ITEM.signature, ascii('QEMU'));
    this.set(FW_CFG_ITEM.features, littleEndian(FEATURE_TRADITIONAL | FEATURE_DMA, 4));
    this.set(FW_CFG_ITEM.uuid, new Uint8Array(16));
    this.set(FW_CFG_ITEM.ramSize, littleEndian(options.ramSize, 8));
    this.set(FW_CFG_ITEM.noGraphics, littleEndian(options.noGraphics ? 1 : 0, 2));
    this.set(FW_CFG_ITEM.processors, littleEndian(processors, 2));
    this.set(FW_CFG_ITEM.bootMenu, littleEndian(options.bootMenu ? 1 : 0, 2));
    this.set(FW_CFG_ITEM.maxProcessors, littleEndian(options.maxProcessors ?? processors, 2));
    this.#writeDirectory();
    this.ports = this.#selectorAndData();
    this.dma = this.#dmaAddress();
    this.reset();
  }

  reset(): void {
    this.#select(FW_CFG_ITEM.signature);
    this.#addressHigh = 0;
  }

  /** Gives a numbered item its bytes, in place of what it had. `littleEndian` makes numbers into bytes. */
  set(item: number, bytes: Uint8Array): void {
    if (!Number.isInteger(item) || (item & SELECTOR_MASK) !== item) {
      throw new FwCfgError('EINVAL', `fw_cfg has no item ${item}; items are 0 to 3FFFh and 8000h to BFFFh`, { item });
    }
    this.#items.set(item, { bytes, onWrite: undefined });
  }

  /** Adds a named file. The bytes are not copied: what is changed in them later is what the guest reads. */
  add(name: string, bytes: Uint8Array, options: FwCfgFileOptions = {}): void {
    const selector = FIRST_FILE + this.#files.size;
    if (name.length === 0 || name.length >= NAME_LENGTH || !/^[\x21-\x7e]+$/.test(name)) {
      throw new FwCfgError(
        'EINVAL',
        `a fw_cfg file needs a name of 1 to 55 printable ASCII characters, not '${name}'`,
        {
          item: name,
        },
      );
    }
    if (this.#files.has(name)) throw new FwCfgError('EEXIST', `fw_cfg has a file '${name}' already`, { item: name });
    if (selector > LAST_FILE) throw new FwCfgError('ENOSPC', 'fw_cfg has no selector left for a file', { item: name });
    this.#files.set(name, selector);
    this.#items.set(selector, { bytes, onWrite: options.onWrite, onSelect: options.onSelect });
    this.#writeDirectory();
  }

  /** Count, then an entry a file: length, selector, two reserved bytes, name; big-endian. */
  #writeDirectory(): void {
    const names = [...this.#files.keys()].sort();
    const bytes = new Uint8Array(4 + names.length * DIRECTORY_ENTRY_LENGTH);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, names.length);
    for (const [index, name] of names.entries()) {
      const at = 4 + index * DIRECTORY_ENTRY_LENGTH;
      const selector = this.#files.get(name) ?? 0;
      view.setUint32(at, this.#items.get(selector)?.bytes.length ?? 0);
      view.setUint16(at + 4, selector);
      bytes.set(ascii(name), at + 8);
    }
    this.set(FW_CFG_ITEM.directory, bytes);
  }

  #select(selector: number): void {
    this.#selected = this.#items.get(selector & SELECTOR_MASK) ?? NO_ITEM;
    this.#selected.onSelect?.();
    this.#offset = 0;
  }

  // Traditional interface

  /** Only a 16-bit write selects. A read gives the next bytes, the first one lowest; data can no longer be written. */
  #selectorAndData(): IoHandler {
    return {
      read: (_offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value |= this.#nextByte() << (8 * i);
        return value >>> 0;
      },
      write: (offset, size, value) => {
        if (offset === 0 && size >= 2) this.#select(value & 0xffff);
      },
    };
  }

  #nextByte(): number {
    const byte = this.#selected.bytes[this.#offset];
    if (byte === undefined) return 0;
    this.#offset++;
    return byte;
  }

  // DMA interface

  #dmaAddress(): IoHandler {
    const signature = byteWide({
      readByte: (offset) => DMA_SIGNATURE[offset] ?? 0xff,
      writeByte() {},
    });
    return {
      read: (offset, size) => signature.read(offset, size),
      write: (offset, size, value) => {
        if (size !== 4) return;
        if (offset === 0) this.#addressHigh = swap(value);
        else if (offset === 4) this.#start(swap(value));
      },
    };
  }

  /** Carries out the control structure and puts what is left of its control word, 0 or the error bit, back. */
  #start(addressLow: number): void {
    const address = this.#addressHigh * 2 ** 32 + addressLow;
    this.#addressHigh = 0;
    if (address + DMA_STRUCTURE_LENGTH > ADDRESS_END) return;
    const done = this.#memory.read(address, this.#structure) && this.#transfer();
    this.#result[3] = done ? 0 : DMA_ERROR;
    this.#memory.write(address, this.#result);
  }

  #transfer(): boolean {
    const view = new DataView(this.#structure.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const address = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if ((control & DMA_SELECT) !== 0) this.#select(control >>> 16);
    if ((control & (DMA_READ | DMA_WRITE)) === 0) {
      if ((control & DMA_SKIP) !== 0) this.#skip(length);
      return true;
    }
    if (address + length > ADDRESS_END) return false;
    return (control & DMA_READ) !== 0 ? this.#readTo(address, length) : this.#writeFrom(address, length);
  }

  #skip(length: number): number {
    const skipped = Math.min(length, this.#selected.bytes.length - this.#offset);
    this.#offset += skipped;
    return skipped;
  }

  #readTo(address: number, length: number): boolean {
    const start = this.#offset;
    const present = this.#skip(length);
    const bytes = this.#selected.bytes.subarray(start, start + present);
    if (present > 0 && !this.#memory.write(address, bytes)) return false;
    return this.#writeZeros(address + present, length - present);
  }

  #writeZeros(address: number, length: number): boolean {
    if (length > MOST_ZEROS) return false;
    for (let done = 0; done < length; done += ZEROS.length) {
      const left = Math.min(length - done, ZEROS.length);
      if (!this.#memory.write(address + done, left === ZEROS.length ? ZEROS : ZEROS.subarray(0, left))) return false;
    }
    return true;
  }

  /** All or nothing: what does not fit into a writable file is not written at all. */
  #writeFrom(address: number, length: number): boolean {
    const { bytes, onWrite } = this.#selected;
    const offset = this.#offset;
    if (onWrite === undefined || length > bytes.length - offset) return false;
    const source = new Uint8Array(length);
    if (length > 0 && !this.#memory.read(address, source)) return false;
    bytes.set(source, offset);
    this.#offset += length;
    onWrite(offset, length);
    return true;
  }
}

/** What a range of guest-physical addresses is, as ACPI's address map numbers it. */
export const E820_TYPE = { ram: 1, reserved: 2, acpi: 3, nvs: 4, unusable: 5 } as const;

export interface E820Range {
  readonly start: number;
  readonly length: number;
  readonly type: keyof typeof E820_TYPE;
}

/** The file `etc/e820`: base, length (64 bits each) and type (32) of every range, little-endian. */
export function e820(ranges: Iterable<E820Range>): Uint8Array {
  const entries = [...ranges].map(({ start, length, type }) => [
    ...littleEndian(start, 8),
    ...littleEndian(length, 8),
    ...littleEndian(E820_TYPE[type], 4),
  ]);
  return Uint8Array.from(entries.flat());
}

/** The file `bootorder`: Open Firmware device paths, the first to be tried first, a line each, ended by a zero byte. */
export function bootOrder(paths: readonly string[]): Uint8Array {
  return ascii(`${paths.join('\n')}\0`);
}

/** A number, exact to 53 bits, as bytes. */
export function littleEndian(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, rest = value; i < length; i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}

/** The text's characters, one byte each. Only for ASCII. */
function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Of a big-endian register, the port's lowest address holds the highest byte. */
function swap(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
