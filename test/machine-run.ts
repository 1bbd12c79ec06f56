import {
  Machine,
  type MachineConfig,
  type Pace,
  refusalLine,
  type Stop,
  type Surroundings,
  traceLine,
} from '../src/index.ts';

/** The clock that a machine is given, and how it waits. */
export interface TestHost {
  now(): number;
  readonly pace: Pace;
}

/** Tests wait for nothing: a machine that idles for ever is ended by its time limit. */
const IMPATIENT: TestHost = {
  now: () => performance.now() * 1e6,
  pace: {
    breathe: () => undefined,
    sleep: () => new Promise((resume) => setImmediate(resume)),
    wake() {},
  },
};

/** What a machine has said and done so far. */
export class MachineRun implements Disposable {
  readonly machine: Machine;
  /** One line for each edit of the map, and for each place that the guest wanted and did not get. */
  readonly trace: string[] = [];
  #serial = '';
  #debugConsole = '';
  readonly #host: TestHost;
  #awaited: { text: string; in: 'serial' | 'debugConsole' } | undefined;

  /** Machines of tests are deterministic unless the test is about time. */
  constructor(
    config: Partial<MachineConfig> & Pick<MachineConfig, 'bootRom'>,
    { makeArena, host = IMPATIENT }: { makeArena?: Surroundings['makeArena']; host?: TestHost | undefined } = {},
  ) {
    this.#host = host;
    this.machine = new Machine(
      { name: 'test', memory: 128 * 1024 * 1024, deterministic: true, ...config },
      {
        makeArena,
        hostTime: () => host.now(),
        wallClock: () => Date.now() / 1000,
        serial: (byte) => {
          this.#serial += String.fromCharCode(byte);
          this.#lookFor('serial');
        },
        debugConsole: (byte) => {
          this.#debugConsole += String.fromCharCode(byte);
          this.#lookFor('debugConsole');
        },
      },
    );
    this.machine.memory.observe({
      changed: (change) => {
        this.trace.push(traceLine(this.machine.now(), this.machine.action.describe(), change));
      },
    });
    this.machine.refusals.on((waiting) => {
      this.trace.push(refusalLine(this.machine.now(), this.machine.action.describe(), waiting));
    });
  }

  get serial(): string {
    return this.#serial;
  }

  get debugConsole(): string {
    return this.#debugConsole;
  }

  /** Runs to the machine's own end, or to the limit in seconds of machine time. */
  run(timeLimit = 60): Promise<Stop> {
    this.machine.stopAt(this.machine.now() + timeLimit * 1e9);
    return this.machine.run(this.#host.pace);
  }

  /** Runs until the guest has said something; throws with all that it said when it does not. */
  async runUntil(text: string, where: 'serial' | 'debugConsole', timeLimit = 60): Promise<void> {
    this.#awaited = { text, in: where };
    const stop = await this.run(timeLimit);
    if (!this[where].includes(text)) {
      throw new Error(`the guest has not said '${text}' (${stop}); it said:\n${this[where]}`);
    }
  }

  #lookFor(where: 'serial' | 'debugConsole'): void {
    if (this.#awaited?.in === where && this[where].endsWith(this.#awaited.text)) this.machine.stop('interrupted');
  }

  [Symbol.dispose](): void {
    this.machine[Symbol.dispose]();
  }
}
