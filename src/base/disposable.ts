/** Makes a function the end of something's life. Calling it twice is harmless. */
export function disposable(dispose: () => void): Disposable {
  let done = false;
  return {
    [Symbol.dispose]() {
      if (done) return;
      done = true;
      dispose();
    },
  };
}

/**
 * Owns several lifetimes and ends them in reverse order, all of them even when one throws. (Node 20 has no `DisposableStack`.)
 */
export class Lifetimes implements Disposable {
  readonly #owned: Disposable[] = [];

  own<T extends Disposable>(owned: T): T {
    this.#owned.push(owned);
    return owned;
  }

  [Symbol.dispose](): void {
    while (this.#owned.length > 0) {
      try {
        this.#owned.pop()?.[Symbol.dispose]();
      } catch (error) {
        this[Symbol.dispose]();
        throw error;
      }
    }
  }
}
