/** The public names of the `cpu` layer. */
export type { Engine, EngineHost, Exit } from './engine.ts';
export { ENGINE_RESERVED, WasmEngine } from './x86/engine.ts';
export type { WasmEngineOptions } from './x86/engine.ts';
