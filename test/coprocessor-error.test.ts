import { expect, test } from 'vitest';
import { runKernel } from './multiboot-kernel.ts';

/**
 * Divides by zero with CR0.NE clear, as programs did before processors had interrupt 16: says `a`, and `b` when the next
 * x87 instruction is over. The handler of interrupt 13 says `I`, and uses the x87 once it has written to port F0h.
 */
const kernel = (flags: 'sti' | 'cli'): string => `
TABLE   equ 0x102000

main:   mov eax, error
        mov edi, TABLE + 8 * 0x2d
        mov [edi], ax
        mov word [edi + 2], 0x10
        mov word [edi + 4], 0x8e00
        shr eax, 16
        mov [edi + 6], ax
        lidt [pointer]
        mov esi, setup
.next:  mov dx, [esi]
        mov al, [esi + 2]
        out dx, al
        add esi, 3
        cmp esi, setup_end
        jb .next
        ${flags}

        mov ecx, 2
again:  fninit
        fldcw word [control]
        fld1
        fldz
        fdivp st1, st0
        mov al, 'a'
        call say
        fld1
        mov al, 'b'
        call say
        loop again
        mov al, 0
        out 0xf4, al

say:    mov dx, 0x3f8
        out dx, al
        ret

error:  push eax
        push edx
        mov al, 'I'
        call say
        out 0xf0, al
        fldz
        wait
        fnclex
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop edx
        pop eax
        iretd

control: dw 0x37b
pointer: dw 0x7ff
        dd TABLE
; Both interrupt controllers at 20h, all but interrupts 2 and 13 masked.
setup:  dw 0x20
        db 0x11
        dw 0xa0
        db 0x11
        dw 0x21
        db 0x20
        dw 0xa1
        db 0x28
        dw 0x21
        db 4
        dw 0xa1
        db 2
        dw 0x21
        db 1
        dw 0xa1
        db 1
        dw 0x21
        db 0xfb
        dw 0xa1
        db 0xdf
setup_end:
`;

test('an x87 error with CR0.NE clear comes as interrupt 13, before the next x87 instruction', async () => {
  using run = runKernel(kernel('sti'));
  expect([await run.run(1), run.serial]).toEqual(['debug-exit', 'aIbaIb']);
});

test('where nobody takes the interrupt the processor waits in front of that instruction', async () => {
  using run = runKernel(kernel('cli'));
  expect([await run.run(0.01), run.serial]).toEqual(['time-limit', 'a']);
});
