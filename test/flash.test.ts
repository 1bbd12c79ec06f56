import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gpa } from '../src/index.ts';
import { ENTER_FLAT, romOf } from './boot-rom.ts';
import { until } from './control/controlled-machine.ts';
import { MachineRun } from './machine-run.ts';
import { hostTest, nodesTest } from './nodes/host-needs.ts';
import { temporaryFolder } from './nodes/process-facts.ts';
import { Random, SEED } from './random.ts';
import { SkepRun } from './soak/skep-run.ts';
import { IS_NIGHT } from './night.ts';

const LENGTH = 4096;

/** A boot ROM whose code runs in protected mode, flat; `VARS` is where the variables' chip is, `CODE` the ROM's own. */
function guest(code: string): Uint8Array {
  return romOf(`${ENTER_FLAT}
CODE    equ 0xffff0000
VARS    equ CODE - ${LENGTH}
${code}
        jmp $
say:    mov dx, 0x3f8
        out dx, al
        ret
off:    mov dx, 0xcf8
        mov eax, 0x80000b40
        out dx, eax
        mov dx, 0xcfc
        mov eax, 0x601
        out dx, eax
        mov dx, 0xcf8
        mov eax, 0x80000b80
        out dx, eax
        mov dx, 0xcfc
        mov al, 1
        out dx, al
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
`);
}

const erased = (): Uint8Array => new Uint8Array(LENGTH).fill(0xff);

/** Says what stands first in the chip, clears its lowest bit that is set, and powers off. */
const COUNTER = `
        mov al, [VARS]
        call say
        shl al, 1
        mov byte [VARS], 0x40
        mov [VARS], al
        mov byte [VARS], 0xff
        call off
`;

describe('a guest', () => {
  test('reads the variables’ chip as memory, programs it by commands, and the trace shows both', async () => {
    const variables = erased();
    using run = new MachineRun({ bootRom: guest(COUNTER), variables });
    expect(await run.run(1)).toBe('power-off');
    expect(run.serial.charCodeAt(0)).toBe(0xff);
    expect(run.machine.memory.segment('vars')?.bytes[0]).toBe(0xfe);
    expect(variables[0]).toBe(0xff);
    expect(run.trace.slice(1).map((line) => line.replace(/^\S+ +/, ''))).toEqual([
      'store fffef000 = 40:  -vars fffef000-fffeffff r--',
      'store fffef000 = ff:  +vars fffef000-fffeffff r--',
    ]);
  });

  test('finds after a reset what it has programmed', async () => {
    using run = new MachineRun({ bootRom: guest(COUNTER), variables: erased() });
    for (const expected of [0xff, 0xfe, 0xfc, 0xf8]) {
      await run.run(1);
      expect(run.serial.charCodeAt(run.serial.length - 1)).toBe(expected);
      run.machine.reset();
    }
  });

  test('is refused a change of its code, with the status of a locked block, and the code runs on', async () => {
    const rom = guest(`
        mov byte [CODE], 0x50
        mov byte [CODE], 0x10
        mov byte [CODE], 0
        mov al, [CODE]
        mov byte [CODE], 0x50
        mov byte [CODE + 0x2000], 0x20
        mov byte [CODE + 0x2000], 0xd0
        mov ah, [CODE]
        mov byte [CODE], 0xff
        call say
        mov al, ah
        call say
        call off
`);
    using run = new MachineRun({ bootRom: rom, variables: erased() });
    expect(await run.run(1)).toBe('power-off');
    expect(Array.from(run.serial, (character) => character.charCodeAt(0))).toEqual([0x92, 0xa2]);
    expect(Buffer.compare(run.machine.memory.segment('bootrom')!.bytes, rom)).toBe(0);
    expect(run.trace.at(-1)).toContain('+bootrom ffff0000-ffffffff r-x');
  });

  test('that executes a chip while it shows something else executes that', async () => {
    const rom = guest(`
        jmp CODE + there - 0xf0000
there:  mov byte [CODE], 0x70
`);
    using run = new MachineRun({ bootRom: rom, variables: erased() });
    // Of a status of 80h each instruction is ADD BYTE [EAX + 80808080h], 80h, and nothing is there.
    await run.run(0.001);
    expect(run.machine.memory.at(gpa(0xffff_0000))).toBeUndefined();
    expect(run.machine.mmio.unclaimedWrites).toBeGreaterThan(0);
  });
});

