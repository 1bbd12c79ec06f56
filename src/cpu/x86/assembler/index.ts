export { assemble, type Assembled, type AssembleOptions } from './assemble.ts';
export { AssemblyError, type AssemblyErrorCode, type Position } from './assembly-error.ts';
