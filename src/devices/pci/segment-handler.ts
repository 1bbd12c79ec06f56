import { allOnes, type AccessSize, type IoHandler } from '../../bus/io-handler.ts';
import type { Segment } from '../../memory/segment.ts';

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
