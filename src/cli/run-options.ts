import { ConfigError } from '../machine/config-error.ts';
import { parseMemorySize } from '../machine/memory-size.ts';
import type { RunOptions, SinkChoice } from '../host/run-options.ts';
import type { Given } from './arguments.ts';

/** The options of `skep run` but for the name, as values, each checked as far as its text goes. */
export function machineOptions(given: Given): Omit<RunOptions, 'name'> {
  const value = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const text = given.get(name);
    return text === undefined ? undefined : parse(text);
  };
  return {
    memory: parseMemorySize(given.get('memory') ?? ''),
    ...parseBootRom(given.get('bootrom')),
    kernelFile: given.get('kernel'),
    moduleFiles: parseModules(given),
    commandLine: parseCommandLine(given),
    debugExit: value('debug-exit', parsePort),
    optionRomFile: given.get('option-rom'),
    framebuffer: value('framebuffer', parseResolution),
    serial: parseSink('serial', 'stdio', given),
    debugConsole: parseSink('debugcon', 'stderr', given),
    firmwareConsole: parseChoice('firmware-console', ['display', 'serial'], given),
    dmaEngine: value('device', parseDevice),
    control: !given.has('no-control'),
    traceMap: given.has('trace-map'),
    screenshotFile: given.get('screenshot'),
    timeLimit: value('time-limit', parseSeconds),
    deterministic: given.has('deterministic'),
    wired: given.has('wire'),
    core: parseCore(given),
  };
}

/** `FILE` or `FILE,vars=FILE`. */
function parseBootRom(text: string | undefined): Pick<RunOptions, 'bootRomFile' | 'variablesFile'> {
  const [, file, variables] = /^(.+?)(?:,vars=(.+))?$/s.exec(text ?? '') ?? [];
  return { bootRomFile: file, variablesFile: variables };
}

function parseCore(given: Given): boolean {
  if (given.has('core') && given.has('no-core'))
    throw new ConfigError("options '--core' and '--no-core' exclude each other");
  return given.has('core');
}

function parseResolution(text: string): { width: number; height: number } | undefined {
  if (text === 'off') return undefined;
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (match === null) throw new ConfigError(`framebuffer '${text}' is neither WIDTHxHEIGHT nor 'off'`);
  return { width: Number(match[1]), height: Number(match[2]) };
}

/** There is one device to choose so far. */
function parseDevice(text: string): { iommu: boolean } {
  if (text === 'dma-engine' || text === 'dma-engine,iommu') return { iommu: text.endsWith(',iommu') };
  throw new ConfigError(`device '${text}' is neither dma-engine nor dma-engine,iommu`);
}

/** Files by commas. */
function parseModules(given: Given): string[] {
  const text = given.get('initrd');
  if (text !== undefined && !given.has('kernel')) throw new ConfigError(`initrd '${text}' needs a kernel`);
  return text?.split(',') ?? [];
}

function parseCommandLine(given: Given): string {
  const text = given.get('append');
  if (text !== undefined && !given.has('kernel')) throw new ConfigError(`command line '${text}' needs a kernel`);
  return text ?? '';
}

function parsePort(text: string): number {
  const port = /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 0xffff)) throw new ConfigError(`debug exit port '${text}' is not a number up to 0xffff`);
  return port;
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0)) throw new ConfigError(`time limit '${text}' is not a positive number of seconds`);
  return seconds;
}

/** `STREAM`, `off` or `file:PATH`. */
function parseSink(option: string, stream: SinkChoice['kind'], given: Given): SinkChoice {
  const text = given.get(option) ?? 'off';
  if (text === 'off') return { kind: 'off' };
  if (text === stream) return { kind: stream } as SinkChoice;
  if (text.startsWith('file:') && text.length > 'file:'.length)
    return { kind: 'file', path: text.slice('file:'.length) };
  throw new ConfigError(`option '--${option}' is '${text}', not ${stream}, file:PATH or off`);
}

function parseChoice<const Choice extends string>(option: string, choices: readonly Choice[], given: Given): Choice {
  const text = given.get(option);
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new ConfigError(`option '--${option}' is '${text}', not ${choices.join(' or ')}`);
  return choice;
}
