import { afterAll, beforeEach, describe, expect, it, test } from 'vitest';
import { LongMachine } from './long-machine.ts';

const machine = new LongMachine();
afterAll(() => machine[Symbol.dispose]());
beforeEach(() => machine.enter(0));

const { selectors, start, kernelStack, interruptStack, userStack } = LongMachine;
const HIGH = 0xffff_8000_0000_0000n;

describe('registers', () => {
  test.each([
    ['mov rax, 0x123456789abcdef0', 'rax', 0x1234_5678_9abc_def0n],
    ['mov rax, -1', 'rax', 0xffff_ffff_ffff_ffffn],
    ['mov r15, -1\nmov r15d, 5', 'r15', 5n],
    ['mov rax, -1\nmov ax, 5', 'rax', 0xffff_ffff_ffff_0005n],
    ['mov rsi, -1\nmov sil, 5', 'rsi', 0xffff_ffff_ffff_ff05n],
    ['mov eax, 0x1234\nmov r9, -1\nmov r9b, al', 'r9', 0xffff_ffff_ffff_ff34n],
    ['mov rax, 0x1122\nmov cl, ah', 'rcx', 0x11n],
    ['mov eax, 0x80000000\nmovsxd rbx, eax', 'rbx', 0xffff_ffff_8000_0000n],
    ['mov eax, 0x80000000\ncdqe', 'rax', 0xffff_ffff_8000_0000n],
    ['mov rax, -2\ncqo', 'rdx', 0xffff_ffff_ffff_ffffn],
    ['mov rax, 1\nshl rax, 63', 'rax', 1n << 63n],
    ['mov rax, -1\nmul rax', 'rdx', 0xffff_ffff_ffff_fffen],
    ['mov rax, -1\nimul rax', 'rdx', 0n],
    ['mov rdx, 1\nmov eax, 0\nmov rbx, 2\ndiv rbx', 'rax', 1n << 63n],
    ['mov rdx, -1\nmov rax, -7\nmov rbx, 2\nidiv rbx', 'rax', 0xffff_ffff_ffff_fffdn],
    ['mov rax, 0x0102030405060708\nbswap rax', 'rax', 0x0807_0605_0403_0201n],
    ['lea rax, [rip+5]', 'rax', BigInt(start + 7 + 5)],
    ['lea rax, [rel $]', 'rax', BigInt(start)],
    ['mov r12, 0x10000\nmov r13, 2\nlea rax, [r12+r13*8+1]', 'rax', 0x1_0011n],
    ['mov rbx, -1\nlea eax, [rbx+2]', 'rax', 1n],
    ['mov rax, 1\nmov r8, 2\nxchg rax, r8', 'rax', 2n],
    ['xor eax, eax\nmov rcx, 3\nagain: inc rax\nloop again', 'rax', 3n],
    ['mov rcx, 0\nmov eax, 1\njrcxz over\nmov eax, 2\nover:', 'rax', 1n],
    ['popcnt rax, rsp', 'rax', 2n],
    ['mov eax, 8\ntzcnt rbx, rax', 'rbx', 3n],
    ['mov eax, 8\nlzcnt rbx, rax', 'rbx', 60n],
    ['mov rax, 0xf0\nmov rbx, 0xff\nandn rcx, rax, rbx', 'rcx', 0x0fn],
    ['mov rdx, -1\nmov rax, 2\nmulx rbx, rcx, rax', 'rbx', 1n],
    ['mov rax, 0x10203\nmov rcx, 0xff00ff\npext rbx, rax, rcx', 'rbx', 0x103n],
    ['mov rax, 0x103\nmov rcx, 0xff00ff\npdep rbx, rax, rcx', 'rbx', 0x1_0003n],
    ['mov rax, 1\nrorx rbx, rax, 1', 'rbx', 1n << 63n],
  ])('%s', (source, register, value) => {
    expect(machine.execute(source)).toBeUndefined();
    expect(machine.get64(register)).toBe(value);
  });
});

