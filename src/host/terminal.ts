/** What is asked of standard input: a file, a pipe or a terminal. */
export interface TerminalInput {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  off(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface TerminalOptions {
  readonly input: TerminalInput;
  /** Prints a line for the person at the terminal. */
  readonly notice: (text: string) => void;
  /** Bytes for the guest. */
  readonly receive: (bytes: Uint8Array) => void;
  /** How many of them the guest has not taken yet. */
  readonly waiting: () => number;
  /** The person wants to leave. */
  readonly quit: () => void;
}

/** Ctrl-], as telnet has it. */
const QUIT = 0x1d;

/** Input is held back while this much waits for the guest, and let go again when half of it is left. */
const MOST_WAITING = 64 * 1024;

/**
 * Standard input as the other end of the guest's serial port. A terminal is put into raw mode, so that every key, Ctrl-C
 * with it, is the guest's, but Ctrl-], which leaves. From a pipe or a file every byte is the guest's.
 */
export class Terminal implements Disposable {
  readonly #options: TerminalOptions;
  readonly #isRaw: boolean;
  #isHeld = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#isRaw = options.input.isTTY === true && options.input.setRawMode !== undefined;
    if (this.#isRaw) this.#enterRawMode();
    options.input.on('data', this.#data);
  }

  /** Called between slices: takes up input again when the guest has caught up. */
  turn(): void {
    if (!this.#isHeld || this.#options.waiting() > MOST_WAITING / 2) return;
    this.#isHeld = false;
    this.#options.input.resume();
  }

  [Symbol.dispose](): void {
    const { input } = this.#options;
    input.off('data', this.#data);
    input.pause();
    if (!this.#isRaw) return;
    this.#restore();
    process.off('exit', this.#restore).off('SIGCONT', this.#raw);
  }

  readonly #data = (bytes: Uint8Array): void => {
    const { receive, quit, waiting, input } = this.#options;
    const end = this.#isRaw ? bytes.indexOf(QUIT) : -1;
    if (end !== 0) receive(end < 0 ? bytes : bytes.subarray(0, end));
    if (end >= 0) quit();
    if (this.#isHeld || waiting() < MOST_WAITING) return;
    // A person who types into a guest that does not listen must still be able to leave.
    if (this.#isRaw) return;
    this.#isHeld = true;
    input.pause();
  };

  readonly #raw = (): void => void this.#options.input.setRawMode?.(true);
  readonly #restore = (): void => void this.#options.input.setRawMode?.(false);

  /** Whatever ends the process restores the terminal; a shell that brings it back to the foreground does not undo it. */
  #enterRawMode(): void {
    this.#raw();
    process.on('exit', this.#restore).on('SIGCONT', this.#raw);
    this.#options.notice("skep: the keyboard is the guest's; Ctrl-] quits\n");
  }
}
