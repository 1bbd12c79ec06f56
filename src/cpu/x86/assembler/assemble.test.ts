import { describe, expect, test } from 'vitest';
import { assemble, AssemblyError } from './index.ts';

const hexOf = (source: string, bits: 16 | 32 = 16, origin = 0): string =>
  Buffer.from(assemble(source, { bits, origin }).bytes).toString('hex');

describe('instructions are encoded as the manual says', () => {
  test.each<[string, 16 | 32, string]>([
    ['mov ax, bx', 16, '89d8'],
    ['mov eax, ebx', 16, '6689d8'],
    ['mov al, [0x1234]', 16, 'a03412'],
    ['mov al, [dword 0x12345678]', 16, '67a078563412'],
    ['mov [bx+si], dl', 16, '8810'],
    ['mov [si+bx], dl', 16, '8810'],
    ['mov byte [bp], 5', 16, 'c6460005'],
    ['mov ax, [es:di+0x1234]', 16, '268b853412'],
    ['mov eax, [ebx+esi*4+8]', 32, '8b44b308'],
    ['mov eax, [esp]', 32, '8b0424'],
    ['mov eax, [eax*2]', 32, '8b044500000000'],
    ['mov eax, [dword ebx+1]', 32, '8b8301000000'],
    ['mov eax, [ebx+esp]', 32, '8b041c'],
    ['mov ax, [bx]', 32, '67668b07'],
    ['mov ds, ax', 16, '8ed8'],
    ['mov cr0, eax', 16, '0f22c0'],
    ['add eax, 5', 32, '83c005'],
    ['add eax, strict dword 5', 32, '0505000000'],
    ['add ax, 0xffff', 16, '05ffff'],
    ['add cx, 0xffff', 16, '83c1ff'],
    ['add eax, 0xffff', 32, '05ffff0000'],
    ['push 5', 16, '6a05'],
    ['push dword 5', 16, '666a05'],
    ['push 0x1234', 16, '683412'],
    ['pushad', 16, '6660'],
    ['pusha', 32, '60'],
    ['iretd', 16, '66cf'],
    ['cbw', 32, '6698'],
    ['cdq', 32, '99'],
    ['rep movsd', 16, 'f366a5'],
    ['repne scasb', 16, 'f2ae'],
    ['es lodsb', 16, '26ac'],
    ['a32 stosb', 16, '67aa'],
    ['lock xadd [bx], al', 16, 'f00fc007'],
    ['jmp 8:0x1234', 16, 'ea34120800'],
    ['jmp dword 8:0x12345678', 16, '66ea785634120800'],
    ['jmp far [bx]', 16, 'ff2f'],
    ['call dword far [bx]', 16, '66ff1f'],
    ['call [bx]', 16, 'ff17'],
    ['jecxz $', 16, '67e3fd'],
    ['xchg eax, [ebx]', 32, '8703'],
    ['xchg ax, cx', 16, '91'],
    ['test [ebx], al', 32, '8403'],
    ['test al, [ebx]', 32, '8403'],
    ['imul ax, 5', 16, '6bc005'],
    ['shl byte [bx], 1', 16, 'd027'],
    ['sal ax, cl', 16, 'd3e0'],
    ['setz al', 16, '0f94c0'],
    ['cmovnae eax, ebx', 32, '0f42c3'],
    ['bswap ecx', 16, '660fc9'],
    ['aam', 16, 'd40a'],
    ['int 3', 16, 'cd03'],
    ['o32 retf', 16, '66cb'],
    ['enter 8, 1', 16, 'c8080001'],
    ['in al, dx', 16, 'ec'],
    ['movzx eax, word [bx]', 16, '660fb707'],
    ['lgdt [0x10]', 16, '0f01161000'],
    ['o32 lgdt [0x10]', 16, '660f01161000'],
  ])('%s in %i-bit code', (source, bits, bytes) => {
    expect(hexOf(source, bits)).toBe(bytes);
  });
});

describe('branches', () => {
  test('are short when their target is near enough, forwards and backwards', () => {
    expect(hexOf('a: jmp b\nb: jmp a')).toBe('eb00ebfc');
  });
  test('grow when it is not, and push others out of reach', () => {
    const { labels, bytes } = assemble('jmp a\njz b\ntimes 124 nop\na: times 4 nop\nb:');
    expect([bytes[0], bytes[3], bytes[4]]).toEqual([0xe9, 0x0f, 0x84]);
    expect(labels.get('b')).toBe(bytes.length);
  });
  test('take the word that says how long they are', () => {
    expect(hexOf('jmp near $\njmp short $')).toBe('e9fdffebfe');
  });
});

describe('expressions', () => {
  test.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 / 2 + 7 % 4', 6],
    ['1 << 4 | 3 & 2 ^ 1', 0x13],
    ['~0 & 0xff', 0xff],
    ['-5 + 10', 5],
    ['0ffh - 11b', 0xfc],
    ["'a'", 0x61],
    ['0x1_00 >> 4', 0x10],
    ['$ - $$', 0],
  ])('%s is %i', (text, value) => {
    expect([...assemble(`dd ${text}`).bytes]).toEqual([value, 0, 0, 0]);
  });
});

