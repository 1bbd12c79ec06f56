import { expect } from 'vitest';
import { assemble, standstillBootRom } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;
const WORD = 0x6b73_6b73;

/** Linux has RAM up to here; what is behind is free for DMA. */
const LINUX_RAM = 192 * MiB;
const FILLED = 200 * MiB;
const COPIED = 208 * MiB;
const MAPPED = 216 * MiB;

/** Registers by name, and the shell's ways to write and read one through BAR 1. */
const INIT = `export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
cd /sys/bus/pci/devices/0000:00:03.0
echo 1 > enable
printf '\\007' | dd of=config bs=1 seek=4 conv=notrunc 2>/dev/null
le() { printf '\\\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
w() { printf "$(le $2)" | dd of=resource1 bs=4 seek=$(($1 / 4)) conv=notrunc 2>/dev/null; }
r() { dd if=resource1 bs=4 skip=$(($1 / 4)) count=1 2>/dev/null | hexdump -e '"%08x\\n"'; }
bar() { set -- $(head -n 1 $1/resource); echo $1; }
run() {
  w 0x04 $2
  while [ $(r 8) = 00000001 ]; do :; done
  echo "$1: $(r 0x08) moved $(r 0x30) fault $(r 0x28)"
  w 0x08 0xff
}
echo "vendor $(cat vendor) device $(cat device), $(r 0)"
w 0x20 0x10000; w 0x24 ${WORD}; w 0x18 ${FILLED}
run fill 2
w 0x10 ${FILLED}; w 0x18 ${COPIED}
run copy 1
w 0x20 8; w 0x24 0
w 0x10 ${COPIED}
run load 3
echo "buffer: $(devmem $(($(bar .) + 0x1000)) 32)"
w 0x18 0x20000000
run hole 2
w 0x18 $(bar ../0000:00:02.0)
run framebuffer 2
mapped
poweroff -f`;

/** A program for Linux that maps the file \`resource0\` and lets the engine fill memory, load a part of it, and show that. */
const MAPPED_PROGRAM = assemble(`
        org 0x400000
        bits 64
file:   db 0x7f, 'ELF', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dw 2, 62
        dd 1
        dq start, 64, 0
        dd 0
        dw 64, 56, 1, 64, 0, 0
        dd 1, 5
        dq 0, file, file, end - file, end - file, 4096

start:  mov eax, 2              ; open, for reading and writing
        mov rdi, path
        mov esi, 2
        xor edx, edx
        syscall
        test eax, eax
        js .end
        mov r8d, eax
        mov eax, 9              ; mmap: 8 KiB, to read and write, shared
        xor edi, edi
        mov esi, 0x2000
        mov edx, 3
        mov r10d, 1
        xor r9d, r9d
        syscall
        cmp rax, -4096
        ja .end
        mov rbx, rax
        mov dword [rbx + 0x18], ${MAPPED}
        mov dword [rbx + 0x20], 0x3000
        mov dword [rbx + 0x24], ${WORD}
        mov dword [rbx + 0x04], 2
        call wait
        mov dword [rbx + 0x10], ${MAPPED + 0x2ffc}
        mov dword [rbx + 0x20], 4
        mov dword [rbx + 0x24], 0x10
        mov dword [rbx + 0x04], 3
        call wait
        cmp dword [rbx + 0x1010], ${WORD}
        jne .end
        mov eax, 1              ; write
        mov edi, 1
        mov rsi, said
        mov edx, end - said
        syscall
.end:   mov eax, 60             ; exit
        xor edi, edi
        syscall

wait:   mov eax, [rbx + 0x08]
        test al, 1
        jnz wait
        mov [rbx + 0x08], eax
        ret
path:   db 'resource0', 0
said:   db 'mapped: as filled', 10
end:
`).bytes;

const SAID = [
  'vendor 0x1234 device 0x5ce9, 50454b53',
  'fill: 00000002 moved 00010000 fault 00000000',
  'copy: 00000002 moved 00010000 fault 00000000',
  'load: 00000002 moved 00000008 fault 00000000',
  'buffer: 0x6B736B73',
  'hole: 00000008 moved 00000000 fault 20000000',
  /^framebuffer: 00000008 moved 00000000 fault f?[0-9a-f]+000000$/,
  'mapped: as filled',
];

stockTest('Linux drives the DMA engine through its sysfs files', ['vmlinuz-amd64', 'busybox-amd64'], async () => {
  const initrd = { name: 'initrd', bytes: busyboxInitrd('busybox-amd64', INIT, { mapped: MAPPED_PROGRAM }) };
  const boot = {
    kernel: { name: 'vmlinuz-amd64', bytes: stockFile('vmlinuz-amd64') },
    modules: [initrd],
    commandLine: `console=ttyS0 quiet mem=${LINUX_RAM}`,
    seed: new Uint8Array(32),
  };
  using run = new MachineRun({
    bootRom: standstillBootRom(),
    memory: 256 * MiB,
    boot,
    display: { width: 640, height: 480 },
    wired: true,
    dmaEngine: { iommu: true },
  });
  expect(await run.run(100)).toBe('power-off');
  const lines = run.serial
    .split(/\r?\n/)
    .filter((line) => /^(vendor|fill|copy|load|buffer|hole|frame|mapped)/.test(line));
  expect(lines).toEqual(SAID.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))));
  const { memory } = run.machine;
  for (const [address, length] of [
    [FILLED, 0x1_0000],
    [COPIED, 0x1_0000],
    [MAPPED, 0x3000],
  ] as const) {
    const words = new Uint32Array(length / 4).fill(WORD);
    const bytes = memory.segment('ram')?.bytes.slice(address, address + length + 4) ?? new Uint8Array(0);
    expect(Buffer.compare(bytes, Buffer.concat([new Uint8Array(words.buffer), new Uint8Array(4)]))).toBe(0);
  }
  expect(memory.iommuDomain?.latestFaults()).toMatchObject([
    { device: 'dma-engine', gpa: 0x2000_0000, access: 'write', reason: 'unmapped' },
    { device: 'dma-engine', access: 'write', reason: 'unmapped' },
  ]);
});