describe('memory', () => {
  const at = 0x2_0000;
  it('is reached at 64-bit absolute offsets', () => {
    machine.execute(`mov rax, 0x1122334455667788\nmov [qword ${at}], rax\nmov al, [qword ${at + 1}]`);
    expect(machine.u64(at)).toBe(0x1122_3344_5566_7788n);
    expect(machine.get64('rax')).toBe(0x1122_3344_5566_7777n);
  });

  it('lies behind linear addresses beyond 4 GiB in both halves', () => {
    machine.set64(LongMachine.pml4 + 8 * 256, BigInt(LongMachine.pdpt) | 3n);
    machine.execute(`mov rbx, ${HIGH + BigInt(at)}\nmov qword [rbx], 77\nadd qword [rbx], 1\nmov rcx, [${at}]`);
    expect(machine.get64('rcx')).toBe(78n);
  });

  it('executes code up there, relative to where it is', () => {
    machine.set64(LongMachine.pml4 + 8 * 256, BigInt(LongMachine.pdpt) | 3n);
    machine.assemble(0x3_0000, 'lea rax, [rip+0]\nhlt', 64);
    machine.execute(`mov rbx, ${HIGH + 0x3_0000n}\njmp rbx`);
    expect(machine.get64('rax')).toBe(HIGH + 0x3_0007n);
  });

  it('has bases in FS and GS alone', () => {
    machine.set({ 'ds.base': 0x1000, 'gs.base': 0x2_0000 });
    machine.set32(0x2_0010, 1234);
    machine.execute('mov eax, [gs:0x10]\nmov ebx, [ds:0x20010]');
    expect([machine.get('rax'), machine.get('rbx')]).toEqual([1234, 1234]);
  });

  it('is copied by REP MOVSQ', () => {
    machine.set64(at, 5n);
    machine.set64(at + 8, 6n);
    machine.execute(`mov rsi, ${at}\nmov rdi, ${at + 0x100}\nmov rcx, 2\nrep movsq`);
    expect([machine.u64(at + 0x100), machine.u64(at + 0x108)]).toEqual([5n, 6n]);
  });

  it('is exchanged 16 bytes at a time', () => {
    machine.set64(at, 1n);
    machine.set64(at + 8, 2n);
    machine.execute(`mov eax, 1\nmov edx, 2\nmov ebx, 3\nmov ecx, 4\nmov rsi, ${at}\no64 lock cmpxchg8b [rsi]`);
    expect([machine.u64(at), machine.u64(at + 8), machine.get('rflags') & 0x40]).toEqual([3n, 4n, 0x40]);
  });
});

describe('exceptions', () => {
  const NOT_CANONICAL = 'mov rbx, 0x800000000000\n';
  test.each([
    [`${NOT_CANONICAL}mov al, [rbx]`, 13],
    ['mov rbx, 0x7fffffffffff\nmov ax, [rbx]', 13],
    [`${NOT_CANONICAL}mov rbp, rbx\nmov al, [rbp]`, 12],
    [`${NOT_CANONICAL}jmp rbx`, 13],
    [`${NOT_CANONICAL}call rbx`, 13],
    [`${NOT_CANONICAL}push rbx\nret`, 13],
    ['db 0x06', 6],
    ['db 0x27', 6],
    ['db 0xea', 6],
    ['db 0xd6', 6],
    ['db 0xc4, 0xc0', 6],
    ['mov rdx, 2\nmov rbx, 2\ndiv rbx', 0],
    ['mov rax, cr1', 6],
    ['mov rax, 0x100000000\nmov cr0, rax', 13],
    ['mov rax, cr4\nand al, 0xdf\nmov cr4, rax', 13],
    ['rdfsbase rax', 6],
    ['mov rsi, 0x20008\no64 cmpxchg8b [rsi]', 13],
  ])('%s raises %i', (source, vector) => {
    expect(machine.execute(source)?.vector).toBe(vector);
  });

  it('of the stack are delivered on another', () => {
    machine.setGate(12, { stack: 1 });
    const found = machine.execute('mov rsp, 0x800000000010\npush rax');
    machine.setGate(12, {});
    expect(found).toMatchObject({ vector: 12, error: 0, rsp: 0x8000_0000_0010n });
  });

  it('push SS and an aligned RSP of 64 bits even without a change of privilege', () => {
    machine.set({ rsp: kernelStack - 3 });
    const found = machine.execute('nop\nint3');
    expect(found).toMatchObject({ vector: 3, cs: selectors.code0, ss: selectors.data0, rip: BigInt(start + 2) });
    expect(found?.rsp).toBe(BigInt(kernelStack - 3));
    expect(machine.get('rsp')).toBe(kernelStack - 16 - 40);
  });

  it('use the interrupt stack table', () => {
    machine.setGate(6, { stack: 1 });
    machine.execute('ud2');
    machine.setGate(6, {});
    expect(machine.get('rsp')).toBe(interruptStack - 40);
  });

  test.each([64, 32] as const)('from ring 3 in %i-bit code go to RSP0 with a null SS', (bits) => {
    machine.enter(3, bits);
    const found = machine.execute('ud2', bits);
    expect(found).toMatchObject({ vector: 6, ss: selectors.data3, rsp: BigInt(userStack) });
    expect([machine.get('rsp'), machine.get('ss'), machine.get('cpl')]).toEqual([kernelStack - 40, 0, 0]);
  });

  it('leave the stack as it was when a page of it is missing', () => {
    const missing = 0x60_0000;
    machine.set64(LongMachine.directory + 8 * 3, 0n);
    machine.set({ rsp: missing + 8 });
    const found = machine.execute('push rax\npush rax');
    machine.set64(LongMachine.directory + 8 * 3, 0x60_0087n);
    expect(found).toMatchObject({ vector: 14, error: 2, rsp: BigInt(missing + 8) });
  });
});

