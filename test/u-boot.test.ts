import { describe, expect } from 'vitest';
import { MachineRun } from './machine-run.ts';
import { stockFile, stockTest } from './stock-guest.ts';

describe('stock U-Boot for 32-bit x86', () => {
  stockTest(
    'prints its banner, finds its processor and memory, and counts down to autoboot',
    ['u-boot.rom'],
    async () => {
      using run = new MachineRun({ bootRom: stockFile('u-boot.rom'), display: { width: 1024, height: 768 } });
      await run.runUntil('Hit any key to stop autoboot', 'serial');
      expect(run.serial).toMatch(/U-Boot 20\d\d\.\d\d/);
      expect(run.serial).toContain('DRAM:  128 MiB');
      expect(run.serial).toContain('Model: QEMU x86 (I440FX)');
    },
  );

  stockTest('gives a prompt on the serial port that takes commands', ['u-boot.rom'], async () => {
    using run = new MachineRun({ bootRom: stockFile('u-boot.rom'), display: { width: 1024, height: 768 } });
    await run.runUntil('Hit any key to stop autoboot', 'serial');
    run.machine.serialInput(new TextEncoder().encode('\r'));
    await run.runUntil('=> ', 'serial');
    run.machine.serialInput(new TextEncoder().encode('pci header 0.2.0\r'));
    await run.runUntil('expansion ROM', 'serial').catch(() => {});
    expect(run.serial).toMatch(/vendor ID = +0x1234/);
    expect(run.serial).toMatch(/base address 0 = +0x[0-9a-f]+8/);
  });
});

describe('stock U-Boot for 64-bit x86', () => {
  stockTest('goes over to 64 bits and gives a prompt that takes commands', ['u-boot-64.rom'], async () => {
    using run = new MachineRun({ bootRom: stockFile('u-boot-64.rom'), display: { width: 1024, height: 768 } });
    await run.runUntil('Hit any key to stop autoboot', 'serial');
    expect(run.serial).toMatch(/U-Boot SPL 20\d\d\.\d\d/);
    expect(run.serial).toContain('Jumping to 64-bit U-Boot');
    expect(run.serial).toContain('DRAM:  128 MiB');
    run.machine.serialInput(new TextEncoder().encode('\r'));
    await run.runUntil('=> ', 'serial');
    run.machine.serialInput(new TextEncoder().encode('mw.q 1000000 123456789abcdef0; md.q 1000000 1\r'));
    await run.runUntil('01000000: 123456789abcdef0', 'serial');
  });
});
