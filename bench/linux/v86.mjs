// @ts-check
// The npm package `v86` as a program: boots Linux, the serial port on standard output, until the guest stops or is ended.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    memory: { type: 'string', default: '128' },
    kernel: { type: 'string', default: '' },
    initrd: { type: 'string', default: '' },
    append: { type: 'string', default: '' },
    'no-jit': { type: 'boolean', default: false },
  },
});
const BIOS = 'guests/seabios/usr/share/seabios';
const build = dirname(createRequire(import.meta.url).resolve('v86'));
const { V86 } = await import(join(build, 'libv86.mjs'));
/** @param {string} path */
const file = (path) => ({ buffer: new Uint8Array(readFileSync(path)).buffer });
const emulator = new V86({
  wasm_path: join(build, 'v86.wasm'),
  bios: file(join(BIOS, 'bios.bin')),
  vga_bios: file(join(BIOS, 'vgabios-stdvga.bin')),
  memory_size: Number(options.memory) * 2 ** 20,
  bzimage: file(options.kernel),
  initrd: file(options.initrd),
  cmdline: options.append,
  disable_jit: options['no-jit'],
  disable_speaker: true,
  fastboot: true,
  autostart: true,
});
emulator.add_listener('serial0-output-byte', (/** @type {number} */ byte) => {
  process.stdout.write(Buffer.of(byte));
});
