import { expect, test } from 'vitest';
import * as memory from './index.ts';

test('the public values of skep/memory are these', () => {
  expect(Object.keys(memory).sort()).toEqual([
    'ArenaStore',
    'GuestMemory',
    'HeapStore',
    'LOAD_MASK',
    'MemoryError',
    'PAGE_FLAG',
    'PROTS',
    'STORE_MASK',
    'TELL_BEFORE_WRITE',
    'gpa',
    'isProt',
  ]);
});

test('the flag word of the flat view is what engines were built for', () => {
  expect(memory.PAGE_FLAG).toEqual({
    READ: 0x1,
    WRITE: 0x2,
    EXECUTE: 0x4,
    LOGGED: 0x10,
    WATCH_READ: 0x20,
    WATCH_WRITE: 0x40,
    COPY_ON_WRITE: 0x80,
    CODE: 0x100,
  });
  expect([memory.STORE_MASK, memory.LOAD_MASK]).toEqual([0x1d2, 0x21]);
});
