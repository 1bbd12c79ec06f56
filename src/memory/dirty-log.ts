import { PAGE_SIZE } from '../base/units.ts';
import { MemoryError } from './memory-error.ts';
import { PAGE_FLAG } from './page-flag.ts';
import type { PageStates } from './page-states.ts';
import type { Segment, SegmentRecord } from './segment.ts';

/** What was written since the last time one asked. */
export interface DirtyPages {
  /** Counts the takes of this log since its start, from 1, so that a consumer notices one that went elsewhere. */
  readonly generation: number;
  /** Page numbers within the segment, ascending. */
  readonly pages: readonly number[];
}

/**
 * Which pages of one segment have been written: by the guest through any alias, by the VMM through guest memory or the
 * segment. Several logs of a segment do not disturb each other.
 */
export interface DirtyLog extends Disposable {
  readonly segment: Segment;
  readonly running: boolean;
  /** Begins anew: all pages are clean, the generation is 0. Throws EBUSY when it is running. */
  start(): void;
  /** Ends logging and forgets what was not taken. */
  stop(): void;
  /** Gives the written pages and makes them clean again, in one step. Throws EINVAL when it is not running. */
  take(): DirtyPages;
}

class SegmentDirtyLog implements DirtyLog {
  readonly #record: SegmentRecord;
  readonly #logs: DirtyLogs;
  readonly #dirty: Uint32Array;
  #generation = 0;

  constructor(record: SegmentRecord, logs: DirtyLogs) {
    this.#record = record;
    this.#logs = logs;
    this.#dirty = new Uint32Array(Math.ceil(record.length / PAGE_SIZE / 32));
  }

  get segment(): Segment {
    return this.#record;
  }

  get running(): boolean {
    return this.#logs.isRunning(this.#record, this);
  }

  start(): void {
    if (this.running) throw this.#refusal('EBUSY', 'is running');
    this.#dirty.fill(0);
    this.#generation = 0;
    this.#logs.started(this.#record, this);
  }

  stop(): void {
    this.#logs.stopped(this.#record, this);
  }

  take(): DirtyPages {
    if (!this.running) throw this.#refusal('EINVAL', 'is not running');
    const pages: number[] = [];
    for (let index = 0; index < this.#dirty.length; index++) {
      takeBits(this.#dirty[index]!, index * 32, pages);
      this.#dirty[index] = 0;
    }
    this.#logs.cleaned(this.#record, pages);
    return { generation: ++this.#generation, pages };
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  has(page: number): boolean {
    return ((this.#dirty[page >>> 5]! >>> (page & 31)) & 1) === 1;
  }

  mark(page: number): void {
    this.#dirty[page >>> 5] = this.#dirty[page >>> 5]! | (1 << (page & 31));
  }

  #refusal(code: 'EBUSY' | 'EINVAL', state: string): MemoryError {
    const { name } = this.#record;
    return new MemoryError(code, `the dirty log of segment ${name} ${state}`, { segment: name });
  }
}

function takeBits(word: number, firstPage: number, pages: number[]): void {
  for (let rest = word; rest !== 0; rest &= rest - 1) pages.push(firstPage + 31 - Math.clz32(rest & -rest));
}

/** All running logs of one guest memory. LOGGED is raised on a page while some log of its segment has it clean. */
export class DirtyLogs {
  readonly #states: PageStates;
  readonly #running: Map<SegmentRecord, Set<SegmentDirtyLog>> = new Map();

  constructor(states: PageStates) {
    this.#states = states;
    states.addHook({ flag: PAGE_FLAG.LOGGED, beforeWrite: (segment, page) => this.#written(segment, page) });
  }

  log(segment: SegmentRecord): DirtyLog {
    return new SegmentDirtyLog(segment, this);
  }

  isRunning(segment: SegmentRecord, log: SegmentDirtyLog): boolean {
    return this.#running.get(segment)?.has(log) ?? false;
  }

  started(segment: SegmentRecord, log: SegmentDirtyLog): void {
    void segment.extent; // Throws ENOENT when the segment is gone.
    const logs = this.#running.get(segment);
    if (logs === undefined) this.#running.set(segment, new Set([log]));
    else logs.add(log);
    this.#states.raiseAll(segment, PAGE_FLAG.LOGGED);
  }

  stopped(segment: SegmentRecord, log: SegmentDirtyLog): void {
    const logs = this.#running.get(segment);
    if (logs?.delete(log) !== true) return;
    if (logs.size > 0) {
      this.#lowerWhereAllDirty(segment, logs);
      return;
    }
    this.forget(segment);
    this.#states.lowerAll(segment, PAGE_FLAG.LOGGED);
  }

  cleaned(segment: SegmentRecord, pages: readonly number[]): void {
    this.#states.raiseEach(segment, pages, PAGE_FLAG.LOGGED);
  }

  /** The segment is going: its logs are over. */
  forget(segment: SegmentRecord): void {
    this.#running.delete(segment);
  }

  #lowerWhereAllDirty(segment: SegmentRecord, logs: ReadonlySet<SegmentDirtyLog>): void {
    for (let page = 0; page < segment.length / PAGE_SIZE; page++) {
      if ([...logs].every((log) => log.has(page))) this.#states.lower(segment, page, PAGE_FLAG.LOGGED);
    }
  }

  #written(segment: SegmentRecord, page: number): void {
    for (const log of this.#running.get(segment) ?? []) log.mark(page);
    this.#states.lower(segment, page, PAGE_FLAG.LOGGED);
  }
}
