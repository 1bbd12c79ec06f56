import type { IoHandler } from '../bus/io-handler.ts';

/** Ports that the device takes, from the one that it is told to be at. */
export const DEBUG_EXIT_PORTS = 4;

/**
 * The exit device that kernel tests know from QEMU as isa-debug-exit: a write of v, of any size, ends the run with
 * status (v << 1) | 1, of which a process shows eight bits. Four ports, as the handler `ports`; they read 0.
 */
export class DebugExit {
  readonly ports: IoHandler;

  constructor({ exit }: { exit: (status: number) => void }) {
    this.ports = {
      read: () => 0,
      write(_offset, _size, value) {
        exit((value << 1) | 1);
      },
    };
  }
}
