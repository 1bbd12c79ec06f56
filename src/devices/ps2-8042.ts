import type { Clock } from '../base/clock.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { byteWide } from './byte-wide.ts';
import { Ps2Keyboard } from './ps2-keyboard.ts';
import { Ps2Mouse } from './ps2-mouse.ts';
import { BREAK_PREFIX, translate } from './scan-code.ts';

/** Status register, port 64h. Bit 1, the input buffer, is never full: bytes are handled as they are written. */
const STATUS_OUTPUT_FULL = 0x01;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_FROM_MOUSE = 0x20;

/** Configuration byte, which is byte 0 of the controller's memory. */
const CONFIG_KEYBOARD_INTERRUPT = 0x01;
const CONFIG_MOUSE_INTERRUPT = 0x02;
const CONFIG_SYSTEM = 0x04; // as in the status register
const CONFIG_KEYBOARD_OFF = 0x10;
const CONFIG_MOUSE_OFF = 0x20;
const CONFIG_TRANSLATE = 0x40;

/**
 * Output port: 0 reset (active low), 1 A20, 2 and 3 the mouse's lines, 4 and 5 whose byte waits, 6 and 7 the
 * keyboard's lines. Clock and data lines idle high.
 */
const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_FULL = 0x10;
const OUTPUT_MOUSE_FULL = 0x20;
const OUTPUT_IDLE = 0xcf;

/** Input port: the keyboard is not locked. */
const INPUT_PORT = 0x80;

/** Whose byte stands in the output buffer. */
type Source = 'nobody' | 'controller' | 'keyboard' | 'mouse';

export interface Ps2ControllerOptions {
  readonly clock: Clock;
  /** IRQ 1. */
  readonly keyboardInterrupt: InterruptLine;
  /** IRQ 12. */
  readonly mouseInterrupt: InterruptLine;
  /** Told the level of the A20 gate on every write of the output port; port 92h drives the same gate. A reset opens it. */
  readonly setA20: (open: boolean) => void;
  /** The guest pulls the processor's reset line. */
  readonly requestReset: () => void;
}

/**
 * The 8042 keyboard controller of a PS/2, with keyboard and mouse plugged in. Ports: `data` 60h, `command` 64h. After
 * IBM's PS/2 hardware technical reference, "Keyboard and Auxiliary Device Controller".
 *
 * The controller's own answers come before bytes of the devices, which lose nothing by it. An interrupt line is high
 * while its byte stands in the output buffer, and falls between two bytes.
 *
 * Power-on and reset: both devices on, their interrupts enabled, no translation, A20 open, nothing to read.
 */
export class Ps2Controller {
  readonly data: IoHandler;
  readonly command: IoHandler;
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;

  readonly #keyboardInterrupt: InterruptLine;
  readonly #mouseInterrupt: InterruptLine;
  readonly #setA20: (open: boolean) => void;
  readonly #requestReset: () => void;

  readonly #memory: Uint8Array = new Uint8Array(32);
  #outputPort = OUTPUT_IDLE;
  #lastWasCommand = false;
  /** The command that waits for its byte at port 60h, or 0. */
  #expecting = 0;

  #shown: Source = 'nobody';
  /** The controller's answer, or -1; a newer one replaces it, as in the chip. */
  #answer = -1;
  #answerIsMouse = false;
  /** A byte from the keyboard, translated and on its way into the output buffer, or -1. */
  #fromKeyboard = -1;
  /** The last byte of the keyboard was a prefix that translation swallows. */
  #released = false;
  /** What an empty output buffer reads as: what was there last. */
  #last = 0;

  constructor(options: Ps2ControllerOptions) {
    this.#keyboardInterrupt = options.keyboardInterrupt;
    this.#mouseInterrupt = options.mouseInterrupt;
    this.#setA20 = options.setA20;
    this.#requestReset = options.requestReset;
    this.keyboard = new Ps2Keyboard(options.clock, () => this.#fill());
    this.mouse = new Ps2Mouse(() => this.#fill());
    this.#config = CONFIG_KEYBOARD_INTERRUPT | CONFIG_MOUSE_INTERRUPT;
    this.data = byteWide({
      readByte: (offset) => (offset === 0 ? this.#readData() : 0xff),
      writeByte: (offset, value) => {
        if (offset === 0) this.#writeData(value);
      },
    });
    this.command = byteWide({
      readByte: (offset) => (offset === 0 ? this.#status() : 0xff),
      writeByte: (offset, value) => {
        if (offset === 0) this.#writeCommand(value);
      },
    });
  }

  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.#memory.fill(0);
    this.#config = CONFIG_KEYBOARD_INTERRUPT | CONFIG_MOUSE_INTERRUPT;
    this.#lastWasCommand = false;
    this.#expecting = 0;
    this.#shown = 'nobody';
    this.#answer = -1;
    this.#fromKeyboard = -1;
    this.#released = false;
    this.#last = 0;
    this.#drive(OUTPUT_IDLE);
    this.#showInterrupts();
  }

  get #config(): number {
    return this.#memory[0] ?? 0;
  }

  set #config(config: number) {
    this.#memory[0] = config;
  }

  // Output buffer

  /** Puts the most urgent byte into the output buffer. The controller's answer may take the place of a device's byte. */
  #fill(): void {
    if (this.#answer >= 0) this.#shown = 'controller';
    else if (this.#shown === 'nobody') this.#shown = this.#nextDevice();
    this.#showInterrupts();
  }

  #nextDevice(): Source {
    if ((this.#config & CONFIG_KEYBOARD_OFF) === 0 && this.#fetchFromKeyboard()) return 'keyboard';
    return (this.#config & CONFIG_MOUSE_OFF) === 0 && this.mouse.pending ? 'mouse' : 'nobody';
  }

  /** Takes bytes from the keyboard until one is for the guest. Translation turns F0 xx into one byte, with bit 7 set. */
  #fetchFromKeyboard(): boolean {
    while (this.#fromKeyboard < 0 && this.keyboard.pending) {
      const byte = this.keyboard.take();
      if ((this.#config & CONFIG_TRANSLATE) === 0) this.#fromKeyboard = byte;
      else if (byte === BREAK_PREFIX) this.#released = true;
      else {
        this.#fromKeyboard = translate(byte) | (this.#released ? 0x80 : 0);
        this.#released = false;
      }
    }
    return this.#fromKeyboard >= 0;
  }

  #readData(): number {
    const shown = this.#shown;
    this.#shown = 'nobody';
    this.#showInterrupts();
    if (shown === 'controller') {
      this.#last = this.#answer;
      this.#answer = -1;
    } else if (shown === 'keyboard') {
      this.#last = this.#fromKeyboard;
      this.#fromKeyboard = -1;
    } else if (shown === 'mouse') this.#last = this.mouse.take();
    this.#fill();
    return this.#last;
  }

  #respond(byte: number, asMouse = false): void {
    this.#answer = byte;
    this.#answerIsMouse = asMouse;
  }

  #showsMouse(): boolean {
    return this.#shown === 'mouse' || (this.#shown === 'controller' && this.#answerIsMouse);
  }

  #showsKeyboard(): boolean {
    return this.#shown !== 'nobody' && !this.#showsMouse();
  }

  #showInterrupts(): void {
    this.#keyboardInterrupt.set(this.#showsKeyboard() && (this.#config & CONFIG_KEYBOARD_INTERRUPT) !== 0);
    this.#mouseInterrupt.set(this.#showsMouse() && (this.#config & CONFIG_MOUSE_INTERRUPT) !== 0);
  }

