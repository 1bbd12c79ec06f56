import { GiB, MiB, PAGE_SIZE } from '../base/units.ts';
import type { KernelConfig } from './direct-boot.ts';
import { ConfigError } from './config-error.ts';
import { MEMORY_MIN } from './layout.ts';

/** What a machine is made of. Images are bytes: reading files is the host's business. */
export interface MachineConfig {
  readonly name: string;
  /** Bytes of RAM. */
  readonly memory: number;
  readonly bootRom: Uint8Array;
  /** The flash chip below the boot ROM, which is for UEFI's variables. With it the boot ROM is a write-protected chip. */
  readonly variables?: Uint8Array | undefined;
  readonly display?: DisplayConfig | undefined;
  /** Tells SeaBIOS to speak on the serial port too. */
  readonly firmwareConsole?: 'display' | 'serial';
  /** Starts a kernel, without firmware or by it. */
  readonly boot?: KernelConfig | undefined;
  /** The first port of the exit device of kernel tests, if there is to be one. */
  readonly debugExit?: number | undefined;
  /** A PCI device that masters the bus, if there is to be one. */
  readonly dmaEngine?: DmaEngineConfig | undefined;
  /** Lets time be the number of instructions. */
  readonly deterministic?: boolean;
  /** Marks every mapping as wired. Locking the bytes is the store's affair. */
  readonly wired?: boolean;
}

export interface DmaEngineConfig {
  /** Whether it is behind the IOMMU: it reaches wired sysmem only, so memory must be wired. */
  readonly iommu: boolean;
}

export interface DisplayConfig {
  /** The resolution that the display reports as its own. */
  readonly width: number;
  readonly height: number;
  readonly optionRom?: Uint8Array | undefined;
}

const NAME_LENGTH_MAX = 31;
const RESOLUTION = { widthMin: 320, heightMin: 200, bytesMax: 16 * MiB } as const;

/** Every rule that a configuration has to keep, in the order in which they are checked. */
export function checkConfig({ name, memory, display, dmaEngine, wired = false }: MachineConfig): void {
  checkName(name);
  checkMemory(memory);
  if (dmaEngine?.iommu === true && !wired) {
    throw new ConfigError('a DMA engine behind the IOMMU needs guest memory to be wired');
  }
  if (display !== undefined) checkResolution(display);
}

/** Node names are VM.SEGMENT, so a name without a dot cannot be taken for another VM's segment. */
function checkName(name: string): void {
  if (name.length === 0 || name.length > NAME_LENGTH_MAX) {
    throw new ConfigError(`name '${name}' has ${name.length} characters; 1 to ${NAME_LENGTH_MAX} are allowed`);
  }
  if (!/^[A-Za-z0-9_-]+$/.test(name)) {
    throw new ConfigError(`name '${name}' has characters other than letters, digits, '-' and '_'`);
  }
}

function checkMemory(memory: number): void {
  if (memory < MEMORY_MIN) throw new ConfigError(`memory of ${memory} bytes is less than the least, 1 MiB`);
  if (memory % PAGE_SIZE !== 0) throw new ConfigError(`memory of ${memory} bytes is not a multiple of ${PAGE_SIZE}`);
}

function checkResolution({ width, height }: DisplayConfig): void {
  const { widthMin, heightMin, bytesMax } = RESOLUTION;
  if (width < widthMin || height < heightMin || width % 8 !== 0) {
    throw new ConfigError(
      `framebuffer ${width}x${height}: at least ${widthMin}x${heightMin}, the width a multiple of 8`,
    );
  }
  if (width * height * 4 > bytesMax) {
    throw new ConfigError(`framebuffer ${width}x${height} needs more than the display's ${bytesMax / MiB} MiB`);
  }
}

/** The arena holds at most 4 GiB, and the engine and device memory need some of it. */
export function memoryTooLarge(memory: number, available: number): ConfigError {
  const text = (bytes: number): string => `${Math.floor((bytes / GiB) * 100) / 100} GiB`;
  return new ConfigError(`memory of ${text(memory)} does not fit: this engine's arena has room for ${text(available)}`);
}
