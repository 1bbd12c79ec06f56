// The decoder: bytes to uops, by the tables that the generator makes of the opcode table (SDM volume 2, chapter 2).
import {
  ENTRY_FORM,
  ENTRY_GROUP,
  ENTRY_INDEX,
  ENTRY_KIND,
  ENTRY_MANDATORY,
  OPCODES,
  OPCODES_64,
  OPCODES_VEX,
  OP_RAISE,
  ROWS,
  ROW_BYTES,
  ROW_FLAGS_32,
  ROW_FLAG_DEFAULT64,
  ROW_FLAG_END,
  ROW_FLAG_FORCE64,
  ROW_FLAG_LOCK,
  ROW_FLAG_MEMORY_ONLY,
  ROW_FLAG_MODRM,
  ROW_FLAG_OPCODE_REGISTER,
  ROW_FLAG_PRIVILEGED,
  ROW_FLAG_PROTECTED,
  ROW_FLAG_REGISTER_ONLY,
  ROW_FLAG_REG_BYTE,
  ROW_FLAG_REG_LOW,
  ROW_FLAG_REG_PLAIN,
  ROW_FLAG_REG_ZERO,
  ROW_FLAG_RM_BYTE,
  ROW_FLAG_RM_LOW,
  ROW_FLAG_SWAP,
  ROW_FLAG_VVVV,
  ROW_IMMEDIATE_8,
  ROW_IMMEDIATE_BYTE,
  ROW_IMMEDIATE_ENTER,
  ROW_IMMEDIATE_FAR,
  ROW_IMMEDIATE_NONE,
  ROW_IMMEDIATE_OFFSET,
  ROW_IMMEDIATE_ONE,
  ROW_IMMEDIATE_OPERAND,
  ROW_IMMEDIATE_OPERAND_TO_32,
  ROW_IMMEDIATE_SIGNED_BYTE,
  ROW_IMMEDIATE_WORD,
  ROW_KINDS,
  ROW_KIND_MEMORY,
  ROW_KIND_OFFSET,
  ROW_KIND_STACK,
  ROW_KIND_WIDE,
  ROW_OPS,
  ROW_REG_8,
  ROW_SELECTOR_8,
  ROW_SIZE_BYTE,
  ROW_SIZE_DOUBLE,
  ROW_SIZE_DOUBLE_OR_QUAD,
  ROW_SIZE_OPERAND_TO_32,
  ROW_SIZE_QUAD,
  ROW_SIZE_RULE_8,
  ROW_SIZE_WORD,
  SUBTABLES,
} from './generated/decoder';
import {
  MODE_CODE32,
  MODE_CODE64,
  MODE_FLAT,
  MODE_PROTECTED,
  MODE_STACK32,
  REG_ZERO,
  SEGMENT_FLAT,
  SEG_DS,
  SEG_SS,
  UOP_ADDRESS_SIZE_8,
  UOP_BASE_8,
  UOP_DISPLACEMENT_32,
  UOP_IMMEDIATE,
  UOP_INDEX_8,
  UOP_LENGTH_8,
  UOP_OP_16,
  UOP_REG_8,
  UOP_RM_8,
  UOP_SCALE_8,
  UOP_SEGMENT_8,
  UOP_SELECTOR_16,
  UOP_SIZE_8,
  UOP_TRAITS_8,
  UOP_TRAIT_IMMEDIATE,
  UOP_TRAIT_LOCK,
  UOP_TRAIT_MEMORY,
  UOP_TRAIT_PRIVILEGED,
  UOP_TRAIT_REP,
  UOP_TRAIT_REPNE,
  UOP_TRAIT_WIDE,
  STATE_REGS,
  STATE_RIP_BASE,
} from './generated/layout';
import { VECTOR_GP, VECTOR_UD } from './fault';

/** The longest instruction that there is; more bytes raise #GP(0). */
export const MAX_LENGTH: u32 = 15;

const NO_SEGMENT: u32 = 0xff;

// Where the decoder is: `next` is the next byte, `end` the first that it may not take.
let next: usize = 0;
let end: usize = 0;
/** More bytes were asked for than there are. */
let overrun: bool = false;
/** Nothing is to be decoded after the instruction just decoded. */
export let endsBlock: bool = false;

