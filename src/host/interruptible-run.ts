import type { ConfigError } from '../machine/config-error.ts';
import type { Machine } from '../machine/machine.ts';
import type { Pace, Stop } from '../machine/run-loop.ts';
import { eventLoopPace } from './event-loop-pace.ts';
import { writeFailure } from './files.ts';
import type { GuestOutput } from './guest-output.ts';
import { patientPace } from './patient-pace.ts';
import { Terminal } from './terminal.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A run that Ctrl-C, Ctrl-] and an end of whoever reads our output stop at the next slice. */
export class InterruptibleRun {
  readonly pace: Pace;
  readonly #machine: Machine;
  #terminal: Terminal | undefined;
  /** What has become of standard output, when that is more than its reader's end. */
  #lost: ConfigError | undefined;

  constructor(machine: Machine, output: GuestOutput) {
    this.#machine = machine;
    const turn = (): void => {
      output.flush();
      this.#terminal?.turn();
    };
    this.pace = patientPace(eventLoopPace(turn), output.outlets);
  }

  /** `reads`: whether standard input is the serial port's. */
  async toEnd({ reads }: { readonly reads: boolean }): Promise<Stop> {
    using terminal = reads ? this.#openTerminal() : undefined;
    this.#terminal = terminal;
    for (const signal of SIGNALS) process.once(signal, this.#interrupt);
    process.stdout.on('error', this.#lose);
    try {
      const stop = await this.#machine.run(this.pace);
      if (this.#lost !== undefined) throw this.#lost;
      return stop;
    } finally {
      for (const signal of SIGNALS) process.off(signal, this.#interrupt);
    }
  }

  readonly #interrupt = (): void => {
    this.#machine.stop('interrupted');
    this.pace.wake();
  };

  readonly #lose = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') this.#lost ??= writeFailure('standard output', error);
    this.#interrupt();
  };

  #openTerminal(): Terminal {
    return new Terminal({
      input: process.stdin,
      notice: (text) => void process.stderr.write(text),
      receive: (bytes) => {
        this.#machine.serialInput(bytes);
        this.pace.wake();
      },
      waiting: () => this.#machine.serialInputWaiting,
      quit: this.#interrupt,
    });
  }
}
