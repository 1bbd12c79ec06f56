import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { MachineClient } from '../../src/client/index.ts';
import { until } from '../control/controlled-machine.ts';

const SKEP = resolve('dist/cli/main.js');

export interface End {
  readonly status: number | null;
  readonly stderr: string;
}

/** `skep run`, in a process of its own. */
export class SkepRun implements Disposable {
  readonly child: ChildProcess;
  readonly ended: Promise<End>;
  /** What it has said so far. */
  stderr = '';
  readonly #socket: string;

  constructor(folder: string, name: string, args: readonly string[], stdout: number | 'ignore' = 'ignore') {
    this.#socket = join(folder, `${name}.sock`);
    this.child = spawn(process.execPath, [SKEP, 'run', '--name', name, ...args], {
      env: { ...process.env, SKEP_RUNDIR: folder },
      stdio: ['ignore', stdout, 'pipe'],
    });
    this.child.stderr?.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()));
    this.ended = new Promise((resolve) => this.child.on('close', (status) => resolve({ status, stderr: this.stderr })));
  }

  /** Whether it answers on its socket. */
  async isUp(): Promise<boolean> {
    try {
      using client = this.client();
      return (await client.facts()).pid === this.child.pid;
    } catch {
      return false;
    }
  }

  async up(): Promise<this> {
    await until(() => this.isUp(), 60_000);
    return this;
  }

  client(): MachineClient {
    return new MachineClient(this.#socket);
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL');
  }
}