describe('IRETQ', () => {
  const frame = (rip: bigint, cs: number, rsp: bigint, ss: number): string =>
    `push ${ss}\nmov rax, ${rsp}\npush rax\npush 0x202\npush ${cs}\nmov rax, ${rip}\npush rax\niretq`;

  it('goes to 64-bit code of ring 3 and the exception comes back', () => {
    machine.assemble(0x9000, 'mov rax, 0x123456789\nud2', 64);
    const found = machine.execute(frame(0x9000n, selectors.code3, 0x1_5ff8n, selectors.data3));
    expect(found).toMatchObject({ vector: 6, cs: selectors.code3, ss: selectors.data3, rsp: 0x1_5ff8n });
    expect(machine.get64('rax')).toBe(0x1_2345_6789n);
  });

  it('goes to compatibility mode, where DEC EAX is DEC EAX', () => {
    machine.assemble(0x9000, 'mov eax, 5\ndec eax\nud2', 32);
    const found = machine.execute(frame(0x9000n, selectors.code32, 0x1_6000n, selectors.data3));
    expect([found?.vector, found?.cs, machine.get('rax')]).toEqual([6, selectors.code32, 4]);
  });

  it('returns to the same privilege with another stack, even a null one', () => {
    machine.assemble(0x9000, 'hlt', 64);
    machine.execute(frame(0x9000n, selectors.code0, 0x1_1000n, 0));
    expect([machine.get('rsp'), machine.get('ss'), machine.get('rip')]).toEqual([0x1_1000, 0, 0x9001]);
  });

  test.each([
    ['an address that is not canonical', 1n << 47n, selectors.code3, selectors.data3, 13],
    ['a null SS for ring 3', 0x9000n, selectors.code3, 3, 13],
    ['a data segment', 0x9000n, selectors.data3, selectors.data3, 13],
  ])('refuses %s', (_, rip, cs, ss, vector) => {
    expect(machine.execute(frame(rip, cs, 0x1_6000n, ss))?.vector).toBe(vector);
  });
});

