import { describe, expect, test } from 'vitest';
import { assemble } from '../src/index.ts';
import { MachineRun } from './machine-run.ts';

/** Where guests note what they found. */
const NOTES = 0x20_0000;

const ROM_LENGTH = 0x2_0000;
const ROM = 0x1_0000_0000 - ROM_LENGTH;
/** Where the guest's code is in the ROM: none of the places that are looked at. */
const CODE = 0x1_1000;

/** A function of three bytes: it returns one in AL. */
const MOV_AL = 0xb0;
const RET = 0xc3;

/**
 * A boot ROM of 128 KiB whose code runs flat and protected, at the top of 4 GiB. `note` takes AL down; `config` writes AL
 * to the configuration byte at CF8h-address ECX; what executes an invalid instruction gets 'U' in AL, and returns.
 */
function guest(code: string): Uint8Array {
  const source = `
        org ${ROM + CODE}
        bits 16
        cli
        o32 lgdt [cs:table - 0xffff0000]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:start
descriptors:
        dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300
table:  dw 23
        dd descriptors
interrupts:
        dw 63
        dd 0x1000

        bits 32
start:  mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x8000
        mov eax, invalid
        mov [0x1030], ax
        mov word [0x1032], 8
        mov word [0x1034], 0x8e00
        shr eax, 16
        mov [0x1036], ax
        lidt [interrupts]
        mov ebp, ${NOTES}
${code}
        mov ecx, 0x80000b40
        mov al, 1
        call config
        inc ecx
        mov al, 6
        call config
        mov ecx, 0x80000b80
        mov al, 1
        call config
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        jmp $

invalid:
        mov al, 'U'
        add esp, 12
        ret

note:   mov [ebp], al
        inc ebp
        ret

config: push eax
        call select
        pop eax
        out dx, al
        ret
readconfig:
        call select
        in al, dx
        ret
select: mov eax, ecx
        and al, 0xfc
        mov dx, 0xcf8
        out dx, eax
        mov dl, cl
        and dl, 3
        or dl, 0xfc
        ret
`;
  const image = new Uint8Array(ROM_LENGTH).fill(0xff);
  image.set(assemble(source).bytes, CODE);
  // At FFF0h of the segment that the processor starts in: a jump to 1000h.
  image.set([0xe9, 0x0d, 0x10], ROM_LENGTH - 16);
  return image;
}

interface Area {
  readonly start: number;
  readonly end: number;
  readonly register: number;
  readonly shift: number;
}

/** 82441FX, table 5: sixteen KiB a nibble from C0000 up, and 64 KiB for the last, which is the first register's. */
const AREAS: readonly Area[] = [
  ...Array.from({ length: 12 }, (_, i) => ({
    start: 0xc_0000 + i * 0x4000,
    end: 0xc_4000 + i * 0x4000,
    register: 0x5a + (i >> 1),
    shift: (i & 1) * 4,
  })),
  { start: 0xf_0000, end: 0x10_0000, register: 0x59, shift: 4 },
];

const MODES = [0, 1, 2, 3] as const;

/** A function at the beginning, in the middle and at the end of an area. */
const placesOf = ({ start, end }: Area): number[] => [start, (start + end) / 2, end - 3];

const inRom = (place: number): number => place - 0xe_0000;

/**
 * For each area and each pair of modes: makes it RAM, puts a function that returns 'R' at each place, goes to the first
 * mode and calls it, so that its code is known to the processor; goes to the second mode, reads the function's byte, calls
 * it, writes 'W' over the byte, reads and calls again; and looks at last what the write did to RAM.
 */
const PAM = `
        mov esi, areas
area:   mov byte [0x900], 0
from:   mov byte [0x901], 0
to:     mov byte [0x902], 0
place:  movzx eax, byte [0x902]
        mov edi, [esi + eax * 4]
        mov al, 3
        call mode
        mov byte [edi], ${MOV_AL}
        mov byte [edi + 1], 'R'
        mov byte [edi + 2], ${RET}
        mov al, [0x900]
        call mode
        call edi
        mov al, [0x901]
        call mode
        mov al, [edi + 1]
        call note
        call edi
        call note
        mov byte [edi + 1], 'W'
        mov al, [edi + 1]
        call note
        call edi
        call note
        mov al, 1
        call mode
        mov al, [edi + 1]
        call note
        inc byte [0x902]
        cmp byte [0x902], 3
        jne place
        inc byte [0x901]
        cmp byte [0x901], 4
        jne to
        inc byte [0x900]
        cmp byte [0x900], 4
        jne from
        mov al, 0
        call mode
        add esi, 20
        cmp esi, areas + ${AREAS.length * 20}
        jne area
        jmp done

mode:   mov bl, al
        mov ecx, [esi + 16]
        shl bl, cl
        mov ecx, [esi + 12]
        call readconfig
        mov bh, 0xf0
        cmp byte [esi + 16], 0
        je .low
        mov bh, 0x0f
.low:   and al, bh
        or al, bl
        jmp config

        align 4
areas:
${AREAS.map((area) => `dd ${[...placesOf(area), 0x8000_0000 + area.register, area.shift].join(', ')}`).join('\n')}
done:
`;

/** What a guest has noted. */
async function notesOf(bootRom: Uint8Array, length: number): Promise<string> {
  using run = new MachineRun({ bootRom, memory: 4 * 1024 * 1024 });
  expect(await run.run(10)).toBe('power-off');
  const ram = run.machine.memory.segment('ram');
  return Buffer.from(ram?.bytes.subarray(NOTES, NOTES + length) ?? []).toString('latin1');
}

