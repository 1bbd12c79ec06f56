import { describe, expect, it } from 'vitest';

import { ManualClock } from '../base/clock.ts';
import { ApicBus, BROADCAST, DELIVERY } from './apic-bus.ts';
import { IoApic } from './io-apic.ts';
import { APIC_MSR, LocalApic } from './local-apic.ts';
import { Pic8259 } from './pic-8259.ts';

const R = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  ppr: 0xa0,
  eoi: 0xb0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initial: 0x380,
  current: 0x390,
  divide: 0x3e0,
} as const;
type RegisterName = keyof typeof R;

class Board {
  readonly clock: ManualClock = new ManualClock();
  readonly bus: ApicBus = new ApicBus();
  readonly ioApic: IoApic = new IoApic({ bus: this.bus });
  readonly apic: LocalApic;
  readonly pic: Pic8259;
  readonly events: string[] = [];
  intr = false;
  /** What the guest has added to the time-stamp counter. */
  adjustment = 0;

  constructor(id = 0) {
    this.apic = new LocalApic({
      clock: this.clock,
      id,
      bus: this.bus,
      output: { set: (asserted) => (this.intr = asserted) },
      acknowledgeExternal: () => this.pic.acknowledge(),
      processor: {
        nonMaskableInterrupt: () => this.events.push('NMI'),
        initialize: () => this.events.push('INIT'),
        startUp: (vector) => this.events.push(`start-up ${vector}`),
      },
      timeOfTimestamp: (low, high) => high * 2 ** 32 + low - this.adjustment,
      moved: (gpa) => this.events.push(`page ${gpa?.toString(16) ?? 'off'}`),
    });
    this.pic = new Pic8259({ output: this.apic.lint0 });
    this.bus.attachProcessor(this.apic);
    this.bus.attachController(this.ioApic);
  }

  /** The pair as a PC's firmware leaves it: IRQ 0 is vector 8, nothing masked. */
  withPic(): this {
    for (const [port, value] of [
      [0, 0x11],
      [1, 8],
      [1, 4],
      [1, 1],
      [1, 0],
    ] as const) {
      this.pic.master.write(port, 1, value);
    }
    return this;
  }

  enabled(): this {
    this.set('svr', 0x1ff);
    return this;
  }

  x2(): this {
    expect(this.apic.writeMsr(APIC_MSR.base, 0xfee0_0d00, 0)).toBe(true);
    return this;
  }

  get(name: RegisterName): number {
    return this.apic.page.read(R[name], 4);
  }

  set(name: RegisterName, value: number): void {
    this.apic.page.write(R[name], 4, value);
  }

  /** The vector that the processor takes, if its INTR is asserted. */
  take(): number | undefined {
    return this.intr ? this.apic.acknowledge() : undefined;
  }

  msr(index: number): number | undefined {
    return this.apic.readMsr(index) ? this.apic.msrLow : undefined;
  }
}

describe('after power-on', () => {
  it('the boot processor sees the 8259 pair, as if there were no APIC', () => {
    const board = new Board().withPic();
    const timer = board.pic.line(0);
    timer.set(true);
    expect(board.take()).toBe(8);
    expect(board.intr).toBe(false);
    board.pic.master.write(0, 1, 0x20);
    timer.set(false);
    timer.set(true);
    expect(board.take()).toBe(8);
  });

  it('another processor does not', () => {
    const board = new Board(1).withPic();
    board.pic.line(0).set(true);
    expect(board.intr).toBe(false);
  });

  it.each([
    ['id', 0],
    ['version', 0x0105_0014],
    ['tpr', 0],
    ['ldr', 0],
    ['dfr', 0xffff_ffff],
    ['svr', 0xff],
    ['timer', 0x1_0000],
    ['error', 0x1_0000],
    ['initial', 0],
  ] as const)('register %s reads %i', (name, value) => {
    expect(new Board().get(name)).toBe(value);
  });

  it('the base register says: boot processor, enabled, FEE00000h', () => {
    expect(new Board().msr(APIC_MSR.base)).toBe(0xfee0_0900);
  });
});

