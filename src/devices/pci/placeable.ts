import { assert } from '../../base/assert.ts';
import { allOnes, type AccessSize, type IoHandler } from '../../bus/io-handler.ts';
import type { IoBus } from '../../bus/io-bus.ts';
import { gpa } from '../../memory/address.ts';
import { MemoryError } from '../../memory/memory-error.ts';
import type { Segment } from '../../memory/segment.ts';
import type { Window } from '../../memory/window.ts';
import type { Placeable } from './placement.ts';

/** A handler that answers where it is placed, access by access. */
export class TrappedRange implements Placeable {
  readonly name: string;
  readonly length: number;
  readonly #bus: IoBus;
  readonly #handler: IoHandler;
  #claim: Disposable | undefined;

  constructor(bus: IoBus, length: number, handler: IoHandler, name: string) {
    this.#bus = bus;
    this.length = length;
    this.#handler = handler;
    this.name = name;
  }

  show(start: number): boolean {
    assert(this.#claim === undefined, `${this.name} is shown twice`);
    if (!this.#bus.isFree(start, this.length)) return false;
    this.#claim = this.#bus.register({ start, length: this.length }, this.#handler, this.name);
    return true;
  }

  hide(): void {
    this.#claim?.[Symbol.dispose]();
    this.#claim = undefined;
  }
}

/** A window on a segment that guest memory shows where it is placed: no access of the guest is trapped. */
export class MappedRange implements Placeable {
  readonly name: string;
  readonly length: number;
  readonly #window: Window;

  constructor(length: number, window: Window, name: string) {
    this.length = length;
    this.#window = window;
    this.name = name;
  }

  show(start: number): boolean {
    try {
      this.#window.moveTo(gpa(start));
      return true;
    } catch (error) {
      if (error instanceof MemoryError) return false;
      throw error;
    }
  }

  hide(): void {
    this.#window.hide();
  }
}

/**
 * Shows a segment access by access. A BAR smaller than a page shares its page with its neighbours, so that it cannot
 * be mapped (FreeBSD D52013).
 */
export class SegmentHandler implements IoHandler {
  readonly #segment: Segment;
  readonly #writable: boolean;
  readonly #byte: Uint8Array = new Uint8Array(1);

  constructor(segment: Segment, writable: boolean) {
    this.#segment = segment;
    this.#writable = writable;
  }

  read(offset: number, size: AccessSize): number {
    if (offset + size > this.#segment.length) return allOnes(size);
    const { bytes } = this.#segment;
    let value = 0;
    for (let at = offset + size - 1; at >= offset; at--) value = (value << 8) | (bytes[at] ?? 0);
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (!this.#writable || offset + size > this.#segment.length) return;
    for (let i = 0; i < size; i++) {
      this.#byte[0] = value >>> (8 * i);
      this.#segment.write(offset + i, this.#byte);
    }
  }
}
