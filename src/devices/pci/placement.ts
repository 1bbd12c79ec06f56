import type { IoBus } from '../../bus/io-bus.ts';

/** Half-open: `start` to `end`. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** Something that a guest's register puts at an address: a BAR, the power-management block. */
export interface Placeable {
  readonly name: string;
  readonly length: number;
  /** Appears at `start`, and nowhere else any more; or returns false and changes nothing when something is there. */
  show(start: number): boolean;
  /** Disappears from where it was shown. */
  hide(): void;
}

/** What waits for an address that it cannot have now. */
export interface Waiting {
  readonly what: Placeable;
  readonly start: number;
}

export interface PlacementOptions {
  /** Where fixed devices of this address space are; a placed thing never hides one, wholly or in part. */
  readonly bus: IoBus;
  /** Where a guest may put things. In any other place the register keeps its value and nothing appears. */
  readonly windows: readonly AddressRange[];
  /** For an address space that guest memory takes part in. */
  readonly memory?: { covering(start: number, length: number): Iterable<unknown> };
  /** Told of each address that cannot be had at the moment. */
  readonly refused?: (waiting: Waiting) => void;
}

/**
 * Decides what appears where in one address space when guests move things about. The rule when two want the same
 * place: who came first stays, so that a guest which sizes one BAR never breaks another device; the other waits and
 * appears as soon as the place is free. Who waits longest is served first. What is placed is aligned to
 * its own length, so that its new place never overlaps its old one. (PCI leaves the case undefined; other
 * monitors have crashed over it.)
 */
export class Placement {
  readonly bus: IoBus;
  readonly windows: readonly AddressRange[];
  readonly #memory: PlacementOptions['memory'];
  readonly #refused: PlacementOptions['refused'];
  readonly #placed: Map<Placeable, number> = new Map();
  #waiting: Waiting[] = [];
  #refusals = 0;

  constructor({ bus, windows, memory, refused }: PlacementOptions) {
    this.bus = bus;
    this.windows = windows;
    this.#memory = memory;
    this.#refused = refused;
  }

  /** How often a guest asked for a place that could not be had at that moment. */
  get refusals(): number {
    return this.#refusals;
  }

  /** What waits, longest first. */
  get waiting(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Where `what` is, if it is anywhere. */
  placeOf(what: Placeable): number | undefined {
    return this.#placed.get(what);
  }

  /** Whether neither a device nor a mapping has any byte of the range. */
  isFree(start: number, length: number): boolean {
    if (!this.bus.isFree(start, length)) return false;
    for (const _ of this.#memory?.covering(start, length) ?? []) return false;
    return true;
  }

  /**
   * The guest's registers now say `start`, or say that `what` is off. A move is one step: it takes its new place before
   * those who wait are offered the old one.
   */
  want(what: Placeable, start: number | undefined): void {
    if (start !== undefined && this.#alreadyWanted(what) === start) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.what !== what);
    const wasPlaced = this.#placed.has(what);
    if (start === undefined || !this.#place(what, start)) this.#withdraw(what, start);
    if (wasPlaced) this.retry();
  }

  /** Places what waits and can be placed now. For those who have made room, or know who did. */
  retry(): void {
    this.#waiting = this.#waiting.filter(({ what, start }) => !this.#place(what, start));
  }

  #alreadyWanted(what: Placeable): number | undefined {
    return this.#placed.get(what) ?? this.#waiting.find((waiting) => waiting.what === what)?.start;
  }

  #place(what: Placeable, start: number): boolean {
    if (!this.#isLegal(start, what.length) || !this.isFree(start, what.length) || !what.show(start)) return false;
    this.#placed.set(what, start);
    return true;
  }

  /** Takes it out of sight; when it has an address that it cannot have, it waits. */
  #withdraw(what: Placeable, start: number | undefined): void {
    if (this.#placed.delete(what)) what.hide();
    if (start === undefined) return;
    this.#refusals++;
    const waiting = { what, start };
    this.#waiting.push(waiting);
    this.#refused?.(waiting);
  }

  #isLegal(start: number, length: number): boolean {
    return this.windows.some((window) => start >= window.start && start + length <= window.end);
  }
}
