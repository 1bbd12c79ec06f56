import { expect, test } from 'vitest';
import { ArenaStore, GuestMemory } from '../../memory/index.ts';
import { ENGINE_RESERVED, WasmEngine } from '../x86/engine.ts';
import { uncoveredRows } from './case.ts';
import { CASES } from './cases/index.ts';
import { conformance } from './suite.ts';

test('every row of the opcode table has a case', () => {
  expect(uncoveredRows(CASES).map(({ encoding, mnemonic }) => `${encoding} ${mnemonic}`)).toEqual([]);
});

conformance('the WebAssembly engine', (host) => {
  const store = new ArenaStore({ capacity: ENGINE_RESERVED + 0x40_0000, reserved: ENGINE_RESERVED });
  const memory = new GuestMemory({ store });
  return { memory, engine: new WasmEngine({ memory, store, host }) };
});
