/**
 * Where the engine keeps what in the arena. The interpreter, its host side and any later code generator all address
 * the processor's state at these constants; nothing of it lives in WebAssembly globals or objects.
 *
 *     0x0000_0000  unused: a null pointer is a bug
 *     0x0001_0000  processor state
 *     0x0001_4000  static data of the compiled engine: decoder tables, table of the handlers
 *     0x0004_0000  TLB
 *     0x000a_0000  list of the TLB entries in use
 *     0x000b_0000  where jumps lead
 *     0x0010_0000  decoded code
 *     ENGINE_END   segments and the flat view
 */
export const STATE = 0x1_0000;
export const STATIC_DATA = 0x1_4000;
export const TLB = 0x4_0000;
export const CODE_CACHE = 0x10_0000;
export const ENGINE_END = 0x200_0000;

/** General registers by number; a byte register AH..BH is one byte above its register. */
export const REGISTERS = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** Segment registers by number, then the two system ones that have the same parts. */
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/**
 * A segment register with its hidden part (SDM volume 3, section 3.4.3), 32 bytes:
 *
 *     +0  u32  selector       +8   u64  base
 *     +4  u32  attributes     +16  u32  limit, in bytes whatever the granularity
 *
 * Attributes are bits 8 to 23 of a descriptor's second word, moved down to bit 0: type in bits 3:0, S bit 4, DPL bits
 * 6:5, P bit 7, AVL bit 12, L bit 13, D/B bit 14, G bit 15. A null selector in a data segment register has P clear.
 */
export const SEGMENT_SIZE = 32;
export const SEGMENT = { SELECTOR: 0, ATTRIBUTES: 4, BASE: 8, LIMIT: 16 } as const;

/** Offsets from STATE. Names end in the width: 64 bits where none is said, `_32` for 32. */
export const FIELD = {
  REGS: 0x000, // sixteen of 8 bytes
  ZERO: 0x080, // always 0: the base or index of an address that has none
  RIP: 0x088, // the next instruction, as an offset in CS
  START_RIP: 0x090, // the instruction being executed; where a fault returns to

  // Arithmetic flags are kept as the result and the carries of the last operation that set them (see core/flags.ts).
  FLAGS_32: 0x098, // every flag but the lazy ones
  TLB_BASE_32: 0x09c, // the half of the TLB that belongs to the present privilege
  LAZY_RESULT: 0x0a0, // sign-extended to 64 bits
  LAZY_CARRIES: 0x0a8,
  RIP_BASE: 0x0b0, // offset in CS of the page being executed: a uop's RIP is this plus its offset in the page

  CPL_32: 0x0b8,
  MODE_32: 0x0bc, // the MODE bits below, derived from CR0, CS, SS, DS, ES, EFLAGS.VM, EFER by updateMode()

  INSTRUCTIONS: 0x0c0, // retired so far
  LIMIT: 0x0c8, // leave run() at the first block boundary where INSTRUCTIONS >= LIMIT
  INTERRUPT_LINE_32: 0x0d0, // INTR pin
  NMI_PENDING_32: 0x0d4,
  SHADOW_32: 0x0d8, // one of SHADOW: what the last instruction holds off until after the next one
  HALTED_32: 0x0dc,
  EXIT_32: 0x0e0, // the EXIT code that run() will return; 0 while nothing asks for an exit
  NMI_BLOCKED_32: 0x0e4, // from NMI delivery to IRET

  // The exception that the current instruction has raised (see core/fault.ts).
  FAULT_32: 0x0e8, // 0 none, else 1
  FAULT_VECTOR_32: 0x0ec,
  FAULT_ERROR_32: 0x0f0,
  FAULT_HAS_ERROR_32: 0x0f4,
  A20_MASK_32: 0x0f8, // 0xffff_ffff or 0xffef_ffff, for physical addresses
  FLAT_DIRECTORY_32: 0x0fc, // arena address of the flat view's directory

  SEGS: 0x100, // eight of SEGMENT_SIZE
  GDTR_BASE: 0x200,
  GDTR_LIMIT_32: 0x208,
  IDTR_BASE: 0x210,
  IDTR_LIMIT_32: 0x218,

  CR0: 0x220,
  CR2: 0x228,
  CR3: 0x230,
  CR4: 0x238,
  CR8: 0x240,
  EFER: 0x248,
  DR: 0x250, // DR0 to DR7
  PDPTE: 0x290, // four, loaded with CR3 in PAE mode
  ADDRESS_MASK: 0x2b0, // (1 << physical address bits) - 1

  // What taken branches compare INSTRUCTIONS with: LIMIT, or 0 when something else asks for attention (a pin, an exit,
  // a change of the memory map). The main loop sets it back.
  DEADLINE: 0x2b8,
  RIP_MASK: 0x2c0, // what an instruction pointer is cut to: 64 bits in 64-bit mode, else 32

  DEBUG_ARMED_32: 0x2c8, // kinds of breakpoints that DR7 enables: DEBUG_ARMED bits, derived by updateDebug()
  DEBUG_DUE_32: 0x2cc, // DR6 bits of the debug exception that is due

  MSR: 0x300, // storage of the MSRs in core/msr.ts, 8 bytes each, 128 of them

  // x87: registers R0 to R7 (not ST(0) to ST(7)) of 16 bytes, significand first; an MMX register is a significand.
  X87: 0x800,
  X87_CONTROL_32: 0x880,
  X87_STATUS_32: 0x884, // without TOP
  X87_TOP_32: 0x888,
  X87_USED_32: 0x88c, // a bit for each register that is not empty: the tag word as FXSAVE has it
  X87_OPCODE_32: 0x890, // of the last instruction: bits 10:8 of its first byte, 7:0 ModRM
  X87_CS_32: 0x894,
  X87_IP: 0x898,
  X87_DP: 0x8a0,
  X87_DS_32: 0x8a8,
  FERR_32: 0x8ac, // 1: the FERR# pin is asserted (an exception with CR0.NE clear), which a PC wires to IRQ 13
  IGNNE_32: 0x8b0, // 1: the IGNNE# pin is asserted: x87 instructions do not stop for such an exception

  SSE: 0xa00, // XMM0 to XMM15 of 16 bytes
  MXCSR_32: 0xb00,
} as const;

