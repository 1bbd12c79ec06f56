import { Lifetimes } from '../base/disposable.ts';
import { bothSinks, collectingSink, fileSink, nullSink, streamSink, type ByteSink } from './byte-sink.ts';
import { SerialTap } from './control/serial-tap.ts';
import { Outlet } from './outlet.ts';
import type { RunOptions, SinkChoice } from './run-options.ts';

/** Where what the guest says goes. Serial output goes to the tap as well, for those who listen on the control socket. */
export class GuestOutput implements Disposable {
  readonly serial: ByteSink;
  readonly debugConsole: ByteSink;
  readonly tap: SerialTap = new SerialTap();
  readonly #outlets: Record<'stdout' | 'stderr', Outlet>;
  readonly #lifetimes: Lifetimes = new Lifetimes();

  /** `onFull` is called when somebody who reads our output has fallen behind. */
  constructor({ serial, debugConsole }: Pick<RunOptions, 'serial' | 'debugConsole'>, onFull: () => void) {
    this.#outlets = { stdout: new Outlet(process.stdout, onFull), stderr: new Outlet(process.stderr, onFull) };
    const listened = collectingSink((bytes) => this.tap.write(bytes));
    this.serial = this.#lifetimes.own(bothSinks(openSink(serial, this.#outlets), listened));
    try {
      this.debugConsole = this.#lifetimes.own(openSink(debugConsole, this.#outlets));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Who may have to be waited for. */
  get outlets(): readonly Outlet[] {
    return Object.values(this.#outlets);
  }

  /** So that what the guest has said comes before what is said about it. */
  flush(): void {
    this.serial.flush();
    this.debugConsole.flush();
  }

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }
}

function openSink(choice: SinkChoice, outlets: Record<'stdout' | 'stderr', Outlet>): ByteSink {
  switch (choice.kind) {
    case 'off':
      return nullSink;
    case 'stdio':
      return streamSink(outlets.stdout);
    case 'stderr':
      return streamSink(outlets.stderr);
    case 'file':
      return fileSink(choice.path);
  }
}
