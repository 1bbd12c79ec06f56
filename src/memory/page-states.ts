import { Emitter } from '../base/emitter.ts';
import { PAGE_SIZE } from '../base/units.ts';
import type { FlatView } from './flat-view.ts';
import { TELL_BEFORE_WRITE } from './page-flag.ts';
import type { SegmentRecord } from './segment.ts';

/** Someone who must hear of a write to a page that carries its flag, before the write happens. */
export interface WriteHook {
  readonly flag: number;
  /** Called with the flag raised; most hooks lower it, so that the following writes to the page are free. */
  beforeWrite(segment: SegmentRecord, page: number): void;
}

/**
 * Flags of segment pages beyond protection. They belong to the page of the *segment*: every mapping of the page shows
 * them, those that come later too, and a page that is nowhere mapped keeps them.
 */
export class PageStates {
  readonly #flat: FlatView;
  readonly #hooks: WriteHook[] = [];
  readonly #guarded: Emitter<void> = new Emitter();

  constructor(flat: FlatView) {
    this.#flat = flat;
  }

  /** Hooks are called in the order in which they were added. */
  addHook(hook: WriteHook): void {
    this.#hooks.push(hook);
  }

  /** Told after flags were raised on pages whose old flags an engine may have in its TLB. */
  onGuarded(listener: () => void): Disposable {
    return this.#guarded.on(listener);
  }

  has(segment: SegmentRecord, page: number, flag: number): boolean {
    return segment.pageFlags !== undefined && (segment.pageFlags[page]! & flag) !== 0;
  }

  /** Without a word: for the engine's own flag, which it raises before it caches the page. */
  raise(segment: SegmentRecord, page: number, flag: number): void {
    segment.pageFlags ??= new Uint16Array(segment.length / PAGE_SIZE);
    segment.pageFlags[page] = segment.pageFlags[page]! | flag;
    this.#show(segment, page);
  }

  lower(segment: SegmentRecord, page: number, flag: number): void {
    if (segment.pageFlags === undefined) return;
    segment.pageFlags[page] = segment.pageFlags[page]! & ~flag;
    this.#show(segment, page);
  }

  raiseEach(segment: SegmentRecord, pages: readonly number[], flag: number): void {
    for (const page of pages) this.raise(segment, page, flag);
    if (pages.length > 0) this.#guarded.emit();
  }

  raiseAll(segment: SegmentRecord, flag: number): void {
    segment.pageFlags ??= new Uint16Array(segment.length / PAGE_SIZE);
    for (let page = 0; page < segment.pageFlags.length; page++) {
      segment.pageFlags[page] = segment.pageFlags[page]! | flag;
    }
    for (const mapping of segment.placements.all()) this.#flat.refresh(mapping);
    this.#guarded.emit();
  }

  lowerAll(segment: SegmentRecord, flag: number): void {
    const { pageFlags } = segment;
    if (pageFlags === undefined) return;
    for (let page = 0; page < pageFlags.length; page++) pageFlags[page] = pageFlags[page]! & ~flag;
    for (const mapping of segment.placements.all()) this.#flat.refresh(mapping);
  }

  /** Tells whoever must know that these bytes are about to be written. Afterwards the write may go ahead. */
  beforeWrite(segment: SegmentRecord, offset: number, length: number): void {
    if (segment.pageFlags === undefined || length === 0) return;
    const last = Math.floor((offset + length - 1) / PAGE_SIZE);
    for (let page = Math.floor(offset / PAGE_SIZE); page <= last; page++) {
      const flags = segment.pageFlags[page]!;
      if ((flags & TELL_BEFORE_WRITE) !== 0) this.#tell(segment, page, flags);
    }
  }

  #tell(segment: SegmentRecord, page: number, flags: number): void {
    for (const hook of this.#hooks) {
      if ((flags & hook.flag) !== 0) hook.beforeWrite(segment, page);
    }
  }

  #show(segment: SegmentRecord, page: number): void {
    const flags = segment.pageFlags?.[page] ?? 0;
    segment.placements.forEachAlias(page, (mapping) => {
      this.#flat.setFlags(mapping.gpa - mapping.offset + page * PAGE_SIZE, mapping.flags | flags);
    });
  }
}

export function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE);
}
