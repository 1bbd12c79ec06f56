import { expect, test } from 'vitest';
import { InterruptRouter } from './interrupt-router.ts';

function routed() {
  const levels = Array.from({ length: 16 }, () => false);
  const irqs = levels.map((_, irq) => ({ set: (asserted: boolean) => void (levels[irq] = asserted) }));
  const asserted = (): number[] => levels.flatMap((level, irq) => (level ? [irq] : []));
  return { router: new InterruptRouter({ irqs }), asserted };
}

const PINS = [1, 2, 3, 4] as const;

test('pin p of slot s reaches PIRQ (s + p - 1) mod 4, for every slot and pin', () => {
  for (let slot = 0; slot < 32; slot++) {
    for (const pin of PINS) {
      const { router, asserted } = routed();
      for (let pirq = 0; pirq < 4; pirq++) router.route(pirq, 8 + pirq);
      router.line(slot, pin).set(true);
      expect(asserted()).toEqual([8 + ((slot + pin - 1) % 4)]);
    }
  }
});

test('a routing register leads to every IRQ, or nowhere with bit 7', () => {
  const { router, asserted } = routed();
  const line = router.line(0, 1);
  line.set(true);
  expect(asserted()).toEqual([]);
  for (let register = 0; register < 0x100; register++) {
    router.route(0, register & 0x8f);
    expect(asserted()).toEqual((register & 0x80) === 0 ? [register & 0x0f] : []);
  }
});

test('before anybody has routed it a PIRQ leads nowhere, and a route takes what is asserted along', () => {
  const { router, asserted } = routed();
  for (const pin of PINS) router.line(0, pin).set(true);
  expect(asserted()).toEqual([]);
  router.route(0, 5);
  expect(asserted()).toEqual([5]);
  router.route(0, 6);
  expect(asserted()).toEqual([6]);
});

test('PIRQs that share an IRQ are ORed, and so are pins that share a PIRQ', () => {
  const { router, asserted } = routed();
  for (let pirq = 0; pirq < 4; pirq++) router.route(pirq, 11);
  const lines = [router.line(2, 1), router.line(6, 1), router.line(3, 1)];
  for (const line of lines) line.set(true);
  for (const line of lines) {
    expect(asserted()).toEqual([11]);
    line.set(false);
  }
  expect(asserted()).toEqual([]);
});

test('an asserted PIRQ moves with its route, without dropping an IRQ that another still asserts', () => {
  const { router, asserted } = routed();
  router.route(0, 10);
  router.route(1, 10);
  router.line(0, 1).set(true);
  const second = router.line(1, 1);
  second.set(true);
  router.route(0, 5);
  expect(asserted()).toEqual([5, 10]);
  second.set(false);
  expect(asserted()).toEqual([5]);
  router.route(0, 0x80);
  expect(asserted()).toEqual([]);
});
