import type { Case } from '../case.ts';

/**
 * Moves, addresses, and what depends on each condition.
 */
export const MOVES: readonly Case[] = [
  ['mov cl, dh', '', 'ecx=0x506070b0'],
  ['mov [data], dh', '', '[data+0]=b0'],
  ['mov cx, dx', '', 'ecx=0x5060b0c0'],
  ['mov ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['mov [data+1], dx', '', '[data+1]=c0b0'],
  ['mov [data+1], edx', '', '[data+1]=c0b0a090'],
  ['mov ch, [data+1]', '', 'ecx=0x50600a80'],
  ['mov cx, [data+1]', '', 'ecx=0x5060110a'],
  ['mov ecx, [data+1]', '', 'ecx=0x1f18110a'],
  ['mov al, [data+3]', '', 'eax=0x10203018'],
  ['mov ax, [data+3]', '', 'eax=0x10201f18'],
  ['mov eax, [data+3]', '', 'eax=0x2d261f18'],
  ['mov [data+3], al', '', '[data+3]=40'],
  ['mov [data+3], ax', '', '[data+3]=4030'],
  ['mov [data+3], eax', '', '[data+3]=40302010'],
  ['mov al, 0x12', '', 'eax=0x10203012'],
  ['mov bh, 0x12', '', 'ebx=0xd0e01201'],
  ['mov di, 0x1234', '', 'edi=0x191a1234'],
  ['mov edi, 0x12345678', '', 'edi=0x12345678'],
  ['mov byte [data], 0x12', '', '[data+0]=12'],
  ['mov word [data], 0x1234', '', '[data+0]=3412'],
  ['mov dword [data], 0x12345678', '', '[data+0]=78563412'],
  ['db 0xc6, 0xc1, 0x12', '', 'ecx=0x50607012'],
  ['bits 32
db 0xc7, 0xc1, 1, 2, 3, 4', '', 'ecx=0x4030201'],
  ['movzx ecx, dl', 'dl=0x80', 'ecx=0x80'],
  ['movzx cx, dh', 'dh=0xff', 'ecx=0x506000ff'],
  ['movzx ecx, dx', 'dx=0x8000', 'ecx=0x8000'],
  ['movzx ecx, byte [data]', '[data]=ff', 'ecx=0xff'],
  ['movzx ecx, word [data]', '[data]=fffe', 'ecx=0xfeff'],
  ['movzx cx, byte [data]', '[data]=80', 'ecx=0x50600080'],
  ['movsx ecx, dl', 'dl=0x80', 'ecx=0xffffff80'],
  ['movsx cx, dh', 'dh=0x7f', 'ecx=0x5060007f'],
  ['movsx ecx, dx', 'dx=0x8000', 'ecx=0xffff8000'],
  ['movsx ecx, byte [data]', '[data]=ff', 'ecx=0xffffffff'],
  ['movsx ecx, word [data]', '[data]=fe7f', 'ecx=0x7ffe'],
  ['movsx cx, byte [data]', '[data]=80', 'ecx=0x5060ff80'],
  ['db 0x66, 0x0f, 0xb7, 0xca', '', 'ecx=0x5060b0c0'],
  ['xchg cl, dh', '', 'ecx=0x506070b0 edx=0x90a080c0'],
  ['xchg [data], dh', '', 'edx=0x90a003c0 [data+0]=b0'],
  ['xchg cx, dx', '', 'ecx=0x5060b0c0 edx=0x90a07080'],
  ['xchg ecx, edx', '', 'ecx=0x90a0b0c0 edx=0x50607080'],
  ['xchg [data], cx', '', 'ecx=0x50600a03 [data+0]=8070'],
  ['lock xchg [data], ecx', '', 'ecx=0x18110a03 [data+0]=80706050'],
  ['lock xchg [data], cl', '', 'ecx=0x50607003 [data+0]=80'],
  ['xchg ax, cx', '', 'eax=0x10207080 ecx=0x50603040'],
  ['xchg eax, edi', '', 'eax=0x191a1b1c edi=0x10203040'],
  ['xchg eax, esp', '', 'eax=0x8f00 esp=0x10203040'],
  ['nop', '', ''],
  ['pause', '', ''],
  ['xchg ch, cl', '', 'ecx=0x50608070'],
  ['nop dword [data]', 'flags=oszapc', ''],
  ['db 0x0f, 0x18, 0xc0', '', ''],
  ['db 0x0f, 0x19, 0xc0', '', ''],
  ['db 0x0f, 0x1a, 0xc0', '', ''],
  ['db 0x0f, 0x1b, 0xc0', '', ''],
  ['db 0x0f, 0x1c, 0xc0', '', ''],
  ['db 0x0f, 0x1d, 0xc0', '', ''],
  ['db 0x0f, 0x1e, 0xc0', '', ''],
  ['bswap edx', 'edx=0x12345678', 'edx=0x78563412'],
  ['bswap esp', '', 'esp=0x8f0000'],
  ['bswap eax', 'flags=oszapc', 'eax=0x40302010'],
  ['xlat', 'ebx=0x9000 al=5', 'eax=0x10203026'],
  ['xlat', 'ebx=0x9000 al=0xff', 'eax=0x102030fc'],
  ['a32 xlat', 'ebx=0x9100 al=0x80', 'eax=0x10203083'],
  ['lea ecx, [edx+ebx*4+0x12]', '', 'ecx=0xd42470d6'],
  ['lea cx, [edx+ebx*4+0x12]', '', 'ecx=0x506070d6'],
  ['lea ecx, [bx+si+0x1234]', '', 'ecx=0x194d'],
  ['lea cx, [bp+di-1]', '', 'ecx=0x50602e2f'],
  ['lea ecx, [ebp+ebp*8-0x80]', '', 'ecx=0x99a2ab34'],
  ['lea ecx, [dword 0x12345678]', '', 'ecx=0x12345678'],
  ['lea ecx, [esp]', '', 'ecx=0x8f00'],
  ['lea ecx, [eax*8+1]', '', 'ecx=0x81018201'],
  ['lea ecx, [bx]', 'ebx=0xffff8000', 'ecx=0x8000'],
  ['lea ecx, [di+0x7fff]', 'edi=0x8001', 'ecx=0'],
  ['mov ecx, [ebx+esi*4]', 'ebx=0x9010 esi=3', 'ecx=0xdcd5cec7'],
  ['mov ecx, [ebx+esi*8-8]', 'ebx=0x9010 esi=3', 'ecx=0xf8f1eae3'],
  ['mov ecx, [ebp+2]', 'ebp=0x9010', 'ecx=0x968f8881'],
  ['mov ecx, [esi*2+data]', 'esi=5', 'ecx=0x5e575049'],
  ['mov ecx, [esp+4]', '', 'ecx=0xcccccccc'],
  ['mov ecx, [esp+esi]', 'esi=0x100', 'ecx=0x18110a03'],
  ['mov [edi], dx', 'edi=0x9fff', '[data+4095]=c0b0'],
  ['mov [edi], edx', 'edi=0x9ffd', '[data+4093]=c0b0a090'],
  ['mov ecx, [edi]', 'edi=0x9ffe', 'ecx=0xa03fcf5'],
  ['add [edi], edx', 'edi=0x9fff', 'flags=s [data+4095]=bcb4aaa1'],
  ['cmovo ecx, edx', 'flags=o', 'ecx=0x90a0b0c0'],
  ['cmovo ecx, edx', 'flags=o', 'ecx=0x90a0b0c0'],
  ['cmovo cx, [data]', 'flags=o', 'ecx=0x50600a03'],
  ['seto cl', 'flags=o', 'ecx=0x50607001'],
  ['seto byte [data]', 'flags=o', '[data+0]=01'],
  ['jo .there
inc ecx
.there: inc edx', 'flags=o', 'edx=0x90a0b0c1 flags=s'],
  ['jo near .there
inc ecx
.there: inc edx', 'flags=o', 'edx=0x90a0b0c1 flags=s'],
  ['cmovo ecx, edx', '', ''],
  ['cmovo cx, [data]', '', ''],
  ['seto cl', '', 'ecx=0x50607000'],
  ['seto byte [data]', '', '[data+0]=00'],
  ['jo .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jo near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovno ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovno cx, [data]', '', 'ecx=0x50600a03'],
  ['setno cl', '', 'ecx=0x50607001'],
  ['setno byte [data]', '', '[data+0]=01'],
  ['jno .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jno near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovno ecx, edx', 'flags=o', ''],
  ['cmovno cx, [data]', 'flags=o', ''],
  ['setno cl', 'flags=o', 'ecx=0x50607000'],
  ['setno byte [data]', 'flags=o', '[data+0]=00'],
  ['jno .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jno near .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovb ecx, edx', 'flags=c', 'ecx=0x90a0b0c0'],
  ['cmovb cx, [data]', 'flags=c', 'ecx=0x50600a03'],
  ['setb cl', 'flags=c', 'ecx=0x50607001'],
  ['setb byte [data]', 'flags=c', '[data+0]=01'],
  ['jb .there
inc ecx
.there: inc edx', 'flags=c', 'edx=0x90a0b0c1 flags=sc'],
  ['jb near .there
inc ecx
.there: inc edx', 'flags=c', 'edx=0x90a0b0c1 flags=sc'],
  ['cmovb ecx, edx', '', ''],
  ['cmovb cx, [data]', '', ''],
  ['setb cl', '', 'ecx=0x50607000'],
  ['setb byte [data]', '', '[data+0]=00'],
  ['jb .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jb near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovae ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovae cx, [data]', '', 'ecx=0x50600a03'],
  ['setae cl', '', 'ecx=0x50607001'],
  ['setae byte [data]', '', '[data+0]=01'],
  ['jae .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jae near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovae ecx, edx', 'flags=c', ''],
  ['cmovae cx, [data]', 'flags=c', ''],
  ['setae cl', 'flags=c', 'ecx=0x50607000'],
  ['setae byte [data]', 'flags=c', '[data+0]=00'],
  ['jae .there
inc ecx
.there: inc edx', 'flags=c', 'ecx=0x50607081 edx=0x90a0b0c1 flags=sc'],
  ['jae near .there
inc ecx
.there: inc edx', 'flags=c', 'ecx=0x50607081 edx=0x90a0b0c1 flags=sc'],
  ['cmove ecx, edx', 'flags=z', 'ecx=0x90a0b0c0'],
  ['cmove cx, [data]', 'flags=z', 'ecx=0x50600a03'],
  ['sete cl', 'flags=z', 'ecx=0x50607001'],
  ['sete byte [data]', 'flags=z', '[data+0]=01'],
  ['je .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['je near .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['cmove ecx, edx', '', ''],
  ['cmove cx, [data]', '', ''],
  ['sete cl', '', 'ecx=0x50607000'],
  ['sete byte [data]', '', '[data+0]=00'],
  ['je .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['je near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovne ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovne cx, [data]', '', 'ecx=0x50600a03'],
  ['setne cl', '', 'ecx=0x50607001'],
  ['setne byte [data]', '', '[data+0]=01'],
  ['jne .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jne near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovne ecx, edx', 'flags=z', ''],
  ['cmovne cx, [data]', 'flags=z', ''],
  ['setne cl', 'flags=z', 'ecx=0x50607000'],
  ['setne byte [data]', 'flags=z', '[data+0]=00'],
  ['jne .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jne near .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovbe ecx, edx', 'flags=z', 'ecx=0x90a0b0c0'],
  ['cmovbe cx, [data]', 'flags=z', 'ecx=0x50600a03'],
  ['setbe cl', 'flags=z', 'ecx=0x50607001'],
  ['setbe byte [data]', 'flags=z', '[data+0]=01'],
  ['jbe .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['jbe near .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['cmovbe ecx, edx', '', ''],
  ['cmovbe cx, [data]', '', ''],
  ['setbe cl', '', 'ecx=0x50607000'],
  ['setbe byte [data]', '', '[data+0]=00'],
  ['jbe .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jbe near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovbe ecx, edx', 'flags=c', 'ecx=0x90a0b0c0'],
  ['cmovbe cx, [data]', 'flags=c', 'ecx=0x50600a03'],
  ['setbe cl', 'flags=c', 'ecx=0x50607001'],
  ['setbe byte [data]', 'flags=c', '[data+0]=01'],
  ['jbe .there
inc ecx
.there: inc edx', 'flags=c', 'edx=0x90a0b0c1 flags=sc'],
  ['jbe near .there
inc ecx
.there: inc edx', 'flags=c', 'edx=0x90a0b0c1 flags=sc'],
  ['cmovbe ecx, edx', '', ''],
  ['cmovbe cx, [data]', '', ''],
  ['setbe cl', '', 'ecx=0x50607000'],
  ['setbe byte [data]', '', '[data+0]=00'],
  ['jbe .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jbe near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmova ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmova cx, [data]', '', 'ecx=0x50600a03'],
  ['seta cl', '', 'ecx=0x50607001'],
  ['seta byte [data]', '', '[data+0]=01'],
  ['ja .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['ja near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmova ecx, edx', 'flags=cz', ''],
  ['cmova cx, [data]', 'flags=cz', ''],
  ['seta cl', 'flags=cz', 'ecx=0x50607000'],
  ['seta byte [data]', 'flags=cz', '[data+0]=00'],
  ['ja .there
inc ecx
.there: inc edx', 'flags=cz', 'ecx=0x50607081 edx=0x90a0b0c1 flags=sc'],
  ['ja near .there
inc ecx
.there: inc edx', 'flags=cz', 'ecx=0x50607081 edx=0x90a0b0c1 flags=sc'],
  ['cmova ecx, edx', 'flags=s', 'ecx=0x90a0b0c0'],
  ['cmova cx, [data]', 'flags=s', 'ecx=0x50600a03'],
  ['seta cl', 'flags=s', 'ecx=0x50607001'],
  ['seta byte [data]', 'flags=s', '[data+0]=01'],
  ['ja .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['ja near .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['cmova ecx, edx', 'flags=z', ''],
  ['cmova cx, [data]', 'flags=z', ''],
  ['seta cl', 'flags=z', 'ecx=0x50607000'],
  ['seta byte [data]', 'flags=z', '[data+0]=00'],
  ['ja .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['ja near .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovs ecx, edx', 'flags=s', 'ecx=0x90a0b0c0'],
  ['cmovs cx, [data]', 'flags=s', 'ecx=0x50600a03'],
  ['sets cl', 'flags=s', 'ecx=0x50607001'],
  ['sets byte [data]', 'flags=s', '[data+0]=01'],
  ['js .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['js near .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['cmovs ecx, edx', '', ''],
  ['cmovs cx, [data]', '', ''],
  ['sets cl', '', 'ecx=0x50607000'],
  ['sets byte [data]', '', '[data+0]=00'],
  ['js .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['js near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovns ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovns cx, [data]', '', 'ecx=0x50600a03'],
  ['setns cl', '', 'ecx=0x50607001'],
  ['setns byte [data]', '', '[data+0]=01'],
  ['jns .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jns near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovns ecx, edx', 'flags=s', ''],
  ['cmovns cx, [data]', 'flags=s', ''],
  ['setns cl', 'flags=s', 'ecx=0x50607000'],
  ['setns byte [data]', 'flags=s', '[data+0]=00'],
  ['jns .there
inc ecx
.there: inc edx', 'flags=s', 'ecx=0x50607081 edx=0x90a0b0c1'],
  ['jns near .there
inc ecx
.there: inc edx', 'flags=s', 'ecx=0x50607081 edx=0x90a0b0c1'],
  ['cmovp ecx, edx', 'flags=p', 'ecx=0x90a0b0c0'],
  ['cmovp cx, [data]', 'flags=p', 'ecx=0x50600a03'],
  ['setp cl', 'flags=p', 'ecx=0x50607001'],
  ['setp byte [data]', 'flags=p', '[data+0]=01'],
  ['jp .there
inc ecx
.there: inc edx', 'flags=p', 'edx=0x90a0b0c1 flags=s'],
  ['jp near .there
inc ecx
.there: inc edx', 'flags=p', 'edx=0x90a0b0c1 flags=s'],
  ['cmovp ecx, edx', '', ''],
  ['cmovp cx, [data]', '', ''],
  ['setp cl', '', 'ecx=0x50607000'],
  ['setp byte [data]', '', '[data+0]=00'],
  ['jp .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jp near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovnp ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovnp cx, [data]', '', 'ecx=0x50600a03'],
  ['setnp cl', '', 'ecx=0x50607001'],
  ['setnp byte [data]', '', '[data+0]=01'],
  ['jnp .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jnp near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovnp ecx, edx', 'flags=p', ''],
  ['cmovnp cx, [data]', 'flags=p', ''],
  ['setnp cl', 'flags=p', 'ecx=0x50607000'],
  ['setnp byte [data]', 'flags=p', '[data+0]=00'],
  ['jnp .there
inc ecx
.there: inc edx', 'flags=p', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jnp near .there
inc ecx
.there: inc edx', 'flags=p', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovl ecx, edx', 'flags=s', 'ecx=0x90a0b0c0'],
  ['cmovl cx, [data]', 'flags=s', 'ecx=0x50600a03'],
  ['setl cl', 'flags=s', 'ecx=0x50607001'],
  ['setl byte [data]', 'flags=s', '[data+0]=01'],
  ['jl .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['jl near .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['cmovl ecx, edx', '', ''],
  ['cmovl cx, [data]', '', ''],
  ['setl cl', '', 'ecx=0x50607000'],
  ['setl byte [data]', '', '[data+0]=00'],
  ['jl .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jl near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovl ecx, edx', 'flags=o', 'ecx=0x90a0b0c0'],
  ['cmovl cx, [data]', 'flags=o', 'ecx=0x50600a03'],
  ['setl cl', 'flags=o', 'ecx=0x50607001'],
  ['setl byte [data]', 'flags=o', '[data+0]=01'],
  ['jl .there
inc ecx
.there: inc edx', 'flags=o', 'edx=0x90a0b0c1 flags=s'],
  ['jl near .there
inc ecx
.there: inc edx', 'flags=o', 'edx=0x90a0b0c1 flags=s'],
  ['cmovl ecx, edx', 'flags=os', ''],
  ['cmovl cx, [data]', 'flags=os', ''],
  ['setl cl', 'flags=os', 'ecx=0x50607000'],
  ['setl byte [data]', 'flags=os', '[data+0]=00'],
  ['jl .there
inc ecx
.there: inc edx', 'flags=os', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jl near .there
inc ecx
.there: inc edx', 'flags=os', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovge ecx, edx', 'flags=os', 'ecx=0x90a0b0c0'],
  ['cmovge cx, [data]', 'flags=os', 'ecx=0x50600a03'],
  ['setge cl', 'flags=os', 'ecx=0x50607001'],
  ['setge byte [data]', 'flags=os', '[data+0]=01'],
  ['jge .there
inc ecx
.there: inc edx', 'flags=os', 'edx=0x90a0b0c1 flags=s'],
  ['jge near .there
inc ecx
.there: inc edx', 'flags=os', 'edx=0x90a0b0c1 flags=s'],
  ['cmovge ecx, edx', 'flags=o', ''],
  ['cmovge cx, [data]', 'flags=o', ''],
  ['setge cl', 'flags=o', 'ecx=0x50607000'],
  ['setge byte [data]', 'flags=o', '[data+0]=00'],
  ['jge .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jge near .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovge ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovge cx, [data]', '', 'ecx=0x50600a03'],
  ['setge cl', '', 'ecx=0x50607001'],
  ['setge byte [data]', '', '[data+0]=01'],
  ['jge .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jge near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovge ecx, edx', 'flags=s', ''],
  ['cmovge cx, [data]', 'flags=s', ''],
  ['setge cl', 'flags=s', 'ecx=0x50607000'],
  ['setge byte [data]', 'flags=s', '[data+0]=00'],
  ['jge .there
inc ecx
.there: inc edx', 'flags=s', 'ecx=0x50607081 edx=0x90a0b0c1'],
  ['jge near .there
inc ecx
.there: inc edx', 'flags=s', 'ecx=0x50607081 edx=0x90a0b0c1'],
  ['cmovle ecx, edx', 'flags=z', 'ecx=0x90a0b0c0'],
  ['cmovle cx, [data]', 'flags=z', 'ecx=0x50600a03'],
  ['setle cl', 'flags=z', 'ecx=0x50607001'],
  ['setle byte [data]', 'flags=z', '[data+0]=01'],
  ['jle .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['jle near .there
inc ecx
.there: inc edx', 'flags=z', 'edx=0x90a0b0c1 flags=s'],
  ['cmovle ecx, edx', '', ''],
  ['cmovle cx, [data]', '', ''],
  ['setle cl', '', 'ecx=0x50607000'],
  ['setle byte [data]', '', '[data+0]=00'],
  ['jle .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jle near .there
inc ecx
.there: inc edx', '', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovle ecx, edx', 'flags=s', 'ecx=0x90a0b0c0'],
  ['cmovle cx, [data]', 'flags=s', 'ecx=0x50600a03'],
  ['setle cl', 'flags=s', 'ecx=0x50607001'],
  ['setle byte [data]', 'flags=s', '[data+0]=01'],
  ['jle .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['jle near .there
inc ecx
.there: inc edx', 'flags=s', 'edx=0x90a0b0c1'],
  ['cmovle ecx, edx', 'flags=so', ''],
  ['cmovle cx, [data]', 'flags=so', ''],
  ['setle cl', 'flags=so', 'ecx=0x50607000'],
  ['setle byte [data]', 'flags=so', '[data+0]=00'],
  ['jle .there
inc ecx
.there: inc edx', 'flags=so', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jle near .there
inc ecx
.there: inc edx', 'flags=so', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovg ecx, edx', 'flags=so', 'ecx=0x90a0b0c0'],
  ['cmovg cx, [data]', 'flags=so', 'ecx=0x50600a03'],
  ['setg cl', 'flags=so', 'ecx=0x50607001'],
  ['setg byte [data]', 'flags=so', '[data+0]=01'],
  ['jg .there
inc ecx
.there: inc edx', 'flags=so', 'edx=0x90a0b0c1 flags=s'],
  ['jg near .there
inc ecx
.there: inc edx', 'flags=so', 'edx=0x90a0b0c1 flags=s'],
  ['cmovg ecx, edx', 'flags=z', ''],
  ['cmovg cx, [data]', 'flags=z', ''],
  ['setg cl', 'flags=z', 'ecx=0x50607000'],
  ['setg byte [data]', 'flags=z', '[data+0]=00'],
  ['jg .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jg near .there
inc ecx
.there: inc edx', 'flags=z', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['cmovg ecx, edx', '', 'ecx=0x90a0b0c0'],
  ['cmovg cx, [data]', '', 'ecx=0x50600a03'],
  ['setg cl', '', 'ecx=0x50607001'],
  ['setg byte [data]', '', '[data+0]=01'],
  ['jg .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jg near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['cmovg ecx, edx', 'flags=o', ''],
  ['cmovg cx, [data]', 'flags=o', ''],
  ['setg cl', 'flags=o', 'ecx=0x50607000'],
  ['setg byte [data]', 'flags=o', '[data+0]=00'],
  ['jg .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
  ['jg near .there
inc ecx
.there: inc edx', 'flags=o', 'ecx=0x50607081 edx=0x90a0b0c1 flags=s'],
];
