import type { Gpa } from './address.ts';
import type { Mapping } from './mapping.ts';
import type { Prot } from './prot.ts';
import type { Segment } from './segment.ts';
import type { Edit, MapRequest } from './transaction.ts';

/**
 * What a device holds of guest memory: its own segment, and the power to show it at one place, or nowhere. It sees no
 * other segment and no map. A segment may have several windows.
 */
export interface Window {
  readonly segment: Segment;
  /** Where it is now. A reset of guest memory hides windows on devmem. */
  readonly gpa: Gpa | undefined;
  /** Moves in one transaction. When the place cannot be had, MemoryError says why and the window stays as it was. */
  moveTo(gpa: Gpa): void;
  /** Takes it out of the guest's sight. Nothing happens when it is. */
  hide(): void;
}

export interface WindowOptions {
  readonly prot: Prot;
  /** Bytes from the segment's start; 0 when absent. */
  readonly offset?: number;
  /** Bytes; the rest of the segment when absent. */
  readonly length?: number;
  readonly wired?: boolean;
}

/** The part of guest memory that a window works through. */
interface WindowHost {
  edit<T>(body: (edit: Edit) => T): T;
  isMapped(mapping: Mapping): boolean;
}

export class WindowOnSegment implements Window {
  readonly segment: Segment;
  readonly #host: WindowHost;
  readonly #request: Omit<MapRequest, 'gpa'>;
  #mapping: Mapping | undefined;

  constructor(host: WindowHost, request: Omit<MapRequest, 'gpa'>) {
    this.segment = request.segment;
    this.#host = host;
    this.#request = request;
  }

  get gpa(): Gpa | undefined {
    return this.#shown()?.gpa;
  }

  moveTo(gpa: Gpa): void {
    const shown = this.#shown();
    if (shown?.gpa === gpa) return;
    this.#mapping = this.#host.edit((edit) => {
      if (shown !== undefined) edit.unmap(shown);
      return edit.map({ ...this.#request, gpa });
    });
  }

  hide(): void {
    const shown = this.#shown();
    if (shown !== undefined) this.#host.edit((edit) => edit.unmap(shown));
    this.#mapping = undefined;
  }

  /** Others may unmap what a window shows: a reset does. */
  #shown(): Mapping | undefined {
    return this.#mapping !== undefined && this.#host.isMapped(this.#mapping) ? this.#mapping : undefined;
  }
}
