import { join } from 'node:path';
import { Lifetimes } from '../base/disposable.ts';
import { DeviceNodes, nodeName } from './device-node.ts';
import { openLibc, type Libc } from './libc.ts';
import { MachineClaim } from './machine-claim.ts';
import { MemfdArenaStore } from './memfd-arena-store.ts';
import { MmapStore } from './mmap-store.ts';
import { openRunFolder, runFolderPath } from './run-folder.ts';
import { SegmentFiles } from './segment-files.ts';

export interface MachineNodesOptions {
  /** The machine's name: no other machine of this run folder has it meanwhile. */
  readonly name: string;
  /** `runFolderPath()` when absent. */
  readonly folder?: string;
  readonly libc?: Libc;
}

export interface ArenaRequest {
  readonly capacity: number;
  readonly reserved?: number;
  /** See `SegmentFilesOptions`. */
  readonly sysmemEnd?: number;
}

/**
 * A machine's name and its nodes in the run folder, and the stores whose segments are shown there. It ends after the
 * stores that it has made: they let go of the files, and this gives the name back.
 */
export class MachineNodes implements Disposable {
  readonly name: string;
  readonly folder: string;
  readonly #libc: Libc;
  readonly #nodes: DeviceNodes;
  readonly #lifetimes: Lifetimes = new Lifetimes();

  /** HostError: ENOTSUP without Linux or koffi, EEXIST when the name is taken, EACCES when the folder is not ours alone. */
  constructor({ name, folder = runFolderPath(), libc = openLibc() }: MachineNodesOptions) {
    this.name = name;
    this.folder = folder;
    this.#libc = libc;
    openRunFolder(folder);
    this.#lifetimes.own(new MachineClaim(libc, folder, name));
    try {
      this.#nodes = this.#lifetimes.own(new DeviceNodes(folder, name));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Where the node of a devmem segment is, or of sysmem when no segment is named; whether or not there is one now. */
  path(segment?: string): string {
    return join(this.folder, nodeName(this.name, segment));
  }

  /** For engines in WebAssembly. The caller ends the store before this. */
  arenaStore({ capacity, reserved = 0, ...rest }: ArenaRequest): MemfdArenaStore {
    return new MemfdArenaStore({ capacity, reserved, libc: this.#libc, files: this.#files(rest) });
  }

  /** For engines that take host addresses. The caller ends the store before this. */
  mmapStore({ capacity, ...rest }: { capacity?: number; sysmemEnd?: number } = {}): MmapStore {
    const options = { libc: this.#libc, files: this.#files(rest) };
    return new MmapStore(capacity === undefined ? options : { ...options, capacity });
  }

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }

  #files({ sysmemEnd = 0 }: { sysmemEnd?: number }): SegmentFiles {
    return new SegmentFiles({ libc: this.#libc, nodes: this.#nodes, sysmemEnd });
  }
}