describe('priorities', () => {
  it('a vector waits behind one of its class in service and passes one of a lower class', () => {
    const board = new Board().enabled();
    board.apic.deliver(DELIVERY.fixed, 0x51, false);
    expect(board.take()).toBe(0x51);
    board.apic.deliver(DELIVERY.fixed, 0x5f, false);
    expect(board.intr).toBe(false);
    board.apic.deliver(DELIVERY.fixed, 0x60, false);
    expect(board.take()).toBe(0x60);
    expect(board.get('ppr')).toBe(0x60);
    board.set('eoi', 0);
    expect(board.intr).toBe(false);
    board.set('eoi', 0);
    expect(board.take()).toBe(0x5f);
  });

  it('every task priority holds back exactly the vectors of its class and below', () => {
    const board = new Board().enabled();
    for (let vector = 16; vector < 256; vector++) {
      board.apic.deliver(DELIVERY.fixed, vector, false);
      for (let priority = 0; priority < 256; priority += 15) {
        board.set('tpr', priority);
        expect(board.intr).toBe(vector >> 4 > priority >> 4);
        expect(board.apic.cr8).toBe(priority >> 4);
      }
      board.set('tpr', 0);
      expect(board.take()).toBe(vector);
      board.set('eoi', 0);
    }
  });

  it('CR8 and the task priority are one', () => {
    const board = new Board().enabled();
    board.apic.cr8 = 7;
    expect(board.get('tpr')).toBe(0x70);
  });

  it('a request that has gone away is answered with the spurious vector and leaves nothing in service', () => {
    const board = new Board().enabled();
    board.set('svr', 0x1ef);
    board.apic.deliver(DELIVERY.fixed, 0x40, false);
    board.set('tpr', 0xff);
    expect(board.apic.acknowledge()).toBe(0xef);
    for (let i = 0; i < 8; i++) expect(board.apic.page.read(R.isr + 16 * i, 4)).toBe(0);
  });

  it('an APIC that software has switched off takes no vectors and has its local sources masked', () => {
    const board = new Board().enabled();
    board.set('timer', 0x20);
    board.set('svr', 0xff);
    board.apic.deliver(DELIVERY.fixed, 0x40, false);
    expect(board.intr).toBe(false);
    expect(board.get('timer')).toBe(0x1_0020);
    board.set('timer', 0x20);
    expect(board.get('timer')).toBe(0x1_0020);
  });
});

