import { gpa } from '../../memory/address.ts';
import { MemoryError } from '../../memory/memory-error.ts';
import type { Window } from '../../memory/window.ts';
import type { Placeable } from './placement.ts';

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
