import { describe, expect } from 'vitest';
import { standstillBootRom } from '../src/index.ts';
import { ansiScreen } from './ansi-screen.ts';
import { MachineRun } from './machine-run.ts';
import { nightlyTest, stockFile } from './stock-guest.ts';

const MiB = 2 ** 20;

describe("Debian's installer", () => {
  nightlyTest('shows its first menu on the serial port', ['installer-linux', 'installer-initrd'], async () => {
    const boot = {
      kernel: { name: 'linux', bytes: stockFile('installer-linux') },
      modules: [{ name: 'initrd', bytes: stockFile('installer-initrd') }],
      commandLine: 'console=ttyS0',
    };
    using run = new MachineRun({ bootRom: standstillBootRom(), memory: 1024 * MiB, boot });
    await run.runUntil('<Go Back>', 'serial', 300);
    await run.run(1);
    const screen = ansiScreen(run.serial);
    console.log(screen);
    expect(screen).toContain('Select a language');
    expect(screen).toMatch(/English/);
  });
});
