import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { MICROSECOND } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';
import { Oscillator } from './oscillator.ts';

/** The PC's 14.318 MHz crystal divided by twelve. */
export const PIT_FREQUENCY = 1_193_182;

/** How a count is written and read: control word bits 5-4. */
const LOW_BYTE = 1;
const HIGH_BYTE = 2;

/** Control word bits 5-4 = 0 is a command to latch, bits 7-6 = 3 is the read-back command. */
const LATCH = 0;
const READ_BACK = 3;

type Mode = 0 | 1 | 2 | 3 | 4 | 5;

/** Control word bits 3-1; 6 and 7 mean 2 and 3. */
const MODES: readonly Mode[] = [0, 1, 2, 3, 4, 5, 2, 3];

/**
 * What tells the modes apart (data sheet "8254 Programmable Interval Timer", 231164, "Mode definitions"):
 *
 *     periodic    reloads itself (2 and 3), else counts once and goes on past zero
 *     triggered   starts on a rising gate instead of on the count being written
 *     idle        the output before and after
 */
interface Behaviour {
  readonly periodic: boolean;
  readonly triggered: boolean;
  readonly idle: boolean;
}

const BEHAVIOURS: Readonly<Record<Mode, Behaviour>> = {
  0: { periodic: false, triggered: false, idle: false }, // interrupt on terminal count
  1: { periodic: false, triggered: true, idle: true }, // retriggerable one-shot
  2: { periodic: true, triggered: false, idle: true }, // rate generator
  3: { periodic: true, triggered: false, idle: true }, // square wave
  4: { periodic: false, triggered: false, idle: true }, // software-triggered strobe
  5: { periodic: false, triggered: true, idle: true }, // hardware-triggered strobe
};

/** A count that has been written and waits for the end of the cycle, or for a trigger (`at` is then infinite). */
interface Reload {
  readonly count: number;
  readonly at: number;
}

/**
 * One counter. Nothing ticks: value and output are functions of the ticks since the count was loaded, so they are
 * exact however seldom anybody looks. All times are in ticks of the crystal since power-on.
 */
class Channel {
  #mode: Mode = 0;
  #bcd = false;
  #access: number = LOW_BYTE | HIGH_BYTE;
  #gate: boolean;

  /** The count in use, 1..65536 (10000 in BCD); 0 before the first one. */
  #count = 0;
  /** When the count in use was loaded: the tick after it was written, since the load takes a clock pulse. */
  #loaded = 0;
  /** A triggered mode that has its count and waits for the gate. */
  #waiting = false;
  #reload: Reload | undefined;
  /** A one-shot triggered again while its pulse lasts: the output stays low through the tick of the load. */
  #pulseGoesOn = false;
  /** The tick of mode 4's strobe if the gate fell in it, or -1: the count stands still, the strobe ends all the same. */
  #heldStrobe = -1;
  /** While the gate holds the count: since when. */
  #heldSince: number | undefined;

  /** The low byte of a two-byte write, while the high byte is awaited. */
  #lowWritten = -1;
  #highIsNext = false;
  #latchedCount = -1;
  #latchedStatus = -1;

  constructor(gate: boolean) {
    this.#gate = gate;
  }

  /** The data sheet leaves power-on undefined. Here: mode 0 without a count, output low, counting nothing. */
  reset(gate: boolean): void {
    this.#gate = gate;
    this.control(0x30);
  }

  get gate(): boolean {
    return this.#gate;
  }

  /** A control word for this counter: sets mode and format, stops the count, drives the output to its idle level. */
  control(word: number): void {
    this.#access = (word >> 4) & 3;
    this.#mode = MODES[(word >> 1) & 7] ?? 0;
    this.#bcd = (word & 1) !== 0;
    this.#count = 0;
    this.#waiting = false;
    this.#reload = undefined;
    this.#heldSince = undefined;
    this.#lowWritten = -1;
    this.#highIsNext = false;
    this.#latchedCount = -1;
    this.#latchedStatus = -1;
  }

