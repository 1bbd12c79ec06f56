import { LIMITS } from '../../control/limits.ts';

/** Who reads serial output as it comes. */
export interface SerialReader {
  take(bytes: Uint8Array): void;
  /** There will be no more. */
  end(): void;
}

/** Where serial output goes besides where `--serial` sends it: to whoever listens, and into a short history. */
export class SerialTap {
  readonly #readers: Set<SerialReader> = new Set();
  #history: Uint8Array[] = [];
  #kept = 0;

  write(bytes: Uint8Array): void {
    this.#history.push(bytes);
    this.#kept += bytes.length;
    while (this.#kept - (this.#history[0]?.length ?? 0) >= LIMITS.serialHistory) {
      this.#kept -= this.#history.shift()?.length ?? 0;
    }
    for (const reader of this.#readers) reader.take(bytes);
  }

  /** The last of what was sent, at most `LIMITS.serialHistory` bytes. */
  history(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#history)).slice(-LIMITS.serialHistory);
  }

  listen(reader: SerialReader): Disposable {
    this.#readers.add(reader);
    return { [Symbol.dispose]: () => void this.#readers.delete(reader) };
  }

  end(): void {
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }
}
