/** Where a character device of the guest leads. */
export type SinkChoice =
  | { readonly kind: 'off' }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'stderr' }
  | { readonly kind: 'file'; readonly path: string };

/** What a person asked `skep run` for: paths where a machine wants bytes, names where it wants connections. */
export interface RunOptions {
  readonly name: string;
  readonly memory: number;
  /** The built-in guest when absent. */
  readonly bootRomFile: string | undefined;
  /** The array of the flash chip below it; kept there when it has changed. */
  readonly variablesFile: string | undefined;
  /** A kernel to start: by the boot ROM if one is given. */
  readonly kernelFile: string | undefined;
  /** Its initrd, or its modules. */
  readonly moduleFiles: readonly string[];
  readonly commandLine: string;
  /** Port of the exit device. */
  readonly debugExit: number | undefined;
  readonly optionRomFile: string | undefined;
  readonly framebuffer: { readonly width: number; readonly height: number } | undefined;
  readonly serial: SinkChoice;
  readonly debugConsole: SinkChoice;
  readonly firmwareConsole: 'display' | 'serial';
  /** A PCI device that masters the bus, and whether the IOMMU limits it. */
  readonly dmaEngine: { readonly iommu: boolean } | undefined;
  /** Whether to listen on a control socket. */
  readonly control: boolean;
  readonly traceMap: boolean;
  readonly screenshotFile: string | undefined;
  /** Seconds of machine time. */
  readonly timeLimit: number | undefined;
  readonly deterministic: boolean;
  /** Guest memory is locked in RAM. */
  readonly wired: boolean;
  /** Guest memory is in core dumps. */
  readonly core: boolean;
}