// What the prefixes have said.
let segment: u32 = NO_SEGMENT;
let prefixes: u32 = 0; // UOP_TRAIT bits
let mandatory: u32 = 0; // 1 for 66, 2 for F3, 3 for F2: the last of them
let operandSize: u32 = 4;
let addressSize: u32 = 4;
/** The REX prefix, or what a VEX prefix says in its place; 0 when there is none. */
let rex: u32 = 0;
const REX_W: u32 = 8;
const REX_R: u32 = 4;
const REX_X: u32 = 2;
const REX_B: u32 = 1;
/** The register that VEX.vvvv names. */
let vexRegister: u32 = 0;
let code64: bool = false;
/** The operand just decoded is relative to RIP: its displacement counts from the end of the instruction in its page. */
export let isRelative: bool = false;
/** Where a uop's base is RIP: the page that is being executed. */
const RIP_RELATIVE: u32 = STATE_RIP_BASE - STATE_REGS;

function take8(): u32 {
  if (next >= end) {
    overrun = true;
    return 0;
  }
  return load<u8>(next++);
}
function take16(): u32 {
  const low = take8();
  return low | (take8() << 8);
}
function take64(): u64 {
  const low = <u64>take32();
  return low | ((<u64>take32()) << 32);
}
function take32(): u32 {
  if (next + 4 <= end) {
    next += 4;
    return load<u32>(next - 4);
  }
  const low = take16();
  return low | (take16() << 16);
}

/**
 * Decodes the instruction at `address`, of which `available` bytes can be had, into `u`. Returns its length, or 0 when
 * it is longer. An instruction that cannot be decoded becomes one that raises its exception when it is reached.
 */
export function decode(address: usize, available: u32, u: usize, mode: u32): u32 {
  next = address;
  end = address + min<u32>(available, MAX_LENGTH);
  overrun = false;
  endsBlock = false;
  code64 = (mode & MODE_CODE64) != 0;
  isRelative = false;
  clear(u);
  const opcode = takePrefixes(mode);
  const map = code64 ? OPCODES_64 : 0;
  if (opcode == 0x0f) decodeOpcode(u, map | takeEscaped(), mode);
  else if ((opcode & 0xfe) == 0xc4 && isVex(mode)) decodeVex(u, opcode == 0xc5, mode);
  else decodeOpcode(u, map | opcode, mode);
  if (overrun) {
    if (available < MAX_LENGTH) return 0;
    becomeRaise(u, VECTOR_GP);
  }
  const length = <u32>(next - address);
  store<u8>(u, <u8>length, UOP_LENGTH_8);
  return length;
}

function clear(u: usize): void {
  store<u64>(u, 0);
  store<u64>(u, 0, 8);
  store<u64>(u, 0, 16);
  store<u64>(u, 0, 24);
}

/** An exception instead of an instruction; #GP has the error code 0. */
function becomeRaise(u: usize, vector: u32): void {
  clear(u);
  store<u16>(u, <u16>OP_RAISE, UOP_OP_16);
  store<u64>(u, vector, UOP_IMMEDIATE);
  endsBlock = true;
}

/** The opcode after 0F, with the number of its map above it. */
function takeEscaped(): u32 {
  const opcode = take8();
  if (opcode == 0x38) return 0x200 | take8();
  return opcode == 0x3a ? 0x300 | take8() : 0x100 | opcode;
}

/** Whether C4 and C5 are VEX prefixes: elsewhere LES and LDS need a memory operand, and VEX there looks like none. */
function isVex(mode: u32): bool {
  if (code64) return true;
  return (mode & MODE_PROTECTED) != 0 && next < end && load<u8>(next) >= 0xc0;
}

