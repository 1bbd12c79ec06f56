import { describe, expect, test } from 'vitest';
import { gpa } from '../../memory/index.ts';
import { BareMachine } from './bare-machine.ts';
import { FlatMachine } from './flat-machine.ts';

const { start: CODE } = FlatMachine;

test('a store through an alias of a code page shows at once', () => {
  using machine = new FlatMachine(`
    call target
    mov byte [0x2002000], 0x41   ; inc ecx, written through the alias
    call target
    hlt
    times 0x1000 - ($ - $$) db 0x90
  target:
    inc eax
    ret`);
  const ram = machine.memory.segment('ram')!;
  machine.memory.map({ segment: ram, gpa: gpa(0x200_0000), length: 0x10000, prot: 'rwx' });
  expect(machine.run(100)).toBe('halt');
  expect(machine.get('rax')).toBe(1);
  expect(machine.get('rcx')).toBe(1);
});

test('an instruction may overwrite itself: it is finished, and new the next time', () => {
  using machine = new FlatMachine(`
    mov edx, 2
  again:
  self:
    mov dword [self], 0x90909090
    nop
    inc ebx
    dec edx
    jnz again
    hlt`);
  expect(machine.run(100)).toBe('halt');
  expect(machine.get('rbx')).toBe(2);
  expect(machine.u32(CODE + 5)).toBe(0x9090_9090);
});

test('REP MOVSB over the code behind it takes effect when it is reached', () => {
  using machine = new FlatMachine(`
    mov esi, patch
    mov edi, behind
    mov ecx, 2
    rep movsb
  behind:
    inc eax
    inc eax
    hlt
  patch:
    inc ecx
    inc ebx`);
  expect(machine.run(100)).toBe('halt');
  expect([machine.get('rax'), machine.get('rcx'), machine.get('rbx')]).toEqual([0, 1, 1]);
});

test('a stack in the page of the code neither breaks nor drops it', () => {
  using machine = new FlatMachine(`
    mov esp, 0x1ff0
    mov ecx, 1000
  again:
    push ecx
    pop edx
    add eax, edx
    dec ecx
    jnz again
    hlt`);
  expect(machine.run(10_000)).toBe('halt');
  expect(machine.get('rax')).toBe(500_500);
});

test('a linked loop notices the code of its own page change under it', () => {
  using machine = new FlatMachine(`
    xor edx, edx
  again:
    inc eax
    cmp eax, 5
    jne again
    mov byte [patched], 0x43     ; inc ebx
    cmp ebx, 3
  patched:
    inc edx
    cmp ebx, 3
    jne again2
    hlt
  again2:
    jmp patched`);
  expect(machine.run(1000)).toBe('halt');
  expect([machine.get('rax'), machine.get('rbx'), machine.get('rdx')]).toEqual([5, 3, 0]);
});

test('code that does not fit into the cache runs all the same, with the same count', () => {
  const length = 0x100_0000;
  using machine = new FlatMachine('jmp 0x100000', length);
  const nops = 0x40_0000;
  machine.load(0x10_0000, new Uint8Array(nops).fill(0x90));
  machine.assemble(0x10_0000 + nops, 'inc eax\n cmp eax, 3\n jne 0x100000\n hlt');
  expect(machine.run(100_000_000)).toBe('halt');
  expect(machine.engine.instructions).toBe(1 + 3 * (nops + 3) + 1);
});

test('real-mode code runs in a page that its segment begins within', () => {
  using machine = new BareMachine();
  machine.assemble(0x7c00, 'mov cx, 10\nagain: inc ax\nloop again\nhlt', 16);
  machine.set({ cs: 0x7c0, 'cs.base': 0x7c00, rip: 0 });
  expect(machine.run(100)).toBe('halt');
  expect(machine.get('rax')).toBe(10);
  expect(machine.get('rip')).toBe(machine.get('rip') & 0xff);
});

test('running past the limit of the code segment raises #GP at the instruction that does not fit', () => {
  using machine = new BareMachine();
  machine.load(0x1fffe, [0x40, 0xb8, 0x11, 0x22]); // inc ax / mov ax, 2211h, cut by the limit
  machine.set16(13 * 4, 0x3000);
  machine.load(0x3000, [0x5b, 0xf4]); // pop bx / hlt
  machine.set({ cs: 0x1000, 'cs.base': 0x10000, rip: 0xfffe, rsp: 0x8000 });
  expect(machine.run(100)).toBe('halt');
  expect(machine.get('rbx')).toBe(0xffff);
  expect(machine.get('rax')).toBe(1);
});

