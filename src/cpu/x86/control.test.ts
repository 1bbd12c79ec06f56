import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptor, gate, ProtectedMachine } from './protected-machine.ts';

const machine = new ProtectedMachine();
afterAll(() => machine[Symbol.dispose]());
const CODE = 0x9000;

function execute(source: string, count = 30): void {
  machine.assemble(CODE, `${source}\n jmp $`);
  machine.set({ rip: CODE });
  machine.run(count);
}

const outcome = (): string => {
  const event = machine.delivered();
  return event === undefined ? 'ok' : event.error === undefined ? `${event.vector}` : `${event.vector}(${event.error})`;
};

beforeEach(() => {
  machine.enter(0);
  machine.accesses.length = 0;
});

describe('MOV to CR0', () => {
  it.each([
    ['PG without PE', 0x8000_0010, '13(0)'],
    ['NW without CD', 0x2000_0011, '13(0)'],
    ['NW and CD', 0x6000_0011, 'ok'],
  ])('with %s', (_, value, expected) => {
    execute(`mov eax, ${value}\n mov cr0, eax`);
    expect(outcome()).toBe(expected);
    expect(machine.get('cr0')).toBe(expected === 'ok' ? value : 0x11);
  });

  it('keeps ET set and ignores bits that do not exist', () => {
    execute('mov eax, 0x1ffaffc1\n mov cr0, eax\n mov ebx, cr0');
    expect(machine.get('rbx')).toBe(0x11);
  });
});

describe('MOV to CR4', () => {
  it('takes the bits of what CPUID offers and refuses every other', () => {
    const allowed: number[] = [];
    for (let bit = 0; bit < 32; bit++) {
      machine.enter(0);
      execute(`mov eax, ${2 ** bit}\n mov cr4, eax`);
      if (outcome() === 'ok') allowed.push(bit);
      else expect(outcome()).toBe('13(0)');
    }
    expect(allowed).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 20, 21]);
  });
});

describe('LMSW and SMSW', () => {
  it('LMSW changes PE, MP, EM, TS, but cannot clear PE', () => {
    execute('mov ax, 0xfffe\n lmsw ax\n smsw ecx\n xor ax, ax\n lmsw ax\n smsw edx');
    expect([machine.get('rcx'), machine.get('rdx')]).toEqual([0x1f, 0x11]);
  });

  it('SMSW stores 16 bits in memory whatever the operand size', () => {
    machine.set32(0x600, 0x5555_5555);
    execute('smsw [0x600]');
    expect(machine.u32(0x600)).toBe(0x5555_0011);
  });

  it('CLTS clears TS', () => {
    execute('mov eax, 0x19\n mov cr0, eax\n clts');
    expect(machine.get('cr0')).toBe(0x11);
  });
});

describe('privileged instructions', () => {
  it.each([
    'mov eax, cr0',
    'mov cr3, eax',
    'mov eax, dr0',
    'mov dr7, eax',
    'lgdt [0x600]',
    'lidt [0x600]',
    'lldt ax',
    'ltr ax',
    'lmsw ax',
    'clts',
    'hlt',
    'invd',
    'wbinvd',
    'invlpg [0x600]',
    'rdmsr',
    'wrmsr',
    'sysexit',
    'rdpmc',
  ])('%s is #GP(0) outside ring 0', (source) => {
    for (let ring = 1; ring < 4; ring++) {
      machine.enter(ring);
      execute(source);
      expect(outcome()).toBe('13(0)');
    }
  });

  it.each(['sgdt [0x600]', 'sidt [0x600]', 'sldt ax', 'str ax', 'smsw ax', 'rdtsc', 'cpuid'])(
    '%s is for everyone',
    (source) => {
      machine.enter(3);
      execute(source);
      expect(outcome()).toBe('ok');
    },
  );

  it('RDTSC is for ring 0 alone with CR4.TSD', () => {
    machine.set({ cr4: 4 });
    execute('rdtsc');
    expect(outcome()).toBe('ok');
    machine.enter(3);
    machine.set({ cr4: 4 });
    execute('rdtsc');
    expect(outcome()).toBe('13(0)');
  });
});

describe('the registers of the descriptor tables', () => {
  it('are loaded with 24 bits of base by a 16-bit operand, and stored with all 32', () => {
    machine.set16(0x600, 0x123);
    machine.set32(0x602, 0x89ab_cdef);
    execute('o16 lidt [0x600]\n sidt [0x610]\n lidt [0x600]\n sidt [0x620]');
    expect([machine.u16(0x610), machine.u32(0x612), machine.u32(0x622)]).toEqual([0x123, 0x00ab_cdef, 0x89ab_cdef]);
  });

  it('are not loaded by half when the operand lies beyond the limit', () => {
    machine.setDescriptor(0x80, descriptor({ type: 0x13, limit: 0x1003, granular: false }));
    execute('mov eax, 0x80\n mov es, ax\n lgdt [es:0x1000]');
    expect([outcome(), machine.get('gdtr.limit')]).toEqual(['13(0)', 0x7ff]);
  });
});

