import { describe, expect } from 'vitest';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { screenText } from './screen-text.ts';
import { stockFile, stockTest, type StockFile } from './stock-guest.ts';

const MiB = 2 ** 20;
const OPTION_ROM = 'vgabios-bochs-display.bin';

interface Options {
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
}

function start(bios: StockFile, kernel: StockFile, { initrd, commandLine = '' }: Options = {}): MachineRun {
  return new MachineRun({
    bootRom: stockFile(bios),
    memory: 256 * MiB,
    display: { width: 1024, height: 768, optionRom: stockFile(OPTION_ROM) },
    firmwareConsole: 'serial',
    boot: {
      kernel: { name: kernel, bytes: stockFile(kernel) },
      modules: initrd === undefined ? [] : [{ name: 'initrd', bytes: initrd }],
      commandLine,
      startedBy: 'firmware',
    },
  });
}

const INIT = `/bin/busybox mount -t proc none /proc
/bin/busybox cat /proc/cmdline
echo done.
exec /bin/busybox sleep 1000`;

const type = ({ machine }: MachineRun, text: string): void => machine.serialInput(new TextEncoder().encode(text));

describe('stock SeaBIOS starts a kernel that it is given:', () => {
  stockTest(
    'iPXE, which gives a prompt on the serial port and on the display',
    ['bios-256k.bin', OPTION_ROM, 'ipxe.lkrn'],
    async () => {
      const script = '#!ipxe\necho the script of the initrd\nshell\n';
      using run = start('bios-256k.bin', 'ipxe.lkrn', {
        initrd: new TextEncoder().encode(script),
      });
      await run.runUntil('iPXE> ', 'serial');
      expect(run.serial).toContain('\nthe script of the initrd');
      expect(run.serial).toMatch(/iPXE 1\.\S+.* -- Open Source Network Boot Firmware/);
      // SeaBIOS's buffer takes fifteen keys.
      type(run, 'show platform\r');
      await run.runUntil('= pcbios', 'serial');
      const picture = run.machine.screenshot();
      if (picture === undefined) throw new Error('the display is off');
      expect(screenText(picture, stockFile(OPTION_ROM))).toMatch(
        /Booting from ROM[^]*Open Source Network Boot Firmware/,
      );
    },
  );

  stockTest(
    'Linux, with an initrd and a command line, from its real-mode code on',
    ['bios.bin', OPTION_ROM, 'vmlinuz-amd64', 'busybox-amd64'],
    async () => {
      const initrd = busyboxInitrd('busybox-amd64', INIT);
      using run = start('bios.bin', 'vmlinuz-amd64', { initrd, commandLine: 'console=ttyS0 word=found' });
      await run.runUntil('done.', 'serial', 120);
      expect(run.serial).toContain('Probing EDD');
      expect(run.serial).toContain('\nconsole=ttyS0 word=found');
      // The map is SeaBIOS's, and so is the place of the tables.
      expect(run.serial).toMatch(/ACPI: RSDP 0x0*F[0-9A-F]{4} /);
    },
  );
});
