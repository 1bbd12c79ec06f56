import type { AccessSize, IoHandler } from '../../bus/io-handler.ts';
import { RegisterFile } from '../../bus/registers.ts';

/**
 * Advanced power management, ports B2h (control) and B3h (status): a command and its parameter for system-management
 * software. There is no such software here, so that both only remember; `command` is told what was written to
 * control, which is how a guest switches ACPI on and off.
 */
export class Apm implements IoHandler {
  readonly #registers: RegisterFile;

  constructor({ command }: { command: (value: number) => void }) {
    this.#registers = new RegisterFile({
      length: 2,
      registers: [
        { name: 'control', offset: 0, size: 1, writable: 0xff, written: command },
        { name: 'status', offset: 1, size: 1, writable: 0xff },
      ],
    });
  }

  reset(): void {
    this.#registers.reset();
  }

  read(offset: number, size: AccessSize): number {
    return this.#registers.read(offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#registers.write(offset, size, value);
  }
}
