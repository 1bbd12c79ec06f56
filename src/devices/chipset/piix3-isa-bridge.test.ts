import { expect, test } from 'vitest';
import { InterruptRouter } from '../pci/interrupt-router.ts';
import { Piix3IsaBridge } from './piix3-isa-bridge.ts';

function bridge() {
  const levels = Array.from({ length: 16 }, () => false);
  const irqs = levels.map((_, irq) => ({ set: (asserted: boolean) => void (levels[irq] = asserted) }));
  const router = new InterruptRouter({ irqs });
  const { pci, reset } = ((device) => ({ pci: device.pci, reset: () => device.reset() }))(
    new Piix3IsaBridge({ router }),
  );
  return { router, pci, reset, asserted: () => levels.flatMap((level, irq) => (level ? [irq] : [])) };
}

test('says who it is, multifunction, with the reset values that QEMU 7.2 shows', () => {
  const { config } = bridge().pci;
  const expected: [number, number][] = [
    [0x00, 0x7000_8086],
    [0x04, 0x0200_0000],
    [0x08, 0x0601_0000],
    [0x0c, 0x0080_0000],
    [0x2c, 0x1100_1af4],
    [0x4c, 0x0003_004d],
    [0x60, 0x8080_8080],
    [0x68, 0x0000_0200],
    [0x70, 0x0000_0080],
    [0x74, 0x0c0c_0000],
    [0x78, 0x0000_0002],
    [0xa0, 0x0000_0008],
    [0xa8, 0x0000_000f],
  ];
  for (const [offset, value] of expected) expect(config.read(offset, 4).toString(16)).toBe(value.toString(16));
});

test('60h to 63h route PIRQs by byte or all at once, and a reset switches them off', () => {
  const { router, pci, reset, asserted } = bridge();
  for (let slot = 0; slot < 4; slot++) router.line(slot, 1).set(true);
  expect(asserted()).toEqual([]);
  pci.config.write(0x60, 4, 0x0b0b_0a0a);
  expect(asserted()).toEqual([10, 11]);
  pci.config.write(0x63, 1, 5);
  expect(asserted()).toEqual([5, 10, 11]);
  pci.config.write(0x60, 1, 0x80);
  pci.config.write(0x61, 1, 0x80);
  expect(asserted()).toEqual([5, 11]);
  reset();
  expect(asserted()).toEqual([]);
  expect(pci.config.read(0x60, 4)).toBe(0x8080_8080);
});
