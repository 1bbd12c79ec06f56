import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';

/** Commands of an 8237A (data sheet 231466, "Software commands"): register numbers. */
const SINGLE_MASK = 10;
const CLEAR_FLIP_FLOP = 12;
const MASTER_CLEAR = 13;
const CLEAR_MASK = 14;
const ALL_MASKS = 15;

/**
 * One 8237A, as registers only. Address and count are 16 bits each behind one port, low byte first; a flip-flop
 * remembers which byte is next.
 */
class Controller implements ByteRegisters {
  /** Address and count of channels 0-3, in the order of their ports. */
  readonly #counters: Uint16Array = new Uint16Array(8);
  #high = false;
  #mask = 0x0f;

  reset(): void {
    this.#counters.fill(0);
    this.#clear();
  }

  readByte(register: number): number {
    if (register < 8) return this.#readCounter(register);
    if (register === ALL_MASKS) return 0xf0 | this.#mask;
    return register <= ALL_MASKS ? 0 : 0xff; // status: nothing requests, nothing has ended
  }

  writeByte(register: number, value: number): void {
    if (register < 8) this.#writeCounter(register, value);
    else this.#command(register, value);
  }

  /** Command, request and mode registers (8, 9, 11) tell a transfer how to go; there is none. */
  #command(register: number, value: number): void {
    const bit = 1 << (value & 3);
    if (register === SINGLE_MASK) this.#mask = (value & 4) !== 0 ? this.#mask | bit : this.#mask & ~bit;
    else if (register === CLEAR_FLIP_FLOP) this.#high = false;
    else if (register === MASTER_CLEAR) this.#clear();
    else if (register === CLEAR_MASK) this.#mask = 0;
    else if (register === ALL_MASKS) this.#mask = value & 0x0f;
  }

  /** What reset and the master clear command do: all channels masked, flip-flop at the low byte. */
  #clear(): void {
    this.#high = false;
    this.#mask = 0x0f;
  }

  #readCounter(register: number): number {
    const value = this.#counters[register] ?? 0;
    const byte = this.#high ? value >> 8 : value & 0xff;
    this.#high = !this.#high;
    return byte;
  }

  #writeCounter(register: number, value: number): void {
    const old = this.#counters[register] ?? 0;
    this.#counters[register] = this.#high ? (old & 0x00ff) | (value << 8) : (old & 0xff00) | value;
    this.#high = !this.#high;
  }
}

/**
 * The two DMA controllers of a PC and their page registers. Firmware programs them; no device of this machine
 * transfers through them, so they are storage. Ports: `first` 00h-0Fh (8-bit channels), `second` C0h-DFh (16-bit
 * channels, each register at two ports), `pages` 81h-8Fh. Port 80h, which is a page register nobody needs, is PostCode.
 *
 * After power-on and reset all channels are masked and addresses, counts and pages are 0.
 */
export class Dma8237 {
  readonly first: IoHandler;
  readonly second: IoHandler;
  readonly pages: IoHandler;

  readonly #controllers: readonly [Controller, Controller] = [new Controller(), new Controller()];
  readonly #pages: Uint8Array = new Uint8Array(15);

  constructor() {
    const [first, second] = this.#controllers;
    this.first = byteWide(first);
    this.second = byteWide({
      readByte: (offset) => second.readByte(offset >> 1),
      writeByte: (offset, value) => second.writeByte(offset >> 1, value),
    });
    this.pages = byteWide({
      readByte: (offset) => this.#pages[offset] ?? 0xff,
      writeByte: (offset, value) => {
        if (offset < this.#pages.length) this.#pages[offset] = value;
      },
    });
  }

  reset(): void {
    for (const controller of this.#controllers) controller.reset();
    this.#pages.fill(0);
  }
}
