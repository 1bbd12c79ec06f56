import type { Clock, Timer } from '../../base/clock.ts';
import type { InterruptLine } from '../../bus/interrupt-line.ts';
import type { IoHandler } from '../../bus/io-handler.ts';
import { RegisterFile, type Register } from '../../bus/registers.ts';
import { SharedLine } from '../../bus/shared-line.ts';
import { CONFIG, STATUS } from '../pci/config-header.ts';
import { PciFunction } from '../pci/pci-function.ts';
import type { Placement } from '../pci/placement.ts';
import { TrappedRange } from '../pci/trapped-range.ts';
import { PmTimer } from './pm-timer.ts';

const PM_BASE = 0x40;
const PM_ENABLE = 0x80;
const PM_LENGTH = 64;
const PM_BASE_BITS = 0xffc0;

/** Offsets in the power-management block (82371AB, 7.1; ACPI 2.0, 4.7.3). */
const PM1_STATUS = 0x00;
const PM1_ENABLE = 0x02;
const PM1_CONTROL = 0x04;
const TIMER = 0x08;

/** Events of the status and enable registers. */
const EVENT = { timer: 0x0001, global: 0x0020, powerButton: 0x0100, clock: 0x0400, wake: 0x8000 } as const;
const INTERRUPTING = EVENT.timer | EVENT.global | EVENT.powerButton | EVENT.clock;

/** Control: SCI_EN routes events to the SCI; SLP_TYP says where SLP_EN, written as 1, takes the machine. */
const SCI_ENABLE = 0x0001;
const SLEEP_TYPE_SHIFT = 10;
const SLEEP_ENABLE = 0x2000;
const CONTROL_BITS = 0x3c07;
/** Sleep types as QEMU's ACPI tables name them: soft off, suspend to RAM, suspend to disk (off as well). */
const SUSPEND = 1;
const POWERS_OFF: readonly number[] = [0, 2];

/** What the tables tell a guest to write to port B2h to get ACPI, and to give it back to the firmware. */
const ACPI_ENABLE = 0xf1;
const ACPI_DISABLE = 0xf0;

const GPE_LENGTH = 4;

export interface Piix4Options {
  readonly clock: Clock;
  /** The I/O ports, where the guest puts the power-management block. */
  readonly ports: Placement;
  /** The system control interrupt, IRQ 9 on this board; level-triggered and shared. */
  readonly sci: InterruptLine;
  readonly powerOff: () => void;
}

/**
 * Power management of a PIIX4 (82371AB, 7): function 3 of slot 1. The guest moves the block of I/O registers with
 * PMBASE (40h) and enables it with bit 0 of PMREGMISC (80h). `gpe` expects ports AFE0h to AFE3h. The SMBus host has its
 * base register and nothing behind it.
 */
export class Piix4PowerManagement {
  readonly pci: PciFunction;
  /** General-purpose events: two bytes of status, two of enable. */
  readonly gpe: IoHandler;
  readonly #block: RegisterFile;
  readonly #events: RegisterFile;
  readonly #range: TrappedRange;
  readonly #options: Piix4Options;
  readonly #timer: PmTimer;
  readonly #alarm: Timer;
  readonly #fixedEvent: InterruptLine;
  readonly #generalEvent: InterruptLine;
  /** Tick at which the timer's status bit is set next. */
  #toggle = 0;

  constructor(options: Piix4Options) {
    this.#options = options;
    this.#timer = new PmTimer(options.clock);
    this.#alarm = options.clock.timer(() => this.#update());
    this.#toggle = this.#timer.nextToggle();
    const sci = new SharedLine(options.sci);
    this.#fixedEvent = sci.input();
    this.#generalEvent = sci.input();
    this.#block = new RegisterFile({ length: PM_LENGTH, registers: this.#blockRegisters(), vacant: 0xff });
    this.#range = new TrappedRange(options.ports.bus, PM_LENGTH, this.#block, 'PIIX4 power management');
    this.#events = this.gpe = new RegisterFile({ length: GPE_LENGTH, registers: this.#gpeRegisters() });
    this.pci = new PciFunction({
      name: 'PIIX4 power management',
      identity: { vendor: 0x8086, device: 0x7113, classCode: 0x068000, revision: 3 },
      interruptPin: 1,
      status: STATUS.mediumSelect | 0x80,
      registers: this.#configRegisters(),
      scratch: { start: CONFIG.deviceSpecific, end: CONFIG.length },
    });
  }

  reset(): void {
    this.pci.reset();
    this.#block.reset();
    this.#events.reset();
    this.#toggle = this.#timer.nextToggle();
    this.#place();
    this.#update();
    this.#updateGpe();
  }

  /** For the APM device: a write to port B2h is the guest's request to switch ACPI on or off. */
  apmCommand(value: number): void {
    const control = this.#block.peek(PM1_CONTROL, 2);
    if (value === ACPI_ENABLE) this.#block.poke(PM1_CONTROL, 2, control | SCI_ENABLE);
    else if (value === ACPI_DISABLE) this.#block.poke(PM1_CONTROL, 2, control & ~SCI_ENABLE);
    this.#update();
  }

