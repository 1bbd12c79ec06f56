import { BusError } from '../../bus/bus-error.ts';
import type { PciFunction } from './pci-function.ts';

export interface PciAddress {
  /** 0 to 31. */
  readonly slot: number;
  /** 0 to 7. */
  readonly fn?: number;
}

/** Bus 0: 32 slots of up to 8 functions. */
export class PciBus {
  readonly #functions: (PciFunction | undefined)[] = Array.from({ length: 256 }, () => undefined);

  attach({ slot, fn = 0 }: PciAddress, what: PciFunction): void {
    const place = `${what.name} cannot be at ${slot}.${fn}`;
    const facts = { name: what.name, slot, fn };
    if (!(Number.isInteger(slot) && slot >= 0 && slot < 32 && Number.isInteger(fn) && fn >= 0 && fn < 8)) {
      throw new BusError('EINVAL', `${place}: a bus has slots 0 to 31 of functions 0 to 7`, facts);
    }
    const there = this.at(slot, fn);
    if (there !== undefined) throw new BusError('EEXIST', `${place}: ${there.name} is there`, facts);
    const first = this.at(slot, 0);
    if (fn > 0 && first?.multifunction !== true) {
      throw new BusError('EINVAL', `${place}: guests look past function 0 of multifunction devices only`, facts);
    }
    this.#functions[(slot << 3) | fn] = what;
  }

  at(slot: number, fn: number): PciFunction | undefined {
    return this.#functions[(slot << 3) | fn];
  }

  /** By the device and function bits of a configuration address. */
  select(deviceAndFunction: number): PciFunction | undefined {
    return this.#functions[deviceAndFunction];
  }

  /** Every function with its address, ascending. */
  *functions(): Generator<{ slot: number; fn: number; function: PciFunction }, void, void> {
    for (const [address, found] of this.#functions.entries()) {
      if (found !== undefined) yield { slot: address >>> 3, fn: address & 7, function: found };
    }
  }
}
