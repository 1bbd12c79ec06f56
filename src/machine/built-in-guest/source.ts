/**
 * The built-in guest: a boot ROM of 64 KiB that shows what device memory is, in skep's own assembly language.
 *
 * It says hello on the serial port, finds the display on PCI, asks its BAR for its size, draws a skep through it, moves
 * the BAR twice and draws on, tries to write its own ROM, and powers off. It runs in 32-bit protected mode, straight
 * out of ROM; RAM holds the stack and two variables. It is a plain PC boot ROM and runs on other machines with a Bochs
 * display as well.
 */
export const BUILT_IN_GUEST = `
ROM     equ 0xffff0000
COM1    equ 0x3f8
LINES   equ 480
COLUMNS equ 640

; RAM
STACK   equ 0x8000
DISPLAY equ 0x8000          ; configuration address of the display, 0 while not found
SUM     equ 0x8004          ; checksum of what is drawn so far

        org ROM
        bits 32

start:  mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, STACK
        call serial_on
        mov esi, hello
        call print
        call find_display
        cmp dword [DISPLAY], 0
        je .none
        call size_display
        call mode_on
        mov eax, 0xe0000000
        call place
        mov eax, 0
        mov ecx, 160
        call draw
        mov eax, 0xc8000000
        call move
        mov eax, 160
        mov ecx, 320
        call draw
        mov eax, 0xf4000000
        call move
        mov eax, 320
        mov ecx, LINES
        call draw
        jmp .rom
.none:  mov esi, no_display
        call print
.rom:   call write_rom
        mov esi, bye
        call print
        jmp power_off

; --- serial port -----------------------------------------------------------------------------------------------

; 115200 baud, 8 data bits, no parity, one stop bit, FIFOs on
serial_on:
        mov edx, COM1 + 1
        mov al, 0
        out dx, al
        mov edx, COM1 + 3
        mov al, 0x80
        out dx, al
        mov edx, COM1
        mov al, 1
        out dx, al
        inc edx
        mov al, 0
        out dx, al
        mov edx, COM1 + 3
        mov al, 3
        out dx, al
        dec edx
        mov al, 7
        out dx, al
        ret

; prints the string at esi up to its zero byte
print:  lodsb
        test al, al
        jz .end
        call print_byte
        jmp print
.end:   ret

print_byte:
        push edx
        push eax
        mov edx, COM1 + 5
.wait:  in al, dx
        test al, 0x20
        jz .wait
        pop eax
        mov edx, COM1
        out dx, al
        pop edx
        ret

; prints eax as eight hexadecimal digits
print_hex:
        mov ecx, 8
.digit: rol eax, 4
        push eax
        and al, 15
        cmp al, 10
        sbb al, 0x69
        das
        or al, 0x20
        call print_byte
        pop eax
        loop .digit
        ret

; prints eax in decimal
print_decimal:
        mov ebx, 10
        xor ecx, ecx
.next:  xor edx, edx
        div ebx
        push edx
        inc ecx
        test eax, eax
        jnz .next
.out:   pop eax
        add al, '0'
        call print_byte
        loop .out
        ret

; --- PCI -------------------------------------------------------------------------------------------------------

; eax = the dword of configuration space at address eax
config_read:
        mov edx, 0xcf8
        out dx, eax
        mov edx, 0xcfc
        in eax, dx
        ret

; writes ebx to the dword of configuration space at address eax
config_write:
        mov edx, 0xcf8
        out dx, eax
        mov edx, 0xcfc
        mov eax, ebx
        out dx, eax
        ret

find_display:
        mov dword [DISPLAY], 0
        mov ebp, 0x80000000
.slot:  mov eax, ebp
        call config_read
        cmp eax, 0x11111234
        je .found
        add ebp, 0x800
        cmp ebp, 0x80010000
        jb .slot
        ret
.found: mov [DISPLAY], ebp
        mov esi, found
        call print
        mov eax, ebp
        shr eax, 11
        and eax, 31
        call print_decimal
        mov esi, newline
        jmp print

; a BAR of ones reads back as ones where the address can be chosen
size_display:
        mov ebx, 0xffffffff
        mov eax, [DISPLAY]
        add eax, 0x10
        call config_write
        mov eax, [DISPLAY]
        add eax, 0x10
        call config_read
        and eax, 0xfffffff0
        neg eax
        shr eax, 10
        push eax
        mov esi, bar_size
        call print
        pop eax
        call print_decimal
        mov esi, kib
        jmp print

; 640 x 480 in 32 bits, through the registers behind BAR 2
mode_on:
        mov eax, [DISPLAY]
        add eax, 0x18
        mov ebx, 0xfe000000
        call config_write
        call decode_on
        mov edi, 0xfe000500
        mov word [edi + 8], 0
        mov word [edi + 2], COLUMNS
        mov word [edi + 4], LINES
        mov word [edi + 6], 32
        mov word [edi + 8], 0x41
        ret

decode_on:
        mov eax, [DISPLAY]
        add eax, 4
        mov ebx, 2
        jmp config_write

; puts the framebuffer at eax; edi = eax
place:  mov edi, eax
        mov esi, placing
        call print
        mov eax, edi
        call print_hex
        mov esi, newline
        call print
        mov eax, [DISPLAY]
        add eax, 0x10
        mov ebx, edi
        jmp config_write

; moves it, and looks whether the picture came along
move:   call place
        call checksum
        mov esi, kept
        cmp eax, [SUM]
        je print
        mov esi, lost
        jmp print

; --- the picture -----------------------------------------------------------------------------------------------

; draws lines eax up to ecx into the framebuffer at edi
draw:   push ecx
        push edi
        mov ebp, eax
        imul edx, eax, COLUMNS * 4
        add edi, edx
.line:  xor esi, esi
.pixel: call colour
        stosd
        inc esi
        cmp esi, COLUMNS
        jb .pixel
        inc ebp
        cmp ebp, [esp + 4]
        jb .line
        pop edi
        pop ecx
        call checksum
        mov [SUM], eax
        ret

; eax = colour at (esi, ebp): a hive of coiled straw, 400 wide and 360 high, before a night sky
colour: mov ecx, esi
        sub ecx, COLUMNS / 2
        imul ecx, ecx               ; distance from the middle, squared
        cmp ebp, 420
        ja .sky
        mov eax, 420
        sub eax, ebp
        imul eax, eax               ; height, squared
        lea edx, [eax + ecx]
        cmp edx, 45 * 45
        jb .door
        imul eax, eax, 25
        push ecx
        mov ecx, 81
        xor edx, edx
        div ecx
        pop ecx
        add eax, ecx
        cmp eax, 200 * 200
        ja .sky
        push ebx
        mov eax, ebp                ; brightness: coils of 24 lines, darker to the sides
        mov ebx, 24
        xor edx, edx
        div ebx
        sub edx, 12
        imul edx, edx
        mov eax, 250
        sub eax, edx
        shr ecx, 9
        sub eax, ecx
        mov edx, eax
        shl eax, 16                 ; red
        mov ebx, edx
        shl ebx, 1
        add ebx, edx
        shl ebx, 6
        and ebx, 0xff00
        or eax, ebx                 ; green: three quarters
        shr edx, 2
        or eax, edx                 ; blue: one quarter
        pop ebx
        ret
.door:  mov eax, 0x201408
        ret
.sky:   mov eax, ebp
        shr eax, 3
        lea edx, [eax + 0x28]
        shl eax, 7
        and eax, 0xff00
        or eax, edx
        ret

; eax = sum of the first 480 lines at edi
checksum:
        push edi
        mov ecx, COLUMNS * LINES
        xor eax, eax
.next:  rol eax, 1
        add eax, [edi]
        add edi, 4
        dec ecx
        jnz .next
        pop edi
        ret

; --- the end ---------------------------------------------------------------------------------------------------

write_rom:
        mov al, [hello]
        not al
        mov [hello], al
        cmp al, [hello]
        mov esi, rom_kept
        jne print
        mov esi, rom_changed
        jmp print

; PIIX4 power management: I/O base 600h, enabled; SLP_EN with sleep type 0 is soft-off
power_off:
        mov eax, 0x80000b40
        mov ebx, 0x601
        call config_write
        mov eax, 0x80000b80
        call config_read
        or eax, 1
        mov ebx, eax
        mov eax, 0x80000b80
        call config_write
        mov edx, 0x604
        mov ax, 0x2000
        out dx, ax
.rest:  hlt
        jmp .rest

hello:          db 'Hello from the boot ROM, which is device memory at 4 GiB.', 13, 10, 0
found:          db 'guest: display found in PCI slot ', 0
no_display:     db 'guest: no display on PCI', 13, 10, 0
bar_size:       db 'guest: its BAR 0 wants ', 0
kib:            db ' KiB', 13, 10, 0
placing:        db 'guest: framebuffer to ', 0
newline:        db 13, 10, 0
kept:           db 'guest: the picture came along', 13, 10, 0
lost:           db 'guest: THE PICTURE IS LOST', 13, 10, 0
rom_kept:       db 'guest: a write to my own ROM changed nothing', 13, 10, 0
rom_changed:    db 'guest: I HAVE CHANGED MY OWN ROM', 13, 10, 0
bye:            db 'guest: power off', 13, 10, 0

        align 8
gdt:    dq 0
        dq 0x00cf9a000000ffff       ; 08h: code, 4 GiB
        dq 0x00cf92000000ffff       ; 10h: data, 4 GiB
gdtr:   dw gdtr - gdt - 1
        dd gdt

; --- reset -----------------------------------------------------------------------------------------------------

        bits 16
        times 0xff80 - ($ - $$) db 0xff
enter:  cli
        o32 lgdt [cs:gdtr - ROM]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:start

        times 0xfff0 - ($ - $$) db 0xff
        jmp near enter
        times 0x10000 - ($ - $$) db 0xff
`;