describe('the coprocessor, which is not there', () => {
  it.each([
    ['fninit, which does nothing', '', 0x11, 'ok'],
    ['with EM', '', 0x15, '7'],
    ['with TS', '', 0x19, '7'],
  ])('%s', (_, __, cr0, expected) => {
    machine.set({ cr0 });
    machine.load(CODE, [0xdb, 0xe3, 0xeb, 0xfe]);
    machine.set({ rip: CODE });
    machine.run(2);
    expect(outcome()).toBe(expected);
  });

  it('WAIT is #NM with both MP and TS', () => {
    const results = [0x11, 0x13, 0x19, 0x1b].map((cr0) => {
      machine.enter(0);
      machine.set({ cr0 });
      execute('wait');
      return outcome();
    });
    expect(results).toEqual(['ok', 'ok', 'ok', '7']);
  });
});

describe('model-specific registers', () => {
  const write = (number: number, high: number, low: number): string => {
    machine.enter(0);
    execute(`mov ecx, ${number}\n mov edx, ${high}\n mov eax, ${low}\n wrmsr\n xor eax, eax\n xor edx, edx\n rdmsr`);
    return outcome() === 'ok' ? `${machine.get('rdx').toString(16)}:${machine.get('rax').toString(16)}` : outcome();
  };

  it.each([
    ['SYSENTER_CS', 0x174, 0, 0x10],
    ['SYSENTER_ESP', 0x175, 0, 0xffff_fff0],
    ['SYSENTER_EIP', 0x176, 0, 0xc000_0000],
    ['a variable MTRR', 0x200, 0xf, 0xf000_0006],
    ['its mask', 0x201, 0xf, 0xf000_0800],
    ['the last variable MTRR', 0x20f, 0, 0x800],
    ['a fixed MTRR', 0x250, 0x0606_0606, 0x0505_0401],
    ['the last fixed MTRR', 0x26f, 0, 0x0101_0101],
    ['IA32_TSC_ADJUST', 0x3b, 0xffff_ffff, 0xffff_f000],
    ['the status of machine checks', 0x17a, 0, 5],
    ['the default memory type', 0x2ff, 0, 0xc06],
    ['PAT', 0x277, 0x0706_0504, 0x0100_0706],
    ['EFER.NXE', 0xc000_0080, 0, 0x800],
  ])('%s keeps what is written', (_, number, high, low) => {
    expect(write(number, high, low)).toBe(`${high.toString(16)}:${low.toString(16)}`);
  });

  it.each([
    ['an unknown one', 0x1234, 0, 0],
    ['MTRRcap, which is read-only', 0xfe, 0, 0],
    ['IA32_MCG_CAP, which is read-only', 0x179, 0, 0],
    ['IA32_ARCH_CAPABILITIES, which is read-only', 0x10a, 0, 0],
    ['a reserved bit of IA32_MCG_STATUS', 0x17a, 0, 8],
    ['a memory type that does not exist', 0x250, 0, 2],
    ['UC- outside the PAT', 0x2ff, 0, 7],
    ['a reserved type in the PAT', 0x277, 0, 3],
    ['a reserved bit of a variable MTRR', 0x200, 0, 0x100],
    ['an address beyond the physical width', 0x200, 0x100, 6],
    ['a reserved bit of EFER', 0xc000_0080, 0, 0x2],
  ])('%s is #GP(0)', (_, number, high, low) => {
    expect(write(number, high, low)).toBe('13(0)');
  });

  it('the time-stamp counter follows the host’s and can be set', () => {
    machine.time = 5000;
    execute('rdtsc');
    expect(machine.get('rax')).toBe(5000);
    machine.enter(0);
    execute('mov ecx, 0x10\n mov eax, 100\n xor edx, edx\n wrmsr\n rdtsc');
    expect(machine.get('rax')).toBe(100);
    machine.time += 7;
    execute('rdtsc');
    expect(machine.get('rax')).toBe(107);
  });

  it('a write of the time-stamp counter is an adjustment, and the other way round', () => {
    const read = (number: number): number[] => {
      execute(`mov ecx, ${number}\n rdmsr`);
      return [machine.get('rdx'), machine.get('rax')];
    };
    machine.time = 5000;
    execute('mov ecx, 0x10\n mov eax, 4000\n mov edx, 0\n wrmsr');
    machine.time = 6000;
    expect(read(0x3b)).toEqual([0xffff_ffff, -1000 >>> 0]);
    execute('mov ecx, 0x3b\n mov eax, 7\n mov edx, 1\n wrmsr');
    expect(read(0x10)).toEqual([1, 6007]);
  });

  it.each([
    [0, 0, 700, 'not adjusted'],
    [0, 300, 1000, 'ahead'],
    [0xffff_ffff, -300, 400, 'behind'],
  ])('the time of a time stamp of a counter adjusted by %i:%i is known', (high, low, stamp) => {
    machine.time = 500;
    execute(`mov ecx, 0x3b\n mov edx, ${high}\n mov eax, ${low}\n wrmsr`);
    const { engine } = machine;
    expect(engine.timeOfTimestamp(stamp, 0)).toBe(700);
    expect(engine.timeOfTimestamp(stamp - 201, 0)).toBe(500);
    expect(engine.timeOfTimestamp(0, 0x8000_0000)).toBeGreaterThan(2 ** 62);
  });

  it('nothing leaks that an interpreter does not have: RDCL, SSB, MDS, TAA and their kin', () => {
    execute('mov ecx, 0x10a\n rdmsr');
    expect([machine.get('rdx'), machine.get('rax')]).toEqual([0, 0x0d10_e179]);
  });

  it('say that there has been no machine check', () => {
    for (const number of [0, 1]) {
      machine.enter(0);
      execute(`mov ecx, ${number}\n rdmsr`);
      expect([outcome(), machine.get('rax'), machine.get('rdx')]).toEqual(['ok', 0, 0]);
    }
  });

  it('an unknown one cannot be read', () => {
    execute('mov ecx, 0x1234\n rdmsr');
    expect(outcome()).toBe('13(0)');
  });
});