describe('SYSCALL and SYSRET', () => {
  const setMsr = (msr: number, value: bigint): string =>
    `mov ecx, ${msr}\nmov eax, ${value & 0xffff_ffffn}\nmov edx, ${value >> 32n}\nwrmsr\n`;
  const star = (BigInt(selectors.code32 & ~3) << 48n) | (BigInt(selectors.code0) << 32n);
  const setUp = setMsr(0xc000_0081, star) + setMsr(0xc000_0082, 0xa000n) + setMsr(0xc000_0084, 0x200n);

  it('go to LSTAR and come back to 64-bit code', () => {
    machine.assemble(0xa000, 'mov rbx, rcx\nmov rdx, r11\no64 sysret', 64);
    machine.assemble(0x9000, 'syscall\nud2', 64);
    const found = machine.execute(`${setUp}mov ecx, 0x9000\nmov r11d, 0x202\nmov rsp, ${userStack}\no64 sysret`);
    expect(found).toMatchObject({ vector: 6, cs: selectors.code3, ss: selectors.data3, rip: 0x9002n });
    expect([machine.get('rbx'), machine.get('rdx'), found?.flags && found.flags & 0x200]).toEqual([
      0x9002, 0x202, 0x200,
    ]);
  });

  it('come back to compatibility mode without REX.W', () => {
    machine.assemble(0x9000, 'ud2', 32);
    const found = machine.execute(`${setUp}mov ecx, 0x9000\nmov r11d, 0x2\nsysret`);
    expect(found).toMatchObject({ vector: 6, cs: selectors.code32, ss: selectors.data3 });
  });

  it('clear the flags that FMASK names', () => {
    machine.assemble(0xa000, 'pushfq\npop rdx\nhlt', 64);
    machine.execute(`${setUp}sti\nsyscall`);
    expect(machine.get('rdx') & 0x200).toBe(0);
    expect(machine.get('r11') & 0x200).toBe(0x200);
  });

  test.each([
    ['SYSCALL without EFER.SCE', 'mov ecx, 0xc0000080\nmov eax, 0x100\nxor edx, edx\nwrmsr\nsyscall', 6],
    ['SYSRET to an address that is not canonical', `${setUp}mov rcx, 0x800000000000\no64 sysret`, 13],
    ['a LSTAR that is not canonical', setMsr(0xc000_0082, 1n << 47n), 13],
    ['a change of EFER.LME with paging', setMsr(0xc000_0080, 1n), 13],
    ['an unknown MSR', 'mov ecx, 0x12345\nrdmsr', 13],
  ])('%s is refused', (_, source, vector) => {
    expect(machine.execute(source)?.vector).toBe(vector);
  });

  it('SWAPGS exchanges the bases', () => {
    machine.execute(`${setMsr(0xc000_0102, HIGH)}swapgs\nmov ecx, 0xc0000101\nrdmsr`);
    expect(machine.get64('gs.base')).toBe(HIGH);
    expect([machine.get('rax'), machine.get('rdx')]).toEqual([0, 0xffff_8000]);
  });

  it('WRFSBASE and RDGSBASE move all 64 bits', () => {
    machine.set({ cr4: 0x1_0020 });
    machine.execute(`mov rax, ${HIGH}\nwrfsbase rax\nwrgsbase rax\nrdgsbase rbx\nrdfsbase ecx`);
    expect([machine.get64('fs.base'), machine.get64('rbx'), machine.get64('rcx')]).toEqual([HIGH, HIGH, 0n]);
  });
});

