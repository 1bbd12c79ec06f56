import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../base/clock.ts';
import { SECOND } from '../../base/units.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { Placement } from '../pci/placement.ts';
import { Piix4PowerManagement } from './piix4-power-management.ts';
import { PM_TIMER_HZ } from './pm-timer.ts';

const BASE = 0x600;
const TIMER_EVENT = 1;
const POWER_BUTTON = 0x100;
const SCI_ENABLE = 1;

function board({ enabled = true } = {}) {
  const clock = new ManualClock();
  const bus = new PortBus();
  const ports = new Placement({ bus, windows: [{ start: 0x100, end: 0x1_0000 }] });
  const state = { sci: false, offs: 0 };
  const pm = new Piix4PowerManagement({
    clock,
    ports,
    sci: { set: (asserted) => void (state.sci = asserted) },
    powerOff: () => void state.offs++,
  });
  bus.register({ start: 0xafe0, length: 4 }, pm.gpe, 'GPE');
  if (enabled) {
    // As SeaBIOS does.
    pm.pci.config.write(0x40, 4, BASE | 1);
    pm.pci.config.write(0x80, 1, 1);
  }
  return { clock, bus, ports, pm, state };
}

describe('the block of I/O registers', () => {
  test('appears with PMBASE and the enable bit, in either order, and moves with PMBASE', () => {
    for (const enableFirst of [true, false]) {
      const { bus, pm } = board({ enabled: false });
      const writes: [number, number][] = [
        [0x80, 1],
        [0x40, BASE | 1],
      ];
      for (const [offset, value] of enableFirst ? writes : [...writes].reverse()) pm.pci.config.write(offset, 2, value);
      expect(bus.isFree(BASE, 64)).toBe(false);
      pm.pci.config.write(0x40, 4, 0xb000);
      expect([bus.isFree(BASE, 64), bus.isFree(0xb000, 64)]).toEqual([true, false]);
      pm.pci.config.write(0x80, 1, 0);
      expect(bus.isFree(0xb000, 64)).toBe(true);
    }
  });

  test('PMBASE reads back with bit 0 set and only its address bits kept', () => {
    const { pm } = board({ enabled: false });
    expect(pm.pci.config.read(0x40, 4)).toBe(1);
    pm.pci.config.write(0x40, 4, 0xffff_fffe);
    expect(pm.pci.config.read(0x40, 4)).toBe(0xffc1);
  });

  test('put over ports of the board it waits, and the register keeps the address', () => {
    const { bus, ports, pm } = board();
    pm.pci.config.write(0x40, 4, 0xafc1);
    expect(pm.pci.config.read(0x40, 4)).toBe(0xafc1);
    expect([ports.waiting.length, bus.isFree(0xafc0, 32), bus.read(0xafe0, 4)]).toEqual([1, true, 0]);
    pm.pci.config.write(0x40, 4, 0xb001);
    expect([ports.waiting.length, bus.isFree(0xb000, 64)]).toEqual([0, false]);
  });

  test('ports without a register float high', () => {
    const { bus } = board();
    expect([bus.read(BASE + 6, 2), bus.read(BASE + 12, 4)]).toEqual([0xffff, 0xffff_ffff]);
  });
});

describe('configuration space', () => {
  test('has APMC enable set after power-on, as QEMU’s identity and SMBus base', () => {
    const { config } = board({ enabled: false }).pm.pci;
    expect(config.read(0x00, 4)).toBe(0x7113_8086);
    expect(config.read(0x04, 4)).toBe(0x0280_0000);
    expect(config.read(0x08, 4)).toBe(0x0680_0003);
    expect(config.read(0x3d, 1)).toBe(1);
    expect(config.read(0x58, 4) & 0x0200_0000).toBe(0x0200_0000);
    config.write(0x90, 4, 0x701);
    expect([config.read(0x90, 4), config.read(0xd2, 1)]).toEqual([0x701, 0x09]);
  });
});

