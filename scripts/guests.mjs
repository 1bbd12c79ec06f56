// Downloads stock guests from Debian's packages and unpacks them into guests/, without root and without installing them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Package, and a file of it that shows that it is there. */
const GUESTS = [
  { name: 'seabios', witness: 'usr/share/seabios/bios-256k.bin' },
  { name: 'u-boot-qemu', witness: 'usr/lib/u-boot/qemu-x86/u-boot.rom' },
];

const root = resolve('guests');

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error?.code === 'ENOENT') fail(`'${command}' is not installed; stock guests need a Debian system or one like it`);
  if (status !== 0) fail(`'${command} ${args.join(' ')}' ended with status ${status}`);
}

function fail(sentence) {
  console.error(`guests: ${sentence}`);
  process.exit(1);
}

for (const { name, witness } of GUESTS) {
  const target = join(root, name);
  if (existsSync(join(target, witness))) {
    console.log(`${name}: here`);
    continue;
  }
  const work = mkdtempSync(join(tmpdir(), 'skep-guests-'));
  try {
    // `apt-get download` cannot drop to its unprivileged user in a private folder, and needs not.
    run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', '-qq', name], work);
    const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
    if (archive === undefined) fail(`apt-get downloaded no package for ${name}`);
    run('dpkg-deb', ['-x', archive, 'unpacked'], work);
    mkdirSync(root, { recursive: true });
    rmSync(target, { recursive: true, force: true });
    run('cp', ['-a', join(work, 'unpacked'), target], work);
    if (!existsSync(join(target, witness))) fail(`the package ${name} has no file ${witness}`);
    console.log(`${name}: downloaded`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
