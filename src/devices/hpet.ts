import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { MICROSECOND } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import { RegisterFile, type Register } from '../bus/registers.ts';
import type { IoHandler } from '../bus/io-handler.ts';

export const HPET_PAGE = { start: 0xfed0_0000, length: 0x400 } as const;

/** Ten nanoseconds a tick, 100 MHz. */
const TICK = 10;
const FEMTOSECONDS = TICK * 1_000_000;
const TIMERS = 3;

/** Revision 1, three timers, 64-bit counter, legacy replacement, Intel (IA-PC HPET 1.0a, 2.3.4). Firmware's table repeats it. */
export const HPET_CAPABILITIES: number = (0x8086_a001 | ((TIMERS - 1) << 8)) >>> 0;

const CONFIGURATION = 0x10;
const ENABLE = 0x1;
const LEGACY = 0x2;

/** Timer configuration (2.3.8). */
const LEVEL = 0x0002;
const INTERRUPT = 0x0004;
const PERIODIC = 0x0008;
const PERIODIC_CAPABLE = 0x0010;
const WIDE_CAPABLE = 0x0020;
const SET_VALUE = 0x0040;
const NARROW = 0x0100;
const ROUTE_SHIFT = 9;
const TIMER_BITS = 0x3f4e;

/** Interrupt inputs that a timer may be led to: those of the I/O APIC that no ISA device has. */
const ROUTES = 0x00ff_0000;

const TWO_32 = 2 ** 32;
const TWO_64 = 2 ** 64;

/** Interrupts of a periodic timer that come closer than this merge. */
const SHORTEST_PERIOD = 10 * MICROSECOND;

export interface HpetOptions {
  readonly clock: Clock;
  /** The wire to an input of the I/O APIC. */
  readonly line: (pin: number) => InterruptLine;
  /** In legacy replacement, timers 0 and 1 take the place of the interval timer and of the real-time clock. */
  readonly legacy: { readonly timer: InterruptLine; readonly rtc: InterruptLine; replace(on: boolean): void };
}

/**
 * High precision event timers (IA-PC HPET Specification 1.0a): a counter of 64 bits and three comparators, of which
 * the first can be periodic. `registers` expects FED00000h. Interrupts as messages (FSB) are not offered.
 *
 * A 64-bit number is two halves, since a double cannot hold it. Distances, which may be doubles, are exact up to 2^53
 * ticks, three years.
 */
export class Hpet {
  readonly registers: IoHandler;
  readonly #file: RegisterFile;
  readonly #options: HpetOptions;
  readonly #comparators: readonly Comparator[];
  /** The counter when it was last started or written, and when that was; `undefined` while it stands. */
  #low = 0;
  #high = 0;
  #since: Nanoseconds | undefined;

  constructor(options: HpetOptions) {
    this.#options = options;
    this.#comparators = Array.from({ length: TIMERS }, (_, index) => new Comparator(index, this.#counter(), options));
    this.#file = new RegisterFile({ length: HPET_PAGE.length, registers: this.#table() });
    this.registers = this.#file;
  }

  reset(): void {
    this.#file.reset();
    this.#low = this.#high = 0;
    this.#since = undefined;
    this.#options.legacy.replace(false);
    for (const comparator of this.#comparators) comparator.reset();
  }

  /** What the comparators may know of the counter. */
  #counter(): Counter {
    return {
      isRunning: () => this.#since !== undefined,
      low: () => this.#value(0),
      high: () => this.#value(1),
      isLegacy: () => (this.#file.peek(CONFIGURATION, 4) & LEGACY) !== 0,
      timeAfter: (ticks) => (this.#since ?? 0) + (this.#elapsed() + ticks) * TICK,
    };
  }

  #table(): Register[] {
    return [
      { name: 'capabilities', offset: 0x00, size: 4, reset: HPET_CAPABILITIES },
      { name: 'period', offset: 0x04, size: 4, reset: FEMTOSECONDS },
      {
        name: 'configuration',
        offset: CONFIGURATION,
        size: 4,
        writable: ENABLE | LEGACY,
        written: (now, was) => this.#configure(now, was),
      },
      {
        name: 'interrupt status',
        offset: 0x20,
        size: 4,
        clearable: (1 << TIMERS) - 1,
        read: () => this.#status(),
        written: (value, previous) => this.#clearStatus(previous & ~value),
      },
      {
        name: 'counter',
        offset: 0xf0,
        size: 4,
        writable: 0xffff_ffff,
        read: () => this.#value(0),
        written: (value) => this.#setCounter(value, this.#value(1)),
      },
      {
        name: 'counter, upper half',
        offset: 0xf4,
        size: 4,
        writable: 0xffff_ffff,
        read: () => this.#value(1),
        written: (value) => this.#setCounter(this.#value(0), value),
      },
      ...this.#comparators.flatMap((comparator) => comparator.table()),
    ];
  }

  #configure(now: number, was: number): void {
    this.#settle();
    if (((now ^ was) & ENABLE) !== 0) this.#start((now & ENABLE) !== 0);
    if (((now ^ was) & LEGACY) !== 0) this.#replaceLegacy((now & LEGACY) !== 0);
    for (const comparator of this.#comparators) comparator.update();
  }

  /** The lines change hands: none is left up. */
  #replaceLegacy(on: boolean): void {
    for (const comparator of this.#comparators) comparator.clear();
    this.#options.legacy.replace(on);
  }

  #start(run: boolean): void {
    const low = this.#value(0);
    const high = this.#value(1);
    this.#low = low;
    this.#high = high;
    this.#since = run ? this.#options.clock.now() : undefined;
  }

