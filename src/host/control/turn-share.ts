/** Milliseconds of each turn of the event loop that requests may have. The guest has the rest. */
const BUDGET = 1;

/**
 * Divides this thread between requests and the guest. Whatever a request costs is cut into short pieces, and each piece
 * is done here: in order, and at most about a millisecond's worth in one turn of the event loop, however many requests
 * there are. A guest that computes gets its slices between two turns.
 */
export class TurnShare {
  #waiting: (() => void)[] = [];
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
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const end = performance.now() + BUDGET;
    let done = 0;
    while (done < this.#waiting.length && (done === 0 || performance.now() < end)) this.#waiting[done++]!();
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#schedule();
  }
}
