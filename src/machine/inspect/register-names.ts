const GENERAL = 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags'.split(' ');
const SEGMENTS = 'cs ss ds es fs gs ldtr tr'.split(' ').flatMap((name) => [name, `${name}.base`, `${name}.limit`]);
const SYSTEM = 'cr0 cr2 cr3 cr4 efer gdtr.base gdtr.limit idtr.base idtr.limit'.split(' ');

/** The registers that tools show, in the order in which they show them; see `Engine.register`. */
export const REGISTER_NAMES: readonly string[] = [...GENERAL, ...SEGMENTS, ...SYSTEM];
