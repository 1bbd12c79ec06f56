import { describe, expect, it } from 'vitest';

import { Pic8259 } from './pic-8259.ts';

interface Init {
  masterMode?: number;
  slaveMode?: number;
}

/** An initialised pair with vectors 20h and 28h and everything unmasked, as a PC's firmware would leave it. */
function pair({ masterMode = 0x01, slaveMode = 0x01 }: Init = {}) {
  const intr = { asserted: false };
  const pic = new Pic8259({ output: { set: (asserted) => (intr.asserted = asserted) } });
  for (const value of [0x20, 0x04, masterMode]) {
    if (value === 0x20) pic.master.write(0, 1, 0x11);
    pic.master.write(1, 1, value);
  }
  for (const value of [0x28, 0x02, slaveMode]) {
    if (value === 0x28) pic.slave.write(0, 1, 0x11);
    pic.slave.write(1, 1, value);
  }
  const lines = new Map([...Array(16).keys()].filter((irq) => irq !== 2).map((irq) => [irq, pic.line(irq)]));
  const raise = (irq: number): void => lines.get(irq)?.set(true);
  const lower = (irq: number): void => lines.get(irq)?.set(false);
  const pulse = (irq: number): void => {
    raise(irq);
    lower(irq);
  };
  const inService = (chip: 'master' | 'slave'): number => {
    pic[chip].write(0, 1, 0x0b);
    return pic[chip].read(0, 1);
  };
  const requests = (chip: 'master' | 'slave'): number => {
    pic[chip].write(0, 1, 0x0a);
    return pic[chip].read(0, 1);
  };
  return { pic, intr, raise, lower, pulse, inService, requests };
}

const NON_SPECIFIC_EOI = 0x20;

describe('after power-on', () => {
  it('no line interrupts before the pair is initialised', () => {
    let asserted = false;
    const pic = new Pic8259({ output: { set: (level) => (asserted = level) } });
    for (const irq of [0, 1, 7, 8, 15]) pic.line(irq).set(true);
    expect(asserted).toBe(false);
    expect([pic.master.read(1, 1), pic.slave.read(1, 1)]).toEqual([0xff, 0xff]);
  });

  it('the mask can be written and read back without an initialisation, as kernels probe for the chip', () => {
    const pic = new Pic8259({ output: { set() {} } });
    pic.master.write(1, 1, 0xfb);
    expect(pic.master.read(1, 1)).toBe(0xfb);
  });

  it('a lower line waits through the whole initialisation sequence', () => {
    const { pic, intr, raise } = pair();
    pic.master.write(0, 1, 0x11);
    raise(3);
    for (const icw of [0x20, 0x04]) {
      expect(intr.asserted).toBe(false);
      pic.master.write(1, 1, icw);
    }
    expect(intr.asserted).toBe(false);
    pic.master.write(1, 1, 0x01);
    expect(intr.asserted).toBe(true);
  });

  it('ICW1 without ICW4 ends after ICW3, and in single mode after ICW2', () => {
    for (const [icw1, rest] of [
      [0x10, [0x40, 0x04]],
      [0x12, [0x40]],
      [0x13, [0x40, 0x01]],
    ] as const) {
      const { pic, raise } = pair();
      pic.master.write(0, 1, icw1);
      for (const icw of rest) pic.master.write(1, 1, icw);
      pic.master.write(1, 1, 0xa5);
      expect(pic.master.read(1, 1)).toBe(0xa5);
      pic.master.write(1, 1, 0);
      raise(3);
      expect(pic.acknowledge()).toBe(0x43);
    }
  });

  it('there is no line 2, since the slave is on it', () => {
    const pic = new Pic8259({ output: { set() {} } });
    for (const irq of [2, -1, 16, 1.5]) expect(() => pic.line(irq)).toThrow('no interrupt line');
  });
});

