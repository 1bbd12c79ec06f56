import { existsSync } from 'node:fs';
import { Lifetimes } from '../base/disposable.ts';
import { KiB, MiB, SECOND } from '../base/units.ts';
import type { BootFile } from '../machine/loaders/boot-plan.ts';
import { standstillBootRom, type KernelConfig } from '../machine/direct-boot.ts';
import type { MachineConfig } from '../machine/config.ts';
import { ConfigError } from '../machine/config-error.ts';
import { mapStrip } from '../machine/inspect/map-strip.ts';
import { mapTable } from '../machine/inspect/map-table.ts';
import { refusalLine, traceLine } from '../machine/inspect/map-trace.ts';
import { registerDump } from '../machine/inspect/register-dump.ts';
import type { MakeArena } from '../machine/arena.ts';
import { Machine } from '../machine/machine.ts';
import type { Pace, Stop } from '../machine/run-loop.ts';
import { ArenaStore, type GuestMemory } from '../memory/index.ts';
import { bothSinks, collectingSink, fileSink, nullSink, streamSink, type ByteSink } from './byte-sink.ts';
import { SerialTap } from './control/serial-tap.ts';
import { eventLoopPace } from './event-loop-pace.ts';
import { checkWritable, readImage, writeFailure } from './files.ts';
import { FlashFile } from './flash-file.ts';
import { HostError } from './host-error.ts';
import { MachineNodes } from './machine-nodes.ts';
import { MemfdArenaStore } from './memfd-arena-store.ts';
import { Outlet } from './outlet.ts';
import type { PagePolicy } from './page-policy.ts';
import { patientPace } from './patient-pace.ts';
import { openRunFolder, runFolderPath } from './run-folder.ts';
import { Terminal } from './terminal.ts';
import type { RunOptions, SinkChoice } from './run-options.ts';

/** Files are read up to here; what each may have is for the device to say. */
const IMAGE_LENGTH_MAX = 64 * MiB;
const BOOT_FILE_LENGTH_MAX = 2048 * MiB;

/** How a run ended, and what the guest told the exit device if that was how. */
export interface Ending {
  readonly stop: Stop;
  readonly exitStatus: number | undefined;
}

function openSink(choice: SinkChoice, outlets: Record<'stdout' | 'stderr', Outlet>): ByteSink {
  switch (choice.kind) {
    case 'off':
      return nullSink;
    case 'stdio':
      return streamSink(outlets.stdout);
    case 'stderr':
      return streamSink(outlets.stderr);
    case 'file':
      return fileSink(choice.path);
  }
}

