import { expect } from 'vitest';
import { standstillBootRom } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;

/** Linux has the lower part of RAM; the rest is free for DMA. */
const LINUX_RAM = 192;

const INIT = `export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
cd /sys/bus/pci/devices/0000:00:03.0
cat vendor device class
echo 1 > enable
printf '\\007' | dd of=config bs=1 seek=4 conv=notrunc 2>/dev/null
w() { printf "$2" | dd of=resource1 bs=4 seek=$(($1 / 4)) conv=notrunc 2>/dev/null; }
r() { dd if=resource1 bs=4 skip=$(($1 / 4)) count=1 2>/dev/null | hexdump -e '"%08x\\n"'; }
cat resource | head -2
r 0
cat /proc/interrupts
echo END
poweroff -f`;

stockTest('Linux drives the DMA engine through its sysfs files', ['vmlinuz-amd64', 'busybox-amd64'], async () => {
  const initrd = { name: 'initrd', bytes: busyboxInitrd('busybox-amd64', INIT) };
  const boot = {
    kernel: { name: 'vmlinuz-amd64', bytes: stockFile('vmlinuz-amd64') },
    modules: [initrd],
    commandLine: `console=ttyS0 quiet mem=${LINUX_RAM}M`,
    seed: new Uint8Array(32),
  };
  using run = new MachineRun({
    bootRom: standstillBootRom(),
    memory: 256 * MiB,
    boot,
    wired: true,
    dmaEngine: { iommu: true },
  });
  expect(await run.run(100)).toBe('power-off');
  console.log(run.serial);
});