/** What stands behind a VEX prefix (SDM volume 2, section 2.3.5): prefix, map and the bits of REX are in it. */
function decodeVex(u: usize, short: bool, mode: u32): void {
  const other = mandatory != 0 || rex != 0 || (prefixes & UOP_TRAIT_LOCK) != 0;
  const first = take8();
  const last = short ? first : take8();
  rex = 0x40 | (short ? ((first >> 5) ^ 4) & REX_R : (first >> 5) ^ 7);
  if (!short && (last & 0x80) != 0) rex |= REX_W;
  if (!code64) rex = 0x40;
  operandSize = (rex & REX_W) != 0 ? 8 : 4;
  // The numbers of the two prefixes are those of `mandatory`.
  mandatory = last & 3;
  vexRegister = ((last >> 3) & 15) ^ 15;
  if (!code64) vexRegister &= 7;
  const map = short ? 1 : first & 31;
  if (other || map == 0 || map > 3 || (last & 4) != 0) {
    if (!overrun) becomeRaise(u, VECTOR_UD);
    return;
  }
  decodeOpcode(u, OPCODES_VEX | (map << 8) | take8(), mode);
}

/** Takes prefixes and the first opcode byte. Of several of one group the last counts. */
function takePrefixes(mode: u32): u32 {
  const wide = (mode & (MODE_CODE32 | MODE_CODE64)) != 0;
  segment = NO_SEGMENT;
  rex = 0;
  vexRegister = 0;
  prefixes = 0;
  mandatory = 0;
  operandSize = wide ? 4 : 2;
  addressSize = code64 ? 8 : wide ? 4 : 2;
  let operand66 = false;
  while (!overrun) {
    const byte = take8();
    // REX counts only right before the opcode.
    const nearest = rex;
    rex = 0;
    if (code64 && (byte & 0xf0) == 0x40) {
      rex = byte;
      continue;
    }
    switch (byte) {
      // ES, CS, SS, DS; in 64-bit mode they mean nothing.
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        if (!code64) segment = (byte >> 3) & 3;
        continue;
      case 0x64:
        segment = 4;
        continue;
      case 0x65:
        segment = 5;
        continue;
      case 0x66:
        operand66 = true;
        operandSize = wide ? 2 : 4;
        continue;
      case 0x67:
        addressSize = wide && !code64 ? 2 : 4;
        continue;
      case 0xf0:
        prefixes |= UOP_TRAIT_LOCK;
        continue;
      case 0xf2:
        prefixes = (prefixes & ~UOP_TRAIT_REP) | UOP_TRAIT_REPNE;
        mandatory = 3;
        continue;
      case 0xf3:
        prefixes = (prefixes & ~UOP_TRAIT_REPNE) | UOP_TRAIT_REP;
        mandatory = 2;
        continue;
    }
    rex = nearest;
    if ((rex & REX_W) != 0) operandSize = 8;
    if (mandatory == 0 && operand66) mandatory = 1;
    return byte;
  }
  return 0;
}

/**
 * Decodes everything after the prefixes; bits 9:8 of `opcode` are its map (one byte, 0F, 0F 38, 0F 3A), bits above them
 * which tables (64-bit mode, behind VEX).
 */
function decodeOpcode(u: usize, opcode: u32, mode: u32): void {
  // 90 is NOP, but XCHG with R8.
  const isExchange = opcode == (OPCODES_64 | 0x90) && (rex & REX_B) != 0 && mandatory != 2;
  let entry: u32 = load<u16>(OPCODES + ((isExchange ? opcode + 1 : opcode) << 1));
  if ((entry & ENTRY_KIND) == ENTRY_MANDATORY) {
    entry = load<u16>(SUBTABLES + (((entry & ENTRY_INDEX) + mandatory) << 1));
  }
  if (entry == 0 || overrun) return becomeRaise(u, VECTOR_UD);
  let modrm: u32 = 0;
  if ((entry & ENTRY_KIND) == ENTRY_GROUP) {
    modrm = take8();
    entry = load<u16>(SUBTABLES + (((entry & ENTRY_INDEX) + ((modrm >> 3) & 7)) << 1));
    if (entry == 0 || overrun) return becomeRaise(u, VECTOR_UD);
    decodeRow(u, ROWS + entry * ROW_BYTES, opcode, modrm, mode);
    return;
  }
  if ((entry & ENTRY_KIND) == ENTRY_FORM) return decodeForm(u, entry & ENTRY_INDEX, opcode, mode);
  const row = ROWS + entry * ROW_BYTES;
  if ((load<u32>(row, ROW_FLAGS_32) & ROW_FLAG_MODRM) != 0) modrm = take8();
  decodeRow(u, row, opcode, modrm, mode);
}

