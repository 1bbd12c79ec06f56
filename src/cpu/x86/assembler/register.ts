/** A register as the assembler names it. */
export interface Register {
  readonly name: string;
  readonly kind: 'general' | 'segment' | 'control' | 'debug' | 'xmm' | 'mmx' | 'x87' | 'pointer';
  /** In bytes. */
  readonly size: number;
  readonly number: number;
  /** Whether a REX prefix goes with it: SPL to DIL need one, AH to BH cannot have one. */
  readonly rex?: 'needed' | 'forbidden';
}

const GENERAL: Readonly<Record<number, readonly string[]>> = {
  1: ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'],
  2: ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'],
  4: ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'],
  8: ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'],
};
/** Where AH to BH would be, in an instruction with a REX prefix. */
const LOW_BYTES: readonly string[] = ['spl', 'bpl', 'sil', 'dil'];
const SUFFIXES: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'd', 8: '' };
const SEGMENT_NAMES: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

const named = (kind: Register['kind'], size: number, names: readonly string[]): Register[] =>
  names.map((name, number) => ({ name, kind, size, number }));

const eight = (prefix: string): string[] => Array.from({ length: 8 }, (_, number) => `${prefix}${number}`);
const sixteen = (prefix: string): string[] => Array.from({ length: 16 }, (_, number) => `${prefix}${number}`);

const upper = (size: number): Register[] =>
  Array.from({ length: 8 }, (_, low) => ({
    name: `r${low + 8}${SUFFIXES[size]}`,
    kind: 'general',
    size,
    number: low + 8,
  }));

/** Every register, by its lower-case name. */
export const REGISTERS: ReadonlyMap<string, Register> = new Map(
  [
    ...Object.entries(GENERAL).flatMap(([size, names]) => [
      ...named('general', Number(size), names),
      ...upper(Number(size)),
    ]),
    ...['ah', 'ch', 'dh', 'bh'].map((name, index): Register => ({
      name,
      kind: 'general',
      size: 1,
      number: index + 4,
      rex: 'forbidden',
    })),
    ...LOW_BYTES.map((name, index): Register => ({ name, kind: 'general', size: 1, number: index + 4, rex: 'needed' })),
    { name: 'rip', kind: 'pointer', size: 8, number: 0 } satisfies Register,
    { name: 'eip', kind: 'pointer', size: 4, number: 0 } satisfies Register,
    ...named('xmm', 16, sixteen('xmm')),
    ...named('mmx', 8, eight('mm')),
    ...named('x87', 10, eight('st')),
    ...named('segment', 2, SEGMENT_NAMES),
    ...named('control', 4, [...eight('cr'), 'cr8']),
    ...named('debug', 4, eight('dr')),
  ].map((register) => [register.name, register]),
);

/** `hasRex`: whether there is a REX prefix, which turns AH to BH into SPL to DIL. */
export function generalName(number: number, size: number, hasRex = false): string {
  if (number > 7) return `r${number}${SUFFIXES[size] ?? '?'}`;
  if (size === 1 && hasRex && number > 3) return LOW_BYTES[number - 4] ?? '?';
  return GENERAL[size]?.[number] ?? '?';
}

/** Empty for the two numbers that no segment register has. */
export function segmentName(number: number): string {
  return SEGMENT_NAMES[number] ?? '';
}

/** The prefix byte that makes a memory operand use a segment register, by the register's number. */
export const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
