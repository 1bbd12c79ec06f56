import type { Case } from '../case.ts';

/**
 * Stack, flags and transfers within the segment.
 */
export const STACK: readonly Case[] = [
  ['push cx', '', 'esp=0x8efe [0x8efe]=8070'],
  ['push ecx', '', 'esp=0x8efc [0x8efc]=80706050'],
  ['push sp', '', 'esp=0x8efe [0x8efe]=008f'],
  ['push esp', '', 'esp=0x8efc [0x8efc]=008f0000'],
  ['pop cx', 'esp=0x9000', 'ecx=0x50600a03 esp=0x9002'],
  ['pop ecx', 'esp=0x9000', 'ecx=0x18110a03 esp=0x9004'],
  ['pop sp', 'esp=0x9000', 'esp=0xa03'],
  ['pop esp', 'esp=0x9000', 'esp=0x18110a03'],
  ['push dword 0x12345678', '', 'esp=0x8efc [0x8efc]=78563412'],
  ['push word 0x1234', '', 'esp=0x8efe [0x8efe]=3412'],
  ['push word -1', '', 'esp=0x8efe [0x8efe]=ffff'],
  ['push dword -1', '', 'esp=0x8efc [0x8efc]=ffffffff'],
  ['push dword 127', '', 'esp=0x8efc [0x8efc]=7f000000'],
  ['push dword [data]', '', 'esp=0x8efc [0x8efc]=030a1118'],
  ['push word [data]', '', 'esp=0x8efe [0x8efe]=030a'],
  ['push dword [esp]', 'esp=0x9010', 'esp=0x900c [data+12]=737a8188'],
  ['pop dword [data]', 'esp=0x9010', 'esp=0x9014 [data+0]=737a8188'],
  ['pop word [data+2]', 'esp=0x9010', 'esp=0x9012 [data+2]=737a'],
  ['pop dword [esp]', 'esp=0x9010', 'esp=0x9014 [data+20]=737a8188'],
  ['pop dword [esp+4]', 'esp=0x9010', 'esp=0x9014 [data+24]=737a8188'],
  ['bits 32
db 0x8f, 0xc1', 'esp=0x9010', 'ecx=0x88817a73 esp=0x9014'],
  ['bits 32
db 0xff, 0xf1', '', 'esp=0x8efc [0x8efc]=80706050'],
  ['pushaw', '', 'esp=0x8ef0 [0x8ef0]=1c1b18171413008f01f0c0b080704030'],
  ['pushad', '', 'esp=0x8ee0 [0x8ee0]=1c1b1a191817161514131211008f000001f0e0d0c0b0a0908070605040302010'],
  ['popaw', 'esp=0x9010', 'eax=0x1020dcd5 ecx=0x5060cec7 edx=0x90a0c0b9 ebx=0xd0e0b2ab esp=0x9020 ebp=0x1112968f esi=0x15168881 edi=0x191a7a73'],
  ['popad', 'esp=0x9010', 'eax=0x4c453e37 ecx=0x3029221b edx=0x140d06ff ebx=0xf8f1eae3 esp=0x9030 ebp=0xc0b9b2ab esi=0xa49d968f edi=0x88817a73'],
  ['o32 enter 8, 0', '', 'esp=0x8ef4 ebp=0x8efc [0x8efc]=14131211'],
  ['o32 enter 0, 0', '', 'esp=0x8efc ebp=0x8efc [0x8efc]=14131211'],
  ['o32 enter 4, 1', 'ebp=0x9040', 'esp=0x8ef4 ebp=0x8efc [0x8ef8]=fc8e000040900000'],
  ['o32 enter 4, 2', 'ebp=0x9040', 'esp=0x8ef0 ebp=0x8efc [0x8ef4]=fc8e0000a7aeb5bc40900000'],
  ['o32 enter 6, 3', 'ebp=0x9040', 'esp=0x8eea ebp=0x8efc [0x8ef0]=fc8e00008b9299a0a7aeb5bc40900000'],
  ['o32 enter 0x10, 31', 'ebp=0x9090', 'esp=0x8e70 ebp=0x8efc [0x8e80]=fc8e0000abb2b9c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2e9f0f7fe050c131a21282f363d444b525960676e757c838a91989fa6adb4bbc2c9d0d7dee5ec90900000'],
  ['o32 enter 4, 33', 'ebp=0x9040', 'esp=0x8ef4 ebp=0x8efc [0x8ef8]=fc8e000040900000'],
  ['o32 leave', 'ebp=0x9040', 'esp=0x9044 ebp=0xd8d1cac3'],
  ['o32 enter 8, 0
push ecx
o32 leave', '', '[0x8ef0]=80706050 [0x8efc]=14131211'],
  ['o16 enter 8, 0', 'ebp=0x9040', 'esp=0x8ef6 ebp=0x8efe [0x8efe]=4090'],
  ['o16 enter 4, 3', 'ebp=0x9040', 'esp=0x8ef4 ebp=0x8efe [0x8ef8]=fe8ea7aeb5bc4090'],
  ['pushfd
pop ecx
and ecx, 0xcd5', 'flags=oszapcd', 'ecx=0xcd5 flags=d [0x8efc]=d70e0000'],
  ['pushfw
pop cx
and ecx, 0xcd5', 'flags=zc', 'ecx=0x41 flags=p [0x8efe]=4302'],
  ['push dword 0xcd7
popfd', '', 'flags=oszapcd [0x8efc]=d70c0000'],
  ['push dword 2
popfd', 'flags=oszapcd', 'flags= [0x8efc]=02000000'],
  ['push word 0x08d7
popfw', '', 'flags=oszapc [0x8efe]=d708'],
  ['lahf', 'flags=oszapc', 'eax=0x1020d740'],
  ['lahf', '', 'eax=0x10200240'],
  ['lahf', 'flags=z', 'eax=0x10204240'],
  ['sahf', 'ah=0xff', 'flags=szapc'],
  ['sahf', 'ah=0 flags=oszapc', 'flags=o'],
  ['sahf', 'ah=0x91 flags=o', 'flags=osac'],
  ['cmc', '', 'flags=c'],
  ['cmc', 'flags=oszapc', 'flags=oszap'],
  ['clc', 'flags=oszapc', 'flags=oszap'],
  ['stc', '', 'flags=c'],
  ['cld', 'flags=d', 'flags='],
  ['std', '', 'flags=d'],
  ['o32 call .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 esp=0x8efc flags=s [0x8efc]=05700000'],
  ['o32 call .there
jmp .end
.there: inc edx
o32 ret
.end:', '', 'edx=0x90a0b0c1 flags=s [0x8efc]=05700000'],
  ['push dword .back
o32 ret
inc ecx
.back: inc edx', '', 'edx=0x90a0b0c1 flags=s [0x8efc]=07700000'],
  ['push dword 0x55
push dword .back
o32 ret 4
inc ecx
.back:', '', '[0x8ef8]=0b70000055000000'],
  ['mov ebx, .there
call ebx
.there: inc edx', '', 'edx=0x90a0b0c1 ebx=0x7007 esp=0x8efc flags=s [0x8efc]=07700000'],
  ['mov dword [data], .there
o32 jmp [data]
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s [data+0]=11700000'],
  ['mov ebx, .there
jmp ebx
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 ebx=0x7008 flags=s'],
  ['mov dword [data], .there
o32 call [data]
.there: inc edx', '', 'edx=0x90a0b0c1 esp=0x8efc flags=s [0x8efc]=10700000 [data+0]=10700000'],
  ['jmp short .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jmp near .there
inc ecx
.there: inc edx', '', 'edx=0x90a0b0c1 flags=s'],
  ['jmp short .b
.a: inc edx
jmp short .c
.b: jmp near .a
.c:', '', 'edx=0x90a0b0c1 flags=s'],
  ['loop .there
inc ebx
.there: inc edx', 'ecx=2', 'ecx=1 edx=0x90a0b0c1 flags=s'],
  ['loop .there
inc ebx
.there: inc edx', 'ecx=1', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['loop .there
inc ebx
.there: inc edx', 'ecx=2 flags=z', 'ecx=1 edx=0x90a0b0c1 flags=s'],
  ['a32 loop .there
inc ebx
.there: inc edx', 'ecx=0', 'ecx=0xffffffff edx=0x90a0b0c1 flags=s'],
  ['a32 loop .there
inc ebx
.there: inc edx', 'ecx=1 flags=z', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['a16 loop .there
inc ebx
.there: inc edx', 'ecx=0x10001', 'ecx=0x10000 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['.a: inc ebx
loop .a', 'ecx=5 ebx=7', 'ecx=0 ebx=0xc flags=p'],
  ['loope .there
inc ebx
.there: inc edx', 'ecx=2', 'ecx=1 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['loope .there
inc ebx
.there: inc edx', 'ecx=1', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['loope .there
inc ebx
.there: inc edx', 'ecx=2 flags=z', 'ecx=1 edx=0x90a0b0c1 flags=s'],
  ['a32 loope .there
inc ebx
.there: inc edx', 'ecx=0', 'ecx=0xffffffff edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['a32 loope .there
inc ebx
.there: inc edx', 'ecx=1 flags=z', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['a16 loope .there
inc ebx
.there: inc edx', 'ecx=0x10001', 'ecx=0x10000 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['.a: inc ebx
loope .a', 'ecx=5 ebx=7', 'ecx=4 ebx=8'],
  ['loopne .there
inc ebx
.there: inc edx', 'ecx=2', 'ecx=1 edx=0x90a0b0c1 flags=s'],
  ['loopne .there
inc ebx
.there: inc edx', 'ecx=1', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['loopne .there
inc ebx
.there: inc edx', 'ecx=2 flags=z', 'ecx=1 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['a32 loopne .there
inc ebx
.there: inc edx', 'ecx=0', 'ecx=0xffffffff edx=0x90a0b0c1 flags=s'],
  ['a32 loopne .there
inc ebx
.there: inc edx', 'ecx=1 flags=z', 'ecx=0 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['a16 loopne .there
inc ebx
.there: inc edx', 'ecx=0x10001', 'ecx=0x10000 edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['.a: inc ebx
loopne .a', 'ecx=5 ebx=7', 'ecx=0 ebx=0xc flags=p'],
  ['jecxz .there
inc ebx
.there: inc edx', 'ecx=0', 'edx=0x90a0b0c1 flags=s'],
  ['jecxz .there
inc ebx
.there: inc edx', 'ecx=0x10000', 'edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['jcxz .there
inc ebx
.there: inc edx', 'ecx=0x10000', 'edx=0x90a0b0c1 flags=s'],
  ['jcxz .there
inc ebx
.there: inc edx', 'ecx=1', 'edx=0x90a0b0c1 ebx=0xd0e0f002 flags=s'],
  ['into', '', ''],
  ['bound ecx, [data]', 'ecx=5 [data]=0100000005000000', ''],
  ['bound cx, [data]', 'cx=-2 [data]=feff0200', ''],
  ['bound ecx, [data]', 'ecx=-7 [data]=f9ffffff00000000 flags=oszapc', ''],
];
