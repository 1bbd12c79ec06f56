import { buffer, number, type Aml } from './aml.ts';

/** Resource descriptors (ACPI 6.4, 6.4): what a device occupies. */

/** Ports, decoded in 16 bits, at one place. */
export const ports = (start: number, length: number): Aml => [
  0x47,
  1,
  ...number(start, 2),
  ...number(start, 2),
  1,
  length,
];

/** An ISA interrupt: edge-triggered, active high, not shared. */
export const irq = (line: number): Aml => [0x22, ...number(1 << line, 2)];

/** Interrupts to choose from, or the one chosen: level-triggered, active high, shared, for the device itself. */
export function interrupts(...lines: number[]): Aml {
  const body = [0x09, lines.length, ...lines.flatMap((line) => number(line, 4))];
  return [0x89, ...number(body.length, 2), ...body];
}

/** Where the number of the first interrupt is in its descriptor. */
export const INTERRUPT_OFFSET = 5;

export const fixedMemory = (start: number, length: number): Aml => [
  0x86,
  ...number(9, 2),
  1,
  ...number(start, 4),
  ...number(length, 4),
];

/** Both ends fixed, decoded positively; what a bridge passes on, not what it has. */
const PRODUCED = 0x0c;
const KIND = { memory: 0, ports: 1, buses: 2 } as const;
/** Memory: writable, not cached. Ports: the whole range, ISA and other addresses. */
const KIND_FLAGS = { memory: 1, ports: 3, buses: 0 } as const;

/** A range that a bridge passes on, in words of two, four or eight bytes. */
export function addressSpace(kind: keyof typeof KIND, width: 2 | 4 | 8, start: number, length: number): Aml {
  const tag = { 2: 0x88, 4: 0x87, 8: 0x8a }[width];
  const fields = [0, start, start + length - 1, 0, length];
  const body = [KIND[kind], PRODUCED, KIND_FLAGS[kind], ...fields.flatMap((field) => number(field, width))];
  return [tag, ...number(body.length, 2), ...body];
}

/** A resource template: descriptors and an end tag, whose checksum of 0 means that there is none. */
export const template = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0]);
