import type { Clock, Nanoseconds } from '../base/clock.ts';
import type { InterruptLine } from '../bus/interrupt-line.ts';

/** What the devices of a machine are connected to. */
export interface Connections {
  readonly clock: Clock;
  /** Unix seconds; asked once, at power-on. */
  readonly wallClock: () => number;
  /** The processor's INTR pin. */
  readonly interrupt: InterruptLine;
  /** The processor's NMI pin: each call is an edge. */
  readonly nonMaskableInterrupt: () => void;
  /** Machine time at which the time-stamp counter, as the guest sees it, reaches a value given in two halves. */
  readonly timeOfTimestamp: (low: number, high: number) => Nanoseconds;
  readonly setA20: (enabled: boolean) => void;
  /** The processor's IGNNE# pin. */
  readonly setIgnoreFloatError: (ignored: boolean) => void;
  readonly powerOff: () => void;
  readonly requestReset: () => void;
  readonly serial: { transmit(byte: number): void; room(): void };
  /** Told of each change of the variables' flash, with its bytes. */
  readonly variablesChanged: (bytes: Uint8Array) => void;
  readonly debugConsole: (byte: number) => void;
}
