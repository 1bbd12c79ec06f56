import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Another process that is told things on its standard input, a line each, and answers with a line. */
export class Program implements Disposable {
  readonly #child: ChildProcess;
  readonly #answers: string[] = [];
  readonly #waiting: ((answer: string) => void)[] = [];
  readonly #ended: Promise<string>;
  #complaints = '';

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#child = spawn(command, args, { ...options, stdio: 'pipe' });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#complaints += text));
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(line));
    // What is told to a program that has ended is lost; its end says so.
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', ({ message }) => resolve(message));
      this.#child.once('close', (status, signal) => {
        const end = signal ?? String(status);
        // Whoever waits for an answer gets the end for one.
        for (const answer of this.#waiting.splice(0)) answer(`ended with ${end}: ${this.#complaints}`);
        resolve(end);
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What it has written to its standard error. */
  get complaints(): string {
    return this.#complaints;
  }

  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** The next line of its output. */
  answer(): Promise<string> {
    const answer = this.#answers.shift();
    return answer === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(answer);
  }

  async ask(line: string): Promise<string> {
    this.tell(line);
    return this.answer();
  }

  /** Ends it; its exit status, or the signal that it died of. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async close(): Promise<string> {
    this.#child.stdin!.end();
    return this.#ended;
  }

  [Symbol.dispose](): void {
    void this.kill('SIGKILL');
  }

  #take(line: string): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#answers.push(line);
    else waiting(line);
  }
}
