import type { Pace } from '../machine/run-loop.ts';
import type { Outlet } from './outlet.ts';

/** A pace that also waits for those who read what the guest says, so that a flood of output takes time and no memory. */
export function patientPace(pace: Pace, outlets: readonly Pick<Outlet, 'backlog'>[]): Pace {
  let giveUp: (() => void) | undefined;
  const patience = (backlog: Promise<void>): Promise<void> => {
    return new Promise((resolve) => {
      const done = (): void => {
        giveUp = undefined;
        resolve();
      };
      giveUp = done;
      void backlog.then(done);
    });
  };
  return {
    breathe() {
      const behind = outlets.find(({ backlog }) => backlog !== undefined)?.backlog;
      return behind === undefined ? pace.breathe() : patience(behind);
    },
    sleep: (nanoseconds) => pace.sleep(nanoseconds),
    wake() {
      giveUp?.();
      pace.wake();
    },
  };
}
