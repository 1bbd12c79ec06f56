import { describe, expect, test } from 'vitest';
import { mapTable, type MachineConfig } from '../src/index.ts';
import type { MachineRun } from './machine-run.ts';
import { runKernel } from './multiboot-kernel.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;

/** What every program begins and ends with: both BARs of the engine placed, then `program`, then the exit device. */
const FRAME = `
ENGINE  equ 0x80001800
ISA     equ 0x80000800
HOST    equ 0x80000000
DISPLAY equ 0x80001000
PORTS   equ 0xc000
COMMAND equ PORTS + 0x04
STATUS  equ PORTS + 0x08
ENABLE  equ PORTS + 0x0c
SOURCE  equ PORTS + 0x10
TARGET  equ PORTS + 0x18
LENGTH  equ PORTS + 0x20
PATTERN equ PORTS + 0x24
FAULT   equ PORTS + 0x28
MOVED   equ PORTS + 0x30
COPY    equ 1
FILL    equ 2
LOAD    equ 3
STORE   equ 4

main:   mov ecx, ENGINE
        call select
        in eax, dx
        cmp eax, 0x5ce91234
        jne .end
        mov ecx, ENGINE + 0x10
        mov eax, 0xfe000000
        call set
        mov ecx, ENGINE + 0x14
        mov eax, PORTS
        call set
        mov ecx, ENGINE + 4
        mov eax, 7
        call set
        call program
.end:   mov al, 0
        out 0xf4, al
        jmp .end

; Configuration address ECX; DX is then the data port.
select: mov eax, ecx
        mov dx, 0xcf8
        out dx, eax
        mov dx, 0xcfc
        ret
set:    push eax
        call select
        pop eax
        out dx, eax
        ret

; A transfer of ECX bytes from ESI, or of the pattern that lies in the parameter register, to EDI: begins command AL.
begin:  push eax
        mov dx, SOURCE
        mov eax, esi
        out dx, eax
        mov dx, TARGET
        mov eax, edi
        out dx, eax
        mov dx, LENGTH
        mov eax, ecx
        out dx, eax
        pop eax
        movzx eax, al
        mov dx, COMMAND
        out dx, eax
        ret
finish: mov dx, STATUS
.busy:  in eax, dx
        test al, 1
        jnz .busy
        out dx, eax
        call hex
        mov al, ' '
        jmp say

; The transfer as a whole; says the status that it leaves.
do:     call begin
        jmp finish

hex:    push eax
        shr al, 4
        call digit
        pop eax
digit:  and al, 15
        add al, '0'
        cmp al, '9'
        jbe say
        add al, 'a' - '9' - 1
say:    push edx
        mov dx, 0x3f8
        out dx, al
        pop edx
        ret
`;

function start(program: string, config: Partial<MachineConfig> = {}): MachineRun {
  return runKernel(FRAME + program, {
    memory: 16 * MiB,
    display: { width: 640, height: 480 },
    wired: true,
    dmaEngine: { iommu: true },
    ...config,
  });
}

interface Shown {
  readonly segment: string;
  readonly gpa: number;
  readonly end: number;
  readonly prot: string;
  readonly iommu: boolean;
}

const mapOf = ({ machine }: MachineRun): Shown[] =>
  Array.from(machine.memory, ({ segment, gpa, end, prot, iommu }) => ({
    segment: segment.name,
    gpa,
    end,
    prot,
    iommu,
  }));

const ram = ({ machine }: MachineRun): Uint8Array => machine.memory.segment('ram')?.bytes ?? new Uint8Array(0);

test('the guest executes what DMA has written over instructions that it has just executed', async () => {
  const program = `
program: mov ebx, 1000
.warm:  call code
        dec ebx
        jnz .warm
        call say
        mov esi, second
        mov edi, code
        mov ecx, 3
        mov al, COPY
        call do
        call code
        jmp say
        times 0x1000 db 0
code:   mov al, '1'
        ret
        times 0x1000 db 0
second: mov al, '2'
        ret
`;
  using run = start(program);
  expect([await run.run(5), run.serial]).toEqual(['debug-exit', '102 2']);
});

