import type { Pace } from '../machine/run-loop.ts';

/** A machine that computes gives the event loop its turn this often, in milliseconds. */
const TURN = 4;

/** Nothing ever writes to it: a thread can wait here for parts of a millisecond, which the event loop's timers cannot. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** A machine that idles without a deadline looks around this often, in milliseconds. */
const LONGEST_SLEEP = 1_000;

/** Shares this thread's event loop with whatever else runs on it. `turn` is called whenever the loop gets its turn. */
export function eventLoopPace(turn: () => void): Pace {
  let last = performance.now();
  let wake: (() => void) | undefined;
  const resumed = (resume: () => void) => (): void => {
    wake = undefined;
    last = performance.now();
    resume();
  };
  return {
    breathe() {
      if (performance.now() - last < TURN) return undefined;
      turn();
      return new Promise((resume) => setImmediate(resumed(resume)));
    },
    sleep(nanoseconds) {
      turn();
      return new Promise((resume) => {
        const milliseconds = Math.min(LONGEST_SLEEP, nanoseconds / 1e6);
        if (milliseconds < 1) {
          Atomics.wait(NEVER, 0, 0, milliseconds);
          setImmediate(resumed(resume));
          return;
        }
        const timer = setTimeout(resumed(resume), milliseconds);
        wake = () => {
          clearTimeout(timer);
          resumed(resume)();
        };
      });
    },
    wake: () => wake?.(),
  };
}