async function readConfig(options: RunOptions, variables: Uint8Array | undefined): Promise<MachineConfig> {
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

function openVariables({ variablesFile }: RunOptions): FlashFile | undefined {
  if (variablesFile === undefined) return undefined;
  const failed = (error: Error): void => void process.stderr.write(`skep: ${error.message}; it is as it was\n`);
  return new FlashFile(variablesFile, { limit: IMAGE_LENGTH_MAX, failed });
}

/** Random bytes that a guest begins with; always the same ones where a run is to be repeatable. */
const SEED_LENGTH = 32;

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

/** Builds the machine that the options describe, runs it to its end and says why it ended. */
export async function runMachine(options: RunOptions): Promise<Ending> {
  using lifetimes = new Lifetimes();
  await using variables = openVariables(options);
  const config = await readConfig(options, variables?.image);
  if (options.screenshotFile !== undefined) checkWritable(options.screenshotFile);
  if (options.control) await loadControl();
  const tap = new SerialTap();
  const listened = collectingSink((bytes) => tap.write(bytes));
  // Who falls behind with reading ends the slice; the pace then waits.
  const outlet = (stream: NodeJS.WriteStream): Outlet => new Outlet(stream, () => machine.engine.requestExit());
  const outlets = { stdout: outlet(process.stdout), stderr: outlet(process.stderr) };
  const serial = lifetimes.own(bothSinks(openSink(options.serial, outlets), listened));
  const debugConsole = lifetimes.own(openSink(options.debugConsole, outlets));
  let pages: PagePolicy | undefined;
  const machine: Machine = lifetimes.own(
    new Machine(config, {
      makeArena: (request) => {
        const store = arenaWithNodes(options, lifetimes, request);
        if (store instanceof MemfdArenaStore) pages = store.pages;
        return store;
      },
      hostTime: () => Math.floor(performance.now() * 1e6),
      wallClock: () => Date.now() / 1000,
      serial: (byte) => serial.write(byte),
      debugConsole: (byte) => debugConsole.write(byte),
      variablesChanged: (array) => variables?.changed(array),
    }),
  );
  const flush = (): void => {
    serial.flush();
    debugConsole.flush();
  };
  const turns = [flush];
  const turn = eventLoopPace(() => turns.forEach((part) => part()));
  const pace = patientPace(turn, Object.values(outlets));
  await using _control = options.control ? await openControl(machine, tap, pace, pages) : undefined;
  if (options.traceMap) lifetimes.own(traceMap(machine, flush));
  if (options.bootRomFile === undefined && options.kernelFile === undefined) lifetimes.own(showMap(machine, flush));
  if (options.timeLimit !== undefined) machine.stopAt(options.timeLimit * SECOND);
  const stop = await runInterruptibly(machine, { pace, turns, reads: options.serial.kind === 'stdio' });
  flush();
  process.stderr.write(describeEnd(machine, stop));
  if (options.screenshotFile !== undefined) await saveScreenshot(machine, options.screenshotFile);
  return { stop, exitStatus: machine.exitStatus };
}

/** Its part of the program is loaded by those alone who listen, and before the machine's time begins. */
const loadControl = () => import('./control/index.ts');

/** The control socket, in the run folder. */
async function openControl(
  machine: Machine,
  serial: SerialTap,
  pace: Pace,
  pages?: PagePolicy,
): Promise<AsyncDisposable> {
  const { ControlServer, socketPath } = await loadControl();
  const folder = runFolderPath();
  openRunFolder(folder);
  const path = socketPath(folder, machine.name);
  return ControlServer.open({
    machine,
    path,
    serial,
    wake: () => pace.wake(),
    ...(pages === undefined ? {} : { pages }),
  });
}

/** An arena whose segments other processes can map; the ordinary one, and a line that says why, where there are no nodes. */
function arenaWithNodes(
  { name, wired, core }: RunOptions,
  lifetimes: Lifetimes,
  request: Parameters<MakeArena>[0],
): ArenaStore {
  try {
    const nodes = lifetimes.own(new MachineNodes({ name }));
    const store = lifetimes.own(nodes.arenaStore(request));
    store.pages.setCore(core);
    if (wired) store.pages.wire();
    return store;
  } catch (error) {
    if (wired || !(error instanceof HostError && error.code === 'ENOTSUP')) throw error;
    process.stderr.write(`skep: ${error.message}\n`);
    return new ArenaStore(request);
  }
}

interface Manner {
  readonly pace: Pace;
  /** What is done whenever the event loop gets its turn. */
  readonly turns: (() => void)[];
  /** Whether standard input is the serial port's. */
  readonly reads: boolean;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs while Ctrl-C, Ctrl-] and an end of whoever reads our output stop the machine at the next slice. */
async function runInterruptibly(machine: Machine, { pace, turns, reads }: Manner): Promise<Stop> {
  let lost: ConfigError | undefined;
  const interrupt = (): void => {
    machine.stop('interrupted');
    pace.wake();
  };
  const receive = (bytes: Uint8Array): void => {
    machine.serialInput(bytes);
    pace.wake();
  };
  const lose = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') lost ??= writeFailure('standard output', error);
    interrupt();
  };
  using terminal = reads ? openTerminal(machine, receive, interrupt) : undefined;
  turns.push(() => terminal?.turn());
  for (const signal of SIGNALS) process.once(signal, interrupt);
  process.stdout.on('error', lose);
  try {
    const stop = await machine.run(pace);
    if (lost !== undefined) throw lost;
    return stop;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

function openTerminal(machine: Machine, receive: (bytes: Uint8Array) => void, quit: () => void): Terminal {
  const notice = (text: string): void => void process.stderr.write(text);
  const waiting = (): number => machine.serialInputWaiting;
  return new Terminal({ input: process.stdin, notice, receive, waiting, quit });
}

/** One line on standard error for each edit of the map, the initial map first, and for each edit that cannot be made. */
function traceMap(machine: Machine, flush: () => void): Disposable {
  const { action, memory, refusals } = machine;
  const lifetimes = new Lifetimes();
  const say = (line: string): void => {
    flush();
    process.stderr.write(`${line}\n`);
  };
  lifetimes.own(memory.observe({ changed: (change) => say(traceLine(machine.now(), action.describe(), change)) }));
  lifetimes.own(refusals.on((waiting) => say(refusalLine(machine.now(), action.describe(), waiting))));
  return lifetimes;
}

/** For the built-in guest: the whole map, as a table and as a strip, at the start and whenever the framebuffer moves. */
function showMap(machine: Machine, flush: () => void): Disposable {
  const { memory } = machine;
  print(`${describeMachine(machine)}\n\n`, memory);
  return memory.observe(
    {
      changed({ removed, added }) {
        if (![...removed, ...added].some(({ segment }) => segment.name === 'framebuffer')) return;
        flush();
        print('\n', memory);
      },
    },
    { replay: false },
  );
}

function print(before: string, memory: GuestMemory): void {
  process.stdout.write(`${before}${mapTable(memory)}\n\n${mapStrip(memory)}\n\n`);
}

function describeMachine({ name, memory }: Machine): string {
  const segments = Array.from(memory.segments(), (segment) => {
    const { length } = segment;
    const size = length % MiB === 0 ? `${length / MiB} MiB` : `${length / KiB} KiB`;
    return `${segment.name} (${segment.kind}, ${size})`;
  });
  return `machine '${name}' with ${segments.join(', ')}`;
}

async function saveScreenshot(machine: Machine, path: string): Promise<void> {
  const picture = machine.screenshot();
  if (picture === undefined) throw new ConfigError(`no screenshot '${path}': the guest has not turned a display on`);
  // Most runs end without a picture, and need not wait for the PNG library to load.
  const { writePng } = await import('./screenshot.ts');
  writePng(path, picture);
}

function describeEnd(machine: Machine, stop: Stop): string {
  const time = `${(machine.now() / SECOND).toFixed(3)} s, ${machine.engine.instructions} instructions`;
  switch (stop) {
    case 'power-off':
      return `skep: the guest powered off after ${time}\n`;
    case 'time-limit':
      return `skep: time limit reached after ${time}\n`;
    case 'debug-exit':
      return `skep: the guest ended the run with status ${machine.exitStatus} after ${time}\n`;
    case 'interrupted':
      return `skep: interrupted after ${time}\n`;
    case 'stopped':
      return `skep: stopped after ${time}\n`;
    case 'shutdown':
      return `skep: the guest died of a triple fault after ${time}\n\n${registerDump(machine.engine)}\n\n${mapTable(machine.memory)}\n`;
  }
}
