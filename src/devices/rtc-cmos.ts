import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { GiB, KiB, MICROSECOND, MiB, SECOND } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';
import { Oscillator } from './oscillator.ts';

/**
 * Registers, after Motorola's data sheet "MC146818A Real-Time Clock plus RAM"; 32h is the PC/AT's.
 *
 *     0Ah A   7 update in progress   6-4 divider   3-0 rate of the periodic interrupt
 *     0Bh B   7 SET   6 periodic   5 alarm   4 update-ended   3 square wave   2 binary   1 24 hours   0 daylight saving
 *     0Ch C   7 an enabled flag is set   6 periodic   5 alarm   4 update-ended
 *     0Dh D   7 battery good
 *
 * The square wave has no pin here, and daylight saving (the rules of 1976) is not applied.
 */
const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const CENTURY = 0x32;

const UPDATE_IN_PROGRESS = 0x80; // A
const DIVIDER = 0x70; // A; 2 = the 32,768 Hz crystal runs, 6 and 7 = held in reset
const DIVIDER_RUNS = 0x20;
const SET = 0x80; // B; software is writing the time, no updates
const BINARY = 0x04; // B
const HOURS_24 = 0x02; // B

/** Enables in register B and flags in register C stand at the same bits; bit 7 of C says that an enabled flag is set. */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE_ENDED = 0x10;
const INTERRUPTS = PERIODIC | ALARM | UPDATE_ENDED;
const IRQF = 0x80;
const SQUARE_WAVE = 0x08; // B

const TIME_REGISTERS: ReadonlySet<number> = new Set([SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY]);
const CONTROL_REGISTERS: ReadonlySet<number> = new Set([REGISTER_A, REGISTER_B, REGISTER_C, REGISTER_D]);

/** Data sheet, "Update cycle": 244 us of warning and 1984 us of update. The new time is there when UIP falls. */
const UPDATE_WARNING: Nanoseconds = (244 + 1984) * MICROSECOND;

const CRYSTAL = new Oscillator(32_768);
const SECONDS_A_DAY = 86_400;

const BOOT_DEVICES = { floppy: 1, disk: 2, cdrom: 3, network: 4 } as const;
export type CmosBootDevice = keyof typeof BOOT_DEVICES;

export interface RtcCmosOptions {
  readonly clock: Clock;
  /** IRQ 8. */
  readonly interrupt: InterruptLine;
  /** Unix time in seconds; asked once, at power-on. From then on the clock counts. */
  readonly wallClock: () => number;
  /** Bytes of RAM below and above 4 GiB, for firmware that reads memory sizes from here. */
  readonly ram: { readonly below4GiB: number; readonly above4GiB: number };
  readonly processors?: number;
  /** At most three, the first to be tried first. */
  readonly bootOrder?: readonly CmosBootDevice[];
}

/**
 * Real-time clock with 128 bytes of battery-backed memory. Ports: 70h (index; bit 7 masks NMI; cannot be read) and
 * 71h (data), as the handler `ports`.
 *
 * Power-on: registers A = 26h (crystal on, 1024 Hz), B = 02h (BCD, 24 hours, no interrupts), C = 00h, D = 80h (battery
 * good). A reset keeps time, memory (the shutdown status 0Fh too) and register A, and turns interrupts off.
 */
export class RtcCmos {
  readonly ports: IoHandler;

  readonly #clock: Clock;
  readonly #interrupt: InterruptLine;
  readonly #timer: Timer;
  readonly #memory: Uint8Array = new Uint8Array(128);
  #index = 0;
  #nmiMasked = false;

  /** Time of day in Unix seconds at `#since`, where a second began. */
  #seconds: number;
  #since: Nanoseconds;
  /** The weekday is a counter of its own, which software may set to anything: days to add to the true one. */
  #weekdayShift = 0;
  /** Up to where register C's flags have been worked out. */
  #flagsUpTo: Nanoseconds;

