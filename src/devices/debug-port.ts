import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';

/** What a read answers: how firmware finds out that somebody is listening. */
const PRESENT = 0xe9;

export interface DebugPortOptions {
  /** Takes each byte that the guest writes. */
  readonly emit: (byte: number) => void;
}

/** The debug console that SeaBIOS and OVMF log to. One port, 402h, as the handler `port`. It has no state. */
export class DebugPort {
  readonly port: IoHandler;

  constructor({ emit }: DebugPortOptions) {
    this.port = byteWide({
      readByte: (offset) => (offset === 0 ? PRESENT : 0xff),
      writeByte(offset, value) {
        if (offset === 0) emit(value);
      },
    });
  }

  reset(): void {}
}

/**
 * Port 80h, where firmware says how far it has come. A register of one byte that reads back, 00h after power-on;
 * kernels write it only to wait. One port, as the handler `port`.
 */
export class PostCode {
  readonly port: IoHandler;
  #code = 0;

  constructor() {
    const register: ByteRegisters = {
      readByte: (offset) => (offset === 0 ? this.#code : 0xff),
      writeByte: (offset, value) => {
        if (offset === 0) this.#code = value;
      },
    };
    this.port = byteWide(register);
  }

  /** What the firmware said last. */
  get code(): number {
    return this.#code;
  }

  reset(): void {
    this.#code = 0;
  }
}
