import { expect, it } from 'vitest';

import { Dma8237 } from './dma-8237.ts';

it('every address and count register holds 16 bits, low byte first', () => {
  const { first, second } = new Dma8237();
  for (const [controller, stride] of [
    [first, 1],
    [second, 2],
  ] as const) {
    for (let register = 0; register < 8; register++) {
      controller.write(register * stride, 1, 0x34 + register);
      controller.write(register * stride, 1, 0x12);
    }
    for (let register = 0; register < 8; register++) {
      expect(controller.read(register * stride, 1)).toBe(0x34 + register);
      expect(controller.read(register * stride, 1)).toBe(0x12);
    }
  }
});

it('clearing the flip-flop makes the low byte next', () => {
  const { first } = new Dma8237();
  first.write(0, 1, 0x11);
  first.write(0x0c, 1, 0);
  first.write(0, 1, 0x22);
  first.write(0, 1, 0x33);
  expect([first.read(0, 1), first.read(0, 1)]).toEqual([0x22, 0x33]);
});

it.each([
  [0x0a, 0x02, 0xfb],
  [0x0e, 0x00, 0xf0],
  [0x0f, 0x05, 0xf5],
])('a write of %i to mask register %i leaves the masks as they should be', (register, value, masks) => {
  const { first } = new Dma8237();
  expect(first.read(0x0f, 1)).toBe(0xff);
  first.write(register, 1, value);
  expect(first.read(0x0f, 1)).toBe(masks);
  first.write(0x0a, 1, 0x07);
  first.write(0x0d, 1, 0);
  expect(first.read(0x0f, 1)).toBe(0xff);
});

it('page registers read back until the reset', () => {
  const dma = new Dma8237();
  for (let offset = 0; offset < 15; offset++) dma.pages.write(offset, 1, 0x80 + offset);
  for (let offset = 0; offset < 15; offset++) expect(dma.pages.read(offset, 1)).toBe(0x80 + offset);
  dma.reset();
  for (let offset = 0; offset < 15; offset++) expect(dma.pages.read(offset, 1)).toBe(0);
});