  #status(): number {
    let status = STATUS_UNLOCKED | (this.#config & CONFIG_SYSTEM);
    if (this.#shown !== 'nobody') status |= STATUS_OUTPUT_FULL;
    if (this.#lastWasCommand) status |= STATUS_COMMAND;
    if (this.#showsMouse()) status |= STATUS_FROM_MOUSE;
    return status;
  }

  // Writes

  /** Without a command that waits for it, a byte is the keyboard's; talking to a device turns it on. */
  #writeData(value: number): void {
    const expecting = this.#expecting;
    this.#expecting = 0;
    this.#lastWasCommand = false;
    if (expecting === 0) {
      this.#config &= ~CONFIG_KEYBOARD_OFF;
      this.keyboard.write(value);
    } else if (expecting < 0x80) this.#memory[expecting - 0x60] = value;
    else if (expecting === 0xd1) this.#drive(value);
    else if (expecting === 0xd4) {
      this.#config &= ~CONFIG_MOUSE_OFF;
      this.mouse.write(value);
    } else this.#respond(value, expecting === 0xd3); // D2h: as if from the keyboard, D3h: from the mouse
    this.#fill();
  }

  #writeCommand(value: number): void {
    this.#expecting = 0;
    this.#lastWasCommand = true;
    if (value >= 0xf0) this.#pulse(value);
    else if (value >= 0x20 && value < 0x40) this.#respond(this.#memory[value - 0x20] ?? 0);
    else if ((value >= 0x60 && value < 0x80) || (value >= 0xd1 && value <= 0xd4)) this.#expecting = value;
    else this.#perform(value);
    this.#fill();
  }

  #perform(command: number): void {
    switch (command) {
      case 0xa4: // is there a password? no
        return this.#respond(0xf1);
      case 0xa7:
        return void (this.#config |= CONFIG_MOUSE_OFF);
      case 0xa8:
        return void (this.#config &= ~CONFIG_MOUSE_OFF);
      case 0xa9: // test the mouse's lines
      case 0xab: // test the keyboard's lines
      case 0xe0: // read the test inputs
        return this.#respond(0x00);
      case 0xaa: // test the controller
        this.#config |= CONFIG_SYSTEM;
        return this.#respond(0x55);
      case 0xad:
        return void (this.#config |= CONFIG_KEYBOARD_OFF);
      case 0xae:
        return void (this.#config &= ~CONFIG_KEYBOARD_OFF);
      case 0xc0:
        return this.#respond(INPUT_PORT);
      case 0xd0:
        return this.#respond(this.#readOutputPort());
      case 0xdd: // Not IBM's, but common: close and open A20 at once.
        return this.#drive(this.#outputPort & ~OUTPUT_A20);
      case 0xdf:
        return this.#drive(this.#outputPort | OUTPUT_A20);
      default: // Anything else does nothing.
    }
  }

  #readOutputPort(): number {
    const full = (this.#showsKeyboard() ? OUTPUT_KEYBOARD_FULL : 0) | (this.#showsMouse() ? OUTPUT_MOUSE_FULL : 0);
    return (this.#outputPort & OUTPUT_IDLE) | full;
  }

  #drive(port: number): void {
    this.#outputPort = port | OUTPUT_NO_RESET;
    this.#setA20((port & OUTPUT_A20) !== 0);
    if ((port & OUTPUT_NO_RESET) === 0) this.#requestReset();
  }

  /** F0h-FFh pull those of output lines 3-0 low for some microseconds whose bit is 0. Only the reset line minds. */
  #pulse(command: number): void {
    if ((command & OUTPUT_NO_RESET) === 0) this.#requestReset();
  }
}
