/**
 * The flag word of a page in the flat view. 0 means that nothing is mapped.
 *
 *     bit   8     7     6     5     4     2     1     0
 *         CODE   COW  WATCH WATCH LOGGED  X     W     R
 *                      _W    _R
 *
 * One word answers every question of the data path, so that a feature nobody uses costs nothing.
 */
export const PAGE_FLAG = {
  READ: 0x1,
  WRITE: 0x2,
  EXECUTE: 0x4,
  /** A dirty log is on, and the page has not been written since it was last taken. */
  LOGGED: 0x10,
  /** Reserved for watchpoints. */
  WATCH_READ: 0x20,
  WATCH_WRITE: 0x40,
  /** Reserved for snapshots. */
  COPY_ON_WRITE: 0x80,
  /** An engine has decoded instructions from this page. */
  CODE: 0x100,
} as const;

/** Any of these in the flag word: someone must be told before the page is written (`GuestMemory.beforeWrite`). */
export const TELL_BEFORE_WRITE: number =
  PAGE_FLAG.LOGGED | PAGE_FLAG.WATCH_WRITE | PAGE_FLAG.COPY_ON_WRITE | PAGE_FLAG.CODE;

/** A store may go ahead at once iff `(flags & STORE_MASK) === WRITE`. */
export const STORE_MASK: number = PAGE_FLAG.WRITE | TELL_BEFORE_WRITE;

/** A load may go ahead at once iff `(flags & LOAD_MASK) === READ`. */
export const LOAD_MASK: number = PAGE_FLAG.READ | PAGE_FLAG.WATCH_READ;
