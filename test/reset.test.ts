import { describe, expect, test, vi } from 'vitest';
import { TimerQueue } from '../src/base/clock.ts';
import { Emitter } from '../src/base/emitter.ts';
import { ArenaStore, assemble, GuestMemory } from '../src/index.ts';
import { MachineRun } from './machine-run.ts';
import { collectGarbage } from './nodes/garbage.ts';

/** Counts its starts in RAM, moves the framebuffer, and resets itself by another way each time; then powers off. */
const GUEST = `
        org 0
        bits 16
start:  xor ax, ax
        mov ds, ax
        inc byte [0x500]
        mov al, '0'
        add al, [0x500]
        mov dx, 0x3f8
        out dx, al
        mov ecx, 0x80001010
        mov eax, 0xe0000000
        call config
        mov ecx, 0x80001004
        mov eax, 2
        call config
        mov ecx, 0x80000058
        mov eax, 0x00330000
        call config
        mov bl, [0x500]
        cmp bl, 1
        je reset_control
        cmp bl, 2
        je port_92
        cmp bl, 3
        je keyboard
        mov ecx, 0x80000b40
        mov eax, 0x601
        call config
        mov ecx, 0x80000b80
        mov eax, 1
        call config
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        jmp $

reset_control:
        mov dx, 0xcf9
        mov al, 6
        out dx, al
        jmp $
port_92:
        mov al, 1
        out 0x92, al
        jmp $
keyboard:
        mov al, 0xfe
        out 0x64, al
        jmp $

config: mov dx, 0xcf8
        xchg eax, ecx
        out dx, eax
        xchg eax, ecx
        mov dx, 0xcfc
        out dx, eax
        ret

        times 0xfff0 - ($ - $$) db 0x90
        jmp 0xf000:0
        times 0x10000 - ($ - $$) db 0
`;

const pieces = ({ machine }: MachineRun): string[] =>
  Array.from(machine.memory, ({ segment, gpa, prot }) => `${segment.name} ${gpa.toString(16)} ${prot}`);

const AT_POWER_ON = ['ram 0 rwx', 'bootrom f0000 r-x', 'ram 100000 rwx', 'bootrom ffff0000 r-x'];

describe('a reset', () => {
  test('by CF9h, by port 92h and by the keyboard controller starts the machine anew and keeps RAM', async () => {
    using run = new MachineRun({ bootRom: assemble(GUEST).bytes, display: { width: 640, height: 480 } });
    expect(await run.run(5)).toBe('power-off');
    expect(run.serial).toBe('1234');
    expect(run.machine.engine.instructions).toBeGreaterThan(100);
  });

  test('drops device memory from the map, shows the boot ROM again, and undoes PAM', async () => {
    using run = new MachineRun({ bootRom: assemble(GUEST).bytes, display: { width: 640, height: 480 } });
    expect(pieces(run)).toEqual(AT_POWER_ON);
    await run.run(5);
    expect(pieces(run)).toContain('framebuffer e0000000 rw-');
    expect(pieces(run)).toContain('ram c0000 rwx');
    const framebuffer = run.machine.memory.segment('framebuffer');
    framebuffer?.write(0, Uint8Array.of(1, 2, 3));
    run.machine.reset();
    expect(pieces(run)).toEqual(AT_POWER_ON);
    expect([...(framebuffer?.bytes.subarray(0, 3) ?? [])]).toEqual([1, 2, 3]);
    expect(run.machine.memory.segment('framebuffer')).toBe(framebuffer);
  });

  test('between two runs starts the guest from its reset vector', async () => {
    using run = new MachineRun({ bootRom: assemble(GUEST).bytes, display: { width: 640, height: 480 } });
    await run.run(5);
    run.machine.reset();
    expect(await run.run(5)).toBe('power-off');
    expect(run.serial).toBe('12345');
  });

  test('a thousand times leaves nothing: no segment, mapping, observer, timer, byte of the store, nor heap', async () => {
    let store: ArenaStore | undefined;
    using run = new MachineRun(
      { bootRom: assemble(GUEST).bytes, display: { width: 640, height: 480, optionRom: new Uint8Array(4096) } },
      { makeArena: (request) => (store = new ArenaStore(request)) },
    );
    const { machine } = run;
    const made = [
      vi.spyOn(GuestMemory.prototype, 'observe'),
      vi.spyOn(GuestMemory.prototype, 'createSegment'),
      vi.spyOn(TimerQueue.prototype, 'timer'),
      vi.spyOn(Emitter.prototype, 'on'),
    ];
    const facts = (): unknown => [pieces(run), Array.from(machine.memory.segments(), ({ id }) => id), store?.used];
    /** What a guest does to the map, and a reset. */
    const round = (): void => {
      for (const [register, value] of [
        [0x1010, 0xe000_0000],
        [0x1018, 0xd000_0000],
        [0x1030, 0xc800_0001],
        [0x1004, 2],
        [0x1010, 0],
        [0x0058, 0x0033_0000],
      ] as const) {
        machine.ports.write(0xcf8, 4, 0x8000_0000 + register);
        machine.ports.write(0xcfc, 4, value);
      }
      machine.reset();
      run.trace.length = 0;
    };
    const heapAfter = async (rounds: number): Promise<number> => {
      for (let count = 0; count < rounds; count++) round();
      await collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const warm = await heapAfter(500);
    const before = facts();
    made.forEach((spy) => spy.mockClear());
    const growth = (await heapAfter(1000)) - warm;
    expect([machine.resets, facts()]).toEqual([1500, before]);
    expect(made.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 0]);
    made.forEach((spy) => spy.mockRestore());
    // 500 bytes for each reset. What the engine of the language itself keeps varies by half of that.
    expect(growth).toBeLessThan(500_000);
    expect(await run.run(5)).toBe('power-off');
  });
});
