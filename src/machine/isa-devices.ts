import type { IoHandler } from '../bus/io-handler.ts';
import type { PortBus } from '../bus/port-bus.ts';
import { CoprocessorError } from '../devices/chipset/coprocessor-error.ts';
import { Port92 } from '../devices/chipset/port-92.ts';
import { DebugPort, PostCode } from '../devices/debug-port.ts';
import { Dma8237 } from '../devices/dma-8237.ts';
import type { FwCfg } from '../devices/fw-cfg.ts';
import { Pit8254 } from '../devices/pit-8254.ts';
import { Ps2Controller } from '../devices/ps2-8042.ts';
import { RtcCmos } from '../devices/rtc-cmos.ts';
import { Uart16550 } from '../devices/uart-16550.ts';
import type { Connections } from './connections.ts';
import type { Interrupts } from './interrupts.ts';
import { IRQ, PORTS, type PortName, type RamLayout } from './layout.ts';

export interface IsaOptions {
  readonly ports: PortBus;
  readonly ram: RamLayout;
  readonly firmwareConfig: FwCfg;
  readonly connections: Connections;
  readonly interrupts: Interrupts;
}

/** The devices whose ports never move. */
export class IsaDevices {
  readonly uart: Uart16550;
  readonly keyboardController: Ps2Controller;
  readonly coprocessorError: CoprocessorError;
  readonly #resettable: readonly { reset(): void }[];

  constructor({ ports, ram, firmwareConfig, connections, interrupts }: IsaOptions) {
    const { clock, wallClock, setA20, setIgnoreFloatError, requestReset } = connections;
    const { pic } = interrupts;
    this.uart = new Uart16550({ clock, interrupt: interrupts.line(IRQ.serial), backEnd: connections.serial });
    this.keyboardController = new Ps2Controller({
      clock,
      keyboardInterrupt: interrupts.line(IRQ.keyboard),
      mouseInterrupt: interrupts.line(IRQ.mouse),
      setA20,
      requestReset,
    });
    this.coprocessorError = new CoprocessorError({
      interrupt: interrupts.line(IRQ.coprocessor),
      setIgnoreFloatError,
    });
    const pit = new Pit8254({ clock, interrupt: interrupts.timerLine });
    const rtc = new RtcCmos({ clock, interrupt: interrupts.rtcLine, wallClock, ram });
    const dma = new Dma8237();
    const port92 = new Port92({ setA20, requestReset });
    const postCode = new PostCode();
    const debugPort = new DebugPort({ emit: connections.debugConsole });
    this.#resettable = [
      interrupts,
      this.uart,
      this.keyboardController,
      pit,
      rtc,
      dma,
      this.coprocessorError,
      port92,
      postCode,
      firmwareConfig,
    ];
    const places: readonly (readonly [PortName, IoHandler])[] = [
      ['dmaController1', dma.first],
      ['pic1', pic.master],
      ['pit', pit.ports],
      ['keyboardData', this.keyboardController.data],
      ['systemControlB', pit.systemControl],
      ['keyboardCommand', this.keyboardController.command],
      ['rtc', rtc.ports],
      ['postCode', postCode.port],
      ['dmaPages', dma.pages],
      ['systemControlA', port92],
      ['pic2', pic.slave],
      ['dmaController2', dma.second],
      ['coprocessorError', this.coprocessorError],
      ['serial', this.uart.ports],
      ['debugConsole', debugPort.port],
      ['elcr', pic.elcr],
      ['firmwareConfig', firmwareConfig.ports],
      ['firmwareConfigDma', firmwareConfig.dma],
    ];
    for (const [name, handler] of places) ports.register(PORTS[name], handler, name);
  }

  reset(): void {
    for (const device of this.#resettable) device.reset();
  }
}
