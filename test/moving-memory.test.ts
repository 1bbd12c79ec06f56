import { describe, expect, test } from 'vitest';
import { assemble, gpa } from '../src/index.ts';
import type { MachineRun } from './machine-run.ts';
import { runKernel } from './multiboot-kernel.ts';

/** The display's configuration space: slot 2. */
const DISPLAY = 0x8000_1000;
const PIXELS = 2 ** 20;

/** What every guest here begins with: the registers of the display, and gates. Configuration addresses are in EBX. */
const PROLOGUE = `
LOCAL   equ 0xfee00000
DISPLAY equ ${DISPLAY}
PIXELS  equ ${PIXELS}
TABLE   equ 0x102000

; Writes EAX to configuration space.
put:    push edx
        push eax
        mov edx, 0xcf8
        mov eax, ebx
        out dx, eax
        mov edx, 0xcfc
        pop eax
        out dx, eax
        pop edx
        ret

; Reads EAX from configuration space.
get:    push edx
        mov edx, 0xcf8
        mov eax, ebx
        out dx, eax
        mov edx, 0xcfc
        in eax, dx
        pop edx
        ret

decode: mov ebx, DISPLAY + 4
        mov eax, 2
        jmp put

; An interrupt gate at EDI for EAX.
gate:   mov [edi], ax
        mov word [edi + 2], 0x10
        mov word [edi + 4], 0x8e00
        shr eax, 16
        mov [edi + 6], ax
        ret

say:    mov edx, 0x3f8
        out dx, al
        ret

pointer: dw 0x7ff
        dd TABLE

exit:   out 0xf4, al
        jmp exit

main:
`;

function start(guest: string, optionRom?: Uint8Array): MachineRun {
  const display = { width: 640, height: 480, ...(optionRom === undefined ? {} : { optionRom }) };
  return runKernel(PROLOGUE + guest, { memory: 16 * 2 ** 20, display });
}

/** The trace without times, from the guest's own first action on. */
const deeds = ({ trace }: MachineRun): string[] =>
  trace.map((line) => line.replace(/^\S+ {2}/, '')).filter((line) => !line.startsWith('machine:  +ram'));

function pixels({ machine }: MachineRun): Uint32Array {
  const { bytes } = machine.memory.segment('framebuffer')!;
  return new Uint32Array(bytes.buffer, bytes.byteOffset, PIXELS);
}

describe('a framebuffer that moves', () => {
  test('while the guest draws into it gets what was drawn until then; the rest goes nowhere, and is counted', async () => {
    using run = start(`
        mov eax, timer
        mov edi, TABLE + 8 * 0x40
        call gate
        lidt [pointer]
        mov ebx, DISPLAY + 0x10
        mov eax, 0xe0000000
        call put
        call decode
        mov dword [LOCAL + 0xf0], 0x1ff
        mov dword [LOCAL + 0x3e0], 0xb
        mov dword [LOCAL + 0x320], 0x40
        mov dword [LOCAL + 0x380], 3000
        sti
        mov edi, 0xe0000000
        mov ecx, PIXELS
        mov eax, 0x00c0ffee
        rep stosd
        cmp dword [0xd0000000], 0x00c0ffee
        setne al
        jmp exit

timer:  pushad
        mov ebx, DISPLAY + 0x10
        mov eax, 0xd0000000
        call put
        mov dword [LOCAL + 0xb0], 0
        popad
        iretd
`);
    expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
    const drawn = pixels(run).findIndex((pixel) => pixel !== 0x00c0_ffee);
    expect(drawn).toBeGreaterThan(100);
    expect(
      pixels(run)
        .subarray(drawn)
        .every((pixel) => pixel === 0),
    ).toBe(true);
    expect(run.machine.mmio.unclaimedWrites).toBe(PIXELS - drawn);
    expect(deeds(run).at(-1)).toBe(
      'pci 02.0 [10] = d0000000:  -framebuffer e0000000-e0ffffff rw-  +framebuffer d0000000-d0ffffff rw-',
    );
  });

  test('to RAM, to the boot ROM and past the window is nowhere, harms nothing, and returns with a good address', async () => {
    using run = start(`
        call decode
        mov esi, 0
.next:  mov ebx, DISPLAY + 0x10
        mov eax, [places + esi]
        call put
        call get
        and al, 0xf0
        cmp eax, [places + esi]
        mov al, 1
        jne exit
        add esi, 4
        cmp esi, 4 * 5
        jb .next
        mov dword [0xe0000000], 0x12345678
        mov al, 0
        jmp exit
places: dd 0xe0000000, 0x00000000, 0xff000000, 0xfe000000, 0xe0000000
`);
    expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
    expect(deeds(run)).toEqual([
      'pci 02.0 [04] = 00000002:  !Bochs display BAR 0 0-ffffff',
      'pci 02.0 [04] = 00000002:  !Bochs display BAR 2 0-fff',
      'pci 02.0 [10] = e0000000:  +framebuffer e0000000-e0ffffff rw-',
      'pci 02.0 [10] = 00000000:  -framebuffer e0000000-e0ffffff rw-',
      'pci 02.0 [10] = 00000000:  !Bochs display BAR 0 0-ffffff',
      'pci 02.0 [10] = ff000000:  !Bochs display BAR 0 ff000000-ffffffff',
      'pci 02.0 [10] = fe000000:  !Bochs display BAR 0 fe000000-feffffff',
      'pci 02.0 [10] = e0000000:  +framebuffer e0000000-e0ffffff rw-',
    ]);
    expect(pixels(run)[0]).toBe(0x1234_5678);
  });

  test('over the registers of its own device waits until they have left, and both answer again', async () => {
    using run = start(`
        mov ebx, DISPLAY + 0x18
        mov eax, 0xe0400000
        call put
        call decode
        mov ebx, DISPLAY + 0x10
        mov eax, 0xe0000000
        call put
        cmp word [0xe0400500], 0xb0c5
        mov al, 1
        jne exit
        cmp dword [0xe0000000], 0xffffffff
        mov al, 2
        jne exit
        mov ebx, DISPLAY + 0x18
        mov eax, 0xd0000000
        call put
        cmp word [0xd0000500], 0xb0c5
        mov al, 3
        jne exit
        cmp dword [0xe0400500], 0
        mov al, 4
        jne exit
        mov al, 0
        jmp exit
`);
    expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
    expect(deeds(run).slice(-2)).toEqual([
      'pci 02.0 [10] = e0000000:  !Bochs display BAR 0 e0000000-e0ffffff',
      'pci 02.0 [18] = d0000000:  +framebuffer e0000000-e0ffffff rw-',
    ]);
  });
});

