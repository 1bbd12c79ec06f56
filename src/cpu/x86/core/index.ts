// The module's exports.
import { dropPage, initializeCodeCache } from './code-cache';
import { updateDebug } from './debug';
import { decode } from './decode';
import { OP_RAISE } from './generated/decoder';
import { initializeHandlers } from './generated/handlers';
import { STATE_DEADLINE, UOP_SIZE } from './generated/layout';
import { timeOfTimestamp } from './msr';
import { dropExecuteTags, flushTlbGlobal, initializeTlb, peek } from './paging';
import { resetProcessor } from './reset';
import { updateMode } from './segment';
import { uopImmediate, uopOp } from './uop';

export { materialize as flags, setFlags as set_flags } from './flags';
export { run } from './run';

/** Registers have been written from outside: derives what depends on them. */
export function update_mode(): void {
  updateDebug();
  updateMode();
}

/** The state after RESET#. What has been decoded stays: memory has not changed. */
export function reset(): void {
  resetProcessor();
  flush_tlb();
}

/** Once, before anything else. */
export function initialize(): void {
  initializeHandlers();
  initializeCodeCache();
  initializeTlb();
  reset();
}

/** The memory map has changed: nothing translated is worth anything, and the block in flight ends soon. */
export function flush_tlb(): void {
  flushTlbGlobal();
  store<u64>(STATE_DEADLINE, 0);
}

/** Someone other than the guest's stores writes to the code page at this arena address. */
export function code_written(address: u32): void {
  dropPage(address);
  dropExecuteTags(address & ~0xfff);
}

/** The guest-physical address behind a linear one, or -1. */
export function translate(linear: f64): f64 {
  return <f64>peek(<u64>linear);
}

/** The host's time stamp at which the guest's time-stamp counter reaches a value. */
export function time_of_timestamp(low: u32, high: u32): f64 {
  return timeOfTimestamp(((<u64>high) << 32) | low);
}

const PROBE_UOP: usize = memory.data(UOP_SIZE, 16);
const PROBE_BYTES: usize = memory.data(16);

/** Where tests put the bytes of an instruction for `decode_probe`. */
export function probe_bytes(): u32 {
  return <u32>PROBE_BYTES;
}

/** The length of the instruction in `probe_bytes`, or 100h and the vector of the exception that it is. */
export function decode_probe(mode: u32): u32 {
  const length = decode(PROBE_BYTES, 15, PROBE_UOP, mode);
  return uopOp(PROBE_UOP) == OP_RAISE ? 0x100 | <u32>uopImmediate(PROBE_UOP) : length;
}
