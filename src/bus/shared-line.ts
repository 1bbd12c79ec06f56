import type { InterruptLine } from './interrupt-line.ts';

/** One wire that several devices pull: it is asserted while any of its inputs is. */
export class SharedLine {
  readonly #target: InterruptLine;
  #asserted = 0;

  constructor(target: InterruptLine) {
    this.#target = target;
  }

  /** A further input, not asserted. */
  input(): InterruptLine {
    let level = false;
    return {
      set: (asserted) => {
        if (asserted === level) return;
        level = asserted;
        this.#count(asserted ? 1 : -1);
      },
    };
  }

  #count(change: number): void {
    this.#asserted += change;
    this.#target.set(this.#asserted > 0);
  }
}
