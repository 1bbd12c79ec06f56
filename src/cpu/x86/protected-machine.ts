import { BareMachine } from './bare-machine.ts';

/** A segment or system descriptor, field by field (SDM volume 3, figure 3-8). */
export interface DescriptorFields {
  readonly base?: number;
  /** As the descriptor holds it: 20 bits, in pages when `granular`. */
  readonly limit?: number;
  /** Type with the S bit: 0x1b is readable code, 0x13 writable data, 9 a free 32-bit TSS. */
  readonly type: number;
  readonly dpl?: number;
  readonly present?: boolean;
  /** D/B. */
  readonly big?: boolean;
  readonly granular?: boolean;
}

export function descriptor(fields: DescriptorFields): bigint {
  const { base = 0, limit = 0xf_ffff, type, dpl = 0, present = true, big = true, granular = true } = fields;
  const access = type | (dpl << 5) | (present ? 0x80 : 0);
  const flags = (big ? 4 : 0) | (granular ? 8 : 0);
  const high = ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf_0000) | (flags << 20) | (base & 0xff00_0000);
  const low = (limit & 0xffff) | ((base & 0xffff) << 16);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** A gate: call, task, interrupt or trap (SDM volume 3, figures 5-8 and 6-2). */
export function gate(fields: {
  readonly selector: number;
  readonly offset?: number;
  readonly type: number;
  readonly dpl?: number;
  readonly present?: boolean;
  readonly parameters?: number;
}): bigint {
  const { selector, offset = 0, type, dpl = 0, present = true, parameters = 0 } = fields;
  const high = (offset & 0xffff_0000) | ((type | (dpl << 5) | (present ? 0x80 : 0)) << 8) | parameters;
  return (BigInt(high >>> 0) << 32n) | BigInt(((selector << 16) | (offset & 0xffff)) >>> 0);
}

/** What happened: an exception or interrupt was delivered, with what its handler finds on its stack. */
export interface Delivery {
  readonly vector: number;
  readonly error: number | undefined;
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
}

/** Vectors that come with an error code. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);

/**
 * A machine in 32-bit protected mode with everything that privilege needs in place:
 *
 *     1000  GDT        3000  TSS       10000  stacks of ring 0 to 3, at 10000 + 1000 * (ring + 1)
 *     2000  IDT        4000  handlers, 16 bytes each: an endless loop
 *     5000  LDT        8000  code
 *
 * Flat code and data segments of each ring: `code(ring)` and `data(ring)` give their selectors.
 */
export class ProtectedMachine extends BareMachine {
  static readonly gdt = 0x1000;
  static readonly idt = 0x2000;
  static readonly tss = 0x3000;
  static readonly handlers = 0x4000;
  static readonly ldt = 0x5000;
  static readonly start = 0x8000;
  /** The first GDT index that tests may use. */
  static readonly firstFree = 16;

  constructor(length?: number) {
    super(length);
    this.#tables();
    this.enter(0);
  }

  code(ring: number): number {
    return ((1 + ring) << 3) | ring;
  }

  data(ring: number): number {
    return ((5 + ring) << 3) | ring;
  }

  stack(ring: number): number {
    return 0x1_0000 + 0x1000 * (ring + 1);
  }

  setDescriptor(selector: number, value: bigint): void {
    const table = (selector & 4) === 0 ? ProtectedMachine.gdt : ProtectedMachine.ldt;
    this.set64(table + (selector & 0xfff8), value);
  }

  descriptor(selector: number): bigint {
    const at = ((selector & 4) === 0 ? ProtectedMachine.gdt : ProtectedMachine.ldt) + (selector & 0xfff8);
    return (BigInt(this.u32(at + 4)) << 32n) | BigInt(this.u32(at));
  }

  setGate(vector: number, value: bigint): void {
    this.set64(ProtectedMachine.idt + 8 * vector, value);
  }

  #tables(): void {
    for (let ring = 0; ring < 4; ring++) {
      this.setDescriptor(this.code(ring), descriptor({ type: 0x1b, dpl: ring }));
      this.setDescriptor(this.data(ring), descriptor({ type: 0x13, dpl: ring }));
    }
    for (let vector = 0; vector < 256; vector++) {
      this.setGate(vector, gate({ selector: 8, offset: ProtectedMachine.handlers + 16 * vector, type: 14, dpl: 0 }));
      this.load(ProtectedMachine.handlers + 16 * vector, [0xeb, 0xfe]);
    }
    for (let ring = 0; ring < 3; ring++) {
      this.set32(ProtectedMachine.tss + 4 + 8 * ring, this.stack(ring));
      this.set32(ProtectedMachine.tss + 8 + 8 * ring, this.data(ring));
    }
    this.set16(ProtectedMachine.tss + 0x66, 0x68);
  }

  /** Protected mode at privilege `ring`, about to execute at 8000h, as if no test had run before. */
  enter(ring: number): void {
    this.engine.reset();
    this.set({ cr0: 0x11, 'gdtr.base': ProtectedMachine.gdt, 'gdtr.limit': 0x7ff, 'idtr.base': ProtectedMachine.idt });
    this.set({ 'idtr.limit': 0x7ff });
    this.setSegment('tr', 0x58, 0x8b, ProtectedMachine.tss, 0x67);
    this.setDescriptor(0x58, descriptor({ base: ProtectedMachine.tss, limit: 0x67, type: 0xb, granular: false }));
    this.setSegment('ldtr', 0x60, 0x82, ProtectedMachine.ldt, 0xfff);
    this.setDescriptor(0x60, descriptor({ base: ProtectedMachine.ldt, limit: 0xfff, type: 2, granular: false }));
    this.setSegment('cs', this.code(ring), 0xc09b | (ring << 5), 0, 0xffff_ffff);
    for (const name of ['ds', 'es', 'fs', 'gs', 'ss']) {
      this.setSegment(name, this.data(ring), 0xc093 | (ring << 5), 0, 0xffff_ffff);
    }
    this.set({ cpl: ring, rflags: 2, rsp: this.stack(ring), rip: ProtectedMachine.start });
  }

  setSegment(name: string, selector: number, attributes: number, base: number, limit: number): void {
    this.set({
      [name]: selector,
      [`${name}.attributes`]: attributes,
      [`${name}.base`]: base,
      [`${name}.limit`]: limit,
    });
  }

  /** The event whose 32-bit handler is about to run, or undefined when none is. */
  delivered(): Delivery | undefined {
    const vector = (this.get('rip') - ProtectedMachine.handlers) / 16;
    if (!Number.isInteger(vector) || vector < 0 || vector > 255) return undefined;
    const hasError = WITH_ERROR.has(vector);
    const frame = this.get('rsp') + (hasError ? 4 : 0);
    return {
      vector,
      error: hasError ? this.u32(frame - 4) : undefined,
      eip: this.u32(frame),
      cs: this.u32(frame + 4),
      eflags: this.u32(frame + 8),
    };
  }
}
