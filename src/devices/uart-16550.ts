import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { SECOND } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';

/**
 * Registers by offset, after National's data sheet "PC16550D", table II.
 *
 *     0  RBR read, THR written; divisor's low byte while DLAB is set
 *     1  IER   3 modem   2 line   1 transmitter   0 receiver; divisor's high byte while DLAB is set
 *     2  IIR read: 7-6 FIFOs on   3-0 what interrupts; FCR written: 7-6 trigger   2-1 clear   0 FIFOs on
 *     3  LCR   7 DLAB   6 break   5-3 parity   2 stop bits   1-0 data bits
 *     4  MCR   4 loop   3 OUT2   2 OUT1   1 RTS   0 DTR
 *     5  LSR   7 FIFO has errors   6 TEMT   5 THRE   4 break   3 framing   2 parity   1 overrun   0 ready
 *     6  MSR   7 DCD   6 RI   5 DSR   4 CTS   3-0 have they changed
 *     7  scratch
 */
const DATA = 0; // RBR, THR, DLL
const IER = 1; // DLM
const IIR = 2; // FCR when written
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCRATCH = 7;

const DLAB = 0x80; // LCR

const IER_RECEIVED = 0x01;
const IER_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

/** Interrupt identification, most urgent first. */
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVED = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_EMPTY = 0x02;
const IIR_MODEM_STATUS = 0x00;
const IIR_NONE = 0x01;
const IIR_FIFOS_ON = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
/** FCR bits 7-6: how many bytes make an interrupt. */
const TRIGGER_LEVELS: readonly number[] = [1, 4, 8, 14];
const FIFO_DEPTH = 16;

const LSR_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_BREAK = 0x10;
const LSR_ERRORS = 0x1e; // overrun, parity, framing, break
const LSR_TRANSMITTER_EMPTY = 0x60; // THRE and TEMT: transmission takes no time
const LSR_FIFO_HAS_ERROR = 0x80;

const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const MSR_RI = 0x40;

/** Baud rate is this over the divisor: the PC's 1.8432 MHz crystal over 16. */
const HIGHEST_RATE = 115_200;

/** A sender looks once for each byte; so many looks in a row are a receiver's. */
const MANY_LOOKS = 16;

export interface Uart16550Options {
  readonly clock: Clock;
  /** IRQ 4 for the first serial port. */
  readonly interrupt: InterruptLine;
  readonly backEnd: {
    transmit(byte: number): void;
    /** There is room again, after `receive` has taken less than it was given. It may call `receive`. */
    room?(): void;
  };
}

/**
 * A serial port with FIFOs. Ports: 3F8h-3FFh for the first one, as the handler `ports`.
 *
 * A byte is transmitted the moment it is written, so the transmitter is always empty; its interrupt comes all the
 * same, once for each write. Received bytes arrive as fast as the guest takes them and never overrun, unless the guest
 * does it to itself in loopback. MCR's OUT2 connects the interrupt to the line, as on a PC's card.
 *
 * Power-on and reset (data sheet, "Master reset"): interrupts, modes and FIFOs off, LSR = 60h. Divisor 12 (9600 baud)
 * and a line of 5 data bits are not defined there; the scratch register keeps its byte. A byte waiting is lost.
 */
export class Uart16550 {
  readonly ports: IoHandler;

  readonly #clock: Clock;
  readonly #interrupt: InterruptLine;
  readonly #backEnd: Uart16550Options['backEnd'];
  /** Runs out when nothing has been received or read for four characters while bytes wait below the trigger level. */
  readonly #timeout: Timer;

  #divisor = 12;
  #enables = 0;
  #lineControl = 0;
  #modemControl = 0;
  #scratch = 0;
  #fifosOn = false;
  #trigger = 1;

  /** Received bytes, and beside each the line status bits that came with it. A ring of which one place is in use while FIFOs are off. */
  readonly #received: Uint8Array = new Uint8Array(FIFO_DEPTH);
  readonly #errors: Uint8Array = new Uint8Array(FIFO_DEPTH);
  #first = 0;
  #count = 0;
  #hostWaits = false;

  /** Errors of the byte at the front of the FIFO, and overrun, until LSR is read. */
  #lineErrors = 0;
  #timedOut = false;
  /** The transmitter has become empty since IIR last said so. */
  #emptied = false;
  /** MSR bits 7-4 as the modem drives them: a modem that is always there. */
  #modemLines = 0xb0;
  #modemChanges = 0;
  /** Looks at the line status that found no byte, with nothing sent or set up in between; it stays once it is large. */
  #idleLooks = 0;

