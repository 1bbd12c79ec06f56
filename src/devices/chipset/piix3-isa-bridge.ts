import type { Register } from '../../bus/registers.ts';
import { CONFIG, STATUS } from '../pci/config-header.ts';
import type { InterruptRouter } from '../pci/interrupt-router.ts';
import { PciFunction } from '../pci/pci-function.ts';

const PIRQ_ROUTE = 0x60;
const PIRQS = 4;
/** Bit 7: not routed. */
const NOT_ROUTED = 0x80;
/** Bits 6:4 are reserved. */
const ROUTE_BITS = 0x8f;

/**
 * Registers that only remember, by their reset values (82371SB, 4.1). What they would control is either always on or not
 * there at all.
 */
const REMEMBERED: readonly Register[] = [
  { name: 'I/O recovery timers', offset: 0x4c, size: 1, reset: 0x4d, writable: 0xff },
  { name: 'X-bus chip select', offset: 0x4e, size: 2, reset: 0x0003, writable: 0xffff },
  { name: 'top of memory', offset: 0x69, size: 1, reset: 0x02, writable: 0xff },
  { name: 'motherboard IRQ 0', offset: 0x70, size: 1, reset: 0x80, writable: 0xff },
  { name: 'motherboard DMA', offset: 0x76, size: 2, reset: 0x0c0c, writable: 0xffff },
  { name: 'programmable chip select', offset: 0x78, size: 2, reset: 0x0002, writable: 0xffff },
  { name: 'SMI control', offset: 0xa0, size: 1, reset: 0x08, writable: 0xff },
  { name: 'fast-off timer', offset: 0xa8, size: 1, reset: 0x0f, writable: 0xff },
];

/**
 * The south bridge of a PIIX3 as the PCI bus sees it (82371SB, 4.1): function 0 of slot 1. Its ISA devices are devices
 * of their own; what is here is the routing of PCI interrupts.
 */
export class Piix3IsaBridge {
  readonly pci: PciFunction;
  readonly #router: InterruptRouter;

  constructor({ router }: { router: InterruptRouter }) {
    this.#router = router;
    this.pci = new PciFunction({
      name: 'PIIX3 ISA bridge',
      identity: { vendor: 0x8086, device: 0x7000, classCode: 0x060100 },
      multifunction: true,
      status: STATUS.mediumSelect,
      registers: [...REMEMBERED, ...this.#routes()],
      scratch: { start: CONFIG.deviceSpecific, end: CONFIG.length },
    });
  }

  reset(): void {
    this.pci.reset();
    for (let pirq = 0; pirq < PIRQS; pirq++) this.#router.route(pirq, NOT_ROUTED);
  }

  #routes(): Register[] {
    return Array.from({ length: PIRQS }, (_, pirq) => ({
      name: `PIRQ ${'ABCD'[pirq]} route`,
      offset: PIRQ_ROUTE + pirq,
      size: 1,
      reset: NOT_ROUTED,
      writable: ROUTE_BITS,
      written: (value) => this.#router.route(pirq, value),
    }));
  }
}
