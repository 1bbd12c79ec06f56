import { assert } from '../../base/assert.ts';
import { unconnectedLine, type InterruptLine } from '../../bus/interrupt-line.ts';
import { RegisterFile, type Register, type RegisterFileOptions } from '../../bus/registers.ts';
import { Bar, type BarDescription, type BarSpaces } from './bar.ts';
import { COMMAND, CONFIG, headerRegisters, STATUS, type PciIdentity } from './config-header.ts';

export interface PciFunctionOptions {
  readonly name: string;
  readonly identity: PciIdentity;
  /** Function 0 of a slot with more than one. */
  readonly multifunction?: boolean;
  /** 1 for INTA# to 4 for INTD#; 0 for none. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
  /** Where the pin leads; the interrupt router of the board gives it. */
  readonly interrupt?: InterruptLine;
  /** Fixed bits of the status register. */
  readonly status?: number;
  /** Offset of the first capability. */
  readonly capabilities?: number;
  readonly bars?: readonly BarDescription[];
  /** Where BARs are placed; needed when there are any. */
  readonly spaces?: BarSpaces;
  /** Device-specific registers, from 40h on. */
  readonly registers?: readonly Register[];
  readonly scratch?: RegisterFileOptions['scratch'];
  /** Told after each write to configuration space, once the registers it touched were told. */
  readonly settled?: RegisterFileOptions['settled'];
}

/** One function of a PCI device: 256 bytes of configuration space, its BARs and its interrupt pin. */
export class PciFunction {
  readonly name: string;
  readonly multifunction: boolean;
  readonly bars: readonly Bar[];
  readonly config: RegisterFile;
  /** The interrupt of the device, before the command register may silence it. */
  readonly line: InterruptLine;
  readonly #interrupt: InterruptLine;
  #asserted = false;

  constructor(options: PciFunctionOptions) {
    const { name, bars = [], spaces, registers = [], scratch, settled, interrupt = unconnectedLine } = options;
    assert(spaces !== undefined || bars.length === 0, `${name} has BARs and no space to place them in`);
    this.name = name;
    this.multifunction = options.multifunction ?? false;
    this.bars = spaces === undefined ? [] : bars.map((bar) => new Bar(name, bar, spaces));
    this.config = new RegisterFile({
      length: CONFIG.length,
      registers: [
        ...headerRegisters({ ...options, commandWritten: (command) => this.#commandWritten(command) }),
        ...this.bars.flatMap((bar) => bar.registers()),
        ...registers,
      ],
      ...(scratch === undefined ? {} : { scratch }),
      ...(settled === undefined ? {} : { settled }),
    });
    this.#interrupt = interrupt;
    this.line = { set: (asserted) => this.#setInterrupt(asserted) };
  }

  /** Whether the guest lets the function read and write memory by itself. */
  get isBusMaster(): boolean {
    return (this.#command & COMMAND.master) !== 0;
  }

  /** As after power-on: nothing decoded, every BAR at 0, the pin released. */
  reset(): void {
    this.#setInterrupt(false);
    this.config.reset();
    for (const bar of this.bars) bar.reset();
  }

  get #command(): number {
    return this.config.peek(CONFIG.command, 2);
  }

  #commandWritten(command: number): void {
    for (const bar of this.bars) bar.decode(command);
    this.#drive();
  }

  #setInterrupt(asserted: boolean): void {
    this.#asserted = asserted;
    const status = this.config.peek(CONFIG.status, 2);
    this.config.poke(CONFIG.status, 2, asserted ? status | STATUS.interrupt : status & ~STATUS.interrupt);
    this.#drive();
  }

  #drive(): void {
    this.#interrupt.set(this.#asserted && (this.#command & COMMAND.interruptDisable) === 0);
  }
}