describe('four-level paging', () => {
  const PAGE = 0x40_0000;
  const TABLE = 0x10_3000;
  const LEVELS: readonly number[] = [LongMachine.pml4, LongMachine.pdpt, LongMachine.directory + 16, TABLE];
  const [PRESENT, WRITE, USER, LARGE_PAGE, NX] = [1n, 2n, 4n, 0x80n, 1n << 63n];

  beforeEach(() => {
    machine.set64(LongMachine.directory + 16, BigInt(TABLE) | 7n);
    machine.set64(TABLE, BigInt(PAGE) | 7n);
    machine.set64(LongMachine.pml4, BigInt(LongMachine.pdpt) | 7n);
    machine.set64(LongMachine.pdpt, BigInt(LongMachine.directory) | 7n);
    machine.load(PAGE, [0xf4]);
  });

  const ACCESSES = [
    { name: 'read', source: `mov al, [${PAGE}]`, error: 0 },
    { name: 'write', source: `mov [${PAGE}], al`, error: 2 },
    { name: 'fetch', source: `mov eax, ${PAGE}\njmp rax`, error: 0x10 },
  ];
  const cases = [0, 1, 2, 3].flatMap((level) =>
    [PRESENT, WRITE, USER, NX].flatMap((bit) =>
      ([0, 3] as const).flatMap((ring) =>
        [false, true].flatMap((protect) => ACCESSES.map((access) => ({ level, bit, ring, protect, ...access }))),
      ),
    ),
  );

  /** The manual's table (SDM volume 3, section 4.6.1) for one bit that is not as open as it could be. */
  function expected({ bit, ring, protect, name, error }: (typeof cases)[number]): number | undefined {
    const user = ring === 3 ? 4 : 0;
    if (bit === PRESENT) return error | user;
    if (bit === WRITE && name === 'write' && (ring === 3 || protect)) return error | user | 1;
    if (bit === USER && ring === 3) return error | user | 1;
    if (bit === NX && name === 'fetch') return error | user | 1;
    return undefined;
  }

  test('each permission bit at each level decides as the manual says', () => {
    const wrong: string[] = [];
    for (const each of cases) {
      // What the test's own code and stack need stays open.
      if (each.level < 2 && (each.bit !== WRITE || each.protect)) continue;
      machine.load(PAGE, [0xf4]);
      machine.enter(each.ring);
      machine.set({ efer: 0xd01, cr0: each.protect ? 0x8001_0011 : 0x8000_0011 });
      const entry = LEVELS[each.level] ?? 0;
      const old = machine.u64(entry);
      machine.set64(entry, old ^ each.bit);
      machine.assemble(start, `${each.source}\nhlt`, 64);
      machine.run(10);
      const found = machine.delivered();
      machine.set64(entry, old);
      const got = found?.vector === 14 ? found.error : undefined;
      const want = expected(each);
      if (got !== want)
        wrong.push(`level ${each.level} bit ${each.bit} ring ${each.ring} ${each.name}: ${got}, not ${want}`);
    }
    expect(wrong).toEqual([]);
  });

  it('maps pages of 1 GiB', () => {
    machine.set64(LongMachine.pdpt + 8, LARGE_PAGE | 7n);
    machine.set32(0x2_0000, 99);
    machine.execute(`mov eax, [${0x4000_0000 + 0x2_0000}]`);
    expect(machine.get('rax')).toBe(99);
  });

  test.each([
    ['PS in a PML4 entry', LongMachine.pml4 + 8 * 511, LARGE_PAGE | 7n, '-8'],
    ['bit 13 of a 1 GiB page', LongMachine.pdpt + 16, LARGE_PAGE | 7n | (1n << 13n), 0x8000_0000],
    ['bit 13 of a 2 MiB page', LongMachine.directory + 8 * 16, LARGE_PAGE | 7n | (1n << 13n), 0x200_0000],
    ['an address above 40 bits', LongMachine.directory + 8 * 17, 7n | (1n << 41n), 0x220_0000],
  ])('reserves %s', (_, entry, value, address) => {
    machine.set64(entry, value);
    const found = machine.execute(`mov rbx, ${address}\nmov al, [rbx]`);
    machine.set64(entry, 0n);
    expect(found).toMatchObject({ vector: 14, error: 9 });
  });

  it('leaves bits 62:52 of an entry of any level to software, and reserves those from the physical width up to 51', () => {
    const wrong: string[] = [];
    for (let bit = 40; bit < 63; bit++) {
      for (const [level, entry] of LEVELS.entries()) {
        // The test's own code lies under the upper two.
        if (level < 2 && bit < 52) continue;
        machine.enter(0);
        const old = machine.u64(entry);
        machine.set64(entry, old | (1n << BigInt(bit)));
        const error = machine.execute(`mov al, [${PAGE}]`)?.error;
        machine.set64(entry, old);
        if (error !== (bit < 52 ? 9 : undefined)) wrong.push(`level ${level} bit ${bit}: ${error}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('keeps a supervisor from user pages: SMEP fetches, SMAP data, unless AC opens them', () => {
    machine.set64(LongMachine.pml4 + 8 * 256, BigInt(LongMachine.pdpt) | 3n);
    const high = `mov rbx, ${HIGH + BigInt(start) + 0x100n}\njmp rbx`;
    machine.assemble(start + 0x100, `mov al, [${PAGE}]\nhlt`, 64);
    expect(machine.execute(`mov rax, cr4\nor eax, 0x200000\nmov cr4, rax\n${high}`)?.vector).toBeUndefined();
  });

  it('sets accessed and dirty bits on the way', () => {
    machine.set64(TABLE, BigInt(PAGE) | 7n);
    machine.execute(`mov al, [${PAGE}]`);
    expect(machine.u64(TABLE) & 0x60n).toBe(0x20n);
    machine.enter(0);
    machine.execute(`mov [${PAGE}], al`);
    expect(machine.u64(TABLE) & 0x60n).toBe(0x60n);
  });
});
