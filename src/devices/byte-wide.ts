import type { AccessSize, IoHandler } from '../bus/io-handler.ts';

/** The registers of a device of the 8-bit ISA bus. A read answers 0..255, and 255 where there is no register. */
export interface ByteRegisters {
  readByte(offset: number): number;
  writeByte(offset: number, value: number): void;
}

/**
 * Puts an 8-bit device on the bus. As the ISA bus did with an 8-bit card, a wider access becomes byte accesses, lowest
 * address first, each with its own side effects.
 */
export function byteWide(registers: ByteRegisters): IoHandler {
  return {
    read(offset, size) {
      return size === 1 ? registers.readByte(offset) : readWide(registers, offset, size);
    },
    write(offset, size, value) {
      for (let i = 0; i < size; i++) registers.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}

function readWide(registers: ByteRegisters, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= registers.readByte(offset + i) << (8 * i);
  return value >>> 0;
}