describe('a place that somebody else leaves', () => {
  /** Waits for the framebuffer's first pixel to be readable as 0 at E0000000. */
  const WAITING = `
        mov ebx, DISPLAY + 0x10
        mov eax, 0xe0000000
        call put
        call decode
        mov al, 'w'
        call say
.wait:  cmp dword [0xe0000000], 0
        jne .wait
        mov al, 0
        jmp exit
`;

  test('by an edit from outside is taken before the next slice', async () => {
    using run = start(WAITING);
    const { memory } = run.machine;
    const foreign = memory.createSegment({ name: 'foreign', kind: 'devmem', length: 4096 });
    foreign.bytes.fill(1);
    const mapping = memory.map({ segment: foreign, gpa: gpa(0xe000_0000), prot: 'r--' });
    await run.runUntil('w', 'serial', 1);
    expect(memory.at(gpa(0xe000_0000))).toBe(mapping);
    memory.unmap(mapping);
    expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
    expect(deeds(run).slice(-2)).toEqual([
      'machine:  -foreign e0000000-e0000fff r--',
      'machine:  +framebuffer e0000000-e0ffffff rw-',
    ]);
  });

  test('by the local APIC that moves its page is taken before the next slice', async () => {
    using run = start(`
        mov ecx, 0x1b
        mov eax, 0xe0000900
        mov edx, 0
        wrmsr
        mov ebx, DISPLAY + 0x10
        mov eax, 0xe0000000
        call put
        call decode
        cmp dword [0xe0000030], 0x01050014
        mov al, 1
        jne exit
        mov ecx, 0x1b
        mov eax, 0xfee00900
        mov edx, 0
        wrmsr
.wait:  cmp dword [0xe0000000], 0
        jne .wait
        mov al, 0
        jmp exit
`);
    expect([await run.run(1), run.machine.exitStatus]).toEqual(['debug-exit', 1]);
  });
});

describe('an option ROM that moves', () => {
  /** In the ROM: moves it away from under itself. At the new place: says so. */
  const ROM = assemble(`
        bits 32
        org 0
        mov edx, 0xcf8
        mov eax, ${DISPLAY + 0x30}
        out dx, eax
        mov edx, 0xcfc
        mov eax, 0xd0000001
        out dx, eax
        mov al, 'X'
        mov edx, 0x3f8
        out dx, al
        times 256 - ($ - $$) db 0x90
        mov al, 'N'
        mov edx, 0x3f8
        out dx, al
        mov al, 0
        out 0xf4, al
        times 4096 - ($ - $$) db 0xcc
`).bytes;

  test('while the guest executes from it leaves all ones behind: the next fetch is no instruction', async () => {
    using run = start(
      `
        mov eax, undefined
        mov edi, TABLE + 8 * 6
        call gate
        lidt [pointer]
        mov ebx, DISPLAY + 0x30
        mov eax, 0xe0000001
        call put
        call decode
        mov eax, 0xe0000000
        jmp eax

; The fault's own address is the one behind the instruction that moved the ROM.
undefined:
        mov eax, [esp]
        sub eax, 0xe0000016
        mov al, 'U'
        jz .good
        mov al, '?'
.good:  call say
        mov eax, 0xd0000100
        jmp eax
`,
      ROM,
    );
    expect([await run.run(1), run.serial, run.machine.exitStatus]).toEqual(['debug-exit', 'UN', 1]);
  });
});
