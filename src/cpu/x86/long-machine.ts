import { BareMachine } from './bare-machine.ts';
import { descriptor } from './protected-machine.ts';

/** A 64-bit interrupt or trap gate (SDM volume 3, figure 6-8), as two words. */
export function gate64(fields: {
  readonly selector: number;
  readonly offset: bigint;
  readonly type?: number;
  readonly dpl?: number;
  readonly stack?: number;
  readonly present?: boolean;
}): readonly [bigint, bigint] {
  const { selector, offset, type = 14, dpl = 0, stack = 0, present = true } = fields;
  const access = BigInt(type | (dpl << 5) | (present ? 0x80 : 0));
  const low =
    (offset & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(stack) << 32n) |
    (access << 40n) |
    (((offset >> 16n) & 0xffffn) << 48n);
  return [low, offset >> 32n];
}

/** What the handler of an exception or interrupt finds on its stack. */
export interface LongDelivery {
  readonly vector: number;
  readonly error: number | undefined;
  readonly rip: bigint;
  readonly cs: number;
  readonly flags: number;
  readonly rsp: bigint;
  readonly ss: number;
}

const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);
const LARGE = 0x87n;

/**
 * A machine in 64-bit mode:
 *
 *     1000  GDT    3000  TSS          10_0000  PML4, PDPT, page directory: memory at 0, as user pages, in pages of 2 MiB
 *     2000  IDT    4000  handlers     1_2000   stack of ring 0 ends here    1_4000, 1_6000, 1_8000  IST 1, ring 3, code
 */
export class LongMachine extends BareMachine {
  static readonly gdt = 0x1000;
  static readonly idt = 0x2000;
  static readonly tss = 0x3000;
  static readonly handlers = 0x4000;
  static readonly start = 0x8000;
  static readonly pml4 = 0x10_0000;
  static readonly pdpt = 0x10_1000;
  static readonly directory = 0x10_2000;
  static readonly kernelStack = 0x1_2000;
  static readonly interruptStack = 0x1_4000;
  static readonly userStack = 0x1_6000;
  /** SYSRET wants 32-bit code, data and 64-bit code of ring 3 side by side. */
  static readonly selectors = { code0: 0x08, data0: 0x10, code32: 0x1b, data3: 0x23, code3: 0x2b, tss: 0x30 } as const;

  constructor(length?: number) {
    super(length);
    this.#tables();
    this.enter(0);
  }

  #tables(): void {
    const { gdt, tss, pml4, pdpt, directory, selectors } = LongMachine;
    const code = (dpl: number): bigint => descriptor({ type: 0x1b, dpl, big: false }) | (1n << 53n);
    this.set64(gdt + selectors.code0, code(0));
    this.set64(gdt + selectors.data0, descriptor({ type: 0x13 }));
    this.set64(gdt + (selectors.code32 & ~3), descriptor({ type: 0x1b, dpl: 3 }));
    this.set64(gdt + (selectors.data3 & ~3), descriptor({ type: 0x13, dpl: 3 }));
    this.set64(gdt + (selectors.code3 & ~3), code(3));
    this.set64(gdt + selectors.tss, descriptor({ base: tss, limit: 0x67, type: 9, granular: false }));
    for (let vector = 0; vector < 256; vector++) this.setGate(vector, {});
    this.set64(tss + 4, BigInt(LongMachine.kernelStack));
    this.set64(tss + 0x24, BigInt(LongMachine.interruptStack));
    this.set64(pml4, BigInt(pdpt) | 7n);
    this.set64(pdpt, BigInt(directory) | 7n);
    for (let page = 0; page < 8; page++) this.set64(directory + 8 * page, BigInt(page * 0x20_0000) | LARGE);
  }

  setGate(vector: number, fields: { type?: number; dpl?: number; stack?: number; selector?: number }): void {
    const offset = BigInt(LongMachine.handlers + 16 * vector);
    const [low, high] = gate64({ selector: LongMachine.selectors.code0, offset, ...fields });
    this.set64(LongMachine.idt + 16 * vector, low);
    this.set64(LongMachine.idt + 16 * vector + 8, high);
    this.load(LongMachine.handlers + 16 * vector, [0xeb, 0xfe]);
  }

  /** 64-bit mode at privilege 0 or 3, or compatibility mode at 3, about to execute at 8000h. */
  enter(ring: 0 | 3, bits: 32 | 64 = 64): void {
    const { gdt, idt, tss, pml4, selectors } = LongMachine;
    this.engine.reset();
    this.set({ cr3: pml4, cr4: 0x20, efer: 0x501, cr0: 0x8001_0011 });
    this.set({ 'gdtr.base': gdt, 'gdtr.limit': 0xfff, 'idtr.base': idt, 'idtr.limit': 0xfff });
    this.#segment('tr', selectors.tss, 0x8b, tss, 0x67);
    const code = ring === 0 ? selectors.code0 : bits === 64 ? selectors.code3 : selectors.code32;
    this.#segment('cs', code, (bits === 64 ? 0xa09b : 0xc09b) | (ring << 5), 0, 0xffff_ffff);
    for (const name of ['ds', 'es', 'fs', 'gs', 'ss']) {
      this.#segment(name, ring === 0 ? selectors.data0 : selectors.data3, 0xc093 | (ring << 5), 0, 0xffff_ffff);
    }
    const rsp = ring === 0 ? LongMachine.kernelStack : LongMachine.userStack;
    this.set({ cpl: ring, rflags: 2, rsp, rip: LongMachine.start });
  }

  #segment(name: string, selector: number, attributes: number, base: number, limit: number): void {
    this.set({
      [name]: selector,
      [`${name}.attributes`]: attributes,
      [`${name}.base`]: base,
      [`${name}.limit`]: limit,
    });
  }

  /** Assembles and runs 64-bit code, up to the HLT behind it or an exception. */
  execute(source: string, bits: 32 | 64 = 64): LongDelivery | undefined {
    this.assemble(LongMachine.start, `${source}\nhlt`, bits);
    this.run(10_000);
    return this.delivered();
  }

  get64(name: string): bigint {
    return this.engine.register(name);
  }

  u64(address: number): bigint {
    return (BigInt(this.u32(address + 4)) << 32n) | BigInt(this.u32(address));
  }

  delivered(): LongDelivery | undefined {
    const vector = (this.get('rip') - LongMachine.handlers) / 16;
    if (!Number.isInteger(vector) || vector < 0 || vector > 255) return undefined;
    const hasError = WITH_ERROR.has(vector);
    const frame = this.get('rsp') + (hasError ? 8 : 0);
    return {
      vector,
      error: hasError ? this.u32(frame - 8) : undefined,
      rip: this.u64(frame),
      cs: this.u32(frame + 8),
      flags: this.u32(frame + 16),
      rsp: this.u64(frame + 24),
      ss: this.u32(frame + 32),
    };
  }
}
