import { gunzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { standstillBootRom, type MachineConfig } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { nightlyTest, stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;

/** Xen is told to leave the BIOS alone, which is not there. */
const OPTIONS = 'com1=115200,8n1 console=com1 noreboot no-real-mode';
/** A processor without machine checks is unknown to Xen, where Linux asks it about them. */
const LINUX = 'linux console=hvc0 initcall_blacklist=xen_late_init_mcelog';

type Modules = NonNullable<MachineConfig['boot']>['modules'];

function start(modules: Modules): MachineRun {
  const kernel = { name: 'xen', bytes: new Uint8Array(gunzipSync(stockFile('xen.gz'))) };
  const boot = { kernel, modules, commandLine: OPTIONS };
  return new MachineRun({ bootRom: standstillBootRom(), memory: 512 * MiB, boot });
}

describe("Debian's Xen, a multiboot kernel", () => {
  stockTest('is started by multiboot, and misses its first domain', ['xen.gz'], async () => {
    using run = start([]);
    expect(run.machine.bootProtocol).toBe('multiboot 1');
    await run.runUntil('dom0 kernel not specified', 'serial');
    expect(run.serial).toContain('Bootloader: skep');
    expect(run.serial).toContain(`Command line: ${OPTIONS}`);
  });

  nightlyTest(
    'runs Linux, its second module an initrd, as its first domain',
    ['xen.gz', 'vmlinuz-full-amd64', 'busybox-amd64'],
    async () => {
      const init = '/bin/busybox uname -m\n/bin/busybox echo done.\nexec /bin/busybox sleep 1000';
      using run = start([
        { name: LINUX, bytes: stockFile('vmlinuz-full-amd64') },
        { name: 'initrd', bytes: busyboxInitrd('busybox-amd64', init) },
      ]);
      await run.runUntil('done.', 'serial', 120);
      expect(run.serial).toContain('Booting kernel on Xen');
      expect(run.serial).toMatch(/^x86_64$/m);
    },
  );
});
