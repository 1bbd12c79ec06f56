import { assert } from '../../base/assert.ts';
import { Lifetimes } from '../../base/disposable.ts';
import { wasm } from '../../base/webassembly.ts';
import type { ArenaStore, Gpa, GuestMemory } from '../../memory/index.ts';
import type { Engine, EngineHost, Exit } from '../engine.ts';
import { engineWasm } from './generated/engine-wasm.ts';
import { REGISTER_PLACES, type RegisterPlace } from './registers.ts';
import { ENGINE_END, EXIT, FIELD, STATE } from './table/layout.ts';

/** What the compiled core exports (core/index.ts). 32-bit results come as signed numbers. */
interface Core {
  initialize(): void;
  reset(): void;
  run(): number;
  flush_tlb(): void;
  code_written(address: number): void;
  translate(linear: number): number;
  time_of_timestamp(low: number, high: number): number;
  flags(): number;
  set_flags(flags: number): void;
  update_mode(): void;
  probe_bytes(): number;
  decode_probe(mode: number): number;
}

const EXITS: readonly Exit[] = ['limit', 'halt', 'shutdown', 'request'];
const TWO_32 = 2 ** 32;

/** Bytes at the start of an arena that the engine takes for itself. */
export const ENGINE_RESERVED: number = ENGINE_END;

let compiled: object | undefined;

/** Compiled once, whatever the number of machines. */
function compile(): object {
  compiled ??= new wasm.Module(engineWasm());
  return compiled;
}

export interface WasmEngineOptions {
  readonly memory: GuestMemory;
  /** The arena that holds the guest memory's segments. Its first ENGINE_RESERVED bytes must be reserved. */
  readonly store: ArenaStore;
  readonly host: EngineHost;
}

/**
 * The portable engine: an interpreter compiled to WebAssembly that shares one arena with guest memory, so that a guest's
 * load is a load. All state is in the arena; this class starts it, and carries calls in both directions.
 */
export class WasmEngine implements Engine {
  readonly #core: Core;
  readonly #state: DataView;
  readonly #lifetimes = new Lifetimes();

  /** In the state after RESET#. */
  constructor(options: WasmEngineOptions) {
    const { memory, store, host } = options;
    this.#state = new DataView(store.memory.buffer, STATE);
    const imports = { env: { memory: store.memory }, host: hostCalls(memory, host) };
    this.#core = new wasm.Instance(compile(), imports).exports as unknown as Core;
    this.#set32(FIELD.FLAT_DIRECTORY_32, memory.flat.address);
    this.setA20(true);
    this.setIgnoreFloatError(host.floatError === undefined);
    this.#core.initialize();
    this.#lifetimes.own(memory.observe({ changed: () => this.#core.flush_tlb() }, { replay: false }));
    this.#lifetimes.own(memory.onPagesGuarded(() => this.#core.flush_tlb()));
    this.#lifetimes.own(memory.trackCode({ codeWritten: (address) => this.#core.code_written(address) }));
  }

  get instructions(): number {
    return (
      this.#state.getUint32(FIELD.INSTRUCTIONS, true) + this.#state.getUint32(FIELD.INSTRUCTIONS + 4, true) * TWO_32
    );
  }

