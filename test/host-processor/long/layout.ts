/**
 * A batch of 64-bit sequences, at the same addresses on both processors and there twice, ALIAS apart:
 *
 *     LOW           the way in and out of sequences; words that it shares with the host
 *     LOW + CODE    the sequences' code
 *     LOW + PAGES   for each sequence a page, and behind it one that is not there
 *
 * and of a page:
 *
 *     +0x000  FXSAVE image before, then flags and registers (SAVED), then where the code starts
 *     +0x300  the same after, then what exception ended the sequence
 *     +0x800  stack
 *     +0xc00  data, to the page's end
 */
export const LOW = 0x7000_0000;
/** Entry 84 of the PML4, so that both aliases share their tables. */
export const ALIAS: bigint = 0x2a00_0000_0000n;

export const CODE = 0x1000;
export const PAGES = 0x10_0000;
export const PAGE = 0x1000;
/** From page to page in the address space; in the bytes of a batch they lie side by side. */
export const STRIDE = 2 * PAGE;
export const BATCH_SIZE = 512;
/** Bytes of a batch, the holes left out. */
export const BATCH_LENGTH: number = PAGES + PAGE * BATCH_SIZE;

/** Where a sequence's page is. */
export const pageOf = (index: number): number => LOW + PAGES + STRIDE * index;

/** Words that the way in and out works with. */
export const WORD = {
  current: LOW + 0xf00,
  entry: LOW + 0xf08,
  rsp: LOW + 0xf10,
  end: LOW + 0xf18,
  done: LOW + 0xf20,
  hostRsp: LOW + 0xf28,
  mxcsr: LOW + 0xf30,
} as const;

/** In an FXSAVE image (SDM volume 1, table 10-2). */
export const IMAGE = {
  fcw: 0,
  fsw: 2,
  ftw: 4,
  fop: 6,
  fip: 8,
  fdp: 16,
  mxcsr: 24,
  mask: 28,
  st: 32,
  xmm: 160,
} as const;

/** From the page's start. */
export const PART = {
  before: 0,
  after: 0x300,
  /** From `before` and `after`: flags and 16 registers. */
  saved: 0x200,
  entry: 0x288,
  /** From the page's start: vector + 1 or 0, error code, RIP, CR2. */
  exception: 0x588,
  stack: 0x800,
  data: 0xc00,
} as const;

/** The order of the registers behind the flags. */
export const SAVED = 'rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rsp'.split(' ');