  latchCount(tick: number): void {
    if (this.#latchedCount < 0) this.#latchedCount = this.#value(tick);
  }

  /** Bit 7 output, bit 6 the written count is not in use yet, bits 5-0 as in the control word. */
  latchStatus(tick: number): void {
    if (this.#latchedStatus >= 0) return;
    const notLoaded = this.#isWaitingForCount(tick) ? 0x40 : 0;
    const output = this.output(tick) ? 0x80 : 0;
    this.#latchedStatus = output | notLoaded | (this.#access << 4) | (this.#mode << 1) | (this.#bcd ? 1 : 0);
  }

  /** Status first, then the latched count, then the running one; a two-byte count low byte first. */
  read(tick: number): number {
    if (this.#latchedStatus >= 0) {
      const status = this.#latchedStatus;
      this.#latchedStatus = -1;
      return status;
    }
    const value = this.#latchedCount >= 0 ? this.#latchedCount : this.#value(tick);
    const high = this.#access === HIGH_BYTE || this.#highIsNext;
    if (this.#access === (LOW_BYTE | HIGH_BYTE)) this.#highIsNext = !this.#highIsNext;
    if (!this.#highIsNext) this.#latchedCount = -1;
    return high ? value >> 8 : value & 0xff;
  }

  write(tick: number, byte: number): void {
    if (this.#access === LOW_BYTE) this.#setCount(tick, byte);
    else if (this.#access === HIGH_BYTE) this.#setCount(tick, byte << 8);
    else if (this.#lowWritten >= 0) {
      this.#setCount(tick, (byte << 8) | this.#lowWritten);
      this.#lowWritten = -1;
    } else {
      this.#lowWritten = byte;
      if (this.#mode === 0) this.#count = 0; // "the first byte disables counting, OUT is set low immediately"
    }
  }

  setGate(tick: number, gate: boolean): void {
    if (gate === this.#gate) return;
    this.#settle(tick);
    this.#gate = gate;
    if (BEHAVIOURS[this.#mode].triggered) {
      if (gate) this.#trigger(tick);
    } else if (!gate) this.#hold(tick);
    else if (BEHAVIOURS[this.#mode].periodic) this.#trigger(tick);
    else this.#resume(tick);
  }

  output(tick: number): boolean {
    this.#settle(tick);
    const { idle } = BEHAVIOURS[this.#mode];
    if (this.#count === 0 || this.#waiting) return idle;
    const elapsed = this.#elapsed(tick);
    switch (this.#mode) {
      case 0:
        return elapsed >= this.#count;
      case 1:
        return elapsed < 0 ? !this.#pulseGoesOn : elapsed >= this.#count;
      case 2:
        return !this.#gate || elapsed < 0 || elapsed % this.#count !== this.#count - 1;
      case 3:
        return !this.#gate || elapsed < 0 || elapsed % this.#count < this.#highTicks(this.#count);
      default:
        return elapsed !== this.#count || (this.#heldStrobe >= 0 && tick !== this.#heldStrobe);
    }
  }

  /** The first tick after `tick` at which the output rises, or `Infinity`. */
  nextRise(tick: number): number {
    this.#settle(tick);
    if (!this.#isCounting()) return Infinity;
    const next = this.#nextBoundary(tick, this.#riseAt());
    return this.#reload !== undefined && next > this.#reload.at ? this.#riseAfterReload(this.#reload) : next;
  }

  /**
   * The first tick after `tick` at which the output falls, or `Infinity`. The strobes of modes 2, 4 and 5, one tick
   * long, are left out: nobody could see them.
   */
  nextFall(tick: number): number {
    this.#settle(tick);
    if (this.#mode !== 3 || !this.#isCounting() || this.#count < 2) return Infinity;
    return this.#nextBoundary(tick, this.#highTicks(this.#count));
  }

  #isCounting(): boolean {
    return this.#count !== 0 && !this.#waiting && this.#heldSince === undefined;
  }

  /** Where in its cycle the output rises. A count of 1 has no edges in modes 2 and 3 (the data sheet forbids it). */
  #riseAt(): number {
    if (this.#mode >= 4) return this.#count + 1;
    return BEHAVIOURS[this.#mode].periodic && this.#count < 2 ? Infinity : this.#count;
  }

  /** The next time after `tick` that lies `offset` into a cycle. */
  #nextBoundary(tick: number, offset: number): number {
    const first = this.#loaded + offset;
    if (first > tick) return first;
    if (!BEHAVIOURS[this.#mode].periodic) return Infinity;
    return first + (Math.floor((tick - first) / this.#count) + 1) * this.#count;
  }

  /** In mode 3 the new count may begin with its low half; the output then rises at that half's end. */
  #riseAfterReload(reload: Reload): number {
    return this.#startOfReload(reload) + reload.count;
  }

  /** Counts of a mode 3 cycle with the output high: the longer half when the count is odd. */
  #highTicks(count: number): number {
    return (count + 1) >> 1;
  }

  #elapsed(tick: number): number {
    return (this.#heldSince ?? tick) - this.#loaded;
  }

  #isWaitingForCount(tick: number): boolean {
    this.#settle(tick);
    return this.#count === 0 || this.#waiting || this.#reload !== undefined || tick < this.#loaded;
  }

  /** The counting element, as a read gives it: 16 bits, or four decimal digits. */
  #value(tick: number): number {
    this.#settle(tick);
    const modulus = this.#bcd ? 10_000 : 65_536;
    const value = this.#binaryValue(Math.max(this.#elapsed(tick), 0), modulus) % modulus;
    return this.#bcd ? toBcd(value) : value;
  }

  #binaryValue(elapsed: number, modulus: number): number {
    if (this.#count === 0 || this.#waiting) return this.#count;
    if (this.#mode === 2) return this.#count - (elapsed % this.#count);
    if (this.#mode === 3) return this.#squareValue(elapsed % this.#count);
    return (((this.#count - elapsed) % modulus) + modulus) % modulus;
  }

  /** Mode 3 counts down by two in each half, from the count made even. */
  #squareValue(phase: number): number {
    const high = this.#highTicks(this.#count);
    return (this.#count & ~1) - 2 * (phase < high ? phase : phase - high);
  }

  /** A count has been written. Zero stands for the largest there is. */
  #setCount(tick: number, written: number): void {
    const given = this.#bcd ? fromBcd(written) : written;
    const count = given === 0 ? (this.#bcd ? 10_000 : 65_536) : given;
    this.#settle(tick);
    const { periodic, triggered } = BEHAVIOURS[this.#mode];
    if (this.#count !== 0 && (periodic || triggered)) {
      this.#reload = { count, at: triggered || this.#waiting ? Infinity : this.#endOfCycle(tick) };
      return;
    }
    this.#load(tick, count);
    this.#waiting = triggered;
  }

  #load(tick: number, count: number): void {
    this.#count = count;
    this.#loaded = tick + 1;
    this.#heldStrobe = -1;
    this.#reload = undefined;
    this.#waiting = false;
    this.#heldSince = this.#gate || BEHAVIOURS[this.#mode].triggered ? undefined : this.#loaded;
  }

  /** A rising gate: load the newest count and begin. */
  #trigger(tick: number): void {
    this.#pulseGoesOn = !this.output(tick);
    if (this.#count !== 0) this.#load(tick, this.#reload?.count ?? this.#count);
  }

  #hold(tick: number): void {
    if (this.#heldStrobe < 0 && this.#elapsed(tick) === this.#count) this.#heldStrobe = tick;
    this.#heldSince = tick;
  }

  /** Modes 0 and 4 go on where the gate stopped them. */
  #resume(tick: number): void {
    if (this.#heldSince !== undefined) this.#loaded += Math.max(tick - this.#heldSince, 0);
    this.#heldSince = undefined;
  }

  /** Mode 2 takes a new count at the end of the period, mode 3 of the half; while the gate holds, at the trigger. */
  #endOfCycle(tick: number): number {
    if (this.#heldSince !== undefined) return Infinity;
    const end = this.#nextBoundary(tick, this.#count);
    if (this.#mode === 2) return end;
    return Math.min(end, this.#nextBoundary(tick, this.#highTicks(this.#count)));
  }

  /** Puts a reload into effect whose time has come. */
  #settle(tick: number): void {
    const reload = this.#reload;
    if (reload === undefined || tick < reload.at) return;
    this.#loaded = this.#startOfReload(reload);
    this.#count = reload.count;
    this.#reload = undefined;
  }

  /**
   * When the cycle of the new count begins, seen from `reload.at`: then and there; or, if mode 3 has just ended a high
   * half, so long before that the new count's own high half is over.
   */
  #startOfReload(reload: Reload): number {
    const endsHighHalf = this.#mode === 3 && (reload.at - this.#loaded) % this.#count !== 0;
    return endsHighHalf ? reload.at - this.#highTicks(reload.count) : reload.at;
  }
}

function toBcd(value: number): number {
  const digit = (divisor: number): number => Math.floor(value / divisor) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}

/** Digits above 9, which the data sheet does not define, count as what they say. */
function fromBcd(bcd: number): number {
  const value = (bcd >> 12) * 1000 + ((bcd >> 8) & 15) * 100 + ((bcd >> 4) & 15) * 10 + (bcd & 15);
  return value % 10_000;
}

/** Port 61h toggles its bit 4 with each memory refresh, every 15.085 us on a PC/AT. */
const REFRESH_PERIOD: Nanoseconds = 15_085;

/** Edges closer than this are not all shown: a guest may ask for 600,000 a second. */
const SHORTEST_PERIOD: Nanoseconds = 20 * MICROSECOND;

export interface Pit8254Options {
  readonly clock: Clock;
  /** IRQ 0, driven by the output of channel 0. */
  readonly interrupt: InterruptLine;
}

/**
 * The programmable interval timer. Ports: `ports` 40h-43h, `systemControl` 61h.
 *
 * Edges of channel 0 that could not be shown in time, because the machine was paused or the host was late, become one
 * edge: the interrupt controller has room for one pending request, so hardware loses the others as well, and a guest
 * that wakes up is not buried under a storm. The phase is kept: later edges come when they always would have.
 */
export class Pit8254 {
  readonly ports: IoHandler;
  readonly systemControl: IoHandler;

  readonly #clock: Clock;
  readonly #interrupt: InterruptLine;
  readonly #crystal: Oscillator = new Oscillator(PIT_FREQUENCY);
  readonly #timer: Timer;
  /** The gates of channels 0 and 1 are tied high, that of channel 2 is port 61h bit 0. */
  readonly #channels: readonly [Channel, Channel, Channel] = [new Channel(true), new Channel(true), new Channel(false)];
  /** Up to where the output of channel 0 has been shown on the line. */
  #shownUpTo = 0;
  /** When an edge was last shown. */
  #lastEdge: Nanoseconds = -Infinity;
  /** Port 61h bits 3-0: channel 2's gate, speaker, and two check enables that do nothing here. */
  #system = 0;

  constructor(options: Pit8254Options) {
    this.#clock = options.clock;
    this.#interrupt = options.interrupt;
    this.#timer = options.clock.timer(() => this.#showOutput());
    this.ports = byteWide(this.#portRegisters());
    this.systemControl = byteWide(this.#systemRegister());
  }

  /** Whether the guest has connected the speaker to channel 2. */
  get speakerEnabled(): boolean {
    return (this.#system & 3) === 3;
  }

  reset(): void {
    this.#system = 0;
    for (const channel of this.#channels) channel.reset(channel !== this.#channels[2]);
    this.#showOutput();
  }

  #tick(): number {
    return this.#crystal.ticksAt(this.#clock.now());
  }

  #portRegisters(): ByteRegisters {
    return {
      readByte: (offset) => {
        this.#catchUp();
        return this.#channels[offset]?.read(this.#tick()) ?? 0xff; // 43h cannot be read
      },
      writeByte: (offset, value) => {
        if (offset > 3) return;
        const tick = this.#tick();
        this.#catchUp();
        if (offset === 3) this.#command(tick, value);
        else this.#channels[offset]?.write(tick, value);
        this.#showOutput();
      },
    };
  }

  #command(tick: number, word: number): void {
    const select = word >> 6;
    if (select === READ_BACK) this.#readBack(tick, word);
    else if (((word >> 4) & 3) === LATCH) this.#channels[select]?.latchCount(tick);
    else this.#channels[select]?.control(word & 0x3f);
  }

  /** Bits 3-1 choose channels; bit 5 = 0 latches their counts, bit 4 = 0 their status. */
  #readBack(tick: number, word: number): void {
    for (const [index, channel] of this.#channels.entries()) {
      if ((word & (2 << index)) === 0) continue;
      if ((word & 0x20) === 0) channel.latchCount(tick);
      if ((word & 0x10) === 0) channel.latchStatus(tick);
    }
  }

  #systemRegister(): ByteRegisters {
    return {
      readByte: (offset) => (offset === 0 ? this.#readSystem() : 0xff),
      writeByte: (offset, value) => {
        if (offset !== 0) return;
        this.#system = value & 0x0f;
        this.#channels[2].setGate(this.#tick(), (value & 1) !== 0);
      },
    };
  }

  #readSystem(): number {
    const refresh = Math.floor(this.#clock.now() / REFRESH_PERIOD) & 1;
    return this.#system | (refresh << 4) | (this.#channels[2].output(this.#tick()) ? 0x20 : 0);
  }

  /** Brings the line to channel 0's output, with one edge for all rises since it was last done, and arms the timer. */
  #showOutput(): void {
    const tick = this.#tick();
    const [channel] = this.#channels;
    const rose = channel.nextRise(this.#shownUpTo) <= tick;
    this.#shownUpTo = tick;
    if (rose) {
      this.#lastEdge = this.#clock.now();
      this.#interrupt.set(false);
      this.#interrupt.set(true);
    } else this.#interrupt.set(channel.output(tick));
    this.#arm(tick);
  }

  #arm(tick: number): void {
    const next = Math.min(this.#channels[0].nextRise(tick), this.#channels[0].nextFall(tick));
    if (next === Infinity) this.#timer.disarm();
    else this.#timer.arm(Math.max(this.#crystal.timeOf(next), this.#lastEdge + SHORTEST_PERIOD));
  }

  /** Shows what is overdue before channel 0 is touched: the channel forgets how it got to where it is. */
  #catchUp(): void {
    if (this.#clock.now() >= this.#timer.deadline) this.#showOutput();
  }
}
