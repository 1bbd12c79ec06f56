import type { Case } from '../case.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { BITS } from './bits.ts';
import { DEBUG } from './debug.ts';
import { DECIMAL } from './decimal.ts';
import { FLOAT_EXCEPTIONS } from './float-exceptions.ts';
import { MOVES } from './moves.ts';
import { MULTIPLICATION } from './multiplication.ts';
import { PAGING } from './paging.ts';
import { SEGMENTS } from './segments.ts';
import { SHIFTS } from './shifts.ts';
import { STACK } from './stack.ts';
import { STRINGS } from './strings.ts';
import { SYSTEM } from './system.ts';
import { TRANSFERS } from './transfers.ts';

/** Cases by topic. */
export const TOPICS: Readonly<Record<string, readonly Case[]>> = {
  arithmetic: ARITHMETIC,
  bits: BITS,
  decimal: DECIMAL,
  moves: MOVES,
  multiplication: MULTIPLICATION,
  shifts: SHIFTS,
  stack: STACK,
  strings: STRINGS,
  segments: SEGMENTS,
  transfers: TRANSFERS,
  system: SYSTEM,
  paging: PAGING,
  debug: DEBUG,
  'float exceptions': FLOAT_EXCEPTIONS,
};

export const CASES: readonly Case[] = Object.values(TOPICS).flat();
