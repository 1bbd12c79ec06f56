import { expect, test } from 'vitest';
import { ArenaStore, gpa, GuestMemory } from '../../memory/index.ts';
import type { EngineHost } from '../engine.ts';
import { ENGINE_RESERVED, WasmEngine } from './engine.ts';

const RAM = 0x20_0000;

const SILENT: EngineHost = {
  portRead: () => 0xff,
  portWrite: () => {},
  mmioRead: () => 0xffff_ffff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => 0xff,
  timestamp: () => 0,
};

/** A processor with 2 MiB of memory, and `code` at address 0x1000 where it is about to run. */
function machine(code: readonly number[], host: Partial<EngineHost> = {}) {
  const store = new ArenaStore({ capacity: ENGINE_RESERVED + 0x100_0000, reserved: ENGINE_RESERVED });
  const memory = new GuestMemory({ store });
  const ram = memory.createSegment({ name: 'ram', kind: 'sysmem', length: RAM });
  memory.map({ segment: ram, gpa: gpa(0), prot: 'rwx' });
  ram.bytes.set(code, 0x1000);
  const engine = new WasmEngine({ memory, store, host: { ...SILENT, ...host } });
  engine.setRegister('cs', 0n);
  engine.setRegister('cs.base', 0n);
  engine.setRegister('rip', 0x1000n);
  engine.setRegister('rsp', 0x8000n);
  return { memory, ram, engine };
}

/** The same in flat 32-bit protected mode. */
function flatMachine(code: readonly number[], host: Partial<EngineHost> = {}) {
  const all = machine(code, host);
  for (const name of ['cs', 'ss', 'ds', 'es']) {
    all.engine.setRegister(name, name === 'cs' ? 8n : 16n);
    all.engine.setRegister(`${name}.base`, 0n);
    all.engine.setRegister(`${name}.limit`, 0xffff_ffffn);
    all.engine.setRegister(`${name}.attributes`, name === 'cs' ? 0xc09bn : 0xc093n);
  }
  all.engine.setRegister('cr0', 0x11n);
  return all;
}

test('the state after a reset is that of the manual', () => {
  const { engine } = machine([]);
  engine.reset();
  expect(engine.register('rip')).toBe(0xfff0n);
  expect(engine.register('cs.base')).toBe(0xffff_0000n);
  expect(engine.register('rflags')).toBe(2n);
  expect(engine.register('cr0')).toBe(0x6000_0010n);
});

test('a real-mode loop counts every instruction and halts', () => {
  // mov cx,10 / l: inc ax / loop l / hlt
  const { engine } = machine([0xb9, 10, 0, 0x40, 0xe2, 0xfd, 0xf4]);
  expect(engine.run(1000)).toBe('halt');
  expect(engine.register('rax')).toBe(10n);
  expect(engine.register('rcx')).toBe(0n);
  expect(engine.instructions).toBe(1 + 20 + 1);
});

test('a flat 32-bit loop over memory runs, and the limit stops it at a block boundary', () => {
  // mov ebx,0x10000 / l: add dword [ebx],3 / inc eax / cmp eax,100 / jne l / hlt
  const code = [0xbb, 0, 0, 1, 0, 0x83, 0x03, 3, 0x40, 0x83, 0xf8, 100, 0x75, 0xf7, 0xf4];
  const { engine, ram } = flatMachine(code);
  expect(engine.run(50)).toBe('limit');
  expect(engine.instructions).toBe(53);
  expect(engine.run(10_000)).toBe('halt');
  expect([...ram.bytes.subarray(0x10000, 0x10002)]).toEqual([300 & 0xff, 300 >> 8]);
  expect(engine.instructions).toBe(1 + 400 + 1);
});

test('calls and returns cross pages', () => {
  const { engine, ram } = flatMachine([0xe8, 0xfb, 0x0f, 0, 0, 0x40, 0xf4]);
  ram.bytes.set([0xb8, 41, 0, 0, 0, 0xc3], 0x2000);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rax')).toBe(42n);
  expect(engine.register('rsp')).toBe(0x8000n);
  expect(engine.instructions).toBe(5);
});

test('an instruction that crosses a page is executed', () => {
  const { engine, ram } = flatMachine([0xe9, 0xf8, 0x0f, 0, 0]); // jmp 0x1ffd
  ram.bytes.set([0xb8, 1, 2, 3, 4, 0xf4], 0x1ffd);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rax')).toBe(0x0403_0201n);
});

test('a store to the next instruction shows at once', () => {
  // mov byte [0x1008],0x41 (7 bytes) / nop / inc eax -> inc ecx / hlt
  const { engine } = flatMachine([0xc6, 0x05, 8, 0x10, 0, 0, 0x41, 0x90, 0x40, 0xf4]);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rax')).toBe(0n);
  expect(engine.register('rcx')).toBe(1n);
});

test('a write by the monitor to decoded code shows at the next run', () => {
  const { engine, memory } = flatMachine([0x40, 0xf4]);
  expect(engine.run(100)).toBe('halt');
  expect(memory.write(gpa(0x1000), Uint8Array.of(0x41))).toBe(true);
  engine.setRegister('halted', 0n);
  engine.setRegister('rip', 0x1000n);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rcx')).toBe(1n);
});

