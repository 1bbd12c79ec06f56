import type { Case } from '../case.ts';

const RING0 = 'real protected paged protected16';

/** Breakpoints, single steps, and what holds them off. */
export const DEBUG: readonly Case[] = [
  // Instruction breakpoints: before the instruction.
  ['mov eax, at\nmov dr0, eax\nmov eax, 2\nmov dr7, eax\nnop\nat: inc ecx', '', 'eax=2 #DB', RING0],
  ['mov eax, at\nmov dr3, eax\nmov eax, 0x40\nmov dr7, eax\nnop\nat: inc ecx', '', 'eax=0x40 #DB', RING0],
  ['mov eax, at\nmov dr0, eax\nmov eax, 8\nmov dr7, eax\nat: mov eax, 1', '', 'eax=1', RING0],
  // On a repeated string instruction, before its first iteration.
  ['mov eax, at\nmov dr1, eax\nmov eax, 4\nmov dr7, eax\nat: rep stosb', 'ecx=3 edi=0x9010', 'eax=4 ecx=3 #DB', RING0],
  // Data breakpoints: behind the instruction.
  [
    'mov eax, data\nmov dr0, eax\nmov eax, 0x10002\nmov dr7, eax\nmov [data], cl\nat: inc edx',
    '',
    'eax=0x10002 [data]=80 #DB',
    RING0,
  ],
  [
    'mov eax, data\nmov dr2, eax\nmov eax, 0x3000020\nmov dr7, eax\nmov dl, [data]\nat: inc edx',
    '[data]=77',
    'eax=0x3000020 dl=0x77 #DB',
    RING0,
  ],
  [
    'mov eax, data\nmov dr0, eax\nmov eax, 0x10002\nmov dr7, eax\nmov dl, [data]',
    '[data]=77',
    'eax=0x10002 dl=0x77',
    RING0,
  ],
  [
    'mov eax, data\nmov dr0, eax\nmov eax, 0xd0002\nmov dr7, eax\nmov [data+3], cl\nat: inc edx',
    '',
    'eax=0xd0002 [data+3]=80 #DB',
    RING0,
  ],
  [
    'mov eax, data\nmov dr0, eax\nmov eax, 0xd0002\nmov dr7, eax\nmov [data+4], cl',
    '',
    'eax=0xd0002 [data+4]=80',
    RING0,
  ],
  // Port breakpoints, with CR4.DE alone.
  [
    'mov eax, 8\nmov cr4, eax\nmov eax, 0x12\nmov dr0, eax\nmov eax, 0x20002\nmov dr7, eax\nin al, 0x12\nat: inc ecx',
    '',
    'eax=0x20013 #DB',
    'real protected',
  ],
  ['mov eax, 0x12\nmov dr0, eax\nmov eax, 0x20002\nmov dr7, eax\nin al, 0x12', '', 'eax=0x20013', 'real protected'],
  // DR7.GD.
  ['mov eax, 0x2000\nmov dr7, eax\nat: mov ecx, dr0', '', 'eax=0x2000 #DB', RING0],
  ['mov eax, 0x2000\nmov dr7, eax\nat: mov dr6, ecx', '', 'eax=0x2000 #DB', RING0],
  // Single steps: behind the instruction after the one that sets TF, but not behind a load of SS.
  ['push dword 0x102\npopfd\nnop\nat: inc ecx', '', 'flags=t #DB', RING0],
  ['push dword 0x102\npopfd\nnop\nat: inc ecx', '', 'flags=t [0x8efc]=02010000 #DB', 'user v86'],
  ['mov ecx, 0\npush dword 0x102\npopfd\nmov ss, cx\nnop\nat: inc edx', '', 'ecx=0 flags=t #DB', 'real'],
  [
    'mov ecx, 0x10\npush dword 0x102\npopfd\nmov ss, cx\nnop\nat: inc edx',
    '',
    'ecx=0x10 flags=t #DB',
    'protected paged',
  ],
  ['push dword 0x102\npopfd\nrep stosb\nat:', 'ecx=0 edi=0x9010', 'flags=t #DB', RING0],
];
