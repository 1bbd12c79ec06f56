/**
 * What x87, MMX and SSE code can see, at addresses that are the same natively and on an engine: an FXSAVE image
 * (SDM volume 1, table 10-2), general registers, flags, and some bytes of memory.
 *
 *     BASE + 0x0000  the way in and out, natively
 *     BASE + 0x1000  the code under test
 *     BASE + 0x2000  FXSAVE image before, general registers before
 *     BASE + 0x2400  FXSAVE image after, general registers after
 *     BASE + 0x3000  DATA: memory operands
 */
export const BASE = 0x7300_0000;
export const CODE = BASE + 0x1000;
export const BEFORE = BASE + 0x2000;
export const AFTER = BASE + 0x2400;
export const DATA = BASE + 0x3000;
export const DATA_LENGTH = 0x400;
export const LENGTH = 0x4000;
/** From an image: eight general registers of 8 bytes in the order of their numbers, then the flags. */
export const REGISTERS = 0x200;
export const FLAGS = REGISTERS + 0x40;
/** Of an image with what follows it. */
export const IMAGE = 0x248;

export interface FloatState {
  /** An image, registers and flags. */
  readonly image: DataView;
  /** From DATA on. */
  readonly data: Uint8Array;
}

export const floatState = (): FloatState => ({
  image: new DataView(new ArrayBuffer(IMAGE)),
  data: new Uint8Array(DATA_LENGTH),
});