const ROUNDS = IS_NIGHT ? 100 : 6;
const temporary = temporaryFolder();

/** Programs the whole chip, byte by byte from its beginning, to FEh, FCh, and on to 80h, erases it, and so on for ever. */
const WRITER = `
pass:   mov bl, 0xff
next:   shl bl, 1
        jz erase
        mov esi, VARS
.byte:  mov byte [esi], 0x10
        mov [esi], bl
        inc esi
        cmp esi, CODE
        jne .byte
        mov byte [VARS], 0xff
        jmp next
erase:  mov byte [VARS], 0x20
        mov byte [VARS], 0xd0
        mov byte [VARS], 0xff
        jmp pass
`;
const PASSES = [0xff, 0xfe, 0xfc, 0xf8, 0xf0, 0xe0, 0xc0, 0x80];

/** Whether that chip had these bytes at some moment: those of a pass, then those of the pass before. */
function isMoment(bytes: Uint8Array): boolean {
  const pass = PASSES.indexOf(bytes[0] ?? 0);
  const rest = bytes.findIndex((byte) => byte !== bytes[0]);
  if (pass < 0 || bytes.length !== LENGTH) return false;
  return rest < 0 || (pass > 0 && bytes.subarray(rest).every((byte) => byte === PASSES[pass - 1]));
}

/** A folder with a boot ROM and erased variables. */
function files(): { folder: string; rom: string; vars: string } {
  const folder = mkdtempSync(join(temporary, 'flash-'));
  const [rom, vars] = [join(folder, 'rom'), join(folder, 'vars')];
  writeFileSync(rom, guest(WRITER));
  writeFileSync(vars, erased());
  return { folder, rom, vars };
}

const start = ({ folder, rom, vars }: ReturnType<typeof files>): SkepRun => {
  const args = ['--bootrom', `${rom},vars=${vars}`, '--memory', '4M', '--framebuffer', 'off', '--serial', 'off'];
  return new SkepRun(join(folder, 'run'), 'vm', args);
};

describe('the variables’ file', () => {
  test('is what the chip was at one moment, and known for what it is not', () => {
    const moment = erased().fill(0xfe, 0, 100);
    expect([isMoment(erased()), isMoment(moment), isMoment(moment.subarray(1))]).toEqual([true, true, false]);
    expect(isMoment(erased().fill(0xfc, 0, 100))).toBe(false);
    expect(isMoment(erased().fill(0xfe, 100, 200))).toBe(false);
  });

  nodesTest(`has the chip’s bytes of one moment whenever the process is killed (seed ${SEED})`, async () => {
    const there = files();
    const seen = new Set<string>();
    const random = new Random(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      using victim = start(there);
      if (round % 2 === 0) await victim.up();
      await new Promise((resume) => setTimeout(resume, random.below(300)));
      victim.child.kill('SIGKILL');
      await victim.ended;
      const bytes = readFileSync(there.vars);
      expect(isMoment(bytes)).toBe(true);
      seen.add(bytes.toString('latin1'));
    }
    expect(seen.size).toBeGreaterThan(1);
    using last = await start(there).up();
    last.child.kill('SIGTERM');
    expect((await last.ended).status).toBe(130);
    expect(isMoment(readFileSync(there.vars))).toBe(true);
    expect(readdirSync(there.folder).sort()).toEqual(['rom', 'run', 'vars']);
  });

  hostTest('stays as it was when the disk is full, which is told', ['nodes', 'prlimit'], async () => {
    const there = files();
    using vm = await start(there).up();
    using client = vm.client();
    expect(spawnSync('prlimit', ['--pid', `${vm.child.pid}`, '--fsize=512']).status).toBe(0);
    await until(() => /as it was/.test(vm.stderr));
    const before = readFileSync(there.vars);
    await client.stop();
    const { status, stderr } = await vm.ended;
    const sentence = `skep: cannot write '${there.vars}': the file is larger than it may be`;
    expect(stderr.split('\n').filter((line) => line.startsWith('skep: cannot'))).toEqual([
      `${sentence}; it is as it was`,
      sentence,
    ]);
    expect(status).toBe(2);
    expect(Buffer.compare(readFileSync(there.vars), before)).toBe(0);
    expect(isMoment(before)).toBe(true);
    expect(readdirSync(there.folder).sort()).toEqual(['rom', 'run', 'vars']);
  });
});
