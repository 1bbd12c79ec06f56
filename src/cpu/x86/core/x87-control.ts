// x87 instructions on the state rather than on numbers: control and status words, environment and save images
// (SDM volume 1, section 8.1; volume 2).
import {
  MODE_PROTECTED,
  REG_RAX,
  STATE_CR0,
  STATE_X87,
  STATE_X87_CONTROL_32,
  STATE_X87_CS_32,
  STATE_X87_DP,
  STATE_X87_DS_32,
  STATE_X87_IP,
  STATE_X87_OPCODE_32,
  STATE_X87_USED_32,
} from './generated/layout';
import { probeWrite, read16, read32, read64, write16, write32, write64 } from './access';
import { CR0_MP, CR0_TS } from './control-bits';
import { fault, raise, VECTOR_NM } from './fault';
import { operandLinear } from './segment';
import { mode, setReg16 } from './state';
import { isMemory, uopSize } from './uop';
import {
  control,
  mayControl,
  mayIgnorePending,
  mayRun,
  setFloatError,
  setStatus,
  setTop,
  status,
  STATUS_ES,
  statusWord,
  summarize,
} from './x87-state';

/** Bits 7 and 15:13 read as 0, bit 6 as 1. */
const CONTROL_BITS: u32 = 0x1f3f;
const CONTROL_FIXED: u32 = 0x40;
const INITIAL_CONTROL: u32 = 0x37f;

/** WAIT: #NM only when both MP and TS are set, then a pending exception. */
export function wait(u: usize): void {
  const both = CR0_MP | CR0_TS;
  if ((load<u64>(STATE_CR0) & both) == both) raise(VECTOR_NM);
  else if ((status() & STATUS_ES) != 0) mayIgnorePending();
}

/** What FNINIT leaves; the registers keep their contents. */
export function initializeX87(): void {
  store<u32>(STATE_X87_CONTROL_32, INITIAL_CONTROL);
  store<u32>(STATE_X87_USED_32, 0);
  store<u32>(STATE_X87_OPCODE_32, 0);
  store<u64>(STATE_X87_IP, 0);
  store<u64>(STATE_X87_DP, 0);
  store<u32>(STATE_X87_CS_32, 0);
  store<u32>(STATE_X87_DS_32, 0);
  setFloatError(false);
  setStatus(0);
  setTop(0);
}

/** After RESET#: the registers are +0 and not empty (SDM volume 3, table 9-1). */
export function resetX87(): void {
  memory.fill(STATE_X87, 0, 128);
  initializeX87();
  store<u32>(STATE_X87_CONTROL_32, 0x40);
  store<u32>(STATE_X87_USED_32, 0xff);
}

export function fninit(u: usize): void {
  if (mayControl()) initializeX87();
}

/** Clears exceptions, stack fault, summary and busy. */
export function fnclex(u: usize): void {
  if (!mayControl()) return;
  setStatus(status() & 0x7f00);
  setFloatError(false);
}

/** FNENI, FNDISI, FNSETPM: since the 387 they do nothing. */
export function x87Nothing(u: usize): void {
  mayControl();
}

export function loadControl(value: u32): void {
  store<u32>(STATE_X87_CONTROL_32, (value & CONTROL_BITS) | CONTROL_FIXED);
  summarize();
}

export function fldcw(u: usize): void {
  if (!mayRun()) return;
  const at = operandLinear(u, 2, false);
  if (fault) return;
  const value = read16(at);
  if (!fault) loadControl(value);
}

function storeWord(u: usize, value: u32): void {
  const at = operandLinear(u, 2, true);
  if (!fault) write16(at, value);
}

export function fnstcw(u: usize): void {
  if (mayControl()) storeWord(u, control());
}

export function fnstsw(u: usize): void {
  if (!mayControl()) return;
  if (isMemory(u)) storeWord(u, statusWord());
  else setReg16(REG_RAX, statusWord());
}

// ---------------------------------------------------------------------------------------------------------------------
// The environment

const TAG_VALID: u32 = 0;
const TAG_ZERO: u32 = 1;
const TAG_SPECIAL: u32 = 2;
const TAG_EMPTY: u32 = 3;

function tagOf(physical: u32): u32 {
  if (((load<u32>(STATE_X87_USED_32) >> physical) & 1) == 0) return TAG_EMPTY;
  const significand = load<u64>(STATE_X87 + (physical << 4));
  const field = load<u16>(STATE_X87 + (physical << 4) + 8) & 0x7fff;
  if (field == 0) return significand == 0 ? TAG_ZERO : TAG_SPECIAL;
  return field == 0x7fff || significand >> 63 == 0 ? TAG_SPECIAL : TAG_VALID;
}

/** The tag word: two bits for each physical register. */
export function tagWord(): u32 {
  let word: u32 = 0;
  for (let physical: u32 = 0; physical < 8; physical++) word |= tagOf(physical) << (physical << 1);
  return word;
}

function setTagWord(word: u32): void {
  let used: u32 = 0;
  for (let physical: u32 = 0; physical < 8; physical++) {
    if (((word >> (physical << 1)) & 3) != TAG_EMPTY) used |= 1 << physical;
  }
  store<u32>(STATE_X87_USED_32, used);
}

function isProtectedFormat(): bool {
  return (mode() & MODE_PROTECTED) != 0;
}

/** Bytes of the environment. */
function environmentSize(u: usize): u32 {
  return uopSize(u) == 2 ? 14 : 28;
}

