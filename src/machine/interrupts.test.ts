import { describe, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { APIC_MSR } from '../devices/local-apic.ts';
import { Interrupts } from './interrupts.ts';

const LOCAL = 0xfee0_0000;
const IO = 0xfec0_0000;
const HPET = 0xfed0_0000;

/** A board, its processor's pin, and the registers as a guest reaches them. */
function board() {
  const clock = new ManualClock();
  const mmio = new MmioBus();
  const pin = { asserted: false };
  const interrupts = new Interrupts({
    mmio,
    connections: {
      clock,
      wallClock: () => 0,
      interrupt: { set: (asserted) => (pin.asserted = asserted) },
      nonMaskableInterrupt() {},
      timeOfTimestamp: (low, high) => high * 2 ** 32 + low,
      setA20() {},
      setIgnoreFloatError() {},
      powerOff() {},
      requestReset() {},
      serial: { transmit() {}, room() {} },
      variablesChanged() {},
      debugConsole() {},
    },
  });
  const write = (gpa: number, value: number): void => mmio.write(gpa, 4, value);
  const redirect = (input: number, low: number): void => {
    write(IO, 0x10 + 2 * input);
    write(IO + 0x10, low);
  };
  /** The 8259s as a PC has them, nothing masked: IRQ 0 is vector 30h. */
  const startPic = (): void => {
    const { master, slave } = interrupts.pic;
    for (const [chip, base, cascade] of [[master, 0x30, 4] as const, [slave, 0x38, 2] as const]) {
      chip.write(0, 1, 0x11);
      for (const value of [base, cascade, 1, 0]) chip.write(1, 1, value);
    }
  };
  const take = (): number | undefined => (pin.asserted ? interrupts.localApic.acknowledge() : undefined);
  return { clock, mmio, interrupts, write, redirect, startPic, take };
}

describe("a device's line", () => {
  test('reaches the processor by the 8259s alone as long as nobody touches an APIC', () => {
    const { interrupts, startPic, take } = board();
    startPic();
    for (const irq of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
      interrupts.line(irq).set(true);
      expect(take()).toBe(0x30 + irq);
      expect(take()).toBe(undefined);
      interrupts.pic.slave.write(0, 1, 0x20);
      interrupts.pic.master.write(0, 1, 0x20);
    }
  });

  test("reaches the I/O APIC on the input of its number, the timer's on input 2", () => {
    const { interrupts, write, redirect, take } = board();
    write(LOCAL + 0xf0, 0x1ff);
    for (const irq of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
      redirect(irq === 0 ? 2 : irq, 0x40 + irq);
      interrupts.line(irq).set(true);
      expect(take()).toBe(0x40 + irq);
      write(LOCAL + 0xb0, 0);
    }
  });

  test('of a level asks again after the end of its interrupt, until it is released', () => {
    const { interrupts, write, redirect, take } = board();
    write(LOCAL + 0xf0, 0x1ff);
    redirect(10, 0x804a);
    const line = interrupts.line(10);
    line.set(true);
    expect(take()).toBe(0x4a);
    write(LOCAL + 0xb0, 0);
    expect(take()).toBe(0x4a);
    line.set(false);
    write(LOCAL + 0xb0, 0);
    expect(take()).toBe(undefined);
  });
});

test("the HPET takes the timer's and the clock's places, and gives them back", () => {
  const { clock, interrupts, write, startPic, take } = board();
  startPic();
  write(HPET + 0x100, 0x104);
  write(HPET + 0x108, 100);
  write(HPET + 0x10, 3);
  interrupts.timerLine.set(true);
  expect(take()).toBe(undefined);
  clock.advance(1000);
  expect(take()).toBe(0x30);
  interrupts.pic.master.write(0, 1, 0x20);
  interrupts.rtcLine.set(true);
  expect(take()).toBe(undefined);
  write(HPET + 0x10, 0);
  expect(take()).toBe(0x30);
  interrupts.pic.master.write(0, 1, 0x20);
  expect(take()).toBe(0x38);
});

describe('the page of the local APIC', () => {
  const version = 0x0105_0014;

  test('is where its base register says', () => {
    const { mmio, interrupts } = board();
    expect(mmio.read(LOCAL + 0x30, 4)).toBe(version);
    interrupts.localApic.writeMsr(APIC_MSR.base, 0xd000_0900, 0);
    expect([mmio.read(LOCAL + 0x30, 4), mmio.read(0xd000_0030, 4)]).toEqual([0xffff_ffff, version]);
    interrupts.reset();
    expect([mmio.read(LOCAL + 0x30, 4), mmio.read(0xd000_0030, 4)]).toEqual([version, 0xffff_ffff]);
  });

  test('is nowhere when another device is there, or in x2APIC mode', () => {
    const { mmio, interrupts } = board();
    interrupts.localApic.writeMsr(APIC_MSR.base, IO + 0x900, 0);
    expect([mmio.read(LOCAL + 0x30, 4), mmio.read(IO + 0x30, 4)]).toEqual([0xffff_ffff, 0]);
    interrupts.localApic.writeMsr(APIC_MSR.base, LOCAL + 0x900, 0);
    expect(mmio.read(LOCAL + 0x30, 4)).toBe(version);
    interrupts.localApic.writeMsr(APIC_MSR.base, LOCAL + 0xd00, 0);
    expect(mmio.read(LOCAL + 0x30, 4)).toBe(0xffff_ffff);
  });
});
