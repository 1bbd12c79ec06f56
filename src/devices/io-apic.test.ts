import { describe, expect, it } from 'vitest';

import { ApicBus, BROADCAST, DELIVERY } from './apic-bus.ts';
import { IO_APIC_PINS, IoApic } from './io-apic.ts';

interface Message {
  mode: number;
  vector: number;
  level: boolean;
}

/** An I/O APIC and a processor that records what it gets. */
function board(options: { version?: 0x11 | 0x20 } = {}) {
  const bus = new ApicBus();
  const ioApic = new IoApic({ bus, ...options });
  const messages: Message[] = [];
  const asked: [number, boolean][] = [];
  bus.attachProcessor({
    priority: 0,
    accepts(destination, logical) {
      asked.push([destination, logical]);
      return destination === 0 || destination === BROADCAST;
    },
    deliver: (mode, vector, level) => messages.push({ mode, vector, level }),
  });
  bus.attachController(ioApic);
  const read = (register: number): number => {
    ioApic.page.write(0, 4, register);
    return ioApic.page.read(0x10, 4);
  };
  const write = (register: number, value: number): void => {
    ioApic.page.write(0, 4, register);
    ioApic.page.write(0x10, 4, value);
  };
  const entry = (pin: number, low: number, high = 0): void => {
    write(0x11 + 2 * pin, high);
    write(0x10 + 2 * pin, low);
  };
  return { bus, ioApic, messages, asked, read, write, entry };
}

const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const MASKED = 0x1_0000;

describe('registers', () => {
  it('say 24 entries and the version', () => {
    expect(board().read(1)).toBe(0x0017_0020);
    expect(board({ version: 0x11 }).read(1)).toBe(0x0017_0011);
  });

  it('keep what can be written, and nothing of what cannot', () => {
    const { read, write } = board();
    write(0, 0xffff_ffff);
    expect([read(0), read(2)]).toEqual([0x0f00_0000, 0x0f00_0000]);
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      expect([read(0x10 + 2 * pin), read(0x11 + 2 * pin)]).toEqual([MASKED, 0]);
      write(0x10 + 2 * pin, 0xffff_ffff);
      write(0x11 + 2 * pin, 0xffff_ffff);
      expect([read(0x10 + 2 * pin), read(0x11 + 2 * pin)]).toEqual([0x1_afff, 0xff00_0000]);
    }
    expect(read(0x40)).toBe(0);
  });
});

describe('an edge', () => {
  it.each(Array.from({ length: IO_APIC_PINS }, (_, pin) => pin))('on pin %i sends its vector once', (pin) => {
    const { ioApic, messages, entry } = board();
    const line = ioApic.line(pin);
    entry(pin, 0x30 + pin);
    line.set(true);
    line.set(true);
    expect(messages).toEqual([{ mode: 0, vector: 0x30 + pin, level: false }]);
    line.set(false);
    line.set(true);
    expect(messages).toHaveLength(2);
  });

  it('on a masked pin is lost', () => {
    const { ioApic, messages, entry } = board();
    ioApic.line(4).set(true);
    entry(4, 0x34);
    expect(messages).toEqual([]);
  });

  it.each([
    [DELIVERY.nmi, 0x400],
    [DELIVERY.external, 0x700],
    [DELIVERY.fixed, 0x100], // Lowest priority, which has been decided on the way.
  ])('is delivered in mode %i', (mode, bits) => {
    const { ioApic, messages, entry } = board();
    entry(0, bits | 0x33);
    ioApic.line(0).set(true);
    expect(messages[0]?.mode).toBe(mode);
  });
});

describe('a level', () => {
  it('asks once, and again after each end of interrupt while it lasts', () => {
    const { bus, ioApic, messages, entry, read } = board();
    const line = ioApic.line(9);
    entry(9, LEVEL | 0x39);
    line.set(true);
    expect(messages).toEqual([{ mode: 0, vector: 0x39, level: true }]);
    expect(read(0x22) & REMOTE_IRR).toBe(REMOTE_IRR);
    bus.endOfInterrupt(0x38);
    expect(messages).toHaveLength(1);
    bus.endOfInterrupt(0x39);
    expect(messages).toHaveLength(2);
    line.set(false);
    bus.endOfInterrupt(0x39);
    expect(messages).toHaveLength(2);
    expect(read(0x22) & REMOTE_IRR).toBe(0);
  });

  it('waits behind the mask', () => {
    const { ioApic, messages, entry } = board();
    ioApic.line(9).set(true);
    entry(9, LEVEL | MASKED | 0x39);
    expect(messages).toEqual([]);
    entry(9, LEVEL | 0x39);
    expect(messages).toHaveLength(1);
  });

  it('stays while one of its wires is asserted', () => {
    const { bus, ioApic, messages, entry } = board();
    const [first, second] = [ioApic.line(10), ioApic.line(10)];
    entry(10, LEVEL | 0x40);
    first.set(true);
    second.set(true);
    first.set(false);
    bus.endOfInterrupt(0x40);
    expect(messages).toHaveLength(2);
  });

  it('that nobody takes is not waited for', () => {
    const { ioApic, entry, read } = board();
    entry(9, LEVEL | 0x39, 0x0500_0000);
    ioApic.line(9).set(true);
    expect(read(0x22) & REMOTE_IRR).toBe(0);
  });

  it.each([
    [0x20, 2],
    [0x11, 1],
  ] as const)('of version %i can be ended by the EOI register: %i messages', (version, count) => {
    const { ioApic, messages, entry } = board({ version });
    entry(9, LEVEL | 0x39);
    ioApic.line(9).set(true);
    ioApic.page.write(0x40, 4, 0x39);
    expect(messages).toHaveLength(count);
  });

  it('forgets that it waits when its entry becomes an edge for a moment', () => {
    const { ioApic, messages, entry } = board({ version: 0x11 });
    entry(9, LEVEL | 0x39);
    ioApic.line(9).set(true);
    entry(9, MASKED | 0x39);
    entry(9, LEVEL | 0x39);
    expect(messages).toHaveLength(2);
  });
});

it.each([
  [0x0000, 0x0300_0000, [3, false]],
  [0x0800, 0x0300_0000, [3, true]],
  [0x0000, 0xff00_0000, [BROADCAST, false]],
] as const)('mode bit %i and destination %i ask for %j', (bits, high, expected) => {
  const { ioApic, asked, entry } = board();
  entry(1, bits | 0x31, high);
  ioApic.line(1).set(true);
  expect(asked).toEqual([expected]);
});
