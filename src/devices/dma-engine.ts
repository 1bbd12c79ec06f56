import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { MICROSECOND, PAGE_SIZE } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { AccessSize, IoHandler } from '../bus/io-handler.ts';
import { RegisterFile, type Register } from '../bus/registers.ts';
import type { DmaAccess, DmaRange, DmaSpace } from '../memory/dma-range.ts';
import type { BarSpaces } from './pci/bar.ts';
import { PciFunction } from './pci/pci-function.ts';

/**
 * The registers, 32 bits each, little-endian; docs/devices/dma-engine.md is the manual.
 *
 *     00 identification    10 source             20 length        30 moved
 *     04 command           14 source, upper      24 parameter
 *     08 status            18 destination        28 fault
 *     0c interrupt enable  1c destination, upper 2c fault, upper
 */
const REGISTER = {
  identification: 0x00,
  command: 0x04,
  status: 0x08,
  interruptEnable: 0x0c,
  source: 0x10,
  destination: 0x18,
  length: 0x20,
  parameter: 0x24,
  fault: 0x28,
  moved: 0x30,
} as const;
const REGISTERS_LENGTH = 0x40;

/** 'SKEP', as bytes. */
const IDENTIFICATION = 0x5045_4b53;

/** All but `busy` stay until a 1 is written to them. */
export const DMA_STATUS = {
  busy: 0x01,
  done: 0x02,
  readFault: 0x04,
  writeFault: 0x08,
  /** The map changed under the transfer. */
  mapChanged: 0x10,
  /** The command register of the function does not let it master the bus. */
  notMaster: 0x20,
  /** Not a command, not for this buffer, or not now. */
  refused: 0x40,
  aborted: 0x80,
} as const;
const EVENTS = 0xfe;

export const DMA_COMMAND = { abort: 0, copy: 1, fill: 2, load: 3, store: 4 } as const;

/** Addresses of an x86 have 52 bits at most: the upper halves have 20. */
const UPPER_BITS = 0x000f_ffff;
const DWORD = 2 ** 32;

/** The buffer fills the second page of BAR 0. */
const BUFFER = PAGE_SIZE;
const BUFFER_LENGTH = PAGE_SIZE;

/** A transfer moves so many bytes at once, and the next ones so much later: 128 MB/s, as conventional PCI does. */
const PIECE = 4096;
const PIECE_TIME = 32 * MICROSECOND;

/** One side of a transfer: a range of memory, the buffer, a pattern. */
interface Source {
  readonly current: boolean;
  read(offset: number, target: Uint8Array): void;
}
interface Sink {
  readonly current: boolean;
  write(offset: number, source: Uint8Array): void;
}

interface Transfer {
  readonly from: Source;
  readonly to: Sink;
  readonly length: number;
  moved: number;
}

export interface DmaEngineOptions {
  readonly clock: Clock;
  /** What it reaches as a bus master. */
  readonly memory: DmaSpace;
  readonly spaces: BarSpaces;
  readonly interrupt: InterruptLine;
}

/**
 * A PCI function that moves memory by itself (1234:5ce9): it copies and fills guest memory, and loads and stores a buffer of
 * its own. Whole ranges are checked when a command is given, and nothing is moved if a byte of them cannot be. Then pieces
 * are moved over time; each first asks whether the map under both ranges is still that of the beginning.
 */
