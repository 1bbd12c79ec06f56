// @ts-check
// The emulators of the bench, each a process of its own whose standard output is the guest's serial port.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** MiB of every guest. */
const MEMORY = 128;

/** @typedef {{ kernel: string, initrd: string, append: string }} Boot */
/** @typedef {(boot: Boot) => string[]} CommandLine */

const SKEP = [process.execPath, 'dist/cli/main.js', 'run', '--name', `bench-${process.pid}`, '--memory', `${MEMORY}M`];
const V86 = [process.execPath, 'bench/linux/v86.mjs', '--memory', String(MEMORY)];

/** @param {string[]} command @returns {CommandLine} */
const booting =
  (command) =>
  ({ kernel, initrd, append }) => [...command, '--kernel', kernel, '--initrd', initrd, '--append', append];

/** @type {Record<string, CommandLine>} */
export const EMULATORS = {
  skep: booting([...SKEP, '--serial', 'stdio']),
  tcg: ({ kernel, initrd, append }) =>
    `qemu-system-x86_64 -accel tcg -smp 1 -m ${MEMORY} -nodefaults -display none -no-reboot -serial stdio`
      .split(' ')
      .concat('-kernel', kernel, '-initrd', initrd, '-append', append),
  v86: booting(V86),
  'v86 interpreter': booting([...V86, '--no-jit']),
};

/** @param {string} rom */
export const skepWithRom = (rom) => [...SKEP, '--bootrom', rom];

/** @typedef {{ wall: number, cpu: number, thread?: number }} Time In milliseconds: by the clock, of all threads, of the first. */
/** @typedef {{ time: Time, resident: number, peak: number }} Moment What a process has used, in MiB, by then. */

/** A process whose output is looked through for what it is to say. */
export class TimedProcess {
  #start = performance.now();
  #process;
  #said = '';
  /** @type {() => void} */
  #changed = () => undefined;
  #ended = false;

  /** @param {string[]} command */
  constructor([program = '', ...args]) {
    this.#process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stdout.on('data', (bytes) => this.#hear(bytes));
    this.#process.stderr.on('data', (bytes) => this.#hear(bytes));
    this.#process.on('error', (error) => this.#hear(Buffer.from(String(error))));
    this.#process.on('close', () => {
      this.#ended = true;
      this.#changed();
    });
  }

  /** What the process has used when it says `text`. @param {string} text @returns {Promise<Moment>} */
  async says(text) {
    while (!this.#said.includes(text)) {
      if (this.#ended) throw new Error(`'${text}' was not said, but:\n${this.#said.slice(-2000)}`);
      await new Promise((resolve) => (this.#changed = () => resolve(undefined)));
    }
    this.#said = this.#said.slice(this.#said.indexOf(text) + text.length);
    const { pid } = this.#process;
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const mebibytes = (/** @type {string} */ name) =>
      Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
    const time = {
      wall: performance.now() - this.#start,
      cpu: processorTime(Number(pid)),
      thread: firstThreadTime(Number(pid)),
    };
    return { time, resident: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
  }

  /** Ends the process. */
  async end() {
    this.#process.kill('SIGKILL');
    while (!this.#ended) await new Promise((resolve) => (this.#changed = () => resolve(undefined)));
  }

  /** @param {{ toString(encoding: 'latin1'): string }} bytes */
  #hear(bytes) {
    this.#said += bytes.toString('latin1');
    this.#changed();
  }
}

/** User and system time of all threads, counted in hundredths of a second (proc(5), /proc/PID/stat). @param {number} pid */
function processorTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Milliseconds that the first thread has run, to the nanosecond (/proc/PID/task/TID/schedstat). @param {number} pid */
const firstThreadTime = (pid) =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
