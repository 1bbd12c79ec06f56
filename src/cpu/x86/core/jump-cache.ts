// Where the code at a linear address is, decoded: what returns, indirect jumps and branches out of their page find at
// once, where links cannot lead. An entry holds as long as the translation and the mode that it was made in:
//
//     +0 u64 linear address   +8 u32 stamp: what changes with the translations, and the mode   +12 u32 first uop
//
// What has been dropped since needs no care: its uops have become ones that look everything up again.
import { JUMPS, JUMP_COUNT, MODE_WHOLE } from './generated/layout';
import { isSparing } from './code-cache';
import { mode } from './state';

const STEP: u32 = 0x800;
const JUMP_SIZE: u32 = 16;
const JUMP_STAMP: usize = 8;
const JUMP_UOP: usize = 12;

/** A multiple of STEP, above all mode bits. Memory starts as zeroes, so 0 is no stamp. */
let translations: u32 = STEP;

// @ts-ignore: decorator
@inline function entryOf(linear: u64): usize {
  return JUMPS + ((u32(linear >> 12) ^ u32(linear)) & (JUMP_COUNT - 1)) * JUMP_SIZE;
}

/** The first uop of the code at `linear` in the present mode, or 0 when that must be looked up. */
// @ts-ignore: decorator
@inline export function findJump(linear: u64): usize {
  const entry = entryOf(linear);
  const known = load<u64>(entry) == linear && load<u32>(entry, JUMP_STAMP) == (translations | mode()) && !isSparing();
  return known ? <usize>load<u32>(entry, JUMP_UOP) : 0;
}

/** Notes where a look-up has led, when it depends on nothing but the linear address: CS has neither base nor limit. */
// @ts-ignore: decorator
@inline export function enterJump(linear: u64, first: usize): void {
  if ((mode() & MODE_WHOLE) == 0) return;
  const entry = entryOf(linear);
  store<u64>(entry, linear);
  store<u32>(entry, translations | mode(), JUMP_STAMP);
  store<u32>(entry, <u32>first, JUMP_UOP);
}

/** A translation has changed, or all decoded code has been dropped. */
export function forgetJumps(): void {
  translations += STEP;
  if (translations != 0) return;
  memory.fill(JUMPS, 0, JUMP_COUNT * JUMP_SIZE);
  translations = STEP;
}