  constructor(options: RtcCmosOptions) {
    this.#clock = options.clock;
    this.#interrupt = options.interrupt;
    this.#timer = options.clock.timer(() => this.#raiseFlags());
    this.#seconds = Math.floor(options.wallClock());
    this.#since = options.clock.now();
    this.#flagsUpTo = this.#since;
    this.#memory[REGISTER_A] = 0x26;
    this.#memory[REGISTER_B] = HOURS_24;
    this.#memory[REGISTER_D] = 0x80;
    this.#describeMachine(options);
    this.ports = byteWide(this.#portRegisters());
  }

  /** Whether port 70h holds back the non-maskable interrupt. */
  get nmiMasked(): boolean {
    return this.#nmiMasked;
  }

  /** The RESET pin. */
  reset(): void {
    this.#raiseFlags();
    this.#setByte(REGISTER_B, this.#byte(REGISTER_B) & ~(INTERRUPTS | SQUARE_WAVE));
    this.#setByte(REGISTER_C, 0);
    this.#nmiMasked = false;
    this.#update();
  }

  #portRegisters(): ByteRegisters {
    return {
      readByte: (offset) => (offset === 1 ? this.#read(this.#index) : 0xff),
      writeByte: (offset, value) => {
        if (offset === 1) this.#write(this.#index, value);
        else if (offset === 0) {
          this.#index = value & 0x7f;
          this.#nmiMasked = (value & 0x80) !== 0;
        }
      },
    };
  }

  #read(index: number): number {
    if (TIME_REGISTERS.has(index)) this.#refreshTime();
    else if (index === REGISTER_A) return this.#byte(REGISTER_A) | (this.#updating() ? UPDATE_IN_PROGRESS : 0);
    else if (index === REGISTER_C) return this.#takeFlags();
    return this.#byte(index);
  }

