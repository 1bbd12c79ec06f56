import { expect, test } from 'vitest';
import * as skep from '../src/index.ts';
import * as memory from '../src/memory/index.ts';

test('the public API is what this list says', () => {
  expect(Object.keys(skep).sort()).toEqual([
    'ArenaStore',
    'AssemblyError',
    'ConfigError',
    'GuestMemory',
    'HeapStore',
    'Machine',
    'MemoryError',
    'assemble',
    'builtInBootRom',
    'disassemble',
    'eventLoopPace',
    'gpa',
    'mapStrip',
    'mapTable',
    'parseMemorySize',
    'planBoot',
    'refusalLine',
    'registerDump',
    'standstillBootRom',
    'traceLine',
  ]);
});

test('the public API of skep/memory is what this list says', () => {
  expect(Object.keys(memory).sort()).toMatchInlineSnapshot(`
    [
      "ArenaStore",
      "GuestMemory",
      "HeapStore",
      "LOAD_MASK",
      "MemoryError",
      "PAGE_FLAG",
      "PROTS",
      "STORE_MASK",
      "TELL_BEFORE_WRITE",
      "gpa",
      "isProt",
    ]
  `);
});