describe('the timer', () => {
  test('is read at +8 as 24 bits, at any size', () => {
    const { clock, bus } = board();
    clock.advance(5 * SECOND);
    const ticks = (5 * PM_TIMER_HZ) % 2 ** 24;
    expect(bus.read(BASE + 8, 4)).toBe(ticks);
    expect(bus.read(BASE + 8, 2)).toBe(ticks & 0xffff);
    expect(bus.read(BASE + 10, 1)).toBe(ticks >>> 16);
    bus.write(BASE + 8, 4, 0);
    expect(bus.read(BASE + 8, 4)).toBe(ticks);
  });

  test('sets its status bit when the highest bit changes, and again after it was cleared', () => {
    const { clock, bus } = board();
    const half = Math.ceil((2 ** 23 * SECOND) / PM_TIMER_HZ);
    for (let i = 0; i < 3; i++) {
      expect(bus.read(BASE, 2)).toBe(0);
      clock.advance(half);
      expect(bus.read(BASE, 2)).toBe(TIMER_EVENT);
      bus.write(BASE, 2, 0);
      expect(bus.read(BASE, 2)).toBe(TIMER_EVENT);
      bus.write(BASE, 2, TIMER_EVENT);
    }
  });

  test('a write to another status bit does not lose an event that nobody has looked at', () => {
    const { clock, bus } = board();
    clock.advance(3 * SECOND);
    bus.write(BASE, 2, POWER_BUTTON);
    expect(bus.read(BASE, 2)).toBe(TIMER_EVENT);
  });

  test('interrupts at the change when enabled, without anybody looking, and not while it is not', () => {
    const { clock, bus, state } = board();
    bus.write(BASE + 4, 2, SCI_ENABLE);
    clock.advance(3 * SECOND);
    expect(state.sci).toBe(false);
    bus.write(BASE, 2, TIMER_EVENT);
    bus.write(BASE + 2, 2, TIMER_EVENT);
    expect(state.sci).toBe(false);
    clock.advance(3 * SECOND);
    expect(state.sci).toBe(true);
    bus.write(BASE, 2, TIMER_EVENT);
    expect(state.sci).toBe(false);
  });

  test('has an alarm only while its event is enabled and has not come', () => {
    const { clock, bus } = board();
    expect(clock.nextDeadline).toBe(Infinity);
    bus.write(BASE + 2, 2, TIMER_EVENT);
    expect(clock.nextDeadline).toBe(Math.ceil((2 ** 23 * SECOND) / PM_TIMER_HZ));
    bus.write(BASE + 2, 2, 0);
    expect(clock.nextDeadline).toBe(Infinity);
    bus.write(BASE + 2, 2, TIMER_EVENT);
    clock.advance(3 * SECOND);
    expect(clock.nextDeadline).toBe(Infinity);
  });
});

describe('the SCI', () => {
  test('needs the event, its enable bit and SCI_EN, in any order', () => {
    const acts: ((pc: ReturnType<typeof board>) => void)[] = [
      ({ pm }) => pm.pressPowerButton(),
      ({ bus }) => bus.write(BASE + 2, 2, POWER_BUTTON),
      ({ pm }) => pm.apmCommand(0xf1),
    ];
    for (const [a, b, c] of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ] as const) {
      const pc = board();
      for (const act of [a, b, c]) {
        expect(pc.state.sci).toBe(false);
        acts[act]?.(pc);
      }
      expect(pc.state.sci).toBe(true);
      pc.bus.write(BASE, 2, POWER_BUTTON);
      expect(pc.state.sci).toBe(false);
    }
  });

  test('APM commands F1h and F0h switch SCI_EN; others do not', () => {
    const { bus, pm } = board();
    for (const [command, control] of [
      [0x00, 0],
      [0xf1, SCI_ENABLE],
      [0xee, SCI_ENABLE],
      [0xf0, 0],
    ] as const) {
      pm.apmCommand(command);
      expect(bus.read(BASE + 4, 2)).toBe(control);
    }
  });

  test('follows general-purpose events', () => {
    const { bus, pm, state } = board();
    pm.raiseGeneralEvent(0x02);
    expect([bus.read(0xafe0, 2), state.sci]).toEqual([0x02, false]);
    bus.write(0xafe2, 2, 0x02);
    expect(state.sci).toBe(true);
    bus.write(0xafe0, 1, 0x02);
    expect([bus.read(0xafe0, 4), state.sci]).toEqual([0x0002_0000, false]);
  });
});

describe('sleeping', () => {
  test('SLP_EN with type 0 or 2 powers off once, other types do not, and the bit never reads back', () => {
    for (let type = 0; type < 8; type++) {
      const { bus, state } = board();
      bus.write(BASE + 4, 2, type << 10);
      expect(state.offs).toBe(0);
      bus.write(BASE + 4, 2, 0x2000 | (type << 10));
      expect(state.offs).toBe(type === 0 || type === 2 ? 1 : 0);
      expect(bus.read(BASE + 4, 2)).toBe((type << 10) & 0x1c00);
    }
  });

  test('a guest that suspends wakes at once', () => {
    const { bus } = board();
    bus.write(BASE + 4, 2, 0x2400);
    expect(bus.read(BASE, 2)).toBe(0x8000);
    bus.write(BASE, 2, 0x8000);
    expect(bus.read(BASE, 2)).toBe(0);
  });
});

test('a reset takes the block away, silences the SCI, and leaves the timer running', () => {
  const { clock, bus, ports, pm, state } = board();
  bus.write(BASE + 2, 2, POWER_BUTTON);
  pm.apmCommand(0xf1);
  pm.pressPowerButton();
  clock.advance(3 * SECOND);
  pm.reset();
  expect([state.sci, bus.isFree(BASE, 64), ports.waiting.length]).toEqual([false, true, 0]);
  pm.pci.config.write(0x40, 4, BASE);
  pm.pci.config.write(0x80, 1, 1);
  expect([bus.read(BASE, 4), bus.read(BASE + 4, 2), bus.read(BASE + 8, 4)]).toEqual([0, 0, 3 * PM_TIMER_HZ]);
});
