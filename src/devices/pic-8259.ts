import { assert } from '../base/assert.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { IoHandler } from '../bus/io-handler.ts';
import { SharedLine } from '../bus/shared-line.ts';
import { byteWide, type ByteRegisters } from './byte-wide.ts';

/** The master's input to which the slave's output is wired. */
const CASCADE = 2;

/** Where ELCR lets a line be level-triggered: not the timer, keyboard and cascade; not the clock (8) and FPU (13). */
const MASTER_LEVELS = 0xf8;
const SLAVE_LEVELS = 0xde;

/** What the next write to the odd port is. `mask` is the state of operation, the others the steps of an initialisation. */
type Expected = 'mask' | 'vector' | 'cascade' | 'mode';

/**
 * One 8259A. After Intel's data sheet "8259A Programmable Interrupt Controller" (231468), with the edge/level choice
 * per line that the PIIX has instead of ICW1's LTIM bit (82371SB data sheet, ELCR).
 *
 *     even port, write   D4 = 1: ICW1    D4 D3 = 00: OCW2    D4 D3 = 01: OCW3
 *     even port, read    IRR or ISR, as OCW3 chose; after a poll command the poll byte
 *     odd port, write    ICW2, ICW3, ICW4 in turn after ICW1, otherwise OCW1, the mask
 *     odd port, read     the mask
 *
 * 8080 mode (ICW4 bit 0) and buffered mode are accepted and have no effect: a PC has neither.
 */
class Chip implements ByteRegisters {
  /** Inputs that are high now. The wires belong to the devices, so a reset leaves it alone. */
  #inputs = 0;
  /** Inputs that went high, have stayed so, and are not acknowledged: the edge-sense latches. */
  #edges = 0;
  #inService = 0;
  #mask = 0xff;
  #levels = 0;
  #base = 0;
  /** The line of lowest priority; the next one up, modulo 8, has the highest. Rotation moves it. */
  #lowest = 7;
  #expected: Expected = 'mask';
  #single = false;
  #wantsMode = false;
  #autoEoi = false;
  #rotateOnAutoEoi = false;
  #specialMask = false;
  #fullyNestedCascade = false;
  #readsInService = false;
  #polled = false;

  readonly #isMaster: boolean;
  readonly #changed: () => void;

  /** `changed` is told after anything that may have changed `pending()`. */
  constructor(isMaster: boolean, changed: () => void) {
    this.#isMaster = isMaster;
    this.#changed = changed;
  }

  reset(): void {
    this.#levels = 0;
    this.#base = 0;
    this.#initialize(0);
    this.#expected = 'mask';
    this.#mask = 0xff;
    this.#changed();
  }

  get levels(): number {
    return this.#levels;
  }

  set levels(levels: number) {
    this.#levels = levels & (this.#isMaster ? MASTER_LEVELS : SLAVE_LEVELS);
    this.#changed();
  }

