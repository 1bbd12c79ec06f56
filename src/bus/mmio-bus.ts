import { IoBus } from './io-bus.ts';

/**
 * The guest-physical addresses behind which a device answers each access. Guest memory is asked first: this bus sees
 * what no mapping covers, and writes to mappings that cannot be written. (x86 has at most 52 address bits.)
 */
export class MmioBus extends IoBus {
  constructor() {
    super('MMIO', 2 ** 52);
  }
}
