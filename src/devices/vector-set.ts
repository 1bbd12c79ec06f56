/** One bit for each of the 256 interrupt vectors: IRR, ISR and TMR of a local APIC. */
export class VectorSet {
  readonly #words: Uint32Array = new Uint32Array(8);

  has(vector: number): boolean {
    return ((this.word(vector >> 5) >>> (vector & 31)) & 1) !== 0;
  }

  set(vector: number, member: boolean): void {
    const bit = 1 << (vector & 31);
    const word = this.word(vector >> 5);
    this.#words[vector >> 5] = member ? word | bit : word & ~bit;
  }

  /** The highest member: the most urgent vector. -1 when there is none. */
  highest(): number {
    for (let index = 7; index >= 0; index--) {
      const word = this.word(index);
      if (word !== 0) return 32 * index + 31 - Math.clz32(word);
    }
    return -1;
  }

  /** Vectors 32 * index and up, as one of the eight registers shows them. */
  word(index: number): number {
    return this.#words[index] ?? 0;
  }

  clear(): void {
    this.#words.fill(0);
  }
}
