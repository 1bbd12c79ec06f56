import { afterAll, describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';

/** Code at 2000:0, stack at 0:800h, and handlers at 90:20h + vector that halt one byte further. */
const machine = new BareMachine(0x40_0000);
afterAll(() => machine[Symbol.dispose]());

function real(source: string, count = 30): string {
  machine.engine.reset();
  machine.accesses.length = 0;
  for (let vector = 0; vector < 32; vector++) {
    machine.set16(4 * vector, 0x20 + vector);
    machine.set16(4 * vector + 2, 0x90);
    machine.load(0x920 + vector, [0xf4]);
  }
  machine.assemble(0x2_0000, `${source}\n hlt`, 16);
  machine.set({ cs: 0x2000, 'cs.base': 0x2_0000, rip: 0, ss: 0, rsp: 0x800 });
  return machine.run(count);
}

/** The vector whose handler has halted, or undefined. */
const raised = (): number | undefined => (machine.get('cs') === 0x90 ? machine.get('rip') - 0x21 : undefined);

const stack = (...offsets: number[]): number[] => offsets.map((offset) => machine.u16(0x800 - offset));

describe('far transfers', () => {
  it('a jump sets CS and its base and leaves the rest of it alone', () => {
    machine.load(0x3_0010, [0xf4]);
    real('jmp 0x3000:0x10');
    expect(['cs', 'cs.base', 'cs.limit', 'rip'].map((name) => machine.get(name))).toEqual([
      0x3000, 0x3_0000, 0xffff, 0x11,
    ]);
  });

  it('a call pushes CS and IP, and RETF n comes back', () => {
    machine.assemble(0x3_0010, 'mov bx, sp\n retf 4', 16);
    real('call 0x3000:0x10');
    expect(stack(2, 4)).toEqual([0x2000, 5]);
    expect([machine.get('rbx'), machine.get('rsp'), machine.get('cs'), machine.get('rip')]).toEqual([
      0x7fc, 0x804, 0x2000, 6,
    ]);
  });

  it('a call with a 32-bit operand pushes doublewords, and RETF takes them', () => {
    machine.assemble(0x3_0010, 'o32 retf', 16);
    machine.set32(0x600, 0x10);
    machine.set16(0x604, 0x3000);
    real('call far dword [0x600]');
    expect([machine.u32(0x7fc), machine.get('rsp'), machine.get('cs')]).toEqual([0x2000, 0x800, 0x2000]);
  });

  it('beyond the limit of CS is #GP, before anything is pushed', () => {
    machine.set32(0x600, 0x1_0000);
    machine.set16(0x604, 0x3000);
    real('call far dword [0x600]');
    expect([raised(), machine.get('rsp')]).toEqual([13, 0x7fa]);
    expect(stack(2, 4, 6)).toEqual([2, 0x2000, 0]);
  });

  it('with half a slot left on the stack are #SS', () => {
    // And so is the #SS itself, and the double fault.
    expect(real('mov sp, 1\n call 0x3000:0x10')).toBe('shutdown');
  });

  it('IRET with a 32-bit operand takes all of EFLAGS that there is', () => {
    real('push dword 0x247202\n push dword 0x2000\n push dword (back - 0x20000)\n o32 iret\n ud2\n back: nop');
    expect(machine.get('rflags')).toBe(0x24_7202);
  });
});

describe('exceptions', () => {
  it.each([
    ['div by zero', 'xor cx, cx\n div cx', 0, 2],
    ['INT3', 'int3', 3, 1],
    ['BOUND', 'mov ax, 5\n bound ax, [0x600]', 5, 3],
    ['an undefined opcode', 'ud2', 6, 0],
    ['an instruction of protected mode', 'sldt ax', 6, 0],
    ['a word at FFFFh', 'mov ax, [0xffff]', 13, 0],
    ['LOCK without memory', 'db 0xf0, 0x01, 0xc0', 6, 0],
  ])('%s pushes flags, CS and the right IP', (_, source, vector, ip) => {
    machine.set32(0x600, 0);
    real(source);
    expect(raised()).toBe(vector);
    expect(stack(4, 6)).toEqual([0x2000, ip]);
  });
});

describe('the stack', () => {
  it('wraps from 0 to FFFEh', () => {
    real('mov sp, 0\n mov ax, 0x1234\n push ax');
    expect([machine.get('rsp'), machine.u16(0xfffe)]).toEqual([0xfffe, 0x1234]);
  });

  it('uses SP alone: the upper half of ESP stays', () => {
    real('mov esp, 0x12340800\n push ax\n pop bx\n push ax');
    expect(machine.get('rsp')).toBe(0x1234_07fe);
  });
});

describe('interrupts', () => {
  it('come through the table at IDTR, wherever that is', () => {
    machine.set16(0x1_0000 + 4 * 0x20, 0x40);
    machine.set16(0x1_0002 + 4 * 0x20, 0x3000);
    machine.load(0x3_0040, [0xf4]);
    machine.set16(0x600, 0x3ff);
    machine.set32(0x602, 0x1_0000);
    real('lidt [0x600]\n int 0x20');
    expect([machine.get('cs'), machine.get('rip')]).toEqual([0x3000, 0x41]);
  });
});

describe('a handler beyond the limit of CS', () => {
  it('is #GP', () => {
    machine.set32(4 * 0x20, 0x0090_f000);
    real('int 0x20', 0);
    machine.set({ 'cs.limit': 0xefff });
    machine.run(3);
    expect([raised(), ...stack(4, 6)]).toEqual([13, 0x2000, 0]);
  });
});

describe('the way to protected mode and back', () => {
  it('takes the far jump to load CS, and 32-bit code in between', () => {
    machine.set64(0x1008, 0x00cf_9b00_0000_ffffn);
    machine.set64(0x1010, 0x00cf_9300_0000_ffffn);
    machine.set64(0x1018, 0x0000_9b02_0000_ffffn);
    machine.set16(0x600, 0x1f);
    machine.set32(0x602, 0x1000);
    const source = `cli
      lgdt [0x600]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp dword 8:protected
    bits 32
    protected:
      mov ax, 0x10
      mov ds, ax
      mov dword [0x200000], 0x12345678
      mov ebx, [0x200000]
      jmp 0x18:(leave16 - 0x20000)
    bits 16
    leave16:
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      jmp 0x2000:(home - 0x20000)
    home:
      mov cx, cs`;
    expect(real(source, 60)).toBe('halt');
    expect([machine.get('rbx'), machine.get('rcx'), machine.get('cs.base'), machine.get('cr0') & 1]).toEqual([
      0x1234_5678, 0x2000, 0x2_0000, 0,
    ]);
  });
});