describe('requests', () => {
  it.each([...Array(16).keys()].filter((irq) => irq !== 2))('IRQ %i reaches the processor as its vector', (irq) => {
    const { pic, intr, raise, inService } = pair();
    raise(irq);
    expect(intr.asserted).toBe(true);
    expect(pic.acknowledge()).toBe(0x20 + irq);
    expect(intr.asserted).toBe(false);
    expect(inService('master')).toBe(irq < 8 ? 1 << irq : 0x04);
    expect(inService('slave')).toBe(irq < 8 ? 0 : 1 << (irq - 8));
  });

  it('an edge counts once: a line that stays high does not interrupt again', () => {
    const { pic, intr, raise, lower } = pair();
    raise(4);
    pic.acknowledge();
    pic.master.write(0, 1, NON_SPECIFIC_EOI);
    expect(intr.asserted).toBe(false);
    lower(4);
    raise(4);
    expect(intr.asserted).toBe(true);
  });

  it('a level line interrupts again for as long as it is high', () => {
    const { pic, intr, raise, lower } = pair();
    pic.elcr.write(1, 1, 0x08);
    raise(11);
    expect(pic.acknowledge()).toBe(0x2b);
    pic.slave.write(0, 1, NON_SPECIFIC_EOI);
    pic.master.write(0, 1, NON_SPECIFIC_EOI);
    expect(intr.asserted).toBe(true);
    lower(11);
    expect(intr.asserted).toBe(false);
  });

  it('wires to one line are joined: it stays asserted until the last one lets go', () => {
    const { pic, intr } = pair();
    pic.elcr.write(1, 1, 0x08);
    const [a, b] = [pic.line(11), pic.line(11)];
    a.set(true);
    b.set(true);
    b.set(true);
    a.set(false);
    expect(intr.asserted).toBe(true);
    b.set(false);
    expect(intr.asserted).toBe(false);
  });

  it.each([5, 12])('IRQ %i lowered before the acknowledge cycle becomes the spurious IRQ 7', (irq) => {
    const { pic, intr, pulse, inService } = pair();
    pulse(irq);
    expect(intr.asserted).toBe(false);
    expect(pic.acknowledge()).toBe(0x27);
    expect([inService('master'), inService('slave')]).toEqual([0, 0]);
  });

  it('a masked line interrupts once it is unmasked', () => {
    const { pic, intr, raise, requests } = pair();
    pic.master.write(1, 1, 0x10);
    raise(4);
    expect(intr.asserted).toBe(false);
    expect(requests('master')).toBe(0x10);
    pic.master.write(1, 1, 0);
    expect(intr.asserted).toBe(true);
  });

  it('initialising forgets edges: a line that is high has to rise again', () => {
    const { pic, intr, raise, lower } = pair();
    raise(4);
    pic.master.write(0, 1, 0x11);
    for (const icw of [0x20, 0x04, 0x01]) pic.master.write(1, 1, icw);
    expect(intr.asserted).toBe(false);
    lower(4);
    raise(4);
    expect(intr.asserted).toBe(true);
  });
});