/** Memory operands by ModRM.reg, registers by the whole byte. */
function decodeForm(u: usize, index: u32, opcode: u32, mode: u32): void {
  const modrm = take8();
  const at = modrm >= 0xc0 ? modrm - 0xc0 + 8 : (modrm >> 3) & 7;
  const entry: u32 = load<u16>(SUBTABLES + ((index + at) << 1));
  if (entry == 0 || overrun) return becomeRaise(u, VECTOR_UD);
  decodeRow(u, ROWS + entry * ROW_BYTES, opcode, modrm, mode);
  // The x87 opcode register, from which its instructions also tell what they are.
  if ((opcode & 0x300) == 0) store<u16>(u, <u16>(((opcode & 7) << 8) | modrm), UOP_SELECTOR_16);
}

function decodeRow(u: usize, row: usize, opcode: u32, modrm: u32, mode: u32): void {
  const flags: u32 = load<u32>(row, ROW_FLAGS_32);
  if (code64) widen(flags);
  const size = rowSize(load<u8>(row, ROW_SIZE_RULE_8));
  const hasModrm = (flags & ROW_FLAG_MODRM) != 0;
  const immediate: u32 = load<u8>(row, ROW_IMMEDIATE_8);
  let memory = hasModrm && modrm < 0xc0 && (flags & ROW_FLAG_REGISTER_ONLY) == 0;

  store<u8>(u, <u8>size, UOP_SIZE_8);
  store<u8>(u, <u8>addressSize, UOP_ADDRESS_SIZE_8);
  store<u8>(u, <u8>REG_ZERO, UOP_BASE_8);
  store<u8>(u, <u8>REG_ZERO, UOP_INDEX_8);
  store<u16>(u, (flags & ROW_FLAG_VVVV) != 0 ? <u16>(vexRegister << 3) : load<u8>(row, ROW_SELECTOR_8), UOP_SELECTOR_16);
  store<u8>(u, load<u8>(row, ROW_REG_8), UOP_REG_8);
  setSegment(u, SEG_DS, mode);
  if (hasModrm) decodeRegister(u, flags, (modrm >> 3) & 7);
  if (memory) decodeMemory(u, modrm, mode);
  else if (hasModrm) {
    const number = (flags & ROW_FLAG_RM_LOW) != 0 ? modrm & 7 : (modrm & 7) | ((rex & REX_B) << 3);
    store<u8>(u, registerOffset(number, (flags & ROW_FLAG_RM_BYTE) != 0), UOP_RM_8);
  }
  if ((flags & ROW_FLAG_OPCODE_REGISTER) != 0) {
    const offset = registerOffset((opcode & 7) | ((rex & REX_B) << 3), (flags & ROW_FLAG_REG_BYTE) != 0);
    store<u8>(u, offset, UOP_RM_8);
    store<u8>(u, (flags & ROW_FLAG_REG_ZERO) != 0 ? 0 : offset, UOP_REG_8);
  }
  if (immediate != ROW_IMMEDIATE_NONE) decodeImmediate(u, immediate);
  if (immediate == ROW_IMMEDIATE_OFFSET) memory = true;
  if (overrun) return;

  if (isUndefined(flags, memory, hasModrm, mode)) return becomeRaise(u, VECTOR_UD);
  if ((flags & ROW_FLAG_SWAP) != 0 && !memory) swapRegisters(u);
  let traits = prefixes;
  if ((rex & REX_W) != 0) traits |= UOP_TRAIT_WIDE;
  if (memory) traits |= UOP_TRAIT_MEMORY;
  if (immediate != ROW_IMMEDIATE_NONE && immediate != ROW_IMMEDIATE_OFFSET) traits |= UOP_TRAIT_IMMEDIATE;
  if ((flags & ROW_FLAG_PRIVILEGED) != 0) traits |= UOP_TRAIT_PRIVILEGED;
  store<u8>(u, <u8>traits, UOP_TRAITS_8);
  endsBlock = (flags & ROW_FLAG_END) != 0;
  const flatStack = (mode & (MODE_FLAT | MODE_STACK32)) == (MODE_FLAT | MODE_STACK32);
  let kind: u32 = memory ? ROW_KIND_MEMORY : code64 ? ROW_KIND_WIDE : flatStack ? ROW_KIND_STACK : 0;
  if (immediate == ROW_IMMEDIATE_OFFSET && addressSize == 8) kind = ROW_KIND_OFFSET;
  store<u16>(u, load<u16>(row + ROW_OPS + (ctz(size) * ROW_KINDS + kind) * 2), UOP_OP_16);
}

