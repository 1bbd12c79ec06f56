import { standstillBootRom } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun, type TestHost } from './machine-run.ts';
import { stockFile, type StockFile } from './stock-guest.ts';

const MiB = 2 ** 20;
const PROMPT = '/ # ';

/** The first program: a shell at the serial port, with a terminal that Ctrl-C works at. */
export const LINUX_INIT = `export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
exec setsid cttyhack sh -i`;

export interface LinuxOptions {
  readonly kernel: StockFile;
  readonly busybox: StockFile;
  readonly commandLine?: string;
  /** In seconds of machine time, for each thing that is waited for. */
  readonly limit?: number;
  /** Time is this host's; without it, the number of instructions. */
  readonly host?: TestHost;
}

/** Stock Linux with a shell of Busybox on its serial port, in which a test types. */
export class LinuxGuest implements Disposable {
  readonly run: MachineRun;
  readonly #limit: number;

  constructor({ kernel, busybox, commandLine = '', limit = 60, host }: LinuxOptions) {
    const initrd = { name: 'initrd', bytes: busyboxInitrd(busybox, LINUX_INIT) };
    const boot = {
      kernel: { name: kernel, bytes: stockFile(kernel) },
      modules: [initrd],
      commandLine: `console=ttyS0 ${commandLine}`,
      seed: new Uint8Array(32),
    };
    const display = { width: 1024, height: 768 };
    const deterministic = host === undefined;
    const config = { bootRom: standstillBootRom(), memory: 256 * MiB, boot, display, deterministic };
    this.run = new MachineRun(config, { host });
    this.#limit = limit;
  }

  /** Runs to the shell's first prompt. */
  async boot(): Promise<void> {
    await this.run.runUntil(PROMPT, 'serial', this.#limit);
  }

  type(text: string): void {
    this.run.machine.serialInput(new TextEncoder().encode(text));
  }

  /** What a command prints, line by line. */
  async command(text: string): Promise<string[]> {
    const { length } = this.run.serial;
    this.type(`${text}\n`);
    await this.run.runUntil(PROMPT, 'serial', this.#limit);
    return this.run.serial.slice(length).replaceAll('\r', '').split('\n').slice(1, -1);
  }

  /** What the kernel has said at level `warning` and above. */
  async warnings(): Promise<string[]> {
    const lines = await this.command('dmesg -r');
    return lines.filter((line) => /^<[0-4]>/.test(line)).map((line) => line.replace(/^<\d>\[[\d. ]+\] /, ''));
  }

  [Symbol.dispose](): void {
    this.run[Symbol.dispose]();
  }
}

/**
 * What Linux warns of on every PC like this one, on QEMU's too: there is no extended configuration space behind an i440FX, and a
 * kernel without PAE has no use for the window above 4 GiB.
 */
export const WARNINGS = {
  always: [
    "acpi PNP0A03:00: fail to add MMCONFIG information, can't access extended PCI configuration space under this bridge.",
  ],
  withoutPae: ['acpi resource window ([0x100000000-0xffffffffff] ignored, not CPU addressable)'],
} as const;