/** What that guest finds at one place, by what the manual says of the mode. */
function found(place: number, mode: number): string {
  const [readsRam, writesRam] = [(mode & 1) !== 0, (mode & 2) !== 0];
  const rom = place >= 0xe_0000;
  const data = rom ? 'O' : '\xff';
  const called = rom ? 'O' : 'U';
  const [before, after] = ['R', writesRam ? 'W' : 'R'];
  const seen = readsRam ? [before, before, after, after] : [data, called, data, called];
  return [...seen, after].join('');
}

describe('a guest that goes through all modes of all 13 areas', () => {
  test('reads, executes and writes what each of them says, whatever was there before', async () => {
    const bootRom = guest(PAM);
    for (const place of AREAS.flatMap(placesOf)) {
      if (place >= 0xe_0000) bootRom.set([MOV_AL, 'O'.charCodeAt(0), RET], inRom(place));
    }
    const cases = AREAS.flatMap((area) =>
      MODES.flatMap((from) => MODES.flatMap((to) => placesOf(area).map((place) => ({ place, from, to })))),
    );
    const notes = await notesOf(bootRom, 5 * cases.length);
    const name = ({ place, from, to }: (typeof cases)[number]): string => `${place.toString(16)}, ${from} to ${to}: `;
    expect(cases.map((each, i) => name(each) + notes.slice(5 * i, 5 * i + 5))).toEqual(
      cases.map((each) => name(each) + found(each.place, each.to)),
    );
  });
});

test('the boot ROM is the same at the top of 4 GiB and below 1 MiB, read and executed', async () => {
  const rom = guest(`
        cld
        mov esi, ${ROM}
        mov edi, 0xe0000
        mov ecx, ${ROM_LENGTH / 4}
        repe cmpsd
        mov al, 'D'
        jne .no
        mov al, 'S'
.no:    call note
        call answer
        call note
        call answer - 0xfff00000
        call note
        mov al, [answer - 0xfff00000 + 1]
        call note
        jmp done
answer: mov al, 'O'
        ret
done:
`);
  expect(await notesOf(rom, 4)).toBe('SOOO');
});

/** Writes the register, and notes what it is then, and what is read and executed at A8000. */
const setSmram = (value: number): string => `
        mov ecx, 0x80000072
        mov al, ${value}
        call config
        call readconfig
        call note
        mov al, [0xa8001]
        call note
        mov edi, 0xa8000
        call edi
        call note
`;

describe('system-management RAM', () => {
  test('is out of reach until it is opened, keeps its bytes while it is closed, and once locked stays closed', async () => {
    const rom = guest(`
        ${setSmram(0x02)}
        mov byte [0xa8001], 'X'
        mov ecx, 0x80000072
        mov al, 0x4a
        call config
        mov al, [0xa8001]
        call note
        mov byte [0xa8000], ${MOV_AL}
        mov byte [0xa8001], 'S'
        mov byte [0xa8002], ${RET}
        ${[0x4a, 0x0a, 0x4a, 0x42, 0x6a, 0x4a, 0x5a, 0x4a, 0x00].map(setSmram).join('')}
`);
    const closed = '\xffU';
    const expected = [
      `\x02${closed}`,
      '\0',
      '\x4aSS',
      `\x0a${closed}`,
      '\x4aSS',
      `\x42${closed}`,
      `\x6a${closed}`,
      '\x4aSS',
      `\x1a${closed}`,
      `\x1a${closed}`,
      `\x12${closed}`,
    ].join('');
    expect(await notesOf(rom, expected.length)).toBe(expected);
  });
});

/** Ways to drive the gate: closed with 0 in AL, open with 1. */
const GATES: readonly (readonly [string, string])[] = [
  [
    'port 92h',
    `
gate:   shl al, 1
        out 0x92, al
        ret
`,
  ],
  [
    'the keyboard controller’s output port',
    `
gate:   mov bl, al
        shl bl, 1
        or bl, 0xdd
        call ready
        mov al, 0xd1
        out 0x64, al
        call ready
        mov al, bl
        out 0x60, al
ready:  in al, 0x64
        test al, 2
        jnz ready
        ret
`,
  ],
  [
    'the keyboard controller’s commands',
    `
gate:   mov bl, al
        shl bl, 1
        or bl, 0xdd
.ready: in al, 0x64
        test al, 2
        jnz .ready
        mov al, bl
        out 0x64, al
        ret
`,
  ],
];

describe('the A20 gate', () => {
  for (const [name, gate] of GATES) {
    test(`driven by ${name} puts bit 20 of each address to 0 while it is closed, for reads, writes and code`, async () => {
      // It runs where bit 20 is 0: in the ROM's copy. L is below 1 MiB, H above.
      const rom = guest(`
        mov byte [0x600], ${MOV_AL}
        mov byte [0x601], 'L'
        mov byte [0x602], ${RET}
        mov byte [0x100600], ${MOV_AL}
        mov byte [0x100601], 'H'
        mov byte [0x100602], ${RET}
        jmp low - 0xfff00000
low:    call look
        mov al, 0
        call gate
        call look
        mov byte [0x100601], 'W'
        call look
        mov al, 1
        call gate
        call look
        mov al, 0
        call gate
        call look
        mov al, 1
        call gate
        jmp done

look:   mov al, [0x601]
        call note
        mov al, [0x100601]
        call note
        mov edi, 0x600
        call edi
        call note
        mov edi, 0x100600
        call edi
        call note
        ret
${gate}
done:
`);
      expect(await notesOf(rom, 20)).toBe(['LHLH', 'LLLL', 'WWWW', 'WHWH', 'WWWW'].join(''));
    });
  }
});