describe('CPUID', () => {
  const ask = (leaf: number): number[] => {
    machine.enter(0);
    execute(`mov eax, ${leaf}\n cpuid`);
    return ['rax', 'rbx', 'rcx', 'rdx'].map((name) => machine.get(name));
  };
  const text = (words: readonly number[]): string =>
    words.flatMap((word) => [0, 8, 16, 24].map((shift) => String.fromCharCode((word >>> shift) & 0xff))).join('');

  it('names Intel and itself', () => {
    const [maximum, b, c, d] = ask(0);
    expect([maximum, text([b ?? 0, d ?? 0, c ?? 0])]).toEqual([0x16, 'GenuineIntel']);
    const brand = [0x8000_0002, 0x8000_0003, 0x8000_0004].map((leaf) => text(ask(leaf))).join('');
    expect(brand.replace(/\0+$/, '')).toBe('skep virtual processor');
  });

  it('offers what there is: no APIC where the machine has none', () => {
    const [signature, , more = 0, features = 0] = ask(1);
    expect(signature).toBe(0x6fb);
    const bitsOf = (word: number): number[] =>
      Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((word >>> bit) & 1) === 1);
    expect(bitsOf(features)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26]);
    expect(bitsOf(more)).toEqual([0, 1, 9, 13, 19, 20, 22, 23, 25]);
    machine.enter(0);
    execute('mov eax, 7\n xor ecx, ecx\n cpuid');
    expect(bitsOf(machine.get('rbx'))).toEqual([0, 1, 3, 7, 8, 19, 20, 29]);
    expect(bitsOf(machine.get('rcx'))).toEqual([2, 22]);
    expect(bitsOf(machine.get('rdx'))).toEqual([29]);
    expect(ask(0x8000_0001)[3]).toBe((1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29));
    expect((ask(0x8000_0008)[0] ?? 0) & 0xffff).toBe(40 | (48 << 8));
  });

  it('leaves the signature in EDX at reset', () => {
    machine.engine.reset();
    expect(machine.get('rdx')).toBe(0x6fb);
  });
});

describe('after RESET#', () => {
  it('the state is that of the manual’s table', () => {
    machine.engine.reset();
    const names = [
      'rip',
      'cs',
      'cs.base',
      'cs.limit',
      'ds.base',
      'ss.limit',
      'cr0',
      'cr4',
      'rflags',
      'idtr.limit',
      'dr6',
      'dr7',
      'cpl',
    ];
    expect(names.map((name) => machine.get(name))).toEqual([
      0xfff0, 0xf000, 0xffff_0000, 0xffff, 0, 0xffff, 0x6000_0010, 0, 2, 0xffff, 0xffff_0ff0, 0x400, 0,
    ]);
  });

  it('the first instruction is fetched 16 bytes below 4 GiB, over the bus when there is no memory', () => {
    machine.engine.reset();
    machine.answer = ({ address }) => (address === 0xffff_fff0 ? 0xeb : address === 0xffff_fff1 ? 0xfe : 0xcc);
    machine.run(3);
    machine.answer = () => 0xffff_ffff;
    expect(machine.get('rip')).toBe(0xfff0);
    expect(machine.accesses.some(({ address }) => address === 0xffff_fff0)).toBe(true);
  });
});

describe('a far call that faults at its very end', () => {
  it('can be restarted: nothing has changed', () => {
    machine.setDescriptor(0x80, gate({ selector: 0x88, offset: 0x2000, type: 12, dpl: 3, parameters: 1 }));
    machine.setDescriptor(0x88, descriptor({ type: 0x1a, limit: 0xfff, granular: false }));
    machine.enter(3);
    execute('push dword 7\n call 0x83:0');
    expect([outcome(), machine.delivered()?.eip]).toEqual(['13(0)', CODE + 2]);
    expect(machine.u32(machine.stack(0) - 8)).toBe(machine.stack(3) - 4);
  });
});
