import type { Clock, Nanoseconds } from '../base/clock.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { AccessSize, IoHandler } from '../bus/io-handler.ts';
import { BROADCAST, DELIVERY, type ApicAgent, type ApicBus } from './apic-bus.ts';
import { LocalApicTimer } from './local-apic-timer.ts';
import { VectorSet } from './vector-set.ts';

/** MSRs that are the local APIC's (SDM volume 4, table 2-2). */
export const APIC_MSR = { base: 0x1b, deadline: 0x6e0, first: 0x800, end: 0x840 } as const;

export const APIC_PAGE = { start: 0xfee0_0000, length: 0x1000 } as const;

/** IA32_APIC_BASE. */
const BASE_BSP = 0x100;
const BASE_X2APIC = 0x400;
const BASE_ENABLE = 0x800;
const BASE_RESERVED = 0x2ff;

/** Registers by number: the page has one every 16 bytes, the MSRs from 800h on one each (SDM volume 3, table 11-1, 11-6). */
const REGISTER = {
  id: 0x02,
  version: 0x03,
  taskPriority: 0x08,
  arbitrationPriority: 0x09,
  processorPriority: 0x0a,
  endOfInterrupt: 0x0b,
  remoteRead: 0x0c,
  logicalDestination: 0x0d,
  destinationFormat: 0x0e,
  spurious: 0x0f,
  inService: 0x10,
  triggerMode: 0x18,
  requests: 0x20,
  errors: 0x28,
  commandLow: 0x30,
  commandHigh: 0x31,
  timer: 0x32,
  thermal: 0x33,
  performance: 0x34,
  lint0: 0x35,
  lint1: 0x36,
  error: 0x37,
  initialCount: 0x38,
  currentCount: 0x39,
  divide: 0x3e,
  selfInterrupt: 0x3f,
} as const;
const REGISTERS = 64;

/** Version 14h, six LVT entries, EOI broadcasts can be suppressed. */
const VERSION = 0x0105_0014;

const SVR_ENABLE = 0x100;
const SVR_NO_BROADCAST = 0x1000;
const SVR_BITS = 0x11ff;

const LVT_MASKED = 0x1_0000;
const LVT_LEVEL = 0x8000;
const LVT_REMOTE_IRR = 0x4000;
/** Bits that software may write, by entry. */
const LVT_BITS = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff] as const;
/** Delivery status, which is always idle, and remote IRR. */
const LVT_READ_ONLY = 0x5000;
const LVT = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;

/** What the boot processor's pins are at power-on, as a PC's firmware leaves them: INTR and NMI ("virtual wire"). */
const LINT0_WIRE = DELIVERY.external << 8;
const LINT1_WIRE = DELIVERY.nmi << 8;

const ERROR = { sendVector: 0x20, receiveVector: 0x40, register: 0x80 } as const;
const LOWEST_VECTOR = 16;

const ICR_LOGICAL = 0x800;
const ICR_ASSERT = 0x4000;
const ICR_LEVEL = 0x8000;
const ICR_LOW_BITS = 0xc_cfff;
const SHORTHAND = { none: 0, self: 1, all: 2, others: 3 } as const;

/** What a local APIC does to its processor. */
export interface ApicProcessor {
  nonMaskableInterrupt(): void;
  /** INIT: as reset, but for caches, MSRs and coprocessor. */
  initialize(): void;
  /** Start-up: real mode at vector * 4096, if it is waiting for that. */
  startUp(vector: number): void;
}

export interface LocalApicOptions {
  readonly clock: Clock;
  /** The processor's INTR: asserted while there is something to acknowledge. */
  readonly output: InterruptLine;
  readonly processor: ApicProcessor;
  /** The interrupt-acknowledge cycle to the 8259 pair. */
  readonly acknowledgeExternal: () => number;
  readonly bus: ApicBus;
  readonly timeOfTimestamp: (low: number, high: number) => Nanoseconds;
  /** The page of registers is now there, or nowhere. Not told of the state after construction. */
  readonly moved: (gpa: number | undefined) => void;
  /** 0 is the boot processor. */
  readonly id?: number;
  readonly addressBits?: number;
}

