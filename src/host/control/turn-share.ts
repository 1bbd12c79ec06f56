/** Milliseconds of each turn of the event loop that requests may have. The guest has the rest. */
const BUDGET = 1;

/**
 * Divides this thread between requests and the guest. Whatever a request costs is cut into short pieces, and each piece
 * is done here: in order, and at most about a millisecond's worth in one turn of the event loop, however many requests
 * there are. A guest that computes gets its slices between two turns.
 */
export class TurnShare {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  do<T>(piece: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(piece());
        } catch (error) {
          reject(error);
        }
      });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => void this.#turn());
  }

  async #turn(): Promise<void> {
    const end = performance.now() + BUDGET;
    do {
      this.#waiting.shift()?.();
      // What was waiting for this piece may have the next one ready: a stream drains in the first tick, and whoever
      // waited for that goes on in the promises behind it.
      await tick();
      await tick();
    } while (this.#waiting.length > 0 && performance.now() < end);
    this.#scheduled = false;
    if (this.#waiting.length > 0) this.#schedule();
  }
}

/** After everything that Node and promises have to do at once. */
function tick(): Promise<void> {
  return new Promise((resume) => process.nextTick(resume));
}