/** What a decoded instruction depends on besides its bytes; part of the key of decoded code. */
export const MODE = {
  CODE32: 0x1, // CS.D
  STACK32: 0x2, // SS.B
  PROTECTED: 0x4, // CR0.PE and not virtual-8086
  V86: 0x8,
  PAGING: 0x10,
  FLAT: 0x20, // DS, ES and SS: base 0, limit 4 GiB, present, writable, expand-up
  USER: 0x40, // CPL 3
  LONG: 0x80,
  CODE64: 0x100, // 64-bit mode; then CODE32, STACK32 and FLAT are not set
  WATCHED: 0x200, // data or port breakpoints are armed: each instruction is a block
  WHOLE: 0x400, // CS: base 0, limit 4 GiB; or 64-bit mode. Nothing is decoded otherwise for it
} as const;

/** STI holds off interrupts; a load of SS holds off NMIs and debug exceptions as well. */
export const SHADOW = { NONE: 0, STI: 1, STACK: 2 } as const;

/** Kinds of breakpoints (SDM volume 3, section 17.2.4). */
export const DEBUG_ARMED = { CODE: 1, DATA: 2, PORT: 4 } as const;

/** Why run() returned. */
export const EXIT = { NONE: 0, LIMIT: 1, HALT: 2, SHUTDOWN: 3, REQUEST: 4 } as const;

/**
 * A decoded instruction, 32 bytes. Registers are byte offsets from REGS, so that AH is 1 and EBX is 24; control,
 * debug and segment registers are plain numbers; WIDE is REX.W. The trait MEMORY says that the E or M operand is in memory, IMMEDIATE
 * that the row has an immediate (so that IN AL,Ib is told from IN AL,DX); a literal 1 counts as one.
 */
export const UOP_SIZE = 32;
export const UOP = {
  OP_16: 0, // number of its case in the main loop
  LENGTH_8: 2, // in bytes
  SIZE_8: 3, // operand size: 1, 2, 4, 8
  REG_8: 4, // ModRM.reg, or the register in the opcode
  RM_8: 5, // ModRM.rm when it names a register
  BASE_8: 6, // of the address; FIELD.ZERO when none
  INDEX_8: 7,
  SCALE_8: 8, // 0 to 3
  SEGMENT_8: 9, // 0 to 5, or SEGMENT_FLAT: no base to add, nothing to check
  TRAITS_8: 10, // UOP_TRAIT bits
  ADDRESS_SIZE_8: 11, // 2, 4, 8
  DISPLACEMENT_32: 12, // signed
  IMMEDIATE: 16, // sign-extended; the offset of a far pointer
  LINK_32: 24, // of a branch: the uop that it leads to, or 0 when that is not known
  SELECTOR_16: 28, // of a far pointer; second immediate of ENTER; condition of SETcc and CMOVcc; segment of LDS and the like
  OFFSET_16: 30, // of the instruction's first byte in its page
} as const;
export const SEGMENT_FLAT = 0xff;
export const UOP_TRAIT = { MEMORY: 1, LOCK: 2, REP: 4, REPNE: 8, PRIVILEGED: 16, IMMEDIATE: 32, WIDE: 64 } as const;

/**
 * The TLB: TLB_SIZE entries for the supervisor, as many for user mode, and as many for the supervisor while CR4.SMAP and
 * EFLAGS.AC open user pages to it; 32 bytes each, direct mapped by the low bits of the linear page number. A tag is the linear address of the page, or TLB_INVALID, which is not page aligned
 * and so equal to none. An access of `size` bytes at `a` hits when `(a + size - 1) & ~0xfff == tag` of the entry of
 * `a`, so that accesses that cross a page miss. What must not go ahead at once (MMIO, read-only, first write of a
 * logged page, code) is a tag that is not there.
 *
 *     +0  u64 read tag    +8  u64 write tag    +16  u64 execute tag    +24  u32 arena address of the page - linear
 *     +28 u32 TLB_FLAG bits
 */
export const TLB_SIZE = 4096;
export const TLB_ENTRY = { READ: 0, WRITE: 8, EXECUTE: 16, ADDEND_32: 24, FLAGS_32: 28 } as const;
/** LISTED: the entry's number is in the list below. GLOBAL: it survives a load of CR3. */
export const TLB_FLAG = { LISTED: 1, GLOBAL: 2 } as const;
/**
 * Which entries have been filled, so that a flush costs what was used:
 *
 *     +0  u32 how many    +4  u32 1 when a part of a large page has been entered    +8  u16 entry numbers
 */
export const TLB_USED = 0xa_0000;
/** The jump cache (core/jump-cache.ts): entries of 16 bytes. */
export const JUMPS = 0xb_0000;
export const JUMP_COUNT = 4096;
export const TLB_ENTRY_SIZE = 32;
export const TLB_INVALID = 1;
