import type { Form } from '../../src/cpu/x86/assembler/form.ts';
import { FORMS, isVector } from '../../src/cpu/x86/assembler/form.ts';
import type { Random } from '../random.ts';
import { isHere } from './long/features.ts';

/** They touch state that is not compared, fault by design, or need more than a memory operand at EDI. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  'fldenv fldcw fnstenv frstor fnsave fxsave fxrstor ldmxcsr maskmovq maskmovdqu clflush wait'.split(' '),
);

const isX87 = ({ opcode }: Form): boolean => opcode >= 0xd8 && opcode <= 0xdf;
const isOther = ({ instruction: { mnemonic } }: Form): boolean =>
  /^(popcnt|crc32|stmxcsr|[lms]fence|movnti)$/.test(mnemonic);
const isCompared = (form: Form): boolean => !LEFT_OUT.has(form.instruction.mnemonic) && isHere(form);

/** Every row of x87, and every row of MMX and SSE, that can be compared. */
export const X87_FORMS: readonly Form[] = FORMS.filter((form) => isX87(form) && isCompared(form));
export const VECTOR_FORMS: readonly Form[] = FORMS.filter(
  (form) => (isVector(form) || isOther(form)) && isCompared(form),
);

/** Whether the row can have its operand in memory, or in a register. */
export const kindsOf = ({ operands, fixedModrm, hasModrm }: Form): readonly boolean[] => {
  if (!hasModrm || fixedModrm !== undefined) return [false];
  if (operands.some(({ place }) => place === 'M')) return [true];
  return operands.some(({ place }) => 'UNR'.includes(place)) || operands.every(({ place }) => !'EWQ'.includes(place))
    ? [false]
    : [false, true];
};

/** Bytes for the row; memory operands are at EDI and a multiple of 16. ESP and EDI are left alone. */
export function encodeFloat(form: Form, memory: boolean, random: Random): number[] {
  const opcode = [form.opcode >> 16, (form.opcode >> 8) & 0xff, form.opcode & 0xff].filter(
    (byte, at) => at === 2 || byte > 0,
  );
  const wide = form.operands.some(({ width }) => width === 'v') && random.once(3);
  const prefixes = [...(wide ? [0x66] : []), ...(form.mandatoryPrefix === 0 ? [] : [form.mandatoryPrefix])];
  const immediate = form.operands.some(({ place }) => place === 'I') ? [random.below(256)] : [];
  return [...prefixes, ...opcode, ...modrmBytes(form, memory, random), ...immediate];
}

const GENERAL = [0, 1, 2, 3, 5, 6];

function modrmBytes(form: Form, memory: boolean, random: Random): number[] {
  if (!form.hasModrm) return [];
  if (form.fixedModrm !== undefined) return [form.fixedModrm.first + random.below(form.fixedModrm.count)];
  const numberOf = (places: string): number =>
    form.operands.some(({ place }) => places.includes(place)) ? random.pick(GENERAL) : random.below(8);
  const reg = form.extension ?? numberOf('G');
  if (!memory) return [0xc0 | (reg << 3) | numberOf('ER')];
  return [0x47 | (reg << 3), 16 * random.below(7)];
}