export class DmaEngine {
  readonly pci: PciFunction;
  readonly #registers: RegisterFile;
  readonly #memory: DmaSpace;
  readonly #clock: Clock;
  readonly #alarm: Timer;
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER_LENGTH);
  readonly #piece: Uint8Array = new Uint8Array(PIECE);
  #transfer: Transfer | undefined;

  constructor({ clock, memory, spaces, interrupt }: DmaEngineOptions) {
    this.#memory = memory;
    this.#clock = clock;
    this.#alarm = clock.timer(() => this.#step());
    this.#registers = new RegisterFile({
      length: REGISTERS_LENGTH,
      registers: this.#table(),
      settled: (offset, size) => {
        const { command } = REGISTER;
        if (offset <= command && offset + size > command) this.#command(this.#peek('command'));
      },
    });
    this.pci = new PciFunction({
      name: 'DMA engine',
      identity: { vendor: 0x1234, device: 0x5ce9, classCode: 0x088000, revision: 1 },
      interruptPin: 1,
      interrupt,
      spaces,
      bars: [
        { index: 0, type: 'mem32', length: BUFFER + BUFFER_LENGTH, backing: { handler: this.#page() } },
        { index: 1, type: 'io', length: REGISTERS_LENGTH, backing: { handler: this.#registers } },
      ],
    });
  }

  /** As after power-on: what is under way is forgotten, the buffer is zero. */
  reset(): void {
    this.#transfer = undefined;
    this.#alarm.disarm();
    this.#registers.reset();
    this.#buffer.fill(0);
    this.pci.reset();
  }

  #table(): Register[] {
    const address = (name: 'source' | 'destination'): Register[] => [
      { name, offset: REGISTER[name], size: 4, writable: 0xffff_ffff },
      { name: `${name}, upper half`, offset: REGISTER[name] + 4, size: 4, writable: UPPER_BITS },
    ];
    return [
      { name: 'identification', offset: REGISTER.identification, size: 4, reset: IDENTIFICATION },
      { name: 'command', offset: REGISTER.command, size: 4, writable: 0xff },
      { name: 'status', offset: REGISTER.status, size: 4, clearable: EVENTS, written: () => this.#drive() },
      {
        name: 'interrupt enable',
        offset: REGISTER.interruptEnable,
        size: 4,
        writable: EVENTS,
        written: () => this.#drive(),
      },
      ...address('source'),
      ...address('destination'),
      { name: 'length', offset: REGISTER.length, size: 4, writable: 0xffff_ffff },
      { name: 'parameter', offset: REGISTER.parameter, size: 4, writable: 0xffff_ffff },
      { name: 'fault', offset: REGISTER.fault, size: 4 },
      { name: 'fault, upper half', offset: REGISTER.fault + 4, size: 4 },
      { name: 'moved', offset: REGISTER.moved, size: 4 },
    ];
  }

  /** BAR 0: the registers in the first page, the buffer in the second. */
  #page(): IoHandler {
    return {
      read: (offset, size) =>
        offset < BUFFER ? this.#registers.read(offset, size) : this.#readBuffer(offset - BUFFER, size),
      write: (offset, size, value) => {
        if (offset < BUFFER) this.#registers.write(offset, size, value);
        else for (let i = 0; i < size; i++) this.#buffer[offset - BUFFER + i] = value >>> (8 * i);
      },
    };
  }

  #readBuffer(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | (this.#buffer[offset + i] ?? 0xff);
    return value >>> 0;
  }

  #command(command: number): void {
    if (command === DMA_COMMAND.abort) {
      if (this.#transfer !== undefined) this.#end(DMA_STATUS.aborted);
    } else if (this.#transfer !== undefined) {
      this.#tell(DMA_STATUS.refused);
    } else if (this.pci.isBusMaster) {
      this.#begin(command);
    } else {
      this.#tell(DMA_STATUS.notMaster);
    }
  }

  #begin(command: number): void {
    this.#poke('moved', 0);
    const from = this.#source(command);
    const to = from === undefined ? undefined : this.#sink(command);
    if (from === undefined || to === undefined) return;
    this.#transfer = { from, to, length: this.#peek('length'), moved: 0 };
    this.#tell(DMA_STATUS.busy);
    this.#alarm.arm(this.#clock.now() + PIECE_TIME);
  }

  /** Where a command takes its bytes from; nowhere, once the status says why not. */
  #source(command: number): Source | undefined {
    switch (command) {
      case DMA_COMMAND.copy:
      case DMA_COMMAND.load:
        return this.#range('source', 'read');
      case DMA_COMMAND.fill:
        return pattern(this.#peek('parameter'));
      case DMA_COMMAND.store:
        return this.#slice();
      default:
        this.#tell(DMA_STATUS.refused);
        return undefined;
    }
  }

  #sink(command: number): Sink | undefined {
    return command === DMA_COMMAND.load ? this.#slice() : this.#range('destination', 'write');
  }

  #range(register: 'source' | 'destination', access: DmaAccess): DmaRange | undefined {
    const upper = this.#registers.peek(REGISTER[register] + 4, 4);
    const answer = this.#memory.dmaRange(upper * DWORD + this.#peek(register), this.#peek('length'), access);
    if (!('reason' in answer)) return answer;
    this.#poke('fault', answer.gpa % DWORD);
    this.#registers.poke(REGISTER.fault + 4, 4, Math.floor(answer.gpa / DWORD));
    this.#tell(access === 'read' ? DMA_STATUS.readFault : DMA_STATUS.writeFault);
    return undefined;
  }

  /** The part of the buffer that the parameter and the length name. */
  #slice(): (Source & Sink) | undefined {
    const start = this.#peek('parameter');
    const length = this.#peek('length');
    if (start + length <= BUFFER_LENGTH) return slice(this.#buffer.subarray(start, start + length));
    this.#tell(DMA_STATUS.refused);
    return undefined;
  }

  /** The next piece, whole: read, then written. Or the end. */
  #step(): void {
    const transfer = this.#transfer;
    assert(transfer !== undefined, 'a piece is due of no transfer');
    const { from, to, length, moved } = transfer;
    if (!this.pci.isBusMaster) {
      this.#end(DMA_STATUS.notMaster);
    } else if (!from.current || !to.current) {
      this.#end(DMA_STATUS.mapChanged);
    } else {
      const piece = this.#piece.subarray(0, Math.min(PIECE, length - moved));
      from.read(moved, piece);
      to.write(moved, piece);
      transfer.moved += piece.length;
      this.#poke('moved', transfer.moved);
      if (transfer.moved === length) this.#end(DMA_STATUS.done);
      else this.#alarm.arm(this.#clock.now() + PIECE_TIME);
    }
  }

  #end(event: number): void {
    this.#transfer = undefined;
    this.#alarm.disarm();
    this.#poke('status', this.#peek('status') & ~DMA_STATUS.busy);
    this.#tell(event);
  }

  #tell(bits: number): void {
    this.#poke('status', this.#peek('status') | bits);
    this.#drive();
  }

  #drive(): void {
    this.pci.line.set((this.#peek('status') & this.#peek('interruptEnable')) !== 0);
  }

  #peek(register: keyof typeof REGISTER): number {
    return this.#registers.peek(REGISTER[register], 4);
  }

  #poke(register: keyof typeof REGISTER, value: number): void {
    this.#registers.poke(REGISTER[register], 4, value);
  }
}

function slice(bytes: Uint8Array): Source & Sink {
  return {
    current: true,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
    write: (offset, source) => bytes.set(source, offset),
  };
}

/** Four bytes, again and again. Pieces begin at multiples of four. */
function pattern(word: number): Source {
  return {
    current: true,
    read(_offset, target) {
      for (let i = 0; i < target.length; i++) target[i] = word >>> (8 * (i & 3));
    },
  };
}
