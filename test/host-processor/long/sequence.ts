import { FORMS, type Form } from '../../../src/cpu/x86/assembler/form.ts';
import type { Random } from '../../random.ts';
import { little } from '../code.ts';
import { fill, type Setting } from './encoding.ts';
import { faultGroup } from './fault.ts';
import { isHere } from './features.ts';
import { floatGroup, isExact, isSse, isX87 } from './float.ts';
import { behind, bitsOf, HINTS, plain, type Group } from '../group.ts';
import { INTEGER_MAKERS, moveOffset } from './integer.ts';

/** Not for a user program, not alike on every processor, or done as part of another group. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  [
    'mov_to_segment mov_from_control mov_to_control mov_from_debug mov_to_debug load_far_pointer push_segment',
    'pop_segment cli sti ins outs port_in port_out hlt jmpf callf ret retf int3 int icebp iret leave sldt str lldt ltr',
    'verr verw sgdt sidt lgdt lidt smsw lmsw invlpg lar lsl clts invd wbinvd ud wrmsr rdmsr rdtsc rdtscp rdpmc rdpid',
    'sysenter sysexit syscall sysret swapgs clac stac cpuid rsm jcc jmp loop loope loopne jcxz',
    'rdfsbase rdgsbase wrfsbase wrgsbase',
  ].flatMap((names) => names.split(' ')),
);

const isForUser = (form: Form): boolean =>
  !form.instruction.traits.has('no64') &&
  !form.instruction.traits.has('privileged') &&
  !LEFT_OUT.has(form.instruction.handler) &&
  !HINTS.has(form.opcode) &&
  isHere(form);

const POSSIBLE = FORMS.filter((form) => isForUser(form) && isExact(form));
const X87 = POSSIBLE.filter(isX87);
const SSE = POSSIBLE.filter(isSse);
const INTEGER = POSSIBLE.filter((form) => !isX87(form) && !isSse(form));

/** Rows that sequences are made of, by what a sequence is about. */
const TOPICS = {
  integer: [INTEGER],
  x87: [X87, X87, X87, INTEGER],
  sse: [SSE, SSE, SSE, INTEGER],
  all: [INTEGER, X87, SSE],
} as const;

export type Topic = keyof typeof TOPICS;
export const TOPIC_NAMES = Object.keys(TOPICS) as readonly Topic[];

/** Every row that sequences are made of. */
export const SEQUENCE_FORMS: readonly Form[] = POSSIBLE;

const isFloat = (form: Form): boolean => isX87(form) || isSse(form);

/** A group of this row. */
export function make(form: Form, setting: Setting): Group {
  if (isFloat(form)) return floatGroup(form, setting);
  if (form.operands.some(({ place }) => place === 'O')) return moveOffset(form, setting);
  return (INTEGER_MAKERS.get(form.instruction.handler) ?? fill)(form, setting);
}

/** Branches forward, over other groups. */
const BRANCHES: readonly Form[] = FORMS.filter(({ instruction: { handler } }) =>
  ['jcc', 'jmp', 'loop', 'loope', 'loopne', 'jcxz'].includes(handler),
);

/** A branch over a group: what either way leaves undefined stays so. */
function branchOver(random: Random, body: Group): Group {
  const form = random.pick(BRANCHES);
  const isShort = form.operands[0]?.width === 'b';
  const counts = form.instruction.handler === 'jcxz' || form.instruction.handler.startsWith('loop');
  const opcode = [...(form.opcode > 0xff ? [form.opcode >> 8] : []), form.opcode & 0xff];
  const head = [...(counts && random.once(2) ? [0x67] : []), ...(random.once(8) ? [0x48] : []), ...opcode];
  return {
    ...behind([...head, ...little(body.bytes.length, isShort ? 1 : 4)], body),
    reads: bitsOf(form.instruction.flags.reads) | body.reads,
    undefinedAfter: (before) => before | body.undefinedAfter(before),
  };
}

/** CMP EBX, immediate: defines every arithmetic flag. */
const define = (random: Random): Group =>
  plain([0x81, 0xfb, ...little(random.value(), 4)], { undefinedAfter: () => 0 });

/** How far a sequence may move RSP either way. */
const STACK_ROOM = 0x60;

/** A sequence of 4 to 12 groups that reads no undefined flag and stays within its page, or ends with an exception. */
export function randomSequence(setting: Setting): Group[] {
  const { random } = setting;
  const topic = random.pick(TOPIC_NAMES);
  const groups: Group[] = [];
  const length = 4 + random.below(9);
  let undefinedFlags = 0;
  let depth = 0;
  while (groups.length < length) {
    const made = random.once(150) ? faultGroup(setting) : make(random.pick(random.pick(TOPICS[topic])), setting);
    const next = made.stack === 0 && made.bytes.length < 100 && random.once(8) ? branchOver(random, made) : made;
    if (Math.abs(depth + next.stack) > STACK_ROOM) continue;
    if ((undefinedFlags & next.reads) !== 0) {
      groups.push(define(random));
      undefinedFlags = 0;
    }
    groups.push(next);
    undefinedFlags = next.undefinedAfter(undefinedFlags);
    depth += next.stack;
  }
  return groups;
}
