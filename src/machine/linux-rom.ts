import { assemble } from '../cpu/index.ts';
import { FW_CFG_ITEM } from '../devices/fw-cfg.ts';
import { HEADER, HEAP_SLACK } from './loaders/linux-header.ts';

/**
 * An option ROM that a BIOS boots from (Plug and Play BIOS Specification 1.0A, 3.3): it fetches a kernel from fw_cfg, by
 * DMA to where fw_cfg says, and enters its real-mode code as the Linux boot protocol asks (boot.rst, "Running the
 * Kernel"). What cannot be fetched is the BIOS's failed boot.
 */
const SOURCE = `
LENGTH  equ 512
DMA     equ 0x7c00              ; control, length, address in two halves: big-endian
VALUE   equ 0x7c10
STACK   equ 0x7c00
DMA_PORT        equ 0x518
SELECT_AND_READ equ 0x0a
HEAP_END        equ ${HEADER.heapEnd}     ; in the kernel's header
HEAP_SLACK      equ ${HEAP_SLACK}

        org 0
        bits 16
        db 0x55, 0xaa, LENGTH / 512
        retf                    ; nothing to initialize
sum:    db 0
        times 0x1a - ($ - $$) db 0
        dw card

card:   db '$PnP', 1, 2         ; revision, length in units of 16 bytes
        dw 0                    ; no other header
        db 0                    ; reserved
.sum:   db 0
        dd 0                    ; no device
        dw 0, name
        db 2, 0, 0              ; mass storage
        db 0x14                 ; only to boot from; initializes nothing
        dw 0, 0, boot           ; entries for a boot connection, to be disconnected, for a bootstrap
        dw 0, 0
card_end:
name:   db 'Linux kernel', 0

; Each piece by the items of its address, which that of its size follows, and of its bytes. The last one is entered.
pieces: db ${FW_CFG_ITEM.kernelAddress}, ${FW_CFG_ITEM.kernelData}
        db ${FW_CFG_ITEM.initrdAddress}, ${FW_CFG_ITEM.initrdData}
        db ${FW_CFG_ITEM.commandLineAddress}, ${FW_CFG_ITEM.commandLineData}
        db ${FW_CFG_ITEM.setupAddress}, ${FW_CFG_ITEM.setupData}
.end:

boot:   cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, STACK
        mov si, pieces
.piece: movzx bx, byte [cs:si]
        call number
        mov ebp, eax
        movzx bx, byte [cs:si]
        inc bx
        call number
        movzx bx, byte [cs:si + 1]
        mov edi, ebp
        call fetch
        add si, 2
        cmp si, pieces.end
        jb .piece
        shr ebp, 4
        mov ds, bp
        mov es, bp
        mov fs, bp
        mov gs, bp
        mov ss, bp
        mov sp, [HEAP_END]
        add sp, HEAP_SLACK
        add bp, 0x20
        push bp
        push word 0
        retf

; eax = the number that is item bx
number: mov eax, 4
        mov edi, VALUE
        call fetch
        mov eax, [VALUE]
        ret

; eax bytes of item bx to address edi
fetch:  bswap eax
        bswap edi
        shl ebx, 16
        mov bl, SELECT_AND_READ
        bswap ebx
        mov [DMA], ebx
        mov [DMA + 4], eax
        mov dword [DMA + 8], 0
        mov [DMA + 12], edi
        mov eax, DMA
        bswap eax
        mov dx, DMA_PORT
        out dx, eax
.wait:  mov eax, [DMA]
        bswap eax
        cmp eax, 1
        ja .wait
        je .error
        ret
.error: int 0x18

        times LENGTH - ($ - $$) db 0
`;

export function linuxRom(): Uint8Array {
  const { bytes, labels } = assemble(SOURCE);
  const at = (name: string): number => labels.get(name) ?? 0;
  balance(bytes.subarray(at('card'), at('card_end')), at('card.sum') - at('card'));
  balance(bytes, at('sum'));
  return bytes;
}

/** Makes the sum of all bytes 0. */
function balance(bytes: Uint8Array, at: number): void {
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0);
}
