import { describe, expect, test } from 'vitest';
import { gpa } from '../src/index.ts';
import { runKernel } from './multiboot-kernel.ts';

const LATE = 0x10_3000;
const MICROSECOND = 1000;

/** Sets a deadline of 50 us, and says at LATE how late its interrupt came, by the time-stamp counter. */
const kernel = (before: string, after: string): string => `
LOCAL    equ 0xfee00000
TABLE    equ 0x102000
LATE     equ ${LATE}
DEADLINE equ 0x103010

main:   mov eax, timer
        mov [TABLE + 8 * 0x40], ax
        mov word [TABLE + 8 * 0x40 + 2], 0x10
        mov word [TABLE + 8 * 0x40 + 4], 0x8e00
        shr eax, 16
        mov [TABLE + 8 * 0x40 + 6], ax
        lidt [pointer]
        mov dword [LOCAL + 0xf0], 0x1ff
        mov dword [LOCAL + 0x320], 0x40040
        ${before}
        rdtsc
        add eax, 50000
        adc edx, 0
        mov [DEADLINE], eax
        mov [DEADLINE + 4], edx
        mov ecx, 0x6e0
        wrmsr
        ${after}
        sti
.wait:  hlt
        jmp .wait

timer:  rdtsc
        sub eax, [DEADLINE]
        sbb edx, [DEADLINE + 4]
        mov [LATE], eax
        mov [LATE + 4], edx
        mov al, 0
        out 0xf4, al

pointer: dw 0x7ff
        dd TABLE
`;

const write = (msr: number, high: number, low: number): string =>
  `mov ecx, ${msr}\n mov edx, ${high}\n mov eax, ${low}\n wrmsr`;
const TSC = 0x10;
const ADJUST = 0x3b;

describe('a deadline by the time-stamp counter', () => {
  test.each<[string, before: string, after: string, expected: number]>([
    ['as it is', '', '', 50],
    ['that has been set to 0', write(TSC, 0, 0), '', 50],
    ['that has been set far ahead', write(TSC, 0xffff, 0xffff_fff0), '', 50],
    ['that has been set ahead by adjusting', write(ADJUST, 0x100, 0), '', 50],
    ['that has been set back by adjusting', write(ADJUST, 0xffff_ffff, 0xffff_0000), '', 50],
    ['that is set forward while it runs', '', write(ADJUST, 0, 30_000), 20],
    ['that is set back while it runs', write(ADJUST, 0, 60_000), write(ADJUST, 0, 30_000), 80],
    ['that is set to 0 while it runs', write(TSC, 0, 1_000_000), write(TSC, 0, 0), 1050],
  ])('%s comes in its time', async (_name, before, after, microseconds) => {
    using run = runKernel(kernel(before, after));
    expect(await run.run(1)).toBe('debug-exit');
    const late = new DataView(new ArrayBuffer(8));
    run.machine.memory.read(gpa(LATE), new Uint8Array(late.buffer));
    expect(Number(late.getBigInt64(0, true))).toBeGreaterThanOrEqual(0);
    expect(Number(late.getBigInt64(0, true))).toBeLessThan(MICROSECOND);
    expect(run.machine.now()).toBeGreaterThanOrEqual(microseconds * MICROSECOND);
    expect(run.machine.now()).toBeLessThan((microseconds + 2) * MICROSECOND);
  });

  test('that the counter is set beyond has passed', async () => {
    using run = runKernel(kernel('', write(TSC, 0x8000_0000, 0)));
    expect(await run.run(1)).toBe('debug-exit');
    expect(run.machine.now()).toBeLessThan(3 * MICROSECOND);
  });
});
