import { Emitter } from '../base/emitter.ts';
import { PAGE_SIZE } from '../base/units.ts';
import { PAGE_FLAG } from './page-flag.ts';
import type { PageStates } from './page-states.ts';
import type { SegmentRecord } from './segment.ts';

/** An engine that keeps decoded instructions. */
export interface CodeListener {
  /** The page at this store address held code and is about to change. It carries no `CODE` flag by now. */
  codeWritten(address: number): void;
}

/** Which pages hold code that some engine has decoded. */
export class CodeTracker {
  readonly #states: PageStates;
  readonly #written: Emitter<number> = new Emitter();

  constructor(states: PageStates) {
    this.#states = states;
    states.addHook({ flag: PAGE_FLAG.CODE, beforeWrite: (segment, page) => this.#drop(segment, page) });
  }

  track(listener: CodeListener): Disposable {
    return this.#written.on((address) => listener.codeWritten(address));
  }

  mark(segment: SegmentRecord, page: number): void {
    if (!this.#states.has(segment, page, PAGE_FLAG.CODE)) this.#states.raise(segment, page, PAGE_FLAG.CODE);
  }

  /** The segment's bytes go back to the store: what was decoded from them is void. */
  forget(segment: SegmentRecord): void {
    const pages = segment.pageFlags?.length ?? 0;
    for (let page = 0; page < pages; page++) {
      if (this.#states.has(segment, page, PAGE_FLAG.CODE)) this.#drop(segment, page);
    }
  }

  #drop(segment: SegmentRecord, page: number): void {
    this.#states.lower(segment, page, PAGE_FLAG.CODE);
    this.#written.emit(segment.address + page * PAGE_SIZE);
  }
}