describe('the timer', () => {
  function timer(entry: number, initial: number, divide = 0xb): Board {
    const board = new Board().enabled();
    board.set('divide', divide);
    board.set('timer', entry);
    board.set('initial', initial);
    return board;
  }

  it('counts down once, and interrupts when it reaches 0', () => {
    const board = timer(0x40, 1000);
    board.clock.advance(400);
    expect(board.get('current')).toBe(600);
    expect(board.intr).toBe(false);
    board.clock.advance(600);
    expect(board.get('current')).toBe(0);
    expect(board.take()).toBe(0x40);
    board.set('eoi', 0);
    board.clock.advance(1e6);
    expect(board.intr).toBe(false);
  });

  it('interrupts again and again in periodic mode, without drift', () => {
    const board = timer(0x2_0040, 100_000);
    let count = 0;
    for (let i = 0; i < 1000; i++) {
      board.clock.advance(33_333);
      if (board.take() === 0x40) {
        count++;
        board.set('eoi', 0);
      }
    }
    expect(count).toBe(Math.floor((1000 * 33_333) / 100_000));
  });

  it.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
  ])('with divide configuration %i counts every %i ticks', (configuration, divisor) => {
    const board = timer(0x40, 1000, configuration);
    board.clock.advance(divisor * 10);
    expect(board.get('current')).toBe(990);
    board.clock.advance(divisor * 990 - 1);
    expect(board.intr).toBe(false);
    board.clock.advance(1);
    expect(board.intr).toBe(true);
  });

  it('counts on from where it is when the divisor changes', () => {
    const board = timer(0x40, 1000);
    board.clock.advance(500);
    board.set('divide', 0);
    expect(board.get('current')).toBe(500);
    board.clock.advance(998);
    expect(board.get('current')).toBe(1);
  });

  it('is stopped by an initial count of 0', () => {
    const board = timer(0x40, 1000);
    board.set('initial', 0);
    board.clock.advance(1e9);
    expect([board.intr, board.get('current')]).toEqual([false, 0]);
  });

  it('counts silently while it is masked', () => {
    const board = timer(0x3_0040, 1000);
    board.clock.advance(2500);
    expect([board.intr, board.get('current')]).toEqual([false, 500]);
    expect(board.clock.nextDeadline).toBe(Infinity);
    board.set('timer', 0x2_0040);
    board.clock.advance(10_000);
    expect(board.intr).toBe(true);
  });

  it('with the shortest period does not stop time', () => {
    const board = timer(0x2_0040, 1);
    board.clock.advance(1_000_000);
    expect(board.take()).toBe(0x40);
  });

  it('waits for a value of the time-stamp counter, and the deadline reads 0 afterwards', () => {
    const board = new Board().enabled();
    board.set('timer', 0x4_0040);
    board.apic.writeMsr(APIC_MSR.deadline, 5000, 0);
    expect(board.msr(APIC_MSR.deadline)).toBe(5000);
    board.set('initial', 10);
    board.clock.advance(4999);
    expect([board.intr, board.get('current')]).toEqual([false, 0]);
    board.clock.advance(1);
    expect(board.take()).toBe(0x40);
    expect(board.msr(APIC_MSR.deadline)).toBe(0);
  });

  it('moves a deadline when the time-stamp counter is written, and no other timer', () => {
    const board = new Board().enabled();
    board.set('timer', 0x4_0040);
    board.apic.writeMsr(APIC_MSR.deadline, 5000, 0);
    board.adjustment = 3000;
    board.apic.timestampMoved();
    expect(board.msr(APIC_MSR.deadline)).toBe(5000);
    board.clock.advance(1999);
    expect(board.intr).toBe(false);
    board.clock.advance(1);
    expect(board.take()).toBe(0x40);
    board.apic.page.write(R.eoi, 4, 0);
    board.set('timer', 0x40);
    board.set('divide', 0xb);
    board.set('initial', 100);
    board.apic.timestampMoved();
    board.clock.advance(99);
    expect(board.intr).toBe(false);
  });

  it('ignores a deadline in another mode, and forgets it when the mode changes', () => {
    const board = timer(0x40, 0);
    board.apic.writeMsr(APIC_MSR.deadline, 5000, 0);
    expect(board.msr(APIC_MSR.deadline)).toBe(0);
    board.set('timer', 0x4_0040);
    board.apic.writeMsr(APIC_MSR.deadline, 5000, 0);
    board.set('timer', 0x40);
    board.clock.advance(1e6);
    expect([board.intr, board.msr(APIC_MSR.deadline)]).toEqual([false, 0]);
  });
});

describe('local sources', () => {
  it('LINT0 passes the 8259s on as long as it is ExtINT and unmasked', () => {
    const board = new Board().withPic().enabled();
    board.pic.line(0).set(true);
    expect(board.intr).toBe(true);
    board.set('lint0', 0x1_0700);
    expect(board.intr).toBe(false);
    board.set('lint0', 0x700);
    expect(board.take()).toBe(8);
  });

  it("an interrupt of the APIC's own comes before the 8259s'", () => {
    const board = new Board().withPic().enabled();
    board.pic.line(0).set(true);
    board.apic.deliver(DELIVERY.fixed, 0x31, false);
    expect([board.take(), board.take()]).toEqual([0x31, 8]);
  });

  it('LINT0 as a fixed interrupt gives its own vector on an edge', () => {
    const board = new Board().enabled();
    board.set('lint0', 0x45);
    board.apic.lint0.set(true);
    expect(board.take()).toBe(0x45);
    board.set('eoi', 0);
    expect(board.intr).toBe(false);
  });

  it('LINT0 as a level asks again until it is released', () => {
    const board = new Board().enabled();
    board.set('lint0', 0x8045);
    board.apic.lint0.set(true);
    expect(board.take()).toBe(0x45);
    expect(board.get('lint0')).toBe(0xc045);
    board.set('eoi', 0);
    expect(board.take()).toBe(0x45);
    board.apic.lint0.set(false);
    board.set('eoi', 0);
    expect(board.intr).toBe(false);
  });

  it('LINT1 is NMI', () => {
    const board = new Board();
    board.apic.lint1.set(true);
    board.apic.lint1.set(true);
    expect(board.events).toEqual(['NMI']);
  });

  it('an error interrupts once, and the status register shows it after a write', () => {
    const board = new Board().enabled();
    board.set('error', 0x42);
    board.set('icrLow', 0x4_0003); // To itself, vector 3.
    expect(board.take()).toBe(0x42);
    expect(board.get('esr')).toBe(0);
    board.set('esr', 0);
    expect(board.get('esr')).toBe(0x20);
    board.set('esr', 0);
    expect(board.get('esr')).toBe(0);
    board.set('eoi', 0);
    board.apic.page.read(0x3f0, 4);
    expect(board.take()).toBe(0x42);
  });
});