  #write(index: number, value: number): void {
    if (TIME_REGISTERS.has(index)) this.#writeTime(index, value);
    else if (CONTROL_REGISTERS.has(index)) this.#writeControl(index, value);
    else this.#writeMemory(index, value);
  }

  #writeMemory(index: number, value: number): void {
    this.#raiseFlags();
    this.#setByte(index, value); // An alarm time, or plain memory.
    this.#update();
  }

  /** A byte of the time. While updates are off it stays just as written; otherwise the clock goes on from it. */
  #writeTime(index: number, value: number): void {
    this.#raiseFlags();
    this.#refreshTime();
    this.#setByte(index, value);
    if (this.#runs()) this.#takeTime();
    this.#update();
  }

  /** C and D cannot be written. */
  #writeControl(index: number, value: number): void {
    if (index === REGISTER_A) this.#changeControl(value & ~UPDATE_IN_PROGRESS, this.#byte(REGISTER_B));
    else if (index === REGISTER_B) {
      // "The update-ended enable is cleared when SET goes high."
      const enables = (value & SET) === 0 ? value : value & ~UPDATE_ENDED;
      this.#changeControl(this.#byte(REGISTER_A), enables);
    }
  }

  /**
   * The time registers become plain bytes when updates stop, and are the new time when they go on. Seconds keep their
   * beat over SET; a divider let out of reset makes its first update half a second later.
   */
  #changeControl(a: number, b: number): void {
    this.#raiseFlags();
    this.#refreshTime();
    const divided = this.#dividerRuns();
    const ran = this.#runs();
    this.#setByte(REGISTER_A, a);
    this.#setByte(REGISTER_B, b);
    if (!divided && this.#dividerRuns()) this.#since = this.#clock.now() - SECOND / 2;
    if (!ran && this.#runs()) this.#takeTime();
    this.#flagsUpTo = this.#clock.now();
    this.#update();
  }

  #dividerRuns(): boolean {
    return (this.#byte(REGISTER_A) & DIVIDER) === DIVIDER_RUNS;
  }

  #runs(): boolean {
    return this.#dividerRuns() && (this.#byte(REGISTER_B) & SET) === 0;
  }

  #byte(index: number): number {
    return this.#memory[index] ?? 0;
  }

  #setByte(index: number, value: number): void {
    this.#memory[index] = value;
  }

  // Time of day

  /** Whole seconds of the beat that have passed by `time`. */
  #beats(time: Nanoseconds): number {
    return Math.floor((time - this.#since) / SECOND);
  }

  #updating(): boolean {
    if (!this.#runs()) return false;
    const next = this.#since + (this.#beats(this.#clock.now()) + 1) * SECOND;
    return next - this.#clock.now() <= UPDATE_WARNING;
  }

  /** Writes the present time into its registers, in the format that register B asks for. */
  #refreshTime(): void {
    if (!this.#runs()) return;
    const seconds = this.#seconds + this.#beats(this.#clock.now());
    const date = new Date(seconds * 1000);
    const year = date.getUTCFullYear();
    this.#setByte(SECONDS, this.#encode(date.getUTCSeconds()));
    this.#setByte(MINUTES, this.#encode(date.getUTCMinutes()));
    this.#setByte(HOURS, this.#encodeHour(date.getUTCHours()));
    this.#setByte(WEEKDAY, this.#encode(((date.getUTCDay() + this.#weekdayShift) % 7) + 1));
    this.#setByte(DAY, this.#encode(date.getUTCDate()));
    this.#setByte(MONTH, this.#encode(date.getUTCMonth() + 1));
    this.#setByte(YEAR, this.#encode(year % 100));
    this.#setByte(CENTURY, this.#encode(Math.floor(year / 100)));
  }

  /** Goes on from what stands in the time registers. Impossible dates become the possible ones that they amount to. */
  #takeTime(): void {
    const at = (index: number): number => this.#decode(this.#byte(index));
    const date = new Date(0);
    date.setUTCFullYear(at(CENTURY) * 100 + at(YEAR), at(MONTH) - 1, at(DAY));
    date.setUTCHours(this.#decodeHour(this.#byte(HOURS)), at(MINUTES), at(SECONDS));
    this.#since += this.#beats(this.#clock.now()) * SECOND;
    this.#seconds = date.getTime() / 1000;
    this.#weekdayShift = (at(WEEKDAY) + 13 - date.getUTCDay()) % 7;
  }

  #encode(value: number): number {
    return (this.#byte(REGISTER_B) & BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(byte: number): number {
    return (this.#byte(REGISTER_B) & BINARY) !== 0 ? byte : (byte >> 4) * 10 + (byte & 15);
  }

  /** 1 to 12 with bit 7 for the afternoon, unless register B asks for 24 hours. */
  #encodeHour(hour: number): number {
    if ((this.#byte(REGISTER_B) & HOURS_24) !== 0) return this.#encode(hour);
    return this.#encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0);
  }

  #decodeHour(byte: number): number {
    if ((this.#byte(REGISTER_B) & HOURS_24) !== 0) return this.#decode(byte);
    return (this.#decode(byte & 0x7f) % 12) + ((byte & 0x80) !== 0 ? 12 : 0);
  }

  // Flags and interrupts

  /** Sets the flags of all that has happened since this was last done, so that polling and interrupts agree. */
  #raiseFlags(): void {
    const since = this.#flagsUpTo;
    const now = this.#clock.now();
    let flags = 0;
    if (this.#nextPeriodic(since) <= now) flags |= PERIODIC;
    if (this.#nextUpdate(since) <= now) flags |= UPDATE_ENDED;
    if (this.#nextAlarm(since) <= now) flags |= ALARM;
    this.#flagsUpTo = now;
    this.#setByte(REGISTER_C, this.#byte(REGISTER_C) | flags);
    this.#update();
  }

  /** Reading register C answers the flags and clears them. */
  #takeFlags(): number {
    this.#raiseFlags();
    const flags = this.#byte(REGISTER_C);
    this.#setByte(REGISTER_C, 0);
    this.#update();
    return flags;
  }

  /** Sets IRQF and the line from flags and enables, and arms the timer for the next flag that would change them. */
  #update(): void {
    const enabled = this.#byte(REGISTER_B) & INTERRUPTS;
    const flags = this.#byte(REGISTER_C) & INTERRUPTS;
    const asserted = (flags & enabled) !== 0;
    this.#setByte(REGISTER_C, flags | (asserted ? IRQF : 0));
    this.#interrupt.set(asserted);
    const awaited = enabled & ~flags;
    const next = asserted ? Infinity : this.#next(awaited);
    if (next === Infinity) this.#timer.disarm();
    else this.#timer.arm(next);
  }

  #next(awaited: number): Nanoseconds {
    const since = this.#flagsUpTo;
    return Math.min(
      (awaited & PERIODIC) !== 0 ? this.#nextPeriodic(since) : Infinity,
      (awaited & UPDATE_ENDED) !== 0 ? this.#nextUpdate(since) : Infinity,
      (awaited & ALARM) !== 0 ? this.#nextAlarm(since) : Infinity,
    );
  }

  /** Register A bits 3-0: 0 is off; 3 to 15 are 8192 Hz down to 2 Hz; 1 and 2 are 256 and 128 Hz. */
  #nextPeriodic(after: Nanoseconds): Nanoseconds {
    const rate = this.#byte(REGISTER_A) & 0x0f;
    if (rate === 0 || !this.#dividerRuns()) return Infinity;
    const period = 1 << (rate < 3 ? rate + 6 : rate - 1);
    // Counted from the beat of the seconds, which moves by whole seconds only: every period divides a second.
    const ticks = CRYSTAL.ticksAt(after - this.#since);
    return this.#since + CRYSTAL.timeOf((Math.floor(ticks / period) + 1) * period);
  }

  #nextUpdate(after: Nanoseconds): Nanoseconds {
    return this.#runs() ? this.#since + (this.#beats(after) + 1) * SECOND : Infinity;
  }

  /** When the time of day next agrees with the alarm registers, in at most a day. */
  #nextAlarm(after: Nanoseconds): Nanoseconds {
    if (!this.#runs()) return Infinity;
    const first = this.#seconds + this.#beats(after) + 1;
    const match = this.#matchAlarm(((first % SECONDS_A_DAY) + SECONDS_A_DAY) % SECONDS_A_DAY);
    return match === Infinity ? Infinity : this.#since + (first - this.#seconds + match) * SECOND;
  }

  /** Seconds from a time of day to the alarm, skipping hours and minutes that cannot have it. */
  #matchAlarm(start: number): number {
    let time = start;
    while (time <= start + SECONDS_A_DAY) {
      if (!this.#alarmHas(HOURS_ALARM, Math.floor(time / 3600) % 24)) time += 3600 - (time % 3600);
      else if (!this.#alarmHas(MINUTES_ALARM, Math.floor(time / 60) % 60)) time += 60 - (time % 60);
      else if (!this.#alarmHas(SECONDS_ALARM, time % 60)) time += 1;
      else return time - start;
    }
    return Infinity;
  }

  /** An alarm byte from C0h up agrees with everything. */
  #alarmHas(index: number, value: number): boolean {
    const byte = this.#byte(index);
    return byte >= 0xc0 || byte === (index === HOURS_ALARM ? this.#encodeHour(value) : this.#encode(value));
  }

  // What a PC keeps in the memory

  /** Where firmware looks; the layout is IBM's, 34h on are what QEMU's firmware agreed upon. */
  #describeMachine({ ram, processors = 1, bootOrder = ['disk'] }: RtcCmosOptions): void {
    const word = (index: number, value: number): void => {
      this.#setByte(index, value & 0xff);
      this.#setByte(index + 1, value >> 8);
    };
    const extended = units(ram.below4GiB, MiB, KiB);
    this.#setByte(0x14, 0x06); // equipment: coprocessor, pointing device
    word(0x15, Math.min(units(ram.below4GiB, 0, KiB), 640));
    word(0x17, extended);
    word(0x30, extended);
    word(0x34, units(ram.below4GiB, 16 * MiB, 64 * KiB));
    this.#describeHighMemory(ram.above4GiB);
    this.#setByte(0x5f, processors - 1);
    const [first = 0, second = 0, third = 0] = bootOrder.map((device) => BOOT_DEVICES[device]);
    this.#setByte(0x3d, first | (second << 4));
    this.#setByte(0x38, third << 4);
    this.#setChecksum();
  }

  #describeHighMemory(bytes: number): void {
    const blocks = Math.min(Math.floor(bytes / (64 * KiB)), 0xff_ffff);
    for (let i = 0; i < 3; i++) this.#setByte(0x5b + i, (blocks >> (8 * i)) & 0xff);
  }

  /** The sum of 10h-2Dh, high byte first. */
  #setChecksum(): void {
    const sum = this.#memory.subarray(0x10, 0x2e).reduce((total, byte) => total + byte, 0);
    this.#setByte(0x2e, sum >> 8);
    this.#setByte(0x2f, sum & 0xff);
  }
}

/** Whole units of memory from `start` to `end`, as a 16-bit register can hold them; none when it ends before. */
function units(end: number, start: number, unit: number): number {
  return Math.min(Math.max(Math.floor((Math.min(end, 4 * GiB) - start) / unit), 0), 0xffff);
}
