import { FIELD, REGISTERS, SEGMENT, SEGMENT_SIZE, SEGMENTS } from './table/layout.ts';

/** Where a register lies in the processor's state. */
export interface RegisterPlace {
  /** From STATE. */
  readonly offset: number;
  readonly size: 4 | 8;
}

const fields = (names: readonly string[], start: number, size: 4 | 8, step: number): [string, RegisterPlace][] =>
  names.map((name, index) => [name, { offset: start + index * step, size }]);

/** A segment register's visible part by its name, the hidden parts behind a dot. */
const segment = (name: string, index: number): [string, RegisterPlace][] => {
  const at = FIELD.SEGS + index * SEGMENT_SIZE;
  return [
    [name, { offset: at + SEGMENT.SELECTOR, size: 4 }],
    [`${name}.attributes`, { offset: at + SEGMENT.ATTRIBUTES, size: 4 }],
    [`${name}.base`, { offset: at + SEGMENT.BASE, size: 8 }],
    [`${name}.limit`, { offset: at + SEGMENT.LIMIT, size: 4 }],
  ];
};

/** Memory types; the slots are those of core/msr-storage.ts. */
const MTRR_DEFAULT = FIELD.MSR + 0x40;
const MTRR_VARIABLE = FIELD.MSR + 0x80;
const MTRR_FIXED = FIELD.MSR + 0x100;
const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** Every register by its lower-case name, but `rflags`, which is not stored as one word. */
export const REGISTER_PLACES: ReadonlyMap<string, RegisterPlace> = new Map([
  ...fields(REGISTERS, FIELD.REGS, 8, 8),
  ...fields(['rip', 'start_rip'], FIELD.RIP, 8, 8),
  ...SEGMENTS.flatMap(segment),
  ...fields(['gdtr.base'], FIELD.GDTR_BASE, 8, 8),
  ...fields(['gdtr.limit'], FIELD.GDTR_LIMIT_32, 4, 4),
  ...fields(['idtr.base'], FIELD.IDTR_BASE, 8, 8),
  ...fields(['idtr.limit'], FIELD.IDTR_LIMIT_32, 4, 4),
  ...fields(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'], FIELD.CR0, 8, 8),
  ...fields(['dr0', 'dr1', 'dr2', 'dr3', 'dr4', 'dr5', 'dr6', 'dr7'], FIELD.DR, 8, 8),
  ...fields(['pdpte0', 'pdpte1', 'pdpte2', 'pdpte3'], FIELD.PDPTE, 8, 8),
  ...fields(['mtrr.default'], MTRR_DEFAULT, 8, 8),
  ...fields(numbered('mtrr.base', 8), MTRR_VARIABLE, 8, 16),
  ...fields(numbered('mtrr.mask', 8), MTRR_VARIABLE + 8, 8, 16),
  ...fields(numbered('mtrr.fixed', 11), MTRR_FIXED, 8, 8),
  ...fields(['cpl'], FIELD.CPL_32, 4, 4),
  ...fields(['mode'], FIELD.MODE_32, 4, 4),
  ...fields(['halted'], FIELD.HALTED_32, 4, 4),
  ...fields(['shadow'], FIELD.SHADOW_32, 4, 4),
]);
