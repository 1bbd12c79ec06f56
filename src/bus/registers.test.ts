import { describe, expect, test } from 'vitest';
import { allOnes, type AccessSize } from './io-handler.ts';
import { RegisterFile, type Register } from './registers.ts';

const SIZES: readonly AccessSize[] = [1, 2, 4];

function file(registers: readonly Register[], options: Partial<ConstructorParameters<typeof RegisterFile>[0]> = {}) {
  return new RegisterFile({ length: 16, registers, ...options });
}

describe('a register file', () => {
  test('reads every register at its reset value, and bytes without a register as vacant', () => {
    const registers = file([{ name: 'a', offset: 0, size: 4, reset: 0x8086_1237 }], { vacant: 0xff });
    expect(registers.read(0, 4)).toBe(0x8086_1237);
    expect(registers.read(2, 4)).toBe(0xffff_8086);
    expect(registers.read(4, 4)).toBe(0xffff_ffff);
  });

  test('an access beyond the end reads all ones and writes nothing', () => {
    const registers = file([{ name: 'a', offset: 12, size: 4, writable: 0xffff_ffff }]);
    registers.write(14, 4, 0x4433_2211);
    expect(registers.read(12, 4)).toBe(0x2211_0000);
    expect(registers.read(14, 4)).toBe(0xffff_2211);
    for (const size of SIZES) expect(registers.read(16, size)).toBe(allOnes(size));
  });

  test('a write changes writable bits only, at every size and alignment', () => {
    for (const mask of [0, 0xffff_ffff, 0x0ff0_a55a]) {
      for (const size of SIZES) {
        for (let offset = 0; offset <= 8 - size; offset++) {
          const registers = file([
            { name: 'low', offset: 0, size: 4, reset: 0x1234_5678, writable: mask },
            { name: 'high', offset: 4, size: 4, reset: 0x9abc_def0, writable: mask },
          ]);
          const model = [0x78, 0x56, 0x34, 0x12, 0xf0, 0xde, 0xbc, 0x9a];
          const value = 0xc3a5_0ff0;
          for (let i = 0; i < size; i++) {
            const bits = (mask >>> (8 * ((offset + i) % 4))) & 0xff;
            model[offset + i] = ((model[offset + i] ?? 0) & ~bits) | ((value >>> (8 * i)) & bits);
          }
          registers.write(offset, size, value);
          expect(Array.from({ length: 8 }, (_, at) => registers.read(at, 1))).toEqual(model);
        }
      }
    }
  });

  test('a write of ones clears clearable bits, a write of zeros leaves them', () => {
    const registers = file([{ name: 'status', offset: 0, size: 2, reset: 0xf0ff, clearable: 0xf0f0 }]);
    registers.write(0, 2, 0x8001);
    expect(registers.read(0, 2)).toBe(0x70ff);
    registers.write(0, 1, 0xff);
    expect(registers.read(0, 2)).toBe(0x700f);
  });

  test('each register that a write touches is told once, with its whole value', () => {
    const told: [string, number, number][] = [];
    const spy = (name: string, offset: number, size: 1 | 2 | 4): Register => ({
      name,
      offset,
      size,
      writable: 0xffff_ffff,
      written: (value, previous) => told.push([name, value, previous]),
    });
    const registers = file([spy('a', 0, 2), spy('b', 2, 1), spy('c', 3, 1), spy('d', 4, 4)]);
    registers.write(1, 4, 0x4433_2211);
    expect(told).toEqual([
      ['a', 0x1100, 0],
      ['b', 0x22, 0],
      ['c', 0x33, 0],
      ['d', 0x44, 0],
    ]);
    told.length = 0;
    registers.write(6, 2, 0x8877);
    expect(told).toEqual([['d', 0x8877_0044, 0x44]]);
  });

  test('settled is told once per write, after the registers', () => {
    const order: string[] = [];
    const registers = file([{ name: 'a', offset: 0, size: 1, writable: 0xff, written: () => order.push('a') }], {
      settled: (offset, size) => order.push(`${offset}+${size}`),
    });
    registers.write(0, 4, 1);
    expect(order).toEqual(['a', '0+4']);
  });

  test('a sampled register is asked once per access', () => {
    let count = 0x0102_0304;
    const registers = file([{ name: 'timer', offset: 4, size: 4, read: () => count++ }]);
    expect(registers.read(4, 4)).toBe(0x0102_0304);
    expect(registers.read(5, 1)).toBe(0x03);
    expect(registers.read(2, 4)).toBe(0x0306_0000);
    expect(count).toBe(0x0102_0307);
  });

  test('a sample hides the stored value without changing it', () => {
    let hidden = true;
    const registers: RegisterFile = file([
      {
        name: 'width',
        offset: 0,
        size: 2,
        reset: 640,
        writable: 0xffff,
        read: () => (hidden ? 4096 : registers.peek(0, 2)),
      },
    ]);
    expect(registers.read(0, 2)).toBe(4096);
    registers.write(0, 1, 1);
    hidden = false;
    expect(registers.read(0, 2)).toBe(0x201);
  });

  test('a write of zeros to a sampled register with clearable bits leaves the bits that its sample shows', () => {
    let event = 1;
    const registers: RegisterFile = file([
      { name: 'status', offset: 0, size: 2, clearable: 3, read: () => registers.peek(0, 2) | event, written: () => {} },
    ]);
    registers.write(0, 2, 2);
    event = 0;
    expect(registers.read(0, 2)).toBe(1);
    registers.write(0, 2, 1);
    expect(registers.read(0, 2)).toBe(0);
  });

  test('reset restores values, scratch included, and tells nobody', () => {
    let told = 0;
    const registers = file([{ name: 'a', offset: 0, size: 1, reset: 7, writable: 0xff, written: () => told++ }], {
      scratch: { start: 1, end: 4 },
    });
    registers.write(0, 4, 0xffff_ffff);
    expect(registers.read(0, 4)).toBe(0xffff_ffff);
    registers.reset();
    expect(registers.read(0, 4)).toBe(7);
    expect(told).toBe(1);
  });

  test('registers that overlap or lie outside are a bug of the device', () => {
    const a = { name: 'a', offset: 0, size: 4 } as const;
    expect(() => file([a, { name: 'b', offset: 3, size: 1 }])).toThrow('b overlaps a');
    expect(() => file([{ name: 'c', offset: 13, size: 4 }])).toThrow('c lies outside its file');
  });
});