/** Operand sizes that are 64 bits by default, or always. */
function widen(flags: u32): void {
  if ((flags & ROW_FLAG_FORCE64) != 0 || ((flags & ROW_FLAG_DEFAULT64) != 0 && operandSize == 4)) operandSize = 8;
}

/** Operand size in bytes by a row's rule. */
function rowSize(rule: u32): u32 {
  switch (rule) {
    case ROW_SIZE_BYTE:
      return 1;
    case ROW_SIZE_WORD:
      return 2;
    case ROW_SIZE_DOUBLE:
      return 4;
    case ROW_SIZE_QUAD:
      return 8;
    case ROW_SIZE_OPERAND_TO_32:
      return min<u32>(operandSize, 4);
    case ROW_SIZE_DOUBLE_OR_QUAD:
      return max<u32>(operandSize, 4);
    default:
      return operandSize;
  }
}

/** What is undefined although its opcode is not: by operand kind, by mode, or by LOCK. */
function isUndefined(flags: u32, memory: bool, hasModrm: bool, mode: u32): bool {
  if ((flags & ROW_FLAG_MEMORY_ONLY) != 0 && !memory) return true;
  if ((flags & ROW_FLAG_PROTECTED) != 0 && (mode & MODE_PROTECTED) == 0) return true;
  if (vexRegister != 0 && (flags & ROW_FLAG_VVVV) == 0) return true;
  if ((prefixes & UOP_TRAIT_LOCK) == 0) return false;
  return (flags & ROW_FLAG_LOCK) == 0 || !memory || !hasModrm;
}

function swapRegisters(u: usize): void {
  const register = load<u8>(u, UOP_REG_8);
  store<u8>(u, load<u8>(u, UOP_RM_8), UOP_REG_8);
  store<u8>(u, register, UOP_RM_8);
}

/** The offset from REGS of general register `number`: 4 to 7 as bytes are AH, CH, DH, BH, unless there is a REX. */
function registerOffset(number: u32, byte: bool): u8 {
  return <u8>(byte && rex == 0 && number >= 4 ? ((number - 4) << 3) + 1 : number << 3);
}

function decodeRegister(u: usize, flags: u32, number: u32): void {
  const plain = (flags & ROW_FLAG_REG_PLAIN) != 0;
  if ((flags & ROW_FLAG_REG_LOW) == 0) number |= (rex & REX_R) << 1;
  const offset = plain ? <u8>number : registerOffset(number, (flags & ROW_FLAG_REG_BYTE) != 0);
  store<u8>(u, offset, UOP_REG_8);
}

/** The segment of the memory operand, unless a prefix has named another. */
function setSegment(u: usize, byDefault: u32, mode: u32): void {
  const used = segment == NO_SEGMENT ? byDefault : segment;
  // In 64-bit mode FS and GS alone have a base.
  if (code64) return store<u8>(u, <u8>(addressSize == 8 && used <= SEG_DS ? SEGMENT_FLAT : used), UOP_SEGMENT_8);
  // ES, SS and DS; the two bits above tell FS and GS, and CS is odd and not 3.
  const flat = (mode & MODE_FLAT) != 0 && addressSize == 4 && (used == 0 || used == SEG_SS || used == SEG_DS);
  store<u8>(u, <u8>(flat ? SEGMENT_FLAT : used), UOP_SEGMENT_8);
}

