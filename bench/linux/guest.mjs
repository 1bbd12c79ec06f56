// @ts-check
// The guest of the bench: Debian's kernel, and an initrd with Busybox, a text to compress and a program that copies.
// It says on its serial port when each load begins and ends.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '../../dist/cpu/index.js';

/** @typedef {'amd64' | '686'} Architecture */

/** @type {Record<Architecture, { kernel: string, busybox: string, bits: 32 | 64 }>} */
const FILES = {
  amd64: {
    kernel: 'guests/linux-image-cloud-amd64/vmlinuz',
    busybox: 'guests/busybox-static/bin/busybox',
    bits: 64,
  },
  686: { kernel: 'guests/linux-image-686/vmlinuz', busybox: 'guests/busybox-static-i386/bin/busybox', bits: 32 },
};

/**
 * What the guest does at scale 1; at scale 10, a tenth of it. The shell's arithmetic does without fork and exec.
 * @type {Record<string, { name: string, command: string }>}
 */
export const LOADS = {
  sha256: { name: 'sha256sum of 64 MiB of zeros', command: 'head -c $((67108864 / SCALE)) /dev/zero | sha256sum' },
  shell: {
    name: 'shell loop, 200,000 times',
    command: 'i=0; while [ $i -lt $((200000 / SCALE)) ]; do i=$((i + 1)); done',
  },
  gzip: { name: 'gzip of 5.6 MiB', command: 'head -c $((5872026 / SCALE)) /text | gzip > /dev/null' },
  copy: { name: 'copy of 500 MB by rep movs', command: '/bin/copy' },
};

/** Of boot, and of each load: what the guest says before and after it. */
export const SHELL = 'bench: userspace';
/** @param {string} load */
export const beginOf = (load) => `bench: ${load} begins`;
/** @param {string} load */
export const endOf = (load) => `bench: ${load} ends`;

const INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
${Object.entries(LOADS)
  .map(([load, { command }]) => `do_${load}() { ${command}; }`)
  .join('\n')}
echo ${SHELL}
for load in $(echo $LOADS | tr , ' '); do
  echo "bench: $load begins"
  do_$load
  echo "bench: $load ends"
done
poweroff -f
`;

/** A block of 4 MB, copied so often. */
const COPIED = 4_000_000;
const COPIES = 125;

/** An ELF file with one segment: header, program and, behind what is in the file, two blocks of memory. */
const PROGRAM = {
  64: `
        bits 64
        org 0x400000
        dd 0x464c457f, 0x00010102, 0, 0
        dw 2, 62
        dd 1
        dq start, 64, 0
        dd 0
        dw 64, 56, 1, 0, 0, 0
        dd 1, 7
        dq 0, 0x400000, 0x400000, file_end - $$, 0x800000, 0x1000
start:  mov ebx, ${COPIES}
again:  mov esi, 0x401000
        mov edi, 0x401000 + ${COPIED}
        mov ecx, ${COPIED / 8}
        rep movsq
        dec ebx
        jnz again
        mov eax, 60
        xor edi, edi
        syscall
file_end:`,
  32: `
        bits 32
        org 0x400000
        dd 0x464c457f, 0x00010101, 0, 0
        dw 2, 3
        dd 1, start, 52, 0, 0
        dw 52, 32, 1, 0, 0, 0
        dd 1, 0, 0x400000, 0x400000, file_end - $$, 0x800000, 7, 0x1000
start:  mov ebx, ${COPIES}
again:  mov esi, 0x401000
        mov edi, 0x401000 + ${COPIED}
        mov ecx, ${COPIED / 4}
        rep movsd
        dec ebx
        jnz again
        mov eax, 1
        xor ebx, ebx
        int 0x80
file_end:`,
};

/** Lines of words whose frequencies are about those of a language: always the same ones. */
function text() {
  const words = Array.from({ length: 4096 }, (_, index) => ((index * 2654435761) >>> 8).toString(36));
  const bytes = Buffer.alloc(5_872_026);
  let state = 1;
  for (let at = 0; at < bytes.length;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const rank = Math.floor(4096 ** (state / 2 ** 32));
    at += bytes.write(`${words[rank]}${state % 11 === 0 ? '\n' : ' '}`, at, 'latin1');
  }
  return bytes;
}

/** @typedef {{ name: string, mode: number, bytes?: Uint8Array, device?: [number, number] }} Entry */

/** @param {Uint8Array} bytes */
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

/** As `cpio -H newc` writes it (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). @param {Entry[]} entries */
function archive(entries) {
  const records = [...entries, { name: 'TRAILER!!!', mode: 0 }].flatMap(
    (/** @type {Entry} */ { name, mode, bytes = Buffer.alloc(0), device = [0, 0] }, index) => {
      const numbers = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, name.length + 1, 0];
      const head = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}${name}\0`;
      return [padded(Buffer.from(head)), padded(bytes)];
    },
  );
  return Buffer.concat(records);
}

/** @param {Architecture} architecture */
function initrd(architecture) {
  const { busybox, bits } = FILES[architecture];
  const executable = 0o100755;
  return archive([
    ...['bin', 'dev', 'proc'].map((name) => ({ name, mode: 0o040755 })),
    { name: 'dev/console', mode: 0o020600, device: [5, 1] },
    { name: 'dev/zero', mode: 0o020666, device: [1, 5] },
    { name: 'dev/null', mode: 0o020666, device: [1, 3] },
    { name: 'bin/busybox', mode: executable, bytes: readFileSync(busybox) },
    { name: 'bin/copy', mode: executable, bytes: assemble(PROGRAM[bits]).bytes },
    { name: 'init', mode: executable, bytes: Buffer.from(INIT) },
    { name: 'text', mode: 0o100644, bytes: text() },
  ]);
}

/** Where a ROM is executed first, says a character on the serial port and stops for ever. */
const FIRST_WORD = `
        org 0
        bits 16
        times 0xfff0 - ($ - $$) db 0x90
        mov dx, 0x3f8
        mov al, '!'
        out dx, al
        hlt
        times 0x10000 - ($ - $$) db 0x90`;

/** The files of the guests, in a folder that goes with the object. */
export class GuestFiles {
  #folder = mkdtempSync(join(tmpdir(), 'skep-bench-'));

  /** A boot ROM that says '!' by its first instructions. */
  firstWordRom() {
    return this.#file('first-word.rom', () => assemble(FIRST_WORD).bytes);
  }

  /**
   * @param {Architecture} architecture
   * @param {{ loads: readonly string[], scale: number }} work
   */
  linux(architecture, { loads, scale }) {
    const { kernel } = FILES[architecture];
    return {
      kernel,
      initrd: this.#file(`initrd-${architecture}`, () => initrd(architecture)),
      append: `console=ttyS0 LOADS=${loads.join(',')} SCALE=${scale}`,
    };
  }

  /** @param {string} name @param {() => Uint8Array} make */
  #file(name, make) {
    const path = join(this.#folder, name);
    if (!existsSync(path)) writeFileSync(path, make());
    return path;
  }

  dispose() {
    rmSync(this.#folder, { recursive: true });
  }
}

/** The kernels and Busybox that are not there. */
export const missingFiles = () =>
  Object.values(FILES)
    .flatMap(({ kernel, busybox }) => [kernel, busybox])
    .filter((file) => !existsSync(file));