  run(limit: number): Exit {
    this.#set64(FIELD.LIMIT, Math.max(0, Math.min(limit, Number.MAX_SAFE_INTEGER)));
    const exit = EXITS[this.#core.run() - 1];
    assert(exit !== undefined, 'the engine came back without a reason');
    return exit;
  }

  requestExit(): void {
    if (this.#state.getUint32(FIELD.EXIT_32, true) === EXIT.NONE) this.#set32(FIELD.EXIT_32, EXIT.REQUEST);
    this.#attend();
  }

  setInterruptLine(asserted: boolean): void {
    this.#set32(FIELD.INTERRUPT_LINE_32, asserted ? 1 : 0);
    this.#attend();
  }

  nonMaskableInterrupt(): void {
    this.#set32(FIELD.NMI_PENDING_32, 1);
    this.#attend();
  }

  setA20(enabled: boolean): void {
    const mask = enabled ? 0xffff_ffff : 0xffef_ffff;
    if (this.#state.getUint32(FIELD.A20_MASK_32, true) === mask) return;
    this.#set32(FIELD.A20_MASK_32, mask);
    this.#core.flush_tlb();
  }

  setIgnoreFloatError(ignored: boolean): void {
    this.#set32(FIELD.IGNNE_32, ignored ? 1 : 0);
  }

  reset(): void {
    this.#core.reset();
  }

  register(name: string): bigint {
    if (name === 'rflags') return BigInt(this.#core.flags() >>> 0);
    const { offset, size } = placeOf(name);
    return size === 8 ? this.#state.getBigUint64(offset, true) : BigInt(this.#state.getUint32(offset, true));
  }

  /** Writes the register and nothing else: a selector does not load its descriptor. */
  setRegister(name: string, value: bigint): void {
    if (name === 'rflags') this.#core.set_flags(Number(BigInt.asUintN(32, value)));
    else this.#setPlace(placeOf(name), value);
    this.#core.update_mode();
    this.#core.flush_tlb();
  }

  translate(linear: number): Gpa | undefined {
    const address = this.#core.translate(linear);
    return address < 0 ? undefined : (address as Gpa);
  }

  timeOfTimestamp(low: number, high: number): number {
    return this.#core.time_of_timestamp(low, high);
  }

  /**
   * What the decoder makes of the start of `bytes` in a mode (MODE bits): the length of an instruction, or 0x100 and the
   * vector of the exception that it raises.
   */
  decode(bytes: Uint8Array, mode: number): number {
    const target = new Uint8Array(this.#state.buffer, this.#core.probe_bytes(), 16);
    target.fill(0).set(bytes.subarray(0, 16));
    return this.#core.decode_probe(mode);
  }

  /** The processor's state, byte for byte, from STATE on. */
  get state(): DataView {
    return this.#state;
  }

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }

  /** Makes the block in flight the last before the main loop looks at pins and exits. */
  #attend(): void {
    this.#set64(FIELD.DEADLINE, 0);
  }

  #set32(offset: number, value: number): void {
    this.#state.setUint32(offset, value, true);
  }

  #set64(offset: number, value: number): void {
    this.#state.setUint32(offset, value % TWO_32, true);
    this.#state.setUint32(offset + 4, Math.floor(value / TWO_32), true);
  }

  #setPlace({ offset, size }: RegisterPlace, value: bigint): void {
    if (size === 8) this.#state.setBigUint64(offset, BigInt.asUintN(64, value), true);
    else this.#set32(offset, Number(BigInt.asUintN(32, value)));
  }
}

function placeOf(name: string): RegisterPlace {
  const place = REGISTER_PLACES.get(name);
  assert(place !== undefined, `there is no register ${name}`);
  return place;
}

/** Answers of core/host.ts where a machine has no local APIC. */
const NO_APIC = 2;
const NO_TASK_PRIORITY = 0xff;

/** The imports of core/host.ts. WebAssembly hands over 32-bit values as signed numbers. */
function hostCalls(memory: GuestMemory, host: EngineHost): Record<string, unknown> {
  return {
    port_read: (port: number, size: 1 | 2 | 4) => host.portRead(port, size),
    port_write: (port: number, size: 1 | 2 | 4, value: number) => host.portWrite(port, size, value >>> 0),
    mmio_read: (gpa: Gpa, size: 1 | 2 | 4) => host.mmioRead(gpa, size),
    mmio_write: (gpa: Gpa, size: 1 | 2 | 4, value: number) => host.mmioWrite(gpa, size, value >>> 0),
    before_write: (gpa: Gpa) => memory.beforeWrite(gpa),
    code_page: (gpa: Gpa) => memory.markCode(gpa),
    acknowledge: () => host.acknowledgeInterrupt(),
    timestamp: () => host.timestamp(),
    float_error: (asserted: number) => host.floatError?.(asserted !== 0),
    msr_read: (msr: number) => (host.apic === undefined ? NO_APIC : Number(host.apic.readMsr(msr >>> 0))),
    msr_low: () => host.apic?.msrLow ?? 0,
    msr_high: () => host.apic?.msrHigh ?? 0,
    msr_write: (msr: number, low: number, high: number) =>
      host.apic === undefined ? NO_APIC : Number(host.apic.writeMsr(msr >>> 0, low >>> 0, high >>> 0)),
    timestamp_moved: () => host.apic?.timestampMoved(),
    task_priority: () => host.apic?.cr8 ?? NO_TASK_PRIORITY,
    set_task_priority: (value: number) => {
      if (host.apic !== undefined) host.apic.cr8 = value;
    },
  };
}
