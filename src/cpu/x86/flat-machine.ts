import { BareMachine } from './bare-machine.ts';

/** Flat 32-bit code at 1000h with a stack at 8000h, and nothing to handle an exception. */
export class FlatMachine extends BareMachine {
  static readonly start = 0x1000;

  constructor(source: string, length?: number) {
    super(length);
    this.assemble(FlatMachine.start, source);
    this.flatten();
    this.set({ rip: FlatMachine.start, rsp: 0x8000 });
  }

  flatten(): void {
    for (const name of ['cs', 'ss', 'ds', 'es']) {
      const attributes = name === 'cs' ? 0xc09b : 0xc093;
      this.set({ [`${name}.base`]: 0, [`${name}.limit`]: 0xffff_ffff, [`${name}.attributes`]: attributes });
    }
    this.set({ cr0: 0x11 });
  }
}