/** Stores the environment at a linear address that has been probed. */
function storeEnvironment(u: usize, at: u64): void {
  const ip = <u32>load<u64>(STATE_X87_IP);
  const dp = <u32>load<u64>(STATE_X87_DP);
  const cs = load<u32>(STATE_X87_CS_32);
  const ds = load<u32>(STATE_X87_DS_32);
  const opcode = load<u32>(STATE_X87_OPCODE_32);
  if (isProtectedFormat()) {
    if (uopSize(u) == 2) storeParts16(at, ip, cs, dp, ds);
    else storeParts32(at, ip, cs | (opcode << 16), dp, 0xffff_0000 | ds);
    return;
  }
  // Real and virtual-8086 mode: linear addresses of 20 (or 32) bits in two parts, the opcode beside the first.
  const code = (cs << 4) + ip;
  const data = (ds << 4) + dp;
  if (uopSize(u) == 2) storeParts16(at, code, ((code >> 4) & 0xf000) | opcode, data, (data >> 4) & 0xf000);
  else storeParts32(at, 0xffff_0000 | code, ((code >> 16) << 12) | opcode, 0xffff_0000 | data, (data >> 16) << 12);
}

function storeParts16(at: u64, ip: u32, cs: u32, dp: u32, ds: u32): void {
  write16(at, control());
  write16(at + 2, statusWord());
  write16(at + 4, tagWord());
  write16(at + 6, ip & 0xffff);
  write16(at + 8, cs & 0xffff);
  write16(at + 10, dp & 0xffff);
  write16(at + 12, ds & 0xffff);
}

function storeParts32(at: u64, ip: u32, cs: u32, dp: u32, ds: u32): void {
  write32(at, 0xffff_0000 | control());
  write32(at + 4, 0xffff_0000 | statusWord());
  write32(at + 8, 0xffff_0000 | tagWord());
  write32(at + 12, ip);
  write32(at + 16, cs);
  write32(at + 20, dp);
  write32(at + 24, ds);
}

/** Part `index` (0 to 6) of an environment in memory. */
function part(u: usize, at: u64, index: u32): u32 {
  return uopSize(u) == 2 ? read16(at + (index << 1)) : read32(at + (index << 2));
}

/** Loads the environment from a linear address. May fault, and has changed nothing then. */
function loadEnvironment(u: usize, at: u64): void {
  const cw = part(u, at, 0);
  if (fault) return;
  const cs = part(u, at, 4);
  const ds = part(u, at, 6);
  if (fault) return;
  const ip = part(u, at, 3);
  const dp = part(u, at, 5);
  const sw = part(u, at, 1);
  setTagWord(part(u, at, 2));
  store<u32>(STATE_X87_CONTROL_32, (cw & CONTROL_BITS) | CONTROL_FIXED);
  setStatus(sw & 0x477f);
  setTop(sw >> 11);
  setStatus(status() | (sw & 0x300));
  loadPointers(u, ip, cs, dp, ds);
  summarize();
}

function loadPointers(u: usize, ip: u32, cs: u32, dp: u32, ds: u32): void {
  const real = !isProtectedFormat();
  if (real) {
    store<u64>(STATE_X87_IP, (ip & 0xffff) | ((cs & 0xfff_f000) << 4));
    store<u64>(STATE_X87_DP, (dp & 0xffff) | ((ds & 0xfff_f000) << 4));
    store<u32>(STATE_X87_OPCODE_32, cs & 0x7ff);
  } else {
    store<u64>(STATE_X87_IP, ip);
    store<u64>(STATE_X87_DP, dp);
    // The image of 16 bits has no opcode: it is 0 then.
    store<u32>(STATE_X87_OPCODE_32, uopSize(u) == 2 ? 0 : (cs >> 16) & 0x7ff);
  }
  store<u32>(STATE_X87_CS_32, real ? 0 : cs & 0xffff);
  store<u32>(STATE_X87_DS_32, real ? 0 : ds & 0xffff);
}

export function fldenv(u: usize): void {
  if (!mayRun()) return;
  const at = operandLinear(u, environmentSize(u), false);
  if (!fault) loadEnvironment(u, at);
}

/** Stores the environment, then masks all exceptions. */
export function fnstenv(u: usize): void {
  if (!mayControl()) return;
  const size = environmentSize(u);
  const at = operandLinear(u, size, true);
  if (fault) return;
  probeWrite(at, size);
  if (fault) return;
  storeEnvironment(u, at);
  store<u32>(STATE_X87_CONTROL_32, control() | 0x3f);
  summarize();
}

/** The environment and ST(0) to ST(7), 10 bytes each; then the state is as after FNINIT. */
export function fnsave(u: usize): void {
  if (!mayControl()) return;
  const size = environmentSize(u);
  const at = operandLinear(u, size + 80, true);
  if (fault) return;
  probeWrite(at, size + 80);
  if (fault) return;
  storeEnvironment(u, at);
  const top = statusWord() >> 11;
  for (let i: u32 = 0; i < 8; i++) {
    const from = STATE_X87 + (((top + i) & 7) << 4);
    write64(at + size + i * 10, load<u64>(from));
    write16(at + size + i * 10 + 8, load<u16>(from + 8));
  }
  initializeX87();
}

export function frstor(u: usize): void {
  if (!mayRun()) return;
  const size = environmentSize(u);
  const at = operandLinear(u, size + 80, false);
  if (fault) return;
  // The last byte first, so that nothing has changed when a page is missing.
  read16(at + size + 78);
  if (fault) return;
  loadEnvironment(u, at);
  if (fault) return;
  const top = statusWord() >> 11;
  for (let i: u32 = 0; i < 8; i++) {
    const to = STATE_X87 + (((top + i) & 7) << 4);
    store<u64>(to, read64(at + size + i * 10));
    store<u64>(to + 8, read16(at + size + i * 10 + 8));
  }
}
