import type { Case } from '../case.ts';

/** CR0.NE and MP, then 1 / 0 with division by zero unmasked. */
const DIVIDED = `mov eax, cr0
or al, 0x22
mov cr0, eax
cmp eax, eax
mov eax, 0
fninit
mov word [data], 0x37b
fldcw word [data]
fld1
fldz
fdivp st1, st0
`;
const PENDING = 'eax=0 flags=pz [data]=7b03';
const RING0 = 'real protected paged';

/** CR4.OSFXSR, and OSXMMEXCPT unless `cr4` says otherwise; 1 / 0 with the exceptions of `mxcsr` masked. */
const vector = (mxcsr: number, cr4 = 0x600): string => `mov eax, ${cr4}
mov cr4, eax
mov dword [data], ${mxcsr}
ldmxcsr [data]
mov eax, 0x3f800000
movd xmm0, eax
pxor xmm1, xmm1
at: divss xmm0, xmm1
stmxcsr [data+4]`;

/** Exceptions of x87 and SSE that are not masked. */
export const FLOAT_EXCEPTIONS: readonly Case[] = [
  // x87: the next instruction that waits raises it, and those that do not wait do not.
  [`${DIVIDED}nop\nat: fld1`, '', `${PENDING} #MF`, RING0],
  [`${DIVIDED}at: wait`, '', `${PENDING} #MF`, RING0],
  [`${DIVIDED}at: fldcw word [data]`, '', `${PENDING} #MF`, RING0],
  [`${DIVIDED}at: paddb mm0, mm1`, '', `${PENDING} #MF`, RING0],
  [`${DIVIDED}at: emms`, '', `${PENDING} #MF`, RING0],
  [`${DIVIDED}fnstsw ax`, '', 'eax=0xb084 flags=pz [data]=7b03', RING0],
  [`${DIVIDED}fnstcw word [data+2]`, '', 'eax=0 flags=pz [data]=7b037b03', RING0],
  [`${DIVIDED}fnclex\nfld1\nwait`, '', PENDING, RING0],
  [`${DIVIDED}fninit\nfld1\nwait`, '', PENDING, RING0],
  // SSE: the instruction itself raises it, and has not been executed.
  [vector(0x1d80), '', 'eax=0x3f800000 [data]=801d0000 #XM', 'real protected'],
  [vector(0x1d80, 0x200), '', 'eax=0x3f800000 [data]=801d0000 #UD', 'real protected'],
  [vector(0x1f80), '', 'eax=0x3f800000 [data]=801f0000841f0000', 'real protected'],
  [vector(0x1f84), '', 'eax=0x3f800000 [data]=841f0000841f0000', 'real protected'],
];
