/** The public names of the `cpu` layer. */
export type { Engine, EngineHost, Exit } from './engine.ts';
export { ENGINE_RESERVED, WasmEngine } from './x86/engine.ts';
export type { WasmEngineOptions } from './x86/engine.ts';
export { assemble, AssemblyError } from './x86/assembler/index.ts';
export type { Assembled, AssembleOptions } from './x86/assembler/index.ts';
export { disassemble } from './x86/disassembler.ts';
