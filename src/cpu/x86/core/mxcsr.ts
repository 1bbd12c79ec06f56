// MXCSR, and the extended state image of FXSAVE (SDM volume 1, sections 10.2.3 and 10.5; volume 2, table 3-43).
import {
  MODE_CODE64,
  STATE_CR0,
  STATE_CR4,
  STATE_MXCSR_32,
  STATE_SSE,
  STATE_X87,
  STATE_X87_CS_32,
  STATE_X87_DP,
  STATE_X87_DS_32,
  STATE_X87_IP,
  STATE_X87_OPCODE_32,
  STATE_X87_TOP_32,
  STATE_X87_USED_32,
} from './generated/layout';
import { probeAs, probeWrite, read16, read32, read64, write16, write32, write64 } from './access';
import { CR0_EM, CR0_TS, CR4_OSFXSR, CR4_OSXMMEXCPT } from './control-bits';
import { fault, raise, raiseError, VECTOR_GP, VECTOR_NM, VECTOR_UD, VECTOR_XM } from './fault';
import { DENORMAL, INVALID, ZERO_DIVIDE } from './float';
import { operandLinear } from './segment';
import { mode } from './state';
import { uopSize } from './uop';
import { maySse } from './vector-register';
import { currentUser } from './privilege';
import { control, setStatus, setTop, statusWord, summarize } from './x87-state';
import { loadControl } from './x87-control';

/** Every bit that may be set, DAZ too. */
export const MXCSR_MASK: u32 = 0xffff;
const INITIAL: u32 = 0x1f80;
/** Exceptions that come before a result exists. */
const BEFORE: u32 = INVALID | DENORMAL | ZERO_DIVIDE;

// @ts-ignore: decorator
@inline export function mxcsr(): u32 {
  return load<u32>(STATE_MXCSR_32);
}

export function resetSse(): void {
  memory.fill(STATE_SSE, 0, 256);
  store<u32>(STATE_MXCSR_32, INITIAL);
}

/**
 * Reports what an instruction has raised. When an unmasked exception comes before the result, those that come after it
 * are not reported. Raises #XM, or #UD when the system has not said that it knows of #XM.
 */
export function reportSse(exceptions: u32): void {
  if (exceptions == 0) return;
  const now = mxcsr();
  const unmasked = exceptions & ~(now >> 7);
  const reported = (unmasked & BEFORE) != 0 ? exceptions & BEFORE : exceptions;
  store<u32>(STATE_MXCSR_32, now | reported);
  if (unmasked == 0) return;
  raise((load<u64>(STATE_CR4) & CR4_OSXMMEXCPT) != 0 ? VECTOR_XM : VECTOR_UD);
}

export function ldmxcsr(u: usize): void {
  if (!maySse()) return;
  const at = operandLinear(u, 4, false);
  if (fault) return;
  const value = read32(at);
  if (fault) return;
  if ((value & ~MXCSR_MASK) != 0) raiseError(VECTOR_GP, 0);
  else store<u32>(STATE_MXCSR_32, value);
}

export function stmxcsr(u: usize): void {
  if (!maySse()) return;
  const at = operandLinear(u, 4, true);
  if (!fault) write32(at, mxcsr());
}

/** Nothing is cached; the address is checked like a byte that is read. */
export function clflush(u: usize): void {
  const at = operandLinear(u, 1, false);
  if (!fault) probeAs(at, 1, currentUser());
}

function imageLinear(u: usize, write: bool): u64 {
  const cr0 = load<u64>(STATE_CR0);
  if ((cr0 & (CR0_EM | CR0_TS)) != 0) {
    raise((cr0 & CR0_EM) != 0 ? VECTOR_UD : VECTOR_NM);
    return 0;
  }
  const at = operandLinear(u, 512, write);
  if (!fault && (at & 15) != 0) raiseError(VECTOR_GP, 0);
  return at;
}

/** XMM registers that the mode has. */
function xmmCount(): u32 {
  return (mode() & MODE_CODE64) != 0 ? 16 : 8;
}

/** XMM registers and MXCSR belong to the image only when the system has said so. */
function hasSse(): bool {
  return (load<u64>(STATE_CR4) & CR4_OSFXSR) != 0;
}

export function fxsave(u: usize): void {
  const at = imageLinear(u, true);
  if (fault) return;
  probeWrite(at, 512);
  if (fault) return;
  write16(at, control());
  write16(at + 2, statusWord());
  write16(at + 4, load<u32>(STATE_X87_USED_32));
  write16(at + 6, load<u32>(STATE_X87_OPCODE_32));
  const wide = uopSize(u) == 8;
  write64(at + 8, wide ? load<u64>(STATE_X87_IP) : pointer(STATE_X87_IP, STATE_X87_CS_32));
  write64(at + 16, wide ? load<u64>(STATE_X87_DP) : pointer(STATE_X87_DP, STATE_X87_DS_32));
  for (let i: u32 = 0; i < 8; i++) {
    const from = registerAddress(i);
    write64(at + 32 + (i << 4), load<u64>(from));
    write64(at + 40 + (i << 4), load<u16>(from + 8));
  }
  if (!hasSse()) return;
  write32(at + 24, mxcsr());
  write32(at + 28, MXCSR_MASK);
  for (let i: u32 = 0; i < xmmCount() << 1; i++) write64(at + 160 + (i << 3), load<u64>(STATE_SSE + (i << 3)));
}

function pointer(offset: usize, selector: usize): u64 {
  return (load<u64>(offset) & 0xffff_ffff) | ((<u64>load<u32>(selector) & 0xffff) << 32);
}

/** ST(i). */
function registerAddress(i: u32): usize {
  return STATE_X87 + (((load<u32>(STATE_X87_TOP_32) + i) & 7) << 4);
}

export function fxrstor(u: usize): void {
  const at = imageLinear(u, false);
  if (fault) return;
  const value = read32(at + 24);
  if (fault) return;
  // The end of the image first, so that nothing has changed when a page is missing.
  read64(at + 504);
  if (fault) return;
  const withSse = hasSse();
  if (withSse && (value & ~MXCSR_MASK) != 0) return raiseError(VECTOR_GP, 0);
  restoreX87(at, uopSize(u) == 8);
  if (!withSse) return;
  store<u32>(STATE_MXCSR_32, value);
  for (let i: u32 = 0; i < xmmCount() << 1; i++) store<u64>(STATE_SSE + (i << 3), read64(at + 160 + (i << 3)));
}

function restoreX87(at: u64, wide: bool): void {
  const word = read16(at + 2);
  setStatus(word & 0x477f | (word & 0x300));
  setTop(word >> 11);
  store<u32>(STATE_X87_USED_32, read16(at + 4) & 0xff);
  store<u32>(STATE_X87_OPCODE_32, read16(at + 6) & 0x7ff);
  const ip = read64(at + 8);
  const dp = read64(at + 16);
  store<u64>(STATE_X87_IP, wide ? ip : ip & 0xffff_ffff);
  store<u64>(STATE_X87_DP, wide ? dp : dp & 0xffff_ffff);
  store<u32>(STATE_X87_CS_32, wide ? 0 : <u32>(ip >> 32) & 0xffff);
  store<u32>(STATE_X87_DS_32, wide ? 0 : <u32>(dp >> 32) & 0xffff);
  for (let i: u32 = 0; i < 8; i++) {
    const to = registerAddress(i);
    store<u64>(to, read64(at + 32 + (i << 4)));
    store<u64>(to + 8, read16(at + 40 + (i << 4)));
  }
  loadControl(read16(at));
  summarize();
}
