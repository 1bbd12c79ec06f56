import type { IoHandler } from '../bus/io-handler.ts';
import type { PortBus } from '../bus/port-bus.ts';
import { Port92 } from '../devices/chipset/port-92.ts';
import { DebugPort, PostCode } from '../devices/debug-port.ts';
import { Dma8237 } from '../devices/dma-8237.ts';
import type { FwCfg } from '../devices/fw-cfg.ts';
import { Pic8259 } from '../devices/pic-8259.ts';
import { Pit8254 } from '../devices/pit-8254.ts';
import { Ps2Controller } from '../devices/ps2-8042.ts';
import { RtcCmos } from '../devices/rtc-cmos.ts';
import { Uart16550 } from '../devices/uart-16550.ts';
import type { Connections } from './connections.ts';
import { IRQ, PORTS, type PortName, type RamLayout } from './layout.ts';

export interface IsaOptions {
  readonly ports: PortBus;
  readonly ram: RamLayout;
  readonly firmwareConfig: FwCfg;
  readonly connections: Connections;
}

/** The devices whose ports never move. */
export class IsaDevices {
  readonly pic: Pic8259;
  readonly uart: Uart16550;
  readonly keyboardController: Ps2Controller;
  readonly #resettable: readonly { reset(): void }[];

  constructor({ ports, ram, firmwareConfig, connections }: IsaOptions) {
    const { clock, wallClock, setA20, requestReset } = connections;
    this.pic = new Pic8259({ output: connections.interrupt });
    this.uart = new Uart16550({ clock, interrupt: this.pic.line(IRQ.serial), backEnd: connections.serial });
    this.keyboardController = new Ps2Controller({
      clock,
      keyboardInterrupt: this.pic.line(IRQ.keyboard),
      mouseInterrupt: this.pic.line(IRQ.mouse),
      setA20,
      requestReset,
    });
    const pit = new Pit8254({ clock, interrupt: this.pic.line(IRQ.timer) });
    const rtc = new RtcCmos({ clock, interrupt: this.pic.line(IRQ.rtc), wallClock, ram });
    const dma = new Dma8237();
    const port92 = new Port92({ setA20, requestReset });
    const postCode = new PostCode();
    const debugPort = new DebugPort({ emit: connections.debugConsole });
    this.#resettable = [this.pic, this.uart, this.keyboardController, pit, rtc, dma, port92, postCode, firmwareConfig];
    const places: readonly (readonly [PortName, IoHandler])[] = [
      ['dmaController1', dma.first],
      ['pic1', this.pic.master],
      ['pit', pit.ports],
      ['keyboardData', this.keyboardController.data],
      ['systemControlB', pit.systemControl],
      ['keyboardCommand', this.keyboardController.command],
      ['rtc', rtc.ports],
      ['postCode', postCode.port],
      ['dmaPages', dma.pages],
      ['systemControlA', port92],
      ['pic2', this.pic.slave],
      ['dmaController2', dma.second],
      ['serial', this.uart.ports],
      ['debugConsole', debugPort.port],
      ['elcr', this.pic.elcr],
      ['firmwareConfig', firmwareConfig.ports],
      ['firmwareConfigDma', firmwareConfig.dma],
    ];
    for (const [name, handler] of places) ports.register(PORTS[name], handler, name);
  }

  reset(): void {
    for (const device of this.#resettable) device.reset();
  }
}
