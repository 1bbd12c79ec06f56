import { ConfigError } from '../config-error.ts';
import type { BootPlan, BootRequest } from './boot-plan.ts';
import { isElf, readElf } from './elf.ts';
import { loadLinux } from './linux.ts';
import { isLinux } from './linux-header.ts';
import { findMultiboot, loadMultiboot } from './multiboot.ts';
import { loadPvh, pvhEntry } from './pvh.ts';

/**
 * Decides by an image's own marks how it wants to be started: Linux's header, a multiboot header, a PVH note. One that
 * has the last two is a hypervisor or the like, whose PVH entry is for running inside another. A pure function: nothing
 * is touched. What cannot be started is a ConfigError of one sentence.
 */
export function planBoot(request: BootRequest): BootPlan {
  if (isLinux(request)) return loadLinux(request);
  const multiboot = findMultiboot(request);
  if (multiboot !== undefined) return loadMultiboot(request, multiboot);
  const { kernel } = request;
  if (!isElf(kernel)) throw new ConfigError(`kernel '${kernel.name}' is no bzImage, ELF file or multiboot kernel`);
  const elf = readElf(kernel);
  const entry = pvhEntry(elf);
  if (entry !== undefined) return loadPvh(request, elf, entry);
  throw new ConfigError(`kernel '${kernel.name}' is an ELF file with neither a PVH note nor a multiboot header`);
}
