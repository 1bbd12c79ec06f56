import { gpa, ArenaStore, GuestMemory, type Gpa } from '../../memory/index.ts';
import type { EngineHost, Exit } from '../engine.ts';
import { assemble } from './assembler/index.ts';
import { WasmEngine } from './engine.ts';
import { ENGINE_END } from './table/layout.ts';

/** What the processor did on its buses. */
export interface BusAccess {
  readonly kind: 'in' | 'out' | 'read' | 'write';
  readonly address: number;
  readonly size: number;
  /** Written, or answered. */
  readonly value: number;
}

/**
 * A processor and memory, and nothing else: what tests of the engine run on. Memory is `rwx` from address 0; every
 * access elsewhere and to every port is noted and answered with all-ones unless `answer` says something.
 */
export class BareMachine implements Disposable {
  readonly memory: GuestMemory;
  readonly engine: WasmEngine;
  readonly bytes: Uint8Array;
  readonly accesses: BusAccess[] = [];
  answer: (access: { kind: 'in' | 'read'; address: number; size: number }) => number = () => 0xffff_ffff;
  vector = 0x20;
  time = 0;
  readonly #view: DataView;

  constructor(length: number = 0x100_0000) {
    const store = new ArenaStore({ capacity: ENGINE_END + length + 0x100_0000, reserved: ENGINE_END });
    this.memory = new GuestMemory({ store });
    const segment = this.memory.createSegment({ name: 'ram', kind: 'sysmem', length });
    this.memory.map({ segment, gpa: gpa(0), prot: 'rwx' });
    this.bytes = segment.bytes;
    this.#view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, length);
    this.engine = new WasmEngine({ memory: this.memory, store, host: this.#host() });
  }

  #host(): EngineHost {
    const masked = (value: number, size: number): number => (size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1));
    const read = (kind: 'in' | 'read', address: number, size: number): number => {
      const value = masked(this.answer({ kind, address, size }), size);
      this.accesses.push({ kind, address, size, value });
      return value;
    };
    return {
      portRead: (port, size) => read('in', port, size),
      portWrite: (port, size, value) =>
        void this.accesses.push({ kind: 'out', address: port, size, value: value >>> 0 }),
      mmioRead: (address: Gpa, size) => read('read', address, size),
      mmioWrite: (address: Gpa, size, value) =>
        void this.accesses.push({ kind: 'write', address, size, value: value >>> 0 }),
      acknowledgeInterrupt: () => this.vector,
      timestamp: () => this.time,
    };
  }

  /** Puts bytes into memory; what the engine has decoded from there is forgotten. */
  load(address: number, bytes: Uint8Array | readonly number[]): void {
    this.memory.write(gpa(address), Uint8Array.from(bytes));
  }

  /** Puts assembled code at `address`; the labels' addresses. */
  assemble(address: number, source: string, bits: 16 | 32 = 32): ReadonlyMap<string, number> {
    const { bytes, labels } = assemble(source, { origin: address, bits });
    this.load(address, bytes);
    return labels;
  }

  u8(address: number): number {
    return this.bytes[address] ?? 0;
  }

  u16(address: number): number {
    return this.#view.getUint16(address, true);
  }

  u32(address: number): number {
    return this.#view.getUint32(address, true);
  }

  /** Writes a value that is data, never code. */
  set16(address: number, value: number): void {
    this.#view.setUint16(address, value, true);
  }

  set32(address: number, value: number): void {
    this.#view.setUint32(address, value, true);
  }

  set64(address: number, value: bigint): void {
    this.#view.setBigUint64(address, value, true);
  }

  /** Registers below 2^53 by their names. */
  get(name: string): number {
    return Number(this.engine.register(name));
  }

  set(registers: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(registers)) this.engine.setRegister(name, BigInt(value >>> 0));
  }

  /** Runs `count` instructions or a few more, to the end of their block. */
  run(count: number): Exit {
    return this.engine.run(this.engine.instructions + count);
  }

  [Symbol.dispose](): void {
    this.engine[Symbol.dispose]();
    this.memory[Symbol.dispose]();
  }
}
