/** The public API of skep, by name. */
export { ConfigError } from './machine/config-error.ts';
export { Machine, type Surroundings } from './machine/machine.ts';
export type { DisplayConfig, DmaEngineConfig, MachineConfig } from './machine/config.ts';
export { standstillBootRom, type KernelConfig } from './machine/direct-boot.ts';
export { planBoot } from './machine/loaders/load.ts';
export type { BootFile, BootPlan, BootRequest, MemoryWrite } from './machine/loaders/boot-plan.ts';
export type { Pace, Stop } from './machine/run-loop.ts';
export { parseMemorySize } from './machine/memory-size.ts';
export { builtInBootRom } from './machine/built-in-guest/boot-rom.ts';
export { mapStrip } from './machine/inspect/map-strip.ts';
export { mapTable } from './machine/inspect/map-table.ts';
export { refusalLine, traceLine } from './machine/inspect/map-trace.ts';
export { registerDump } from './machine/inspect/register-dump.ts';
export { eventLoopPace } from './host/event-loop-pace.ts';
export { assemble, AssemblyError, disassemble, type Engine, type EngineHost, type Exit } from './cpu/index.ts';
export {
  ArenaStore,
  gpa,
  GuestMemory,
  HeapStore,
  MemoryError,
  type Assignment,
  type Change,
  type DmaFault,
  type DmaRange,
  type Edit,
  type Gpa,
  type IommuDomain,
  type IommuTable,
  type Mapping,
  type MapObserver,
  type Prot,
  type Segment,
  type SegmentKind,
  type Store,
  type Window,
} from './memory/index.ts';
