/**
 * The machine that conformance cases run on: 1 MiB of RAM, everything below 64 KiB so that real mode reaches it.
 *
 *     0x0000  real-mode vectors       0x6000  ring 0 stack of the TSS
 *     0x0600  handlers, 4 bytes each  0x7000  the case's code
 *     0x0b00  GDT, TSS                0x8000  its stack
 *     0x0d00  boot code               0x9000  its data, two pages
 *     0x1000  IDT                     0xb000  pages that paging treats specially
 *     0x2000  page tables
 */
export const HANDLERS = 0x0600;
export const GDT = 0x0b00;
export const TSS = 0x0c00;
export const LDT = 0x0ca0;
/** In the second page of data, for cases to fill in. */
export const SECOND_TSS = 0xa000;
export const BOOT = 0x0d00;
export const IDT = 0x1000;
export const PAGE_DIRECTORY = 0x2000;
export const PAGE_TABLE = 0x3000;
export const RING0_STACK = 0x7000;
export const CODE = 0x7000;
export const STACK = 0x8f00;
export const DATA = 0x9000;
/** With paging: not present, read-only, for the supervisor only. */
export const ABSENT_PAGE = 0xb000;
export const READ_ONLY_PAGE = 0xc000;
export const SUPERVISOR_PAGE = 0xd000;
/** What is compared after a case: stack and data. */
export const OBSERVED_START = 0x8000;
export const OBSERVED_END = 0xe000;
export const RAM_LENGTH = 0x10_0000;

/** A byte written to this port ends the run. */
export const EXIT_PORT = 0xf4;

/** Names that every case may use. */
export const SYMBOLS: Readonly<Record<string, number>> = {
  data: DATA,
  absent: ABSENT_PAGE,
  readonly: READ_ONLY_PAGE,
  supervisor: SUPERVISOR_PAGE,
  stack: STACK,
};

/** Selectors of the GDT that the boot code loads, and what they stand for. */
export const SELECTORS = {
  code32: 0x08,
  data32: 0x10,
  userCode: 0x1b,
  userData: 0x23,
  code16: 0x28,
  data16: 0x30,
  tss: 0x38,
  /** Limit 0xfff, base DATA. */
  small: 0x40,
  readOnly: 0x48,
  notPresent: 0x50,
  expandDown: 0x58,
  executeOnly: 0x60,
  conforming: 0x68,
  ldt: 0x70,
  /** Call gates to CODE + 0x800, without and with two parameters. */
  callGate: 0x78,
  callGate2: 0x80,
  /** Another task state, at SECOND_TSS, available and for every privilege level. */
  tss2: 0x88,
} as const;
