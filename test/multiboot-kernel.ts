import { assemble, standstillBootRom, type MachineConfig } from '../src/index.ts';
import { MachineRun } from './machine-run.ts';

/** Where every kernel here begins: multiboot enters it in flat segments of 32 bits. */
const HEAD = `
STACK   equ 0x108000

        org 0x100000
        bits 32
header: dd 0x1badb002, 0x10003, 0xe4514ffb
        dd header, header, 0, STACK, start
start:  mov esp, STACK
        jmp main
`;

/** A kernel that goes on at `main` of this source, with a stack below 108000h. */
function multibootKernel(source: string): Uint8Array {
  return assemble(HEAD + source).bytes;
}

/** A machine without firmware that starts such a kernel. */
export function runKernel(source: string, config: Partial<MachineConfig> = {}): MachineRun {
  const boot = { kernel: { name: 'kernel', bytes: multibootKernel(source) }, modules: [], commandLine: '' };
  return new MachineRun({ bootRom: standstillBootRom(), boot, debugExit: 0xf4, ...config });
}

/**
 * A kernel that says what it was given: its command line, the text of its modules, and how much memory lies above
 * 1 MiB. Then it writes to the exit device at port F4h what its command line ends with, in octal, or waits for keys and
 * echoes them when that is no digit.
 */
export const MULTIBOOT_KERNEL: Uint8Array = multibootKernel(`
main:   cmp eax, 0x2badb002
        jne fail
        mov esi, [ebx + 16]
        call print
        mov ebp, esi
        mov ecx, [ebx + 20]
        mov edi, [ebx + 24]
.next:  jecxz .done
        mov esi, [edi]
.byte:  cmp esi, [edi + 4]
        je .end
        mov al, [esi]
        call put
        inc esi
        jmp .byte
.end:   mov al, 10
        call put
        add edi, 16
        dec ecx
        jmp .next
.done:  mov al, [ebp - 2]
        sub al, '0'
        cmp al, 8
        jae echo
        out 0xf4, al
fail:   mov al, 0x7f
        out 0xf4, al
        jmp fail

echo:   mov dx, 0x3fd
        in al, dx
        test al, 1
        jz echo
        mov dx, 0x3f8
        in al, dx
        out dx, al
        cmp al, 'q'
        jne echo
        mov al, 0
        out 0xf4, al

print:  lodsb
        test al, al
        jz .end
        call put
        jmp print
.end:   mov al, 10

put:    push edx
        mov dx, 0x3f8
        out dx, al
        pop edx
        ret
`);
