import { assemble } from '../../cpu/index.ts';
import { BUILT_IN_GUEST } from './source.ts';

/** The image of the built-in guest, assembled from its source. */
export function builtInBootRom(): Uint8Array {
  return assemble(BUILT_IN_GUEST).bytes;
}
