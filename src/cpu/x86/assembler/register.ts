/** A register as the assembler names it. */
export interface Register {
  readonly name: string;
  readonly kind: 'general' | 'segment' | 'control' | 'debug' | 'float' | 'mmx' | 'xmm';
  /** In bytes. */
  readonly size: number;
  readonly number: number;
}

const GENERAL: Readonly<Record<number, readonly string[]>> = {
  1: ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'],
  2: ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'],
  4: ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'],
};
const SEGMENT_NAMES: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

const named = (kind: Register['kind'], size: number, names: readonly string[]): Register[] =>
  names.map((name, number) => ({ name, kind, size, number }));

const eight = (prefix: string): string[] => Array.from({ length: 8 }, (_, number) => `${prefix}${number}`);

/** Every register, by its lower-case name. */
export const REGISTERS: ReadonlyMap<string, Register> = new Map(
  [
    ...Object.entries(GENERAL).flatMap(([size, names]) => named('general', Number(size), names)),
    ...named('segment', 2, SEGMENT_NAMES),
    ...named('control', 4, eight('cr')),
    ...named('debug', 4, eight('dr')),
    ...named('float', 10, eight('st')),
    ...named('mmx', 8, eight('mm')),
    ...named('xmm', 16, eight('xmm')),
  ].map((register) => [register.name, register]),
);

export function generalName(number: number, size: number): string {
  return GENERAL[size]?.[number] ?? '?';
}

/** Empty for the two numbers that no segment register has. */
export function segmentName(number: number): string {
  return SEGMENT_NAMES[number] ?? '';
}

/** The prefix byte that makes a memory operand use a segment register, by the register's number. */
export const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
