import koffi from 'koffi';
import {
  AFTER,
  BASE,
  BEFORE,
  CODE,
  DATA,
  DATA_LENGTH,
  FLAGS,
  IMAGE,
  LENGTH,
  REGISTERS,
  type FloatState,
} from './float-state.ts';
import { mapAt } from './host-processor.ts';

const ENTRY = koffi.proto('int SkepFloatEntry()');

const bytes32 = (value: number): number[] => [
  value & 0xff,
  (value >> 8) & 0xff,
  (value >> 16) & 0xff,
  (value >> 24) & 0xff,
];
/** An absolute memory operand, with ModRM.reg. */
const absolute = (reg: number, address: number): number[] => [(reg << 3) | 4, 0x25, ...bytes32(address)];

/** RSP is left alone. */
const GENERAL = [0, 1, 2, 3, 5, 6, 7];

function entryCode(): number[] {
  const code = [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57];
  code.push(0x48, 0x0f, 0xae, ...absolute(1, BEFORE)); // fxrstor64
  code.push(0xff, ...absolute(6, BEFORE + FLAGS), 0x9d); // push, popfq
  for (const number of GENERAL) code.push(0x8b, ...absolute(number, BEFORE + REGISTERS + number * 8));
  code.push(0xe8, ...bytes32(CODE - (BASE + code.length + 5)));
  for (const number of GENERAL) code.push(0x89, ...absolute(number, AFTER + REGISTERS + number * 8));
  code.push(0x9c, 0x8f, ...absolute(0, AFTER + FLAGS)); // pushfq, pop
  code.push(0x48, 0x0f, 0xae, ...absolute(0, AFTER)); // fxsave64
  code.push(0xdb, 0xe3, 0x0f, 0xae, ...absolute(2, BASE + 0xff0)); // fninit, ldmxcsr
  return [...code, 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3];
}

/**
 * Runs x87, MMX and SSE code on the processor that this process runs on, in 64-bit mode, where the encodings of such
 * instructions with operands in registers or at [EDI + displacement] mean the same as in 32-bit mode.
 */
export class FloatHost {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor() {
    this.#bytes = mapAt(BASE, LENGTH);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    this.#bytes.set(entryCode());
    this.#view.setUint32(0xff0, 0x1f80, true);
  }

  load(code: readonly number[]): void {
    this.#bytes.set([...code, 0xc3], CODE - BASE);
  }

  /** Runs what is loaded; the result is in `after`. */
  run(before: FloatState, after: FloatState): void {
    this.#bytes.set(new Uint8Array(before.image.buffer), BEFORE - BASE);
    this.#bytes.set(before.data, DATA - BASE);
    koffi.call(BigInt(BASE), ENTRY);
    new Uint8Array(after.image.buffer).set(this.#bytes.subarray(AFTER - BASE, AFTER - BASE + IMAGE));
    after.data.set(this.#bytes.subarray(DATA - BASE, DATA - BASE + DATA_LENGTH));
  }
}
