import type { Assignment, DmaAccess, DmaFault, DmaRange, DmaSpace, GuestMemory } from '../memory/index.ts';

/** How a device gets at memory: through the IOMMU under its name, or past it. A reset of guest memory ends an assignment. */
export class DmaPath implements DmaSpace {
  readonly #memory: GuestMemory;
  readonly #device: string | undefined;
  #assignment: Assignment | undefined;

  constructor(memory: GuestMemory, device: string | undefined) {
    this.#memory = memory;
    this.#device = device;
    this.reset();
  }

  dmaRange(gpa: number, length: number, access: DmaAccess): DmaRange | DmaFault {
    return (this.#assignment ?? this.#memory).dmaRange(gpa, length, access);
  }

  reset(): void {
    this.#assignment?.[Symbol.dispose]();
    if (this.#device !== undefined) this.#assignment = this.#memory.assign(this.#device);
  }
}
