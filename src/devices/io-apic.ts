import { assert } from '../base/assert.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { AccessSize, IoHandler } from '../bus/io-handler.ts';
import { SharedLine } from '../bus/shared-line.ts';
import { BROADCAST, DELIVERY, type ApicBus } from './apic-bus.ts';

export const IO_APIC_PAGE = { start: 0xfec0_0000, length: 0x1000 } as const;
export const IO_APIC_PINS = 24;

/** Registers of the page; the last one only in version 20h. */
const SELECT = 0x00;
const WINDOW = 0x10;
const END_OF_INTERRUPT = 0x40;

/** Registers behind the window. */
const ID = 0x00;
const VERSION = 0x01;
const ARBITRATION = 0x02;
const ENTRIES = 0x10;

/** A redirection entry's lower half (82093AA, 3.2.4). Its upper half is the destination, in bits 31:24. */
const LOGICAL = 0x0800;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
const LOW_WRITABLE = 0x1_afff & ~0x1000;
const HIGH_WRITABLE = 0xff00_0000;

export interface IoApicOptions {
  readonly bus: ApicBus;
  readonly id?: number;
  /** 11h is the 82093AA; 20h has an EOI register beside. */
  readonly version?: 0x11 | 0x20;
}

/**
 * An I/O APIC (82093AA; its EOI register after Intel's ICH): turns its pins into messages to local APICs, as an entry
 * for each pin says. `page` expects FEC00000h, 4 KiB. Lines are logical levels: the polarity bits are kept and change nothing.
 */
export class IoApic {
  readonly page: IoHandler;
  readonly #bus: ApicBus;
  readonly #version: number;
  readonly #initialId: number;
  readonly #wires: readonly SharedLine[];
  readonly #low: Uint32Array = new Uint32Array(IO_APIC_PINS);
  readonly #high: Uint32Array = new Uint32Array(IO_APIC_PINS);
  /** Pins that are asserted now. The wires belong to the devices, so a reset leaves it alone. */
  #levels = 0;
  #id = 0;
  #selected = 0;

  constructor({ bus, id = 0, version = 0x20 }: IoApicOptions) {
    this.#bus = bus;
    this.#version = version;
    this.#initialId = id;
    this.#wires = Array.from(
      { length: IO_APIC_PINS },
      (_, pin) => new SharedLine({ set: (asserted) => this.#set(pin, asserted) }),
    );
    this.page = {
      read: (offset, size) => this.#read(offset, size),
      write: (o, size, value) => this.#write(o, size, value),
    };
    this.reset();
  }

  reset(): void {
    this.#id = this.#initialId;
    this.#selected = 0;
    this.#low.fill(MASKED);
    this.#high.fill(0);
  }

  /** A new wire to a pin. Wires to one pin are joined. */
  line(pin: number): InterruptLine {
    const wire = this.#wires[pin];
    assert(wire !== undefined, `an I/O APIC has no pin ${pin}`);
    return wire.input();
  }

  /** A processor has finished with a level-triggered vector: pins that are still asserted ask again. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const entry = this.#entry(pin);
      if ((entry & 0xff) !== vector || (entry & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR)) continue;
      this.#low[pin] = entry & ~REMOTE_IRR;
      this.#service(pin);
    }
  }

  /** An edge on a masked pin is lost (82093AA, 3.2.4, bit 16). */
  #set(pin: number, asserted: boolean): void {
    const bit = 1 << pin;
    this.#levels = asserted ? this.#levels | bit : this.#levels & ~bit;
    if (!asserted) return;
    const entry = this.#entry(pin);
    if ((entry & LEVEL) !== 0) this.#service(pin);
    else if ((entry & MASKED) === 0) this.#send(pin, false);
  }

  /** Level-triggered: a message unless one is under way. */
  #service(pin: number): void {
    const entry = this.#entry(pin);
    if ((entry & (MASKED | REMOTE_IRR)) !== 0 || (entry & LEVEL) === 0 || (this.#levels & (1 << pin)) === 0) return;
    const mode = (entry >>> 8) & 7;
    const waitsForEnd = mode === DELIVERY.fixed || mode === DELIVERY.lowestPriority;
    // Before the message, which may bring the end of the interrupt back at once.
    if (waitsForEnd) this.#low[pin] = entry | REMOTE_IRR;
    const taken = this.#send(pin, waitsForEnd);
    if (!taken) this.#low[pin] = this.#entry(pin) & ~REMOTE_IRR;
  }

  #send(pin: number, level: boolean): boolean {
    const entry = this.#entry(pin);
    const destination = (this.#high[pin] ?? 0) >>> 24;
    return this.#bus.send(
      destination === 0xff ? BROADCAST : destination,
      (entry & LOGICAL) !== 0,
      (entry >>> 8) & 7,
      entry & 0xff,
      level,
    );
  }

  #entry(pin: number): number {
    return this.#low[pin] ?? MASKED;
  }

  #read(offset: number, size: AccessSize): number {
    const at = offset & 3;
    const register = offset - at;
    const whole = register === SELECT ? this.#selected : register === WINDOW ? this.#readSelected() : 0;
    const value = whole >>> (8 * at);
    return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
  }

  #write(offset: number, size: AccessSize, value: number): void {
    if (offset === SELECT) this.#selected = value & 0xff;
    else if (offset === WINDOW && size === 4) this.#writeSelected(value);
    else if (offset === END_OF_INTERRUPT && this.#version >= 0x20) this.endOfInterrupt(value & 0xff);
  }

  #readSelected(): number {
    if (this.#selected === ID) return (this.#id << 24) >>> 0;
    if (this.#selected === VERSION) return ((IO_APIC_PINS - 1) << 16) | this.#version;
    if (this.#selected === ARBITRATION) return (this.#id << 24) >>> 0;
    const half = this.#selected - ENTRIES;
    return ((half & 1) === 0 ? this.#low : this.#high)[half >> 1] ?? 0;
  }

  #writeSelected(value: number): void {
    if (this.#selected === ID) this.#id = (value >>> 24) & 0xf;
    const half = this.#selected - ENTRIES;
    const pin = half >> 1;
    if (half < 0 || pin >= IO_APIC_PINS) return;
    if ((half & 1) !== 0) this.#high[pin] = value & HIGH_WRITABLE;
    else this.#writeEntry(pin, value);
  }

  /** An entry that becomes edge-triggered forgets what it waited for: kernels end an interrupt that way on version 11h. */
  #writeEntry(pin: number, value: number): void {
    const waits = (value & LEVEL) === 0 ? 0 : this.#entry(pin) & REMOTE_IRR;
    this.#low[pin] = (value & LOW_WRITABLE) | waits;
    this.#service(pin);
  }
}