const REACH = `
program: mov ecx, DISPLAY + 0x10
        mov eax, 0xfd000000
        call set
        mov ecx, DISPLAY + 4
        mov eax, 2
        call set
        mov dx, PATTERN
        mov eax, 0x6b736b73
        out dx, eax
        mov ecx, 8

        mov edi, 0x200000
        mov al, FILL
        call do                 ; RAM
        mov edi, 0x2000000
        mov al, FILL
        call do                 ; a hole
        mov dx, FAULT + 3
        in al, dx
        call hex
        mov edi, 0xfd000000
        mov al, FILL
        call do                 ; device memory
        mov edi, 0xffff0000
        mov al, FILL
        call do                 ; the boot ROM
        mov edi, 0xfe001000
        mov al, FILL
        call do                 ; the engine's own page
        mov ecx, ENGINE + 4
        mov eax, 3
        call set
        mov ecx, 8
        mov edi, 0x200000
        mov al, FILL
        call do                 ; not a bus master
        ret
`;

test.each([
  ['behind the IOMMU, RAM alone', true, '02 08 0208 08 08 20 ', 0],
  ['without it, device memory too', false, '02 08 0202 08 08 20 ', 0x73],
])('a guest finds in reach of DMA: %s', async (_what, iommu, said, pixel) => {
  using run = start(REACH, { dmaEngine: { iommu } });
  expect([await run.run(5), run.serial]).toEqual(['debug-exit', said]);
  expect([ram(run)[0x20_0000], ram(run)[0x20_0007], ram(run)[0x20_0008]]).toEqual([0x73, 0x6b, 0]);
  expect(run.machine.memory.segment('framebuffer')?.bytes[0]).toBe(pixel);
  expect(run.machine.memory.iommuDomain?.latestFaults().map(({ gpa }) => gpa)).toEqual(
    iommu ? [0x200_0000, 0xfd00_0000, 0xffff_0000, 0xfe00_1000] : undefined,
  );
  expect(mapTable(run.machine.memory).includes('iommu')).toBe(iommu);
});

/** Waits until a transfer of 32 KiB to C0000 is on its way, does something to the map, and lets it end. */
const inFlight = (change: string): string => `
program: mov ecx, DISPLAY + 0x10
        mov eax, 0xfd000000
        call set
        mov ecx, DISPLAY + 4
        mov eax, 2
        call set
        mov ecx, HOST + 0x58
        mov eax, 0x33333300
        call set                ; C0000 to CFFFF, and F0000 on: RAM
        mov dx, PATTERN
        mov eax, 0x01010101
        out dx, eax
        mov edi, 0xc0000
        mov ecx, 0x8000
        mov al, FILL
        call begin
        mov dx, MOVED
.wait:  in eax, dx
        cmp eax, 0x3000
        jb .wait
        ${change}
        call finish
        mov dx, MOVED
        in eax, dx
        mov [0x500], eax
        ret
`;

describe('while DMA is under way, a guest', () => {
  const cases: readonly [string, string, string, boolean][] = [
    ['makes its RAM read-only with PAM', 'mov ecx, HOST + 0x58\nmov eax, 0x11113300\ncall set', '10 ', true],
    ['replaces its RAM by ROM with PAM', 'mov ecx, HOST + 0x58\nmov eax, 0x00003300\ncall set', '10 ', true],
    ['changes PAM elsewhere', 'mov ecx, HOST + 0x5c\nmov eax, 0x00001100\ncall set', '02 ', false],
    ['moves a BAR', 'mov ecx, DISPLAY + 0x10\nmov eax, 0xfc000000\ncall set', '02 ', false],
    ['takes bus mastering away', 'mov ecx, ENGINE + 4\nmov eax, 3\ncall set', '20 ', true],
  ];

  describe.each([true, false])('(behind the IOMMU: %s)', (iommu) => {
    test.each(cases)('%s: the bytes go by the old map, or not at all', async (_what, change, said, stops) => {
      using run = start(inFlight(change), { dmaEngine: { iommu } });
      expect([await run.run(5), run.serial]).toEqual(['debug-exit', said]);
      const moved = new DataView(ram(run).buffer, ram(run).byteOffset).getUint32(0x500, true);
      const expected = new Uint8Array(0x8000).fill(1, 0, moved);
      expect(Buffer.compare(ram(run).subarray(0xc_0000, 0xc_8000), expected)).toBe(0);
      expect([moved >= 0x3000, moved < 0x8000]).toEqual([true, stops]);
    });
  });
});

