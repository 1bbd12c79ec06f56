import { assemble } from '../../../src/cpu/x86/assembler/index.ts';
import { LOW, PART, SAVED, STRIDE, WORD } from './layout.ts';

const EXCEPTION = PART.exception;

/**
 * What stands around sequences: `next` loads what the page of the current one says, `leave` stores what became of it.
 * Everything here is the same on both processors; `done` leads to what is not.
 */
const FRAME = `
next:
  mov rsp, [${WORD.current}]
  db 0x48 ; REX.W: pointers of 64 bits
  fxrstor [rsp]
  mov rax, [rsp + ${PART.entry}]
  mov [${WORD.entry}], rax
  lea rsp, [rsp + ${PART.saved}]
  popfq
  ${SAVED.map((name) => `pop ${name}`).join('\n')}
  jmp [${WORD.entry}]
leave:
  mov [${WORD.rsp}], rsp
  mov rsp, [${WORD.current}]
  lea rsp, [rsp + ${PART.after + PART.saved + 8 * 17}]
  push qword [${WORD.rsp}]
  ${SAVED.slice(0, -1)
    .reverse()
    .map((name) => `push ${name}`)
    .join('\n')}
  pushfq
  db 0x48
  fxsave [rsp - ${PART.saved}]
  fninit
  cld
  mov rax, [${WORD.current}]
  add rax, ${STRIDE}
  mov [${WORD.current}], rax
  cmp rax, [${WORD.end}]
  jb next
  jmp [${WORD.done}]
`;

const CALLEE_SAVED = ['rbx', 'rbp', 'r12', 'r13', 'r14', 'r15'];
/** Of ucontext's registers (Linux, asm/sigcontext.h), from the structure's start. */
const CONTEXT = { rip: 168, error: 192, trap: 200, cr2: 216 } as const;

/**
 * The way to the frame and back for a function call, and a handler of signals: it notes the exception and goes on at
 * \`leave\` with every register as it was.
 */
const NATIVE = `
enter:
  ${CALLEE_SAVED.map((name) => `push ${name}`).join('\n')}
  mov [${WORD.hostRsp}], rsp
  jmp next
done:
  mov rsp, [${WORD.hostRsp}]
  ldmxcsr [${WORD.mxcsr}]
  ${[...CALLEE_SAVED]
    .reverse()
    .map((name) => `pop ${name}`)
    .join('\n')}
  ret
signal:
  mov rcx, [${WORD.current}]
  mov rax, [rdx + ${CONTEXT.trap}]
  inc rax
  mov [rcx + ${EXCEPTION}], rax
  mov rax, [rdx + ${CONTEXT.error}]
  mov [rcx + ${EXCEPTION + 8}], rax
  mov rax, [rdx + ${CONTEXT.rip}]
  mov [rcx + ${EXCEPTION + 16}], rax
  mov rax, [rdx + ${CONTEXT.cr2}]
  mov [rcx + ${EXCEPTION + 24}], rax
  mov qword [rdx + ${CONTEXT.rip}], leave
  ret
`;

const WITH_ERROR = [8, 10, 11, 12, 13, 14, 17];

/** For a processor without an operating system: a handler for each exception, which does the same. */
const BARE = `
done:
  int 0x81
halt:
  hlt
${Array.from({ length: 32 }, (_, vector) => `vector${vector}:\n${WITH_ERROR.includes(vector) ? '' : 'push 0\n'}push ${vector + 1}\njmp common`).join('\n')}
common:
  push rax
  push rcx
  mov rcx, [${WORD.current}]
  mov rax, [rsp + 16]
  mov [rcx + ${EXCEPTION}], rax
  mov rax, [rsp + 24]
  mov [rcx + ${EXCEPTION + 8}], rax
  mov rax, [rsp + 32]
  mov [rcx + ${EXCEPTION + 16}], rax
  mov rax, cr2
  mov [rcx + ${EXCEPTION + 24}], rax
  mov qword [rsp + 32], leave
  pop rcx
  pop rax
  add rsp, 16
  iretq
`;

export interface Frame {
  readonly bytes: Uint8Array;
  readonly at: (label: string) => number;
}

export function frame(kind: 'native' | 'bare'): Frame {
  const { bytes, labels } = assemble(FRAME + (kind === 'native' ? NATIVE : BARE), { origin: LOW, bits: 64 });
  return { bytes, at: (label) => labels.get(label) ?? 0 };
}

/** Where sequences jump when they are done. */
export const LEAVE: number = frame('native').at('leave');
