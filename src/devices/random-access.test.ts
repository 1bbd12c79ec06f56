import { describe, expect, it } from 'vitest';

import { Random, SEED } from '../../test/random.ts';
import { ManualClock } from '../base/clock.ts';
import { KiB, MICROSECOND, MiB, SECOND } from '../base/units.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';
import type { AccessSize, IoHandler } from '../bus/io-handler.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PortBus } from '../bus/port-bus.ts';
import { gpa, GuestMemory, HeapStore } from '../memory/index.ts';
import { ApicBus } from './apic-bus.ts';
import { DebugExit } from './debug-exit.ts';
import { DebugPort, PostCode } from './debug-port.ts';
import { Dma8237 } from './dma-8237.ts';
import { DmaEngine } from './dma-engine.ts';
import { FwCfg } from './fw-cfg.ts';
import { Hpet } from './hpet.ts';
import { IO_APIC_PINS, IoApic } from './io-apic.ts';
import { APIC_MSR, LocalApic } from './local-apic.ts';
import { Placement } from './pci/placement.ts';
import { Pic8259 } from './pic-8259.ts';
import { Pit8254 } from './pit-8254.ts';
import { Ps2Controller } from './ps2-8042.ts';
import { RtcCmos } from './rtc-cmos.ts';
import { KEY_NAMES } from './scan-code.ts';
import { Uart16550 } from './uart-16550.ts';

// Whatever a guest does, in whatever order and at whatever time, a device answers with a number that fits the access.

const STEPS = 20_000;

interface Subject {
  readonly handlers: readonly IoHandler[];
  readonly reset: () => void;
  /** What comes from outside: keys, lines, bytes. */
  readonly outside?: (random: Random) => void;
}

/** A line that complains when it is told something that is no level. */
const line: InterruptLine = { set: (asserted) => expect(typeof asserted).toBe('boolean') };

/** A page of registers under accesses that are close together: mostly the registers' own addresses, sometimes others. */
const page = (handler: IoHandler, step: number): IoHandler => ({
  read: (offset, size) => handler.read(offset < 4 ? offset : offset * step, size),
  write: (offset, size, value) => handler.write(offset < 4 ? offset : offset * step, size, value),
});

