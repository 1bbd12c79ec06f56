import { ENGINE_RESERVED } from '../cpu/index.ts';
import { ArenaStore } from '../memory/index.ts';
import { memoryTooLarge, type MachineConfig } from './config.ts';
import { ARENA_LIMIT, ARENA_SLACK, DISPLAY_MEMORY } from './layout.ts';

/** An arena that holds the engine, all segments of a machine and the flat view. It is reserved at once and never grows. */
export function createArena({ memory, bootRom, display }: MachineConfig): ArenaStore {
  const optionRom = display?.optionRom?.length ?? 0;
  // An option ROM is padded to a power of two.
  const deviceMemory = bootRom.length + (display === undefined ? 0 : DISPLAY_MEMORY + 2 * optionRom);
  const beside = ENGINE_RESERVED + ARENA_SLACK + deviceMemory;
  if (memory > ARENA_LIMIT - beside) throw memoryTooLarge(memory, ARENA_LIMIT - beside);
  return new ArenaStore({ capacity: memory + beside, reserved: ENGINE_RESERVED });
}