/** A register as software sees it. */
interface Register {
  readonly read?: () => number;
  readonly write?: (value: number) => void;
  /** Bits that may be 1 in a write to the MSR. */
  readonly bits?: number;
  /** The MSR cannot be written: #GP(0). */
  readonly fixedInMsr?: boolean;
  /** Whether an MSR leads to it, the page, or both. */
  readonly only?: 'page' | 'msr';
}

/**
 * A processor's local APIC (SDM volume 3, chapter 11), with x2APIC. Its page, `page`, is wherever IA32_APIC_BASE says, FEE00000h
 * at first; the registers are also MSRs once software has chosen x2APIC. `lint0` is wired to the 8259 pair's output.
 *
 * After power-on the boot processor's APIC passes the 8259s' requests on, so that a guest which does not know of it sees a
 * PC with 8259s alone. (The manual's state has LINT0 masked, and firmware opens it.)
 */
export class LocalApic implements ApicAgent {
  readonly page: IoHandler;
  readonly lint0: InterruptLine;
  readonly lint1: InterruptLine;
  /** The value of the MSR that `readMsr` was last asked for. */
  msrLow = 0;
  msrHigh = 0;

  readonly #options: LocalApicOptions;
  readonly #initialId: number;
  readonly #timer: LocalApicTimer;
  readonly #registers: readonly (Register | undefined)[];
  readonly #requests: VectorSet = new VectorSet();
  readonly #inService: VectorSet = new VectorSet();
  readonly #levels: VectorSet = new VectorSet();
  readonly #lvt: Uint32Array = new Uint32Array(6);
  readonly #pins: boolean[] = [false, false];
  #base = 0;
  /** Bits 63:32 of IA32_APIC_BASE. */
  #baseHigh = 0;
  #id = 0;
  #taskPriority = 0;
  #logical = 0;
  #format = 0xffff_ffff;
  #spurious = 0xff;
  #errors = 0;
  #newErrors = 0;
  #commandLow = 0;
  #commandHigh = 0;
  /** An I/O APIC has handed on a request of the 8259s. */
  #externalMessage = false;

  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.#initialId = options.id ?? 0;
    const { clock, timeOfTimestamp } = options;
    this.#timer = new LocalApicTimer({ clock, timeOfTimestamp, expired: () => this.#raiseLocal(LVT.timer) });
    this.#registers = this.#table();
    this.lint0 = { set: (asserted) => this.#setPin(0, asserted) };
    this.lint1 = { set: (asserted) => this.#setPin(1, asserted) };
    this.page = {
      read: (offset, size) => this.#read(offset, size),
      write: (o, size, value) => this.#write(o, size, value),
    };
    this.#base = this.#powerOnBase();
    this.initialize();
  }

  reset(): void {
    const before = this.#pageAddress();
    this.#base = this.#powerOnBase();
    this.#baseHigh = 0;
    this.initialize();
    this.#tellMoved(before);
  }

  /** INIT: the registers as after power-on, but IA32_APIC_BASE stays. */
  initialize(): void {
    this.#id = this.#initialId;
    this.#taskPriority = 0;
    this.#format = 0xffff_ffff;
    this.#logical = this.#isX2 ? x2LogicalId(this.#id) : 0;
    this.#spurious = 0xff;
    this.#errors = this.#newErrors = 0;
    this.#commandLow = this.#commandHigh = 0;
    this.#externalMessage = false;
    for (const set of [this.#requests, this.#inService, this.#levels]) set.clear();
    this.#lvt.fill(LVT_MASKED);
    if (this.#initialId === 0) {
      this.#lvt[LVT.lint0] = LINT0_WIRE;
      this.#lvt[LVT.lint1] = LINT1_WIRE;
    }
    this.#timer.reset();
    this.#update();
  }

  // The processor's side

  /** The interrupt-acknowledge cycle; answers the vector. The spurious one when the request has gone away. */
  acknowledge(): number {
    if (!this.#isEnabled) return this.#options.acknowledgeExternal();
    const vector = this.#deliverable();
    if (vector >= 0) {
      this.#requests.set(vector, false);
      this.#inService.set(vector, true);
      this.#update();
      return vector;
    }
    if (!this.#hasExternal()) return this.#spurious & 0xff;
    this.#externalMessage = false;
    const external = this.#options.acknowledgeExternal();
    this.#update();
    return external;
  }

  /** CR8: the upper four bits of the task priority. */
  get cr8(): number {
    return this.#taskPriority >>> 4;
  }

  set cr8(value: number) {
    this.#setTaskPriority((value & 0xf) << 4);
  }

  /** RDMSR of one of APIC_MSR: the value is in `msrLow` and `msrHigh` then. False is #GP(0). */
  readMsr(msr: number): boolean {
    if (msr === APIC_MSR.base) return this.#answer(this.#base, this.#baseHigh);
    if (msr === APIC_MSR.deadline) return this.#answer(this.#timer.deadlineLow, this.#timer.deadlineHigh);
    const number = msr - APIC_MSR.first;
    const register = this.#registers[number];
    if (!this.#isX2 || register?.read === undefined || register.only === 'page') return false;
    return this.#answer(register.read(), number === REGISTER.commandLow ? this.#commandHigh : 0);
  }

  /** WRMSR; false is #GP(0). */
  writeMsr(msr: number, low: number, high: number): boolean {
    if (msr === APIC_MSR.base) return this.#writeBase(low >>> 0, high >>> 0);
    if (msr === APIC_MSR.deadline) {
      this.#timer.setDeadline(low, high);
      return true;
    }
    const number = msr - APIC_MSR.first;
    const register = this.#registers[number];
    if (!this.#isX2 || register?.write === undefined || register.only === 'page' || register.fixedInMsr) return false;
    if ((low & ~(register.bits ?? 0xffff_ffff)) !== 0) return false;
    if (number === REGISTER.commandLow) this.#commandHigh = high >>> 0;
    else if (high !== 0) return false;
    register.write(low >>> 0);
    return true;
  }

  /** The time-stamp counter has been written: its deadline comes earlier or later. */
  timestampMoved(): void {
    this.#timer.timestampMoved();
  }

  // What arrives

  accepts(destination: number, logical: boolean): boolean {
    if (!this.#isEnabled) return false;
    if (destination === BROADCAST) return true;
    if (!logical) return destination === this.#id;
    if (this.#isX2) return destination >>> 16 === this.#logical >>> 16 && (destination & this.#logical & 0xffff) !== 0;
    const own = this.#logical >>> 24;
    if (this.#format >>> 28 === 0xf) return (own & destination) !== 0;
    return own >>> 4 === destination >>> 4 && (own & destination & 0xf) !== 0;
  }

  get priority(): number {
    return this.#processorPriority();
  }

  deliver(mode: number, vector: number, level: boolean): void {
    const { processor } = this.#options;
    if (mode === DELIVERY.fixed || mode === DELIVERY.lowestPriority) this.#request(vector, level);
    else if (mode === DELIVERY.nmi) processor.nonMaskableInterrupt();
    else if (mode === DELIVERY.init) processor.initialize();
    else if (mode === DELIVERY.startUp) processor.startUp(vector);
    else if (mode === DELIVERY.external) {
      this.#externalMessage = true;
      this.#update();
    }
  }

  /** Takes a vector, unless software has switched the APIC off (section 11.4.7.2). */
  #request(vector: number, level: boolean): void {
    if (!this.#isSoftwareEnabled) return;
    if (vector < LOWEST_VECTOR) {
      this.#fail(ERROR.receiveVector);
      return;
    }
    this.#requests.set(vector, true);
    this.#levels.set(vector, level);
    this.#update();
  }

  #setPin(pin: 0 | 1, asserted: boolean): void {
    if (this.#pins[pin] === asserted) return;
    this.#pins[pin] = asserted;
    if (!this.#isEnabled) this.#setBarePin(pin, asserted);
    else if (asserted) this.#raiseLocal(LVT.lint0 + pin);
    this.#update();
  }

  /** With the APIC off by its base register, the pins are INTR and NMI themselves. */
  #setBarePin(pin: 0 | 1, asserted: boolean): void {
    if (pin === 1 && asserted) this.#options.processor.nonMaskableInterrupt();
  }

  /** A local source has something: its LVT entry says what becomes of it. */
  #raiseLocal(index: number): void {
    const entry = this.#lvt[index] ?? LVT_MASKED;
    if ((entry & LVT_MASKED) !== 0) return;
    // The timer's and the error's entries have no delivery mode: bits 10:8 read 0, which is fixed.
    const mode = (entry >>> 8) & 7;
    if (mode === DELIVERY.external) return;
    const level = (entry & LVT_LEVEL) !== 0 && mode === DELIVERY.fixed;
    if (level && (entry & LVT_REMOTE_IRR) !== 0) return;
    if (level) this.#lvt[index] = entry | LVT_REMOTE_IRR;
    this.deliver(mode, entry & 0xff, level);
  }

  // Priorities

  get #isEnabled(): boolean {
    return (this.#base & BASE_ENABLE) !== 0;
  }

  get #isX2(): boolean {
    return (this.#base & BASE_X2APIC) !== 0;
  }

  get #isSoftwareEnabled(): boolean {
    return (this.#spurious & SVR_ENABLE) !== 0;
  }

  /** Section 11.8.3.1: the higher class of task and interrupt in service. */
  #processorPriority(): number {
    const serving = this.#inService.highest();
    const task = this.#taskPriority;
    return serving >>> 4 > task >>> 4 && serving >= 0 ? serving & 0xf0 : task;
  }

  /** The vector that the processor would get now, or -1. */
  #deliverable(): number {
    const vector = this.#requests.highest();
    return vector >= 0 && vector >>> 4 > this.#processorPriority() >>> 4 ? vector : -1;
  }

  #hasExternal(): boolean {
    if (this.#externalMessage) return true;
    const entry = this.#lvt[LVT.lint0] ?? 0;
    const passes = (entry & LVT_MASKED) === 0 && ((entry >>> 8) & 7) === DELIVERY.external;
    return passes && this.#pins[0] === true;
  }

  #update(): void {
    const asserted = this.#isEnabled ? this.#hasExternal() || this.#deliverable() >= 0 : this.#pins[0] === true;
    this.#options.output.set(asserted);
  }

  #setTaskPriority(value: number): void {
    this.#taskPriority = value & 0xff;
    this.#update();
  }

  #endOfInterrupt(): void {
    const vector = this.#inService.highest();
    if (vector < 0) return;
    this.#inService.set(vector, false);
    if (this.#levels.has(vector)) this.#endOfLevel(vector);
    this.#update();
  }

  #endOfLevel(vector: number): void {
    for (const [pin, index] of [LVT.lint0, LVT.lint1].entries()) {
      const entry = this.#lvt[index] ?? 0;
      if ((entry & 0xff) !== vector || (entry & LVT_REMOTE_IRR) === 0) continue;
      this.#lvt[index] = entry & ~LVT_REMOTE_IRR;
      if (this.#pins[pin] === true) this.#raiseLocal(index);
    }
    if ((this.#spurious & SVR_NO_BROADCAST) === 0) this.#options.bus.endOfInterrupt(vector);
  }

  #fail(error: number): void {
    const isNew = (this.#newErrors & error) === 0;
    this.#newErrors |= error;
    if (isNew) this.#raiseLocal(LVT.error);
  }

  // Registers

  #table(): (Register | undefined)[] {
    const table: (Register | undefined)[] = Array.from({ length: REGISTERS }, () => undefined);
    const put = (number: number, register: Register): void => {
      table[number] = register;
    };
    put(REGISTER.id, {
      read: () => (this.#isX2 ? this.#id : (this.#id << 24) >>> 0),
      write: (value) => void (this.#id = value >>> 24),
      fixedInMsr: true,
    });
    put(REGISTER.version, { read: () => VERSION });
    put(REGISTER.taskPriority, {
      read: () => this.#taskPriority,
      write: (value) => this.#setTaskPriority(value),
      bits: 0xff,
    });
    put(REGISTER.arbitrationPriority, { read: () => this.#processorPriority(), only: 'page' });
    put(REGISTER.processorPriority, { read: () => this.#processorPriority() });
    put(REGISTER.endOfInterrupt, { write: () => this.#endOfInterrupt(), bits: 0 });
    put(REGISTER.remoteRead, { read: () => 0, only: 'page' });
    put(REGISTER.logicalDestination, {
      read: () => this.#logical,
      write: (value) => void (this.#logical = (value & 0xff00_0000) >>> 0),
      fixedInMsr: true,
    });
    put(REGISTER.destinationFormat, {
      read: () => this.#format,
      write: (value) => void (this.#format = (value | 0x0fff_ffff) >>> 0),
      only: 'page',
    });
    put(REGISTER.spurious, { read: () => this.#spurious, write: (value) => this.#setSpurious(value), bits: SVR_BITS });
    for (let i = 0; i < 8; i++) {
      put(REGISTER.inService + i, { read: () => this.#inService.word(i) });
      put(REGISTER.triggerMode + i, { read: () => this.#levels.word(i) });
      put(REGISTER.requests + i, { read: () => this.#requests.word(i) });
    }
    put(REGISTER.errors, { read: () => this.#errors, write: () => this.#latchErrors(), bits: 0 });
    put(REGISTER.commandLow, {
      read: () => this.#commandLow,
      write: (value) => this.#command(value),
      bits: ICR_LOW_BITS,
    });
    put(REGISTER.commandHigh, {
      read: () => this.#commandHigh,
      write: (value) => void (this.#commandHigh = value),
      only: 'page',
    });
    for (const [index, bits] of LVT_BITS.entries()) {
      const write = (value: number): void => this.#setLocal(index, value);
      put(REGISTER.timer + index, { read: () => this.#lvt[index] ?? 0, write, bits: bits | LVT_READ_ONLY });
    }
    put(REGISTER.initialCount, {
      read: () => this.#timer.initial,
      write: (value) => void (this.#timer.initial = value),
    });
    put(REGISTER.currentCount, { read: () => this.#timer.count });
    put(REGISTER.divide, {
      read: () => this.#timer.divide,
      write: (value) => void (this.#timer.divide = value),
      bits: 0xb,
    });
    put(REGISTER.selfInterrupt, { write: (value) => this.#interruptSelf(value), bits: 0xff, only: 'msr' });
    return table;
  }

  /** Bytes of the register; the twelve bytes after each read 0. */
  #read(offset: number, size: AccessSize): number {
    const register = this.#registers[offset >>> 4];
    if (register === undefined || register.only === 'msr') {
      this.#fail(ERROR.register);
      return 0;
    }
    const at = offset & 0xf;
    if (register.read === undefined || at > 3) return 0;
    const value = register.read() >>> (8 * at);
    return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
  }

  /** Only whole registers are written: what less does, the manual leaves undefined (section 11.4.1). */
  #write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 0xf) !== 0) return;
    const register = this.#registers[offset >>> 4];
    if (register === undefined || register.only === 'msr') this.#fail(ERROR.register);
    else register.write?.(value >>> 0);
  }

  #answer(low: number, high: number): true {
    this.msrLow = low;
    this.msrHigh = high;
    return true;
  }

  /** A switched-off APIC has all its local sources masked. */
  #setSpurious(value: number): void {
    const wasEnabled = this.#isSoftwareEnabled;
    this.#spurious = value & SVR_BITS;
    if (!wasEnabled || this.#isSoftwareEnabled) return;
    for (const index of LVT_BITS.keys()) this.#setLocal(index, this.#lvt[index] ?? 0);
  }

  #setLocal(index: number, value: number): void {
    const previous = this.#lvt[index] ?? 0;
    const mask = this.#isSoftwareEnabled ? 0 : LVT_MASKED;
    const entry =
      (value & (LVT_BITS[index] ?? 0)) | mask | (previous & value & LVT_LEVEL ? previous & LVT_REMOTE_IRR : 0);
    this.#lvt[index] = entry;
    if (index === LVT.timer) this.#timer.configure(entry, (entry & LVT_MASKED) !== 0);
    // A level that waits behind the mask is a request once the mask is off.
    const pin = index - LVT.lint0;
    if ((pin === 0 || pin === 1) && this.#pins[pin] === true && (entry & LVT_LEVEL) !== 0) this.#raiseLocal(index);
    this.#update();
  }

  /** A write shows what has gone wrong since the last one. */
  #latchErrors(): void {
    this.#errors = this.#newErrors;
    this.#newErrors = 0;
  }

  // Interrupts between processors (section 11.6)

  #command(value: number): void {
    this.#commandLow = value & ICR_LOW_BITS;
    const mode = (value >>> 8) & 7;
    const vector = value & 0xff;
    if (mode === DELIVERY.init && (value & ICR_LEVEL) !== 0 && (value & ICR_ASSERT) === 0) return; // INIT de-assert.
    if ((mode === DELIVERY.fixed || mode === DELIVERY.lowestPriority) && vector < LOWEST_VECTOR) {
      this.#fail(ERROR.sendVector);
      return;
    }
    this.#sendCommand((value >>> 18) & 3, mode, vector, (value & ICR_LOGICAL) !== 0);
  }

  #sendCommand(shorthand: number, mode: number, vector: number, logical: boolean): void {
    const { bus } = this.#options;
    if (shorthand === SHORTHAND.self) this.deliver(mode, vector, false);
    else if (shorthand === SHORTHAND.all) bus.send(BROADCAST, false, mode, vector, false);
    else if (shorthand === SHORTHAND.others) bus.send(BROADCAST, false, mode, vector, false, this);
    else bus.send(this.#commandDestination(), logical, mode, vector, false);
  }

  #commandDestination(): number {
    if (this.#isX2) return this.#commandHigh;
    const destination = this.#commandHigh >>> 24;
    return destination === 0xff ? BROADCAST : destination;
  }

  #interruptSelf(vector: number): void {
    if (vector < LOWEST_VECTOR) this.#fail(ERROR.sendVector);
    else this.#request(vector, false);
  }

  // IA32_APIC_BASE (sections 11.4.3, 11.4.4, 11.12.5)

  #powerOnBase(): number {
    return (APIC_PAGE.start | BASE_ENABLE | (this.#initialId === 0 ? BASE_BSP : 0)) >>> 0;
  }

  #writeBase(low: number, high: number): boolean {
    const highBits = 2 ** ((this.#options.addressBits ?? 40) - 32) - 1;
    if ((low & BASE_RESERVED) !== 0 || (high & ~highBits) !== 0) return false;
    const enable = (low & BASE_ENABLE) !== 0;
    const x2 = (low & BASE_X2APIC) !== 0;
    // Into x2APIC mode only from the enabled state, out of it only by way of off.
    if (x2 && (!enable || !this.#isEnabled)) return false;
    if (!x2 && enable && this.#isX2) return false;
    const before = this.#pageAddress();
    const wasEnabled = this.#isEnabled;
    const wasX2 = this.#isX2;
    this.#base = ((low & ~BASE_BSP) | (this.#base & BASE_BSP)) >>> 0;
    this.#baseHigh = high;
    if (wasEnabled && !enable) this.initialize();
    if (x2 && !wasX2) this.#enterX2();
    this.#update();
    this.#tellMoved(before);
    return true;
  }

  #enterX2(): void {
    this.#id = this.#initialId;
    this.#logical = x2LogicalId(this.#id);
    this.#commandHigh = 0;
  }

  #pageAddress(): number | undefined {
    if (!this.#isEnabled || this.#isX2) return undefined;
    return this.#baseHigh * 2 ** 32 + (this.#base & ~0xfff) + (this.#base >= 2 ** 31 ? 2 ** 32 : 0);
  }

  #tellMoved(before: number | undefined): void {
    const now = this.#pageAddress();
    if (now !== before) this.#options.moved(now);
  }
}

/** Section 11.12.10.2: cluster in the upper half, one bit of sixteen in the lower. */
function x2LogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}
