import { describe, expect } from 'vitest';
import { standstillBootRom } from '../src/index.ts';
import { ansiScreen } from './ansi-screen.ts';
import { MachineRun } from './machine-run.ts';
import { nightlyTest, stockFile, stockTest, type StockFile } from './stock-guest.ts';

const MiB = 2 ** 20;

function start(name: StockFile): MachineRun {
  const boot = {
    kernel: { name, bytes: stockFile(name) },
    modules: [],
    commandLine: 'console=ttyS0,115200 nopause nobench',
  };
  return new MachineRun({ bootRom: standstillBootRom(), memory: 64 * MiB, boot });
}

/** Looks at the screen now and then until it shows this, and gives what it shows then. */
async function screenThat(run: MachineRun, shows: RegExp, timeLimit: number): Promise<string> {
  for (let look = 0; look < 50; look++) {
    await run.run(timeLimit / 50);
    const screen = ansiScreen(run.serial);
    if (shows.test(screen)) return screen;
  }
  throw new Error(`the screen does not show ${shows}, but:\n${ansiScreen(run.serial)}`);
}

describe.each<['x64' | 'ia32', StockFile]>([
  ['x64', 'memtest-x64'],
  ['ia32', 'memtest-ia32'],
])("Debian's memtest86+ for %s at 64 MiB", (_name, file) => {
  stockTest('passes its first test without an error', [file], async () => {
    using run = start(file);
    const screen = await screenThat(run, /Test #[1-9]/, 10);
    expect(screen).toMatch(/Memory +: +64MB/);
    expect(screen).toContain('skep virtual processor');
    expect(screen).toMatch(/Pass: +0 +Errors: 0$/m);
  });

  nightlyTest('passes all its tests without an error', [file], async () => {
    using run = start(file);
    const screen = await screenThat(run, /Pass: +1/, 3000);
    console.log(screen);
    expect(screen).toMatch(/Pass: +1 +Errors: 0$/m);
  });
});
