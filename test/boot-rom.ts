import { assemble } from '../src/index.ts';

/** A boot ROM of 64 KiB at the end of the first megabyte that starts with this 16-bit code. */
export function romOf(code: string): Uint8Array {
  return assemble(`
        org 0xf0000
        bits 16
${code}
        times 0xfff0 - ($ - $$) db 0x90
        bits 16
        jmp 0xf000:0
        times 0x10000 - ($ - $$) db 0
`).bytes;
}

/** The beginning of such code that goes on in flat segments of 32 bits, with a stack below 8000h. */
export const ENTER_FLAT = `
        cli
        lgdt [cs:table - 0xf0000]
        mov eax, 1
        mov cr0, eax
        jmp dword 8:flat
table:  dw 23
        dd descriptors
descriptors:
        dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300
        bits 32
flat:   mov ax, 16
        mov ds, ax
        mov ss, ax
        mov esp, 0x8000
`;
