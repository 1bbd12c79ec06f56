import { Lifetimes } from '../base/disposable.ts';
import { SECOND } from '../base/units.ts';
import { ConfigError } from '../machine/config-error.ts';
import { Machine } from '../machine/machine.ts';
import { openVariables, readConfig } from './config-files.ts';
import type { ControlOptions } from './control/index.ts';
import { describeEnd, type Ending } from './ending.ts';
import { checkWritable } from './files.ts';
import { GuestOutput } from './guest-output.ts';
import { InterruptibleRun } from './interruptible-run.ts';
import { showMap, traceMap } from './map-report.ts';
import { NodeArena } from './node-arena.ts';
import { openRunFolder, runFolderPath } from './run-folder.ts';
import type { RunOptions } from './run-options.ts';

/** Builds the machine that the options describe, runs it to its end and says why it ended. */
export async function runMachine(options: RunOptions): Promise<Ending> {
  // Ends after the variables, whose last bytes are read from the machine's memory.
  using lifetimes = new Lifetimes();
  await using variables = openVariables(options);
  const config = await readConfig(options, variables?.image);
  if (options.screenshotFile !== undefined) checkWritable(options.screenshotFile);
  if (options.control) await loadControl();
  // Who falls behind with reading ends the slice; the pace then waits.
  const output = lifetimes.own(new GuestOutput(options, () => machine.engine.requestExit()));
  const arena = lifetimes.own(new NodeArena(options));
  const machine: Machine = lifetimes.own(
    new Machine(config, {
      makeArena: arena.make,
      hostTime: () => Math.floor(performance.now() * 1e6),
      wallClock: () => Date.now() / 1000,
      serial: (byte) => output.serial.write(byte),
      debugConsole: (byte) => output.debugConsole.write(byte),
      variablesChanged: (array) => variables?.changed(array),
    }),
  );
  const run = new InterruptibleRun(machine, output);
  const wake = (): void => run.pace.wake();
  await using _control = options.control
    ? await openControl({ machine, serial: output.tap, wake, pages: arena.pages })
    : undefined;
  if (options.traceMap) lifetimes.own(traceMap(machine, output));
  if (options.bootRomFile === undefined && options.kernelFile === undefined) lifetimes.own(showMap(machine, output));
  if (options.timeLimit !== undefined) machine.stopAt(options.timeLimit * SECOND);
  const stop = await run.toEnd({ reads: options.serial.kind === 'stdio' });
  output.flush();
  process.stderr.write(describeEnd(machine, stop));
  if (options.screenshotFile !== undefined) await saveScreenshot(machine, options.screenshotFile);
  return { stop, exitStatus: machine.exitStatus };
}

/** Its part of the program is loaded by those alone who listen, and before the machine's time begins. */
const loadControl = () => import('./control/index.ts');

/** The control socket, in the run folder. */
async function openControl(options: Omit<ControlOptions, 'path'>): Promise<AsyncDisposable> {
  const { ControlServer, socketPath } = await loadControl();
  const folder = runFolderPath();
  openRunFolder(folder);
  return ControlServer.open({ ...options, path: socketPath(folder, options.machine.name) });
}

async function saveScreenshot(machine: Machine, path: string): Promise<void> {
  const picture = machine.screenshot();
  if (picture === undefined) throw new ConfigError(`no screenshot '${path}': the guest has not turned a display on`);
  // Most runs end without a picture, and need not wait for the PNG library to load.
  const { writePng } = await import('./screenshot.ts');
  writePng(path, picture);
}
