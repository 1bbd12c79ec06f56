// The interpreter's speed on two loops of 32-bit code, against the npm package `v86` with its JIT off, in one run:
//
//     node bench/engine.mjs [--seconds N] [--json FILE]
//
// Both start from the same ROM of 64 KiB: reset vector, protected mode, a copy of the loop into memory.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINE_RESERVED, WasmEngine } from '../dist/cpu/index.js';
import { ArenaStore, gpa, GuestMemory } from '../dist/memory/index.js';

const MiB = 2 ** 20;
const ROM_SIZE = 0x1_0000;
const LOOP_AT = 0x10_0000;

const dword = (value) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];

const LOOPS = {
  'ALU loop': [
    0xba,
    ...dword(0x1000_0000), // mov edx, 10000000h
    0x01,
    0xd8, // again: add eax, ebx
    0x31,
    0xc1, // xor ecx, eax
    0x4a, // dec edx
    0x75,
    0xf9, // jnz again
    0xeb,
    0xf2, // jmp start
  ],
  '4 MiB read-modify-write sweep': [
    0xbe,
    ...dword(0x40_0000), // mov esi, 400000h
    0xb9,
    ...dword(MiB), // mov ecx, 1048576
    0x01,
    0x06, // again: add [esi], eax
    0x83,
    0xc6,
    0x04, // add esi, 4
    0x49, // dec ecx
    0x75,
    0xf8, // jnz again
    0xeb,
    0xec, // jmp start
  ],
};

/** Our promise, as a ratio to v86's interpreter. */
const PROMISE = 2;

function rom(loop) {
  const bytes = new Uint8Array(ROM_SIZE).fill(0x90);
  const place = (at, ...code) => bytes.set(code.flat(), at);
  place(0xfff0, 0xea, 0x00, 0x00, 0x00, 0xf0); // jmp f000:0000
  place(
    0x0000,
    0xfa, // cli
    [0x2e, 0x0f, 0x01, 0x16, 0x80, 0x00], // lgdt [cs:80h]
    [0x66, 0xb8, ...dword(0x11)], // mov eax, 11h
    [0x0f, 0x22, 0xc0], // mov cr0, eax
    [0x66, 0xea, ...dword(0xf_0040), 0x08, 0x00], // jmp dword 8:f0040h
  );
  place(
    0x0040,
    [0x66, 0xb8, 0x10, 0x00], // mov ax, 10h
    [0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0], // mov ds, ax / es / ss
    [0xbe, ...dword(0xf_0200), 0xbf, ...dword(LOOP_AT)], // mov esi, f0200h / mov edi, LOOP_AT
    [0xb9, ...dword(loop.length), 0xf3, 0xa4], // mov ecx, length / rep movsb
    [0xb8, ...dword(LOOP_AT), 0xff, 0xe0], // mov eax, LOOP_AT / jmp eax
  );
  place(0x0080, 0x17, 0x00, ...dword(0xf_0088));
  place(
    0x0088,
    Array.from({ length: 8 }, () => 0),
    [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0],
    [0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0],
  );
  place(0x0200, loop);
  return bytes;
}

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
