import type { Gpa } from '../memory/index.ts';

/** What an engine asks of the machine around it. Every call is synchronous and may change the memory map. */
export interface EngineHost {
  portRead(port: number, size: 1 | 2 | 4): number;
  portWrite(port: number, size: 1 | 2 | 4, value: number): void;
  /** An access to an address that guest memory does not back, or a write that it does not allow. */
  mmioRead(gpa: Gpa, size: 1 | 2 | 4): number;
  mmioWrite(gpa: Gpa, size: 1 | 2 | 4, value: number): void;
  /** The interrupt controller's vector, asked for once per interrupt taken. */
  acknowledgeInterrupt(): number;
  /**
   * The FERR# pin, which a PC wires to interrupt 13: an x87 exception while CR0.NE is clear. Without anyone there the
   * processor does as if IGNNE# were asserted.
   */
  floatError?(asserted: boolean): void;
  /** The time-stamp counter: nanoseconds, as CPUID says; an integer below 2^53. */
  timestamp(): number;
  /** Where there is one; without it CPUID tells of none. */
  readonly apic?: ProcessorApic;
}

/** What the processor asks of its local APIC. */
export interface ProcessorApic {
  /** RDMSR of 1Bh, 6E0h or 800h to 8FFh. True: the value is in the next two; false: #GP(0). */
  readMsr(msr: number): boolean;
  readonly msrLow: number;
  readonly msrHigh: number;
  /** WRMSR of one of them; false: #GP(0). */
  writeMsr(msr: number, low: number, high: number): boolean;
  /** The time-stamp counter has been written. */
  timestampMoved(): void;
  /** The task priority, 0 to 15. */
  cr8: number;
}

/** Why `run` returned. */
export type Exit =
  /** The instruction limit was reached. */
  | 'limit'
  /** The guest waits for an interrupt. */
  | 'halt'
  /** A triple fault: the processor has shut down until it is reset. */
  | 'shutdown'
  /** `requestExit` was called. */
  | 'request';

/** What executes guest instructions. */
export interface Engine extends Disposable {
  /** Instructions retired since creation. */
  readonly instructions: number;
  /** Runs until `instructions` reaches `limit` (to the end of the block that reaches it) or something else ends it. */
  run(limit: number): Exit;
  /** Makes the current or the next `run` return at the next block boundary. */
  requestExit(): void;
  /** The INTR pin, level-triggered. */
  setInterruptLine(asserted: boolean): void;
  /** The NMI pin, edge-triggered. */
  nonMaskableInterrupt(): void;
  /** Whether address line 20 is passed on. Off, every odd megabyte is the even one below it. */
  setA20(enabled: boolean): void;
  /** The IGNNE# pin: x87 instructions do not wait for what FERR# reports. */
  setIgnoreFloatError(ignored: boolean): void;
  /** The state after RESET# (SDM volume 3, section 10.1.1). */
  reset(): void;
  /** A register by its lower-case name: `rax`, `rip`, `rflags`, `cs`, `cs.base`, `cr0`, `gdtr.base`. */
  register(name: string): bigint;
  setRegister(name: string, value: bigint): void;
  /** The time stamp of the host at which the guest's counter reaches a value given in two halves; now, if it has. */
  timeOfTimestamp(low: number, high: number): number;
  /** Where a linear address leads, by the page tables as they stand and without any side effect. */
  translate(linear: number): Gpa | undefined;
}
