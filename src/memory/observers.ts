import { disposable } from '../base/disposable.ts';
import type { Mapping } from './mapping.ts';

/** What one edit did. Both lists ascend by GPA; a moved mapping is in both, as two mappings. */
export interface Change {
  readonly removed: readonly Mapping[];
  readonly added: readonly Mapping[];
}

/**
 * Someone who keeps something derived from the map: TLBs, KVM slots, an IOMMU domain, a trace.
 *
 * `changed` is called once per edit, when the map already shows the new state. An observer that throws must itself be
 * as it was before the call; the edit is then undone, and those told before it are told the reverse.
 */
export interface MapObserver {
  changed(change: Change): void;
}

/** Observers in the order in which they came. */
export class Observers {
  readonly #observers: Set<{ readonly observer: MapObserver }> = new Set();

  add(observer: MapObserver): Disposable {
    const entry = { observer };
    this.#observers.add(entry);
    return disposable(() => this.#observers.delete(entry));
  }

  /** Tells all. When one throws: calls `undo`, tells the reverse to those told before, last first, throws the same. */
  tell(change: Change, undo: () => void): void {
    const told: { readonly observer: MapObserver }[] = [];
    for (const entry of this.#observers) {
      try {
        entry.observer.changed(change);
      } catch (error) {
        undo();
        this.#tellReverse(told, change, error);
        throw error;
      }
      told.push(entry);
    }
  }

  /** Tells all that everything is gone. There is no way back, so all are told even if some throw. */
  tellEnd(change: Change): unknown[] {
    return attempt([...this.#observers], change);
  }

  #tellReverse(told: { readonly observer: MapObserver }[], change: Change, cause: unknown): void {
    const reverse: Change = { removed: change.added, added: change.removed };
    const present = told.filter((entry) => this.#observers.has(entry)).reverse();
    const errors = attempt(present, reverse);
    if (errors.length > 0) throw new AggregateError([cause, ...errors], 'observers failed to undo an edit');
  }
}

function attempt(entries: readonly { readonly observer: MapObserver }[], change: Change): unknown[] {
  const errors: unknown[] = [];
  for (const { observer } of entries) {
    try {
      observer.changed(change);
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}
