import type { Pace } from '../machine/run-loop.ts';

/** A machine that computes gives the event loop its turn this often. */
const TURN = 4;

/** Timers of the event loop are no finer. */
const LONGEST_SLEEP = 1_000;

/** Shares this thread's event loop with whatever else runs on it. */
export function eventLoopPace(): Pace {
  let last = performance.now();
  let wake: () => void = () => {};
  return {
    breathe() {
      if (performance.now() - last < TURN) return undefined;
      return new Promise((resume) => {
        setImmediate(() => {
          last = performance.now();
          resume();
        });
      });
    },
    sleep(nanoseconds) {
      return new Promise((resume) => {
        const milliseconds = Math.min(LONGEST_SLEEP, nanoseconds / 1e6);
        if (milliseconds < 1) {
          setImmediate(resume);
          return;
        }
        const timer = setTimeout(resume, milliseconds);
        wake = () => {
          clearTimeout(timer);
          resume();
        };
      });
    },
    wake: () => wake(),
  };
}