  input(line: number, high: boolean): void {
    const bit = 1 << line;
    if (high === ((this.#inputs & bit) !== 0)) return;
    if (high) {
      this.#inputs |= bit;
      this.#edges |= bit;
    } else {
      this.#inputs &= ~bit;
      this.#edges &= ~bit;
    }
    this.#changed();
  }

  /** The line that this chip would have served now, or -1. */
  pending(): number {
    if (this.#expected !== 'mask') return -1;
    const requests = this.#requests() & ~this.#mask;
    if (requests === 0) return -1;
    const line = this.#highest(requests);
    return this.#rank(line) < this.#ceiling(line) ? line : -1;
  }

  /** The interrupt-acknowledge cycle: takes the pending line into service. -1 when the request has gone away. */
  accept(): number {
    const line = this.pending();
    if (line < 0) return -1;
    this.#edges &= ~(1 << line);
    if (!this.#autoEoi) this.#inService |= 1 << line;
    else if (this.#rotateOnAutoEoi) this.#lowest = line;
    this.#changed();
    return line;
  }

  /** The vector of a line. Without a request the chip answers as line 7 and takes nothing into service. */
  vector(line: number): number {
    return this.#base | (line < 0 ? 7 : line);
  }

  readByte(offset: number): number {
    if (offset > 1) return 0xff;
    if (this.#polled) return this.#poll();
    if (offset === 1) return this.#mask;
    return this.#readsInService ? this.#inService : this.#requests();
  }

  writeByte(offset: number, value: number): void {
    if (offset > 1) return;
    if (offset === 1) this.#writeOdd(value);
    else if ((value & 0x10) !== 0) this.#initialize(value);
    else if ((value & 0x08) !== 0) this.#operate(value);
    else this.#endOfInterrupt(value);
    this.#changed();
  }

  /**
   * The cascade counts as level-triggered: a slave with automatic end of interrupt may have its next request ready at
   * once, without its output ever falling.
   */
  #requests(): number {
    const levels = this.#isMaster ? this.#levels | (1 << CASCADE) : this.#levels;
    return (this.#edges & ~levels) | (this.#inputs & levels);
  }

  /** 0 for the highest priority to 7 for the lowest. */
  #rank(line: number): number {
    return (line - this.#lowest - 1) & 7;
  }

  #highest(lines: number): number {
    for (let rank = 0; rank < 7; rank++) {
      const line = (this.#lowest + 1 + rank) & 7;
      if ((lines & (1 << line)) !== 0) return line;
    }
    return this.#lowest;
  }

  /**
   * The rank below which `line` may interrupt what is in service. In special mask mode a masked line in service holds
   * nothing back; in special fully nested mode the cascade does not hold back its own slave's more urgent lines.
   */
  #ceiling(line: number): number {
    const holding = this.#specialMask ? this.#inService & ~this.#mask : this.#inService;
    if (holding === 0) return 8;
    const highest = this.#highest(holding);
    const ownSlave = this.#isMaster && this.#fullyNestedCascade && line === CASCADE && highest === CASCADE;
    return this.#rank(highest) + (ownSlave ? 1 : 0);
  }

  /** OCW3's poll: the next read acts as the acknowledge cycle and answers with the line, bit 7 set if there was one. */
  #poll(): number {
    this.#polled = false;
    const line = this.accept();
    return line < 0 ? 0 : 0x80 | line;
  }

  /** ICW1. Lines that are high have to fall and rise again: the edge-sense circuit is reset. */
  #initialize(icw1: number): void {
    this.#edges = 0;
    this.#inService = 0;
    this.#mask = 0;
    this.#lowest = 7;
    this.#single = (icw1 & 0x02) !== 0;
    this.#wantsMode = (icw1 & 0x01) !== 0;
    this.#setMode(0);
    this.#rotateOnAutoEoi = false;
    this.#specialMask = false;
    this.#readsInService = false;
    this.#polled = false;
    this.#expected = 'vector';
  }

  #writeOdd(value: number): void {
    switch (this.#expected) {
      case 'mask':
        this.#mask = value;
        return;
      case 'vector':
        this.#base = value & 0xf8;
        this.#expected = this.#single ? this.#afterCascade() : 'cascade';
        return;
      case 'cascade': // Says which line has the slave; a PC's wiring is what it is.
        this.#expected = this.#afterCascade();
        return;
      case 'mode':
        this.#setMode(value);
        this.#expected = 'mask';
    }
  }

  #afterCascade(): Expected {
    return this.#wantsMode ? 'mode' : 'mask';
  }

  #setMode(icw4: number): void {
    this.#autoEoi = (icw4 & 0x02) !== 0;
    this.#fullyNestedCascade = (icw4 & 0x10) !== 0;
  }

  /** OCW3: special mask mode, poll, and what the even port reads as. */
  #operate(ocw3: number): void {
    if ((ocw3 & 0x40) !== 0) this.#specialMask = (ocw3 & 0x20) !== 0;
    if ((ocw3 & 0x04) !== 0) this.#polled = true;
    else if ((ocw3 & 0x02) !== 0) this.#readsInService = (ocw3 & 0x01) !== 0;
  }