test('data beside code in one page is written without touching the code', () => {
  // mov ecx,1000 / l: inc dword [0x1f00] / loop l / hlt
  const { engine, ram } = flatMachine([0xb9, 0xe8, 3, 0, 0, 0xff, 0x05, 0, 0x1f, 0, 0, 0xe2, 0xf8, 0xf4]);
  expect(engine.run(100_000)).toBe('halt');
  expect([...ram.bytes.subarray(0x1f00, 0x1f02)]).toEqual([1000 & 0xff, 1000 >> 8]);
});

test('REP MOVSB with overlap replicates, and REP STOSD fills over page borders', () => {
  // mov esi,0x10000 / mov edi,0x10001 / mov ecx,20000 / rep movsb / mov edi,0x20002 / mov ecx,5000 / rep stosd / hlt
  const code = [0xbe, 0, 0, 1, 0, 0xbf, 1, 0, 1, 0, 0xb9, 0x20, 0x4e, 0, 0, 0xf3, 0xa4];
  code.push(0xbf, 2, 0, 2, 0, 0xb9, 0x88, 0x13, 0, 0, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xf3, 0xab, 0xf4);
  const { engine, ram } = flatMachine(code);
  ram.bytes[0x10000] = 7;
  expect(engine.run(1_000_000)).toBe('halt');
  expect(ram.bytes.subarray(0x10000, 0x10000 + 20001).every((byte) => byte === 7)).toBe(true);
  expect(ram.bytes[0x10000 + 20001]).toBe(0);
  const words = new DataView(ram.bytes.buffer, ram.bytes.byteOffset + 0x20002);
  for (let index = 0; index < 5000; index++) expect(words.getUint32(index * 4, true)).toBe(0x1234_5678);
  expect(ram.bytes[0x20001]).toBe(0);
  expect(ram.bytes[0x20002 + 20000]).toBe(0);
  expect(engine.instructions).toBe(3 + 20000 + 3 + 5000 + 1);
});

test('a repeated string instruction stops at the limit and goes on', () => {
  const { engine } = flatMachine([0xbf, 0, 0, 1, 0, 0xb9, 0, 0, 1, 0, 0xf3, 0xaa, 0xf4]);
  expect(engine.run(1000)).toBe('limit');
  expect(engine.register('rip')).toBe(0x100an);
  expect(Number(engine.register('rcx'))).toBeLessThan(0x10000);
  expect(engine.run(1_000_000)).toBe('halt');
  expect(engine.register('rdi')).toBe(0x20000n);
});

test('INT goes through the interrupt vector table and IRET comes back', () => {
  const { engine, ram } = machine([0xcd, 0x21, 0x40, 0xf4]);
  ram.bytes.set([0x00, 0x20, 0x00, 0x00], 0x21 * 4);
  ram.bytes.set([0xb3, 9, 0xcf], 0x2000);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rbx')).toBe(9n);
  expect(engine.register('rax')).toBe(1n);
});

test('an interrupt is taken between blocks once STI lets it, after one more instruction', () => {
  const { engine, ram } = machine([0xfb, 0x40, 0x40, 0xf4], { acknowledgeInterrupt: () => 0x20 });
  ram.bytes.set([0x00, 0x20, 0x00, 0x00], 0x20 * 4);
  ram.bytes.set([0x89, 0xc3, 0xf4], 0x2000); // mov bx,ax / hlt
  engine.setInterruptLine(true);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rbx')).toBe(1n);
});

test('an undefined opcode raises #UD where it stands', () => {
  const { engine, ram } = machine([0x40, 0x0f, 0x04, 0xf4]);
  ram.bytes.set([0x00, 0x20, 0x00, 0x00], 6 * 4);
  ram.bytes.set([0x58, 0xf4], 0x2000); // pop ax
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rax')).toBe(0x1001n);
});

test('sixteen bytes are too many for one instruction', () => {
  const { engine, ram } = machine([...Array.from({ length: 15 }, () => 0x66), 0x90]);
  ram.bytes.set([0x00, 0x20, 0x00, 0x00], 13 * 4);
  ram.bytes.set([0xf4], 0x2000);
  expect(engine.run(100)).toBe('halt');
  expect(engine.register('rip')).toBe(0x2001n);
});

test('a triple fault shuts the processor down until it is reset', () => {
  const { engine } = flatMachine([0x0f, 0x0b]);
  engine.setRegister('idtr.limit', 0n);
  expect(engine.run(100)).toBe('shutdown');
  expect(engine.run(100)).toBe('shutdown');
});

test('ports reach the host with their size', () => {
  const seen: [number, number, number][] = [];
  const { engine } = machine([0xb0, 0x41, 0xe6, 0x80, 0xba, 0xf8, 3, 0xed, 0xf4], {
    portWrite: (port, size, value) => seen.push([port, size, value]),
    portRead: (port, size) => port + size,
  });
  expect(engine.run(100)).toBe('halt');
  expect(seen).toEqual([[0x80, 1, 0x41]]);
  expect(engine.register('rax')).toBe(0x3fan);
});

test('the single-step trap comes after each instruction', () => {
  const { engine, ram } = machine([0x40, 0x40, 0x40, 0xf4]);
  ram.bytes.set([0x00, 0x20, 0x00, 0x00], 1 * 4);
  ram.bytes.set([0x43, 0xcf], 0x2000); // inc bx / iret
  engine.setRegister('rflags', 0x102n);
  engine.run(9);
  expect(engine.register('rax')).toBe(3n);
  expect(engine.register('rbx')).toBe(3n);
});
