import type { TimerQueue } from '../base/clock.ts';
import type { Engine } from '../cpu/index.ts';
import type { TimeSource } from './time-source.ts';

/** How the machine shares its thread. The host gives it: a machine knows no event loop. */
export interface Pace {
  /** Called between slices: gives something to wait for when the event loop is due its turn. */
  breathe(): Promise<void> | undefined;
  /** Waits, at the most so many nanoseconds; `wake` ends it early. */
  sleep(nanoseconds: number): Promise<void>;
  /** Something has happened (input, a request to stop). */
  wake(): void;
}

/** Why a machine has stopped. `stopped`: somebody outside asked for it; `debug-exit`: the guest wrote to the exit device. */
export type Stop = 'power-off' | 'shutdown' | 'time-limit' | 'interrupted' | 'stopped' | 'debug-exit';

/** A request that is carried out between two slices, when no instruction is in flight. */
export interface Requests {
  stop: Stop | undefined;
  reset: boolean;
  /** No slice runs while this is set. */
  paused: boolean;
}

export interface Running {
  readonly engine: Engine;
  readonly timers: TimerQueue;
  readonly time: TimeSource;
  readonly requests: Requests;
  readonly reset: () => void;
}

/** Runs slice after slice until something asks for a stop. */
export async function runLoop(machine: Running, pace: Pace): Promise<Stop> {
  const { requests } = machine;
  for (;;) {
    while (requests.paused && requests.stop === undefined) await pace.sleep(Infinity);
    const idle = slice(machine);
    if (requests.stop !== undefined) return requests.stop;
    if (idle > 0) await pace.sleep(idle);
    else {
      const turn = pace.breathe();
      if (turn !== undefined) await turn;
    }
  }
}

/** Due timers, then the engine up to the next deadline. Gives how long the host may sleep now. */
function slice({ engine, timers, time, requests, reset }: Running): number {
  timers.fireDue();
  if (requests.stop !== undefined || requests.paused) return 0;
  const before = engine.instructions;
  const exit = engine.run(before + time.instructionsUntil(timers.nextDeadline));
  time.ran(engine.instructions - before);
  if (requests.reset) {
    requests.reset = false;
    reset();
    return 0;
  }
  if (exit === 'shutdown') requests.stop ??= 'shutdown';
  return exit === 'halt' ? time.idle(timers.nextDeadline) : 0;
}
