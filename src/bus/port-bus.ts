import { IoBus } from './io-bus.ts';

/** The 65,536 I/O ports that IN and OUT reach. */
export class PortBus extends IoBus {
  constructor() {
    super('port', 0x1_0000);
  }
}