function decodeMemory(u: usize, modrm: u32, mode: u32): void {
  if (addressSize == 2) decodeMemory16(u, modrm, mode);
  else decodeMemory32(u, modrm, mode);
}

/** Base and index of 16-bit addressing (SDM volume 2, table 2-1), as register numbers; 0xf is none. */
const BASES_16: usize = memory.data<u8>([3, 3, 5, 5, 6, 7, 5, 3]);
const INDEXES_16: usize = memory.data<u8>([6, 7, 6, 7, 16, 16, 16, 16]);

function decodeMemory16(u: usize, modrm: u32, mode: u32): void {
  const form = modrm & 7;
  const absolute = modrm < 0x40 && form == 6;
  if (!absolute) {
    store<u8>(u, load<u8>(BASES_16 + form) << 3, UOP_BASE_8);
    store<u8>(u, load<u8>(INDEXES_16 + form) << 3, UOP_INDEX_8);
  }
  setSegment(u, !absolute && (form == 2 || form == 3 || form == 6) ? SEG_SS : SEG_DS, mode);
  let displacement: i32 = 0;
  if (modrm >> 6 == 1) displacement = <i8>take8();
  else if (modrm >> 6 == 2 || absolute) displacement = <i16>take16();
  store<i32>(u, displacement, UOP_DISPLACEMENT_32);
}

function decodeMemory32(u: usize, modrm: u32, mode: u32): void {
  let base = modrm & 7;
  const hasSib = base == 4;
  if (hasSib) {
    const sib = take8();
    const index = ((sib >> 3) & 7) | ((rex & REX_X) << 2);
    base = sib & 7;
    if (index != 4) {
      store<u8>(u, <u8>(index << 3), UOP_INDEX_8);
      store<u8>(u, <u8>(sib >> 6), UOP_SCALE_8);
    }
  }
  const absolute = base == 5 && modrm < 0x40;
  const extended = base | ((rex & REX_B) << 3);
  if (!absolute) store<u8>(u, <u8>(extended << 3), UOP_BASE_8);
  isRelative = code64 && absolute && !hasSib;
  if (isRelative) store<u8>(u, <u8>RIP_RELATIVE, UOP_BASE_8);
  setSegment(u, !absolute && (extended == 4 || extended == 5) ? SEG_SS : SEG_DS, mode);
  let displacement: i32 = 0;
  if (modrm >> 6 == 1) displacement = <i8>take8();
  else if (modrm >> 6 == 2 || absolute) displacement = <i32>take32();
  store<i32>(u, displacement, UOP_DISPLACEMENT_32);
}

function decodeImmediate(u: usize, rule: u32): void {
  let value: i64 = 0;
  switch (rule) {
    case ROW_IMMEDIATE_ONE:
      value = 1;
      break;
    case ROW_IMMEDIATE_BYTE:
      value = take8();
      break;
    case ROW_IMMEDIATE_SIGNED_BYTE:
      value = <i8>take8();
      break;
    case ROW_IMMEDIATE_WORD:
      value = take16();
      break;
    case ROW_IMMEDIATE_OPERAND:
      if (operandSize == 8) {
        value = take64();
        break;
      }
    // fall through
    case ROW_IMMEDIATE_OPERAND_TO_32:
      value = operandSize == 2 ? <i64>(<i16>take16()) : <i64>(<i32>take32());
      break;
    case ROW_IMMEDIATE_FAR:
      value = operandSize == 2 ? take16() : take32();
      store<u16>(u, <u16>take16(), UOP_SELECTOR_16);
      break;
    case ROW_IMMEDIATE_ENTER:
      value = take16();
      store<u16>(u, <u16>take8(), UOP_SELECTOR_16);
      break;
    case ROW_IMMEDIATE_OFFSET:
      if (addressSize == 8) {
        value = take64();
        break;
      }
      store<u32>(u, addressSize == 2 ? take16() : take32(), UOP_DISPLACEMENT_32);
      return;
  }
  store<i64>(u, value, UOP_IMMEDIATE);
}