  /** Someone outside presses the power button: a guest with ACPI shuts itself down. */
  pressPowerButton(): void {
    this.#raise(EVENT.powerButton);
  }

  /** Sets general-purpose status bits, such as those of hot-plug. */
  raiseGeneralEvent(bits: number): void {
    this.#events.poke(0, 2, this.#events.peek(0, 2) | bits);
    this.#updateGpe();
  }

  #configRegisters(): Register[] {
    return [
      {
        name: 'PMBASE',
        offset: PM_BASE,
        size: 4,
        reset: 0x1,
        writable: PM_BASE_BITS,
        written: () => this.#place(),
      },
      // Bit 25 is APMC enable: found set, SeaBIOS does not look for system-management mode.
      { name: 'device activity B', offset: 0x58, size: 4, reset: 0x0200_0000, writable: 0xffff_ffff },
      { name: 'PMREGMISC', offset: PM_ENABLE, size: 1, writable: 0x01, written: () => this.#place() },
      { name: 'SMBBASE', offset: 0x90, size: 4, reset: 0x1, writable: 0xffc0 },
      { name: 'SMBus host configuration', offset: 0xd2, size: 1, reset: 0x09, writable: 0xff },
    ];
  }

  #blockRegisters(): Register[] {
    return [
      {
        name: 'PM1 status',
        offset: PM1_STATUS,
        size: 2,
        clearable: INTERRUPTING | EVENT.wake,
        read: () => this.#sampleStatus(),
        written: () => this.#statusWritten(),
      },
      { name: 'PM1 enable', offset: PM1_ENABLE, size: 2, writable: INTERRUPTING, written: () => this.#update() },
      {
        name: 'PM1 control',
        offset: PM1_CONTROL,
        size: 2,
        writable: CONTROL_BITS,
        written: (value) => this.#controlWritten(value),
      },
      { name: 'PM timer', offset: TIMER, size: 4, read: () => this.#timer.value },
    ];
  }

  #gpeRegisters(): Register[] {
    const written = (): void => this.#updateGpe();
    return [
      { name: 'GPE status', offset: 0, size: 2, clearable: 0xffff, written },
      { name: 'GPE enable', offset: 2, size: 2, writable: 0xffff, written },
    ];
  }

  /** The first port of the block, if the guest has enabled it. */
  get base(): number | undefined {
    const enabled = (this.pci.config.peek(PM_ENABLE, 1) & 1) !== 0;
    return enabled ? this.pci.config.peek(PM_BASE, 2) & PM_BASE_BITS : undefined;
  }

  #place(): void {
    this.#options.ports.want(this.#range, this.base);
  }

  /** The status register now: the timer's bit is set late, when somebody looks or the alarm fires. */
  #sampleStatus(): number {
    const status = this.#block.peek(PM1_STATUS, 2);
    return this.#timer.ticks() >= this.#toggle ? status | EVENT.timer : status;
  }

  /** A cleared timer event is set again by the next change of the timer's highest bit. */
  #statusWritten(): void {
    if ((this.#block.peek(PM1_STATUS, 2) & EVENT.timer) === 0) this.#toggle = this.#timer.nextToggle();
    this.#update();
  }

  #controlWritten(value: number): void {
    if ((value & SLEEP_ENABLE) !== 0) {
      this.#block.poke(PM1_CONTROL, 2, value & ~SLEEP_ENABLE);
      this.#sleep((value >>> SLEEP_TYPE_SHIFT) & 7);
    }
    this.#update();
  }

  /** There is no suspend to RAM: the guest wakes at once, rather than waiting for ever to fall asleep. */
  #sleep(type: number): void {
    if (POWERS_OFF.includes(type)) this.#options.powerOff();
    else if (type === SUSPEND) this.#raise(EVENT.wake);
  }

  #raise(event: number): void {
    this.#block.poke(PM1_STATUS, 2, this.#block.peek(PM1_STATUS, 2) | event);
    this.#update();
  }

  /** Drives the SCI and arms the alarm when the timer will have to. */
  #update(): void {
    const status = this.#sampleStatus();
    this.#block.poke(PM1_STATUS, 2, status);
    const enable = this.#block.peek(PM1_ENABLE, 2);
    const routed = (this.#block.peek(PM1_CONTROL, 2) & SCI_ENABLE) !== 0;
    this.#fixedEvent.set(routed && (status & enable & INTERRUPTING) !== 0);
    if ((enable & ~status & EVENT.timer) !== 0) this.#alarm.arm(this.#timer.timeOf(this.#toggle));
    else this.#alarm.disarm();
  }

  #updateGpe(): void {
    this.#generalEvent.set((this.#events.peek(0, 2) & this.#events.peek(2, 2)) !== 0);
  }
}
