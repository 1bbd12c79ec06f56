import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { gpa } from '../../memory/index.ts';
import { ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const CODE = 0x9000;
const DATA = 0x5_0000;

function execute(source: string, count = 30): void {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  machine.run(count);
}

beforeEach(() => {
  machine.enter(0);
  machine.accesses.length = 0;
});

describe('an access outside memory', () => {
  it.each([
    ['mov al, [ebx]', 'read', 1, 0xffff_ffff],
    ['mov ax, [ebx]', 'read', 2, 0xffff_ffff],
    ['mov eax, [ebx]', 'read', 4, 0xffff_ffff],
    ['mov [ebx], al', 'write', 1, 0x44],
    ['mov [ebx], ax', 'write', 2, 0x3344],
    ['mov [ebx], eax', 'write', 4, 0x1122_3344],
  ] as const)('%s goes to the host, %s of %i', (source, kind, size, value) => {
    machine.set({ rbx: 0xe000_0003, rax: 0x1122_3344 });
    execute(source);
    const expected = kind === 'read' ? value >>> (32 - 8 * size) : value;
    expect(machine.accesses).toEqual([{ kind, address: 0xe000_0003, size, value: expected }]);
  });

  it('reads and then writes for one that modifies', () => {
    machine.set({ rbx: 0xe000_0000 });
    machine.answer = () => 5;
    execute('add dword [ebx], 3');
    machine.answer = () => 0xffff_ffff;
    expect(machine.accesses.map(({ kind, value }) => [kind, value])).toEqual([
      ['read', 5],
      ['write', 8],
    ]);
  });

  it('may change the memory map: what follows sees the new one', () => {
    const segment = machine.memory.createSegment({ name: 'late', kind: 'devmem', length: 0x1000 });
    segment.bytes[0x10] = 0x5a;
    machine.answer = ({ kind }) => {
      if (kind === 'in') machine.memory.map({ segment, gpa: gpa(0xd000_0000), prot: 'rw-' });
      return 0xff;
    };
    execute('mov cl, [0xd0000010]\n in al, 0x60\n mov bl, [0xd0000010]');
    machine.answer = () => 0xffff_ffff;
    expect([machine.get('rcx') & 0xff, machine.get('rbx') & 0xff]).toEqual([0xff, 0x5a]);
    machine.memory.unmap({ gpa: gpa(0xd000_0000), length: 0x1000 });
    execute('mov dl, [0xd0000010]');
    expect(machine.get('rdx') & 0xff).toBe(0xff);
  });
});

describe('memory that cannot be written', () => {
  it('gives its bytes to reads and hands writes to the host', () => {
    const segment = machine.memory.createSegment({ name: 'rom', kind: 'devmem', length: 0x1000 });
    segment.bytes.set([1, 2, 3, 4]);
    machine.memory.map({ segment, gpa: gpa(0xc000_0000), prot: 'r-x' });
    execute('mov eax, [0xc0000000]\n mov [0xc0000000], ebx\n mov ecx, [0xc0000000]');
    expect([machine.get('rax'), machine.get('rcx')]).toEqual([0x0403_0201, 0x0403_0201]);
    expect(machine.accesses).toEqual([{ kind: 'write', address: 0xc000_0000, size: 4, value: 0 }]);
    machine.memory.unmap({ gpa: gpa(0xc000_0000), length: 0x1000 });
  });
});

describe('a dirty log', () => {
  it('hears of stores, of every page that one of them crosses, and of the bits that page walks set', () => {
    const segment = machine.memory.segment('ram');
    if (segment === undefined) throw new Error('no RAM');
    machine.set32(0x10_0000, 0x10_1003);
    for (let page = 0; page < 1024; page++) machine.set32(0x10_1000 + 4 * page, (page << 12) | 0x63);
    machine.set32(0x10_1000 + 4 * (DATA >> 12), DATA | 3);
    machine.set({ cr3: 0x10_0000, cr0: 0x8000_0011 });
    machine.assemble(CODE, `mov eax, [${DATA}]\n mov [${DATA + 0x3ffe}], eax\n jmp $`);
    using log = machine.memory.dirtyLog(segment);
    log.start();
    machine.set({ rip: CODE });
    machine.run(3);
    expect(log.take().pages).toEqual([0x53, 0x54, 0x100, 0x101]);
  });
});

describe('a dirty log that begins, or is taken, while the guest runs', () => {
  it('hears of stores to pages that the TLB knew as writable before', () => {
    const segment = machine.memory.segment('ram');
    if (segment === undefined) throw new Error('no RAM');
    machine.assemble(CODE, `mov [${DATA}], eax\n jmp ${CODE}`);
    machine.set({ rip: CODE });
    machine.run(2);
    using log = machine.memory.dirtyLog(segment);
    log.start();
    machine.run(2);
    expect(log.take().pages).toEqual([DATA >> 12]);
    machine.run(2);
    expect(log.take().pages).toEqual([DATA >> 12]);
    expect(log.take().pages).toEqual([]);
  });
});

describe('a code page that is also written', () => {
  it('runs what was written last, through the same address and through an alias', () => {
    // Two mappings of one page: 5_0000 itself, and through a page table at 80_0000.
    machine.set32(0x10_0000, 0x83);
    machine.set32(0x10_0008, 0x10_1003);
    machine.set32(0x10_1000, DATA | 3);
    machine.set({ cr4: 0x10, cr3: 0x10_0000, cr0: 0x8000_0011 });
    machine.assemble(DATA, 'mov eax, 1\n ret');
    execute(
      `call ${DATA}\n mov ebx, eax\n mov byte [0x800001], 2\n call ${DATA}\n mov ecx, eax\n mov byte [${DATA + 1}], 3\n call 0x800000`,
    );
    expect([machine.get('rbx'), machine.get('rcx'), machine.get('rax')]).toEqual([1, 2, 3]);
  });

  it('runs what the monitor has written', () => {
    machine.assemble(DATA, 'mov eax, 1\n ret');
    execute(`call ${DATA}`);
    machine.memory.write(gpa(DATA + 1), Uint8Array.of(9));
    execute(`call ${DATA}`);
    expect(machine.get('rax')).toBe(9);
    machine.memory.write(gpa(DATA + 1), Uint8Array.of(10));
    execute(`call ${DATA}`);
    expect(machine.get('rax')).toBe(10);
  });
});