const SUBJECTS: Readonly<Record<string, (clock: ManualClock) => Subject>> = {
  pic() {
    const pic = new Pic8259({ output: line });
    const wires = [0, 1, 3, 4, 7, 8, 9, 13, 15].map((irq) => pic.line(irq));
    const outside = (random: Random): void => {
      random.pick(wires).set(random.below(2) === 1);
      const vector = pic.acknowledge();
      expect(vector >= 0 && vector <= 0xff).toBe(true);
    };
    return { handlers: [pic.master, pic.slave, pic.elcr], reset: () => pic.reset(), outside };
  },
  pit(clock) {
    const pit = new Pit8254({ clock, interrupt: line });
    return { handlers: [pit.ports, pit.ports, pit.systemControl], reset: () => pit.reset() };
  },
  rtc(clock) {
    const ram = { below4GiB: 128 * MiB, above4GiB: 0 };
    const rtc = new RtcCmos({ clock, interrupt: line, wallClock: () => 1_204_329_598, ram });
    return { handlers: [rtc.ports], reset: () => rtc.reset() };
  },
  ps2(clock) {
    const ps2: Ps2Controller = new Ps2Controller({
      clock,
      keyboardInterrupt: line,
      mouseInterrupt: line,
      setA20: (open) => expect(typeof open).toBe('boolean'),
      requestReset: () => ps2.reset(),
    });
    const outside = (random: Random): void => {
      if (random.below(2) === 0) ps2.keyboard.press(random.pick(KEY_NAMES));
      else ps2.keyboard.release(random.pick(KEY_NAMES));
      const [dx, dy, dz] = [random.below(1000) - 500, random.below(1000) - 500, random.below(20) - 10];
      ps2.mouse.move({ dx, dy, dz, buttons: random.below(32) });
    };
    return { handlers: [ps2.data, ps2.command], reset: () => ps2.reset(), outside };
  },
  uart(clock) {
    const refill = { bytes: [1, 2, 3] };
    const uart: Uart16550 = new Uart16550({
      clock,
      interrupt: line,
      backEnd: { transmit: (byte) => expect(byte >>> 8).toBe(0), room: () => void uart.receive(refill.bytes) },
    });
    const outside = (random: Random): void => {
      if (random.below(8) === 0) uart.receiveBreak();
      uart.receive(Array.from({ length: random.below(40) }, () => random.bits()));
      uart.setModemLines(random.bits());
    };
    return { handlers: [uart.ports], reset: () => uart.reset(), outside };
  },
  fwCfg() {
    const random = new Random(SEED + 1);
    const memory = {
      read(_gpa: number, target: Uint8Array) {
        for (let i = 0; i < target.length; i++) target[i] = random.below(4) === 0 ? random.bits() : 0;
        return random.below(8) !== 0;
      },
      write: () => random.below(8) !== 0,
    };
    const device = new FwCfg({ memory, ramSize: 128 * MiB });
    for (let i = 0; i < 8; i++) device.add(`file${i}`, new Uint8Array(i * 100), i % 2 === 0 ? {} : { onWrite() {} });
    return { handlers: [device.ports, device.dma], reset: () => device.reset() };
  },
  debugPort() {
    const port = new DebugPort({ emit: (byte) => expect(byte >>> 8).toBe(0) });
    const post = new PostCode();
    return { handlers: [port.port, post.port], reset: () => post.reset() };
  },
  debugExit() {
    const device = new DebugExit({ exit: (status) => expect(status % 2).not.toBe(0) });
    return { handlers: [device.ports], reset() {} };
  },
  localApic(clock) {
    const bus = new ApicBus();
    const apic: LocalApic = new LocalApic({
      clock,
      output: line,
      processor: {
        nonMaskableInterrupt() {},
        initialize: () => apic.initialize(),
        startUp: (vector) => expect(vector >>> 8).toBe(0),
      },
      acknowledgeExternal: () => 0x30,
      bus,
      timeOfTimestamp: (low, high) => high * 2 ** 32 + low,
      moved: (gpa) => expect(gpa === undefined || (gpa >= 0 && gpa % 4096 === 0)).toBe(true),
    });
    bus.attachProcessor(apic);
    const modes = [0xfee0_0000, 0xfee0_0800, 0xfee0_0800, 0xfee0_0c00];
    const outside = (random: Random): void => {
      random.pick([apic.lint0, apic.lint1]).set(random.below(2) === 1);
      apic.cr8 = random.bits();
      if (random.below(8) === 0) apic.writeMsr(APIC_MSR.base, random.pick(modes), random.below(4));
      const msr = random.below(4) === 0 ? APIC_MSR.deadline : APIC_MSR.first + random.below(64);
      apic.writeMsr(msr, random.below(2) === 0 ? random.bits() : random.below(256), random.below(2));
      if (apic.readMsr(msr)) expect([apic.msrLow >>> 0, apic.msrHigh >>> 0]).toEqual([apic.msrLow, apic.msrHigh]);
      expect(apic.acknowledge() >>> 8).toBe(0);
    };
    return { handlers: [page(apic.page, 0x20), page(apic.page, 0x10), apic.page], reset: () => apic.reset(), outside };
  },
  ioApic() {
    const bus = new ApicBus();
    const ioApic = new IoApic({ bus });
    bus.attachController(ioApic);
    bus.attachProcessor({
      priority: 0,
      accepts: (destination) => destination % 2 === 0,
      deliver: (mode, vector) => expect(mode >= 0 && mode < 8 && vector >>> 8 === 0).toBe(true),
    });
    const wires = Array.from({ length: IO_APIC_PINS }, (_, pin) => ioApic.line(pin));
    const outside = (random: Random): void => {
      random.pick(wires).set(random.below(2) === 1);
      bus.endOfInterrupt(random.below(256));
      ioApic.page.write(0, 4, random.below(0x48));
      ioApic.page.write(0x10, 4, random.bits());
    };
    return { handlers: [page(ioApic.page, 4), ioApic.page], reset: () => ioApic.reset(), outside };
  },
  hpet(clock) {
    const hpet = new Hpet({ clock, line: () => line, legacy: { timer: line, rtc: line, replace() {} } });
    return { handlers: [page(hpet.registers, 0x10), page(hpet.registers, 8)], reset: () => hpet.reset() };
  },
  dmaEngine(clock) {
    const memory = new GuestMemory({ store: new HeapStore(), addressBits: 32, wired: true });
    const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 64 * KiB });
    memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
    const ports = new Placement({ bus: new PortBus(), windows: [{ start: 0, end: 0x1_0000 }] });
    const bars = new Placement({ bus: new MmioBus(), windows: [{ start: 0x10_0000, end: 2 ** 32 }] });
    const assignment = memory.assign('engine');
    const engine = new DmaEngine({ clock, interrupt: line, memory: assignment, spaces: { memory: bars, ports } });
    const { config } = engine.pci;
    const reset = (): void => {
      engine.reset();
      config.write(0x10, 4, 0x10_0000);
      config.write(0x14, 4, 0x1000);
      config.write(0x04, 2, 7);
    };
    reset();
    const registers = { read: ports.bus.read.bind(ports.bus), write: ports.bus.write.bind(ports.bus) };
    const at = (handler: IoHandler, start: number): IoHandler => ({
      read: (offset, size) => handler.read(start + offset, size),
      write: (offset, size, value) => handler.write(start + offset, size, value),
    });
    const handlers = [at(registers, 0x1000), at(registers, 0x1004), at(registers, 0x1020), page(config, 1)];
    const outside = (random: Random): void => {
      const where = memory.at(gpa(0));
      if (where === undefined) memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
      else if (random.below(8) === 0) memory.edit((edit) => edit.withdraw(where));
    };
    return { handlers, reset, outside };
  },
  dma() {
    const dma = new Dma8237();
    return { handlers: [dma.first, dma.second, dma.pages], reset: () => dma.reset() };
  },
};

