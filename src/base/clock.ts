/** Machine time in nanoseconds since power-on. A double counts them exactly for 104 days. */
export type Nanoseconds = number;

/** One alarm of a device, made once and armed often. */
export interface Timer {
  /** When it will fire; `Infinity` while it is not armed. */
  readonly deadline: Nanoseconds;
  /** Arms it, in place of an earlier deadline. A deadline that has passed fires at the next chance, never at once. */
  arm(deadline: Nanoseconds): void;
  disarm(): void;
}

/** All that a device may know of time. */
export interface Clock {
  now(): Nanoseconds;
  timer(fire: () => void): Timer;
}

class QueuedTimer implements Timer {
  deadline: Nanoseconds = Infinity;
  /** Timers of one deadline fire in the order in which they were armed. */
  order = 0;
  readonly fire: () => void;
  readonly #queue: TimerQueue;

  constructor(queue: TimerQueue, fire: () => void) {
    this.#queue = queue;
    this.fire = fire;
  }

  arm(deadline: Nanoseconds): void {
    this.#queue.arm(this, deadline);
  }

  disarm(): void {
    this.#queue.disarm(this);
  }
}

/**
 * A clock over any source of time. Its owner calls `fireDue` between slices of guest execution. A machine has fewer
 * than ten timers, so the queue is an unsorted set with the nearest deadline kept beside it.
 */
export class TimerQueue implements Clock {
  readonly now: () => Nanoseconds;
  readonly #armed: Set<QueuedTimer> = new Set();
  readonly #armedEarlier: (() => void) | undefined;
  #order = 0;
  #nextDeadline = Infinity;

  /** `armedEarlier` is told when a deadline becomes the nearest one, so that a running engine can be cut short. */
  constructor(now: () => Nanoseconds, armedEarlier?: () => void) {
    this.now = now;
    this.#armedEarlier = armedEarlier;
  }

  get nextDeadline(): Nanoseconds {
    return this.#nextDeadline;
  }

  timer(fire: () => void): Timer {
    return new QueuedTimer(this, fire);
  }

  arm(timer: QueuedTimer, deadline: Nanoseconds): void {
    const previous = this.#nextDeadline;
    timer.deadline = deadline;
    timer.order = this.#order++;
    this.#armed.add(timer);
    this.#nextDeadline = this.#earliest()?.deadline ?? Infinity;
    if (this.#nextDeadline < previous) this.#armedEarlier?.();
  }

  disarm(timer: QueuedTimer): void {
    timer.deadline = Infinity;
    if (this.#armed.delete(timer)) this.#nextDeadline = this.#earliest()?.deadline ?? Infinity;
  }

  /** Fires every timer whose deadline has come, earliest first. A timer that arms itself into the past waits its turn. */
  fireDue(): void {
    const now = this.now();
    const until = this.#order;
    while (this.#nextDeadline <= now) {
      const timer = this.#earliest(until);
      if (timer === undefined || timer.deadline > now) return;
      this.disarm(timer);
      timer.fire();
    }
  }

  #earliest(until = Infinity): QueuedTimer | undefined {
    let earliest: QueuedTimer | undefined;
    for (const timer of this.#armed) {
      if (timer.order >= until) continue;
      if (
        earliest === undefined ||
        timer.deadline < earliest.deadline ||
        (timer.deadline === earliest.deadline && timer.order < earliest.order)
      ) {
        earliest = timer;
      }
    }
    return earliest;
  }
}

/** A clock that a test moves by hand. */
export class ManualClock extends TimerQueue {
  #time: { now: Nanoseconds };

  constructor() {
    const time = { now: 0 };
    super(() => time.now);
    this.#time = time;
  }

  /** Moves on, stopping at each deadline on the way so that timers see the time at which they fire. */
  advance(duration: Nanoseconds): void {
    const end = this.#time.now + duration;
    while (this.nextDeadline <= end) {
      this.#time.now = Math.max(this.#time.now, this.nextDeadline);
      this.fireDue();
    }
    this.#time.now = end;
  }
}