describe('interrupts between processors', () => {
  const SELF = 0x4_0000;
  const ALL = 0x8_0000;
  const OTHERS = 0xc_0000;

  it.each([
    ['itself', SELF | 0x50, 0, 0x50],
    ['all', ALL | 0x50, 0, 0x50],
    ['its physical number', 0x50, 0, 0x50],
    ['the broadcast number', 0x50, 0xff00_0000, 0x50],
    ['another number', 0x50, 0x0100_0000, undefined],
    ['all others', OTHERS | 0x50, 0, undefined],
    ['lowest priority among all', ALL | 0x150, 0, 0x50],
  ])('one sent to %s arrives or does not', (_to, low, high, vector) => {
    const board = new Board().enabled();
    board.set('icrHigh', high);
    board.set('icrLow', low);
    expect(board.take()).toBe(vector);
  });

  it('logical destinations, flat and in clusters', () => {
    const board = new Board().enabled();
    const reached = (destination: number): boolean => board.apic.accepts(destination, true);
    board.set('ldr', 0x0400_0000);
    expect([reached(4), reached(6), reached(3), reached(BROADCAST)]).toEqual([true, true, false, true]);
    board.set('dfr', 0);
    board.set('ldr', 0x2400_0000);
    expect([reached(0x24), reached(0x2f), reached(0x14), reached(0x23)]).toEqual([true, true, false, false]);
  });

  it.each([
    [0x4400, ['NMI']],
    [0x4500, ['INIT']],
    [0x8500, []], // De-assert.
    [0x4699, ['start-up 153']],
  ])('command %i does what its mode says', (low, events) => {
    const board = new Board().enabled();
    board.set('icrLow', low);
    expect(board.events).toEqual(events);
  });
});

describe('x2APIC mode', () => {
  it('takes the page away and shows the registers as MSRs', () => {
    const board = new Board().enabled().x2();
    expect(board.events).toEqual(['page off']);
    expect(board.msr(0x802)).toBe(0);
    expect(board.msr(0x803)).toBe(0x0105_0014);
    expect(board.msr(0x80d)).toBe(1);
    expect(board.apic.writeMsr(0x808, 0x20, 0)).toBe(true);
    expect(board.msr(0x80a)).toBe(0x20);
  });

  it('shows none of them before', () => {
    const board = new Board();
    for (let msr = 0x800; msr < 0x840; msr++)
      expect([board.msr(msr), board.apic.writeMsr(msr, 0, 0)]).toEqual([undefined, false]);
  });

  it.each([
    ['a read of what can only be written', (a: LocalApic) => a.readMsr(0x80b)],
    ['a read of the self-interrupt register', (a: LocalApic) => a.readMsr(0x83f)],
    ['a write of what can only be read', (a: LocalApic) => a.writeMsr(0x803, 0, 0)],
    ['a write of the identifier', (a: LocalApic) => a.writeMsr(0x802, 0, 0)],
    ['a write of the logical identifier', (a: LocalApic) => a.writeMsr(0x80d, 0, 0)],
    ['the destination format, which is gone', (a: LocalApic) => a.readMsr(0x80e)],
    ['the upper command register, which is gone', (a: LocalApic) => a.writeMsr(0x831, 0, 0)],
    ['an end of interrupt other than 0', (a: LocalApic) => a.writeMsr(0x80b, 1, 0)],
    ['an error status other than 0', (a: LocalApic) => a.writeMsr(0x828, 1, 0)],
    ['reserved bits', (a: LocalApic) => a.writeMsr(0x808, 0x100, 0)],
    ['upper halves', (a: LocalApic) => a.writeMsr(0x808, 0, 1)],
    ['a register that there is not', (a: LocalApic) => a.readMsr(0x804)],
  ])('refuses %s', (_what, act) => {
    expect(act(new Board().enabled().x2().apic)).toBe(false);
  });

  it('sends by a 64-bit command, and to itself by a register of its own', () => {
    const board = new Board().enabled().x2();
    expect(board.apic.writeMsr(0x830, 0x61, 0)).toBe(true);
    expect(board.take()).toBe(0x61);
    board.apic.writeMsr(0x80b, 0, 0);
    board.apic.writeMsr(0x830, 0x62, 1);
    expect(board.intr).toBe(false);
    expect([board.msr(0x830), board.apic.msrHigh]).toEqual([0x62, 1]);
    board.apic.writeMsr(0x83f, 0x63, 0);
    expect(board.take()).toBe(0x63);
  });
});

