import { assert } from '../../base/assert.ts';

/** Bytes of the ACPI machine language. */
export type Aml = readonly number[];

/**
 * Terms of AML, each a function from its parts to its bytes (ACPI 6.4, chapter 20). Only those that the tables here
 * need; names are four letters, put together with dots, from the root with a backslash.
 */

const ZERO = 0x00;
const ONE = 0x01;

/** Little-endian, exact to 53 bits. */
export function number(value: number, length: number): Aml {
  return Array.from({ length }, (_, index) => Math.floor(value / 2 ** (8 * index)) % 256);
}

/** The shortest encoding of an integer. */
export function integer(value: number): Aml {
  if (value === 0) return [ZERO];
  if (value === 1) return [ONE];
  if (value < 2 ** 8) return [0x0a, ...number(value, 1)];
  if (value < 2 ** 16) return [0x0b, ...number(value, 2)];
  if (value < 2 ** 32) return [0x0c, ...number(value, 4)];
  return [0x0e, ...number(value, 8)];
}

/** A path: `\_SB_.PCI0`, `LNKA`. Segments are padded to four letters. */
export function path(text: string): Aml {
  const root = text.startsWith('\\') ? [0x5c] : [];
  const segments = text.replace(/^\\/, '').split('.');
  const bytes = segments.flatMap((segment) => segmentBytes(segment));
  if (segments.length === 1) return [...root, ...bytes];
  return [...root, ...(segments.length === 2 ? [0x2e] : [0x2f, segments.length]), ...bytes];
}

function segmentBytes(segment: string): Aml {
  assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment), `${segment} is no name of four letters`);
  return Array.from(segment.padEnd(4, '_'), (character) => character.charCodeAt(0));
}

/** A compressed identifier: three letters and four hexadecimal digits in 32 bits (6.1.5). */
export function eisaId(text: string): Aml {
  const letters = [0, 1, 2].map((index) => text.charCodeAt(index) - 0x40);
  const value = ((letters[0] ?? 0) << 26) | ((letters[1] ?? 0) << 21) | ((letters[2] ?? 0) << 16);
  const all = (value | Number.parseInt(text.slice(3), 16)) >>> 0;
  return [0x0c, ...[...number(all, 4)].reverse()];
}

/** The length of what follows, itself included: in one byte up to 63, else four bits and up to three bytes more. */
function withLength(body: Aml): Aml {
  if (body.length + 1 < 64) return [body.length + 1, ...body];
  const extra = body.length + 2 < 2 ** 12 ? 1 : body.length + 3 < 2 ** 20 ? 2 : 3;
  const length = body.length + 1 + extra;
  return [(extra << 6) | (length & 0xf), ...number(length >> 4, extra), ...body];
}

const terms = (parts: readonly Aml[]): Aml => parts.flat();

export const scope = (name: string, ...body: Aml[]): Aml => [0x10, ...withLength([...path(name), ...terms(body)])];
export const device = (name: string, ...body: Aml[]): Aml => [
  0x5b,
  0x82,
  ...withLength([...path(name), ...terms(body)]),
];
export const name = (label: string, value: Aml): Aml => [0x08, ...path(label), ...value];

/** At most seven arguments. Serialized when it makes names of its own. */
export function method(label: string, options: { args: number; serialized?: boolean }, ...body: Aml[]): Aml {
  return [0x14, ...withLength([...path(label), options.args | (options.serialized === true ? 8 : 0), ...terms(body)])];
}

export const pack = (...elements: Aml[]): Aml => [0x12, ...withLength([elements.length, ...terms(elements)])];

export const buffer = (bytes: Aml): Aml => [0x11, ...withLength([...integer(bytes.length), ...bytes])];

/** Configuration space of the PCI device in whose scope it stands. */
export function configRegion(label: string, start: number, length: number): Aml {
  return [0x5b, 0x80, ...path(label), 0x02, ...integer(start), ...integer(length)];
}

/** Fields of a byte each, accessed as bytes, one after the other. */
export function byteFields(region: string, ...names: string[]): Aml {
  const fields = names.map((label) => [...segmentBytes(label), 8]);
  return [0x5b, 0x81, ...withLength([...path(region), 0x01, ...terms(fields)])];
}

export const store = (value: Aml, target: Aml): Aml => [0x70, ...value, ...target];
export const and = (a: Aml, b: Aml, target: Aml = [ZERO]): Aml => [0x7b, ...a, ...b, ...target];
export const or = (a: Aml, b: Aml, target: Aml = [ZERO]): Aml => [0x7d, ...a, ...b, ...target];
export const when = (condition: Aml, ...body: Aml[]): Aml => [0xa0, ...withLength([...condition, ...terms(body)])];
export const give = (value: Aml): Aml => [0xa4, ...value];
export const argument = (index: number): Aml => [0x68 + index];

/** A name for four bytes of a buffer. */
export const dwordField = (source: Aml, offset: number, label: string): Aml => [
  0x8a,
  ...source,
  ...integer(offset),
  ...path(label),
];
