import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';

/** Set in continuous integration: what is missing is a failure there. */
const NOTHING_MAY_BE_SKIPPED = process.env['SKEP_TEST_EVERYTHING'] === '1';

/** Tests that run code on this machine's processor. Where they cannot, the name says so and why. */
export function hostProcessorTests(name: string, tests: () => void): void {
  const why = unavailability();
  if (why === undefined) describe(name, tests);
  else if (NOTHING_MAY_BE_SKIPPED) test(name, () => Promise.reject(new Error(why)));
  else test.skip(`${name} [skipped: ${why}]`, tests);
}

/** Why code cannot be run on the processor of this machine, or undefined when it can. */
function unavailability(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it takes Linux on an x86-64 processor';
  if (!/\bcmov\b.*\bcx8\b|\bcx8\b.*\bcmov\b/.test(readFileSync('/proc/cpuinfo', 'latin1')))
    return '/proc/cpuinfo names no processor with CMOV and CMPXCHG8B';
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROBE], { encoding: 'utf8' });
  if (status === 0) return undefined;
  return /koffi/.test(stderr)
    ? 'it takes the optional package koffi'
    : 'this kernel does not let a 64-bit process run 32-bit code';
}

/**
 * Jumps to the 32-bit code segment and back, in a process that may die of it:
 * push rbx / mov r8, rsp / jmp far [0x71000100]; in 32-bit code jmp 0x33:0x71000300; mov rsp, r8 / pop rbx / ret.
 */
const PROBE = `
import koffi from 'koffi';
const mmap = koffi.load('libc.so.6').func('uint64_t mmap(uint64_t, size_t, int, int, int, int64_t)');
if (Number(mmap(0x71000000, 4096, 7, 0x100022, -1, 0)) !== 0x71000000) process.exit(1);
const page = new Uint8Array(koffi.view(0x71000000n, 4096));
page.set([0x53, 0x49, 0x89, 0xe0, 0xff, 0x2c, 0x25, 0x00, 0x01, 0x00, 0x71]);
page.set([0x00, 0x02, 0x00, 0x71, 0x23, 0x00], 0x100);
page.set([0xea, 0x00, 0x03, 0x00, 0x71, 0x33, 0x00], 0x200);
page.set([0x4c, 0x89, 0xc4, 0x5b, 0xc3], 0x300);
koffi.call(0x71000000n, koffi.proto('int Probe()'));
`;
