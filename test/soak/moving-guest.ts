import { ENTER_FLAT, romOf } from '../boot-rom.ts';

/**
 * A guest that moves its framebuffer for ever. Its laps are numbered; in lap n it
 *
 *  1. moves the framebuffer to the next of four places, and looks that the old place is empty and the old bytes came along
 *  2. copies two words that other programs have left for it (`10000h` to `10004h`, `10008h` to `1000Ch`)
 *  3. stores n at `3000h`, 4 KiB of pattern across a page boundary at `3800h`, and n at `5000h`, in this order
 *
 * so that whoever finds the same number at `5000h` first and at `3000h` last knows what has to lie between: word i is
 * (n xor identity) + i * 01000193h. In RAM are the number of the last lap (`1000h`), how often something was wrong
 * (`1004h`) and the guest's identity (`1008h`). A reset goes on with the lap that it interrupts.
 */
export function movingGuest(identity: number): Uint8Array {
  return romOf(`${ENTER_FLAT}
        mov dword [0x1008], ${identity}
        mov ecx, 0x80001018
        mov ebx, 0xe8000000
        call config
        mov ecx, 0x80001010
        mov ebx, [places]
        call config
        mov dword [0x1010], 0
        mov ecx, 0x80001004
        mov ebx, 2
        call config
        mov word [0xe8000502], 640
        mov word [0xe8000504], 480
        mov word [0xe8000506], 32
        mov word [0xe8000508], 1

lap:    mov esi, [0x1000]
        inc esi
        mov eax, esi
        and eax, 3
        mov ebx, [places + eax * 4]
        mov edi, [0x1010]
        mov ecx, 0x80001010
        call config
        mov [0x1010], ebx
        cmp edi, 0
        je .moved
        cmp edi, ebx
        je .moved
        cmp dword [edi + 0x3000], 0xffffffff
        je .moved
        inc dword [0x1004]
.moved: mov eax, [ebx + 0x5000]
        cmp eax, esi
        je .came
        cmp eax, [0x1000]
        je .came
        inc dword [0x1004]
.came:  mov eax, [ebx + 0x10000]
        mov [ebx + 0x10004], eax
        mov eax, [ebx + 0x10008]
        mov [ebx + 0x1000c], eax
        mov [ebx + 0x3000], esi
        mov eax, esi
        xor eax, ${identity}
        mov ecx, 0
.fill:  mov [ebx + ecx * 4 + 0x3800], eax
        add eax, 0x01000193
        inc ecx
        cmp ecx, 1024
        jne .fill
        mov [ebx + 0x5000], esi
        mov [0x1000], esi
        mov dx, 0x3f8
        mov eax, esi
        out dx, al
        mov ecx, 20000
.dwell: dec ecx
        jnz .dwell
        jmp lap

config: mov dx, 0xcf8
        mov eax, ecx
        out dx, eax
        mov dx, 0xcfc
        mov eax, ebx
        out dx, eax
        ret

places: dd 0xe0000000, 0xc8000000, 0xd0000000, 0xf4000000
`);
}