  #setCounter(low: number, high: number): void {
    this.#settle();
    this.#low = low;
    this.#high = high;
    if (this.#since !== undefined) this.#since = this.#options.clock.now();
    for (const comparator of this.#comparators) comparator.update();
  }

  /** One half of the counter now. */
  #value(half: 0 | 1): number {
    const sum = this.#low + this.#elapsed();
    return half === 0 ? sum % TWO_32 : (this.#high + Math.floor(sum / TWO_32)) % TWO_32;
  }

  /** Ticks completed since it was started or written. */
  #elapsed(): number {
    return this.#since === undefined ? 0 : Math.floor((this.#options.clock.now() - this.#since) / TICK);
  }

  #settle(): void {
    for (const comparator of this.#comparators) comparator.settle();
  }

  #status(): number {
    this.#settle();
    let bits = 0;
    for (const { index, isActive } of this.#comparators) if (isActive) bits |= 1 << index;
    return bits;
  }

  #clearStatus(bits: number): void {
    this.#settle();
    for (const comparator of this.#comparators) if ((bits & (1 << comparator.index)) !== 0) comparator.clear();
  }
}

interface Counter {
  isRunning(): boolean;
  low(): number;
  high(): number;
  isLegacy(): boolean;
  /** When it will have counted so many ticks more. */
  timeAfter(ticks: number): Nanoseconds;
}

/** One timer: fires when the counter reaches its comparator. */
class Comparator {
  readonly index: number;
  readonly #counter: Counter;
  readonly #options: HpetOptions;
  readonly #alarm: Timer;
  readonly #lines: Map<number, InterruptLine> = new Map();
  #configuration = 0;
  #low = 0xffff_ffff;
  #high = 0xffff_ffff;
  #periodLow = 0;
  #periodHigh = 0;
  /** When the counter next reaches the comparator. */
  #due: Nanoseconds = Infinity;
  /** The line that is asserted now. */
  #driven: InterruptLine | undefined;
  /** The status bit of a level-triggered interrupt. */
  isActive = false;

  constructor(index: number, counter: Counter, options: HpetOptions) {
    this.index = index;
    this.#counter = counter;
    this.#options = options;
    this.#alarm = options.clock.timer(() => this.#fire());
  }

  reset(): void {
    this.#configuration = 0;
    this.#low = this.#high = 0xffff_ffff;
    this.#periodLow = this.#periodHigh = 0;
    this.clear();
    this.#due = Infinity;
    this.#alarm.disarm();
  }

  table(): Register[] {
    const at = 0x100 + 0x20 * this.index;
    const name = `timer ${this.index}`;
    const whole = 0xffff_ffff;
    return [
      {
        name: `${name} configuration`,
        offset: at,
        size: 4,
        writable: TIMER_BITS,
        read: () => this.#configuration | this.#capabilities,
        written: (value) => this.#configure(value),
      },
      { name: `${name} routes`, offset: at + 4, size: 4, reset: ROUTES },
      {
        name: `${name} comparator`,
        offset: at + 8,
        size: 4,
        reset: whole,
        writable: whole,
        read: () => this.#settled().#low,
        written: (value) => this.#setLow(value),
      },
      {
        name: `${name} comparator, upper half`,
        offset: at + 12,
        size: 4,
        reset: whole,
        writable: whole,
        read: () => this.#settled().#high,
        written: (value) => this.#setHigh(value),
      },
    ];
  }

  /** The counter or the configuration has changed: when does it fire now? */
  update(): void {
    this.#due = this.#counter.isRunning() ? this.#nextMatch() : Infinity;
    if (this.#due === Infinity || !this.#interrupts) this.#alarm.disarm();
    else this.#alarm.arm(this.#due);
  }

  /** What has happened while no interrupt was wanted: nobody waits for it, so it is worked out when somebody looks. */
  settle(): void {
    if (!this.#interrupts && this.#options.clock.now() >= this.#due) this.#fire();
  }

  clear(): void {
    this.isActive = false;
    this.#driven?.set(false);
    this.#driven = undefined;
  }

  get #capabilities(): number {
    return WIDE_CAPABLE | (this.index === 0 ? PERIODIC_CAPABLE : 0);
  }

  #settled(): this {
    this.settle();
    return this;
  }

