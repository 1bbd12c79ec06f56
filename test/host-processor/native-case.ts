import { assemble } from '../../src/cpu/x86/assembler/index.ts';
import { CODE, OBSERVED_END, OBSERVED_START, RING0_STACK } from '../../src/cpu/conformance/layout.ts';
import { GENERAL_REGISTERS, initialMemory, type VisibleState } from '../../src/cpu/conformance/visible-state.ts';
import { mapAt, type HostProcessor } from './host-processor.ts';

/** What the host processor left behind. */
export interface NativeResult {
  readonly registers: ReadonlyMap<string, number>;
  readonly flags: number;
  /** From OBSERVED_START to OBSERVED_END. */
  readonly memory: Uint8Array;
}

const START = RING0_STACK - 0x1000;
const RECORD = START + 0x800;

/** In the order that POPAD takes them. */
const POPAD_ORDER = ['edi', 'esi', 'ebp', 'esp', 'ebx', 'edx', 'ecx', 'eax'] as const;

/**
 * Runs conformance cases on the host processor, at the addresses that they have on an engine: that takes a process
 * that may map memory below 64 KiB.
 */
export class NativeCaseRunner {
  readonly #host: HostProcessor;
  readonly #bytes: Uint8Array = mapAt(START, OBSERVED_END - START);
  readonly #epilogue: number;

  constructor(host: HostProcessor) {
    this.#host = host;
    const { bytes, labels } = assemble(
      `mov esp, ${RECORD}\npopad\npopfd\nmov esp, [${RECORD + 12}]\njmp ${CODE}
      epilogue: mov [${RECORD + 0x40}], esp\nmov esp, ${RECORD + 0x80}\npushfd\npushad\njmp ${host.exit}`,
      { origin: START, bits: 32 },
    );
    this.#bytes.set(bytes);
    this.#epilogue = labels.get('epilogue') ?? 0;
  }

  run(code: Uint8Array, end: number, before: VisibleState): NativeResult {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    this.#bytes.set(initialMemory(OBSERVED_START, OBSERVED_END, before), OBSERVED_START - START);
    this.#bytes.set(code, CODE - START);
    this.#bytes.set(assemble(`jmp ${this.#epilogue}`, { origin: end - 2, bits: 32 }).bytes, end - 2 - START);
    for (const [index, name] of POPAD_ORDER.entries())
      view.setUint32(RECORD - START + 4 * index, before.registers.get(name) ?? 0, true);
    view.setUint32(RECORD - START + 32, (before.flags ?? 0) | 0x202, true);
    this.#host.run(START);
    const registers = new Map<string, number>();
    for (const name of GENERAL_REGISTERS)
      registers.set(name, view.getUint32(RECORD - START + 0x80 - 36 + 4 * POPAD_ORDER.indexOf(name), true));
    registers.set('esp', view.getUint32(RECORD - START + 0x40, true));
    const memory = this.#bytes.slice(OBSERVED_START - START);
    return { registers, flags: view.getUint32(RECORD - START + 0x80 - 4, true), memory };
  }
}
