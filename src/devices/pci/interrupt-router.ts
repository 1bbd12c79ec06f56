import { assert } from '../../base/assert.ts';
import type { InterruptLine } from '../../bus/interrupt-line.ts';
import { SharedLine } from '../../bus/shared-line.ts';

const PIRQS = 4;
const DISABLED = 0x80;

/**
 * From the pins of PCI slots to the inputs of the interrupt controller. The board wires pin p of slot s to
 * PIRQ (s + p - 1) mod 4, so that the INTA# of neighbours spread; the south bridge's registers 60h to 63h lead each
 * PIRQ to an IRQ, or nowhere (82371SB, 4.1.9: bit 7 off, bits 3:0 the IRQ). PIRQs that share an IRQ are ORed.
 */
export class InterruptRouter {
  /** The IRQs; the south bridge's own share is ORed in by whoever made the lines. */
  readonly #irqs: readonly InterruptLine[];
  readonly #inputs: readonly SharedLine[];
  readonly #asserted: boolean[] = Array.from({ length: PIRQS }, () => false);
  readonly #route: number[] = Array.from({ length: PIRQS }, () => DISABLED);

  constructor({ irqs }: { irqs: readonly InterruptLine[] }) {
    this.#irqs = irqs;
    this.#inputs = this.#route.map((_, pirq) => new SharedLine({ set: (asserted) => this.#set(pirq, asserted) }));
  }

  /** The wire of one pin: 1 is INTA#. */
  line(slot: number, pin: 1 | 2 | 3 | 4): InterruptLine {
    const input = this.#inputs[(slot + pin - 1) % PIRQS];
    assert(input !== undefined, `slot ${slot} has no pin ${pin}`);
    return input.input();
  }

  /** What the guest wrote to the routing register of a PIRQ. An asserted PIRQ moves with its route. */
  route(pirq: number, register: number): void {
    const previous = this.#route[pirq] ?? DISABLED;
    this.#route[pirq] = register;
    this.#drive(previous);
    this.#drive(register);
  }

  #set(pirq: number, asserted: boolean): void {
    this.#asserted[pirq] = asserted;
    this.#drive(this.#route[pirq] ?? DISABLED);
  }

  /** Sets the IRQ that a routing register names to the OR of what is led to it. */
  #drive(register: number): void {
    if ((register & DISABLED) !== 0) return;
    const irq = register & 0x0f;
    let asserted = false;
    for (let pirq = 0; pirq < PIRQS; pirq++) asserted ||= this.#asserted[pirq] === true && this.#leadsTo(pirq, irq);
    this.#irqs[irq]?.set(asserted);
  }

  #leadsTo(pirq: number, irq: number): boolean {
    const register = this.#route[pirq] ?? DISABLED;
    return (register & DISABLED) === 0 && (register & 0x0f) === irq;
  }
}