describe('directives', () => {
  test('data of every size, strings and repetition', () => {
    expect(hexOf("db 1, 'ab', `\\n\\x7f`\ndw 'abc', 0x1234\ndd -1\ndq 0x1122334455667788\ntimes 3 db 9")).toBe(
      '0161620a7f616263003412ffffffff8877665544332211090909',
    );
  });
  test('a 64 KiB image has its reset vector where org puts it', () => {
    const { bytes, origin, labels } = assemble(
      'start: cli\nalign 16, 0\nmain: hlt\norg 0xfff0, 0xff\njmp 0xf000:main\ntimes 0x10000-($-$$) db 0',
    );
    expect({ origin, length: bytes.length, main: labels.get('main') }).toEqual({
      origin: 0,
      length: 0x10000,
      main: 16,
    });
    expect([...bytes.subarray(0xffef, 0xfff5)]).toEqual([0xff, 0xea, 0x10, 0x00, 0x00, 0xf0]);
  });
  test('local labels belong to the label before them', () => {
    const { labels } = assemble('a: nop\n.x: nop\nb: nop\n.x: jmp a.x\nsize equ $ - a');
    expect(Object.fromEntries(labels)).toEqual({ a: 0, 'a.x': 1, b: 2, 'b.x': 3, size: 5 });
  });
  test('bits changes what needs no prefix', () => {
    expect(hexOf('mov eax, ebx\nbits 32\nmov eax, ebx\n[bits 16]\nmov ax, bx')).toBe('6689d889d889d8');
  });
  test('constants may be defined below their use', () => {
    expect(hexOf('mov ax, [bx+here]\nadd cx, far_away\nhere equ 2\nfar_away equ here * 1000')).toBe('8b470281c1d007');
  });
});

describe('an error names the place and what was expected', () => {
  test.each([
    ['nop\nfoo ax', 2, 1, 'SYNTAX', "expected an instruction or directive, found 'foo'"],
    ['mov [bx], 5', 1, 5, 'OPERANDS', 'expected byte, word or dword before an operand of unknown size'],
    ['bt [bx], 5', 1, 4, 'OPERANDS', 'expected byte, word or dword before an operand of unknown size'],
    ['lea ax, bx', 1, 1, 'OPERANDS', 'expected after lea: register, memory'],
    ['jmp nowhere', 1, 5, 'SYMBOL', 'expected a label or constant, nowhere is not defined'],
    ['mov al, 0x100', 1, 9, 'RANGE', 'expected a value of 8 bits, found 0x100'],
    ['x: nop\nx: nop', 2, 1, 'SYMBOL', 'expected a new name, x is defined already'],
    ['eax: nop', 1, 1, 'SYMBOL', 'expected a label, eax is a word of the language'],
    ['mov ax, [bx+ax]', 1, 9, 'OPERANDS', 'expected bx or bp, si or di, or one of each, in a 16-bit address'],
    ['mov ax, [bx+ebx]', 1, 9, 'OPERANDS', 'expected registers of one size in an address'],
    ['mov ax, [ebx*3]', 1, 13, 'OPERANDS', 'expected a scale of 1, 2, 4 or 8'],
    ['mov ax, [bx', 1, 12, 'SYNTAX', "expected ']' to close the address, found the end of the line"],
    ['loop x\ntimes 200 nop\nx:', 1, 6, 'RANGE', 'expected a target within -128 and 127 bytes, found one 198 away'],
    ['db "abc', 1, 4, 'SYNTAX', 'expected a closing " on the same line'],
    ['db 1 2', 1, 6, 'SYNTAX', "expected the end of the line, found '2'"],
    ['db 12abc', 1, 4, 'SYNTAX', 'expected a number such as 10, 0x1f, 1fh or 101b, found 12abc'],
    ['dw 1/0', 1, 5, 'RANGE', 'expected a divisor other than 0'],
    ['times 2\nnop', 1, 8, 'SYNTAX', 'expected an instruction or directive, found the end of the line'],
    ['times -1 nop', 1, 7, 'RANGE', 'expected a number of times that is not negative, found -1'],
    ['nop\nnop\norg 1', 3, 5, 'RANGE', 'expected an address from 0x2 on'],
    ['a equ b\nb equ a', 1, 1, 'RANGE', 'expected sizes that do not depend on themselves'],
    ['mov ax, [0x12345]', 1, 9, 'RANGE', 'expected a value of 16 bits, found 0x12345'],
    ['bits 64', 1, 6, 'SYNTAX', "expected 16 or 32, found '64'"],
  ])('%j', (source, line, column, code, sentence) => {
    let error: unknown;
    try {
      assemble(source);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(AssemblyError);
    expect(error).toMatchObject({ line, column, code, message: `line ${line}, column ${column}: ${sentence}` });
  });
});
