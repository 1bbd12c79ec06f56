import { describe, expect, test } from 'vitest';
import { allOnes, type AccessSize } from '../../bus/io-handler.ts';
import { PortBus } from '../../bus/port-bus.ts';
import { ConfigMechanism } from './config-mechanism.ts';
import { PciBus } from './pci-bus.ts';
import { PciFunction } from './pci-function.ts';

const SIZES: readonly AccessSize[] = [1, 2, 4];
const ENABLE = 0x8000_0000;

function makeFunction(name: string, device: number, multifunction = false): PciFunction {
  return new PciFunction({ name, identity: { vendor: 0x8086, device, classCode: 0x060000 }, multifunction });
}

function board() {
  const bus = new PciBus();
  bus.attach({ slot: 0 }, makeFunction('host bridge', 0x1237));
  bus.attach({ slot: 1 }, makeFunction('ISA bridge', 0x7000, true));
  bus.attach({ slot: 1, fn: 3 }, makeFunction('power management', 0x7113));
  const resets: number[] = [];
  const resetControl = {
    read: () => 0x42,
    write: (_offset: number, _size: number, value: number) => resets.push(value),
  };
  const mechanism = new ConfigMechanism({ bus, resetControl });
  const ports = new PortBus();
  ports.register({ start: 0xcf8, length: 4 }, mechanism.address, 'PCI address');
  ports.register({ start: 0xcfc, length: 4 }, mechanism.data, 'PCI data');
  const select = (slot: number, fn: number, register: number, busNumber = 0): void =>
    ports.write(0xcf8, 4, (ENABLE | (busNumber << 16) | (slot << 11) | (fn << 8) | register) >>> 0);
  return { bus, ports, mechanism, resets, select };
}

describe('configuration mechanism 1', () => {
  test('finds exactly the functions that are there, and reads all ones of every other at every size', () => {
    const { ports, select } = board();
    const found: string[] = [];
    for (let slot = 0; slot < 32; slot++) {
      for (let fn = 0; fn < 8; fn++) {
        select(slot, fn, 0);
        const id = ports.read(0xcfc, 4);
        if (id !== 0xffff_ffff) found.push(`${slot}.${fn} ${id.toString(16)}`);
        else for (const size of SIZES) expect(ports.read(0xcfc, size)).toBe(allOnes(size));
      }
    }
    expect(found).toEqual(['0.0 12378086', '1.0 70008086', '1.3 71138086']);
  });

  test('there is only bus 0', () => {
    const { ports, select } = board();
    for (const bus of [1, 0x7f, 0xff]) {
      select(0, 0, 0, bus);
      expect(ports.read(0xcfc, 4)).toBe(0xffff_ffff);
    }
  });

  test('data has byte, word and dword access in any alignment inside its dword', () => {
    const { ports, select } = board();
    select(0, 0, 0);
    const bytes = [0x86, 0x80, 0x37, 0x12];
    for (const size of SIZES) {
      for (let at = 0; at <= 4 - size; at++) {
        const expected = bytes.slice(at, at + size).reduceRight((value, byte) => value * 256 + byte, 0);
        expect(ports.read(0xcfc + at, size)).toBe(expected);
      }
    }
    select(0, 0, 0x3c);
    ports.write(0xcfc, 1, 11);
    expect(ports.read(0xcfc, 4)).toBe(11);
    select(0, 0, 0x04);
    ports.write(0xcfd, 1, 0xff);
    expect(ports.read(0xcfc, 2)).toBe(0x0500);
  });

  test('without the enable bit data reads all ones and writes nothing', () => {
    const { ports, select } = board();
    ports.write(0xcf8, 4, 0x3c);
    expect(ports.read(0xcfc, 1)).toBe(0xff);
    ports.write(0xcfc, 1, 5);
    select(0, 0, 0x3c);
    expect(ports.read(0xcfc, 1)).toBe(0);
  });

  test('the address register keeps its bits, and only a dword reaches it: the check that Linux makes', () => {
    const { ports, resets } = board();
    ports.write(0xcfb, 1, 1);
    ports.write(0xcf8, 4, ENABLE);
    expect(ports.read(0xcf8, 4)).toBe(ENABLE);
    ports.write(0xcf8, 4, 0xffff_ffff);
    expect(ports.read(0xcf8, 4)).toBe(0x80ff_fffc);
    for (const [port, size] of [
      [0xcf8, 1],
      [0xcf8, 2],
      [0xcfa, 2],
      [0xcfb, 1],
    ] as const) {
      ports.write(port, size, 0);
      expect(ports.read(port, size)).toBe(allOnes(size));
    }
    expect(ports.read(0xcf8, 4)).toBe(0x80ff_fffc);
    expect(resets).toEqual([]);
  });

  test('a byte at CF9h is reset control and not the address register', () => {
    const { ports, resets } = board();
    ports.write(0xcf8, 4, ENABLE | 0x40);
    ports.write(0xcf9, 1, 0x06);
    expect(resets).toEqual([6]);
    expect(ports.read(0xcf9, 1)).toBe(0x42);
    expect(ports.read(0xcf8, 4)).toBe((ENABLE | 0x40) >>> 0);
  });

  test('reset clears the address', () => {
    const { ports, mechanism, select } = board();
    select(0, 0, 0);
    mechanism.reset();
    expect(ports.read(0xcf8, 4)).toBe(0);
  });
});

describe('a PCI bus', () => {
  test('refuses a place that is taken, is none, or that guests would not look at', () => {
    const { bus } = board();
    const extra = makeFunction('extra', 1);
    expect(() => bus.attach({ slot: 0 }, extra)).toThrow('extra cannot be at 0.0: host bridge is there');
    for (const place of [{ slot: 32 }, { slot: -1 }, { slot: 0.5 }, { slot: 1, fn: 8 }]) {
      expect(() => bus.attach(place, extra)).toThrow('slots 0 to 31 of functions 0 to 7');
    }
    for (const slot of [0, 7]) {
      expect(() => bus.attach({ slot, fn: 1 }, extra)).toThrow(
        'guests look past function 0 of multifunction devices only',
      );
    }
    expect([...bus.functions()].map(({ slot, fn }) => `${slot}.${fn}`)).toEqual(['0.0', '1.0', '1.3']);
  });
});
