import type { IoBus } from '../../bus/io-bus.ts';
import type { IoHandler } from '../../bus/io-handler.ts';
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
    if (!this.#bus.isFree(start, this.length)) return false;
    const claim = this.#bus.register({ start, length: this.length }, this.#handler, this.name);
    this.hide();
    this.#claim = claim;
    return true;
  }

  hide(): void {
    this.#claim?.[Symbol.dispose]();
    this.#claim = undefined;
  }
}