/** Mostly the small values that registers mean something by. */
function value(random: Random, size: AccessSize): number {
  const word = random.below(4) === 0 ? random.bits() : random.below(0x100);
  return size === 4 ? word : word & (size === 2 ? 0xffff : 0xff);
}

function access(random: Random, handler: IoHandler): void {
  const size = random.pick([1, 1, 1, 2, 4] as const);
  const offset = random.below(random.pick([4, 8, 32]));
  if (random.below(2) === 0) {
    handler.write(offset, size, value(random, size));
    return;
  }
  const answer = handler.read(offset, size);
  if (!Number.isInteger(answer) || answer < 0 || answer >= 2 ** (8 * size)) {
    throw new Error(`a read of ${size} at ${offset} answered ${answer}`);
  }
}

describe('under random accesses at random times', () => {
  it.each(Object.entries(SUBJECTS))(`%s never throws and answers within the access (seed ${SEED})`, (_name, make) => {
    const random = new Random(SEED);
    const clock = new ManualClock();
    const subject = make(clock);
    for (let step = 0; step < STEPS; step++) {
      const what = random.below(100);
      if (what === 0) subject.reset();
      else if (what < 10) subject.outside?.(random);
      else if (what === 10) clock.advance(random.below(SECOND));
      else if (what < 20) clock.advance(random.below(100 * MICROSECOND));
      else access(random, random.pick(subject.handlers));
    }
    expect(clock.now()).toBeGreaterThan(0);
  });
});
