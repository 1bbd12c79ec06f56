import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { MmioBus } from '../bus/mmio-bus.ts';
import { ApicBus } from '../devices/apic-bus.ts';
import { HPET_PAGE, Hpet } from '../devices/hpet.ts';
import { IO_APIC_PAGE, IoApic } from '../devices/io-apic.ts';
import { APIC_PAGE, LocalApic } from '../devices/local-apic.ts';
import { Pic8259 } from '../devices/pic-8259.ts';
import type { Connections } from './connections.ts';
import { ADDRESS_BITS, IRQ } from './layout.ts';

/** The I/O APIC's input for the interval timer; every other ISA interrupt has the input of its own number. */
const TIMER_PIN = 2;

/**
 * Everything between a device's interrupt and the processor: the 8259 pair, the local APIC it passes through, and beside
 * both the I/O APIC, which is fed by the same lines. Software chooses which of the two it listens to. The HPET is here
 * because it can take two lines away from their devices.
 */
export class Interrupts {
  readonly pic: Pic8259;
  readonly localApic: LocalApic;
  readonly ioApic: IoApic;
  readonly hpet: Hpet;
  readonly #timer: GatedLine;
  readonly #rtc: GatedLine;
  readonly #mmio: MmioBus;
  #localPage: Disposable | undefined;

  constructor({ connections, mmio }: { connections: Connections; mmio: MmioBus }) {
    const { clock, interrupt, nonMaskableInterrupt, requestReset, timeOfTimestamp } = connections;
    this.#mmio = mmio;
    const bus = new ApicBus();
    this.localApic = new LocalApic({
      clock,
      bus,
      output: interrupt,
      acknowledgeExternal: () => this.pic.acknowledge(),
      processor: { nonMaskableInterrupt, initialize: requestReset, startUp() {} },
      timeOfTimestamp,
      addressBits: ADDRESS_BITS,
      moved: (start) => this.#moveLocalPage(start),
    });
    this.pic = new Pic8259({ output: this.localApic.lint0 });
    this.ioApic = new IoApic({ bus });
    bus.attachProcessor(this.localApic);
    bus.attachController(this.ioApic);
    this.#timer = new GatedLine(this.line(IRQ.timer));
    this.#rtc = new GatedLine(this.line(IRQ.rtc));
    this.hpet = new Hpet({
      clock,
      line: (pin) => this.ioApic.line(pin),
      legacy: {
        timer: this.line(IRQ.timer),
        rtc: this.line(IRQ.rtc),
        replace: (on) => {
          this.#timer.open(!on);
          this.#rtc.open(!on);
        },
      },
    });
    mmio.register(IO_APIC_PAGE, this.ioApic.page, 'I/O APIC');
    mmio.register(HPET_PAGE, this.hpet.registers, 'HPET');
    this.#moveLocalPage(APIC_PAGE.start);
  }

  /** A new wire to an ISA interrupt, at both controllers. */
  line(irq: number): InterruptLine {
    const pic = this.pic.line(irq);
    const ioApic = this.ioApic.line(irq === IRQ.timer ? TIMER_PIN : irq);
    return {
      set(asserted) {
        pic.set(asserted);
        ioApic.set(asserted);
      },
    };
  }

  /** The wire of the interval timer, which the HPET may cut. */
  get timerLine(): InterruptLine {
    return this.#timer;
  }

  /** The wire of the real-time clock, likewise. */
  get rtcLine(): InterruptLine {
    return this.#rtc;
  }

  /** In an order in which no line that is still up can raise anything. */
  reset(): void {
    this.pic.reset();
    this.ioApic.reset();
    this.hpet.reset();
    this.localApic.reset();
  }

  /** A guest can put the page where another device is; the device stays, and the page is nowhere. */
  #moveLocalPage(start: number | undefined): void {
    this.#localPage?.[Symbol.dispose]();
    this.#localPage = undefined;
    const { length } = APIC_PAGE;
    if (start === undefined || !this.#mmio.isFree(start, length)) return;
    this.#localPage = this.#mmio.register({ start, length }, this.localApic.page, 'local APIC');
  }
}

/** A line with a switch. Shut, nothing gets through; when it is opened again, what is up is seen to rise. */
class GatedLine implements InterruptLine {
  readonly #target: InterruptLine;
  #isOpen = true;
  #asserted = false;

  constructor(target: InterruptLine) {
    this.#target = target;
  }

  set(asserted: boolean): void {
    this.#asserted = asserted;
    if (this.#isOpen) this.#target.set(asserted);
  }

  open(open: boolean): void {
    this.#isOpen = open;
    this.#target.set(open && this.#asserted);
  }
}