  get #interrupts(): boolean {
    return (this.#configuration & INTERRUPT) !== 0;
  }

  get #isNarrow(): boolean {
    return (this.#configuration & NARROW) !== 0;
  }

  get #isPeriodic(): boolean {
    return (this.#configuration & PERIODIC) !== 0;
  }

  #configure(value: number): void {
    this.settle();
    const periodic = this.index === 0 ? PERIODIC : 0;
    const wasEdge = (this.#configuration & LEVEL) === 0;
    this.#configuration = value & TIMER_BITS & ~(PERIODIC ^ periodic);
    if (this.#isNarrow) this.#high = this.#periodHigh = 0;
    if (!this.#interrupts || wasEdge !== ((this.#configuration & LEVEL) === 0)) this.clear();
    this.update();
  }

  /**
   * Section 2.3.9.2.2: of a periodic timer a write sets the period; with the bit SET_VALUE, which it uses up, the
   * comparator itself. Guests write one after the other. Without the bit the very first write is the period alone.
   */
  #setLow(value: number): void {
    this.settle();
    if (!this.#isPeriodic || (this.#configuration & SET_VALUE) !== 0) this.#low = value;
    if (this.#isPeriodic) this.#periodLow = value;
    this.#configuration &= ~SET_VALUE;
    this.update();
  }

  #setHigh(value: number): void {
    if (this.#isNarrow) return;
    this.settle();
    if (!this.#isPeriodic || (this.#configuration & SET_VALUE) !== 0) this.#high = value;
    if (this.#isPeriodic) this.#periodHigh = value;
    this.#configuration &= ~SET_VALUE;
    this.update();
  }

  /** Ticks from now to the next match; a comparator that equals the counter has just matched. */
  #distance(): number {
    const ahead = -this.#lead();
    return ahead > 0 ? ahead : ahead + this.#modulus;
  }

  /** Ticks by which the counter has passed the comparator; negative before. */
  #lead(): number {
    const low = this.#counter.low() - this.#low;
    return this.#isNarrow ? low : (this.#counter.high() - this.#high) * TWO_32 + low;
  }

  get #modulus(): number {
    return this.#isNarrow ? TWO_32 : TWO_64;
  }

  #nextMatch(): Nanoseconds {
    const ticks = this.#distance();
    if (ticks > Number.MAX_SAFE_INTEGER / TICK) return Infinity;
    const match = this.#counter.timeAfter(ticks);
    return this.#isPeriodic ? Math.max(match, this.#earliest(this.#options.clock.now())) : match;
  }

  #earliest(now: Nanoseconds): Nanoseconds {
    const period = this.#periodHigh * TWO_32 + this.#periodLow;
    return period * TICK < SHORTEST_PERIOD ? now + SHORTEST_PERIOD : now;
  }

  #fire(): void {
    if (this.#isPeriodic) this.#advance();
    this.#interrupt();
    this.update();
  }

  /** Adds the period until the comparator lies ahead again. */
  #advance(): void {
    const period = this.#periodHigh * TWO_32 + this.#periodLow;
    if (period === 0) return;
    const lead = this.#lead();
    const steps = Math.floor((lead < 0 ? lead + this.#modulus : lead) / period) + 1;
    const low = this.#low + ((steps * this.#periodLow) % TWO_32);
    const carry = Math.floor(low / TWO_32) + Math.floor((steps * this.#periodLow) / TWO_32);
    this.#low = low % TWO_32;
    if (!this.#isNarrow) this.#high = (this.#high + carry + steps * this.#periodHigh) % TWO_32;
  }

  /** An edge leaves the line up until the next one: the 8259 wants it to stay until it is acknowledged. */
  #interrupt(): void {
    if ((this.#configuration & LEVEL) !== 0) this.isActive = true;
    if (!this.#interrupts) return;
    const line = this.#line();
    if ((this.#configuration & LEVEL) === 0 || line !== this.#driven) this.#driven?.set(false);
    this.#driven = line;
    line?.set(true);
  }

  #line(): InterruptLine | undefined {
    const { legacy } = this.#options;
    if (this.#counter.isLegacy() && this.index < 2) return this.index === 0 ? legacy.timer : legacy.rtc;
    const pin = (this.#configuration >>> ROUTE_SHIFT) & 0x1f;
    return ((ROUTES >>> pin) & 1) !== 0 ? this.#wire(pin) : undefined;
  }

  #wire(pin: number): InterruptLine {
    const known = this.#lines.get(pin);
    if (known !== undefined) return known;
    const line = this.#options.line(pin);
    this.#lines.set(pin, line);
    return line;
  }
}
