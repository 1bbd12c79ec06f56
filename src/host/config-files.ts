import { existsSync } from 'node:fs';
import { MiB } from '../base/units.ts';
import { ConfigError } from '../machine/config-error.ts';
import type { MachineConfig } from '../machine/config.ts';
import { standstillBootRom, type KernelConfig } from '../machine/direct-boot.ts';
import type { BootFile } from '../machine/loaders/boot-plan.ts';
import { readImage } from './files.ts';
import { FlashFile } from './flash-file.ts';
import type { RunOptions } from './run-options.ts';

/** Files are read up to here; what each may have is for the device to say. */
const IMAGE_LENGTH_MAX = 64 * MiB;
const BOOT_FILE_LENGTH_MAX = 2048 * MiB;

/** Random bytes that a guest begins with; always the same ones where a run is to be repeatable. */
const SEED_LENGTH = 32;

/** What the options say of the machine, and what is in the files that they name. */
export async function readConfig(options: RunOptions, variables: Uint8Array | undefined): Promise<MachineConfig> {
  const { optionRomFile, framebuffer } = options;
  if (optionRomFile !== undefined && framebuffer === undefined) {
    throw new ConfigError(`option ROM '${optionRomFile}' needs the display, which is off`);
  }
  const optionRom = optionRomFile === undefined ? undefined : readImage(optionRomFile, IMAGE_LENGTH_MAX);
  return {
    name: options.name,
    memory: options.memory,
    boot: readKernel(options),
    bootRom: await readBootRom(options),
    variables,
    debugExit: options.debugExit,
    dmaEngine: options.dmaEngine,
    display: framebuffer === undefined ? undefined : { ...framebuffer, optionRom },
    firmwareConsole: options.firmwareConsole,
    deterministic: options.deterministic,
    wired: options.wired,
  };
}

async function readBootRom({ bootRomFile, kernelFile }: RunOptions): Promise<Uint8Array> {
  if (bootRomFile !== undefined) return readImage(bootRomFile, IMAGE_LENGTH_MAX);
  if (kernelFile !== undefined) return standstillBootRom();
  // The assembler comes with it.
  const { builtInBootRom } = await import('../machine/built-in-guest/boot-rom.ts');
  return builtInBootRom();
}

/** The file of UEFI's variables, if there is to be one. */
export function openVariables({ variablesFile }: RunOptions): FlashFile | undefined {
  if (variablesFile === undefined) return undefined;
  const failed = (error: Error): void => void process.stderr.write(`skep: ${error.message}; it is as it was\n`);
  return new FlashFile(variablesFile, { limit: IMAGE_LENGTH_MAX, failed });
}

function readKernel({
  kernelFile,
  moduleFiles,
  commandLine,
  bootRomFile,
  deterministic,
}: RunOptions): KernelConfig | undefined {
  if (kernelFile === undefined) return undefined;
  const seed = new Uint8Array(SEED_LENGTH);
  if (!deterministic) crypto.getRandomValues(seed);
  const startedBy = bootRomFile === undefined ? 'machine' : 'firmware';
  return { kernel: bootFile(kernelFile), modules: moduleFiles.map(moduleFile), commandLine, seed, startedBy };
}

function bootFile(path: string, name: string = path): BootFile {
  return { name, bytes: readImage(path, BOOT_FILE_LENGTH_MAX) };
}

/** A module may have a command line of its own behind a space, which is a part of what the kernel is told of it. */
function moduleFile(text: string): BootFile {
  const [path = text] = existsSync(text) ? [text] : text.split(' ', 1);
  return bootFile(path, text);
}