describe('the base register', () => {
  const OFF = 0;
  const ON = 0x800;
  const X2 = 0xc00;
  const INVALID = 0x400;
  const reach = { [OFF]: [OFF], [ON]: [], [X2]: [X2] } as const;

  it.each([
    [ON, ON, true],
    [ON, OFF, true],
    [ON, X2, true],
    [ON, INVALID, false],
    [OFF, OFF, true],
    [OFF, ON, true],
    [OFF, X2, false],
    [OFF, INVALID, false],
    [X2, X2, true],
    [X2, ON, false],
    [X2, OFF, true],
    [X2, INVALID, false],
  ] as const)('from mode %i to mode %i: %s', (from, to, allowed) => {
    const { apic } = new Board();
    for (const mode of reach[from]) apic.writeMsr(APIC_MSR.base, 0xfee0_0000 + mode, 0);
    expect(apic.writeMsr(APIC_MSR.base, 0xfee0_0000 + to, 0)).toBe(allowed);
  });

  it('moves the page, and keeps the bit of the boot processor', () => {
    const board = new Board();
    expect(board.apic.writeMsr(APIC_MSR.base, 0xd000_0800, 3)).toBe(true);
    expect(board.events).toEqual(['page 3d0000000']);
    expect([board.msr(APIC_MSR.base), board.apic.msrHigh]).toEqual([0xd000_0900, 3]);
    board.apic.reset();
    expect(board.events.at(-1)).toBe('page fee00000');
  });

  it.each([
    [0xfee0_0901, 0],
    [0xfee0_0a00, 0],
    [0xfee0_0900, 0x100],
  ])('refuses reserved bits: %i, %i', (low, high) => {
    expect(new Board().apic.writeMsr(APIC_MSR.base, low, high)).toBe(false);
  });

  it('switched off, the pin is INTR again and the registers forget', () => {
    const board = new Board().withPic().enabled();
    board.set('tpr', 0x40);
    board.set('lint0', 0x1_0000);
    board.apic.writeMsr(APIC_MSR.base, 0xfee0_0000, 0);
    board.pic.line(0).set(true);
    expect(board.take()).toBe(8);
    board.apic.writeMsr(APIC_MSR.base, 0xfee0_0800, 0);
    expect(board.get('tpr')).toBe(0);
  });
});

describe('odd accesses', () => {
  it.each([1, 2] as const)('a write of %i bytes is ignored', (size) => {
    const board = new Board().enabled();
    board.apic.page.write(R.tpr, size, 0x40);
    expect(board.get('tpr')).toBe(0);
  });

  it('a part of a register reads as that part, and the gap behind it as 0', () => {
    const { apic } = new Board();
    expect(apic.page.read(R.version + 2, 1)).toBe(0x05);
    expect(apic.page.read(R.version, 2)).toBe(0x0014);
    expect(apic.page.read(R.version + 4, 4)).toBe(0);
  });
});