test('a page that is not memory can be executed through the host', () => {
  using machine = new FlatMachine('jmp 0x3000000');
  const program = [0x40, 0x40, 0xf4];
  machine.answer = ({ address }) => program[address - 0x300_0000] ?? 0xff;
  expect(machine.run(100)).toBe('halt');
  expect(machine.get('rax')).toBe(2);
});

test('the count does not depend on how often the run is interrupted', () => {
  const source = `
    mov ecx, 200
  again:
    add eax, ecx
    test al, 1
    jz even
    inc ebx
  even:
    loop again
    hlt`;
  const counts = [1, 2, 3, 7, 100_000].map((slice) => {
    using machine = new FlatMachine(source);
    while (machine.run(slice) === 'limit');
    return [machine.engine.instructions, machine.get('rax'), machine.get('rbx')];
  });
  for (const count of counts) expect(count).toEqual(counts[0]);
});

test.each([
  ['word', 'mov word [target - 1], 0x4100'],
  ['doubleword', 'mov dword [target - 3], 0x41000000'],
  ['quadword', 'movq mm0, [value]\n movq [target - 7], mm0'],
])('a %s whose last byte alone is code changes it, wherever it lies', (_name, store) => {
  for (let shift = 0; shift < 16; shift++) {
    using machine = new FlatMachine(`
      call target
      ${store}
      call target
      hlt
    value: times 7 db 0
      db 0x41                      ; inc ecx
      times 0x200 + ${shift} - ($ - $$) db 0
    target:
      inc eax
      ret`);
    expect(machine.run(100)).toBe('halt');
    expect([machine.get('rax'), machine.get('rcx')], `at ${shift}`).toEqual([1, 1]);
  }
});

/** ADD EAX, imm32 in front of a page border, so that its immediate lies in the next page; then RET. */
const ACROSS = `
    mov esi, 10
  again:
    call across
    dec esi
    jnz again
    hlt
    times 0xffe - ($ - $$) db 0x90
  across:
    add eax, 0x01010101
    ret`;

test('an instruction across a border follows what is stored to its second page, directly or through an alias', () => {
  for (const alias of [0, 0x200_0000]) {
    const patch = `mov byte [${alias + CODE + 0x1000}], 2\n`;
    using machine = new FlatMachine(ACROSS.replace('dec esi', `cmp esi, 6\njne over\n${patch}over: dec esi`));
    const ram = machine.memory.segment('ram')!;
    machine.memory.map({ segment: ram, gpa: gpa(0x200_0000), length: 0x10000, prot: 'rwx' });
    expect(machine.run(1000)).toBe('halt');
    // The opcode is at FFEh and the low byte at FFFh, so that the patch changes bits 15:8, from the sixth time on.
    expect(machine.get('rax')).toBe(10 * 0x0101_0101 + 5 * 0x100);
  }
});

test('what another process writes through the host’s view is seen once it says so', () => {
  using machine = new FlatMachine(
    `again: call target\njmp again\ntimes 0x100 - ($ - $$) db 0x90\ntarget: inc eax\nret`,
  );
  const ram = machine.memory.segment('ram')!;
  machine.run(1000);
  const before = machine.get('rax');
  expect(before).toBeGreaterThan(100);
  // INC ECX in place of INC EAX, behind guest memory's back.
  ram.bytes[CODE + 0x100] = 0x41;
  machine.memory.written(ram, { offset: CODE + 0x100, length: 1 });
  const counted = machine.get('rax');
  machine.run(1000);
  expect(machine.get('rax')).toBe(counted);
  expect(machine.get('rcx')).toBeGreaterThan(100);
});

test('an instruction across a border follows what the host writes to its second page', () => {
  using machine = new FlatMachine(ACROSS.replace('mov esi, 10', 'mov esi, 0x7fffffff'));
  const ram = machine.memory.segment('ram')!;
  machine.run(1000);
  ram.bytes[CODE + 0x1000] = 0;
  machine.memory.written(ram, { offset: CODE + 0x1000, length: 1 });
  machine.run(10);
  machine.set({ rax: 0 });
  machine.run(4 * 100);
  expect(machine.get('rax') % 0x0101_0001).toBe(0);
  expect(machine.get('rax')).toBeGreaterThan(0);
});

