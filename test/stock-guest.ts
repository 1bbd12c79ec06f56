import { existsSync, readFileSync } from 'node:fs';
import { test } from 'vitest';
import { IS_NIGHT } from './night.ts';

const INSTALLER =
  'guests/debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';

/** Files of Debian's packages that whole-guest tests run, as `npm run guests` lays them down. */
const FILES = {
  'bios-256k.bin': 'guests/seabios/usr/share/seabios/bios-256k.bin',
  'bios.bin': 'guests/seabios/usr/share/seabios/bios.bin',
  'vgabios-bochs-display.bin': 'guests/seabios/usr/share/seabios/vgabios-bochs-display.bin',
  'OVMF_CODE_4M.fd': 'guests/ovmf/usr/share/OVMF/OVMF_CODE_4M.fd',
  'OVMF_VARS_4M.fd': 'guests/ovmf/usr/share/OVMF/OVMF_VARS_4M.fd',
  'u-boot.rom': 'guests/u-boot-qemu/usr/lib/u-boot/qemu-x86/u-boot.rom',
  'u-boot-64.rom': 'guests/u-boot-qemu/usr/lib/u-boot/qemu-x86_64/u-boot.rom',
  'vmlinuz-amd64': 'guests/linux-image-cloud-amd64/vmlinuz',
  'vmlinuz-686': 'guests/linux-image-686/vmlinuz',
  'busybox-amd64': 'guests/busybox-static/bin/busybox',
  'busybox-i386': 'guests/busybox-static-i386/bin/busybox',
  'memtest-x64': 'guests/memtest86+/boot/memtest86+x64.bin',
  'memtest-ia32': 'guests/memtest86+/boot/memtest86+ia32.bin',
  'ipxe.lkrn': 'guests/ipxe/boot/ipxe.lkrn',
  'xen.gz': 'guests/xen/boot/xen-4.17-amd64.gz',
  'vmlinuz-full-amd64': 'guests/linux-image-amd64/vmlinuz',
  'vmlinuz-686-pae': 'guests/linux-image-686-pae/vmlinuz',
  'installer-linux': `${INSTALLER}/linux`,
  'installer-initrd': `${INSTALLER}/initrd.gz`,
} as const;

export type StockFile = keyof typeof FILES;

export function stockFile(name: StockFile): Uint8Array {
  return new Uint8Array(readFileSync(FILES[name]));
}

export const stockPath = (name: StockFile): string => FILES[name];

/** Set in continuous integration: what is missing is a failure there. */
const NOTHING_MAY_BE_SKIPPED = process.env.SKEP_TEST_EVERYTHING === '1';

/** A test that needs stock guests. Where they are not, its name says so and says how to get them. */
export function stockTest(
  name: string,
  needs: readonly StockFile[],
  body: () => void | Promise<void>,
  timeout?: number,
): void {
  testUnless(missingFiles(needs), name, body, timeout);
}

const NIGHT = 3_600_000;

/** A test of stock guests that takes minutes: `npm run nightly` runs it, and its name says so. */
export function nightlyTest(name: string, needs: readonly StockFile[], body: () => void | Promise<void>): void {
  if (IS_NIGHT) testUnless(missingFiles(needs, 'npm run guests -- --nightly'), name, body, NIGHT);
  else test.skip(`${name} [nightly: 'npm run nightly' runs it]`, body);
}

/** A test that needs a program of the host, and perhaps stock guests for it. */
export function programTest(
  name: string,
  program: string,
  debianPackage: string,
  body: () => Promise<void>,
  needs: readonly StockFile[] = [],
): void {
  const isThere = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${program}`));
  const missing = isThere ? [] : [`no ${program}; 'apt-get install ${debianPackage}' brings it`];
  testUnless([...missing, ...missingFiles(needs)], name, body);
}

function missingFiles(needs: readonly StockFile[], command = 'npm run guests'): string[] {
  const missing = needs.filter((file) => !existsSync(FILES[file]));
  return missing.length === 0 ? [] : [`no ${missing.join(', ')}; '${command}' downloads it`];
}

function testUnless(
  missing: readonly string[],
  name: string,
  body: () => void | Promise<void>,
  timeout?: number,
): void {
  if (missing.length === 0 || NOTHING_MAY_BE_SKIPPED) test(name, body, timeout);
  else test.skip(`${name} [skipped: ${missing.join(', ')}]`, body);
}
