import type { RamLayout } from '../layout.ts';
import type { E820Range } from '../../devices/fw-cfg.ts';

/** An image as a person gave it. */
export interface BootFile {
  /** For messages, and for guests that want to know what they were given. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a loader has to go by. */
export interface BootRequest {
  readonly kernel: BootFile;
  /** An initrd for Linux; modules for multiboot. */
  readonly modules: readonly BootFile[];
  readonly commandLine: string;
  readonly ram: RamLayout;
  /** The address map that the guest is told: what is not `ram` in it is not the loader's to use. */
  readonly map: readonly E820Range[];
  /** Where the ACPI tables begin. */
  readonly rsdp: number | undefined;
  /** Random bytes for Linux, which otherwise waits for its own to gather. */
  readonly seed?: Uint8Array | undefined;
}

export interface MemoryWrite {
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

/** What to do to a machine that has just been reset: bytes to write, then registers to set. */
export interface BootPlan {
  /** Which protocol was chosen, in words. */
  readonly protocol: string;
  readonly writes: readonly MemoryWrite[];
  /** By the names that an engine knows. */
  readonly registers: Readonly<Record<string, bigint>>;
}