  /** OCW2: bit 7 rotate, bit 6 the line is given in bits 2-0, bit 5 end of interrupt. */
  #endOfInterrupt(ocw2: number): void {
    const rotate = (ocw2 & 0x80) !== 0;
    const given = (ocw2 & 0x40) !== 0;
    if ((ocw2 & 0x20) === 0) {
      if (!given) this.#rotateOnAutoEoi = rotate;
      else if (rotate) this.#lowest = ocw2 & 7;
      return;
    }
    const line = given ? ocw2 & 7 : this.#mostUrgentInService();
    if (line < 0) return;
    this.#inService &= ~(1 << line);
    if (rotate) this.#lowest = line;
  }

  /** What a non-specific end of interrupt ends. In special mask mode it passes over masked lines. */
  #mostUrgentInService(): number {
    const lines = this.#specialMask ? this.#inService & ~this.#mask : this.#inService;
    return lines === 0 ? -1 : this.#highest(lines);
  }
}

export interface Pic8259Options {
  /** The processor's INTR: asserted while there is something to acknowledge. */
  readonly output: InterruptLine;
}

/**
 * The pair of interrupt controllers of a PC: IRQ 0-7 on the master, IRQ 8-15 on the slave, which hangs on the master's
 * input 2. Ports: `master` 20h-21h, `slave` A0h-A1h, `elcr` 4D0h-4D1h.
 *
 * After power-on every line is masked and edge-triggered, so that nothing interrupts before software has initialised
 * the pair. (The data sheet leaves that state undefined.)
 */
export class Pic8259 {
  readonly master: IoHandler;
  readonly slave: IoHandler;
  readonly elcr: IoHandler;

  readonly #first: Chip;
  readonly #second: Chip;
  readonly #output: InterruptLine;
  readonly #lines: readonly SharedLine[];

  constructor(options: Pic8259Options) {
    this.#output = options.output;
    this.#first = new Chip(true, () => this.#output.set(this.#first.pending() >= 0));
    this.#second = new Chip(false, () => this.#first.input(CASCADE, this.#second.pending() >= 0));
    this.#lines = Array.from({ length: 16 }, (_, irq) => new SharedLine(this.#input(irq)));
    this.master = byteWide(this.#first);
    this.slave = byteWide(this.#second);
    this.elcr = byteWide(this.#edgeLevelControl());
  }

  /** A new wire to IRQ 0-15 except 2. Wires to one IRQ are joined: it is asserted while any of them is. */
  line(irq: number): InterruptLine {
    const line = irq === CASCADE ? undefined : this.#lines[irq];
    assert(line !== undefined, `there is no interrupt line ${irq}`);
    return line.input();
  }

  /**
   * The processor's interrupt-acknowledge cycle; answers the vector. When the request went away since `output` was
   * asserted it is that of IRQ 7 and nothing is in service: the spurious interrupt. Hardware can also lose a slave's
   * request between the two INTA pulses and then answers IRQ 15 with the cascade in service; here that needs a slave
   * whose request vanishes while it is being accepted, for which the answer is the same.
   */
  acknowledge(): number {
    const line = this.#first.accept();
    if (line !== CASCADE) return this.#first.vector(line);
    return this.#second.vector(this.#second.accept());
  }

  reset(): void {
    this.#second.reset();
    this.#first.reset();
  }

  #input(irq: number): InterruptLine {
    const chip = irq < 8 ? this.#first : this.#second;
    return { set: (asserted) => chip.input(irq & 7, asserted) };
  }

  #edgeLevelControl(): ByteRegisters {
    const chips = [this.#first, this.#second];
    return {
      readByte: (offset) => chips[offset]?.levels ?? 0xff,
      writeByte(offset, value) {
        const chip = chips[offset];
        if (chip !== undefined) chip.levels = value;
      },
    };
  }
}
