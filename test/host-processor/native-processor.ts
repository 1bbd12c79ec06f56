import { assemble } from '../../src/cpu/x86/assembler/index.ts';
import { BATCH_LENGTH, BATCH_START, type Batch } from './batch.ts';
import { mapAt, type HostProcessor } from './host-processor.ts';

/** The processor that this process runs on, with memory where a batch lies. */
export class NativeProcessor {
  readonly #host: HostProcessor;
  readonly #bytes: Uint8Array = mapAt(BATCH_START, Math.ceil(BATCH_LENGTH / 4096) * 4096);

  constructor(host: HostProcessor) {
    this.#host = host;
  }

  /** What memory holds after the batch has run. */
  run(batch: Batch): Uint8Array {
    this.#bytes.set(batch.bytes);
    const exit = assemble(`jmp ${this.#host.exit}`, { origin: batch.end, bits: 32 }).bytes;
    this.#bytes.set(exit, batch.end - BATCH_START);
    this.#host.run(BATCH_START);
    return this.#bytes;
  }
}