  constructor(options: Uart16550Options) {
    this.#clock = options.clock;
    this.#interrupt = options.interrupt;
    this.#backEnd = options.backEnd;
    this.#timeout = options.clock.timer(() => {
      this.#timedOut = this.#count > 0;
      this.#update();
    });
    this.ports = byteWide(this.#registers());
  }

  reset(): void {
    this.#divisor = 12;
    this.#enables = 0;
    this.#lineControl = 0;
    this.#modemControl = 0;
    this.#fifosOn = false;
    this.#trigger = 1;
    this.#emptied = false;
    this.#modemChanges = 0;
    this.#lineErrors = 0;
    this.#idleLooks = 0;
    this.#clearReceiver();
    this.#update();
    this.#tellRoom();
  }

  /**
   * Whether the guest seems to want input: it has its interrupt on, or looks for bytes again and again. A driver that is
   * only setting the chip up does neither, and throws away what it finds.
   */
  get isListening(): boolean {
    return (this.#enables & IER_RECEIVED) !== 0 || this.#idleLooks >= MANY_LOOKS;
  }

  /**
   * Bytes from outside. Answers how many there was room for; when that is fewer than given, `room` is called as soon as
   * there is more. In loopback the receiver is cut off from outside, so nothing is taken.
   */
  receive(bytes: ArrayLike<number>): number {
    let taken = 0;
    while (taken < bytes.length && this.#hasRoom()) this.#push((bytes[taken++] ?? 0) & 0xff, 0);
    this.#hostWaits = taken < bytes.length;
    if (taken > 0) this.#afterReceiving();
    return taken;
  }

  /** A break: the line held low for longer than a character. False when there was no room for it. */
  receiveBreak(): boolean {
    if (!this.#hasRoom()) return false;
    this.#push(0, LSR_BREAK);
    this.#afterReceiving();
    return true;
  }

  /** What the modem drives, as MSR bits 7-4: DCD, RI, DSR, CTS. */
  setModemLines(lines: number): void {
    const before = this.#modemStatus();
    this.#modemLines = lines & 0xf0;
    this.#noteModemChange(before);
  }

  #registers(): ByteRegisters {
    return {
      readByte: (offset) => this.#read(offset),
      writeByte: (offset, value) => {
        this.#write(offset, value);
      },
    };
  }

  #read(offset: number): number {
    const divisor = (this.#lineControl & DLAB) !== 0;
    switch (offset) {
      case DATA:
        return divisor ? this.#divisor & 0xff : this.#take();
      case IER:
        return divisor ? this.#divisor >> 8 : this.#enables;
      case IIR:
        return this.#identify();
      case LCR:
        return this.#lineControl;
      case MCR:
        return this.#modemControl;
      case LSR:
        return this.#readLineStatus();
      case MSR:
        return this.#readModemStatus();
      case SCRATCH:
        return this.#scratch;
      default:
        return 0xff;
    }
  }

  #write(offset: number, value: number): void {
    const divisor = (this.#lineControl & DLAB) !== 0;
    if (offset !== DATA || divisor || this.#idleLooks < MANY_LOOKS) this.#idleLooks = 0;
    if (offset === DATA) {
      if (divisor) this.#divisor = (this.#divisor & 0xff00) | value;
      else this.#transmit(value);
    } else if (offset === IER) {
      if (divisor) this.#divisor = (this.#divisor & 0x00ff) | (value << 8);
      else this.#enable(value & 0x0f);
    } else if (offset === IIR) this.#controlFifos(value);
    else if (offset === LCR) this.#lineControl = value;
    else if (offset === MCR) this.#controlModem(value & 0x1f);
    else if (offset === SCRATCH) this.#scratch = value;
  }

  // Transmitter

  /** The holding register fills, which takes its interrupt back, and empties at once, which makes the next one. */
  #transmit(byte: number): void {
    this.#emptied = false;
    this.#update();
    if ((this.#modemControl & MCR_LOOP) !== 0) this.#loopBack(byte);
    else this.#backEnd.transmit(byte);
    this.#emptied = true;
    this.#update();
  }

  #loopBack(byte: number): void {
    const depth = this.#fifosOn ? FIFO_DEPTH : 1;
    if (this.#count < depth) this.#push(byte & this.#characterMask(), 0);
    else this.#overrun(byte);
    this.#afterReceiving();
  }

  /** Without FIFOs the new byte takes the old one's place; a full FIFO keeps what it has. */
  #overrun(byte: number): void {
    this.#lineErrors |= LSR_OVERRUN;
    if (!this.#fifosOn) this.#received[this.#first] = byte & this.#characterMask();
  }

  /** LCR bits 1-0: 5 to 8 data bits. */
  #characterMask(): number {
    return 0xff >> (3 - (this.#lineControl & 3));
  }

  /** Enabling the transmitter's interrupt while it is empty, as it always is, makes one. */
  #enable(enables: number): void {
    if ((enables & ~this.#enables & IER_EMPTY) !== 0) this.#emptied = true;
    this.#enables = enables;
    this.#update();
  }

  // Receiver

  #hasRoom(): boolean {
    return (this.#modemControl & MCR_LOOP) === 0 && this.#count < (this.#fifosOn ? FIFO_DEPTH : 1);
  }

  #push(byte: number, errors: number): void {
    const place = (this.#first + this.#count) % FIFO_DEPTH;
    this.#received[place] = byte;
    this.#errors[place] = errors;
    if (this.#count++ === 0) this.#lineErrors |= errors;
  }

  #afterReceiving(): void {
    this.#timedOut = false;
    this.#restartTimeout();
    this.#update();
  }

  /** RBR. The next byte comes to the front, and its errors with it. */
  #take(): number {
    const byte = this.#received[this.#first] ?? 0;
    if (this.#count === 0) return byte; // What was there last, as hardware has it.
    this.#first = (this.#first + 1) % FIFO_DEPTH;
    this.#count--;
    if (this.#count > 0) this.#lineErrors |= this.#errors[this.#first] ?? 0;
    this.#afterReceiving();
    this.#tellRoom();
    return byte;
  }

  #tellRoom(): void {
    if (!this.#hostWaits || !this.#hasRoom()) return;
    this.#hostWaits = false;
    this.#backEnd.room?.();
  }

  #restartTimeout(): void {
    if (this.#fifosOn && this.#count > 0) this.#timeout.arm(this.#clock.now() + 4 * this.#characterTime());
    else this.#timeout.disarm();
  }

  /** Start bit, data bits, parity when enabled, one or two stop bits. A divisor of 0 counts as 65536. */
  #characterTime(): Nanoseconds {
    const control = this.#lineControl;
    const bits = 1 + 5 + (control & 3) + ((control >> 3) & 1) + 1 + ((control >> 2) & 1);
    return Math.ceil((bits * (this.#divisor === 0 ? 65_536 : this.#divisor) * SECOND) / HIGHEST_RATE);
  }

  #controlFifos(value: number): void {
    const on = (value & FCR_ENABLE) !== 0;
    if (on !== this.#fifosOn || (on && (value & FCR_CLEAR_RECEIVER) !== 0)) this.#clearReceiver();
    this.#fifosOn = on;
    this.#trigger = on ? (TRIGGER_LEVELS[value >> 6] ?? 1) : 1;
    this.#update();
    this.#tellRoom();
  }

  #clearReceiver(): void {
    this.#count = 0;
    this.#timedOut = false;
    this.#timeout.disarm();
  }

  #readLineStatus(): number {
    let status = LSR_TRANSMITTER_EMPTY | this.#lineErrors;
    if (this.#count > 0) status |= LSR_READY;
    else if (this.#idleLooks < MANY_LOOKS) this.#idleLooks++;
    if (this.#fifosOn && this.#hasErrorsWaiting()) status |= LSR_FIFO_HAS_ERROR;
    if (this.#count > 0) this.#errors[this.#first] = 0;
    this.#lineErrors = 0;
    this.#update();
    return status;
  }

  #hasErrorsWaiting(): boolean {
    for (let i = 0; i < this.#count; i++) {
      if (this.#errors[(this.#first + i) % FIFO_DEPTH] !== 0) return true;
    }
    return false;
  }

  // Modem

  #controlModem(value: number): void {
    const before = this.#modemStatus();
    this.#modemControl = value;
    this.#noteModemChange(before);
    this.#tellRoom();
  }

  /** In loopback the chip's own outputs drive its inputs: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
  #modemStatus(): number {
    const control = this.#modemControl;
    if ((control & MCR_LOOP) === 0) return this.#modemLines;
    return ((control & 0x02) << 3) | ((control & 0x01) << 5) | ((control & 0x0c) << 4);
  }

  /** MSR bits 3-0: what has changed since it was read; of RI only the fall counts. */
  #noteModemChange(before: number): void {
    const now = this.#modemStatus();
    const changed = before ^ now;
    this.#modemChanges |= ((changed & ~MSR_RI) | (changed & before & MSR_RI)) >> 4;
    this.#update();
  }

  #readModemStatus(): number {
    const status = this.#modemStatus() | this.#modemChanges;
    this.#modemChanges = 0;
    this.#update();
    return status;
  }

  // Interrupts

  /** The most urgent interrupt that is enabled and pending, as IIR shows it. */
  #pending(): number {
    const enables = this.#enables;
    if ((enables & IER_LINE_STATUS) !== 0 && (this.#lineErrors & LSR_ERRORS) !== 0) return IIR_LINE_STATUS;
    if ((enables & IER_RECEIVED) !== 0 && this.#count >= this.#trigger) return IIR_RECEIVED;
    if ((enables & IER_RECEIVED) !== 0 && this.#timedOut) return IIR_TIMEOUT;
    if ((enables & IER_EMPTY) !== 0 && this.#emptied) return IIR_EMPTY;
    if ((enables & IER_MODEM_STATUS) !== 0 && this.#modemChanges !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  /** Reading IIR takes back the transmitter's interrupt, if that is the one it shows. */
  #identify(): number {
    const pending = this.#pending();
    if (pending === IIR_EMPTY) {
      this.#emptied = false;
      this.#update();
    }
    return pending | (this.#fifosOn ? IIR_FIFOS_ON : 0);
  }

  /** In loopback the OUT2 pin is inactive, whatever its bit says. */
  #update(): void {
    const connected = (this.#modemControl & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.#interrupt.set(connected && this.#pending() !== IIR_NONE);
  }
}
