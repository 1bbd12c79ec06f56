// Downloads stock guests from Debian's packages and unpacks them into guests/, without root and without installing them.
// With --nightly also those that only the nightly tests run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Packages, the folder when it is not named for the package, a file that shows that it is there, and what of it is left
 * out. A kernel's package is the one that `depends` on the name leads to, its image becomes `vmlinuz`, and its modules
 * are left out.
 */
const GUESTS = [
  { name: 'seabios', witness: 'usr/share/seabios/bios-256k.bin' },
  { name: 'u-boot-qemu', witness: 'usr/lib/u-boot/qemu-x86/u-boot.rom' },
  { name: 'linux-image-cloud-amd64', witness: 'vmlinuz', kernel: true },
  { name: 'linux-image-686', witness: 'vmlinuz', kernel: true, architecture: 'i386' },
  { name: 'busybox-static', witness: 'bin/busybox' },
  { name: 'busybox-static', folder: 'busybox-static-i386', witness: 'bin/busybox', architecture: 'i386' },
  { name: 'memtest86+', witness: 'boot/memtest86+x64.bin' },
  { name: 'ovmf', witness: 'usr/share/OVMF/OVMF_CODE_4M.fd' },
  { name: 'ipxe', witness: 'boot/ipxe.lkrn' },
  { name: 'xen-hypervisor-4.17-amd64', folder: 'xen', witness: 'boot/xen-4.17-amd64.gz' },
];

const INSTALLER = 'usr/lib/debian-installer/images/12/amd64';

const NIGHTLY_GUESTS = [
  { name: 'linux-image-amd64', witness: 'vmlinuz', kernel: true },
  { name: 'linux-image-686-pae', witness: 'vmlinuz', kernel: true, architecture: 'i386' },
  {
    name: 'debian-installer-12-netboot-amd64',
    witness: `${INSTALLER}/text/debian-installer/amd64/linux`,
    leaveOut: [`${INSTALLER}/gtk`],
  },
];

const root = resolve('guests');

function run(command, args, { cwd = process.cwd(), output = 'inherit', mayFail = false } = {}) {
  const { status, error, stdout } = spawnSync(command, args, { cwd, stdio: ['ignore', output, 'inherit'] });
  if (error?.code === 'ENOENT') fail(`'${command}' is not installed; stock guests need a Debian system or one like it`);
  if (status !== 0 && !mayFail) fail(`'${command} ${args.join(' ')}' ended with status ${status}`);
  return stdout?.toString() ?? '';
}

function fail(sentence) {
  console.error(`guests: ${sentence}`);
  process.exit(1);
}

/**
 * Options that make APT believe in another architecture: its own package lists in a private folder, so that the
 * system's list of architectures, its lists and its cache stay as they are.
 */
function foreignOptions(architecture, work) {
  const state = join(work, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, folder), { recursive: true });
  const debian = '/etc/apt/sources.list.d/debian.sources';
  const sources = existsSync(debian) ? [`Dir::Etc::SourceList=${debian}`, 'Dir::Etc::SourceParts=-'] : [];
  return [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State=${state}`,
    `Dir::State::Lists=${join(state, 'lists')}`,
    `Dir::State::Status=/dev/null`,
    `Dir::Cache=${join(state, 'cache')}`,
    ...sources,
  ].flatMap((option) => ['-o', option]);
}

/** Unpacks the newest package of a name; where it is a name for the newest kernel, that kernel. */
function unpack({ name, kernel, architecture }, work) {
  const apt = ['-o', 'APT::Sandbox::User=root'];
  if (architecture !== undefined) {
    apt.push(...foreignOptions(architecture, work));
    // One list of several that does not come (a mirror in the middle of an update) leaves those that do.
    run('apt-get', [...apt, '-qq', 'update'], { cwd: work, mayFail: true });
  }
  const wanted = kernel === true ? kernelPackage(name, apt) : name;
  // `apt-get download` cannot drop to its unprivileged user in a private folder, and needs not.
  run('apt-get', [...apt, '-qq', 'download', wanted], { cwd: work });
  const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
  if (archive === undefined) fail(`apt-get downloaded no package for ${name}`);
  run('dpkg-deb', ['-x', archive, 'unpacked'], { cwd: work });
  return join(work, 'unpacked');
}

function kernelPackage(name, apt) {
  const text = run('apt-cache', [...apt, 'show', '--no-all-versions', name], { output: 'pipe' });
  const found = /^Depends:.*?\b(linux-image-[^\s,]+)/m.exec(text)?.[1];
  return found ?? fail(`the package ${name} names no kernel`);
}

const KERNEL_LEAVES_OUT = ['lib', 'usr'];

/** Gives a kernel's image a name without a version. */
function nameKernel(unpacked) {
  const image = readdirSync(join(unpacked, 'boot')).find((file) => file.startsWith('vmlinuz-'));
  if (image === undefined || readFileSync(join(unpacked, 'boot', image)).length === 0)
    fail('the package has no kernel');
  run('ln', ['-s', `boot/${image}`, join(unpacked, 'vmlinuz')]);
}

const wanted = process.argv.includes('--nightly') ? [...GUESTS, ...NIGHTLY_GUESTS] : GUESTS;

for (const guest of wanted) {
  const { name, folder = name, witness, kernel, leaveOut = kernel === true ? KERNEL_LEAVES_OUT : [] } = guest;
  const target = join(root, folder);
  if (existsSync(join(target, witness))) {
    console.log(`${folder}: here`);
    continue;
  }
  const work = mkdtempSync(join(tmpdir(), 'skep-guests-'));
  try {
    const unpacked = unpack(guest, work);
    for (const part of leaveOut) rmSync(join(unpacked, part), { recursive: true, force: true });
    if (kernel === true) nameKernel(unpacked);
    mkdirSync(root, { recursive: true });
    rmSync(target, { recursive: true, force: true });
    run('cp', ['-a', unpacked, target]);
    if (!existsSync(join(target, witness))) fail(`the package ${name} has no file ${witness}`);
    console.log(`${folder}: downloaded`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
