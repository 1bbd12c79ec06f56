import { BusError } from './bus-error.ts';
import { hex } from '../base/hex.ts';
import { IntervalMap, type Interval } from '../base/interval-map.ts';
import { disposable } from '../base/disposable.ts';
import { Emitter } from '../base/emitter.ts';
import { allOnes, type AccessSize, type IoHandler } from './io-handler.ts';

/** Who answers in a range of a bus. */
export interface BusClaim {
  readonly handler: IoHandler;
  readonly name: string;
}

const RECENT = 64;

/**
 * Routes accesses to the handler that claims their address. An access that only partly lies in a claim is split into
 * bytes, each of which finds its own claim. What nobody claims reads as all ones and swallows writes; both are counted,
 * since a guest that does it often has usually lost its way.
 */
export class IoBus {
  /** Told whenever a range has become free. */
  readonly released: Emitter<void> = new Emitter();
  readonly #name: string;
  /** One past the last address. An access that runs past it wraps to 0. */
  readonly #size: number;
  readonly #claims: IntervalMap<BusClaim> = new IntervalMap();
  /**
   * Claims that were hit, by some bits of the address: guests poll few registers, and a hit here costs less than half
   * of a look-up in the map. May be empty at any time.
   */
  readonly #recent: (Interval<BusClaim> | undefined)[] = Array.from({ length: RECENT }, () => undefined);
  #unclaimedReads = 0;
  #unclaimedWrites = 0;

  constructor(name: string, size: number) {
    this.#name = name;
    this.#size = size;
  }

  get unclaimedReads(): number {
    return this.#unclaimedReads;
  }

  get unclaimedWrites(): number {
    return this.#unclaimedWrites;
  }

  /** Gives `[start, start + length)` to a handler until the result is disposed of. */
  register(range: { start: number; length: number }, handler: IoHandler, name: string): Disposable {
    const { start, length } = range;
    if (!(Number.isSafeInteger(start) && start >= 0 && length > 0 && start + length <= this.#size)) {
      const sentence = `${name} cannot be at ${hex(start)}+${hex(length)}: the ${this.#name} bus ends at ${hex(this.#size)}`;
      throw new BusError('EINVAL', sentence, { bus: this.#name, name, start, length });
    }
    const inTheWay = this.#claims.insert(start, length, { handler, name });
    if (inTheWay !== undefined) {
      const sentence = `${name} cannot be at ${hex(start)} of the ${this.#name} bus: ${inTheWay.value.name} is there`;
      throw new BusError('EEXIST', sentence, { bus: this.#name, name, start, length, inTheWay: inTheWay.value.name });
    }
    this.#recent.fill(undefined);
    return disposable(() => this.#release(start));
  }

  /** Whether nobody claims any byte of the range. */
  isFree(start: number, length: number): boolean {
    return this.#claims.firstOverlapping(start, length) === undefined;
  }

  /** Every claim, ascending. */
  claims(): Iterable<Interval<BusClaim>> {
    return this.#claims;
  }

  read(address: number, size: AccessSize): number {
    const claim = this.#find(address);
    if (claim !== undefined && address + size <= claim.end) {
      return claim.value.handler.read(address - claim.start, size) >>> 0;
    }
    return this.#readOutside(address, size);
  }

  write(address: number, size: AccessSize, value: number): void {
    const claim = this.#find(address);
    if (claim !== undefined && address + size <= claim.end) {
      claim.value.handler.write(address - claim.start, size, value);
    } else {
      this.#writeOutside(address, size, value);
    }
  }

  #find(address: number): Interval<BusClaim> | undefined {
    const slot = (address >>> 2) % RECENT;
    const recent = this.#recent[slot];
    if (recent !== undefined && address >= recent.start && address < recent.end) return recent;
    const claim = this.#claims.at(address);
    if (claim !== undefined) this.#recent[slot] = claim;
    return claim;
  }

  #isWhollyOutside(address: number, size: AccessSize): boolean {
    return address + size <= this.#size && this.isFree(address, size);
  }

  #readOutside(address: number, size: AccessSize): number {
    if (size === 1 || this.#isWhollyOutside(address, size)) {
      this.#unclaimedReads++;
      return allOnes(size);
    }
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | this.read((address + i) % this.#size, 1);
    return value >>> 0;
  }

  #writeOutside(address: number, size: AccessSize, value: number): void {
    if (size === 1 || this.#isWhollyOutside(address, size)) {
      this.#unclaimedWrites++;
      return;
    }
    for (let i = 0; i < size; i++) this.write((address + i) % this.#size, 1, (value >>> (8 * i)) & 0xff);
  }

  #release(start: number): void {
    this.#claims.remove(start);
    this.#recent.fill(undefined);
    this.released.emit();
  }
}
