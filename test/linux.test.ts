import { describe, expect } from 'vitest';
import { standstillBootRom } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { nightlyTest, stockFile, stockTest, type StockFile } from './stock-guest.ts';

const MiB = 2 ** 20;

const INIT = `export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
exec setsid cttyhack sh -i`;

function start(kernel: StockFile, busybox: StockFile): MachineRun {
  const initrd = { name: 'initrd', bytes: busyboxInitrd(busybox, INIT) };
  const boot = {
    kernel: { name: kernel, bytes: stockFile(kernel) },
    modules: [initrd],
    commandLine: 'console=ttyS0',
    seed: new Uint8Array(32),
  };
  return new MachineRun({ bootRom: standstillBootRom(), memory: 256 * MiB, boot });
}

const type = ({ machine }: MachineRun, text: string): void => machine.serialInput(new TextEncoder().encode(text));

/** What the kernel has no reason to complain of. */
const COMPLAINT =
  /(tsc|apic|acpi|x87|fpu|timer|clocksource|irq)\b.*(warn|error|fail|unstable|unable|bug|invalid|spurious)/i;
/** Said on every PC of this chipset: its functions have 256 bytes of configuration space, and a hint how to complain. */
const HARMLESS = /fail to add MMCONFIG|use "pci=nocrs"/;

describe.each<[string, StockFile, StockFile, string, number, typeof stockTest]>([
  ['amd64 clouds', 'vmlinuz-amd64', 'busybox-amd64', 'x86_64', 60, stockTest],
  ['686', 'vmlinuz-686', 'busybox-i386', 'i686', 120, stockTest],
  ['amd64', 'vmlinuz-full-amd64', 'busybox-amd64', 'x86_64', 120, nightlyTest],
  ['686 with PAE', 'vmlinuz-686-pae', 'busybox-i386', 'i686', 120, nightlyTest],
])("Debian's kernel for %s", (_name, kernel, busybox, machine, limit, guestTest) => {
  guestTest('gives a shell, runs commands and powers off', [kernel, busybox], async () => {
    using run = start(kernel, busybox);
    await run.runUntil('/ # ', 'serial', limit);
    type(run, 'uname -m; cat /proc/iomem; echo $((6*7)).\n');
    await run.runUntil('\n42.', 'serial', limit);
    expect(run.serial).toMatch(new RegExp(`\\n${machine}\\r`));
    for (const range of [
      '00100000-0fffefff : System RAM',
      '0ffff000-0fffffff : ACPI Non-volatile Storage',
      '10000000-febfffff : PCI Bus 0000:00',
      'fec00000-fec003ff : IOAPIC 0',
      'fed00000-fed003ff : HPET 0',
      'fee00000-fee00fff : Local APIC',
    ]) {
      expect(run.serial).toContain(range);
    }
    const complaints = run.serial.split('\n').filter((line) => COMPLAINT.test(line) && !HARMLESS.test(line));
    expect(complaints).toEqual([]);
    type(run, 'poweroff -f\n');
    expect(await run.run(limit)).toBe('power-off');
  });

  guestTest('starts again when it reboots', [kernel, busybox], async () => {
    using run = start(kernel, busybox);
    await run.runUntil('/ # ', 'serial', limit);
    type(run, 'reboot -f\n');
    await run.runUntil('reboot: Restarting system', 'serial', limit);
    await run.runUntil('Linux version', 'serial', limit);
    expect(run.serial.match(/Linux version/g)).toHaveLength(2);
  });
});