test('a deterministic run with DMA in it repeats, to the instruction', async () => {
  const ends: unknown[] = [];
  for (let turn = 0; turn < 2; turn++) {
    using run = start(inFlight('mov ecx, HOST + 0x58\nmov eax, 0x11113300\ncall set'));
    await run.run(5);
    ends.push([
      run.machine.engine.instructions,
      run.machine.now(),
      run.trace,
      Buffer.from(ram(run)).toString('latin1'),
    ]);
  }
  expect(ends[0]).toEqual(ends[1]);
});

stockTest('an IOMMU domain follows stock firmware, which shadows itself with PAM', ['bios-256k.bin'], async () => {
  const bootRom = stockFile('bios-256k.bin');
  const config = { bootRom, boot: undefined, wired: true };
  using plain = start('program: ret', { ...config, dmaEngine: undefined });
  using run = start('program: ret', { ...config, dmaEngine: { iommu: true } });
  for (const each of [plain, run]) await each.runUntil('No bootable device.', 'debugConsole');
  expect(mapOf(run)).toEqual(mapOf(plain).map((mapping) => ({ ...mapping, iommu: mapping.segment === 'ram' })));
  const reached = [...run.machine.memory].filter(({ segment }) => segment.kind === 'sysmem');
  expect([...(run.machine.memory.iommuDomain ?? [])]).toEqual(reached);
  expect(reached.some(({ prot }) => prot === 'r-x')).toBe(true);
});

test('the end of a transfer is an interrupt, by level, that the guest takes and acknowledges', async () => {
  const program = `
program: mov eax, handler
        mov edi, 0x109000 + 8 * 0x2b
        mov [edi], ax
        mov word [edi + 2], 0x10
        mov word [edi + 4], 0x8e00
        shr eax, 16
        mov [edi + 6], ax
        lidt [table]
        mov ecx, ISA + 0x60
        mov eax, 0x0b808080
        call set                ; INTA# of slot 3 is PIRQD: IRQ 11
        mov dx, 0x4d1
        mov al, 8
        out dx, al
        mov al, 0x11
        out 0x20, al
        out 0xa0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xa1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1
        out 0x21, al
        out 0xa1, al
        mov al, 0xfb
        out 0x21, al
        mov al, 0xf7
        out 0xa1, al
        mov dx, ENABLE
        mov eax, 0xfe
        out dx, eax
        mov edi, 0x200000
        mov ecx, 0x10000
        mov al, FILL
        call begin
        sti
        hlt
        cli
        mov edi, 0x2000000
        mov al, FILL
        call begin              ; a fault, at once
        sti
        hlt
        cli
        mov al, '.'
        jmp say
handler: push eax
        push edx
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        call finish
        pop edx
        pop eax
        iretd
table:  dw 0x7ff
        dd 0x109000
`;
  using run = start(program);
  expect([await run.run(1), run.serial]).toEqual(['debug-exit', '02 08 .']);
  expect(run.machine.now()).toBeGreaterThan(16 * 32_000);
});

test('a reset ends a transfer, and the engine can reach memory through a new domain afterwards', async () => {
  const program = `
program: mov dx, PATTERN
        mov eax, 0x01010101
        out dx, eax
        mov edi, 0x200000
        inc byte [0x500]
        cmp byte [0x500], 2
        je .again
        mov ecx, 0x100000
        mov al, FILL
        call begin
        mov dx, MOVED
.wait:  in eax, dx
        cmp eax, 0x3000
        jb .wait
        mov [0x504], eax
        mov dx, 0xcf9
        mov al, 6
        out dx, al
        jmp $
.again: mov dx, STATUS
        in eax, dx
        call hex
        mov ecx, 1000
.idle:  in eax, dx
        loop .idle
        mov edi, 0x400000
        mov ecx, 8
        mov al, FILL
        jmp do
`;
  using run = start(program);
  expect([await run.run(5), run.serial, run.machine.resets]).toEqual(['debug-exit', '0002 ', 1]);
  const moved = new DataView(ram(run).buffer, ram(run).byteOffset).getUint32(0x504, true);
  const filled = ram(run).subarray(0x20_0000, 0x30_0000);
  expect(Buffer.compare(filled, new Uint8Array(MiB).fill(1, 0, moved))).toBe(0);
  expect([...(run.machine.memory.iommuDomain?.devices() ?? [])]).toEqual(['dma-engine']);
  expect([...run.machine.memory].map(({ segment, iommu }) => iommu === (segment.kind === 'sysmem'))).not.toContain(
    false,
  );
});
