import { disposable } from '../base/disposable.ts';
import type { ExtentUse, SysmemSlice } from '../memory/index.ts';
import { nodeName, type DeviceNodes } from './device-node.ts';
import type { Libc } from './libc.ts';
import { Memfd } from './memfd.ts';
import { SysmemFile, sysmemSlices } from './sysmem-file.ts';

/** A slice of a segment and where its bytes are in a file. */
export interface FileSlice {
  readonly offset: number;
  readonly length: number;
  readonly file: Memfd;
  readonly fileOffset: number;
}

/** What holds a segment's bytes. Its end lets go of the file, and removes the node. */
export interface SegmentFile extends Disposable {
  readonly slices: readonly FileSlice[];
}

export interface SegmentFilesOptions {
  readonly libc: Libc;
  /** Where files are shown. When absent there are no nodes: the files are this process's secret. */
  readonly nodes?: DeviceNodes;
  /** Highest end of sysmem in guest-physical space, for a machine with several sysmem segments. The first one's when absent. */
  readonly sysmemEnd?: number;
}

/** The files behind a machine's segments: one for all sysmem, one for each devmem segment. */
export class SegmentFiles {
  readonly #libc: Libc;
  readonly #nodes: DeviceNodes | undefined;
  readonly #sysmemEnd: number;
  #sysmem: { readonly contents: SysmemFile; readonly end: Disposable } | undefined;

  constructor({ libc, nodes, sysmemEnd = 0 }: SegmentFilesOptions) {
    this.#libc = libc;
    this.#nodes = nodes;
    this.#sysmemEnd = sysmemEnd;
  }

  /** Bytes for a segment, all zeros. Throws MemoryError for a layout that cannot be, HostError when the kernel says no. */
  open(length: number, use?: ExtentUse): SegmentFile {
    if (use?.kind === 'sysmem') return this.#openSysmem(length, use);
    // Whoever does not say what the bytes are for does not want them seen.
    const { file, end } = this.#create(length, use === undefined ? undefined : this.#nodes, use?.name);
    return { slices: [{ offset: 0, length, file, fileOffset: 0 }], ...end };
  }

  #openSysmem(length: number, { name, layout }: ExtentUse): SegmentFile {
    const slices = sysmemSlices(name, length, layout);
    const { contents } = (this.#sysmem ??= this.#createSysmem(slices));
    try {
      contents.take(name, slices);
    } catch (error) {
      this.#dropEmptySysmem();
      throw error;
    }
    const end = disposable(() => {
      contents.give(slices);
      this.#dropEmptySysmem();
    });
    return { slices: slices.map((slice) => ({ ...slice, file: contents.file, fileOffset: slice.gpa })), ...end };
  }

  #createSysmem(slices: readonly SysmemSlice[]): { contents: SysmemFile; end: Disposable } {
    const ends = slices.map(({ gpa, length }) => gpa + length);
    const { file, end } = this.#create(Math.max(this.#sysmemEnd, ...ends), this.#nodes);
    return { contents: new SysmemFile(file), end };
  }

  /** With the last segment the file goes, so that a process which has it mapped keeps its bytes. */
  #dropEmptySysmem(): void {
    if (this.#sysmem?.contents.empty !== true) return;
    this.#sysmem.end[Symbol.dispose]();
    this.#sysmem = undefined;
  }

  #create(length: number, nodes: DeviceNodes | undefined, segment?: string): { file: Memfd; end: Disposable } {
    const file = new Memfd(this.#libc, nodeName(this.#nodes?.machine ?? 'skep', segment), length);
    try {
      const node = nodes?.show(file, segment);
      const end = disposable(() => {
        node?.[Symbol.dispose]();
        file[Symbol.dispose]();
      });
      return { file, end };
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }
}
