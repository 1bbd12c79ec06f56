import { assemble } from '../x86/assembler/index.ts';
import type { Mode } from './case.ts';
import {
  ABSENT_PAGE,
  BOOT,
  CODE,
  DATA,
  EXIT_PORT,
  GDT,
  HANDLERS,
  IDT,
  LDT,
  PAGE_DIRECTORY,
  PAGE_TABLE,
  READ_ONLY_PAGE,
  RING0_STACK,
  SECOND_TSS,
  SELECTORS,
  STACK,
  SUPERVISOR_PAGE,
  TSS,
} from './layout.ts';

const byteOf = (value: number, index: number): number => (value >>> (8 * index)) & 0xff;

/** A segment descriptor (SDM volume 3, figure 3-8): `access` is bits 47:40, `flags` bits 55:52. */
function descriptor(base: number, limit: number, access: number, flags: number): number[] {
  const low = [byteOf(limit, 0), byteOf(limit, 1), byteOf(base, 0), byteOf(base, 1)];
  return [...low, byteOf(base, 2), access, byteOf(limit, 2) | (flags << 4), byteOf(base, 3)];
}

/** A gate (SDM volume 3, figures 5-8 and 6-2). */
function gate(selector: number, offset: number, access: number, parameters = 0): number[] {
  const low = [byteOf(offset, 0), byteOf(offset, 1), byteOf(selector, 0), byteOf(selector, 1)];
  return [...low, parameters, access, byteOf(offset, 2), byteOf(offset, 3)];
}

const FLAT = 0xf_ffff;
const PAGES_32 = 0xc;
const BYTES_32 = 0x4;

/** In the order of SELECTORS. */
const DESCRIPTORS: readonly (readonly number[])[] = [
  descriptor(0, 0, 0, 0),
  descriptor(0, FLAT, 0x9b, PAGES_32),
  descriptor(0, FLAT, 0x93, PAGES_32),
  descriptor(0, FLAT, 0xfb, PAGES_32),
  descriptor(0, FLAT, 0xf3, PAGES_32),
  descriptor(0, 0xffff, 0x9b, 0),
  descriptor(0, 0xffff, 0x93, 0),
  descriptor(TSS, 0xff, 0x89, 0),
  descriptor(DATA, 0xfff, 0x93, BYTES_32),
  descriptor(DATA, 0xfff, 0x91, BYTES_32),
  descriptor(DATA, 0xfff, 0x13, BYTES_32),
  descriptor(DATA, 0xfff, 0x97, BYTES_32),
  descriptor(0, FLAT, 0x99, PAGES_32),
  descriptor(0, FLAT, 0x9f, PAGES_32),
  descriptor(LDT, 0x1f, 0x82, 0),
  gate(SELECTORS.code32, CODE + 0x800, 0xec),
  gate(SELECTORS.code32, CODE + 0x800, 0xec, 2),
  descriptor(SECOND_TSS, 0xff, 0xe9, 0),
];

const LDT_DESCRIPTORS: readonly (readonly number[])[] = [
  descriptor(0, 0, 0, 0),
  descriptor(DATA, 0xff, 0xf3, BYTES_32),
];

/** How to get from reset to each mode; all ends with an OUT, from where the case goes on. */
const SOURCE = `
bits 16
entry: jmp [target]
target: dw 0
gdtr: dw ${DESCRIPTORS.length * 8 - 1}
  dd ${GDT}
idtr: dw 0x7ff
  dd ${IDT}
real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov esp, ${STACK}
  out ${EXIT_PORT}, al
protect:
  o32 lgdt [gdtr]
  o32 lidt [idtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword ${SELECTORS.code32}:.flat
bits 32
.flat:
  mov ax, ${SELECTORS.data32}
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov esp, ${STACK}
  mov ax, ${SELECTORS.tss}
  ltr ax
  jmp ebp
page:
  mov eax, ${PAGE_DIRECTORY}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  jmp ebx
done: out ${EXIT_PORT}, al
bits 16
protected: mov ebp, done
  jmp protect
paged: mov ebp, page
  mov ebx, done
  jmp protect
user: mov ecx, 0x3002
  jmp to_outer
restricted: mov ecx, 2
to_outer: mov ebp, page
  mov ebx, to_user
  jmp protect
v86: mov ecx, 0x23002
  jmp to_virtual
restricted_v86: mov ecx, 0x20002
to_virtual: mov ebp, page
  mov ebx, to_v86
  jmp protect
protected16: mov ebp, to_16
  jmp protect
bits 32
to_16: jmp ${SELECTORS.code16}:.narrow
bits 16
.narrow:
  mov ax, ${SELECTORS.data16}
  mov ds, ax
  mov es, ax
  mov ss, ax
  out ${EXIT_PORT}, al
bits 32
to_user:
  mov ax, ${SELECTORS.userData}
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  push ${SELECTORS.userData}
  push ${STACK}
  push ecx
  push ${SELECTORS.userCode}
  push done
  iretd
to_v86:
  push 0
  push 0
  push 0
  push 0
  push 0
  push ${STACK}
  push ecx
  push 0
  push done
  iretd
`;

const { bytes: BOOT_CODE, labels: BOOT_LABELS } = assemble(SOURCE, { origin: BOOT });

/** What the processor executes first. */
export const RESET_VECTOR: Uint8Array = assemble(`jmp 0:${BOOT}`, { bits: 16 }).bytes;

const words32 = (...values: number[]): number[] =>
  values.flatMap((value) => [0, 8, 16, 24].map((at) => (value >>> at) & 0xff));

/** Identity, but for the special pages: present, writable, user. */
function pageEntry(page: number): number {
  const address = page * 4096;
  if (address === ABSENT_PAGE) return 0;
  if (address === READ_ONLY_PAGE) return address | 5;
  return address | (address === SUPERVISOR_PAGE ? 3 : 7);
}

/** A task state segment with the ring 0 stack and a bitmap that allows every port below 0x100 but 0x80 to 0x87. */
const TASK_STATE: readonly number[] = [
  ...words32(0, RING0_STACK, SELECTORS.data32),
  ...Array.from({ length: 90 }, () => 0),
  104,
  0,
  ...Array.from({ length: 32 }, (_, index) => (index === 16 ? 0xff : 0)),
  0xff,
];

/** Everything that a case finds below its code. */
export function bootImage(mode: Mode): Uint8Array {
  const image = new Uint8Array(CODE);
  const numbers = Array.from({ length: 256 }, (_, vector) => vector);
  image.set(numbers.flatMap((vector) => words32(HANDLERS + 4 * vector)));
  image.set(
    numbers.flatMap(() => HANDLER),
    HANDLERS,
  );
  image.set(
    numbers.flatMap((vector) => gate(SELECTORS.code32, HANDLERS + 4 * vector, 0xee)),
    IDT,
  );
  image.set(DESCRIPTORS.flat(), GDT);
  image.set(LDT_DESCRIPTORS.flat(), LDT);
  image.set(TASK_STATE, TSS);
  image.set(words32(PAGE_TABLE | 7), PAGE_DIRECTORY);
  image.set(words32(...numbers.map(pageEntry)), PAGE_TABLE);
  image.set(BOOT_CODE, BOOT);
  const target = BOOT_LABELS.get('target') ?? 0;
  const entry = BOOT_LABELS.get(mode.replace('-', '_')) ?? 0;
  image.set([entry & 0xff, entry >> 8], target);
  return image;
}

/** OUT, and again should the run go on. */
const HANDLER: readonly number[] = [0xe6, EXIT_PORT, 0xeb, 0xfc];
