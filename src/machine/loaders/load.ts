import { ConfigError } from '../config-error.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { isElf, readElf } from './elf.ts';
import { loadLinux } from './linux.ts';
import { isLinux } from './linux-header.ts';
import { findMultiboot, loadMultiboot } from './multiboot.ts';
import { loadPvh, pvhEntry } from './pvh.ts';

/**
 * Decides by an image's own marks how it wants to be started: Linux's header, a PVH note, a multiboot header. A pure
 * function: nothing is touched. What cannot be started is a ConfigError of one sentence.
 */
export function planBoot(request: BootRequest): BootPlan {
  if (isLinux(request)) return loadLinux(request);
  const { kernel } = request;
  if (isElf(kernel)) {
    const elf = readElf(kernel);
    const entry = pvhEntry(elf);
    if (entry !== undefined) return loadPvh(request, elf, entry);
  }
  const multiboot = findMultiboot(request);
  if (multiboot !== undefined) return loadMultiboot(request, multiboot);
  throw new ConfigError(
    isElf(kernel)
      ? `kernel '${kernel.name}' is an ELF file with neither a PVH note nor a multiboot header`
      : `kernel '${kernel.name}' is no bzImage, ELF file or multiboot kernel`,
  );
}
