import { ENGINE_RESERVED } from '../cpu/x86/engine.ts';
import { ArenaStore } from '../memory/index.ts';
import { memoryTooLarge, type MachineConfig } from './config.ts';
import { ARENA_LIMIT, ARENA_SLACK, DISPLAY_MEMORY } from './layout.ts';

/** Makes an arena. A host that shows segments to other processes has its own. */
export type MakeArena = (request: { capacity: number; reserved: number }) => ArenaStore;

const privateArena: MakeArena = (request) => new ArenaStore(request);

/** An arena that holds the engine, all segments of a machine and the flat view. It is reserved at once and never grows. */
export function createArena({ memory, bootRom, display }: MachineConfig, make: MakeArena = privateArena): ArenaStore {
  const optionRom = display?.optionRom?.length ?? 0;
  // An option ROM is padded to a power of two.
  const deviceMemory = bootRom.length + (display === undefined ? 0 : DISPLAY_MEMORY + 2 * optionRom);
  const beside = ENGINE_RESERVED + ARENA_SLACK + deviceMemory;
  if (memory > ARENA_LIMIT - beside) throw memoryTooLarge(memory, ARENA_LIMIT - beside);
  return make({ capacity: memory + beside, reserved: ENGINE_RESERVED });
}
