import { describe, expect, test } from 'vitest';
import { BusError } from './bus-error.ts';
import { allOnes, type AccessSize, type IoHandler } from './io-handler.ts';
import { MmioBus } from './mmio-bus.ts';
import { PortBus } from './port-bus.ts';

const SIZES: readonly AccessSize[] = [1, 2, 4];

/** Reads back each byte's own offset plus a tag; remembers what it was asked. */
class Recorder implements IoHandler {
  readonly accesses: string[] = [];
  readonly tag: number;

  constructor(tag: number) {
    this.tag = tag;
  }

  read(offset: number, size: AccessSize): number {
    this.accesses.push(`r${size}@${offset}`);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | ((this.tag + offset + i) & 0xff);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.accesses.push(`w${size}@${offset}=${value.toString(16)}`);
  }
}

describe('a bus', () => {
  test('hands an access to the handler that claims it, with the offset in the claim', () => {
    for (const bus of [new PortBus(), new MmioBus()]) {
      const device = new Recorder(0x80);
      bus.register({ start: 0x3f8, length: 8 }, device, 'uart');
      expect(bus.read(0x3f8, 4)).toBe(0x8382_8180);
      bus.write(0x3fc, 2, 0xbeef);
      expect(device.accesses).toEqual(['r4@0', 'w2@4=beef']);
      expect(bus.unclaimedReads + bus.unclaimedWrites).toBe(0);
    }
  });

  test('an unclaimed read gives all ones, an unclaimed write is dropped, both are counted', () => {
    const bus = new MmioBus();
    for (const size of SIZES) {
      expect(bus.read(0xfee0_0000, size)).toBe(allOnes(size));
      bus.write(0xfee0_0000, size, 0);
    }
    expect([bus.unclaimedReads, bus.unclaimedWrites]).toEqual([3, 3]);
  });

  test('an access across the edge of a claim is split into bytes, at either edge and between two claims', () => {
    const bus = new PortBus();
    const low = new Recorder(0x10);
    const high = new Recorder(0x20);
    bus.register({ start: 0x100, length: 2 }, low, 'low');
    bus.register({ start: 0x102, length: 1 }, high, 'high');
    expect(bus.read(0x100, 4)).toBe(0xff20_1110);
    expect(bus.read(0xff, 2)).toBe(0x10ff);
    bus.write(0x101, 4, 0x4433_2211);
    expect(low.accesses.at(-1)).toBe('w1@1=11');
    expect(high.accesses.at(-1)).toBe('w1@0=22');
    expect([bus.unclaimedReads, bus.unclaimedWrites]).toEqual([2, 2]);
  });

  test('an access past the last port wraps to port 0', () => {
    const bus = new PortBus();
    bus.register({ start: 0, length: 1 }, new Recorder(0x55), 'first');
    bus.register({ start: 0xffff, length: 1 }, new Recorder(0x66), 'last');
    expect(bus.read(0xffff, 2)).toBe(0x5566);
  });

  test('a range that is taken is refused, says by whom, and changes nothing', () => {
    const bus = new PortBus();
    const device = new Recorder(0);
    bus.register({ start: 0x60, length: 1 }, device, 'keyboard');
    const attempt = (): Disposable => bus.register({ start: 0x5e, length: 4 }, new Recorder(1), 'other');
    expect(attempt).toThrow(BusError);
    expect(attempt).toThrow(/other cannot be at 0x5e of the port bus: keyboard is there/);
    expect(bus.isFree(0x5e, 2)).toBe(true);
    expect(bus.isFree(0x5e, 3)).toBe(false);
  });

  test('a range outside the bus is refused', () => {
    const bus = new PortBus();
    for (const range of [
      { start: 0xffff, length: 2 },
      { start: -1, length: 1 },
      { start: 0, length: 0 },
      { start: Number.NaN, length: 1 },
    ]) {
      expect(() => bus.register(range, new Recorder(0), 'x')).toThrow(BusError);
    }
  });

  test('a released range is free at once, even when it was hit last', () => {
    const bus = new MmioBus();
    const claim = bus.register({ start: 0x1000, length: 0x1000 }, new Recorder(0), 'x');
    bus.read(0x1000, 1);
    claim[Symbol.dispose]();
    expect(bus.read(0x1000, 1)).toBe(0xff);
    bus.register({ start: 0x1800, length: 0x1000 }, new Recorder(9), 'y');
    expect(bus.read(0x1800, 1)).toBe(9);
    claim[Symbol.dispose]();
    expect([...bus.claims()].map(({ start, value }) => [start, value.name])).toEqual([[0x1800, 'y']]);
  });
});