test('a program that another program copies over itself through an alias runs as copied, each time', () => {
  using machine = new FlatMachine(`
    mov ebx, 0
  again:
    mov esi, first
    mov edi, 0x2002000
    mov ecx, 8
    rep movsb
    call slot
    mov esi, second
    mov edi, 0x2002000
    mov ecx, 8
    rep movsb
    call slot
    inc ebx
    cmp ebx, 50
    jne again
    hlt
  first: add eax, 1
    ret
    times 8 - ($ - first) db 0x90
  second: add edx, 3
    ret
    times 8 - ($ - second) db 0x90
    times 0x1000 - ($ - $$) db 0x90
  slot:`);
  const ram = machine.memory.segment('ram')!;
  machine.memory.map({ segment: ram, gpa: gpa(0x200_0000), length: 0x10000, prot: 'rwx' });
  expect(machine.run(10_000)).toBe('halt');
  expect([machine.get('rax'), machine.get('rdx') - 0x6fb]).toEqual([50, 150]);
});

describe('a call out of its page, made often before, leads to what is there now', () => {
  const COUNTS = { eax: 'inc eax\nret', ecx: 'inc ecx\nret' };
  const THERE = 0x3f_f000;
  const counts = (machine: FlatMachine): readonly number[] => [machine.get('rax'), machine.get('rcx')];

  test('after a store of other code', () => {
    using machine = new FlatMachine(`
      mov edx, 3
    again:
      call ${THERE}
      dec edx
      jnz again
      mov byte [${THERE}], 0x41
      call ${THERE}
      hlt`);
    machine.assemble(THERE, COUNTS.eax);
    expect(machine.run(100)).toBe('halt');
    expect(counts(machine)).toEqual([3, 1]);
  });

  test('after an edit of the memory map', () => {
    using machine = new FlatMachine('again: call 0x2000000\njmp again');
    const ram = machine.memory.segment('ram')!;
    const [first, second] = [0x5000, 0x6000];
    machine.assemble(first, COUNTS.eax);
    machine.assemble(second, COUNTS.ecx);
    const place = (offset: number) =>
      machine.memory.map({ segment: ram, gpa: gpa(0x200_0000), offset, length: 0x1000, prot: 'rwx' });
    const mapping = place(first);
    expect(machine.run(8)).toBe('limit');
    machine.memory.unmap(mapping);
    place(second);
    expect(machine.run(8)).toBe('limit');
    expect(counts(machine)).toEqual([2, 2]);
  });

  test.each([
    ['INVLPG', `invlpg [${THERE}]`],
    ['a load of CR3', 'mov eax, cr3\nmov cr3, eax'],
  ])('after a change of the page tables and %s', (_how, flush) => {
    using machine = new FlatMachine(`
      mov dword [0x20000], 0x21007    ; a directory, and a table that leads to the page itself
      mov edi, 0x21000
      mov eax, 7
    fill:
      stosd
      add eax, 0x1000
      cmp edi, 0x22000
      jnz fill
      mov dword [0x21ffc], 0x5007
      mov eax, 0x20000
      mov cr3, eax
      mov eax, 0x80000011
      mov cr0, eax
      xor ebx, ebx
      call ${THERE}
      call ${THERE}
      mov dword [0x21ffc], 0x6007
      ${flush}
      call ${THERE}
      hlt`);
    machine.assemble(0x5000, 'inc ebx\nret');
    machine.assemble(0x6000, COUNTS.ecx);
    expect(machine.run(10_000)).toBe('halt');
    expect([machine.get('rbx'), machine.get('rcx')]).toEqual([2, 1]);
  });

  test('from a segment with another base', () => {
    const source = (target: number): string => `again: call ${target}\njmp again`;
    using machine = new FlatMachine(source(THERE));
    machine.assemble(CODE + 0x1000, source(THERE + 0x1000));
    machine.assemble(THERE, COUNTS.eax);
    machine.assemble(THERE + 0x1000, COUNTS.ecx);
    expect(machine.run(8)).toBe('limit');
    machine.set({ 'cs.base': 0x1000 });
    expect(machine.run(8)).toBe('limit');
    expect(counts(machine)).toEqual([2, 2]);
  });
});
