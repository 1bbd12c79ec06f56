import { WasmEngine, ENGINE_RESERVED } from '../../src/cpu/x86/engine.ts';
import { FIELD } from '../../src/cpu/x86/table/layout.ts';
import { ArenaStore, gpa, GuestMemory, type Segment } from '../../src/memory/index.ts';
import { BASE, CODE, DATA, DATA_LENGTH, FLAGS, LENGTH, REGISTERS, type FloatState } from './float-state.ts';

/** The same for the engine, in flat 32-bit protected mode. */
export class FloatEngine {
  readonly engine: WasmEngine;
  readonly #memory: GuestMemory;
  readonly #ram: Segment;
  readonly #state: DataView;

  constructor() {
    const store = new ArenaStore({ capacity: ENGINE_RESERVED + 0x100_0000, reserved: ENGINE_RESERVED });
    this.#memory = new GuestMemory({ store });
    this.#ram = this.#memory.createSegment({ name: 'ram', kind: 'sysmem', length: LENGTH });
    this.#memory.map({ segment: this.#ram, gpa: gpa(BASE), prot: 'rwx' });
    const host = {
      portRead: () => 0xff,
      portWrite: () => {},
      mmioRead: () => 0xffff_ffff,
      mmioWrite: () => {},
      acknowledgeInterrupt: () => 0xff,
      timestamp: () => 0,
    };
    this.engine = new WasmEngine({ memory: this.#memory, store, host });
    this.#state = this.engine.state;
    this.#prepare();
  }

  #prepare(): void {
    for (const name of ['cs', 'ss', 'ds', 'es']) {
      this.engine.setRegister(name, name === 'cs' ? 8n : 16n);
      this.engine.setRegister(`${name}.base`, 0n);
      this.engine.setRegister(`${name}.limit`, 0xffff_ffffn);
      this.engine.setRegister(`${name}.attributes`, name === 'cs' ? 0xc09bn : 0xc093n);
    }
    this.engine.setRegister('cr0', 0x31n);
    this.engine.setRegister('cr4', 0x600n);
  }

  load(code: readonly number[]): void {
    this.#memory.write(gpa(CODE), Uint8Array.from([...code, 0xf4]));
  }

  /** Runs what is loaded; false when it did not come to its end. */
  run(before: FloatState, after: FloatState): boolean {
    this.#enter(before);
    const exit = this.engine.run(1000 + this.engine.instructions);
    this.#leave(after);
    return exit === 'halt' && this.#state.getUint32(FIELD.FAULT_32, true) === 0;
  }

  #enter({ image, data }: FloatState): void {
    const state = this.#state;
    const control = image.getUint16(0, true);
    const status = image.getUint16(2, true);
    const top = (status >> 11) & 7;
    state.setUint32(FIELD.X87_CONTROL_32, control, true);
    state.setUint32(FIELD.X87_STATUS_32, status & 0xc7ff, true);
    state.setUint32(FIELD.X87_TOP_32, top, true);
    state.setUint32(FIELD.X87_USED_32, image.getUint8(4), true);
    for (let index = 0; index < 8; index++) {
      const at = FIELD.X87 + ((top + index) & 7) * 16;
      state.setBigUint64(at, image.getBigUint64(32 + index * 16, true), true);
      state.setBigUint64(at + 8, BigInt(image.getUint16(40 + index * 16, true)), true);
      state.setBigUint64(FIELD.REGS + index * 8, image.getBigUint64(REGISTERS + index * 8, true), true);
    }
    for (let at = 0; at < 256; at += 8) state.setBigUint64(FIELD.SSE + at, image.getBigUint64(160 + at, true), true);
    state.setUint32(FIELD.MXCSR_32, image.getUint32(24, true), true);
    state.setUint32(FIELD.HALTED_32, 0, true);
    state.setBigUint64(FIELD.RIP, BigInt(CODE), true);
    this.#ram.bytes.set(data, DATA - BASE);
    this.engine.setRegister('rflags', image.getBigUint64(FLAGS, true));
  }

  #leave({ image, data }: FloatState): void {
    const state = this.#state;
    const top = state.getUint32(FIELD.X87_TOP_32, true);
    image.setUint16(0, state.getUint32(FIELD.X87_CONTROL_32, true), true);
    image.setUint16(2, state.getUint32(FIELD.X87_STATUS_32, true) | (top << 11), true);
    image.setUint8(4, state.getUint32(FIELD.X87_USED_32, true));
    for (let index = 0; index < 8; index++) {
      const at = FIELD.X87 + ((top + index) & 7) * 16;
      image.setBigUint64(32 + index * 16, state.getBigUint64(at, true), true);
      image.setUint16(40 + index * 16, state.getUint16(at + 8, true), true);
      image.setBigUint64(REGISTERS + index * 8, state.getBigUint64(FIELD.REGS + index * 8, true), true);
    }
    for (let at = 0; at < 256; at += 8) image.setBigUint64(160 + at, state.getBigUint64(FIELD.SSE + at, true), true);
    image.setUint32(24, state.getUint32(FIELD.MXCSR_32, true), true);
    image.setBigUint64(FLAGS, this.engine.register('rflags'), true);
    data.set(this.#ram.bytes.subarray(DATA - BASE, DATA - BASE + DATA_LENGTH));
  }
}
