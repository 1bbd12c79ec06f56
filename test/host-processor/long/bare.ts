import { BareMachine } from '../../../src/cpu/x86/bare-machine.ts';
import { gate64 } from '../../../src/cpu/x86/long-machine.ts';
import { descriptor } from '../../../src/cpu/x86/protected-machine.ts';
import { frame } from './frame.ts';
import { ALIAS, BATCH_LENGTH, BATCH_SIZE, LOW, PAGE, PAGES, pageOf, WORD } from './layout.ts';
import type { LongBatch } from './batch.ts';

const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const STACK = 0x6000;
const PML4 = 0x1_0000;
const PDPT = 0x1_1000;
/** Two, side by side. */
const DIRECTORIES = 0x1_2000;
const TABLES = 0x1_4000;
/** Where the bytes of a batch are. */
const BATCH = 0x10_0000;

/** As Linux gives them to a process. */
const USER_DATA = 0x2b;
const USER_CODE = 0x33;
const KERNEL_CODE = 0x08;
const TASK = 0x40;

const LIMIT = 20_000_000;

/** The engine in 64-bit mode at privilege 3, with memory and selectors as a process has them. */
export class BareLong {
  readonly #machine = new BareMachine(0x80_0000);
  readonly #done: number;

  constructor() {
    const { at } = frame('bare');
    this.#done = at('done');
    this.#descriptors();
    for (let vector = 0; vector < 32; vector++) this.#gate(vector, at(`vector${vector}`), vector === 3 ? 3 : 0);
    this.#gate(0x81, at('halt'), 3);
    this.#pages();
  }

  #descriptors(): void {
    const machine = this.#machine;
    const code = (dpl: number): bigint => descriptor({ type: 0x1b, dpl, big: false }) | (1n << 53n);
    machine.set64(GDT + KERNEL_CODE, code(0));
    machine.set64(GDT + (USER_DATA & ~3), descriptor({ type: 0x13, dpl: 3 }));
    machine.set64(GDT + (USER_CODE & ~3), code(3));
    machine.set64(GDT + TASK, descriptor({ base: TSS, limit: 0x67, type: 11, granular: false }));
    machine.set64(TSS + 4, BigInt(STACK));
    // No map of ports.
    machine.set16(TSS + 0x66, 0x68);
  }

  #gate(vector: number, offset: number, dpl: number): void {
    const [low, high] = gate64({ selector: KERNEL_CODE, offset: BigInt(offset), dpl });
    this.#machine.set64(IDT + 16 * vector, low);
    this.#machine.set64(IDT + 16 * vector + 8, high);
  }

  /** The first two gigabytes at 0 and at ALIAS: descriptors and stack for the kernel, the batch for the user. */
  #pages(): void {
    const machine = this.#machine;
    const map = (linear: number, physical: number, rights: number): void => {
      const directory = DIRECTORIES + 8 * (linear >>> 21);
      if (machine.u32(directory) === 0) machine.set64(directory, BigInt(TABLES + PAGE * this.#tables++) | 7n);
      machine.set64((machine.u32(directory) & ~0xfff) + 8 * ((linear >>> 12) & 511), BigInt(physical | rights));
    };
    machine.set64(PML4, BigInt(PDPT) | 7n);
    machine.set64(PML4 + 8 * Number(ALIAS >> 39n), BigInt(PDPT) | 7n);
    for (const index of [0, 1]) machine.set64(PDPT + 8 * index, BigInt(DIRECTORIES + PAGE * index) | 7n);
    for (let at = 0; at < STACK + PAGE; at += PAGE) map(at, at, 3);
    for (let at = 0; at < PAGES; at += PAGE) map(LOW + at, BATCH + at, 7);
    for (let index = 0; index < BATCH_SIZE; index++) map(pageOf(index), BATCH + PAGES + PAGE * index, 7);
  }

  #tables = 0;

  /** What memory holds after the batch has run. */
  run(batch: LongBatch): Uint8Array {
    const machine = this.#machine;
    machine.load(BATCH, batch.bytes);
    machine.load(BATCH, frame('bare').bytes);
    machine.set64(BATCH + WORD.done - LOW, BigInt(this.#done));
    this.#enter();
    const exit = machine.run(LIMIT);
    const rip = machine.get('rip');
    if (exit !== 'halt') throw new Error(`the engine ended with ${exit} at 0x${rip.toString(16)}`);
    return machine.bytes.subarray(BATCH, BATCH + BATCH_LENGTH);
  }

  #enter(): void {
    const machine = this.#machine;
    machine.engine.reset();
    machine.set({ cr3: PML4, cr4: 0x620, efer: 0x501, cr0: 0x8001_0033 });
    machine.set({ 'gdtr.base': GDT, 'gdtr.limit': 0xfff, 'idtr.base': IDT, 'idtr.limit': 0xfff });
    this.#segment('tr', TASK, 0x8b, TSS, 0x67);
    this.#segment('cs', USER_CODE, 0xa0fb, 0, 0xffff_ffff);
    this.#segment('ss', USER_DATA, 0xc0f3, 0, 0xffff_ffff);
    for (const name of ['ds', 'es', 'fs', 'gs']) this.#segment(name, 0, 0x1_0000, 0, 0);
    machine.set({ cpl: 3, rflags: 0x202, rip: LOW });
  }

  #segment(name: string, selector: number, attributes: number, base: number, limit: number): void {
    this.#machine.set({
      [name]: selector,
      [`${name}.attributes`]: attributes,
      [`${name}.base`]: base,
      [`${name}.limit`]: limit,
    });
  }
}