describe('priority', () => {
  it('of two requests the lower line number goes first', () => {
    for (let a = 0; a < 8; a++) {
      for (let b = a + 1; b < 8; b++) {
        if (a === 2 || b === 2) continue;
        const { pic, raise } = pair();
        raise(b);
        raise(a);
        expect(pic.acknowledge()).toBe(0x20 + a);
      }
    }
  });

  it('a line in service holds back itself and all below it, and nothing above it', () => {
    const { pic, intr, raise, lower } = pair();
    raise(4);
    pic.acknowledge();
    for (let irq = 0; irq < 8; irq++) {
      if (irq === 2) continue;
      lower(irq);
      raise(irq);
      expect(intr.asserted, `IRQ ${irq}`).toBe(irq < 4);
      lower(irq);
    }
  });

  it('a non-specific end of interrupt ends the most urgent line in service', () => {
    const { pic, raise, inService } = pair();
    raise(6);
    pic.acknowledge();
    raise(1);
    pic.acknowledge();
    expect(inService('master')).toBe(0x42);
    pic.master.write(0, 1, NON_SPECIFIC_EOI);
    expect(inService('master')).toBe(0x40);
  });

  it('a specific end of interrupt ends just the line it names', () => {
    const { pic, raise, inService } = pair();
    raise(6);
    pic.acknowledge();
    raise(1);
    pic.acknowledge();
    pic.master.write(0, 1, 0x66);
    expect(inService('master')).toBe(0x02);
  });

  it.each([...Array(8).keys()])('set priority with line %i makes the next one the most urgent', (lowest) => {
    const { pic, raise } = pair();
    pic.master.write(0, 1, 0xc0 | lowest);
    for (const irq of [0, 1, 3, 4, 5, 6, 7]) raise(irq);
    const served: number[] = [];
    for (let i = 0; i < 7; i++) {
      served.push(pic.acknowledge() - 0x20);
      pic.master.write(0, 1, NON_SPECIFIC_EOI);
    }
    const order = [...Array(8).keys()].map((i) => (lowest + 1 + i) & 7).filter((irq) => irq !== 2);
    expect(served).toEqual(order);
  });

  it('rotate on non-specific end of interrupt makes the served line the least urgent', () => {
    const { pic, raise, lower } = pair();
    raise(3);
    pic.acknowledge();
    pic.master.write(0, 1, 0xa0);
    lower(3);
    raise(3);
    raise(6);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('rotate on specific end of interrupt makes the named line the least urgent', () => {
    const { pic, raise, inService } = pair();
    raise(3);
    pic.acknowledge();
    pic.master.write(0, 1, 0xe3);
    expect(inService('master')).toBe(0);
    raise(0);
    raise(5);
    expect(pic.acknowledge()).toBe(0x25);
  });
});

describe('modes', () => {
  it('automatic end of interrupt leaves nothing in service', () => {
    const { pic, raise, inService } = pair({ masterMode: 0x03 });
    raise(4);
    expect(pic.acknowledge()).toBe(0x24);
    expect(inService('master')).toBe(0);
  });

  it('rotation in automatic end of interrupt starts and stops by command', () => {
    const { pic, raise, lower } = pair({ masterMode: 0x03 });
    const first = (): number => {
      for (const irq of [3, 6]) {
        lower(irq);
        raise(irq);
      }
      return pic.acknowledge();
    };
    pic.master.write(0, 1, 0x80);
    expect(first()).toBe(0x23);
    expect(first()).toBe(0x26);
    pic.master.write(0, 1, 0x00);
    expect(first()).toBe(0x23);
    expect(first()).toBe(0x23);
  });

  it('a slave with automatic end of interrupt gets its next request through at once', () => {
    const { pic, intr, raise } = pair({ masterMode: 0x03, slaveMode: 0x03 });
    raise(9);
    raise(12);
    expect(pic.acknowledge()).toBe(0x29);
    expect(intr.asserted).toBe(true);
    expect(pic.acknowledge()).toBe(0x2c);
    expect(intr.asserted).toBe(false);
  });

  it('in special mask mode a masked line in service holds nothing back', () => {
    const { pic, intr, raise } = pair();
    raise(1);
    pic.acknowledge();
    raise(5);
    expect(intr.asserted).toBe(false);
    pic.master.write(1, 1, 0x02);
    expect(intr.asserted).toBe(false);
    pic.master.write(0, 1, 0x68);
    expect(intr.asserted).toBe(true);
    pic.master.write(0, 1, 0x48);
    expect(intr.asserted).toBe(false);
  });

  it('in special mask mode a non-specific end of interrupt passes over masked lines', () => {
    const { pic, raise, inService } = pair();
    raise(1);
    pic.acknowledge();
    pic.master.write(1, 1, 0x02);
    pic.master.write(0, 1, 0x68);
    raise(5);
    pic.acknowledge();
    pic.master.write(0, 1, NON_SPECIFIC_EOI);
    expect(inService('master')).toBe(0x02);
    pic.master.write(0, 1, NON_SPECIFIC_EOI);
    expect(inService('master')).toBe(0x02);
  });

  it('only in special fully nested mode does a more urgent line of the slave come through its own cascade', () => {
    for (const [masterMode, nested] of [
      [0x01, false],
      [0x11, true],
    ] as const) {
      const { pic, intr, raise } = pair({ masterMode });
      raise(12);
      pic.acknowledge();
      raise(8);
      expect(intr.asserted).toBe(nested);
      if (nested) expect(pic.acknowledge()).toBe(0x28);
      raise(5);
      expect(intr.asserted).toBe(false);
    }
  });

  it('a poll takes the request into service and names it; without one it reads 0', () => {
    const { pic, intr, raise, inService } = pair();
    raise(5);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.read(0, 1)).toBe(0x85);
    expect(intr.asserted).toBe(false);
    expect(inService('master')).toBe(0x20);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.read(1, 1)).toBe(0);
    expect(pic.master.read(1, 1)).toBe(0);
  });

  it('ELCR takes only the lines that may be level-triggered', () => {
    const { pic } = pair();
    pic.elcr.write(0, 2, 0xffff);
    expect(pic.elcr.read(0, 2)).toBe(0xdef8);
    expect(pic.elcr.read(1, 2)).toBe(0xffde);
  });

  it('a reset masks everything, forgets modes and edges, and leaves the wires alone', () => {
    const { pic, intr, raise, lower, requests } = pair({ masterMode: 0x03 });
    pic.elcr.write(0, 1, 0x20);
    raise(5);
    pic.reset();
    expect(intr.asserted).toBe(false);
    expect([pic.master.read(1, 1), pic.elcr.read(0, 1), requests('master')]).toEqual([0xff, 0, 0]);
    pic.master.write(1, 1, 0);
    lower(5);
    raise(5);
    expect(pic.acknowledge()).toBe(0x05);
  });
});
