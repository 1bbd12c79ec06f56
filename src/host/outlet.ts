import type { Writable } from 'node:stream';

/**
 * A stream of ours that somebody else reads at their own speed. Node buffers without end what a reader has not taken,
 * so whoever writes has to look at `backlog` and wait for it.
 */
export class Outlet {
  readonly #stream: Writable;
  readonly #onFull: () => void;
  #backlog: Promise<void> | undefined;

  /** `onFull` is called when the reader has fallen behind. */
  constructor(stream: Writable, onFull: () => void) {
    this.#stream = stream;
    this.#onFull = onFull;
  }

  /** Resolves when the reader has caught up or has gone; `undefined` while there is nothing to wait for. */
  get backlog(): Promise<void> | undefined {
    return this.#backlog;
  }

  write(bytes: Uint8Array): void {
    if (this.#stream.write(bytes) || this.#backlog !== undefined) return;
    this.#backlog = this.#caughtUp();
    this.#onFull();
  }

  #caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of EVENTS) this.#stream.off(event, done);
        this.#backlog = undefined;
        resolve();
      };
      for (const event of EVENTS) this.#stream.once(event, done);
    });
  }
}

const EVENTS = ['drain', 'error', 'close'] as const;
