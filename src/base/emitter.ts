import { disposable } from './disposable.ts';

/** Tells every listener, in the order in which they came. A listener that leaves while being told is not told again. */
export class Emitter<Event> {
  readonly #listeners: Set<(event: Event) => void> = new Set();

  get listenerCount(): number {
    return this.#listeners.size;
  }

  on(listener: (event: Event) => void): Disposable {
    const own = (event: Event): void => listener(event);
    this.#listeners.add(own);
    return disposable(() => this.#listeners.delete(own));
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }
}
