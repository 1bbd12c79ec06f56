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

/** Ways to the same memory that the engine goes differently. */
const TRANSLATIONS = {
  /** Nothing to check and nothing to add. */
  flat: { limit: 0xffff_ffffn, cr0: 0x11n },
  /** Limits to be checked. */
  segmented: { limit: 0x7fff_ffffn, cr0: 0x11n },
  /** Page tables to be walked. */
  paged: { limit: 0xffff_ffffn, cr0: 0x8000_0011n },
} as const;

export type Translation = keyof typeof TRANSLATIONS;

export const TRANSLATION_NAMES = Object.keys(TRANSLATIONS) as readonly Translation[];

/** Where the page directory is: 4 MiB pages, every address onto itself. */
const PAGE_DIRECTORY = 0x1000;
const PAGE_SIZE_EXTENSIONS = 0x10n;
const PAGE_4M = 0x83;

/** The WebAssembly engine in 32-bit protected mode, with memory where a batch lies. */
export class EngineProcessor {
  readonly #engine: Engine;
  readonly #segment: Segment;
  readonly #translation: Translation;

  constructor(translation: Translation = 'flat') {
    const length = Math.ceil(BATCH_LENGTH / 4096) * 4096;
    const store = new ArenaStore({ capacity: ENGINE_RESERVED + length + 0x40_0000, reserved: ENGINE_RESERVED });
    const memory = new GuestMemory({ store });
    this.#segment = memory.createSegment({ name: 'batch', kind: 'sysmem', length });
    memory.map({ segment: this.#segment, gpa: gpa(BATCH_START), prot: 'rwx' });
    const tables = memory.createSegment({ name: 'tables', kind: 'sysmem', length: 4096 });
    memory.map({ segment: tables, gpa: gpa(PAGE_DIRECTORY), prot: 'rwx' });
    const entries = Uint32Array.from({ length: 1024 }, (_, index) => index * 0x40_0000 + PAGE_4M);
    tables.write(0, new Uint8Array(entries.buffer));
    this.#engine = new WasmEngine({ memory, store, host: SILENT });
    this.#translation = translation;
  }

  /** What memory holds after the batch has run. */
  run(batch: Batch): Uint8Array {
    this.#segment.write(0, batch.bytes);
    this.#segment.write(batch.end - BATCH_START, HALT);
    this.#prepare();
    const exit = this.#engine.run(this.#engine.instructions + LIMIT);
    if (exit !== 'halt')
      throw new Error(`the engine ended with ${exit} at 0x${this.#engine.register('rip').toString(16)}`);
    return this.#segment.bytes.subarray(0, BATCH_LENGTH);
  }

  #prepare(): void {
    const { limit, cr0 } = TRANSLATIONS[this.#translation];
    this.#engine.reset();
    for (const name of ['cs', 'ss', 'ds', 'es']) {
      this.#engine.setRegister(name, name === 'cs' ? 8n : 16n);
      this.#engine.setRegister(`${name}.base`, 0n);
      this.#engine.setRegister(`${name}.limit`, limit);
      this.#engine.setRegister(`${name}.attributes`, name === 'cs' ? 0xc09bn : 0xc093n);
    }
    this.#engine.setRegister('cr3', BigInt(PAGE_DIRECTORY));
    this.#engine.setRegister('cr4', PAGE_SIZE_EXTENSIONS);
    this.#engine.setRegister('cr0', cr0);
    this.#engine.setRegister('rip', BigInt(BATCH_START));
  }
}
