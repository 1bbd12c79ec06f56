// The interpreter's speed on two loops of 32-bit code, against the npm package `v86` with its JIT off, in one run:
//
//     node bench/engine.mjs [--seconds N] [--json FILE]
//
// Both start from the same ROM of 64 KiB: reset vector, protected mode, a copy of the loop into memory.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { assemble, ENGINE_RESERVED, WasmEngine } from '../dist/cpu/index.js';
import { ArenaStore, gpa, GuestMemory } from '../dist/memory/index.js';

const MiB = 2 ** 20;
const ROM_SIZE = 0x1_0000;

const LOOPS = {
  'ALU loop': `
        mov edx, 0x10000000
again:  add eax, ebx
        xor ecx, eax
        dec edx
        jnz again`,
  '4 MiB read-modify-write sweep': `
        mov esi, 0x400000
        mov ecx, 0x100000
again:  add [esi], eax
        add esi, 4
        dec ecx
        jnz again`,
};

/** Our promise, as a ratio to v86's interpreter. */
const PROMISE = 2;

/** A boot ROM that goes to protected mode, copies the loop to 1 MiB and stays in it. */
const rom = (loop) =>
  assemble(`
        org 0
        bits 16
start:  cli
        lgdt [cs:gdtr]
        mov eax, 0x11
        mov cr0, eax
        jmp dword 8:0xf0000 + protected
gdtr:   dw 0x17
        dd 0xf0000 + gdt
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
        bits 32
protected:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esi, 0xf0000 + loop_start
        mov edi, 0x100000
        mov ecx, loop_end - loop_start
        rep movsb
        mov eax, 0x100000
        jmp eax
loop_start: ${loop}
        jmp short loop_start
loop_end:
        times 0xfff0 - ($ - $$) db 0x90
        bits 16
        jmp 0xf000:start
        times 0x10000 - ($ - $$) db 0x90`).bytes;

const IDLE_HOST = {
  portRead: () => 0xff,
  portWrite: () => {},
  mmioRead: () => 0xffff_ffff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => 0,
  timestamp: () => 0,
};

/** Processor time, so that other work on the machine does not count. */
const milliseconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const mips = (instructions, duration) => instructions / duration / 1000;

async function measureSkep(loop, seconds) {
  const store = new ArenaStore({ capacity: ENGINE_RESERVED + 64 * MiB, reserved: ENGINE_RESERVED });
  const memory = new GuestMemory({ store });
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: 16 * MiB });
  const boot = memory.createSegment({ name: 'bootrom', kind: 'devmem', length: ROM_SIZE });
  boot.write(0, rom(loop));
  memory.map({ segment: ram, gpa: gpa(0), length: 0xf_0000, prot: 'rwx' });
  memory.map({ segment: ram, gpa: gpa(MiB), offset: MiB, length: 15 * MiB, prot: 'rwx' });
  memory.map({ segment: boot, gpa: gpa(0xf_0000), prot: 'r-x' });
  memory.map({ segment: boot, gpa: gpa(0xffff_0000), prot: 'r-x' });
  const engine = new WasmEngine({ memory, store, host: IDLE_HOST });
  const runFor = (duration) => {
    const start = milliseconds();
    const before = engine.instructions;
    while (milliseconds() - start < duration) engine.run(engine.instructions + 1_000_000);
    return mips(engine.instructions - before, milliseconds() - start);
  };
  runFor(1000);
  return runFor(seconds * 1000);
}

const sleep = (duration) => new Promise((resolve) => setTimeout(resolve, duration));

async function measureV86(loop, seconds) {
  const build = dirname(createRequire(import.meta.url).resolve('v86'));
  const { V86 } = await import(join(build, 'libv86.mjs'));
  const emulator = new V86({
    wasm_path: join(build, 'v86.wasm'),
    bios: { buffer: rom(loop).buffer },
    memory_size: 16 * MiB,
    disable_jit: true,
    autostart: false,
    disable_speaker: true,
    fastboot: true,
  });
  await new Promise((resolve) => emulator.add_listener('emulator-loaded', resolve));
  emulator.run();
  await sleep(1500);
  const start = milliseconds();
  const before = emulator.get_instruction_counter();
  await sleep(seconds * 1000);
  const after = emulator.get_instruction_counter();
  const speed = mips((after - before) >>> 0, milliseconds() - start);
  await emulator.destroy();
  return speed;
}

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '2' }, json: { type: 'string' } },
});
const seconds = Number(options.seconds);
const results = [];
for (const [name, loop] of Object.entries(LOOPS)) {
  const skep = await measureSkep(loop, seconds);
  const v86 = await measureV86(loop, seconds);
  const ratio = skep / v86;
  results.push({ name, skep, v86, ratio, promise: PROMISE, kept: ratio >= PROMISE });
  const verdict = ratio >= PROMISE ? 'PASS' : 'FAIL';
  console.log(
    `${name}: skep ${skep.toFixed(0)} MIPS, v86 ${v86.toFixed(0)} MIPS, ratio ${ratio.toFixed(2)} (at least ${PROMISE}) ${verdict}`,
  );
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
process.exit(results.every(({ kept }) => kept) ? 0 : 1);
