import { ArenaStore, gpa, GuestMemory, type Segment } from '../../src/memory/index.ts';
import type { Engine, EngineHost } from '../../src/cpu/engine.ts';
import { ENGINE_RESERVED, WasmEngine } from '../../src/cpu/x86/engine.ts';
import { BATCH_LENGTH, BATCH_START, type Batch } from './batch.ts';

const SILENT: EngineHost = {
  portRead: () => 0xff,
  portWrite: () => {},
  mmioRead: () => 0xffff_ffff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => 0xff,
  timestamp: () => 0,
};

const HALT = Uint8Array.of(0xf4);
const LIMIT = 10_000_000;

/** The WebAssembly engine in flat 32-bit protected mode, with memory where a batch lies. */
export class EngineProcessor {
  readonly #engine: Engine;
  readonly #segment: Segment;

  constructor() {
    const length = Math.ceil(BATCH_LENGTH / 4096) * 4096;
    const store = new ArenaStore({ capacity: ENGINE_RESERVED + length + 0x40_0000, reserved: ENGINE_RESERVED });
    const memory = new GuestMemory({ store });
    this.#segment = memory.createSegment({ name: 'batch', kind: 'sysmem', length });
    memory.map({ segment: this.#segment, gpa: gpa(BATCH_START), prot: 'rwx' });
    this.#engine = new WasmEngine({ memory, store, host: SILENT });
  }

  /** What memory holds after the batch has run. */
  run(batch: Batch): Uint8Array {
    this.#segment.write(0, batch.bytes);
    this.#segment.write(batch.end - BATCH_START, HALT);
    this.#engine.reset();
    for (const name of ['cs', 'ss', 'ds', 'es']) {
      this.#engine.setRegister(name, name === 'cs' ? 8n : 16n);
      this.#engine.setRegister(`${name}.base`, 0n);
      this.#engine.setRegister(`${name}.limit`, 0xffff_ffffn);
      this.#engine.setRegister(`${name}.attributes`, name === 'cs' ? 0xc09bn : 0xc093n);
    }
    this.#engine.setRegister('cr0', 0x11n);
    this.#engine.setRegister('rip', BigInt(BATCH_START));
    const exit = this.#engine.run(this.#engine.instructions + LIMIT);
    if (exit !== 'halt')
      throw new Error(`the engine ended with ${exit} at 0x${this.#engine.register('rip').toString(16)}`);
    return this.#segment.bytes.subarray(0, BATCH_LENGTH);
  }
}
