import { expect, test } from 'vitest';
import { runKernel } from './multiboot-kernel.ts';

/**
 * Uses every interrupt controller but the 8259s, and says a letter for each source that has interrupted it as often as it
 * should: local APIC's timer, itself, HPET by level through the I/O APIC, interval timer by edge through the I/O APIC,
 * HPET in the interval timer's place.
 */
const KERNEL = `
LOCAL   equ 0xfee00000
IO      equ 0xfec00000
HPET    equ 0xfed00000
TABLE   equ 0x102000
COUNTS  equ 0x103000

main:   mov eax, timer
        mov edi, TABLE + 8 * 0x40
        call gate
        mov eax, other
        mov edi, TABLE + 8 * 0x50
        call gate
        mov eax, level
        mov edi, TABLE + 8 * 0x60
        call gate
        lidt [pointer]
        mov dword [LOCAL + 0xf0], 0x1ff
        sti

        mov dword [LOCAL + 0x3e0], 0xb
        mov dword [LOCAL + 0x320], 0x20040
        mov dword [LOCAL + 0x380], 50000
        mov ecx, 5
        call wait
        mov dword [LOCAL + 0x380], 0
        mov al, 'T'
        call say

        mov dword [LOCAL + 0x300], 0x40050
        mov ecx, 1
        call wait
        mov al, 'S'
        call say

        mov ebx, 0x10 + 2 * 20
        mov eax, 0x8060
        call route
        mov dword [HPET + 0x100], 0x14e + (20 << 9)
        mov dword [HPET + 0x108], 1000
        mov dword [HPET + 0x108], 2000
        mov dword [HPET + 0x10], 1
        mov ecx, 4
        call wait
        mov dword [HPET + 0x10], 0
        mov al, 'H'
        call say

        mov ebx, 0x10 + 2 * 2
        mov eax, 0x50
        call route
        mov al, 0x34
        out 0x43, al
        mov al, 100
        out 0x40, al
        mov al, 0
        out 0x40, al
        mov ecx, 3
        call wait
        mov al, 'P'
        call say

        mov dword [HPET + 0xf0], 0
        mov dword [HPET + 0x100], 0x14c
        mov dword [HPET + 0x108], 3000
        mov dword [HPET + 0x108], 1000000
        mov dword [HPET + 0x10], 3
        mov dword [COUNTS], 0
        mov ecx, 1
        call wait
        mov al, 'L'
        call say
        mov al, 0
        out 0xf4, al

; Waits until there have been ECX interrupts since the last wait.
wait:   cli
        cmp [COUNTS], ecx
        jae .done
        sti
        hlt
        jmp wait
.done:  mov dword [COUNTS], 0
        sti
        ret

; Writes EAX to register EBX of the I/O APIC.
route:  mov [IO], ebx
        mov [IO + 0x10], eax
        ret

say:    mov dx, 0x3f8
        out dx, al
        ret

; An interrupt gate at EDI for EAX.
gate:   mov [edi], ax
        mov word [edi + 2], 0x10
        mov word [edi + 4], 0x8e00
        shr eax, 16
        mov [edi + 6], ax
        ret

level:  mov dword [HPET + 0x20], 1
timer:
other:  inc dword [COUNTS]
        mov dword [LOCAL + 0xb0], 0
        iretd

pointer: dw 0x7ff
        dd TABLE
`;

test('a guest that programs local APIC, I/O APIC and HPET gets its interrupts from each', async () => {
  using run = runKernel(KERNEL);
  expect([await run.run(1), run.serial]).toEqual(['debug-exit', 'TSHPL']);
  // 5 x 50 us, 10 + 3 x 20 us, 2 x 83.8 us after the edge with which mode 2 begins, 30 us; and the instructions between.
  expect(run.machine.now()).toBeGreaterThan(517_000);
  expect(run.machine.now()).toBeLessThan(530_000);
});

/** Says whether CPUID tells of a local APIC before and after it is switched off in IA32_APIC_BASE. */
const SWITCH_KERNEL = `
main:   call tell
        mov ecx, 0x1b
        rdmsr
        and eax, 0xfffff7ff
        wrmsr
        call tell
        mov al, 0
        out 0xf4, al
tell:   mov eax, 1
        cpuid
        shr edx, 9
        and dl, 1
        mov al, '0'
        add al, dl
        mov dx, 0x3f8
        out dx, al
        ret
`;

test('CPUID tells of a local APIC as long as it is switched on', async () => {
  using run = runKernel(SWITCH_KERNEL);
  expect([await run.run(1), run.serial]).toEqual(['debug-exit', '10']);
});
