// The fault protocol. An instruction that cannot finish stores its exception here and returns; whoever called looks at
// `fault` and returns too, until the main loop delivers it. Nothing has been committed by then, so that the
// instruction can be restarted. (WebAssembly exceptions cost a microsecond in V8, a flag costs nothing.)
import {
  STATE_CR2,
  STATE_FAULT_32,
  STATE_FAULT_ERROR_32,
  STATE_FAULT_HAS_ERROR_32,
  STATE_FAULT_VECTOR_32,
} from './generated/layout';

export const VECTOR_DE: u32 = 0;
export const VECTOR_DB: u32 = 1;
export const VECTOR_NMI: u32 = 2;
export const VECTOR_BP: u32 = 3;
export const VECTOR_OF: u32 = 4;
export const VECTOR_BR: u32 = 5;
export const VECTOR_UD: u32 = 6;
export const VECTOR_NM: u32 = 7;
export const VECTOR_DF: u32 = 8;
export const VECTOR_TS: u32 = 10;
export const VECTOR_NP: u32 = 11;
export const VECTOR_SS: u32 = 12;
export const VECTOR_GP: u32 = 13;
export const VECTOR_PF: u32 = 14;
export const VECTOR_MF: u32 = 16;
export const VECTOR_XM: u32 = 19;

/** FAULTED while the current instruction has raised an exception that is not yet delivered, or PAUSED; else 0. */
export let fault: i32 = 0;
export const FAULTED: i32 = 1;
/** Not an exception: a repeated string instruction has stopped between two iterations, and is to be entered again. */
export const PAUSED: i32 = 2;

/** Raises an exception without an error code. */
export function raise(vector: u32): void {
  fault = FAULTED;
  store<u32>(STATE_FAULT_32, 1);
  store<u32>(STATE_FAULT_VECTOR_32, vector);
  store<u32>(STATE_FAULT_ERROR_32, 0);
  store<u32>(STATE_FAULT_HAS_ERROR_32, 0);
}

/** Raises an exception with an error code. */
export function raiseError(vector: u32, error: u32): void {
  raise(vector);
  store<u32>(STATE_FAULT_ERROR_32, error);
  store<u32>(STATE_FAULT_HAS_ERROR_32, 1);
}

/** Raises #PF at a linear address. */
export function raisePageFault(linear: u64, error: u32): void {
  raiseError(VECTOR_PF, error);
  store<u64>(STATE_CR2, linear);
}

/** Stops a repeated string instruction for now. */
export function pause(): void {
  fault = PAUSED;
}

export function clearFault(): void {
  fault = 0;
  store<u32>(STATE_FAULT_32, 0);
}
